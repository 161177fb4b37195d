"""A softmax, a norm or a largest value over the axis of the examples: one example is mixed with the others."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.ir.graph import Node
from archonnx.compiler.ops.norm import LogSoftmax, Softmax
from archonnx.compiler.ops.reduce import Extreme, ReduceMean, Reduction
from archonnx.compiler.ops.shape import Broadcast
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0804")
def softmax_over_examples(sight: Sight) -> Iterator[Diagnostic]:
    """A softmax that the spec itself writes, along the first axis of a tensor with others, or of an output [B]."""
    given = set(sight.model.infer.outputs.values())
    for node in sight.nodes(Softmax, LogSoftmax):
        (x,) = node.inputs
        axis = getattr(node.op, "axis", None)
        over = bool(x.type.rank and x.shape[0].symbols() & sight.batch) and not node.origin.used
        if over and x.type.rank == 1 and given & set(node.outputs):
            yield warning(
                "AX0804",
                f"{node.origin.subject} runs over the examples: the only axis of {x.type} counts them",
                node.origin.place,
                "what an example gets depends on the others of its batch",
                help="of one score for each example `sigmoid` makes a probability",
            )
        if not over or axis != 0 or x.type.rank < 2:
            continue
        yield warning(
            "AX0804",
            f"{node.origin.subject} runs over the examples: axis 0 of {x.type} counts them",
            node.origin.place,
            "what an example gets depends on the others of its batch",
            help=f"over the classes it is `axis={x.type.rank - 1}`",
        )
    for node in sight.nodes(*Reduction.__subclasses__(), *Extreme.__subclasses__()):
        yield from _reduced(sight, node)


def _reduced(sight: Sight, node: Node) -> Iterator[Diagnostic]:
    """A norm along the first axis alone; a largest value of all numbers that stands beside one number an example."""
    (x,) = node.inputs
    axes = getattr(node.op, "axes", ())
    if not x.type.rank or not x.shape[0].symbols() & sight.batch or 0 not in axes:
        return
    if x.type.rank == 1:
        yield from _last_axis(sight, node)
        return
    if sight.user(node) == "norm" and list(axes) == [0]:
        yield warning(
            "AX0804",
            f"`norm` runs over the examples: axis 0 of {x.type} counts them",
            node.origin.place,
            "one length of all examples together, for each column",
            help="of each example it is `axis=1`",
        )
    elif isinstance(node.op, Extreme) and not node.origin.used and len(axes) == x.type.rank and _beside(sight, node):
        yield warning(
            "AX0804",
            f"{node.origin.subject} is of all examples, and stands beside one number for each",
            node.origin.place,
            f"the one of all {x.type}",
            help=f"of each example it is `axis={x.type.rank - 1}`",
        )


def _last_axis(sight: Sight, node: Node) -> Iterator[Diagnostic]:
    """``sum(normal_log_prob(z), axis=-1)``: the axis that was to be summed has been summed before.

    A mean over the examples by this axis is as good as another, unless it stands beside one number for each.
    """
    calls = (call for call in sight.syntax(ast.Call) if call.span == node.origin.place)
    axes = [a.value.span.text for call in calls for a in call.arguments if a.name == "axis"]
    if node.origin.used or axes != ["-1"] or (isinstance(node.op, ReduceMean) and not _beside(sight, node)):
        return
    (x,) = node.inputs
    made = sight.elementwise_source(x)
    before = f"`{user}` gives" if made is not None and (user := sight.user(made)) else "this is"
    yield warning(
        "AX0804",
        f"{node.origin.subject} runs over the examples: the only axis of {x.type} counts them",
        node.origin.place,
        f"{before} one number for each example already",
        help="leave it out; where all examples are meant, leave out `axis=-1`",
    )


def _beside(sight: Sight, node: Node) -> bool:
    """Whether a single number is repeated for each example, and for nothing else."""
    made = set(node.outputs)
    repeated = (n for of in sight.computations for n in of.graph.nodes if isinstance(n.op, Broadcast))
    shapes = [n.outputs[0].shape for n in repeated if made & set(n.inputs)]
    return any(len(shape) == 1 and shape[0].symbols() & sight.batch for shape in shapes)
