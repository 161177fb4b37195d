"""Arguments as other tools take them: loose where a list is taken, in quotes where a word is, under other names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from archonnx.compiler.elaborate.core.foreign import ADVICE, PAIRS
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.foreign import called_here
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import is_name

from .misread import in_brackets, turned
from .sight import (
    Advice,
    Sight,
    assigned,
    callee,
    expressions,
    instead,
    proposes,
    replaced,
    statements,
    whole_line,
)

RANKS = 4
"""Axes that a tensor has at most whose axes are swapped."""


def _listed(arguments: list[ast.Argument]) -> str:
    return ", ".join(argument.span.text for argument in arguments)


# ---------------------------------------------------------------- how many there are


@proposes("AX0205", "AX0306", late=True)
def _loose_items(sight: Sight) -> Iterator[str]:
    """``concat(a, b, axis=1)``, ``reshape(x, B, 64)``: what follows each other is a list."""
    call = sight.innermost(ast.Call)
    if not isinstance(call, ast.Call) or sight.yaml:
        return
    loose = [argument for argument in call.arguments if argument.name is None]
    named = [argument for argument in call.arguments if argument.name is not None]
    if callee(call) == "transpose" and len(loose) == 3:
        yield from _swapped(call, loose)
    for first in (0, 1):
        if len(loose) - first >= 2 and call.arguments[: len(loose)] == tuple(loose):
            items = f"[{_listed(loose[first:])}]"
            given = ", ".join([*(a.span.text for a in (*loose[:first],)), items, *(a.span.text for a in named)])
            yield instead(call, f"{call.callee.span.text}({given})")


def _swapped(call: ast.Call, loose: list[ast.Argument]) -> Iterator[str]:
    """``transpose(k, -2, -1)``, which swaps two axes elsewhere: the order of all."""
    axes = [argument.value.span.text for argument in loose[1:]]
    if not all(re.fullmatch(r"-?\d", axis) for axis in axes):
        return
    for rank in range(2, RANKS + 1):
        first, second = (int(axis) % rank for axis in axes)
        order = list(range(rank))
        order[first], order[second] = order[second], order[first]
        if all(-rank <= int(axis) < rank for axis in axes):
            yield instead(call, f"transpose({loose[0].span.text}, {order})")


@proposes("AX0303", "AX0304", "AX0305", "AX0308", "AX0319", late=True)
def _other_order(sight: Sight) -> Iterator[str]:
    """``sinusoidal(width, length)``: two arguments of a call at the place, or in it, change places."""
    outer = next((node for node in reversed(sight.path) if isinstance(node, ast.Call)), None)
    calls = [node for node in expressions(outer) if isinstance(node, ast.Call)] if outer is not None else []
    for call in calls[:RANKS] if not sight.yaml else ():
        if len(call.arguments) == 2 and all(_is_plain(one) for one in call.arguments):
            first, second = (one.span for one in call.arguments)
            written = f"{call.callee.span.text}({second.text}, {first.text})"
            edits = (Edit(first, second.text), Edit(second, first.text))
            yield Suggestion.at_places(f"the arguments look swapped: `{written}`", *edits)


def _is_plain(argument: ast.Argument) -> bool:
    """Whether an argument is a name or a number, in its place."""
    return argument.name is None and isinstance(argument.value, ast.Name | ast.Number)


@proposes("AX0306")
def _tokenizer(sight: Sight) -> Iterator[str]:
    """``tokens(data.text, "bert-base-uncased")``: what it is cut into, or a file that is there."""
    call = next((node for node in expressions(sight.path[-1]) if callee(node) == "tokens"), None)
    if "texts are cut into" not in sight.diagnostic.headline or not isinstance(call, ast.Call):
        return
    given = [one.value for one in call.arguments[1:] if isinstance(one.value, ast.String)]
    words = 'nothing is downloaded: cut into `"words"`, or give the path of a tokenizer.json beside the spec'
    if given and not sight.yaml:
        yield Suggestion.of(words, "", '"words"', given[0].span, otherwise=words)
    yield words


@proposes("AX0203")
def _left_out(sight: Sight) -> Iterator[str]:
    """What is chosen otherwise, how long a schedule takes, and the layer for the other direction."""
    needed = re.search(r"needs `(\w+)`", sight.diagnostic.headline)
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and n.span == sight.span), None)
    if needed is None or not isinstance(call, ast.Call) or not call.arguments or sight.yaml:
        return
    given = _listed(list(call.arguments))
    if callee(call) == "where":
        yield instead(call, f"where({given}, 0)")
    elif needed[1] == "total":
        yield instead(call, f"{call.callee.span.text}({given}, steps)")
    elif needed[1] == "backward" and len(call.arguments) == 1:
        yield instead(call, f"{call.callee.span.text}({given}, {given})")


@proposes("AX0202")
def _by_another_name(sight: Sight) -> Iterator[str]:
    """Arguments that need none of their own, two in one, and a shape that stands first here."""
    found = sight.argument
    if found is None or sight.yaml:
        return
    call, given = found
    rest = [argument for argument in call.arguments if argument is not given]
    words = ADVICE.get(given.name or "", "")
    if words.startswith("leave it out"):
        yield Suggestion.of(words, "", f"{call.callee.span.text}({_listed(rest)})", call.span, otherwise=words)
    if (callee(call), given.name) in NEEDLESS:
        words = NEEDLESS[callee(call) or "", given.name or ""]
        yield Suggestion.of(words, "", f"{call.callee.span.text}({_listed(rest)})", call.span, otherwise=words)
    pair = PAIRS.get(given.name or "")
    if pair is not None and isinstance(given.value, ast.Tuple | ast.List) and len(given.value.items) == len(pair):
        written = ", ".join(f"{n}={v.span.text}" for n, v in zip(pair, given.value.items, strict=True))
        yield Suggestion.of(f"give them one by one: `{written}`", "", written, given.span)
    if given.name in ("size", "shape") and call.callee.span.text[:1].islower():
        shape = given.value.span.text
        if isinstance(given.value, ast.Tuple):
            shape = f"[{', '.join(item.span.text for item in given.value.items)}]"
        inner = ", ".join([shape, *(argument.span.text for argument in rest)])
        yield instead(call, f"{call.callee.span.text}({inner})")


NEEDLESS = {
    ("BatchNorm", "axis"): "leave it out: channels are axis 1, or the last of two axes",
    ("LayerNorm", "axis"): "leave it out: it normalises the last axis",
    ("LayerNorm", "normalized_shape"): "leave it out: it normalises the last axis",
    ("Embedding", "padding_idx"): "leave it out: lengths or a mask say what is padding",
}
"""A layer, an argument that it does not take, and why it needs none."""


# ---------------------------------------------------------------- what they are


@proposes("AX0306", "AX0208")
def _word_in_quotes(sight: Sight) -> Iterator[str]:
    """``init="he_uniform"``, ``freeze = ["encoder"]``, ``float("-inf")``."""
    for node in expressions(sight.path[-1]):
        if not isinstance(node, ast.String):
            continue
        call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call)), None)
        number = node.value.strip("+").lower().replace("infinity", "inf")
        if number in ("inf", "-inf") and isinstance(call, ast.Call) and callee(call) in ("float", "f32", "f64"):
            yield instead(call, number)
        elif is_name(node.value):
            for word in dict.fromkeys((*called_here(node.value), node.value, node.value.lower())):
                yield replaced("a word stands without quotes", node, word)
        return


@proposes("AX0303", late=True)
def _whole_numbers(sight: Sight) -> Iterator[str]:
    """Labels as numbers where a loss takes floats."""
    if not re.search(r"is f\d+, and this is (?:i\d+|u8|bool)\b", sight.diagnostic.headline):
        return
    node = sight.path[-1]
    if isinstance(node, ast.Expr) and node.span == sight.span and not sight.yaml:
        written = f"float({node.span.text})"
        yield Suggestion.of(f"numbers are made of it by `{written}`", "", written, node.span)


@proposes("AX0306")
def _function(sight: Sight) -> Iterator[str]:
    """``grad(f)(x)``: the gradient is that of a value."""
    node = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and callee(n) == "grad"), None)
    outer = sight.parent(node) if node is not None else None
    if not isinstance(node, ast.Call) or "takes a tensor, not" not in sight.diagnostic.headline or not node.arguments:
        return
    of = node.arguments[0].value.span.text
    if isinstance(outer, ast.Call) and outer.callee is node and outer.arguments:
        given = _listed(list(outer.arguments))
        yield instead(outer, f"grad({of}({given}), {outer.arguments[0].value.span.text})")
    yield f"a gradient is that of a value: `grad({of}(x), x)`"


@proposes("AX0306")
def _counted(sight: Sight) -> Iterator[str]:
    """``for i in 3``."""
    node = sight.innermost(ast.For, ast.Comprehension)
    if isinstance(node, ast.For | ast.Comprehension) and node.iterable.span == sight.span:
        yield instead(node.iterable, f"range({node.iterable.span.text})")


@proposes("AX0323")
def _einsum(sight: Sight) -> Iterator[str]:
    """``"bi,ij->bj"``: names of axes have blanks between them."""
    node = next((n for n in expressions(sight.path[-1]) if isinstance(n, ast.String)), None)
    if node is None or not re.fullmatch(r"[A-Za-z.]+(?:,[A-Za-z.]+)*(?:->[A-Za-z.]*)?", node.value.replace(" ", "")):
        return
    terms = [" ".join(re.findall(r"\.\.\.|\w", term)) for term in re.split(r",|->", node.value)]
    terms, last = (terms[:-1], f" -> {terms[-1]}") if "->" in node.value else (terms, "")
    yield replaced("names of axes have blanks between them", node, f'"{(", ".join(terms) + last).rstrip()}"')


@proposes("AX0318", "AX0201", "AX0206")
def _new_axis(sight: Sight) -> Iterator[str]:
    """``x[:, np.newaxis]``."""
    node = sight.innermost(ast.Index)
    for part in node.subscripts if isinstance(node, ast.Index) else ():
        if part.span.text.rpartition(".")[2] in ("newaxis", "new_axis", "NewAxis"):
            yield replaced("a new axis is `none`", part, "none")


@proposes("AX0206")
def _compared_shape(sight: Sight) -> Iterator[str]:
    """``x.shape == (B, 8)``: shapes are lists."""
    attribute = sight.innermost(ast.Attribute)
    node = sight.parent(attribute) if attribute is not None else None
    if not isinstance(attribute, ast.Attribute) or attribute.name != "shape" or not isinstance(node, ast.Binary):
        return
    other = node.right if node.left is attribute else node.left
    if isinstance(other, ast.Tuple) and node.op in ("==", "!="):
        own = f"shape_of({attribute.value.span.text})"
        listed = f"[{', '.join(item.span.text for item in other.items)}]"
        edits = (Edit(attribute.span, own), Edit(other.span, listed))
        yield Suggestion.at_places(f"shapes are lists: `{own} {node.op} {listed}`", *edits)


# ---------------------------------------------------------------- layers


@proposes("AX0303", "AX0205", "AX0308", "AX0304", "AX0319")
def _queries(sight: Sight) -> Iterator[str]:
    """``MultiHeadAttention(4)(q, k, v)``: the layer makes all three of what it is given."""
    for node in reversed(sight.path):
        inner = node.callee if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or callee(inner) != "MultiHeadAttention":
            continue
        given = [argument for argument in node.arguments if argument.name is None]
        if len(given) < 3 or not isinstance(inner, ast.Call):
            return
        rest = [argument.span.text for argument in node.arguments if argument.name is not None]
        made = dict.fromkeys(_behind(sight, argument.value) for argument in given[:3])
        firsts = list(made) if len(made) == 1 else [given[0].span.text]
        keys = [] if len(made) == 1 else [given[1].span.text]
        words = "it makes queries, keys and values itself"
        written = f"{inner.span.text}({', '.join([*firsts, *keys, *rest])})"
        gone = _unread(sight, given[:3]) if not keys else []
        yield Suggestion.at_places(f"{words}: `{written}`", Edit(node.span, written), *gone)
        yield Advice(f"{words}, of one tensor: `{inner.span.text}({firsts[0]})`; others to look at stand second")
        return


def _unread(sight: Sight, given: list[ast.Argument]) -> list[Edit]:
    """The lines of names that nothing else reads go away."""
    names = [argument.value.id for argument in given if isinstance(argument.value, ast.Name)]
    read = [node.id for node in expressions(sight.file) if isinstance(node, ast.Name)]
    return [
        Edit(whole_line(node.span), "")
        for node in statements(sight.file)
        if isinstance(node, ast.Assign) and len(node.targets) == 1
        for name in (node.targets[0].span.text,)
        if name in names and read.count(name) == 2  # where it is bound, and here
    ]


def _behind(sight: Sight, value: ast.Expr) -> str:
    """What a layer made this of, where a line says so."""
    made = assigned(sight.file, value.id) if isinstance(value, ast.Name) else None
    return made.value.span.text if isinstance(made, ast.Pipe) else value.span.text


MASK = "m"
"""What a message calls a mask."""


@proposes("AX0319")
def _of_the_message(sight: Sight) -> Iterator[str]:
    """A mask whose message says how it is written: ``m[:, none]`` of ``m``."""
    way = re.search(f"`{MASK}(\\[[^`]*\\])`$", sight.diagnostic.headline)
    for node in reversed(sight.path) if way is not None else ():
        masks = [a for a in node.arguments if a.name == "mask"] if isinstance(node, ast.Call) else []
        if masks and way is not None:
            own = masks[0].value
            other = turned(sight, own)
            words = "give it an axis" if other is None else "a mask is true of what is seen, not of padding"
            yield replaced(words, own, f"{other or in_brackets(own)}{way[1]}")
            return


@proposes("AX0302")
def _without_padding(sight: Sight) -> Iterator[str]:
    """``x + Conv(16, 3)(x)``: a kernel takes a border away unless its ends are padded."""
    statement = sight.innermost(ast.Stmt)
    if statement is None or sight.yaml:
        return
    names = {node.id for node in expressions(sight.path[-1]) if isinstance(node, ast.Name)}
    made = [value for name in sorted(names) if (value := assigned(sight.file, name)) is not None]
    calls = [
        node
        for root in (statement, *made)
        for node in expressions(root)
        if isinstance(node, ast.Call) and callee(node) in ("Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose")
    ]
    edits = [
        Edit(Span(call.span.source, call.span.end - 1, call.span.end - 1), ", padding=same")
        for call in dict.fromkeys(calls)
        if call.arguments and not any(argument.name == "padding" for argument in call.arguments)
    ]
    if edits:
        yield Suggestion.at_places("a kernel takes a border away: `padding=same` keeps it", *edits)


LOSSES = ("cross_entropy", "nll", "soft_cross_entropy", "accuracy", "focal", "multiclass_focal", "top_k_accuracy")


@proposes("AX0304", "AX0305", "AX0308", late=True)
def _classes_last(sight: Sight) -> Iterator[str]:
    """``cross_entropy(transpose(logits, [0, 2, 1]), y)``, and logits whose classes are axis 1."""
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and callee(n) in LOSSES), None)
    if not isinstance(call, ast.Call) or not call.arguments:
        return
    first = call.arguments[0].value
    made = assigned(sight.file, first.id) if isinstance(first, ast.Name) else None
    for one in (first, made):
        if isinstance(one, ast.Call) and callee(one) == "transpose" and len(one.arguments) == 2:
            yield replaced("classes are the last axis: leave the transposition out", one, one.arguments[0].span.text)
    label = sight.type_of(call.arguments[1].value) if len(call.arguments) > 1 else None
    for order in ([0, 2, 1], [0, 2, 3, 1]):
        if label is not None and len(label[1]) != len(order) - 1:
            continue
        yield replaced("classes are the last axis", first, f"transpose({first.span.text}, {order})")


@proposes("AX0308", "AX0305", "AX0304")
def _one_score(sight: Sight) -> Iterator[str]:
    """``accuracy(p, y)`` and ``cross_entropy(s, y)`` of one score for each example."""
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and callee(n) in ONE_SCORE), None)
    if not isinstance(call, ast.Call) or len(call.arguments) != 2 or re.search(r"S is \[\w", sight.diagnostic.headline):
        return  # there is an axis of classes
    score, label = (argument.value for argument in call.arguments)
    own = score.span.text
    outputs = {node.name: node.value for node in statements(sight.file) if isinstance(node, ast.Output)}
    made = outputs.get(own) or (assigned(sight.file, own) if isinstance(score, ast.Name) else score)
    if isinstance(made, ast.Call) and callee(made) == "sigmoid" and len(made.arguments) == 1:
        own = made.arguments[0].span.text
    elif isinstance(made, ast.Pipe) and made.stage.span.text == "sigmoid":
        own = made.value.span.text
    words, instead_of = ONE_SCORE[callee(call) or ""]
    for other in (f"float({label.span.text})", label.span.text):
        yield replaced(words, call, f"{instead_of}({own}, {other})")


ONE_SCORE = {
    "accuracy": ("one score for each example is judged by its sign", "binary_accuracy"),
    "cross_entropy": ("one score for each example is judged by another loss", "bce_logits"),
}
"""What takes a score for each class, and what takes one score."""


@proposes("AX0711")
def _exponents(sight: Sight) -> Iterator[str]:
    """``loguniform(-4, -1)``: the bounds are those of the values."""
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and callee(n) == "loguniform"), None)
    if not isinstance(call, ast.Call) or len(call.arguments) != 2:
        return
    texts = [argument.span.text for argument in call.arguments]
    if all(re.fullmatch(r"-?\d{1,2}", text) for text in texts) and math.fsum(map(int, texts)) < 0:
        yield replaced("the bounds are those of the values", call, f"loguniform(1e{texts[0]}, 1e{texts[1]})")
