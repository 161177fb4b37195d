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
    if one.verdict == "no effect":
        figures = ["0", "0", ""]
    verdict = one.verdict + (" (beside a kink)" if one.moved else "")
    return [one.name, str(list(one.shape)), *figures, verdict]


def _outcome(check: GradientCheck) -> str:
    every = [one for group in check.checked.values() for one in group]
    wrong = sum(one.verdict == "wrong" for one in every)
    kinks = sum(one.verdict == "kink" for one in every)
    said = f"{wrong} of {len(every)} gradients {'is' if wrong == 1 else 'are'} wrong" if wrong else ""
    said = said or (f"{len(every)} gradients agree" if not kinks else f"{len(every) - kinks} gradients agree")
    return said + (f"; {kinks} could not be compared: the loss has a kink wherever it was tried" if kinks else "")


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
