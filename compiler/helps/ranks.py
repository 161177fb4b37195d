"""Axes that are missing, too many, or in another order: which of the lines that made a value is to change.

What this module does not do: change a size (``sizes`` does), or what a diagnostic points at itself (``shapes`` does).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from archonnx.compiler.elaborate.files.library import library
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion

from .shapes import operands
from .sight import Sight, assigned, callee, expressions, inserted, proposes, replaced, statements, whole_line
from .sizes import made_by

MANY = 3
"""Lines that are proposed to change at most, by each rule."""

MEETING = ("AX0304", "AX0305", "AX0307", "AX0308")
"""What is said where a value does not fit what is declared, or what is put beside it."""


def makers(sight: Sight) -> Iterator[ast.Node]:
    """The statements that made what stands at the place, the last first."""
    made = made_by(sight)
    return iter(sorted(made, key=lambda one: made[one]))


def _calls(sight: Sight) -> Iterator[ast.Call]:
    """The calls in the statements that made what stands at the place."""
    for statement in makers(sight):
        yield from (node for node in expressions(statement) if isinstance(node, ast.Call))


@proposes("AX0304", "AX0308")
def _reduced_before(sight: Sight) -> Iterator[str]:
    """``masked_mean(cross_entropy(z, y), mask)``: the loss is one number, and one for each element is wanted."""
    for call in islice(_calls(sight), 2 * MANY):
        declared = getattr(library().find(callee(call) or ""), "declaration", None)
        reduces = any(parameter.name == "reduce" for parameter in getattr(declared, "parameters", ()))
        if reduces and all(given.name != "reduce" for given in call.arguments) and not sight.yaml:
            yield replaced("one number for each element is", call, f"{call.span.text[:-1]}, reduce=none)")


@proposes("AX0318")
def _index_of_floats(sight: Sight) -> Iterator[str]:
    """``t: [B] ~ randint(0, n)``, whose type is that of floats, as an index."""
    node = sight.path[-1] if sight.path else None
    if not isinstance(node, ast.Name) or "an index is an integer" not in sight.diagnostic.headline or sight.yaml:
        return
    kinds = (ast.Draw, ast.Input, ast.Target, ast.TypedAssign)
    for one in statements(sight.file):
        if isinstance(one, kinds) and one.name == node.id and isinstance(one.type, ast.TensorType):
            shape = one.type.span.text[one.type.span.text.index("[") :]
            yield replaced(f"declare it so: `{one.name}: i64{shape}`", one.type, f"i64{shape}")
    yield replaced("it is made an integer", node, f"i64({node.id})")


@proposes("AX0307")
def _reordered(sight: Sight) -> Iterator[str]:
    """What is computed has the axes of what is declared, in another order: where it is made they are put in that."""
    node = sight.innermost(ast.Output, ast.TypedAssign)
    if not isinstance(node, ast.Output | ast.TypedAssign) or not isinstance(node.type, ast.TensorType) or sight.yaml:
        return
    found = sight.type_of(node.value)
    wanted = [one.span.text for one in node.type.dims]
    if found is None or found[1] == wanted or Counter(found[1]) != Counter(wanted):
        return
    left = list(range(len(wanted)))
    order = []
    for dim in wanted:
        order.append(next(at for at in left if found[1][at] == dim))
        left.remove(order[-1])
    for name in dict.fromkeys(one.id for one in expressions(node.value) if isinstance(one, ast.Name)):
        made = assigned(sight.file, name)
        if made is not None:
            text = made.span.text if isinstance(made, ast.Pipe | ast.Call | ast.Name) else f"({made.span.text})"
            yield replaced("put the axes in the order that is declared", made, f"{text} |> transpose({order})")
    yield replaced(
        "put the axes in the order that is declared", node.value, f"transpose({node.value.span.text}, {order})"
    )


@proposes(*MEETING)
def _joined(sight: Sight) -> Iterator[str]:
    """``concat([a, b], axis=-1)`` of images, whose channels are axis 1."""
    joins = (node for node in _calls(sight) if callee(node) in ("concat", "stack"))
    for call in islice(dict.fromkeys(joins), MANY):
        axis = next((one.value for one in call.arguments if one.name == "axis"), None)
        if axis is not None and re.fullmatch(r"-?\d", axis.span.text):
            for other in ("1", "-1"):
                if other != axis.span.text:
                    yield replaced(f"join along another axis: `axis={other}`", axis, other)


@proposes(*MEETING)
def _last_state(sight: Sight) -> Iterator[str]:
    """The states of all steps of a recurrent layer, where the last one is meant: ``hs`` and ``h``."""
    both = {
        one.targets[0].id: one.targets[1].span.text
        for one in statements(sight.file)
        if isinstance(one, ast.Assign) and len(one.targets) >= 2 and len(one.values) == 1
        if isinstance(one.targets[0], ast.Name) and one.targets[1].span.text != "_"
    }
    seen = 0
    for statement in makers(sight):
        for node in expressions(statement):
            if seen == MANY:
                return
            if isinstance(node, ast.Name) and node.id in both and not _target_of(statement, node):
                seen += 1
                yield replaced("these are the states of all steps; the last one is", node, both[node.id])
            elif isinstance(node, ast.Attribute) and node.name == "hs":
                seen += 1
                yield replaced("these are the states of all steps; the last one is", node, f"{node.value.span.text}.h")


def _target_of(statement: ast.Node, node: ast.Name) -> bool:
    return isinstance(statement, ast.Assign) and node in statement.targets


@proposes(*MEETING)
def _flattened(sight: Sight) -> Iterator[str]:
    """A layer that sees the last axis alone of an image: all axes but the first are put in one before it."""
    ranks = {shape.count(",") for shape in re.findall(r"\[([^\]]*)\]", sight.diagnostic.headline)}
    if len(ranks) != 2:
        return
    for statement in makers(sight):
        for node in expressions(statement):
            if isinstance(node, ast.Pipe) and callee(node.stage) == "Dense":
                yield from _with_flatten(sight, node)
                return


def _with_flatten(sight: Sight, pipe: ast.Pipe) -> Iterator[str]:
    first: ast.Pipe = pipe
    while isinstance(first.value, ast.Pipe):
        first = first.value
        if callee(first.stage) == "Dense":
            pipe = first
    words = "put all axes but the first in one before it: `flatten`"
    at = pipe.stage.span
    if not sight.yaml:
        yield Suggestion.at_places(words, inserted(at, at.start, "flatten |> "), otherwise=words)
        return
    line = whole_line(at)
    blanks = line.text[: len(line.text) - len(line.text.lstrip(" "))]
    if line.text.lstrip().startswith("- "):
        yield Suggestion.at_places(words, inserted(line, line.start, f"{blanks}- flatten\n"), otherwise=words)


@proposes("AX0302")
def _enlarged(sight: Sight) -> Iterator[str]:
    """``concat([a, b], axis=1)`` of maps of which one is a whole number of times as large."""
    sizes = re.search(r"needs equal dims elsewhere: axis \d+ is (\d+) and (\d+)$", sight.diagnostic.headline)
    known = [(node, type_[1]) for node in operands(sight) if (type_ := sight.type_of(node)) is not None]
    if sizes is None or len(known) != 2 or sight.yaml:
        return
    small, large = sorted(map(int, sizes.groups()))
    for node, dims in known:
        if small and large % small == 0 and str(small) in dims[2:] and str(large) not in dims[2:]:
            yield replaced("maps of one size are joined", node, f"Upsample({large // small})({node.span.text})")


@proposes("AX0304", "AX0302", "AX0307")
def _one_short(sight: Sight) -> Iterator[str]:
    """A transposed convolution whose stride does not say which of its sizes is meant: one more at the end."""
    sizes = [
        int(one) for one in re.findall(r"(?<!axis )(?<![\w.])\d+\b", re.sub(r"`[^`]*`", "", sight.diagnostic.headline))
    ]
    short = {abs(a - b) for a in sizes for b in sizes}
    if 1 not in short or sight.yaml:
        return
    calls = (one for one in expressions(sight.file) if isinstance(one, ast.Call) and callee(one) == "ConvTranspose")
    known = [
        call
        for call in dict.fromkeys(calls)
        if any(one.name == "stride" for one in call.arguments)
        and not any(one.name == "output_padding" or one.span.text == "padding=same" for one in call.arguments)
    ]
    words = "`output_padding=1` makes it one larger"
    for call in known[:MANY]:
        yield Suggestion.at_places(words, inserted(call.span, call.span.end - 1, ", output_padding=1"))
    if len(known) > 1:
        edits = [Edit(one.span, f"{one.span.text[:-1]}, output_padding=1)") for one in known]
        yield Suggestion.at_places(words, *edits)
