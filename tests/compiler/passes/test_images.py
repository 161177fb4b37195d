"""Convolutions in blocks and by patches: the same values, by interpretation and in onnxruntime, for any geometry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.ops.conv import Conv, ConvInputGrad, ConvWeightGrad
from archonnx.compiler.ops.shape import transpose
from archonnx.compiler.passes import first_layers, small_images
from archonnx.compiler.passes.blocks import in_blocks
from archonnx.compiler.passes.turned_kernels import kernel_first
from archonnx.compiler.turned import reading_turned
from archonnx.runtime.device import blocks
from archonnx.runtime.device.session import SessionOptions, call, open_exported, open_graph

ONE_THREAD = SessionOptions(device="cpu", threads=1)


def reals_like(inputs: Mapping[str, Value]) -> dict[str, Array]:
    """Numbers of these types, always the same."""
    rng = np.random.default_rng(0)
    shapes = {name: [dim.evaluate({}) for dim in value.shape] for name, value in inputs.items()}
    return {name: rng.normal(size=shape).astype(inputs[name].type.dtype.numpy) for name, shape in shapes.items()}


def of_type(*shape: int, dtype: DType = DType.f32) -> TensorType:
    return TensorType(dtype, tuple(map(Dim.of, shape)))


def three(
    size: tuple[int, ...], kernel: tuple[int, ...], channels: tuple[int, int], batch: int = 2,
    strides: tuple[int, ...] = (1, 1), dilations: tuple[int, ...] = (1, 1), pads: tuple[int, ...] = (0,) * 4,
    groups: int = 1, dtype: DType = DType.f32,
) -> Graph:  # fmt: skip
    """A convolution and its two gradients."""
    x = Value(of_type(batch, channels[0], *size, dtype=dtype), "x")
    w = Value(of_type(channels[1], channels[0] // groups, *kernel, dtype=dtype), "w")
    setting = (strides, dilations, pads, groups)
    dy = Value(Conv(*setting).infer(x.type, w.type), "dy")
    builder = Builder()
    with builder.active():
        y = builder.add(Conv(*setting), x, w)
        dx = builder.add(ConvInputGrad(*setting, x.shape[2:]), dy, w)
        dw = builder.add(ConvWeightGrad(*setting, kernel), x, dy)
    return builder.graph("three", {"x": x, "w": w, "dy": dy}, {"y": y, "dx": dx, "dw": dw})


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(node.op).__name__ for node in graph.nodes)


def check(graph: Graph, block: int, run: bool = False) -> Counter[str]:
    """The ops of the graph for a machine of this block, which gives what the graph itself does."""
    found = in_blocks(graph, block)
    verify(found)
    arrays = reals_like(graph.inputs)
    expected, values = interpret(graph, arrays), interpret(found, arrays)
    large = {name: max(1.0, float(np.abs(array).max())) for name, array in expected.items()}
    for name in graph.outputs:
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-4, atol=2e-6 * large[name], err_msg=name)
    if run:
        ran = call(open_exported(found, ONE_THREAD), arrays)
        for name in graph.outputs:
            np.testing.assert_allclose(ran[name], expected[name], rtol=1e-4, atol=1e-5 * large[name], err_msg=name)
    return kinds(found)


@st.composite
def geometries(draw: st.DrawFn, block: int) -> Graph:
    """Any two axes; channels are those of up to two blocks for a group, perhaps not whole ones."""
    kernel, strides, dilations, pads, size = [], [], [], [], []
    for _ in range(2):
        k, d = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        kernel.append(k)
        dilations.append(d)
        strides.append(draw(st.integers(1, 3)))
        pads.append((draw(st.integers(0, k)), draw(st.integers(0, k))))
        size.append(max(1, d * (k - 1) + 1 + draw(st.integers(-k, 5))))
        if size[-1] + sum(pads[-1]) < d * (k - 1) + 1:
            size[-1] = d * (k - 1) + 1
    (b0, e0), (b1, e1) = pads
    if draw(st.integers(0, 4)) == 0:  # each channel by itself
        channels = block * draw(st.integers(1, 2))
        return three(
            tuple(size), tuple(kernel), (channels, channels), draw(st.integers(1, 3)), tuple(strides), tuple(dilations),
            (b0, b1, e0, e1), channels,
        )  # fmt: skip
    groups = draw(st.sampled_from([1, 1, 2]))
    missing = st.sampled_from([0, *range(0, block, 4), block - 1])
    inputs, outputs = (
        block * groups * draw(st.integers(1, 2)) - (draw(missing) if groups == 1 else 0) for _ in range(2)
    )
    return three(
        tuple(size), tuple(kernel), (inputs, outputs), draw(st.integers(1, 3)), tuple(strides), tuple(dilations),
        (b0, b1, e0, e1), groups,
    )  # fmt: skip


@settings(max_examples=60)
@given(geometries(2))
def test_any_convolution_in_blocks_gives_the_same(graph: Graph) -> None:
    check(graph, 2)


@settings(max_examples=60)
@given(geometries(2))
def test_any_convolution_of_patches_gives_the_same(graph: Graph) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_images, "CHANNELS", 1)
        check(graph, 64)


@settings(max_examples=40)
@given(geometries(2))
def test_any_gradient_of_a_first_kernel_is_the_same(graph: Graph) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_layers, "EXAMPLES", 1)
        check(graph, 64)


@pytest.mark.parametrize(("examples", "stride", "product"), [(4, 2, True), (3, 2, False), (4, 3, False)])
def test_few_channels_of_some_examples_that_overlap_are_one_product(examples: int, stride: int, product: bool) -> None:
    found = check(three((9, 9), (3, 3), (3, 21), examples, (stride, stride)), 8)
    assert (found["MatMul"], found["ConvWeightGrad"]) == (int(product), int(not product))


def with_turned_kernel(graph: Graph) -> Graph:
    """The same, given its kernel and giving its gradient as a kernel that lies turned."""
    order = kernel_first(graph.inputs["w"].rank)
    builder = Builder()
    builder.nodes += graph.nodes
    with builder.active():
        dw = transpose(graph.outputs["dw"], order)
    return reading_turned(builder.graph("turned", dict(graph.inputs), {**graph.outputs, "dw": dw}), ["w"])


@settings(max_examples=60)
@given(geometries(2), st.sampled_from([1, 16]))
def test_any_convolution_with_its_kernel_turned_gives_the_same(graph: Graph, channels: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_images, "CHANNELS", channels)
        check(with_turned_kernel(graph), 2)


def test_a_turned_kernel_is_read_where_it_lies() -> None:
    found = in_blocks(with_turned_kernel(three((1, 1), (3, 3), (16, 32), 3, pads=(1,) * 4)), 8)
    read = [node for node in found.nodes if found.inputs["w"] in node.inputs]
    made = next(node for node in found.nodes if found.outputs["dw"] in node.outputs)
    assert [(type(node.op).__name__, node.outputs[0].type) for node in read] == [("Slice", of_type(1, 1, 16, 32))]
    assert type(made.op).__name__ == "Pad" and made.inputs[0].type == of_type(1, 1, 16, 32)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 3),
)
def test_any_convolution_of_points_gives_the_same(
    size: tuple[int, int], strides: tuple[int, int], channels: tuple[int, int], batch: int
) -> None:
    found = check(three(size, (1, 1), channels, batch, strides), 8)
    assert found["Conv"] == found["ConvWeightGrad"] == 0 and found["MatMul"] == (3 if strides == (1, 1) else 2)


@settings(max_examples=25)
@given(geometries(blocks.machine_block() or 8))
def test_onnxruntime_gives_the_same(graph: Graph) -> None:
    check(graph, blocks.machine_block() or 8, run=blocks.machine_block() is not None)


def test_stride_1_is_one_convolution_forward_and_one_back() -> None:
    found = check(three((8, 8), (3, 3), (16, 12), 9, pads=(1,) * 4), 8)
    assert found["BlockConv"] == 3 and found["Conv"] == found["ConvInputGrad"] == found["ConvWeightGrad"] == 0


def test_stride_2_goes_back_by_a_convolution_for_each_remainder() -> None:
    found = check(three((8, 8), (3, 3), (16, 8), 9, strides=(2, 2), pads=(1, 1, 1, 1)), 8)
    assert found["BlockConv"] == 1 + 4 and found["ConvInputGrad"] == 0


def test_few_rows_go_by_patches_that_two_of_the_three_share() -> None:
    found = check(three((2, 2), (3, 3), (16, 16), 3, pads=(1,) * 4), 8)
    assert found["MatMul"] == 3 and found["BlockConv"] == found["Conv"] == found["ConvWeightGrad"] == 0
    assert found["Concat"] == 2  # patches of x, and of dy


def test_taps_that_see_padding_alone_are_left_out() -> None:
    graph = three((1, 1), (3, 3), (16, 16), 3, pads=(1,) * 4)
    products = [node for node in in_blocks(graph, 8).nodes if type(node.op).__name__ == "MatMul"]
    check(graph, 8)
    assert [node.outputs[0].type for node in products] == [of_type(3, 16), of_type(3, 16), of_type(16, 16)]
    assert all(of.type in (of_type(3, 16), of_type(16, 16)) for node in products for of in node.inputs)


@pytest.mark.parametrize(
    "graph",
    [
        three((8, 8), (3, 3), (6, 6), strides=(2, 2)),
        three((8, 8), (3, 3), (8, 8), dtype=DType.f64),
        three((8, 8), (3, 3), (6, 6), pads=(3, 0, 0, 0)),
        three((9, 9), (3, 3), (12, 12), groups=2),
        three((8, 8, 8), (3, 3, 3), (16, 16), 64, (2,) * 3, (1,) * 3, (0,) * 6),
    ],
    ids=["channels that fill no block", "f64", "more padding than the kernel reaches", "groups", "volumes"],
)
def test_others_are_left_alone(graph: Graph) -> None:
    assert kinds(in_blocks(graph, 8)) == kinds(graph)


@pytest.mark.parametrize(("channels", "filled"), [((12, 12), True), ((24, 2), True), ((4, 4), False), ((6, 7), False)])
def test_the_last_block_is_filled_up_where_that_takes_few_products_more(
    channels: tuple[int, int], filled: bool
) -> None:
    """By 12 of 16 twice 1.8 times as many, by 2 of 8 four times, of what is given; channels come in fours."""
    assert ("BlockConv" in check(three((6, 6), (3, 3), channels, 5), 8)) == filled


@pytest.mark.parametrize(("size", "kernel"), [((7, 6), (3, 2)), ((9,), (4,)), ((4, 3, 5), (2, 1, 3))])
def test_what_is_in_no_block_goes_back_by_a_convolution(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    n = len(size)
    found = check(three(size, kernel, (3, 5), 2, (1,) * n, (1,) * n, tuple(k // 2 for k in kernel) * 2), 8)
    assert found["Conv"] == 2 and found["ConvInputGrad"] == 0


@pytest.mark.parametrize(("channels", "moved"), [((20, 10), 10), ((20, 11), 20), ((10, 20), 10)])
def test_the_narrower_image_is_cut_for_each_tap(channels: tuple[int, int], moved: int) -> None:
    graph = three((6, 5), (3, 2), channels, 3, dilations=(1, 2), pads=(1, 0, 0, 1))
    check(graph, 8)
    (found,) = [node for node in in_blocks(graph, 8).nodes if isinstance(node.op, ConvWeightGrad)]
    assert found.inputs[0].shape[1] == Dim.of(moved)


@pytest.mark.parametrize("alone", [False, True], ids=["of one group", "channels alone"])
@pytest.mark.parametrize("batch", [16, 24, 4], ids=["whole blocks", "two bands of rows", "four"])
@pytest.mark.parametrize(
    ("strides", "dilations", "pads"),
    [((1, 1), (1, 1), (1, 1, 1, 1)), ((2, 1), (1, 2), (0, 2, 1, 0)), ((1, 2), (2, 1), (3, 0, 0, 1))],
)
def test_the_gradient_of_a_weight_is_a_convolution_of_blocks_of_examples(
    strides: tuple[int, int], dilations: tuple[int, int], pads: tuple[int, ...], batch: int, alone: bool
) -> None:
    block = blocks.machine_block() or 16
    rows = 3 + 7 * strides[0] + 2 * (dilations[0] - 1) - pads[0] - pads[2]  # of 8 places
    channels = (12, 12) if alone else (5, 20)
    graph = three((rows, 9), (3, 2), channels, batch, strides, dilations, pads, groups=12 if alone else 1)
    found = check(graph, block, run=blocks.machine_block() is not None)
    assert found["BlockConv"] >= 1 and found["ConvWeightGrad"] == found["MatMul"] == 0
    if not alone:
        check(with_turned_kernel(graph), block, run=blocks.machine_block() is not None)


def test_a_gradient_that_padding_alone_gives_is_zeros() -> None:
    check(three((2, 2), (2, 2), (4, 8), 8, (3, 3), pads=(2, 2, 0, 0)), 8)


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_where_channels_stand_alone_no_plain_convolution_is_left(strides: tuple[int, int]) -> None:
    found = check(three((8, 8), (3, 3), (8, 8), 3, strides, pads=(1,) * 4, groups=8), 8)
    assert found["ConvWeightGrad"] == found["ConvInputGrad"] == found["Conv"] == found["MatMul"] == 0
    assert found["BlockConv"] == (2 if strides == (1, 1) else 1 + 4) + 1


@pytest.mark.parametrize(("size", "kernel"), [((7,), (3,)), ((4, 3, 5), (2, 1, 3))])
def test_channels_alone_have_any_number_of_axes(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    n = len(size)
    found = check(three(size, kernel, (4, 4), 3, (1,) * n, (1,) * n, (1,) * (2 * n), groups=4), 8)
    assert found["ConvWeightGrad"] == 0


def test_long_rows_are_left_to_the_convolution() -> None:
    assert check(three((2, 113), (1, 3), (2, 2), 1, groups=2), 8)["ConvWeightGrad"] == 1


def test_images_stay_in_blocks_between_two_convolutions() -> None:
    x, w = Value(of_type(9, 8, 8, 8), "x"), Value(of_type(8, 8, 3, 3), "w")
    op = Conv((1, 1), (1, 1), (1,) * 4)
    builder = Builder()
    with builder.active():
        y = builder.add(op, builder.add(op, x, w), w)
    found = check(builder.graph("two", {"x": x, "w": w}, {"y": y}), 8)
    assert found["FromBlocks"] == 1 and found["ToBlocks"] == 2  # images, and the kernel


@pytest.mark.parametrize("block", [None, 8, 16])
def test_a_session_takes_blocks_where_the_machine_has_them(monkeypatch: pytest.MonkeyPatch, block: int | None) -> None:
    graph = three((8, 8), (3, 3), (16, 16), 9, pads=(1,) * 4)
    real = blocks.machine_block()
    monkeypatch.setattr("archonnx.runtime.device.session.machine_block", lambda: block if block == real else None)
    session = open_graph(graph, {}, ONE_THREAD)
    assert session.graph is not None
    assert ("BlockConv" in kinds(session.graph)) == (block is not None and block == real)
    arrays = reals_like(graph.inputs)
    expected, found = interpret(graph, arrays), call(session, arrays)
    for name in graph.outputs:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-4)


def test_a_wrong_block_is_found_out() -> None:
    right = [block for block in (*blocks.BLOCKS, 4) if blocks._right(block)]
    assert right == [block for block in [blocks.machine_block()] if block is not None]
