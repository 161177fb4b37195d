"""Counting models: which module a figure belongs to, what is shared, and what stays open."""

from __future__ import annotations

from typing import Any

import pytest

from archonnx.compiler.counting import ITSELF, Count, count
from archonnx.compiler.pipeline import elaborate, load, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source

NESTED = """\
block Encoder(n: int)(x: [B, T, m]) -> [B, T, n]:
    h = x |> Dense(n) |> relu
    h = h |> Dense(n)
    return h + h

model M():
    input x: [B, T, 5]
    target y: [B, T, 8]
    shared = Encoder(8)
    again = shared(shared(x)[:, :, :5])
    aside = again |> Dense(3, bias=false)
    output z = again * 2
    loss l = mse(again, y) + mean(aside)
    entry sample(n: dim) -> [n, 3]:
        z: [n, 3] ~ normal(0, 1)
        return z * 2 + 1
"""


def counted(text: str, graph: str = "infer", **dims: int) -> Count:
    return count(elaborate(parse_spec(Source("m.arch", text))), graph, dims)


def rows(found: Count) -> dict[str, tuple[int, str, str]]:
    """Parameters, multiplications and additions by path."""
    return {
        row.path or ITSELF: (row.counts.parameters, str(row.counts.multiplications), str(row.counts.additions))
        for row in found.rows
        if row.block or not row.path
    }


def test_operations_of_a_shared_module_count_at_each_use_and_its_parameters_once() -> None:
    found = counted(NESTED)
    assert rows(found) == {
        "shared": (5 * 8 + 8 + 8 * 8 + 8, "208 * T", "224 * T"),  # additions: those of two layers, and h + h
        "shared.dense.0": (48, "80 * T", "80 * T"),
        "shared.dense.1": (72, "128 * T", "128 * T"),
        "dense": (24, "0", "0"),
        ITSELF: (0, "8 * T", "0"),
    }
    assert {row.path: row.uses for row in found.rows if row.block} == {
        "shared": 2, "shared.dense.0": 2, "shared.dense.1": 2, "dense": 0,
    }  # fmt: skip
    assert (found.example, found.unread) == ("B", 24)


def test_rows_that_hold_no_others_add_up_to_the_total() -> None:
    for name in ("digits_cnn", "digits_mlp", "xor", "convolution_counts"):
        found = count(elaborate(load(name)), "infer", {"B": 7})
        owners = {row.path.rpartition(".")[0] for row in found.rows if "." in row.path}
        leaves = [row.counts for row in found.rows if row.label == ITSELF or row.path not in owners]
        for figure in ("parameters", "buffers", "parameter_bytes"):
            assert sum(getattr(leaf, figure) for leaf in leaves) == getattr(found.total, figure)
        for figure in ("multiplications", "additions", "activation_bytes"):
            assert sum(getattr(leaf, figure).constant for leaf in leaves) == getattr(found.total, figure).constant


def test_open_counts_are_those_of_every_size() -> None:
    formula = counted(NESTED, B=3).total
    for length in (1, 2, 9):
        fixed = counted(NESTED, B=3, T=length).total
        assert formula.multiplications.evaluate({"T": length}) == fixed.multiplications.constant
        assert formula.additions.evaluate({"T": length}) == fixed.additions.constant
        assert formula.activation_bytes.evaluate({"T": length}) == fixed.activation_bytes.constant


def test_one_example_is_a_batch_of_one_and_nothing_else() -> None:
    one, batch = counted(NESTED, T=4), counted(NESTED, B=1, T=4)
    assert one.total == batch.total and one.dims == batch.dims
    assert [str(type_) for type_ in one.outputs.values()] == ["f32[B, 4, 8]"], "the shape says that more may come"
    assert [str(type_) for type_ in batch.outputs.values()] == ["f32[1, 4, 8]"]


def test_counts_that_are_no_multiple_of_the_batch_keep_it_open() -> None:
    pairs = 'model M():\n    input x: [B, 3]\n    output d = einsum("i k, j k -> i j", x, x)\n'
    found = counted(pairs)
    assert (found.example, str(found.total.multiplications), str(found.total.additions)) == (
        None, "3 * B ** 2", "2 * B ** 2",
    )  # fmt: skip


def test_an_entry_counts_per_example_of_its_own() -> None:
    found = counted(NESTED, "sample")
    assert found.example == "n"
    assert found.unread == found.total.parameters == 144


def test_a_size_that_is_not_only_of_the_first_axis_counts_no_examples() -> None:
    entry = "    entry grid(n: dim) -> [n, n]:\n        return broadcast(linspace(0, 1, n), [n, n])\n"
    found = counted("model M():\n    input x: [B]\n    output y = 2 * x\n" + entry, "grid")
    assert found.example is None and found.dims == {}


def test_what_is_not_trained_and_what_is_a_buffer_are_told_apart() -> None:
    text = (
        "model M():\n    input x: [B, 3]\n    param a: [3] = 1, trainable=false\n    param b: [3] = 1\n"
        "    buffer c: [4] = 0\n    output y = x * a + b + sum(c)\n"
    )
    total = counted(text).total
    assert (total.parameters, total.untrained, total.buffers, total.parameter_bytes) == (6, 3, 4, 40)


@pytest.mark.parametrize(
    ("graph", "dims", "code", "words"),
    [
        ("infer", {"T": 0}, "AX0512", "positive"),
        ("infer", {"T": "x"}, "AX0512", "positive"),
        ("infer", {"S": 2}, "AX0512", "no dim `S`"),
        ("smaple", {}, "AX0501", "no graph `smaple`"),
        ("infer", {"T": 1}, "AX0617", "two frames"),
    ],
)
def test_what_cannot_be_counted_is_told(graph: str, dims: dict[str, Any], code: str, words: str) -> None:
    text = NESTED.replace("    shared =", '    assert T >= 2, "two frames are needed"\n    shared =')
    with pytest.raises(SpecError) as caught:
        counted(text, graph, **dims)
    (found,) = caught.value.diagnostics
    assert found.code == code and words in found.headline


def test_sizes_that_are_too_small_for_a_layer_point_at_it() -> None:
    text = "model M():\n    input x: [B, 1, H, 9]\n    output y = x |> Conv(2, 5)\n"
    with pytest.raises(SpecError) as caught:
        counted(text, H=2)
    (found,) = caught.value.diagnostics
    assert found.code == "AX0512" and found.span is not None and found.span.text == "Conv(2, 5)"
