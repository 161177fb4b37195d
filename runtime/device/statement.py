"""A statement of a train program, ready to run on batches of one shape.

What this module does not do: make one, or run it (``step`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import SpecError

if TYPE_CHECKING:
    import onnxruntime


class Runnable(Protocol):
    """What runs it: a session, or several in step with other processes."""

    @property
    def graph(self) -> Graph | None:
        """What it computes, bound to a batch's sizes, where one session does."""

    def run(self, binding: Any) -> None:
        """Run once; SpecError if it fails."""

    def runs(self, binding: Any) -> Callable[[], None]:
        """What runs once, as directly as can be; where that fails, ``explained`` says why."""

    def explained(self, error: Exception) -> SpecError:
        """Such a failure in our words."""


@dataclass(slots=True)
class Statement:
    """One statement compiled for one batch shape. Bindings are made once for each combination of sides met."""

    index: int
    session: Runnable
    bindings: dict[int, onnxruntime.IOBinding]
    bind: Callable[..., onnxruntime.IOBinding]
    """Makes one for some sides; with values in place of those that it reads and writes otherwise, by name."""
    inputs: Callable[[int], dict[str, onnxruntime.OrtValue]]
    """What it reads, by name, on these sides."""
    touched: int
    changed: int
    losses: Mapping[str, Array]
    """Each loss that it reports, as a view of the memory to which it writes it."""
    squares: Array | None
    """Likewise the norms of its gradients, if it is watched."""
    answer: Array | None = None
    """Likewise what it answers, if it is a condition."""
    rows: int = 1
    """How much its batch counts among others of a group."""
