"""A model that is to foretell the next token of each step, and sees the steps behind it."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.program import TrainProgram
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .answer_among_inputs import columns_read
from .rules import Sight, lint, warning

ATTENDS = {"MultiHeadAttention", "TransformerEncoderLayer", "TransformerEncoder"}
"""Layers that see all steps unless they are told ``causal=true``, or what each may see."""


BOTH_WAYS = ("Bidirectional",)
CONVOLVES = ("Conv", "DepthwiseConv", "SeparableConv")
"""Layers that see steps behind with a padding on both sides."""
SCORED = ("cross_entropy", "nll", "multiclass_focal")


@lint("AX0848")
def looks_ahead(sight: Sight) -> Iterator[Diagnostic]:
    """``TransformerEncoder(2, heads=4)`` for targets that are ``data.next``."""
    if not (any(_foretells(sight, program) for program in sight.model.programs) or _asks_for_the_next(sight)):
        return
    calls = list(sight.syntax(ast.Call))
    if any(argument.name in ("mask", "added") for call in calls for argument in call.arguments):
        return
    for call in calls:
        name = call.callee.id if isinstance(call.callee, ast.Name) else ""
        given = {argument.name: argument.value.span.text for argument in call.arguments}
        if name in BOTH_WAYS or (name in CONVOLVES and given.get("padding") in ("same", "full") and _wide(call)):
            past = "`padding=causal`" if name in CONVOLVES else "a layer of one direction"
            yield warning(
                "AX0848",
                f"`{name}` sees the steps behind each, and the targets are the tokens that come next",
                call.span,
                "in training the answer is among what it sees",
                help=f"let a step see itself and those before it: {past}",
            )
        if name in ATTENDS and given.get("causal", "false") == "false":
            yield warning(
                "AX0848",
                f"`{name}` sees the steps behind each, and the targets are the tokens that come next",
                call.span,
                "in training the answer is among what it sees",
                help=f"let a step see itself and those before it: `{name}(..., causal=true)`",
            )


def _wide(call: ast.Call) -> bool:
    """Whether a kernel takes more than one step."""
    given = {argument.name: argument.value.span.text.strip("[]") for argument in call.arguments}
    kernel = given.get("kernel", call.arguments[1].value.span.text if len(call.arguments) > 1 else "3")
    return kernel != "1"


def _asks_for_the_next(sight: Sight) -> bool:
    """``cross_entropy(logits[:, :-1], ids[:, 1:])`` of a field of tokens."""
    tokens = {
        name for name, field in sight.model.fields.items() if field.type.dtype.is_integer and field.type.rank == 2
    }
    scored = (call for call in sight.syntax(ast.Call) if call.callee.span.text in SCORED)
    labels = {call.arguments[1].value.span.text.replace(" ", "") for call in scored if len(call.arguments) > 1}
    return any(f"{name}[:,1:]" in labels for name in tokens)


def _foretells(sight: Sight, program: TrainProgram) -> bool:
    """Whether targets of every step are the tokens after those that are fed."""
    source = program.source
    if source is None or source.kind != "windows":
        return False
    fields = {name: field for name, field in sight.model.fields.items() if name in program.feeds}
    read = {name: columns_read(program.feeds[name].statement.value, program.data).keys() for name in fields}
    fed = any("ids" in read[name] for name, field in fields.items() if not field.target)
    return fed and any("next" in read[name] and field.type.rank > 1 for name, field in fields.items() if field.target)
