"""A logarithm or a square root of numbers that a layer gives, of which many are below 0."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ops.functions import Log, Relu, Sqrt
from archonnx.compiler.ops.index import GatherElements
from archonnx.grammar.diagnostics import Diagnostic

from .loss_of_probabilities import any_size, name_of
from .rules import Sight, lint, warning


@lint("AX0851")
def root_of_any_number(sight: Sight) -> Iterator[Diagnostic]:
    """``log(sigma)`` of ``sigma = h |> Dense(1)``; ``log(relu(z))``."""
    for node in sight.nodes(Log, Sqrt):
        made = sight.source(node.inputs[0])
        if made is not None and isinstance(made.op, GatherElements):
            made = sight.source(made.inputs[0])
        if node.origin.used or made is None:
            continue
        what, name = ("logarithm", "log") if isinstance(node.op, Log) else ("root", "sqrt")
        if any_size(sight, made) and _of_weights(sight, made):
            headline = f"a {what} of what {name_of(sight, made)} gives: numbers of any size, of which many are below 0"
            help_ = "make them positive first: `softplus(...) + 1e-3`, or `exp(...)`"
            help_ += ", whose logarithm is what the layer gives" if name == "log" else ""
        elif isinstance(node.op, Log) and isinstance(made.op, Relu):
            headline = f"a logarithm of what {name_of(sight, made)} gives: of 0 it is -inf"
            help_ = "`softplus` is above 0 everywhere; of probabilities of classes there is `log_softmax`"
        else:
            continue
        yield warning("AX0851", headline, node.origin.place, "NaN or -inf in the first steps", help=help_)


def _of_weights(sight: Sight, made: Node) -> bool:
    """Whether this is a layer, or a product with a parameter: one of two tensors may be of nothing below 0."""
    products = [made, *(sight.producers.get(value) for value in made.inputs)]
    given = (value for node in products if node is not None for value in node.inputs if value not in sight.producers)
    return bool(sight.user(made)) or any(sight.given(value) is None for value in given)
