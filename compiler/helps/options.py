"""Options of other tools that are something of its own here: a stack of layers, a setting, a statement of a program."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .sight import Sight, callee, inserted, proposes, replaced, statements, whole_line

DEEP = 8
"""Layers of a stack that are written out at most."""
DEPTH = ("num_layers", "n_layers", "layers", "depth")
BOUNDS = {
    "clipnorm": "clip_norm", "clip_norm": "clip_norm", "global_clipnorm": "clip_norm", "max_grad_norm": "clip_norm",
    "max_norm": "clip_norm", "gradient_clip_val": "clip_norm", "grad_clip": "clip_norm",
    "clipvalue": "clip_value", "clip_value": "clip_value",
}  # fmt: skip
"""Arguments of other tools' optimizers that bound the gradient, and the setting of a program that does."""
COPIES = ("load_state_dict", "set_weights", "copy_")
READS = ("state_dict", "get_weights", "parameters", "clone", "detach")


# ---------------------------------------------------------------- layers


@proposes("AX0202", "AX0306")
def _stacked(sight: Sight) -> Iterator[str]:
    """``GRU(16, num_layers=2)``, ``LSTM(16, bidirectional=true)``: a stack of layers, a layer of both directions."""
    call = sight.innermost(ast.Call)
    if not isinstance(call, ast.Call) or sight.yaml:
        return
    named = {one.name: one for one in call.arguments if one.name is not None}
    depth = next((named[name].value for name in DEPTH if name in named), None)
    both = named.get("bidirectional")
    count = int(depth.value) if isinstance(depth, ast.Number) and 1 <= depth.value <= DEEP else 1
    if (both is None and count == 1) or (both is not None and both.span.text.lower().endswith("false")):
        return
    options = (*DEPTH, "bidirectional", "dropout", "batch_first")
    kept = [one for one in call.arguments if one.name not in options]
    for given in (kept, kept[1:]):  # the size of the input may stand first
        layer = f"{call.callee.span.text}({', '.join(one.span.text for one in given)})"
        if both is not None:
            layer = f"Bidirectional({layer}, {layer})"
        dropout = f", {named['dropout'].span.text}" if "dropout" in named and count > 1 else ""
        written = f"RecurrentStack([{', '.join([layer] * count)}]{dropout})" if count > 1 else layer
        if given:
            more = _a_name_for_each(sight) if count > 1 else []
            yield Suggestion.at_places(f"layers of their own: `{written}`", Edit(call.span, written), *more)


def _a_name_for_each(sight: Sight) -> list[Edit]:
    """A stack gives what each layer gives as well: a third name where there are two."""
    made = sight.innermost(ast.Assign)
    targets = made.targets if isinstance(made, ast.Assign) else ()
    return [inserted(made.span, targets[-1].span.end, ", each")] if made is not None and len(targets) == 2 else []


# ---------------------------------------------------------------- programs


@proposes("AX0202")
def _bound_of_the_gradient(sight: Sight) -> Iterator[str]:
    """``adam(lr=1e-3, clipnorm=1.0)``: a setting of the program."""
    found, minimize = sight.argument, sight.innermost(ast.Minimize)
    setting = BOUNDS.get(found[1].name or "") if found is not None else None
    if found is None or setting is None or not isinstance(minimize, ast.Minimize) or sight.yaml:
        return
    call, given = found
    rest = ", ".join(one.span.text for one in call.arguments if one is not given)
    line = whole_line(minimize.span)
    edits = [Edit(call.span, f"{call.callee.span.text}({rest})")]
    train = sight.innermost(ast.Train)
    if train is not None and not any(_sets(one, setting) for one in statements(train)):
        blanks = line.text[: len(line.text) - len(line.text.lstrip(" "))]
        edits.insert(0, inserted(line, line.start, f"{blanks}{setting} = {given.value.span.text}\n"))
    words = f"it is a setting of the program: `{setting} = {given.value.span.text}`"
    yield Suggestion.at_places(words, *edits, otherwise=words)


def _sets(node: ast.Node, name: str) -> bool:
    return isinstance(node, ast.Assign) and node.targets[0].span.text == name


@proposes("AX0212", "AX0206", "AX0211")
def _copied(sight: Sight) -> Iterator[str]:
    """``slow.load_state_dict(net.state_dict())``: parameters that become those of another module."""
    node = sight.innermost(ast.ExprStmt)
    call = node.value if isinstance(node, ast.ExprStmt) else None
    if not isinstance(call, ast.Call) or not isinstance(call.callee, ast.Attribute) or len(call.arguments) != 1:
        return
    given = call.arguments[0].value
    inner = given.callee if isinstance(given, ast.Call) else None
    if isinstance(inner, ast.Attribute) and inner.name in READS:
        given = inner.value
    if call.callee.name in COPIES and isinstance(given, ast.Name) and not sight.yaml:
        line = f"update {call.callee.value.span.text} = {given.id}"
        yield replaced(f"parameters become those of another module: `{line}`", call, line)


NEEDLESS = {"restore_best_weights": "leave it out: the best parameters are always restored"}
"""Keys of other tools' early stopping, and why there is none."""


@proposes("AX0701")
def _left_out(sight: Sight) -> Iterator[str]:
    """``early_stopping = {..., restore_best_weights: true}``."""
    whole = sight.innermost(ast.Dict)
    if not isinstance(whole, ast.Dict) or sight.yaml:
        return
    text, start = whole.span.source.text, whole.span.start
    for key, item in whole.items:
        words = NEEDLESS.get(key.value) if key.span == sight.span else None
        match = re.search(rf",?\s*{re.escape(text[key.span.start : item.span.end])}", whole.span.text)
        if words is not None and match is not None:
            place = Span(whole.span.source, start + match.start(), start + match.end())
            yield Suggestion.of(words, "", "", place, otherwise=words)


@proposes("AX0203")
def _decided_by_the_data(sight: Sight) -> Iterator[str]:
    """``model Net(vocab: int)`` and ``train:``, where the data has as many words."""
    needed = re.match(r"model `(\w+)` needs `(\w+)`$", sight.diagnostic.headline)
    trains = [one for one in statements(sight.file) if isinstance(one, ast.Train) and one.model is None]
    if needed is None or not trains or sight.yaml:
        return
    learned = [one for one in statements(trains[0]) if isinstance(one, ast.Fit)]
    counted = [one.name for one in learned if callee(one.value) in ("vocabulary", "values")]
    for name in counted or ["..."]:
        given = f"{needed[2]}=size({name})" if counted else f"{needed[2]}={name}"
        words = f"say it in the head of the program, `train of {needed[1]}({given}):`, or give it a default"
        start = trains[0].span.source.text.find(":", trains[0].span.start)
        yield Suggestion.at_places(
            words, *[inserted(trains[0].span, start, f" of {needed[1]}({given})")] * bool(counted), otherwise=words
        )


@proposes("AX0209")
def _size_of_an_entry(sight: Sight) -> Iterator[str]:
    """``entry sample(n: int)``: a number by which sizes go is a `dim`."""
    entry = sight.innermost(ast.Entry)
    for one in entry.parameters if isinstance(entry, ast.Entry) else ():
        if one.span == sight.span and isinstance(one.type, ast.NamedType) and one.type.name == "int":
            yield replaced("a size that whoever calls gives is a `dim`", one.type, "dim")


@proposes("AX0207")
def _parts(sight: Sight) -> Iterator[str]:
    """``mu, s = split(h, k, axis=-1)``, where k is the size of a part elsewhere: here it is how many there are."""
    node = sight.innermost(ast.Assign)
    call = node.values[0] if isinstance(node, ast.Assign) and len(node.values) == 1 else None
    if not isinstance(node, ast.Assign) or not isinstance(call, ast.Call) or callee(call) != "split":
        return
    loose = [one for one in call.arguments if one.name is None]
    if len(loose) >= 2 and not sight.yaml:
        yield replaced("the number of parts is told", loose[1].value, str(len(node.targets)))
