"""Values that are taken for something else: the place of the best for the best, padding for what is seen, a price for a
class, a call for a draw."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .sight import Advice, Sight, around, assigned, callee, expressions, proposes, replaced, statements

OF_NUMBERS = ("mse", "mae", "rmse", "mape", "huber", "smooth_l1", "r2_score", "log_cosh", "quantile_loss")
"""Losses and metrics of numbers: what they compare is no class."""
OF_CLASSES = ("accuracy", "top_k_accuracy", "confusion_matrix", "cross_entropy", "nll", "f1_score")
PLACES = {"argmax": "max", "argmin": "min"}
DRAWS = {
    "normal": ("",), "uniform": ("",), "bernoulli": ("", "bool"), "exponential": ("",), "gamma": ("",), "beta": ("",),
    "poisson": ("i64", ""), "categorical": ("i64",), "randint": ("i64",),
}  # fmt: skip
"""Distributions, and the dtypes that what is drawn of them may be declared with."""


# ---------------------------------------------------------------- numbers


@proposes("AX0303")
def _place_for_value(sight: Sight) -> Iterator[str]:
    """``reward + 0.9 * best`` where ``best = argmax(...)``: the largest value, and not where it is."""
    node = sight.innermost(ast.Binary)
    for side in (node.left, node.right) if isinstance(node, ast.Binary) else ():
        made = assigned(sight.file, side.id) if isinstance(side, ast.Name) else side
        name = callee(made)
        if isinstance(made, ast.Call) and isinstance(made.callee, ast.Name) and name in PLACES:
            other = PLACES[name]
            first = replaced(
                f"`{name}` gives the place of the value; the value itself is `{other}`", made.callee, other
            )
            own = f"float({side.span.text})"
            place = Suggestion.of(f"if the place is meant: `{own}`", "", own, side.span)
            yield first.or_else(None, place, several=True)


def number_of(sight: Sight, name: str) -> bool:
    """Whether a loss or a metric of numbers compares a field of this name."""
    return any(
        isinstance(node, ast.Call)
        and callee(node) in OF_NUMBERS
        and any(isinstance(one, ast.Name) and one.id == name for one in expressions(node))
        for node in expressions(sight.file)
    )


@proposes("AX0303")
def _metric_of_classes(sight: Sight) -> Iterator[str]:
    """``accuracy(guess, price)`` where the loss compares prices."""
    node, call = sight.path[-1], sight.innermost(ast.Call)
    if isinstance(node, ast.Name) and callee(call) in OF_CLASSES and number_of(sight, node.id):
        yield Advice(
            f"`{callee(call)}` is of classes, and `{node.id}` is a number elsewhere: numbers are judged by "
            "`mae(prediction, target)` or `r2_score(prediction, target)`"
        )


@proposes("AX0330")
def _score_for_each_class(sight: Sight) -> Iterator[str]:
    """``Dense(1)`` before ``cross_entropy``, and the output of it: two scores."""
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and callee(n) in OF_CLASSES), None)
    scores = call.arguments[0].value if isinstance(call, ast.Call) and call.arguments else None
    made = assigned(sight.file, scores.id) if isinstance(scores, ast.Name) else scores
    last = made.stage if isinstance(made, ast.Pipe) else made
    while isinstance(last, ast.Call) and isinstance(last.callee, ast.Call):
        last = last.callee  # `Dense(1)(h)`
    if not isinstance(last, ast.Call) or callee(last) != "Dense" or not isinstance(scores, ast.Name):
        return
    width = last.arguments[0].value if last.arguments else None
    if width is None or width.span.text != "1":
        return
    edits = [Edit(width.span, "2")]
    for node in statements(sight.file):
        dims = node.type.dims if isinstance(node, ast.Output) and isinstance(node.type, ast.TensorType) else ()
        read = expressions(node.value) if isinstance(node, ast.Output) else ()
        if dims and dims[-1].span.text == "1" and any(isinstance(n, ast.Name) and n.id == scores.id for n in read):
            edits.append(Edit(dims[-1].span, "2"))
    words = str(sight.diagnostic.help)
    yield Suggestion.at_places("give each class a score of its own: two, of yes and of no", *edits, otherwise=words)


# ---------------------------------------------------------------- masks


def seen(sight: Sight, mask: ast.Expr) -> bool | None:
    """Whether a mask is true of what is there (True) or of padding (False), by how it is compared; None if unknown."""
    made = assigned(sight.file, mask.id) if isinstance(mask, ast.Name) else mask
    if not isinstance(made, ast.Binary):
        return None
    left, right = (any(callee(one) == "arange" for one in expressions(side)) for side in (made.left, made.right))
    if left != right:
        return {"<": left, "<=": left, ">": right, ">=": right}.get(made.op)
    return {"!=": True, "==": False}.get(made.op) if not left else None


def turned(sight: Sight, mask: ast.Expr) -> str | None:
    """The mask of what is seen, where a mask of padding is given; None for any other."""
    own = mask.operand if isinstance(mask, ast.Unary) and mask.op == "not" else mask
    there = seen(sight, own)
    if own is not mask:
        return in_brackets(own) if there is True else None
    return f"(not {in_brackets(own)})" if there is False else None


def in_brackets(node: ast.Expr) -> str:
    """A text that may be indexed."""
    return node.span.text if isinstance(node, ast.Name | ast.Index | ast.Call) else f"({node.span.text})"


# ---------------------------------------------------------------- draws


@proposes("AX0203", "AX0306", "AX0205")
def _draw_as_call(sight: Sight) -> Iterator[str]:
    """``a = categorical(p)``: a draw is a statement, with the type of what is drawn."""
    made = sight.innermost(ast.Assign)
    value = made.values[0] if isinstance(made, ast.Assign) and len(made.values) == len(made.targets) == 1 else None
    name = callee(value)
    if not isinstance(made, ast.Assign) or name not in DRAWS or value is None or not around(value.span, sight.span):
        return
    body = sight.innermost(ast.Model, ast.Block) or sight.file
    kinds = (ast.Input, ast.Draw)
    types = [n.type for n in statements(body) if isinstance(n, kinds) and isinstance(n.type, ast.TensorType)]
    shapes = [one.span.text[one.span.text.index("[") :] for one in types]
    batch = next((re.sub(r"\[\s*([^,\]]+).*", r"[\1]", one) for one in shapes), "[B]")
    target = made.targets[0].span.text
    lines = [f"{target}: {dtype}{shape} ~ {value.span.text}" for dtype in DRAWS[name] for shape in (batch, *shapes)]
    if sight.yaml:
        return
    for line in dict.fromkeys(lines):
        yield replaced(f"a draw is a statement: `{line}`", made, line)
    yield Advice(f"a draw is a statement, with the type of what is drawn: `{lines[0]}`")


# ---------------------------------------------------------------- keys of YAML

KEYS = ("name", "of", "doc", "arguments", "data", "sources", "fit", "feed", "feed_whole", "steps", "body")
"""Keys of a program in YAML beside its settings."""


@proposes("AX0701")
def _key_of_a_program(sight: Sight) -> Iterator[str]:
    """``whole: {A: data.A}`` for ``feed_whole``."""
    word = re.match(r"\w+", sight.span.text)
    if not sight.yaml or word is None:
        return
    for key in KEYS:
        if word[0] in key.split("_") or key in word[0].split("_"):
            place = Span(sight.span.source, sight.span.start, sight.span.start + len(word[0]))
            yield Suggestion.of(f"did you mean `{key}`?", "", key, place)
