"""Fields of tables and arrays: what is asked of a column, what is given whole, how long a window is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion

from .sight import Advice, Sight, callee, expressions, inserted, proposes, replaced, statements

OF_TABLES = {
    "get_dummies": "index({0}, vocabulary({0}))", "factorize": "index({0}, vocabulary({0}))",
    "LabelEncoder": "index({0}, vocabulary({0}))", "OneHotEncoder": "index({0}, vocabulary({0}))",
    "OrdinalEncoder": "index({0}, vocabulary({0}))", "to_datetime": "{0}",
}  # fmt: skip
"""What makes numbers of texts and dates elsewhere, and what does here; `{0}` is the column."""
ACCESSORS = ("dt", "str", "values")
"""What stands between a column and what is asked of it in pandas, and says nothing here."""


@proposes("AX0206")
def _asked_of_a_column(sight: Sight) -> Iterator[str]:
    """``data.sold.year``, ``data.sold.dt.year``: a function of the column."""
    node = sight.innermost(ast.Attribute)
    if sight.innermost(ast.Feed, ast.Fit) is None or not isinstance(node, ast.Attribute):
        return
    outer = sight.parent(node)
    asked, own = (outer, node.value) if node.name in ACCESSORS and isinstance(outer, ast.Attribute) else (node, None)
    own = own or asked.value
    if isinstance(own, ast.Attribute | ast.Index):
        written = f"{asked.name}({own.span.text})"
        yield replaced(f"it is a function of the column: `{written}`", asked, written)


@proposes("AX0201")
def _texts_as_numbers(sight: Sight) -> Iterator[str]:
    """``pd.get_dummies(data.kind)``: the number of each text, of which the model makes columns."""
    call = sight.innermost(ast.Call)
    if sight.innermost(ast.Feed, ast.Fit) is None or not isinstance(call, ast.Call) or not call.arguments:
        return
    name = call.callee.name if isinstance(call.callee, ast.Attribute) else callee(call)
    way = OF_TABLES.get(name or "")
    if way is None:
        return
    written = way.format(call.arguments[0].value.span.text)
    if "vocabulary" not in way:
        yield replaced("columns of dates are read as such", call, written)
        return
    words = f"texts are numbered by `{written}`; in the model, `one_hot(i, n)` makes columns of the numbers"
    yield Suggestion.of(words, "", written, call.span)
    yield Advice(words)


@proposes("AX0605")
def _given_whole(sight: Sight) -> Iterator[str]:
    """``npz("graph.npz")`` whose arrays have rows for examples and rows for edges."""
    lengths = dict(re.findall(r"`(\w+)` has (\d+)", sight.diagnostic.headline))
    train = sight.innermost(ast.Train)
    if len(set(lengths.values())) < 2 or train is None:
        return
    source = next((n for n in expressions(train) if isinstance(n, ast.Call) and callee(n) in ("npz", "npy")), None)
    if source is None or any(one.name == "whole" for one in source.arguments):
        return
    for examples in dict.fromkeys(lengths.values()):
        others = ", ".join(name for name, length in lengths.items() if length != examples)
        words = f"what has no row for each example is given whole: `whole=[{others}]`"
        if sight.yaml:
            yield words
            return
        added = inserted(source.span, source.span.end - 1, f", whole=[{others}]")
        yield Suggestion.at_places(words, added, otherwise=words)


@proposes("AX0708")
def _length_of_windows(sight: Sight) -> Iterator[str]:
    """``windows(..., length=24)`` for an input of 48 steps."""
    found = re.search(r"is (\d+), and the data given for it has (\d+)$", sight.diagnostic.headline)
    train = sight.innermost(ast.Train)
    if found is None or train is None:
        return
    for node in expressions(train):
        for one in node.arguments if isinstance(node, ast.Call) and callee(node) == "windows" else ():
            if one.name == "length" and one.value.span.text == found[2]:
                yield replaced(f"windows are as long as the input: `length={found[1]}`", one.value, found[1])


@proposes("AX0205")
def _input_as_target(sight: Sight) -> Iterator[str]:
    """``target x`` of what is an input: a loss reads the input itself."""
    node = sight.innermost(ast.Target)
    if not isinstance(node, ast.Target):
        return
    same = [n for n in statements(sight.file) if isinstance(n, ast.Input) and n.name == node.name]
    if not same or same[0].type.span.text != node.type.span.text:
        return
    words = f"a loss may read the input `{node.name}` itself: leave the target out"
    whole = node.span.source.text
    first = whole.rfind("\n", 0, node.span.start) + 1
    end = whole.find("\n", node.span.end) + 1 or len(whole)
    line = whole[first:end].strip()
    if line in (f"targets: {{{node.span.text}}}", node.span.text):
        place = node.span.__class__(node.span.source, first, end)
        yield Suggestion.at_places(words, Edit(place, ""), otherwise=words)
    else:
        yield words
