"""Sources of data and what is fed of them: arguments as pandas has them, paths, and arrays of another shape."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .sight import Sight, callee, expressions, inserted, proposes, replaced, statements

SOURCES = ("csv", "parquet", "npz", "npy", "images", "text", "sklearn", "windows", "statsmodels", "networkx")


def _source(sight: Sight) -> ast.Call | None:
    """The source at the place."""
    calls = [node for node in expressions(sight.path[-1]) if isinstance(node, ast.Call)]
    found = [node for node in (*reversed(sight.path), *calls) if callee(node) in SOURCES]
    return next((node for node in found if isinstance(node, ast.Call)), None)


@proposes("AX0206", "AX0201", "AX0306")
def _standardised(sight: Sight) -> Iterator[str]:
    """``(x - x.mean()) / x.std()`` in a feed."""
    if sight.innermost(ast.Feed) is None:
        return
    for node in sight.path:
        if (
            isinstance(node, ast.Binary)
            and node.op == "/"
            and isinstance(node.left, ast.Binary)
            and node.left.op == "-"
        ):
            own = node.left.left.span.text
            if own in node.left.right.span.text and own in node.right.span.text:
                yield replaced("mean and deviation are learned of the train part", node, f"standardise({own})")


@proposes("AX0306")
def _columns(sight: Sight) -> Iterator[str]:
    """``data[["rooms", "area"]]``: columns beside each other."""
    node = sight.innermost(ast.Index)
    if not isinstance(node, ast.Index) or sight.innermost(ast.Feed) is None or len(node.subscripts) != 1:
        return
    names = node.subscripts[0]
    if isinstance(names, ast.List) and names.items and all(isinstance(item, ast.String) for item in names.items):
        own = node.value.span.text
        columns = ", ".join(f"float({own}[{item.span.text}])" for item in names.items)
        yield replaced("columns are put beside each other", node, f"stack([{columns}], axis=1)")


FILES = {"csv": "csv", "tsv": "csv", "npz": "npz", "npy": "npy", "parquet": "parquet"}
"""Ends of names of files, and what reads them."""


@proposes("AX0705")
def _file(sight: Sight) -> Iterator[str]:
    """``data = "iris.csv"``, and ``data = iris``."""
    node = sight.path[-1]
    given = node.value if isinstance(node, ast.String) else node.span.text
    if isinstance(node, ast.String | ast.Name | ast.Attribute):
        reader = FILES.get(given.rpartition(".")[2].lower(), "sklearn")
        line = f"{{{reader}: {given}}}" if sight.yaml else f'{reader}("{given}")'
        yield replaced(f"what reads it is said: `{line}`", node, line)


@proposes("AX0603", "AX0604")
def _argument_of_the_help(sight: Sight) -> Iterator[str]:
    """The argument that the help shows: ``decimal=","``."""
    written = re.search(r'`((\w+)=(?:"[^`]*"|\{[^`]*\}))`', str(sight.diagnostic.help))
    call = _source(sight)
    if written is None or call is None or sight.yaml or not call.arguments:
        return
    words = str(sight.diagnostic.help)
    own = next((one for one in call.arguments if one.name == written[2]), None)
    if own is not None:
        yield Suggestion.of(words, "", written[1], own.span, otherwise=words)
    else:
        added = inserted(call.span, call.span.end - 1, f", {written[1]}")
        yield Suggestion.at_places(words, added, otherwise=words)


@proposes("AX0601", "AX0833")
def _path(sight: Sight) -> Iterator[str]:
    """A path of elsewhere, or an address: the file beside the spec."""
    call = _source(sight)
    if call is None or not call.arguments or sight.yaml:
        return
    path = call.arguments[0].value
    if isinstance(path, ast.String) and re.search(r"^/|^~|^[A-Za-z]:|://", path.value):
        name = re.split(r"[/\\]", path.value.rstrip("/"))[-1].partition("?")[0]
        if name:
            words = f"copy it beside the spec: {json.dumps(name)}"
            yield Suggestion.of(words, "", json.dumps(name), path.span, otherwise=str(sight.diagnostic.help or words))


@proposes("AX0702")
def _of_the_headline(sight: Sight) -> Iterator[str]:
    """``sklearn("load_iris")``, ``images("pets", size=32)``."""
    call = _source(sight)
    if call is None or sight.yaml:
        return
    near = re.search(r"did you mean `(\w+)`\?", sight.diagnostic.headline)
    name = next((one.value for one in call.arguments if isinstance(one.value, ast.String)), None)
    if near is not None and name is not None:
        yield replaced("it is called so here", name, f'"{near[1]}"')
    place = re.match(r"`(\w+)`", sight.diagnostic.headline)
    given = next((one for one in call.arguments if place is not None and one.name == place[1]), None)
    if given is not None and "list" in sight.diagnostic.headline:
        own = given.value.span.text
        for listed in (f"[{own}]", f"[{own}, {own}]"):
            yield replaced("a list is taken", given.value, listed)


@proposes("AX0606")
def _not_stratified(sight: Sight) -> Iterator[str]:
    """``stratify: y`` of numbers, each of which there is once."""
    field = re.search(r"cannot stratify by `(\w+)`", sight.diagnostic.headline)
    train = sight.innermost(ast.Train)
    if field is None or train is None or sight.yaml:
        return
    for node in statements(train):
        value = node.values[0] if isinstance(node, ast.Assign) and node.targets[0].span.text == "split" else None
        if isinstance(value, ast.Dict):
            match = re.search(rf",?\s*stratify\s*:\s*{field[1]}\b", value.span.text)
            if match is not None:
                start = value.span.start + match.start()
                place = Span(value.span.source, start, start + len(match[0]))
                yield Suggestion.of("parts of numbers are drawn by chance: leave `stratify` out", "", "", place)


@proposes("AX0206")
def _dropped(sight: Sight) -> Iterator[str]:
    """``data.drop("rent")``: the target of a table is no column of ``data.data``."""
    node = next((n for n in reversed(sight.path) if isinstance(n, ast.Call)), None)
    train = sight.innermost(ast.Train)
    if train is None or not isinstance(node, ast.Call) or not isinstance(node.callee, ast.Attribute) or sight.yaml:
        return
    dropped = next((n.value for n in expressions(node) if isinstance(n, ast.String)), None)
    if node.callee.name not in ("drop", "pop") or dropped is None:
        return
    for source in expressions(train):
        if isinstance(source, ast.Call) and callee(source) in ("csv", "parquet"):
            if not any(one.name == "target" for one in source.arguments):
                added = inserted(source.span, source.span.end - 1, f', target="{dropped}"')
                words = f'`target="{dropped}"` names what is no column of `data.data`'
                own = f"{node.callee.value.span.text}.data"
                yield Suggestion.at_places(words, added, Edit(node.span, own), otherwise=words)
            return


@proposes("AX0708")
def _whole(sight: Sight) -> Iterator[str]:
    """What has no row for each example is fed whole."""
    feed, words = sight.innermost(ast.Feed), str(sight.diagnostic.help)
    if isinstance(feed, ast.Feed) and not feed.whole and words.startswith("give it whole") and not sight.yaml:
        at = feed.span.start + len("feed")
        yield Suggestion.at_places(words, inserted(feed.span, at, " whole"), otherwise=words)


@proposes("AX0708")
def _size_of_pictures(sight: Sight) -> Iterator[str]:
    """Pictures of another size than the model takes: read in that size, or declared so."""
    train = sight.innermost(ast.Train)
    field = re.search(r"^axis [23] of `(\w+)` is \d+, and the data given", sight.diagnostic.headline)
    note = next((one for one in sight.diagnostic.notes if one.startswith("the data is")), "")
    shapes = [[dim.strip() for dim in shape.split(",")] for shape in re.findall(r"\w\[([^\]]*)\]", note)]
    if train is None or field is None or len(shapes) != 2 or len(shapes[1]) != 4 or sight.yaml:
        return
    wanted, given = ", ".join(shapes[1][2:]), ", ".join([shapes[1][0], *shapes[0][1:]])
    words = f"read them in the size that the model takes, `size=[{wanted}]`, or declare `{field[1]}: [{given}]`"
    for call in (one for one in expressions(train) if isinstance(one, ast.Call) and callee(one) == "images"):
        for own in (one for one in call.arguments if one.name == "size"):
            yield Suggestion.of(words, "", f"[{wanted}]", own.value.span, otherwise=words)
    yield words


@proposes("AX0708")
def _fed_shape(sight: Sight) -> Iterator[str]:
    """A column for [B, 1], rows of numbers for images."""
    feed = sight.innermost(ast.Feed)
    found = re.search(r"` is \w+\[(.*?)\], and .* \w+\[(.*?)\]$", sight.diagnostic.headline)
    if not isinstance(feed, ast.Feed) or found is None or sight.yaml:
        return
    wanted, given = ([one.strip() for one in text.split(",") if one.strip()] for text in found.groups())
    value = feed.value
    own = value.span.text if isinstance(value, ast.Attribute | ast.Index | ast.Call) else f"({value.span.text})"
    if len(wanted) == len(given) + 1 and wanted[-1] == "1":
        yield replaced("give it an axis of size 1", value, f"{own}[{', '.join([*':' * len(given), 'none'])}]")
    elif len(given) == len(wanted) + 1 and given[-1] == "1":
        yield replaced("take the axis of size 1 away", value, f"{own}[{', '.join([*':' * len(wanted), '0'])}]")
    sizes = [int(size) for size in wanted[1:] if size.isdigit()]
    whole = [int(size) for size in given[1:] if size.isdigit()]
    if len(sizes) == len(wanted) - 1 > 0 and whole and math.prod(sizes) == math.prod(whole):
        yield replaced(
            "make rows of that shape", value, f"reshape({value.span.text}, [-1, {', '.join(map(str, sizes))}])"
        )
