"""A scan whose steps are the examples of a batch, where those of each sequence were probably meant."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.loops.scanning import Scanning
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

EXAMPLES = {"b", "n", "bs", "batch", "batch_size", "examples"}
"""What the number of examples is called; a first axis that is called `T` or `tasks` is meant to be run over."""


@lint("AX0832")
def scan_of_examples(sight: Sight) -> Iterator[Diagnostic]:
    """``scan x_t in x along 0`` of ``x: [B, T, n]``: what an example gets depends on those before it in its batch."""
    written = {scan.span: scan for scan in sight.syntax(ast.Scan)}
    for node in sight.nodes(Scan):
        op, place = node.op, node.origin.place
        assert isinstance(op, Scanning)
        taken = node.inputs[op.states : op.states + op.scanned]
        length = taken[0].shape[0]
        if node.origin.used or node.origin.role or not _counts_examples(length, sight):
            continue
        if not any(value.type.rank > 1 for value in taken):
            continue
        scan = next((one for span, one in written.items() if place is not None and span.start == place.start), None)
        if scan is None or "along 0" not in scan.span.text.split(":\n")[0]:
            continue
        yield warning(
            "AX0832",
            f"this scan runs over the examples: axis 0, of size {length}, counts them",
            place,
            "a state goes from one example of the batch to the next",
            help=f"over the steps of each example it runs `along 1`, and states have an axis of size {length}",
        )


def _counts_examples(length: Dim, sight: Sight) -> bool:
    """Whether a size is the number of examples, by its place in the fields and by its name."""
    return any(symbol.lower() in EXAMPLES for symbol in length.symbols() & sight.batch)
