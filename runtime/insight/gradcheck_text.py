"""A check of gradients as a table."""

from __future__ import annotations

from .gradcheck import Checked, GradientCheck


def as_text(check: GradientCheck) -> str:
    """A table for each loss, and what it comes to."""
    parts = []
    for loss, group in check.checked.items():
        rows = [["", "shape", "compiled", "differences", "relative error", ""]]
        rows += [_row(one) for one in group]
        parts.append(f"loss {loss} = {check.losses[loss]:.6g}\n{_table(rows)}")
    return "\n\n".join([*parts, _outcome(check)])


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


def _table(rows: list[list[str]]) -> str:
    """Names and verdicts to the left, figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    left = (0, 1, 5)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
