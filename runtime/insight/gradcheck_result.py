"""What a check of gradients found, and the same as a table. What this module does not do: check anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from archonnx.grammar.diagnostics import Diagnostic
from archonnx.runtime.columns import columns

Verdict = Literal["ok", "wrong", "kink", "no effect", "not differentiable"]
LEFT = (0, 1, 5)
"""Columns of the table that are set to the left: names, shapes and verdicts."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The gradient for one tensor, in the direction in which it agrees least.

    Attributes:
        name: a parameter's path, or an input.
        shape: of the tensor.
        analytic: the compiled gradient along the direction.
        numeric: the central difference along it.
        error: the relative error.
        verdict: ``ok``, ``wrong``, ``kink`` (no derivative at any point tried), ``no effect`` on the loss, or ``not
            differentiable`` (an input that reaches the loss through a discrete draw, say).
        moved: whether it was compared beside the point, which lies at a kink.
    """

    name: str
    shape: tuple[int, ...]
    analytic: float
    numeric: float
    error: float
    verdict: Verdict
    moved: bool = False


@dataclass(repr=False)
class GradientCheck:
    """What came of checking a model.

    Attributes:
        model: its name.
        dtype: in which it was computed.
        directions: along how many each gradient was compared.
        losses: the value of each loss at the point.
        checked: for each loss what was compared.
        findings: which op is to blame for a wrong gradient.
    """

    model: str
    dtype: str
    directions: int
    losses: dict[str, float] = field(default_factory=dict)
    checked: dict[str, list[Checked]] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no gradient is wrong."""
        return all(one.verdict != "wrong" for group in self.checked.values() for one in group)

    def text(self) -> str:
        """A table for each loss, and what it comes to."""
        parts = []
        for loss, group in self.checked.items():
            rows = [["", "shape", "compiled", "differences", "relative error", ""], *map(_row, group)]
            parts.append(f"loss {loss} = {self.losses[loss]:.6g}\n{columns(rows, LEFT)}")
        return "\n\n".join([*parts, _outcome(self)])

    def __repr__(self) -> str:
        checked = sum(map(len, self.checked.values()))
        return f"<GradientCheck of {self.model}: {checked} tensors, {'ok' if self.ok else 'not ok'}>"

    def __str__(self) -> str:
        return self.text()


def _row(one: Checked) -> list[str]:
    figures = [f"{one.analytic:.8g}", f"{one.numeric:.8g}", f"{one.error:.1e}"]
    if one.verdict in ("no effect", "not differentiable"):
        figures = ["", "", ""]
    verdict = one.verdict + (" (beside a kink)" if one.moved else "")
    return [one.name, str(list(one.shape)), *figures, verdict]


def _outcome(check: GradientCheck) -> str:
    every = [one.verdict for group in check.checked.values() for one in group]
    compared = sum(verdict in ("ok", "wrong", "no effect") for verdict in every)
    wrong, kinks = every.count("wrong"), every.count("kink")
    parts = [f"{wrong} of {len(every)} gradients {'is' if wrong == 1 else 'are'} wrong"] if wrong else []
    parts += [f"{compared} gradient{'s agree' if compared != 1 else ' agrees'}"] if not wrong else []
    parts += [f"{kinks} could not be compared: the loss has a kink wherever it was tried"] if kinks else []
    return "; ".join(parts)
