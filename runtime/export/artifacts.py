"""The graphs of a model that can be written as ONNX, by name, and each of them as ONNX.

    infer                      the outputs
    evaluate                   losses and metrics, outside training
    ENTRY                      what an entry gives
    gradients                  the first loss and its gradient for every parameter; ``gradients.LOSS`` of the others
    train_step                 the first statement of an unnamed ``train`` block; ``train_step.1`` the second
    train_step.PROGRAM         the first statement of a named one; ``train_step.PROGRAM.1`` the second

``archonnx.compile``, ``archonnx compile``, ``archonnx export`` and run directories all take their graphs from here, so
that a graph has the same name, inputs, outputs and metadata wherever it is written. What this module does not do:
write files.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, batch_symbol
from archonnx.compiler.onnx_export import Target, TextTable, export
from archonnx.compiler.opset import OPSET
from archonnx.compiler.passes.blocks import has_images
from archonnx.compiler.passes.halves import halved
from archonnx.compiler.passes.inference import folded
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.layers import prepared, recognised
from archonnx.compiler.passes.manager import Pass, optimise
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.program import EVALUATION_STEP, STEP, ModelProgram, TrainProgram
from archonnx.compiler.ranges import field_ranges, trusting
from archonnx.compiler.steps import initial_state
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime import assumptions
from archonnx.runtime.assumptions import of_graph
from archonnx.runtime.data import ranges
from archonnx.runtime.device.blocks import machine_block
from archonnx.runtime.training.named import program_named

from .artifact import KINDS, TRAIN_STEP, Artifact, Kind
from .contract import as_metadata, graph_contract, model_contract, rates_of, step_name

if TYPE_CHECKING:
    import onnx

EXACT: Target = "exact"
Precision = Literal["f32", "f16", "f16-io"]


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What is asked of graphs.

    Attributes:
        target: ``portable`` keeps to ai.onnx operators in forms that any client computes, ``onnx`` to those that
            onnxruntime computes fastest, ``ort`` may use its own, ``exact`` has the nodes that
            a trainer on this machine runs, so that losses and weights are its own to the bit.
        opset: version of the ai.onnx operators.
        batch_size: fixes the number of rows in the training steps; symbolic otherwise.
        steps: number of passes over the statements, for schedules that need it.
        steps_per_epoch: likewise.
        program: the ``train`` block whose statements are wanted; those of all unless given.
        batch: fixes the number of rows in every graph but the entries.
        rates: whether learning rates are inputs of the training steps.
        precision: of graphs that hold their weights: ``f16`` has inputs and outputs in f32, ``f16-io`` in f16 too.
        lengths: ``steps`` and ``steps_per_epoch`` of ``train`` blocks by name, where nothing else is asked.
    """

    target: Target = "portable"
    opset: int = OPSET
    batch_size: int | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None
    program: str | None = None
    batch: int | None = None
    rates: bool = False
    precision: Precision = "f32"
    lengths: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def length(self, program: TrainProgram) -> tuple[int | None, int | None]:
        """``steps`` and ``steps_per_epoch`` of a ``train`` block."""
        total, per_epoch = self.lengths.get(program.name, (None, None))
        return self.steps or total, self.steps_per_epoch or per_epoch


def graphs_of(
    model: ModelProgram, options: GraphOptions | None = None, kinds: Collection[Kind] = KINDS
) -> Iterator[Artifact]:
    """The graphs of a model; one without outputs is left out.

    Args:
        model: whose.
        options: what is asked of its training steps.
        kinds: which graphs.

    Raises:
        SpecError: there is no such program, its statements cannot be built, or no input has rows to be fixed.
    """
    asked = options or GraphOptions()
    if "infer" in kinds and model.infer.outputs:
        yield held(model, None, asked)
    if "evaluate" in kinds and model.evaluate.outputs:
        made = partial(_sized, model, lambda: model.evaluate, asked)
        yield Artifact("evaluate", "evaluate", made, model.assumptions)
    if "entry" in kinds:
        for name in model.entries:
            yield held(model, name, asked)
    if "gradients" in kinds:
        for index, loss in enumerate(model.losses):
            name = "gradients" if index == 0 else f"gradients.{loss}"
            made = partial(_sized, model, partial(gradient_graph, model, loss, told=True), asked)
            yield Artifact(name, "gradients", made, model.assumptions)
    if TRAIN_STEP in kinds:
        programs = model.programs if asked.program is None else (program_named(model, asked.program),)
        rated = not (asked.rates and programs)
        for program in programs:
            for artifact in _steps(model, program, asked):
                rated = rated or bool(rates_of(artifact, model))
                yield artifact
        if not rated:
            _fail_without_rate(model.name)


def held(model: ModelProgram, entry: str | None, options: GraphOptions | None = None) -> Artifact:
    """What is written with the weights: the outputs, or an entry that the model has."""
    if entry is None:
        made = partial(_sized, model, lambda: model.infer, options or GraphOptions())
        return Artifact("infer", "infer", made, model.assumptions)
    return Artifact(entry, "entry", partial(_same, model.entries[entry]), model.entry_assumptions.get(entry, ()))


def _steps(model: ModelProgram, program: TrainProgram, options: GraphOptions) -> Iterator[Artifact]:
    sizes = _sizes(model, program.whole, options.batch_size or options.batch)
    total, per_epoch = options.length(program)
    steps = train_steps(model, program, total, per_epoch, rates=options.rates, told=not options.rates)
    for index, step in enumerate(steps):
        graph = bind(step.graph, sizes)
        yield Artifact(
            step_name(program, index),
            "train_step",
            partial(_same, graph),
            model.assumptions,
            initial_state(step),
            step,
            program,
        )


def _same(graph: Graph) -> Graph:
    return graph


def _sized(model: ModelProgram, make: Callable[[], Graph], options: GraphOptions) -> Graph:
    """A graph with the number of rows that is asked of all."""
    sizes = _sizes(model, frozenset(), options.batch)
    return bind(make(), sizes) if sizes else make()


def _fail_without_rate(what: str) -> NoReturn:
    fail(
        "AX0607",
        f"`{what}` has no learning rate that could be an input: no optimizer has an `lr` that is a schedule",
        None,
        help="leave `--rate-input` out",
    )


def graph_named(model: ModelProgram, name: str, options: GraphOptions) -> Artifact:
    """The graph of this name; SpecError if there is none. ``train_step`` may also mean the last program's."""
    found: dict[str, Artifact] = {}
    for artifact in graphs_of(model, options):
        if artifact.name == name:  # those after it may need what was not said, as a number of steps
            if options.rates and not rates_of(artifact, model):
                _fail_without_rate(name)
            return artifact
        found[artifact.name] = artifact
    last = model.programs[-1].name if model.programs else ""
    of_last = f"{TRAIN_STEP}.{last}{name.removeprefix(TRAIN_STEP)}" if name.startswith(TRAIN_STEP) else name
    if of_last not in found:
        known = did_you_mean(name, found) or f"it has {', '.join(found)}"
        fail("AX0501", f"{model.name} has no graph `{name}`", None, help=known)
    return found[of_last]


def _sizes(model: ModelProgram, whole: Collection[str], batch_size: int | None) -> dict[str, int]:
    """What the number of rows is bound to; ``whole`` are fields that have none."""
    if batch_size is None:
        return {}
    symbol = batch_symbol({name: field.type for name, field in model.fields.items() if name not in whole})
    if symbol is None:
        headline = f"a batch size of {batch_size}, and no input of {model.name} has a symbolic number of rows"
        fail("AX0506", headline, None, help="leave the batch size out")
    return {symbol: batch_size}


# ---------------------------------------------------------------- as ONNX


def as_onnx(
    artifact: Artifact,
    model: ModelProgram,
    options: GraphOptions | None = None,
    weights: Mapping[str, Array] | None = None,
    *,
    verify: bool = False,
    observer: Callable[[Pass, Graph], None] | None = None,
    texts: Mapping[str, TextTable] | None = None,
    metadata: Mapping[str, str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> onnx.ModelProto:
    """A graph as ONNX. Outside training, draws are those of one step: of what they take, the seed alone is left.

    Args:
        artifact: the graph.
        model: to which it belongs.
        options: how it is written.
        weights: parameters by path, which become part of the model; those that it does not read are left aside.
        verify: check the graph before the first pass and after each.
        observer: sees the graph after each pass.
        texts: inputs that are made of texts, and how.
        metadata: properties of the model besides those that all have.
        about: what a run knows besides, for its contract.
    """
    asked = options or GraphOptions()
    exact = asked.target == EXACT and not artifact.holds_weights
    made = trusting(artifact.make(), model.fields) if exact else artifact.make()
    graph = optimise(made, verify=verify, observer=observer)
    if exact:
        graph = _as_run_here(artifact, graph, sized=bool(asked.batch_size or asked.batch))
    if weights is not None and not artifact.trains and (layered := recognised(graph)) is not graph:
        graph, weights = prepared(optimise(layered, verify=verify, observer=observer), weights)
    if weights is not None and not artifact.trains:
        graph, weights = folded(graph, weights)
    if asked.precision != "f32":
        if weights is None or artifact.trains:
            fail_half(artifact.name)
        graph, weights = halved(graph, weights, ends=asked.precision == "f16-io")
    assumed = artifact.assumptions if artifact.kind == "entry" else of_graph(graph, artifact.assumptions)
    taken = field_ranges(graph, graph.inputs)
    fixed = dict(weights or {})
    if not artifact.trains and STEP in graph.inputs and graph.inputs[STEP].rank == 0:  # not a column of that name
        fixed[STEP] = np.array(EVALUATION_STEP, np.int64)
    constants = {name: array for name, array in fixed.items() if name in graph.inputs}
    said = graph_contract(artifact, graph, _inputs(artifact, graph, constants, model, texts or {}), model)
    return export(
        graph,
        target="ort" if asked.target == EXACT else asked.target,
        constants=constants,
        metadata={
            "archonnx.model": model.name,
            **as_metadata(said, model_contract(model, about)),
            **assumptions.as_metadata(assumed),
            **ranges.as_metadata(taken),
            **(metadata or {}),
        },
        opset=asked.opset,
        texts=texts,
        check=not exact,
        beside=model.parameters if artifact.holds_weights else (),
    )


def fail_half(graph: str) -> NoReturn:
    """SpecError: what does not hold its weights is not written in f16; graphs of a folder share them."""
    fail(
        "AX0515",
        f"`{graph}` does not hold its weights, and is not written in f16",
        None,
        help="`--precision f16` is for the outputs and the entries, one in a file: `-o NAME.onnx`",
    )


def _inputs(
    artifact: Artifact,
    graph: Graph,
    constants: Collection[str],
    model: ModelProgram,
    texts: Mapping[str, TextTable],
) -> dict[str, str]:
    """The types of the inputs of a file, by name; weights are none where it holds them."""
    inside = {*constants, *(model.parameters if artifact.kind in ("infer", "entry") else ())}
    types = {name: value.type for name, value in graph.inputs.items() if name not in inside}
    return {
        texts[name].input if name in texts else name: str(type_).replace("i64", "string", name in texts)
        for name, type_ in types.items()
    }


def _as_run_here(artifact: Artifact, graph: Graph, *, sized: bool) -> Graph:
    """The nodes that a trainer on this machine runs, whose kernels are onnxruntime's alone."""
    if artifact.kind == TRAIN_STEP and (open_dims := sorted(graph.all_symbols())):
        fail(
            "AX0506",
            f"the target `exact` is for one size of every dim, and `{open_dims[0]}` of `{artifact.name}` has none",
            None,
            help=f"write a number in place of `{open_dims[0]}` in the spec"
            if sized
            else "give the number of rows: `--batch-size 32`",
        )
    return for_kernels(graph, machine_block() if has_images(graph) else None)
