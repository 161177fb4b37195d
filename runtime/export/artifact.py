"""A graph that can be written: ``Artifact``, and the kinds of them. What this module does not do: make one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import Assumption, TrainProgram, TrainStep

Kind = Literal["infer", "evaluate", "entry", "gradients", "train_step", "raw"]
KINDS: tuple[Kind, ...] = ("infer", "evaluate", "entry", "gradients", "train_step")
"""Those that a model has by itself; with its feed (``raw``) only a run has it."""
TRAIN_STEP = "train_step"


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A graph that can be written.

    Attributes:
        name: as the docstring of this module has it.
        kind: what it is for.
        make: makes the graph; gradients take long for a large model, and not everybody wants them.
        assumptions: of the model, or of the entry.
        state: what a training step carries from one execution to the next, besides parameters, as it is at the start.
        step: of a training step, the statement.
        program: likewise the ``train`` block.
    """

    name: str
    kind: Kind
    make: Callable[[], Graph]
    assumptions: tuple[Assumption, ...]
    state: Mapping[str, Array] = field(default_factory=dict)
    step: TrainStep | None = None
    program: TrainProgram | None = None

    @property
    def holds_weights(self) -> bool:
        """Whether it is written with the weights; the others take parameters as inputs."""
        return self.kind in ("infer", "entry", "raw")

    @property
    def trains(self) -> bool:
        """Whether it draws anew in every step. The draws of the others are those of one step."""
        return self.kind in ("gradients", "train_step")
