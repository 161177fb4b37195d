"""What a step of a training takes of memory: ``archonnx show --memory``.

What this module does not do: follow onnxruntime through a graph (``runtime.device.memory`` does), or measure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from archonnx.compiler.blockwise import Blockwise
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.looked_up import looked_up
from archonnx.compiler.pipeline import elaborate, load, train_steps
from archonnx.compiler.program import GATHERED, ModelProgram, TrainProgram, TrainStep
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.columns import columns
from archonnx.runtime.device.blockwise import in_blocks
from archonnx.runtime.device.memory import Peak, peak_of
from archonnx.runtime.device.session import SessionOptions, for_machine, left_of

SESSION, NODE = 15_000_000, 8_300
"""Bytes that onnxruntime takes for itself, and for each node: the growth of a process whose model is tiny, measured."""
SHOWN = 10
"""Places of the spec that are shown."""
STEPS = 1_000
"""The length of the training, where a schedule asks: nothing here depends on it."""


@dataclass(frozen=True, slots=True, repr=False)
class MemoryUse:
    """By how much a process grows that trains on the CPU, in bytes. Printed, it is a table.

    Attributes:
        model: its name.
        dims: of a batch.
        parts: what takes how much.
        holders: what is alive when most is, by its place in the spec: results, and gradients on their way.
    """

    model: str
    dims: Mapping[str, int]
    parts: Mapping[str, int]
    holders: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.parts.values())

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "model": self.model,
            "dims": dict(self.dims),
            "parts": dict(self.parts),
            "total": self.total,
            "holders": dict(self.holders),
        }

    def dumps(self) -> str:
        """The same as the text of a JSON document."""
        return json.dumps(self.as_json(), indent=2)

    def __repr__(self) -> str:
        return f"<MemoryUse of {self.model}: {self.total:,} bytes>"

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} = {size}" for name, size in self.dims.items())
        parts = [[name, f"{size:,}"] for name, size in (*self.parts.items(), ("total", self.total))]
        largest = sorted(self.holders.items(), key=lambda item: -item[1])[:SHOWN]
        holders = [[f"{size:,}", place] for place, size in largest]
        heading = f"{self.model}, a training step{f' ({sizes})' if sizes else ''}"
        shown = columns([["", "bytes"], *parts], range(1))
        return f"{heading}\n\n{shown}\n\n{columns([['alive at once', 'made by'], *holders], range(1, 2))}"


def memory(spec: str | Path | Spec, *, dims: Mapping[str, int] | None = None, **arguments: Any) -> MemoryUse:
    """Predict what a training step of the last program of a spec takes of memory, on the CPU.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        dims: sizes of open dims; the one that counts examples is the program's batch size unless given, others 1.
        arguments: of the model, where ``spec`` is a name or a file.
    """
    model = elaborate(spec if isinstance(spec, Spec) else load(spec, **arguments))
    if not model.programs:
        fail("AX0615", f"{model.name} has no `train` block", None, help="add one with `minimize LOSS with adam()`")
    program = model.programs[-1]
    steps = train_steps(model, program, STEPS, STEPS)
    apart = in_blocks(steps, model.parameters)
    sizes = _sizes(model, program, steps, dims or {})
    parts = _state(model, steps, apart)
    fields = {name: step.graph.inputs[name].type for step in steps for name in step.fields}
    parts["the batch"] = 2 * sum(_bytes(type_, sizes) for type_ in fields.values())
    alive = taken = 0
    nodes, holders = 0, Counter[str]()
    for index, step in enumerate(steps):
        one = looked_up(apart[index], sizes) if index in apart else None
        whole = one.rest if one is not None else step.graph
        graph = for_machine(whole, sizes, SessionOptions("cpu"), losses=step.losses)
        peak = peak_of(graph, left_of(graph), tuple(one.given) if one is not None else ())
        alive = max(alive, peak.size)
        taken += peak.taken
        nodes += peak.nodes
        if peak.size == alive:
            holders = _by_place(peak)
    parts["results and gradients, at most at once"] = alive
    parts["more that onnxruntime takes for them"] = max(0, taken - alive)
    parts["onnxruntime and its graph"] = SESSION + NODE * nodes
    return MemoryUse(model.name, sizes, {name: size for name, size in parts.items() if size}, holders)


def _sizes(
    model: ModelProgram, program: TrainProgram, steps: tuple[TrainStep, ...], dims: Mapping[str, int]
) -> dict[str, int]:
    """The size of every open dim."""
    named = {symbol for step in steps for symbol in step.graph.symbols()}
    counted = next(
        (f.type.shape[0].symbol for f in model.fields.values() if f.type.rank and f.type.shape[0].symbol), ""
    )
    batch = program.settings.batch_size
    known = {counted: batch} if isinstance(batch, int) else {}
    return {name: dims.get(name, known.get(name, 1)) for name in sorted(named)}


def _state(model: ModelProgram, steps: tuple[TrainStep, ...], apart: Mapping[int, Blockwise]) -> dict[str, int]:
    """What is carried; what changes otherwise than in blocks has a second place into which it is written."""
    carried = {name: type_ for step in steps for name, type_ in step.carried.items()}
    gathered = sum(_bytes(type_, {}) for name, type_ in carried.items() if name.startswith(GATHERED))
    changed = sum(_bytes(type_, {}) for type_ in carried.values())
    parameters = sum(_bytes(parameter.type, {}) for parameter in model.parameters.values())
    moved = sum(_bytes(type_, {}) for name, type_ in carried.items() if name in model.parameters)
    in_place = [steps[index].carried[name] for index, one in apart.items() for name in one.in_one_place]
    spared = sum(_bytes(type_, {}) for type_ in in_place)
    return {
        "parameters": parameters,
        "optimizer state": changed - moved - gathered,
        "gathered gradients": gathered,
        "their next values": changed - spared,
    }


def _bytes(type_: TensorType, sizes: Mapping[str, int]) -> int:
    return prod(dim.evaluate(sizes) for dim in type_.shape) * type_.dtype.numpy.itemsize


def _by_place(peak: Peak) -> Counter[str]:
    """Bytes that are alive, by what the author of the spec wrote."""
    found: Counter[str] = Counter()
    for held in peak.held:
        origin = held.origin
        where = f" at {origin.place}" if origin.place is not None else ""
        found[f"{f'{origin.role} ' if origin.role else ''}{origin.subject}{where}"] += held.size
    return found
