"""What a training tells while it runs, and what it leaves: epochs, a snapshot to go on from, the outcome.

What this module does not do: train (``fit`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archonnx.compiler.ir.types import Array
from archonnx.runtime.measures.figures import from_json, to_json
from archonnx.runtime.measures.watch import Norms

Reason = Literal["finished", "early stopping", "interrupted", "stopped by an observer"]


class StopTraining(Exception):  # noqa: N818 - it is asked for, and nothing is wrong
    """Raised by an observer in ``step`` or ``epoch``: the training ends there, with the parameters that it has."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What is known after an epoch (counted from 1): losses over its steps, losses and metrics on the valid part."""

    number: int
    train: Mapping[str, float]
    valid: Mapping[str, float]
    seconds: float
    best: bool = False
    """Whether the monitored value is the best so far."""
    norms: Mapping[str, Norms] = field(default_factory=dict)
    """Where gradients are watched, those of each parameter by path."""
    dead: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Likewise how many units of each rectified layer are dead, and how many there are."""

    def as_json(self) -> dict[str, Any]:
        """A line of ``history.jsonl``."""
        return {
            "epoch": self.number,
            "train": to_json(self.train),
            "valid": to_json(self.valid),
            "seconds": round(self.seconds, 6),
            "best": self.best,
            **({"watch": {path: norms.as_json() for path, norms in self.norms.items()}} if self.norms else {}),
            **({"dead": {layer: list(counts) for layer, counts in self.dead.items()}} if self.dead else {}),
        }

    @staticmethod
    def from_json(line: Mapping[str, Any]) -> Epoch:
        """What ``as_json`` gave."""
        norms = {path: Norms.from_json(values) for path, values in line.get("watch", {}).items()}
        train, valid = from_json(line["train"]), from_json(line["valid"])
        dead = {layer: (int(count), int(units)) for layer, (count, units) in line.get("dead", {}).items()}
        return Epoch(line["epoch"], train, valid, line["seconds"], line["best"], norms, dead)


class Observer:
    """Told what happens; does nothing unless a subclass does. ``step`` and ``epoch`` may raise ``StopTraining``."""

    now_and_then = False
    """Whether it is enough to be told of a step every now and then: quick ones run in rows without a pause."""

    def program(self, name: str, number: int, count: int) -> None:
        """A program starts, the ``number``-th of ``count``."""

    def opening(self, line: str) -> None:
        """Something about the program that is about to begin: how its data is split, with which weights it starts."""

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        """Training starts, or goes on after so many epochs."""

    def watches(self, what: str) -> None:
        """Early stopping is at work: what it watches, and which values are good."""

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """A batch is done. Called often: be quick."""

    def epoch(self, record: Epoch) -> None:
        """An epoch is done."""

    def note(self, text: str) -> None:
        """Something that people should know, and that stops nothing; told once in a program."""

    def end(self, outcome: Outcome) -> None:
        """A program is done."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training between two passes. With the same data, all that follows is the same to the bit.

    Attributes:
        tensors: what the steps carry.
        best: the parameters of the best epoch, where early stopping watches.
        numbers: the rest, as JSON has it.
        running: arrays of what is under way: figures of the part that is measured, norms that are watched.
    """

    tensors: Mapping[str, Array]
    best: Mapping[str, Array]
    numbers: Mapping[str, Any]
    running: Mapping[str, Array] = field(default_factory=dict)

    @property
    def reached(self) -> tuple[int, int, int]:
        """How far it is: epochs, passes of the next one, batches that were measured."""
        measured = self.numbers.get("measured") or {}
        return len(self.numbers["history"]), self.numbers["position"]["passes"], measured.get("batches", 0)


@dataclass(slots=True)
class Outcome:
    """How training went. ``best`` is the number of the epoch whose parameters were restored, if any were."""

    history: list[Epoch] = field(default_factory=list)
    reason: Reason = "finished"
    best: int | None = None
    seconds: float = 0.0
    snapshot: Snapshot | None = None
    """From where it could go on: before the best parameters were restored. None of a run of an earlier process."""
