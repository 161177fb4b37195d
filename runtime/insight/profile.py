"""Where a model spends its time: kernels as onnxruntime measured them, brought back to the lines of the spec.

What runs is what a training runs: the same graphs, passes and kernels. What this module does not do: say how long
anything takes without the profiler, which costs some microseconds a kernel.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import Array
from archonnx.compiler.ir.walk import walk
from archonnx.compiler.models import train_blocks
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.grammar.source import Span
from archonnx.runtime.device.session import Session, SessionOptions
from archonnx.runtime.training.trainer import Trainer

WARM = 2
"""Runs that are not counted: memory is taken in the first, and laid out in the second."""
FORWARD, BACKWARD, UPDATE, OTHER = "forward", "backward", "update", "runtime"
PHASES = (FORWARD, BACKWARD, UPDATE, OTHER)
GRADIENT = "gradient of"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of a step.

    Attributes:
        operator: of ONNX.
        shapes: of its inputs, for people.
        microseconds: in a step, the mean over the runs.
        count: how often it runs in a step.
        origin: where it came from; None of what onnxruntime made itself.
        phase: whether it computes the model, its gradient or the update.
    """

    operator: str
    shapes: str
    microseconds: float
    count: float
    origin: Origin | None
    phase: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A training step, kernel by kernel.

    Attributes:
        kernels: in no order.
        runs: how many steps were measured.
        batch: what a step was given: types by field.
    """

    kernels: tuple[Kernel, ...]
    runs: int
    batch: Mapping[str, str]

    @property
    def total(self) -> float:
        """Microseconds of a step in kernels."""
        return sum(kernel.microseconds for kernel in self.kernels)

    def lines(self) -> list[Line]:
        """The lines of the spec, those that take most first."""
        found: dict[tuple[str, int], dict[str, float]] = defaultdict(lambda: dict.fromkeys(PHASES, 0.0))
        texts: dict[tuple[str, int], str] = {}
        counts: dict[tuple[str, int], float] = defaultdict(float)
        for kernel in self.kernels:
            key, said = ("", 0), ""
            if kernel.origin is not None and kernel.origin.place is not None:
                place = kernel.origin.place
                line, _ = place.source.line_column(place.start)
                key, said = (place.source.name, line), place.source.text.splitlines()[line - 1].strip()
            found[key][kernel.phase] += kernel.microseconds
            texts[key] = said
            counts[key] += kernel.count
        made = [Line(name, line, texts[name, line], counts[name, line], spent) for (name, line), spent in found.items()]
        return sorted(made, key=lambda one: -one.microseconds)

    def operators(self) -> list[tuple[str, float, float]]:
        """Operators of ONNX with how often they run and their microseconds, those that take most first."""
        spent: dict[str, float] = defaultdict(float)
        counts: dict[str, float] = defaultdict(float)
        for kernel in self.kernels:
            spent[kernel.operator] += kernel.microseconds
            counts[kernel.operator] += kernel.count
        return sorted(((name, counts[name], time) for name, time in spent.items()), key=lambda one: -one[2])


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a spec.

    Attributes:
        source: the name of the file; empty for what has no place in a spec.
        number: of the line, from 1 on.
        text: of the line.
        kernels: how many run for it in a step.
        phases: microseconds by phase.
    """

    source: str
    number: int
    text: str
    kernels: float
    phases: Mapping[str, float]

    @property
    def microseconds(self) -> float:
        """In a step."""
        return sum(self.phases.values())

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.source}:{self.number}" if self.source else "(onnxruntime)"


def profile_step(
    model: ModelProgram,
    program: TrainProgram,
    batch: Mapping[str, Array],
    parameters: Mapping[str, Array] | None = None,
    *,
    runs: int = 20,
    options: SessionOptions | None = None,
) -> Profile:
    """Measure the steps of a program on a batch.

    Args:
        model: the model.
        program: of it.
        batch: the arrays of the fields that its statements read.
        parameters: to begin with; the initial ones otherwise.
        runs: how many steps are measured.
        options: of the sessions.
    """
    blocks = [block.span for block in train_blocks(model.spec.file.declarations)]
    with tempfile.TemporaryDirectory() as folder:
        chosen = replace(options or SessionOptions(), profile=Path(folder) / "profile")
        size = next(iter(batch.values())).shape[0] if batch else 1
        trainer = Trainer(
            model, program=program, batch_size=size, seed=0, options=chosen, total=1, per_epoch=1, parameters=parameters
        )
        fields = {name: batch[name] for name in trainer.runner.fields}
        for _ in range(WARM + runs):
            trainer.step(fields)
        kernels = [kernel for session in trainer.runner.sessions() for kernel in _kernels(session, runs, blocks)]
    return Profile(tuple(kernels), runs, {name: f"{array.dtype}{list(array.shape)}" for name, array in fields.items()})


def _kernels(session: Session, runs: int, blocks: Sequence[Span]) -> Iterator[Kernel]:
    """What a session noted of its runs in the last steps; of tensors that change in blocks it has many in each."""
    events = json.loads(Path(session.handle.end_profiling()).read_text("utf-8"))
    begun = sorted(event["ts"] for event in events if event.get("name") == "model_run")
    counted = round(len(begun) * runs / (WARM + runs))
    start = begun[-counted] if counted else float("inf")
    known = _origins(session)
    spent: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for event in _kernel_events(events):
        if event["ts"] >= start:
            said = event["args"]
            shapes = " ".join(str(list(shape)) for of in said.get("input_type_shape", ()) for shape in of.values())
            spent[event["name"].removesuffix("_kernel_time"), said["op_name"], shapes].append(event["dur"])
    for (name, operator, shapes), times in spent.items():
        own = known_name(name, session.origins)
        origin = known.get((session.origins.get(own, ""), session.paths.get(own, "")))
        yield Kernel(operator, shapes, sum(times) / runs, len(times) / runs, origin, _phase(origin, blocks))


def known_name(name: str, known: Container[str]) -> str:
    """The node from which onnxruntime made one: it puts words before and behind the name of the first of them."""
    own = name.removeprefix("fused ")
    while own and own not in known:
        own = own[: max(own.rfind("/"), own.rfind("_"), 0)]
    return own


def _phase(origin: Origin | None, blocks: Sequence[Span]) -> str:
    """What a kernel is for: what a ``train`` block says, and is no gradient, is part of the update."""
    if origin is None:
        return OTHER
    if origin.role == GRADIENT:
        return BACKWARD
    place = origin.place
    inside = place is not None and any(b.source == place.source and b.start <= place.start < b.end for b in blocks)
    return UPDATE if inside else FORWARD


def _kernel_events(events: Iterable[Any]) -> Iterator[Any]:
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            yield event


def _origins(session: Session) -> dict[tuple[str, str], Origin]:
    """The origins of the graph by what the nodes of the file say of themselves."""
    if session.graph is None:
        return {}
    return {(str(node.origin), node.origin.path): node.origin for node, _ in walk(session.graph)}
