"""A scan hands nothing from step to step, though a start of zeros is made for it."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0863")
def scan_without_state(sight: Sight) -> Iterator[Diagnostic]:
    """``h0 = zeros([B, n])`` and ``scan x_t in x``, in whose steps ``h0`` is read: it is zeros in all of them."""
    starts = {
        one.targets[0].span.text
        for one in sight.syntax(ast.Assign)
        if len(one.targets) == len(one.values) == 1 and one.values[0].span.text.startswith("zeros(")
    }
    for scan in sight.syntax(ast.Scan):
        if not all(binding.each for binding in scan.bindings):
            continue
        read = next((n for n in walk(scan.body) if isinstance(n, ast.Name) and n.id in starts), None)
        made = next((n for n in scan.body if isinstance(n, ast.Assign) and len(n.targets) == 1), None)
        if read is not None and made is not None:
            state = made.targets[0].span.text
            yield warning(
                "AX0863",
                f"`{read.id}` is zeros in all steps of this scan: no state is handed from one to the next",
                read.span,
                "the same in each step",
                help=f"a state stands in the head, `scan ..., {state} = {read.id}`, and the steps read `{state}`",
            )
