"""The stages in order: the table of contents of the compiler.

    load       a file or a zoo name -> Spec            (grammar)
    elaborate  Spec -> ModelProgram                    (names, blocks, parameters, training steps: typed graphs)
    optimise   Graph -> Graph                          (passes.manager)
    bind       Graph -> Graph                          (ir.bind: one batch shape)
    export     Graph -> onnx.ModelProto                (onnx_export: the only writer of ONNX)

The last three stand elsewhere and are not imported here, since checking a spec needs none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, SpecError, did_you_mean, fail
from archonnx.grammar.record import replace as replace_record
from archonnx.grammar.source import Source
from archonnx.grammar.spec import SUFFIXES, read_tree

from .elaborate.core.values import BlockType, Module
from .elaborate.files.imports import Importer
from .elaborate.files.library import SPECS
from .elaborate.model.entries import ElaboratedEntry, elaborate_entry
from .elaborate.model.model import Elaboration, elaborate_model
from .elaborate.model.trace import trace_loss, trace_outputs
from .elaborate.training.programs import elaborate_programs
from .elaborate.training.search import elaborate_search
from .elaborate.training.step import gradient_graph
from .ir.builder import Builder
from .ir.types import DType
from .program import Application, ModelProgram
from .suggestions import checked_suggestions

RECURSION = 10_000
"""Python frames for nested calls of a spec; how deep specs may nest is bounded elsewhere, and gives a diagnostic."""
FLOAT_TYPES = {"f32": DType.f32, "f64": DType.f64}
"""What the float type of a model may be."""
TOO_NARROW = {
    "f16": "what a step computes leaves its range: the eps of an optimizer, 1e-8, is 0 in it",
    "bf16": "it has 8 bits of precision, NumPy has no such type, and the CPU has no kernels for it",
}
"""Why other floats are none of these; a spec may still declare tensors of them."""


@dataclass(frozen=True, slots=True, repr=False)
class Spec:
    """A spec as it was read: its text, its tree, and the arguments given for its model."""

    name: str
    source: Source
    file: ast.File
    path: Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    float_type: DType = DType.f32
    """What a dtype left out stands for."""

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r:.40}" for name, value in list(self.arguments.items())[:3])
        return f"<Spec {self.name} ({self.float_type}{', ' if given else ''}{given})>"


def zoo() -> dict[str, Path]:
    """The specs that come with archonnx, by name."""
    return {path.stem: path for path in sorted((SPECS / "zoo").rglob("*")) if path.suffix in SUFFIXES}


def float_type(name: str) -> DType:
    """The float type of this name; SpecError if a model cannot have it."""
    if name in TOO_NARROW:
        fail(
            "AX0621",
            f"{name} cannot be the float type of a model: {TOO_NARROW[name]}",
            None,
            help=f"declare it where it is wanted, as in `x: {name}[B, 8]`",
        )
    if name not in FLOAT_TYPES:
        known = did_you_mean(name, FLOAT_TYPES) or f"it is one of {', '.join(FLOAT_TYPES)}"
        fail("AX0621", f"`{name}` cannot be the float type of a model", None, help=known)
    return FLOAT_TYPES[name]


def load(spec: str | Path, /, *, dtype: str = "f32", **arguments: Any) -> Spec:
    """Read a spec.

    Args:
        spec: a path, or the name of a spec of the zoo.
        dtype: the model's float type, which a dtype left out stands for: ``"f32"`` or ``"f64"``.
        arguments: arguments of the model, in place of its defaults.

    Raises:
        SpecError: there is no such file, or its syntax is wrong.
    """
    return replace(_loaded(spec), arguments=arguments, float_type=float_type(dtype))


def _loaded(spec: str | Path) -> Spec:
    path = Path(spec)
    known = zoo()
    if path.suffix in SUFFIXES or path.is_file():
        return parse_spec(_read(path, str(path)), path=path)
    if (found := known.get(str(spec))) is not None:
        return parse_spec(_read(found, found.relative_to(SPECS).as_posix()), path=found)
    fail(
        "AX0601",
        f"there is no file and no spec of the zoo called `{spec}`",
        None,
        help=did_you_mean(str(spec), known) or "`archonnx check` lists the zoo",
    )
    return None


def parse_spec(source: Source, *, path: Path | None = None, **arguments: Any) -> Spec:
    """A spec from a text.

    >>> spec = parse_spec(Source("half.arch", "model Half():\\n    input x: [B]\\n    output y = x / 2\\n"))
    >>> print(elaborate(spec).infer.outputs["y"].type)
    f32[B]
    """
    return Spec(Path(source.name).stem, source, parse_source(source), path, arguments)


def parse_source(source: Source) -> ast.File:
    """The tree of a text, in the spelling that its name tells."""
    return read_tree(source)


def _read(path: Path, name: str) -> Source:
    try:
        return Source(name, path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        fail("AX0601", f"cannot read {path}: {reason}", None)


def elaborate(spec: Spec, *, float_type: DType | None = None, differentiated: bool = True) -> ModelProgram:
    """Names, shapes, parameters, losses and training steps of a spec, all checked.

    Args:
        spec: what was read.
        float_type: in place of the float type that the spec was read with.
        differentiated: build the steps of its programs once, to find what is wrong in them before any data is read;
            without it that is found when they are built.

    Raises:
        SpecError: with everything found wrong, and suggestions that were tried.
    """
    chosen = float_type or spec.float_type
    try:
        return _elaborate(spec, chosen, differentiated)
    except SpecError as error:

        def again(source: Source) -> ModelProgram:
            return _elaborate(replace(spec, source=source, file=parse_source(source)), chosen)

        report = checked_suggestions(spec.source, error.report, again)
        if chosen is not DType.f32:
            _tell_of_float_type(spec, chosen, report)
        raise SpecError(report) from None


def _tell_of_float_type(spec: Spec, chosen: DType, report: Report) -> None:
    """Say it where a spec is right in f32: it names that type where it means the model's."""
    try:
        _elaborate(spec, DType.f32)
    except SpecError:
        return
    first = report.diagnostics[0]
    note = f"the spec is right with the float type f32, and was read with {chosen}: `float(x)` casts to either"
    report.diagnostics[0] = replace_record(first, notes=(*first.notes, note))


def _elaborate(spec: Spec, float_type: DType, differentiated: bool = True) -> ModelProgram:
    sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION))
    report = Report()
    folder = spec.path.parent if spec.path is not None else None
    scope = Importer(folder, parse_source).scope_of(spec.file, folder, report)
    model = _model(spec)
    report.finish()
    elaborated = elaborate_model(scope, model, spec.arguments, report, float_type=float_type)
    judged, trained = elaborated.judged, elaborated.trained
    with Builder().active():  # a tensor in a setting is refused, but it must be made before that can be seen
        programs = elaborate_programs(scope, spec.file.declarations, model.name, elaborated, report, differentiated)
        report.finish()
        search = elaborate_search(scope, spec.file.declarations, model, elaborated, programs)
    entries = _entries(judged, report)
    values = {name: value for name, (value, _) in (judged.losses | judged.metrics).items()}
    for metric in judged.set_metrics.values():
        values |= metric.arguments
    return ModelProgram(
        name=model.name,
        fields=judged.fields,
        parameters=elaborated.parameters,
        infer=judged.graph("infer", {name: value for name, (value, _) in judged.outputs.items()}),
        evaluate=judged.graph("evaluate", values),
        losses=tuple(judged.losses),
        metrics=judged.measured,
        gradients=lambda loss: gradient_graph(trained, loss),
        programs=programs,
        entries={name: entry.graph for name, entry in entries.items()},
        assumptions=tuple(dict.fromkeys((*judged.build.assumptions, *trained.build.assumptions))),
        entry_assumptions={name: entry.assumptions for name, entry in entries.items()},
        set_metrics={name: metric.metric for name, metric in judged.set_metrics.items()},
        search=search,
        modules=dict(_blocks(judged.build.root)),
        applications=tuple(Application(module.path, results) for module, results in judged.build.applied),
        float_type=float_type,
        trace_loss=lambda loss: trace_loss(trained, loss),
        trace_outputs=lambda entry: trace_outputs(judged if entry is None else entries[entry].work, entry or "infer"),
    )


def _blocks(module: Module) -> Iterator[tuple[str, str]]:
    """The path and the block of every module inside this one."""
    for child in module.children.values():
        assert isinstance(child.block, BlockType)
        yield child.path, child.block.declaration.name
        yield from _blocks(child)


def _entries(judged: Elaboration, report: Report) -> dict[str, ElaboratedEntry]:
    entries = {}
    for name, declaration in judged.entries.items():
        try:
            entries[name] = elaborate_entry(judged, declaration, report)
        except SpecError:
            continue  # in the report
    report.finish()
    return entries


def _model(spec: Spec) -> ast.Model:
    """The model that is meant: the only one, or the one that the first ``train`` block names."""
    models = {d.name: d for d in spec.file.declarations if isinstance(d, ast.Model)}
    trains = [d for d in spec.file.declarations if isinstance(d, ast.Train)]
    for train in trains:
        if train.model is not None and train.model not in models:
            fail(
                "AX0201", f"there is no model `{train.model}`", train.name_span, help=did_you_mean(train.model, models)
            )
    if not models:
        fail("AX0219", f"{spec.source.name} declares no model", None, help="a spec needs `model NAME():` and its body")
    if len(models) > 1:
        named = next((t.model for t in trains if t.model is not None), None)
        if named is None:
            fail(
                "AX0001",
                "not built yet: choosing among several models of a file",
                list(models.values())[1].name_span,
                help="say which one is trained: `train of NAME:`",
            )
        return models[named]
    return next(iter(models.values()))
