"""A recurrent layer that has one step to run over: its state is never carried on."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.loops.scan import Scan
from archonnx.compiler.loops.scanning import Scanning
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0838")
def scan_of_one_step(sight: Sight) -> Iterator[Diagnostic]:
    """``LSTM(8)(row[:, none, :])``: a sequence of one vector, where a row of numbers was to be a sequence."""
    for node in sight.nodes(Scan):
        op = node.op
        assert isinstance(op, Scanning)
        taken = node.inputs[op.states : op.states + op.scanned]
        if not taken or not op.states or taken[0].type.rank < 2 or taken[0].shape[0].constant != 1:
            continue
        if not all(sight.is_constant(value) for value in node.inputs[: op.states]):  # a cell: its state is handed to it
            continue
        who = f"`{sight.user(node)}`" if sight.user(node) else "this scan"
        yield warning(
            "AX0838",
            f"{who} runs over one step: what it carries from step to step goes nowhere",
            node.origin.place,
            "the axis of the steps has size 1",
            help="a row of numbers is a sequence of them as `x[:, :, none]`, of shape [B, T, 1]",
        )
