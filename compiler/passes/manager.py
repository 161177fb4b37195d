"""Running passes in order: verified after each where asked, and open to who wants to look between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.verify import verify

from .cse import CommonSubexpressions
from .dce import DeadCode
from .fold import fold
from .indices import INDICES
from .loops import FreeLoops, has_loops, inside
from .rewrite import Rewrite
from .shared import SharedGelu
from .simplify import ARITHMETIC
from .sums import SUMS
from .views import VIEWS


class Pass(Protocol):
    """From graph to graph: the same inputs and outputs, by name and type, and the same values."""

    @property
    def name(self) -> str:
        """What people call it."""

    def run(self, graph: Graph) -> Graph:
        """The new graph."""


Observer = Callable[[Pass, Graph], None]
"""Called after each pass with its result."""


@dataclass(frozen=True)
class Pipeline:
    """Passes in order.

    Args:
        passes: what to run.
        verify: check the graph before the first pass and after each (InternalError).
        observer: sees each pass and its result (printing, counting).
    """

    passes: Sequence[Pass]
    verify: bool = False
    observer: Observer | None = None

    def run(self, graph: Graph) -> Graph:
        """The graph after all passes."""
        with assuming(graph.facts):
            if self.verify:
                verify(graph)
            for step in self.passes:
                graph = step.run(inside(step.run, graph))
                if self.verify:
                    verify(graph)
                if self.observer is not None:
                    self.observer(step, graph)
        return graph


def standard_passes() -> tuple[Pass, ...]:
    """What every graph goes through before export."""
    merge = CommonSubexpressions()
    simplify = Rewrite((fold, *VIEWS, *ARITHMETIC, *INDICES, *SUMS), name="simplify")
    return merge, SharedGelu(), simplify, merge, DeadCode()


def optimise(graph: Graph, *, verify: bool = False, observer: Observer | None = None) -> Graph:
    """The graph after the standard passes; where it has loops, once before work is moved out of them and once after."""
    passes = standard_passes()
    if has_loops(graph):
        passes = (*passes, FreeLoops(), *passes)
    return Pipeline(passes, verify, observer).run(graph)
