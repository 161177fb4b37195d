"""Edits for what is written as if the examples of a batch came one by one, or as if their axis were another.

What this module does not do: change a declared size (``sizes`` does), or look at the axes that a value was made with
(``ranks`` does).
"""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.elaborate.files.library import library
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Suggestion

from .shapes import operands
from .sight import Advice, Sight, callee, expressions, proposes, replaced, statements

MOST = 4
"""Arguments of a call that get an axis, at most: each is tried."""


def batch_of(file: ast.File) -> str | None:
    """The name of the first axis of all fields, if they have one."""
    fields = [one for one in statements(file) if isinstance(one, ast.Input | ast.Target)]
    firsts = {one.type.dims[0].span.text for one in fields if isinstance(one.type, ast.TensorType) and one.type.dims}
    return next(iter(firsts)) if len(firsts) == 1 else None


def ranks(file: ast.File) -> dict[str, int]:
    """How many axes the fields have, by name."""
    fields = (one for one in statements(file) if isinstance(one, ast.Input | ast.Target))
    return {one.name: len(one.type.dims) for one in fields if isinstance(one.type, ast.TensorType)}


@proposes("AX0302", "AX0304", "AX0305")
def _axes_behind(sight: Sight) -> Iterator[str]:
    """``arange(T) < count``, ``w * x`` of [B, T] and [B, T, 8]: what has fewer axes gets them behind its own."""
    known = [(node, type_[1]) for node in operands(sight) if (type_ := sight.type_of(node)) is not None]
    batch = batch_of(sight.file)
    if len(known) != 2 or sight.innermost(ast.Binary) is None or sight.yaml:
        return
    for (node, own), (_, other) in (known, known[::-1]):
        more = len(other) - len(own) if own and own == other[: len(own)] else 0
        if own[:1] == [batch] and batch not in other:
            more = len(other)
        if more > 0:
            whole = isinstance(node, ast.Name | ast.Call | ast.Index | ast.Attribute) or node.span.in_brackets
            text = node.span.text if whole else f"({node.span.text})"
            words = "one number for each example gets an axis" if len(own) == 1 else "axes are added behind its own"
            yield replaced(words, node, f"{text}[{', '.join([':'] * len(own) + ['none'] * more)}]")


@proposes("AX0304", "AX0305", "AX0302")
def _argument_of_examples(sight: Sight) -> Iterator[str]:
    """``normal_log_prob(y, mu, s)`` of one number for each example, and of several: the one gets an axis."""
    call, known = sight.innermost(ast.Call), ranks(sight.file)
    if not isinstance(call, ast.Call) or sight.yaml or library().find(callee(call) or "") is None:
        return
    named = [one.value for one in call.arguments if isinstance(one.value, ast.Name)]
    for node in [one for one in named if known.get(one.id) == 1][:MOST]:
        yield replaced("one number for each example gets an axis", node, f"{node.id}[:, none]")


@proposes("AX0301", "AX0305")
def _other_side(sight: Sight) -> Iterator[str]:
    """``W @ x``, as columns have it: examples are rows, and the matrix stands behind them."""
    binary = sight.innermost(ast.Binary)
    if isinstance(binary, ast.Binary) and binary.op == "@" and not sight.yaml:
        left, right = binary.left, binary.right
        plain = all(isinstance(one, ast.Name | ast.Call | ast.Index | ast.Attribute) for one in (left, right))
        if plain:
            yield replaced("examples are rows", binary, f"{right.span.text} @ {left.span.text}")


@proposes("AX0309")
def _one_by_one(sight: Sight) -> Iterator[str]:
    """``for i in range(B):``, which takes the examples one by one."""
    batch = batch_of(sight.file)
    heads = (one.iterable for one in statements(sight.file) if isinstance(one, ast.For))
    if batch is not None and any(
        callee(one) == "range" and sight.span.text in (batch, one.span.text) and f"({batch})" in one.span.text
        for one in heads
    ):
        yield Advice("what is written for tensors holds for all examples at once: leave the loop and its index out")


@proposes("AX0201")
def _their_number(sight: Sight) -> Iterator[str]:
    """``sum(e) / batch_size`` in a model."""
    batch = batch_of(sight.file)
    if sight.span.text in ("batch_size", "batchsize", "num_samples", "n_samples", "bs") and batch is not None:
        words = f"the number of examples is the dim `{batch}`, and `mean` divides by it"
        yield Suggestion.of(words, "", batch, sight.span)


IGNORED = ("ignore_index", "ignore_label", "padding_idx", "pad_id", "mask_zero")


@proposes("AX0202")
def _left_out(sight: Sight) -> Iterator[str]:
    """``cross_entropy(z, tag, ignore_index=0)``: the mean over the labels that count."""
    found = sight.argument
    if found is None or sight.yaml or found[1].name not in IGNORED:
        return
    call, ignored = found
    if callee(call) not in ("cross_entropy", "nll") or len(call.arguments) < 3:
        return
    label, value = call.arguments[1].value.span.text, ignored.value.span.text
    kept = ", ".join(one.span.text for one in call.arguments if one is not ignored and one.name != "reduce")
    if value.startswith("-"):
        kept = kept.replace(label, f"max({label}, 0)", 1)
    written = f"masked_mean({callee(call)}({kept}, reduce=none), {label} != {value})"
    yield replaced("the mean is over the labels that count", call, written)


THEIRS = {"weight": "W", "weights": "W", "kernel": "W", "bias": "b"}
"""What other tools call parameters of layers, and what they are called here."""


@proposes("AX0206")
def _weights_of_a_module(sight: Sight) -> Iterator[str]:
    """``V.weight.T``: parameters are called ``W`` and ``b``, and a matrix is turned by ``transpose``."""
    chain = [one for one in expressions(sight.file) if isinstance(one, ast.Attribute)]
    node = next((one for one in chain if one.name in THEIRS and one.span.end == sight.span.end), None)
    if node is None or sight.yaml:
        return
    ours = f"{node.value.span.text}.{THEIRS[node.name]}"
    turned = next((one for one in chain if one.value is node and one.name == "T"), None)
    if turned is not None:
        yield replaced("a matrix is turned round", turned, f"transpose({ours})")
    else:
        yield replaced("it is called", node, ours)
