"""The stages in order: the table of contents of the compiler.

    load       a file or a zoo name -> Spec            (grammar)
    elaborate  Spec -> ModelProgram                    (names, blocks, parameters, training steps: typed graphs)
    derive     ModelProgram -> Graph                   (gradients, trace, steps: what is asked of a model later)
    optimise   Graph -> Graph                          (passes.manager)
    bind       Graph -> Graph                          (ir.bind: one batch shape)
    export     Graph -> onnx.ModelProto                (onnx_export: the only writer of ONNX)

The last four stand elsewhere and are not imported here, since checking a spec needs none of them. Two things wait for
the data and are stages of their own: ``feeding``, whose types are those of its fields, and ``train_steps``, where
something is decided by how many steps there are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import BUILDING, Budget, OverBudget
from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, did_you_mean, fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source, Span
from archonnx.grammar.spec import SUFFIXES, near_file, read_file, read_tree, shown_path
from archonnx.grammar.uncollected import uncollected

from .elaborate.core.columns import Learn
from .elaborate.core.values import BlockType, Module, Scope
from .elaborate.files.imports import Importer
from .elaborate.files.library import SPECS
from .elaborate.model.entries import ElaboratedEntry, elaborate_entry
from .elaborate.model.model import Elaboration, elaborate_model
from .elaborate.model.names import computation
from .elaborate.training import deciding
from .elaborate.training.feeds import Asked, elaborate_feeding
from .elaborate.training.programs import Building, Lengths, elaborate_programs, elaborate_stages
from .elaborate.training.search import elaborate_search
from .feeding import Feeding, Sample
from .helps.proposals import proposed
from .helps.trial import tried
from .ir.builder import Builder
from .ir.types import DType
from .models import Stage, meant_model, program_models
from .plan import own_lengths
from .program import Application, ModelProgram, TrainProgram, TrainStep
from .spec import Spec
from .steps import fail_unsaid, sized, watched

RECURSION = 10_000
"""Python frames for nested calls of a spec; how deep specs may nest is bounded elsewhere, and gives a diagnostic."""
FLOAT_TYPES = {"f32": DType.f32, "f64": DType.f64}
"""What the float type of a model may be."""
TOO_NARROW = {
    "f16": "what a step computes leaves its range: the eps of an optimizer, 1e-8, is 0 in it",
    "bf16": "it has 8 bits of precision, NumPy has no such type, and the CPU has no kernels for it",
}
"""Why other floats are none of these; a spec may still declare tensors of them."""


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
    with bounded(Budget(times=BUILDING)):
        return replace(_loaded(spec), arguments=arguments, float_type=float_type(dtype))


def _loaded(spec: str | Path) -> Spec:
    path = Path(spec)
    known = zoo()
    if path.suffix in SUFFIXES or _exists(path):
        return parse_spec(read_file(path), path=path)
    if (found := known.get(str(spec))) is not None:
        return parse_spec(read_file(found, found.relative_to(SPECS).as_posix()), path=found)
    fail(
        "AX0601",
        f"there is no file and no spec of the zoo called `{shown_path(spec)}`",
        None,
        help=_instead(path, known),
    )
    return None


def _instead(path: Path, known: Mapping[str, Path]) -> str:
    """What was probably meant: a run is not a spec, and a name of the zoo may be misspelt."""
    try:
        run = (path / "run.json").is_file()
    except (OSError, ValueError):
        return "`archonnx check` lists the zoo"
    if run:
        return f"it is a run: `archonnx train --resume {path}` goes on with it, `archonnx eval {path}` measures it"
    beside = near_file(path.parent / f"{path.name}.arch")
    return did_you_mean(str(path), known) or beside or "`archonnx check` lists the zoo"


def _exists(path: Path) -> bool:
    """Whether there is something of this name; a name that no file can have is the name of none."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False


def parse_spec(source: Source, *, path: Path | None = None, **arguments: Any) -> Spec:
    """A spec from a text.

    >>> spec = parse_spec(Source("half.arch", "model Half():\\n    input x: [B]\\n    output y = x / 2\\n"))
    >>> print(elaborate(spec).infer.outputs["y"].type)
    f32[B]
    """
    try:
        return _spec(source, parse_source(source), path, arguments)
    except SpecError as error:
        with bounded(Budget(times=BUILDING)):
            spec = _spec(source, ast.File((), span=Span(source, 0, 0)), path, arguments)
            report = Report(_with_the_rest(spec, error))
            raise SpecError(tried(source, report, lambda other: errors_in(replace(spec, source=other)))) from None


def _spec(source: Source, tree: ast.File, path: Path | None, arguments: Mapping[str, Any]) -> Spec:
    return Spec(Path(source.name).stem, source, tree, path, arguments)


def _with_the_rest(spec: Spec, error: SpecError) -> list[Diagnostic]:
    """What is wrong with the syntax, and with the rest where that can be read as it was probably meant."""
    if not isinstance(error.recovered, ast.File):
        return error.diagnostics
    try:
        elaborate_untried(replace(spec, file=error.recovered))
    except SpecError as other:
        return [*error.diagnostics, *proposed(other.diagnostics, error.recovered)]
    return error.diagnostics


def parse_source(source: Source) -> ast.File:
    """The tree of a text, in the spelling that its name tells."""
    return read_tree(source)


def elaborate(
    spec: Spec,
    *,
    float_type: DType | None = None,
    lengths: Lengths | None = None,
    simplify: bool = True,
    rates: bool = False,
) -> ModelProgram:
    """Names, shapes, parameters, losses and training steps of a spec, all checked.

    Args:
        spec: what was read.
        float_type: in place of the float type that the spec was read with.
        lengths: how many passes a program has, and an epoch of it, by its name; the steps of the others are for any
            number.
        simplify: whether the forward pass is simplified before its gradients are taken, so that steps are smaller and
            quicker to compile; to check a spec that is not needed.
        rates: whether learning rates are inputs of the steps.

    Raises:
        SpecError: with everything found wrong, and suggestions that were tried.
    """
    spec = spec if float_type is None else replace(spec, float_type=float_type)
    with bounded(Budget(times=BUILDING)):
        try:
            with uncollected():  # not around the trials below: each leaves a graph
                return _elaborate(spec, lengths or {}, simplify, rates)
        except SpecError as error:
            report = Report(proposed(error.diagnostics, spec.file))
            report = tried(spec.source, report, lambda source: errors_in(replace(spec, source=source)))
            if spec.float_type is not DType.f32:
                _tell_of_float_type(spec, report)
            raise SpecError(report) from None


def elaborate_untried(spec: Spec) -> ModelProgram:
    """The same for a check, without a trial of suggestions."""
    return _elaborate(spec, {}, False)


def errors_in(spec: Spec) -> list[Diagnostic]:
    """What is wrong with the text of a spec, whatever its tree says: syntax first, then all the rest."""
    try:
        elaborate_untried(replace(spec, file=parse_source(spec.source)))
    except SpecError as error:
        return _with_the_rest(spec, error)
    return []


def train_steps(
    model: ModelProgram,
    program: TrainProgram,
    total: int | None = None,
    per_epoch: int | None = None,
    *,
    watch: bool = False,
    rates: bool = False,
    told: bool = True,
) -> tuple[TrainStep, ...]:
    """The statements of a train program as graphs, in order.

    Args:
        model: to which the program belongs.
        program: the program.
        total: the number of passes over its statements; None where no schedule needs it. A statement that ``repeat`` or
            ``every`` runs more or less often has other numbers of steps.
        per_epoch: likewise of those in an epoch.
        watch: whether the graphs of those that minimise also give ``WATCH``.
        rates: whether learning rates are inputs of the graphs (``TrainStep.rates``).
        told: whether what the spec says of these rates is wanted; it may need the number of passes.
    """
    if rates:
        steps = _decided_steps(model, program, total, per_epoch, rates=True)
        steps = steps if told else tuple(replace(step, rates={}) for step in steps)
    elif program.steps is not None:
        steps = program.steps
    else:
        steps = _decided_steps(model, program, total, per_epoch)
    known = (sized(step, *own_lengths(program.plan, i, total, per_epoch)) for i, step in enumerate(steps))
    return tuple(watched(step) if watch else step for step in known)


def _decided_steps(
    model: ModelProgram, program: TrainProgram, total: int | None, per_epoch: int | None, *, rates: bool = False
) -> tuple[TrainStep, ...]:
    """The statements of a program in which something is decided by the number of steps."""
    try:
        again = elaborate(model.spec, lengths={program.name: (total, per_epoch)}, rates=rates)
    except SpecError as error:
        if total is None and _differs(model, program, error, (1, per_epoch)):
            fail_unsaid("steps", program.span)
        if per_epoch is None and _differs(model, program, error, (total, 1)):
            fail_unsaid("steps_per_epoch", program.span)
        raise
    return _steps_of(again, program)


def _steps_of(model: ModelProgram, program: TrainProgram) -> tuple[TrainStep, ...]:
    """The steps of the program of this name."""
    steps = next(p.steps for p in model.programs if p.name == program.name)
    assert steps is not None
    return steps


def _differs(
    model: ModelProgram, program: TrainProgram, error: SpecError, lengths: tuple[int | None, int | None]
) -> bool:
    """Whether something else is found, or nothing, where the program has these lengths."""
    try:
        elaborate(model.spec, lengths={program.name: lengths})
    except SpecError as other:
        return other.diagnostics != error.diagnostics
    return True


def feeding(model: ModelProgram, program: TrainProgram, sample: Sample, learn: Learn) -> Feeding:
    """How the fields of the model are made of the columns of the data; SpecError with all that does not fit.

    Args:
        model: whose fields.
        program: says how.
        sample: the columns.
        learn: the values of a column in the train part, in order.
    """
    try:
        return _fed(model, program, sample, learn)
    except SpecError as error:
        spec = model.spec

        def wrong(source: Source) -> list[Diagnostic]:
            return _wrong_feeds(replace(spec, source=source), program, sample, learn)

        with bounded(Budget(times=BUILDING)):
            report = tried(spec.source, Report(proposed(error.diagnostics, spec.file)), wrong)
        raise SpecError(report) from None


def _fed(model: ModelProgram, program: TrainProgram, sample: Sample, learn: Learn) -> Feeding:
    asked = Asked(program, model.fields, model.arguments, model.float_type, sample, learn)
    return elaborate_feeding(_scope(model.spec, Report()), asked)


def _wrong_feeds(spec: Spec, program: TrainProgram, sample: Sample, learn: Learn) -> list[Diagnostic]:
    """What is wrong with the text of a spec, with the data at hand."""
    try:
        model = elaborate_untried(replace(spec, file=parse_source(spec.source)))
        for other in model.programs:
            if other.name == program.name:
                _fed(model, other, sample, learn)
    except SpecError as error:
        return error.diagnostics
    return []


def model_arguments(spec: Spec) -> list[str]:
    """The names of the arguments that the model of a spec takes."""
    return [parameter.name for parameter in meant_model(spec).parameters]


def stages(spec: Spec) -> list[Stage]:
    """What the runs of a spec train, in order: a run trains programs of one model that follow each other."""
    model = meant_model(spec)
    return elaborate_stages(_scope(spec, Report()), spec.file.declarations, program_models(spec), model.name_span)


def deciding_programs(spec: Spec) -> list[TrainProgram]:
    """The programs of a spec whose data decides arguments of its model, without the statements that train."""
    model, models, report = meant_model(spec), program_models(spec), Report()
    deciding.check_decided(spec.file.declarations, model, models, report)
    report.finish()
    scope = _scope(spec, Report())
    return deciding.deciding_programs(scope, spec.file.declarations, model, models, spec.arguments, spec.float_type)


def decided_arguments(spec: Spec, program: TrainProgram, sample: Sample, learn: Learn) -> Mapping[str, object]:
    """The arguments of the model that the data of a program decides; the rest is as for ``feeding``."""
    asked = Asked(program, None, spec.arguments, spec.float_type, sample, learn)
    return elaborate_feeding(_scope(spec, Report()), asked).sizes


def _scope(spec: Spec, report: Report) -> Scope:
    """The names of a file: its own, those it imports, the library's."""
    folder = spec.path.parent if spec.path is not None else None
    return Importer(folder, parse_source, spec.imports).scope_of(spec.file, folder, report)


def with_imports(spec: Spec) -> Spec:
    """A spec that has the files it imports with it: whatever becomes of them, it stays what it is now.

    What is wrong with them is found when the spec is elaborated.
    """
    if spec.imports is not None or not any(isinstance(one, ast.Import) for one in spec.file.declarations):
        return spec
    folder = spec.path.parent if spec.path is not None else None
    importer, report = Importer(folder, parse_source), Report()
    with report.collecting():
        importer.scope_of(spec.file, folder, report)
    return replace(spec, imports=importer.texts) if not report.diagnostics else spec


def _tell_of_float_type(spec: Spec, report: Report) -> None:
    """Say it where a spec is right in f32: it names that type where it means the model's."""
    try:
        _elaborate(replace(spec, float_type=DType.f32), {}, False)
    except (SpecError, OverBudget):
        return
    first = report.diagnostics[0]
    note = f"the spec is right with the float type f32, and was read with {spec.float_type}: `float(x)` casts to either"
    report.diagnostics[0] = replace(first, notes=(*first.notes, note))


def _elaborate(spec: Spec, lengths: Lengths, simplify: bool, rates: bool = False) -> ModelProgram:
    sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION))
    report = Report()
    scope = _scope(spec, report)
    model, models = meant_model(spec), program_models(spec)
    deciding.check_decided(spec.file.declarations, model, models, report)
    report.finish()
    deciding.fail_undecided(spec.file.declarations, model, models, spec.arguments)
    elaborated = elaborate_model(scope, model, spec.arguments, report, float_type=spec.float_type)
    judged, trained = elaborated.judged, elaborated.trained
    with Builder().active():  # a tensor in a setting is refused, but it must be made before that can be seen
        how = Building(report, lengths, simplify, rates)
        programs = elaborate_programs(scope, spec.file.declarations, models, elaborated, how)
        report.finish()
        searched = models.meant == models.default  # a search varies the model that is trained first
        search = elaborate_search(scope, spec.file.declarations, model, elaborated, programs) if searched else None
    entries = _entries(judged, report)
    values = {name: value for name, (value, _) in (judged.losses | judged.metrics).items()}
    for metric in judged.set_metrics.values():
        values |= metric.arguments
    return ModelProgram(
        name=model.name,
        spec=spec,
        arguments=judged.arguments,
        fields=judged.fields,
        parameters=elaborated.parameters,
        infer=judged.graph("infer", {name: value for name, (value, _) in judged.outputs.items()}),
        evaluate=judged.graph("evaluate", values),
        losses=tuple(judged.losses),
        metrics=judged.measured,
        use=computation(judged, "use", values),
        training=computation(trained, "training", {name: value for name, (value, _) in trained.losses.items()}),
        programs=programs,
        entries={name: entry.graph for name, entry in entries.items()},
        entry_computations={name: entry.computation for name, entry in entries.items()},
        assumptions=tuple(dict.fromkeys((*judged.build.observed.assumptions, *trained.build.observed.assumptions))),
        entry_assumptions={name: entry.assumptions for name, entry in entries.items()},
        set_metrics={name: metric.metric for name, metric in judged.set_metrics.items()},
        directions=judged.directions,
        search=search,
        modules=dict(_blocks(judged.build.root)),
        applications=tuple(Application(module.path, results) for module, results in judged.build.observed.applied),
        float_type=spec.float_type,
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
