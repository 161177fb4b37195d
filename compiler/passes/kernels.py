"""What one kernel of onnxruntime computes, put so that it does: a product in a weighted sum is one Gemm, gates of a
loop are products with a function behind each, rows are added by a product with ones, and a row's weighted sum is one.

This comes last, before a graph is run. What this module does not do: choose kernels (onnxruntime does).
"""

from __future__ import annotations

from math import prod

from archonnx.compiler.ir.builder import current_builder
from archonnx.compiler.ir.facts import assuming
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.op import Op, Trait
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.loops.products import apart
from archonnx.compiler.ops.elementwise import Add, Div, Mul, Neg, Sub
from archonnx.compiler.ops.linalg import MatMul, ProductSum, matrix_product
from archonnx.compiler.ops.reduce import LONG, ReduceMean, ReduceSum, Reduction
from archonnx.compiler.ops.shape import Broadcast, Transpose, broadcast_to, full, reshape

from .attention import SumsOfWeights, narrower_turned
from .blocks import in_blocks
from .crossings import crossings
from .cse import CommonSubexpressions
from .dce import DeadCode
from .loops import has_loops
from .manager import Pipeline, optimise
from .replayed import replayed
from .rewrite import Rewrite, Site, rule


def for_kernels(graph: Graph, block: int | None = None, *, cpu: bool = True, mixed: bool = False) -> Graph:
    """A graph that computes the same in fewer or faster kernels.

    Args:
        graph: what is to run.
        block: how many channels the machine's convolutions take in a block; None leaves convolutions as they are.
        cpu: whether it runs there. On a GPU sums stay sums, since products may round their factors to TF32.
        mixed: whether its products round their factors to bf16, wherever it runs. Sums stay sums then, and parameters
            take no part in products with what is subtracted from them.
    """
    cpu = cpu and not mixed
    if block is not None:
        graph = in_blocks(graph, block)
    if has_loops(graph):
        with assuming(graph.facts):
            again = replayed(graph) if cpu else graph
        graph = graph if again is graph else optimise(again)
    if has_loops(graph):
        with assuming(graph.facts):
            parted = apart(graph)
        graph = graph if parted is graph else optimise(parted)
    on_cpu = (weighted_sum, sum_of_rows, sum_along_rows, narrower_turned, for_each_place)
    rules = on_cpu if cpu else () if mixed else (weighted_sum,)
    graph = Pipeline((SumsOfWeights(),)).run(graph) if cpu else graph
    return Pipeline((Rewrite(rules, name="fewer-kernels"), CommonSubexpressions(), DeadCode())).run(graph)


@rule(ReduceSum, ReduceMean, exact=False)
def sum_of_rows(site: Site) -> Value | None:
    """A sum over leading axes, as of the gradient of a bias, as ones times a matrix; a mean by way of the sum.

    From ``LONG`` rows on a sum goes in two steps already, which take as long as two products. From how many elements
    on is in ``crossings``; microseconds of one node on two threads:

    ========= ===== ===== ======= ======= =========
    summed    8x512 32x32 128x256 512x128 1024x1024
    ========= ===== ===== ======= ======= =========
    ReduceSum 3.4   1.4   25      44      111
    product   1.4   1.2   3       4       52
    ========= ===== ===== ======= ======= =========

    Below it a Reshape of the result costs what is gained (8x10: 0.9 and 1.2). It is no less exact: of 0.1 in 1,024
    rows the relative error is 2e-6, and 1e-5 by ReduceSum.
    """
    op, (x,) = site.node.op, site.inputs
    assert isinstance(op, Reduction)
    shape, folded = x.type.static_shape, len(op.axes)
    if shape is None or x.type.dtype is not DType.f32 or op.axes != tuple(range(folded)):
        return None
    rows, columns = prod(shape[:folded]), prod(shape[folded:])
    if folded == len(shape) or not 1 < rows < LONG or rows * columns < crossings().sum_elements:
        return None
    total = matrix_product(full((1, rows), 1.0, DType.f32), reshape(x, (rows, columns)))
    if isinstance(op, ReduceMean):
        total = total / rows
    return reshape(total, site.output.shape)


@rule(ReduceSum, ReduceMean, exact=False)
def sum_along_rows(site: Site) -> Value | None:
    """The sum of each row times a vector is one product with it, for a mean with a smaller one.

    As of the gradient of a layer's normalisation: of 1,024 rows of 256, 11 us instead of 46.
    """
    op, inner = site.node.op, site.made_by(site.inputs[0], Mul)
    assert isinstance(op, Reduction)
    if inner is None or not site.reads_alone(inner.outputs[0]) or op.axes != (inner.outputs[0].rank - 1,):
        return None
    shape = inner.outputs[0].type.static_shape
    if (
        shape is None
        or len(shape) < 2
        or prod(shape) < crossings().sum_elements
        or inner.outputs[0].type.dtype is not DType.f32
    ):
        return None
    for rows, other in (inner.inputs, inner.inputs[::-1]):
        repeated = site.made_by(other, Broadcast)
        if repeated is not None and repeated.inputs[0].type.static_shape == shape[-1:] and shape[-1] > 1:
            vector = repeated.inputs[0] / shape[-1] if isinstance(op, ReduceMean) else repeated.inputs[0]
            return reshape(matrix_product(rows, reshape(vector, (shape[-1], 1))), site.output.shape)
    return None


FEW_PLACES = 16
"""Images of so many places at most get their channels' numbers repeated; of 8x8 that takes as long as it saves."""


@rule(Add, Sub, Mul, Div, exact=False)
def for_each_place(site: Site) -> Value | None:
    """Of small images with a number for each channel: the numbers are repeated for each place, by a product with ones.

    What is repeated for each example as a whole is read in long rows. Microseconds of one Mul on two threads, as it is
    and so, with the product: 16x960x2x2 155 and 20, 16x576x4x4 107 and 30, 32x256x4x4 53 and 25, 8x2048x2x2 162 and 25.
    Images that were transposed on their way are left: onnxruntime moves a Transpose past what follows, so that channels
    may come first when it is computed.
    """
    for place, other in enumerate(site.inputs):
        made = site.made_by(other, Broadcast)
        repeated = _repeated(made.inputs[0].type, other.type) if made is not None else None
        if made is not None and repeated is not None and not _transposed(site, site.inputs[1 - place]):
            channels, places = repeated
            ones = full((1, places), 1.0, DType.f32)
            each = reshape(matrix_product(reshape(made.inputs[0], (channels, 1)), ones), other.shape[1:])
            given = list(site.inputs)
            given[place] = broadcast_to(each, other.shape)
            return current_builder().add(site.node.op, *given)
    return None


def _repeated(numbers: TensorType, images: TensorType) -> tuple[int, int] | None:
    """The channels and the places of images, if they are few and these are numbers for each channel."""
    shape, given = images.static_shape, numbers.static_shape
    if shape is None or given is None or len(shape) < 3 or images.dtype is not DType.f32:
        return None
    places, each = prod(shape[2:]), (shape[1], *(1,) * (len(shape) - 2))
    many = shape[0] * places > FEW_PLACES
    return (shape[1], places) if given in (each, (1, *each)) and 1 < places <= FEW_PLACES and many else None


def _transposed(site: Site, value: Value, steps: int = 6) -> bool:
    """Whether a Transpose stands before a value, with nothing but elementwise ops between."""
    node = site.made_by(value, Op)
    if node is None or steps == 0:
        return False
    if isinstance(node.op, Transpose):
        return True
    return Trait.ELEMENTWISE in node.op.traits and any(_transposed(site, given, steps - 1) for given in node.inputs)


@rule(Add, Sub, exact=False)
def weighted_sum(site: Site) -> Value | None:
    """``p - c * (a @ b)`` and its like as one op, as where a parameter follows its gradient by plain descent.

    A sum with the product as it stands is left: onnxruntime joins it itself.
    """
    if site.output.type.dtype is not DType.f32:
        return None
    second = -1.0 if isinstance(site.node.op, Sub) else 1.0
    first, other = (_weighted(site, value) for value in site.inputs)
    terms = [first, (second * other[0], other[1])]
    for (alpha, inner), (beta, rest) in (terms[::-1], terms):
        product = site.made_by(inner, MatMul)
        if product is None or alpha == 1.0 or not site.reads_alone(inner):
            continue
        assert isinstance(product.op, MatMul)
        a, b = product.inputs
        if a.rank == b.rank == 2:
            op = ProductSum(product.op.transpose_a, product.op.transpose_b, alpha=alpha, beta=beta)
            return current_builder().add(op, a, b, rest)
    return None


def _weighted(site: Site, value: Value) -> tuple[float, Value]:
    """A value as ``number * value``, as far as nothing else reads what is between."""
    factor = 1.0
    while site.reads_alone(value):
        if (negated := site.made_by(value, Neg)) is not None:
            factor, value = -factor, negated.inputs[0]
            continue
        product = site.made_by(value, Mul)
        numbers = [site.number(given) for given in product.inputs] if product is not None else []
        place = next((place for place, number in enumerate(numbers) if number is not None), None)
        if product is None or place is None:
            break
        factor, value = factor * float(numbers[place] or 0.0), product.inputs[1 - place]
    return factor, value
