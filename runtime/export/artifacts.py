"""The graphs of a model that can be written as ONNX, by name, and each of them as ONNX.

    infer                      the outputs
    evaluate                   losses and metrics, outside training
    ENTRY                      what an entry gives
    gradients                  of the first loss for every parameter; ``gradients.LOSS`` of the others
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
from typing import TYPE_CHECKING, Literal

import numpy as np

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, batch_symbol
from archonnx.compiler.onnx_export import Target, TextTable, export
from archonnx.compiler.passes.layers import prepared, recognised
from archonnx.compiler.passes.manager import Pass, optimise
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.program import OPSET, STEP, Assumption, ModelProgram, TrainProgram
from archonnx.compiler.ranges import field_ranges
from archonnx.compiler.steps import initial_state
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime import assumptions
from archonnx.runtime.assumptions import of_graph
from archonnx.runtime.data import ranges
from archonnx.runtime.training.programs import program_named
from archonnx.runtime.training.trainer import EVALUATION_STEP

if TYPE_CHECKING:
    import onnx

Kind = Literal["infer", "evaluate", "entry", "gradients", "train_step"]
KINDS: tuple[Kind, ...] = ("infer", "evaluate", "entry", "gradients", "train_step")
TRAIN_STEP = "train_step"


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What is asked of graphs.

    Attributes:
        target: ``portable`` keeps to ai.onnx operators, ``ort`` may use onnxruntime's own.
        opset: version of the ai.onnx operators.
        batch_size: fixes the number of rows in the training steps; symbolic otherwise.
        steps: number of passes over the statements, for schedules that need it.
        steps_per_epoch: likewise.
        program: the ``train`` block whose statements are wanted; those of all unless given.
    """

    target: Target = "portable"
    opset: int = OPSET
    batch_size: int | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None
    program: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A graph that can be written.

    Attributes:
        name: as the docstring of this module has it.
        kind: what it is for.
        make: makes the graph; gradients take long for a large model, and not everybody wants them.
        assumptions: of the model, or of the entry.
        state: what a training step carries from one execution to the next, besides parameters, as it is at the start.
    """

    name: str
    kind: Kind
    make: Callable[[], Graph]
    assumptions: tuple[Assumption, ...]
    state: Mapping[str, Array] = field(default_factory=dict)

    @property
    def holds_weights(self) -> bool:
        """Whether it is written with the weights; the others take parameters as inputs."""
        return self.kind in ("infer", "entry")

    @property
    def trains(self) -> bool:
        """Whether it draws anew in every step. The draws of the others are those of one step."""
        return self.kind in ("gradients", "train_step")


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
        yield held(model, None)
    if "evaluate" in kinds and model.evaluate.outputs:
        yield Artifact("evaluate", "evaluate", partial(_same, model.evaluate), model.assumptions)
    if "entry" in kinds:
        for name in model.entries:
            yield held(model, name)
    if "gradients" in kinds:
        for index, loss in enumerate(model.losses):
            name = "gradients" if index == 0 else f"gradients.{loss}"
            yield Artifact(name, "gradients", partial(gradient_graph, model, loss), model.assumptions)
    if TRAIN_STEP in kinds:
        programs = model.programs if asked.program is None else (program_named(model, asked.program),)
        for program in programs:
            yield from _steps(model, program, asked)


def held(model: ModelProgram, entry: str | None) -> Artifact:
    """What is written with the weights: the outputs, or an entry that the model has."""
    if entry is None:
        return Artifact("infer", "infer", partial(_same, model.infer), model.assumptions)
    return Artifact(entry, "entry", partial(_same, model.entries[entry]), model.entry_assumptions.get(entry, ()))


def _steps(model: ModelProgram, program: TrainProgram, options: GraphOptions) -> Iterator[Artifact]:
    sizes = _sizes(model, program, options.batch_size)
    for index, step in enumerate(train_steps(model, program, options.steps, options.steps_per_epoch)):
        graph = bind(step.graph, sizes)
        yield Artifact(
            step_name(program, index), "train_step", partial(_same, graph), model.assumptions, state=initial_state(step)
        )


def step_name(program: TrainProgram, index: int) -> str:
    """What the graph of a statement is called."""
    return ".".join([TRAIN_STEP, *[program.name] * bool(program.name), *[str(index)] * bool(index)])


def _same(graph: Graph) -> Graph:
    return graph


def graph_named(model: ModelProgram, name: str, options: GraphOptions) -> Artifact:
    """The graph of this name; SpecError if there is none. ``train_step`` may also mean the last program's."""
    found: dict[str, Artifact] = {}
    for artifact in graphs_of(model, options):
        if artifact.name == name:  # those after it may need what was not said, as a number of steps
            return artifact
        found[artifact.name] = artifact
    last = model.programs[-1].name if model.programs else ""
    of_last = f"{TRAIN_STEP}.{last}{name.removeprefix(TRAIN_STEP)}" if name.startswith(TRAIN_STEP) else name
    if of_last not in found:
        known = did_you_mean(name, found) or f"it has {', '.join(found)}"
        fail("AX0501", f"{model.name} has no graph `{name}`", None, help=known)
    return found[of_last]


def _sizes(model: ModelProgram, program: TrainProgram, batch_size: int | None) -> dict[str, int]:
    """What the number of rows is bound to."""
    if batch_size is None:
        return {}
    symbol = batch_symbol({name: field.type for name, field in model.fields.items() if name not in program.whole})
    if symbol is None:
        headline = f"a batch size of {batch_size}, and no input of {model.name} has a symbolic number of rows"
        fail("AX0506", headline, None, help="leave the batch size out")
    return {symbol: batch_size}


# ---------------------------------------------------------------- as ONNX


def as_onnx(
    artifact: Artifact,
    model: str,
    options: GraphOptions | None = None,
    weights: Mapping[str, Array] | None = None,
    *,
    verify: bool = False,
    observer: Callable[[Pass, Graph], None] | None = None,
    texts: Mapping[str, TextTable] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """A graph as ONNX. Outside training, draws are those of one step: of what they take, the seed alone is left.

    Args:
        artifact: the graph.
        model: the name of the model.
        options: how it is written.
        weights: parameters by path, which become part of the model; those that it does not read are left aside.
        verify: check the graph before the first pass and after each.
        observer: sees the graph after each pass.
        texts: inputs that are made of texts, and how.
        metadata: properties of the model besides those that all have.
    """
    asked = options or GraphOptions()
    graph = optimise(artifact.make(), verify=verify, observer=observer)
    if weights is not None and not artifact.trains and (layered := recognised(graph)) is not graph:
        graph, weights = prepared(optimise(layered, verify=verify, observer=observer), weights)
    assumed = artifact.assumptions if artifact.kind == "entry" else of_graph(graph, artifact.assumptions)
    taken = field_ranges(graph, graph.inputs)
    fixed = dict(weights or {})
    if not artifact.trains and STEP in graph.inputs and graph.inputs[STEP].rank == 0:  # not a column of that name
        fixed[STEP] = np.array(EVALUATION_STEP, np.int64)
    return export(
        graph,
        target=asked.target,
        constants={name: array for name, array in fixed.items() if name in graph.inputs},
        metadata={
            "archonnx.model": model,
            **assumptions.as_metadata(assumed),
            **ranges.as_metadata(taken),
            **(metadata or {}),
        },
        opset=asked.opset,
        texts=texts,
    )
