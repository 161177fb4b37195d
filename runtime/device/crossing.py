"""Measuring where two forms of the same are equally fast on this machine (``compiler.passes.crossings``).

Each crossing has a *ladder*: graphs of one op, larger from rung to rung, which are run in both forms. The crossing is
put where all rungs together take least, each counted by the logarithm of its time; so a rung that was measured badly
moves it by one rung at most. What this module does not do: remember what was found (``tuning`` does).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from archonnx.compiler.ir.builder import Builder, current_builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, ConvWeightGrad
from archonnx.compiler.ops.reduce import ReduceSum
from archonnx.compiler.passes.crossings import LARGEST, Crossings, standard, using
from archonnx.grammar.record import replace

from .session import Buffer, SessionOptions, bound, open_graph

SECONDS = 0.01
"""How long a form of a rung is run at least; the best of its runs counts."""
ROUNDS = 2
"""The forms take turns."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a crossing is measured by.

    Attributes:
        name: the field of ``Crossings``.
        sizes: of the rungs, in what the field counts, ascending.
        widths: channels of each size. Kernels that do not fit into a core's cache count, since there the forms differ
            by milliseconds; where they do, by microseconds.
        graph: that of a size and a width.
        below: whether the product is the form of sizes up to the crossing, else of those from it on.
    """

    name: str
    sizes: tuple[int, ...]
    widths: tuple[int, ...]
    graph: Callable[[int, int], Graph]
    below: bool


@dataclass(frozen=True, slots=True)
class Rung:
    """Seconds of one size and width: as a product, and as it stands."""

    size: int
    width: int
    product: float
    direct: float


def _built(name: str, shapes: dict[str, tuple[int, ...]], make: Callable[..., list[Value]]) -> Graph:
    builder = Builder()
    given = {key: Value(TensorType(DType.f32, tuple(map(Dim.of, shape))), key) for key, shape in shapes.items()}
    with builder.active():
        made = make(**given)
    return builder.graph(name, given, {f"made{place}": value for place, value in enumerate(made)})


def _patches(rows: int, width: int) -> Graph:
    """A convolution of images of 2x2 places and both of its gradients."""
    images, pads = (rows // 4, width, 2, 2), (1, 1, 1, 1)

    def make(x: Value, w: Value, dy: Value) -> list[Value]:
        add = current_builder().add
        return [
            add(Conv((1, 1), (1, 1), pads), x, w),
            add(ConvInputGrad((1, 1), (1, 1), pads, size=x.shape[2:]), dy, w),
            add(ConvWeightGrad((1, 1), (1, 1), pads, kernel=(3, 3)), x, dy),
        ]

    return _built("patches", {"x": images, "w": (width, width, 3, 3), "dy": images}, make)


def _points(columns: int, width: int) -> Graph:
    def make(x: Value, w: Value) -> list[Value]:
        return [current_builder().add(Conv((1, 1), (1, 1), (0,) * 4), x, w)]

    return _built("points", {"x": (columns // 4, width, 2, 2), "w": (width, width, 1, 1)}, make)


def _points_back(columns: int, width: int) -> Graph:
    def make(dy: Value, w: Value) -> list[Value]:
        return [current_builder().add(ConvInputGrad((1, 1), (1, 1), (0,) * 4, size=dy.shape[2:]), dy, w)]

    return _built("points", {"dy": (columns // 4, width, 2, 2), "w": (width, width, 1, 1)}, make)


def _sum(elements: int, width: int) -> Graph:
    def make(x: Value) -> list[Value]:
        return [current_builder().add(ReduceSum((0,)), x)]

    return _built("sum", {"x": (elements // width, width)}, make)


LADDERS = (
    Ladder("patch_rows", (64, 128, 256, 512, 1024), (256, 512), _patches, True),
    Ladder("columns", (16, 32, 64, 128, 256, 512), (1024, 2048), _points, True),
    Ladder("columns_back", (16, 32, 64, 128, 256, 512, 1024), (1024, 2048), _points_back, True),
    Ladder("sum_elements", (64, 128, 256, 512, 1024, 2048, 4096, 8192), (16, 64), _sum, False),
)
"""All that is measured: a few seconds."""


def measured(options: SessionOptions, ladders: Sequence[Ladder] = LADDERS) -> tuple[Crossings, dict[str, list[Rung]]]:
    """The crossings of this machine, and what they follow from."""
    found, rungs = standard(), dict[str, list[Rung]]()
    for ladder in ladders:
        rungs[ladder.name] = [_rung(ladder, size, width, options) for size in ladder.sizes for width in ladder.widths]
        found = replace(found, **{ladder.name: crossing(rungs[ladder.name], ladder.below)})
    return found, rungs


def crossing(rungs: Sequence[Rung], below: bool) -> int:
    """The size up to which (or from which on) the product is the better form, by all rungs."""
    sizes = sorted({rung.size for rung in rungs})
    gains = [sum(math.log(rung.direct / rung.product) for rung in rungs if rung.size == size) for size in sizes]
    if below:
        best = max(range(len(sizes) + 1), key=lambda count: sum(gains[:count]))
        return sizes[best - 1] if best else 0
    best = max(range(len(sizes) + 1), key=lambda count: sum(gains[count:]))
    return sizes[best] if best < len(sizes) else LARGEST


def _rung(ladder: Ladder, size: int, width: int, options: SessionOptions) -> Rung:
    always, never = (LARGEST, 0) if ladder.below else (0, LARGEST)
    runs = [_run(ladder, ladder.graph(size, width), limit, options) for limit in (always, never)]
    seconds = [math.inf, math.inf]
    for _ in range(ROUNDS):
        for place, run in enumerate(runs):
            seconds[place] = min(seconds[place], _best(run))
    return Rung(size, width, *seconds)


def _run(ladder: Ladder, graph: Graph, limit: int, options: SessionOptions) -> Callable[[], None]:
    """What runs a rung with this crossing."""
    rng = np.random.default_rng(0)
    with using(replace(standard(), **{ladder.name: limit})):
        session = open_graph(graph, {}, options)
    values = {name: Buffer.of(rng.normal(size=value.type.static_shape).astype(np.float32), "cpu").value
              for name, value in graph.inputs.items()}  # fmt: skip
    made = {name: Buffer(value.type.static_shape or (), np.dtype(np.float32), "cpu").value
            for name, value in graph.outputs.items()}  # fmt: skip
    run = session.runs(bound(session, values, made))
    run()
    return run


def _best(run: Callable[[], None]) -> float:
    best, end = math.inf, time.perf_counter() + SECONDS
    while (begin := time.perf_counter()) < end:
        run()
        best = min(best, time.perf_counter() - begin)
    return best
