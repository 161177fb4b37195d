"""A layer sees the padding of sequences whose lengths the model knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.ir.types import DType
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

BOTH_WAYS = ("Bidirectional", "MultiHeadAttention", "TransformerEncoder", "TransformerEncoderLayer")
"""Layers in which what stands behind a step has a part in it, unless they are told ``causal=true``."""
LAST = ("LSTM", "GRU", "RNN", "LeakyIntegrator", "RecurrentStack")
"""Layers whose last state, ``.h``, is that of the padding."""
TOLD = ("lengths", "mask", "added", "memory")
"""Arguments that say what is seen."""
LENGTHS = re.compile(
    r"len(gths?|s)?|(seq|sequence|word|token|step|source|src|text)_?(len(gths?|s)?|counts?)|n_?(words|steps|tokens)"
)
"""What lengths of sequences are called."""


@lint("AX0849")
def padding_seen(sight: Sight) -> Iterator[Diagnostic]:
    """``Bidirectional(LSTM(16), LSTM(16))(x)`` in a model with ``lengths``, of which only a loss knows."""
    field = length_field(sight)
    if field is None:
        return
    for call, name in _layers(sight):
        given = f"({', '.join(argument.span.text for argument in call.arguments)})"
        last = ", and its last state is that of the padding" if name in LAST else ", in the steps before it too"
        yield warning(
            "AX0849",
            f"`{name}` is not told `{field}`: it sees what the sequences are filled up with{last}",
            call.span,
            "all steps count here",
            help=f"say how long each is where it is applied: `{name}{given}(x, lengths={field})`",
        )


def length_field(sight: Sight) -> str | None:
    """An input that says how long sequences are, by its name or since a mask is made of it, and no layer is told."""
    calls = list(sight.syntax(ast.Call))
    if any(argument.name in TOLD for call in calls for argument in call.arguments):
        return None
    masked = {
        call.arguments[0].value.span.text
        for call in calls
        if isinstance(call.callee, ast.Name) and call.callee.id == "length_mask" and call.arguments
    }
    for name, field in sight.model.fields.items():
        of_examples = field.type.rank == 1 and field.type.dtype is DType.i64 and not field.target
        if of_examples and (name in masked or LENGTHS.fullmatch(name)) and not _handed_on(name, calls):
            return name if any(_layers(sight)) else None
    return None


def _handed_on(name: str, calls: list[ast.Call]) -> bool:
    """Whether a module of the spec is given lengths, or a mask of them, in its place among others."""
    for call in calls:
        applied = not isinstance(call.callee, ast.Name) or call.callee.id.islower()
        of_library = isinstance(call.callee, ast.Name) and call.callee.id in ("length_mask", "masked_mean", "where")
        if applied and not of_library and any(one.value.span.text == name for one in call.arguments[1:]):
            return True
    return False


def _layers(sight: Sight) -> Iterator[tuple[ast.Call, str]]:
    """The calls that make layers which see the padding."""
    of_last = {
        node.value.callee.span.start
        for node in sight.syntax(ast.Attribute)
        if node.name == "h" and isinstance(node.value, ast.Call)
    }
    of_last |= _sliced(sight)
    for call in sight.syntax(ast.Call):
        name = call.callee.id if isinstance(call.callee, ast.Name) else ""
        causal = any(argument.name == "causal" and argument.value.span.text != "false" for argument in call.arguments)
        if (name in BOTH_WAYS and not causal) or (name in LAST and call.span.start in of_last):
            yield call, name


def _sliced(sight: Sight) -> set[int]:
    """Where layers begin of whose states the last step is taken, ``GRU(16)(x).hs[:, -1]``."""
    last = [one.value for one in sight.syntax(ast.Index) if one.span.text.replace(" ", "").endswith("[:,-1]")]
    names = {one.id for one in last if isinstance(one, ast.Name)}
    given = {
        target.span.text: value
        for one in sight.syntax(ast.Assign)
        if len(one.targets) == len(one.values)
        for target, value in zip(one.targets, one.values, strict=True)
    }
    states = [*last, *(value for name, value in given.items() if name in names)]
    calls = [one.value for one in states if isinstance(one, ast.Attribute) and one.name == "hs"]
    return {one.callee.span.start for one in calls if isinstance(one, ast.Call)}
