"""A loss or metric is given scores of another kind than it takes: probabilities for logits, or numbers of any size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ops.compare import Greater, GreaterEqual, Predicate
from archonnx.compiler.ops.conv import Conv
from archonnx.compiler.ops.elementwise import Add, Cast, Div, Maximum, Mul, Sub
from archonnx.compiler.ops.functions import Exp, Relu, Sigmoid, Softplus
from archonnx.compiler.ops.index import GatherElements
from archonnx.compiler.ops.linalg import MatMul
from archonnx.compiler.ops.loss import CrossEntropy
from archonnx.compiler.ops.norm import LogSoftmax, Softmax
from archonnx.compiler.ops.random import DiscreteDraw
from archonnx.compiler.ops.shape import Broadcast
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.record import Record
from archonnx.grammar.source import Span

from .rules import Sight, lint, warning


class Taken(Record):
    """What a loss takes: the kind of its scores, the ops in it that read them first, and what it has in itself."""

    kind: Literal["numbers", "logits", "logs", "log rates", "probabilities", "variances", "deviations"]
    read_by: tuple[type[Op], ...]
    inside: str = ""
    instead: str = ""
    """The loss that takes numbers of any size."""
    place: int = 0
    """Which input of the first op that reads them the scores are."""


_CLASSES = Taken("logits", (CrossEntropy, LogSoftmax), "softmax")
TAKEN: Mapping[str, Taken] = {
    "cross_entropy": _CLASSES,
    "soft_cross_entropy": _CLASSES,
    "multiclass_focal": _CLASSES,
    "bce_logits": Taken("logits", (Softplus,), "sigmoid"),
    "focal": Taken("logits", (Mul,), "sigmoid"),
    "mse": Taken("numbers", (Sub,)),
    "mae": Taken("numbers", (Sub,)),
    "huber": Taken("numbers", (Sub,)),
    "nll": Taken("logs", (GatherElements,), instead="cross_entropy"),
    "bce": Taken("probabilities", (Maximum,), "sigmoid", "bce_logits"),
    "cce": Taken("probabilities", (Maximum,), "softmax", "soft_cross_entropy"),
    "gaussian_nll": Taken("variances", (Maximum,)),
    "kl_normal": Taken("deviations", (Div,)),
    "normal_log_prob": Taken("deviations", (Div,), place=1),
    "normal": Taken("deviations", (Mul,)),
    "bernoulli": Taken("probabilities", (DiscreteDraw,), "sigmoid", place=1),
    "poisson_nll": Taken("log rates", (Exp,)),
}
"""Losses by their names; the scores are the first input of the first op that reads them."""
RANKED = ("roc_auc", "average_precision")
"""Metrics of an order."""
MAKES: Mapping[type[Op], str] = {Softmax: "softmax", Sigmoid: "sigmoid", Relu: "relu"}
"""What holds scores within bounds."""


@lint("AX0801")
def loss_of_probabilities(sight: Sight) -> Iterator[Diagnostic]:
    """``cross_entropy(softmax(z), y)``, ``bce(z, y)``, ``nll(z, y)``, ``log_loss(z, y)`` and their like."""
    seen: set[tuple[Span, str]] = set()
    for of in sight.computations:
        for node in of.graph.nodes:
            place, used = node.origin.place, sight.user(node)
            taken = TAKEN.get(used)
            if place is None or taken is None or (place, used) in seen or not isinstance(node.op, taken.read_by):
                continue
            given = sight.source(node.inputs[taken.place])
            if given is None or (given.origin.place, sight.user(given)) == (place, used):
                continue
            said = _said(sight, used, taken, given)
            if said is not None:
                seen.add((place, used))
                headline, text, help_ = said
                at = given.origin.place
                notes = (f"{name_of(sight, given)} stands at {at}",) if at is not None else ()
                yield warning("AX0801", headline, place, text, notes=notes, help=help_)
    yield from _metrics(sight)
    yield from _comparisons(sight)


def _said(sight: Sight, used: str, taken: Taken, given: Node) -> tuple[str, str, str] | None:
    """The headline, the words at the loss, and the help; None where the scores may be what it takes."""
    what = name_of(sight, given)
    if taken.kind == "logits":
        made = MAKES.get(type(given.op))
        if made == taken.inside:
            return (
                f"`{used}` takes logits, and is given what {what} gives: {made} is applied twice",
                f"it has a {made} in itself",
                f"give it what {what} is given; keep {what} for the outputs",
            )
        if made is not None:
            bound = "at 0 and above" if made == "relu" else "between 0 and 1"
            return (
                f"`{used}` takes logits, and {what} holds them {bound}",
                "numbers of any size are needed here",
                f"give it what {what} is given",
            )
        if sight.user(given) == "Dropout":
            return (
                f"`{used}` takes logits, and {what} sets some of them to 0",
                "a score of 0 is one like others",
                f"put {what} before the layer that makes the logits",
            )
    elif taken.kind == "numbers":
        if sight.user(given) != "Dropout":
            return None
        return (
            f"`{used}` compares what {what} gives: in training some of the predictions are 0, and the others larger",
            "no prediction is a part of what it is made for",
            f"put {what} before the layer that makes the prediction",
        )
    elif taken.kind == "log rates":
        if not isinstance(given.op, Exp):
            return None
        return (
            f"`{used}` takes the log of a rate, and is given what {what} gives: exp is applied twice",
            "it has an exp in itself",
            f"give it what {what} is given; keep {what} for the outputs",
        )
    elif taken.kind in ("variances", "deviations"):
        if not any_size(sight, given):
            return None
        if taken.kind == "deviations":
            return (
                f"`{used}` takes a standard deviation, and {what} gives numbers of any size",
                "above 0",
                "make it positive: `exp(0.5 * log_var)` where these are logarithms of variances, or `softplus(...)`",
            )
        return (
            f"`{used}` takes a variance, and {what} gives numbers of any size",
            "above 0: what is below is cut off, and learns nothing",
            "make it positive: `softplus(...) + 1e-3`, or `exp(...)`",
        )
    elif any_size(sight, given):
        wanted = "log-probabilities" if taken.kind == "logs" else "probabilities"
        if not taken.instead:
            return (
                f"`{used}` takes probabilities, and {what} gives numbers of any size",
                "between 0 and 1",
                f"apply `{taken.inside}` to what {what} gives",
            )
        inside = f", and has the {taken.inside} in itself" if taken.inside else ""
        return (
            f"`{used}` takes {wanted}, and {what} gives numbers of any size",
            "at most 0" if taken.kind == "logs" else "between 0 and 1",
            f"`{taken.instead}` takes such numbers{inside}",
        )
    elif taken.kind == "logs" and isinstance(given.op, Softmax):
        return (
            f"`{used}` takes log-probabilities, and {what} gives probabilities",
            "at most 0",
            "write `log_softmax` in its place",
        )
    return None


def _metrics(sight: Sight) -> Iterator[Diagnostic]:
    """Metrics over a set that take probabilities, and are given numbers of any size."""
    model = sight.model
    for name, metric in model.set_metrics.items():
        given = sight.source(model.evaluate.outputs[metric.arguments[0]])
        yield from _thresholds(sight, name, metric.function, given)
        if SET_FUNCTIONS[metric.function].prediction != "probabilities" or given is None:
            continue
        statement = sight.metric(name)
        if statement is None or not any_size(sight, given):
            continue
        several = given.outputs[0].type.rank > 1 and given.outputs[0].shape[-1].constant != 1
        makes = "softmax" if several else "sigmoid"
        text = sight.first_argument(statement.value)
        yield warning(
            "AX0801",
            f"`{metric.function}` takes probabilities, and {name_of(sight, given)} gives numbers of any size",
            statement.value.span,
            "between 0 and 1",
            help=f"write `{makes}({text})` in place of `{text}`" if text else f"apply `{makes}` to its prediction",
        )


def _thresholds(sight: Sight, name: str, function: str, given: Node | None) -> Iterator[Diagnostic]:
    """``roc_auc(z > 0, y)``, which is of one threshold; ``f1_score(z > 0.5, y)`` of a ``z`` that has a sigmoid."""
    while given is not None and isinstance(given.op, Cast):
        given = sight.source(given.inputs[0])
    statement = sight.metric(name)
    if given is None or not isinstance(given.op, Predicate) or statement is None:
        return
    text = sight.first_argument(statement.value)
    score = text.partition(">")[0].strip()
    if not score.isidentifier() or text == score:
        return
    if function in RANKED:
        yield warning(
            "AX0801",
            f"`{function}` takes scores, and {name_of(sight, given)} leaves two of them: one threshold is measured",
            statement.value.span,
            "all thresholds are tried",
            help=f"write `{score}` in place of `{text}`",
        )
    elif text.endswith("0.5") and _has_sigmoid(sight, given.inputs[0]):
        yield warning(
            "AX0801",
            f"`{score}` is a logit, whose sigmoid is above 0.5 where it is above 0: 0.5 is a probability of 0.62",
            statement.value.span,
            "a threshold of probabilities",
            help=f"write `{score} > 0` in place of `{text}`",
        )


def _comparisons(sight: Sight) -> Iterator[Diagnostic]:
    """``(z > 0.5) == (y > 0.5)`` in a metric of one's own, of a ``z`` that has a sigmoid."""
    of_sets = [one.span for name in sight.model.set_metrics if (one := sight.metric(name)) is not None]
    for node in sight.nodes(Greater, GreaterEqual):
        place = node.origin.place
        if place is None or any(span.start <= place.start < span.end for span in of_sets):
            continue
        made = sight.source(node.inputs[0])
        half = sight.number(node.inputs[1]) == 0.5 and not node.origin.used
        if half and made is not None and any_size(sight, made) and _has_sigmoid(sight, node.inputs[0]):
            yield warning(
                "AX0801",
                "these are logits, whose sigmoid is above 0.5 where they are above 0: 0.5 is a probability of 0.62",
                node.origin.place,
                "a threshold of probabilities",
                help="compare with 0",
            )


def _has_sigmoid(sight: Sight, score: Value) -> bool:
    """Whether a sigmoid of this is taken."""
    nodes = (node for of in sight.computations for node in of.graph.nodes)
    return any(isinstance(node.op, Sigmoid) and node.inputs[0] == score for node in nodes)


def name_of(sight: Sight, node: Node) -> str:
    """What gives the scores, in the words of the spec."""
    return f"`{sight.user(node)}`" if sight.user(node) else node.origin.what


def any_size(sight: Sight, node: Node) -> bool:
    """Whether this is an affine map of something."""
    if isinstance(node.op, Add):
        terms = [sight.producers.get(value) for value in node.inputs]
        products = [term for term in terms if term is not None and isinstance(term.op, MatMul | Conv)]
        return bool(products) and any(term is not None and isinstance(term.op, Broadcast) for term in terms)
    return isinstance(node.op, MatMul | Conv)
