"""Declarations that lack something, or have what belongs elsewhere: types, results, states, metrics of a set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .sight import Advice, Sight, around, inserted, proposes, replaced, statements, whole_line


@proposes("AX0313")
def _open_size(sight: Sight) -> Iterator[str]:
    """``input x: [-1, 8]``: the examples are counted by a name."""
    type_ = sight.innermost(ast.TensorType)
    if not isinstance(type_, ast.TensorType) or not type_.dims or sight.innermost(ast.Input, ast.Target) is None:
        return
    if type_.dims[0].span == sight.span:
        yield replaced("the number of examples has a name: `B`", type_.dims[0], "B")
    elif around(type_.span, sight.span):
        dim = next((dim for dim in type_.dims if dim.span == sight.span), None)
        if dim is not None:
            yield replaced("a size that is open has a name: `T`", dim, "T")


@proposes("AX0209", "AX0208")
def _plain_dtype(sight: Sight) -> Iterator[str]:
    """``int[B]``, ``float[B, 3]``."""
    match = re.fullmatch(r"(int|long|integer|float|double|number|bool|boolean)\s*(\[.*\])", sight.span.text)
    if match is not None and not sight.yaml:
        ours = {"int": "i64", "long": "i64", "integer": "i64", "bool": "bool", "boolean": "bool"}.get(match[1], "")
        yield Suggestion.of(f"write `{ours}{match[2]}`", "", f"{ours}{match[2]}", sight.span)


@proposes("AX0204")
def _buffer(sight: Sight) -> Iterator[str]:
    """A buffer that is given a value like any other name."""
    body = sight.innermost(ast.Block, ast.Model)
    node = sight.innermost(ast.Assign)
    if body is None or not isinstance(node, ast.Assign) or len(node.targets) != 1 or sight.yaml:
        return
    name = node.targets[0].span.text
    if any(isinstance(one, ast.Buffer) and one.name == name for one in statements(body)):
        yield Suggestion.at_places(
            f"a buffer is changed by `update {name} = ...`", inserted(node.span, node.span.start, "update ")
        )


@proposes("AX0304", "AX0307")
def _result(sight: Sight) -> Iterator[str]:
    """``block Head(units: int)(x: [B, n]) -> [B, n]``, which gives as many numbers as an argument says."""
    found = re.search(r"the result of (?:block|fn) `\w+`: axis (\d+)", sight.diagnostic.headline)
    block = sight.innermost(ast.Block, ast.Fn)
    if found is None or not isinstance(block, ast.Block | ast.Fn) or block.result is None or sight.yaml:
        return
    given = block.hyperparameters if isinstance(block, ast.Block) else block.parameters
    numbers = [one.name for one in given if isinstance(one.type, ast.NamedType) and one.type.name == "int"]
    for result in block.result.fields:
        dims = result.type.dims if isinstance(result.type, ast.TensorType) else ()
        if int(found[1]) < len(dims):
            for name in numbers:
                words = f"it gives `{name}` numbers there"
                yield Suggestion.of(words, "", name, dims[int(found[1])].span)


@proposes("AX0217")
def _step(sight: Sight) -> Iterator[str]:
    """An optimizer that takes no step, or no gradient."""
    node = sight.innermost(ast.Optimizer)
    if isinstance(node, ast.Optimizer) and node.inputs and not sight.yaml:
        last = node.inputs[-1].span
        missing = ("p: [...S]", "g: [...S]", "t: i64[]")[len(node.inputs) :]
        if missing:
            added = inserted(last, last.end, "".join(f", {one}" for one in missing))
            yield Suggestion.at_places(f"an optimizer takes `(p, g, t)`: add `{', '.join(missing)}`", added)


@proposes("AX0209")
def _default(sight: Sight) -> Iterator[str]:
    """An argument of an entry with a default."""
    entry = sight.innermost(ast.Entry)
    for one in entry.parameters if isinstance(entry, ast.Entry) else ():
        if one.default is not None and one.type is not None and around(one.span, sight.span):
            gone = Edit(Span(one.span.source, one.type.span.end, one.span.end), "")
            yield Suggestion.at_places("leave the default out: whoever calls the entry gives it", gone)


@proposes("AX0331")
def _start(sight: Sight) -> Iterator[str]:
    """A state of a scan that starts as a number."""
    scan = sight.innermost(ast.Scan, ast.Loop)
    written = re.search(r"`(\w+) = (.+)`$", str(sight.diagnostic.help))
    if not isinstance(scan, ast.Scan | ast.Loop) or written is None or sight.yaml:
        return
    own = next((one for one in scan.bindings if one.name == written[1] and not one.each), None)
    if own is not None:
        words = str(sight.diagnostic.help)
        yield Suggestion.of(words, "", written[2], own.value.span, otherwise=words)


@proposes("AX0226")
def _of_a_set(sight: Sight) -> Iterator[str]:
    """``metric f1 = f1_score(...)``."""
    node = sight.innermost(ast.Metric)
    if isinstance(node, ast.Metric) and node.over is None and not sight.yaml:
        match = re.match(r"metric\s+\w+", node.span.text)
        if match is not None:
            at = node.span.start + match.end()
            words = f"it is computed once over a set: `metric {node.name} over set = ...`"
            yield Suggestion.at_places(words, inserted(node.span, at, " over set"))


@proposes("AX0225")
def _over_a_part(sight: Sight) -> Iterator[str]:
    """``metric auc over valid = ...``: every part is measured."""
    node = sight.innermost(ast.Metric)
    if isinstance(node, ast.Metric) and node.over not in (None, "set") and not sight.yaml:
        match = re.match(r"metric\s+\w+\s+over\s+(\w+)", node.span.text)
        if match is not None:
            place = Span(node.span.source, node.span.start + match.start(1), node.span.start + match.end(1))
            yield Suggestion.of("it is measured on every part: `over set`", "", "set", place)


@proposes("AX0206")
def _assigned_into(sight: Sight) -> Iterator[str]:
    """``x.at[:, 0].set(0)``."""
    node = sight.innermost(ast.Attribute)
    if isinstance(node, ast.Attribute) and node.name in ("at", "fill_", "index_fill_", "scatter_"):
        yield Advice(
            f"a tensor is not assigned into: `put({node.value.span.text}, at, update, axis=1)` gives the changed one"
        )


@proposes("AX0703", "AX0702", "AX0218", "AX0808")
def _without_a_name(sight: Sight) -> Iterator[str]:
    """``loss = mse(p, y)``: a value that is called loss, where a loss needs a name."""
    asked = re.search(r"\b(?:train|valid|test)\.(\w+)|minimize (\w+)", whole_line(sight.span).text)
    for one in statements(sight.file):
        word = one.targets[0].span.text if isinstance(one, ast.Assign) and len(one.targets) == 1 else ""
        if isinstance(one, ast.Assign) and word in ("loss", "metric") and asked is not None:
            name = asked[1] or asked[2]
            yield replaced(f"a {word} has a name: `{word} {name} = ...`", one.targets[0], f"{word} {name}")
