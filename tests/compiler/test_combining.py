"""A figure over a part is what its expression comes to where the batch is the part, whatever the batches are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from archonnx.cli.checking import check_specs
from archonnx.compiler.combining import axis_of, combination
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.ops import registry
from archonnx.compiler.ops.reduce import ReduceAny, ReduceMin
from archonnx.compiler.ops.slicing import Pad, Reverse, Slice, Split
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.pieces import Pieces
from tests.support.elaborated import initial, measures, program
from tests.support.op_cases import Case, arg, cases

# ---------------------------------------------------------------- ops: what they say of examples


def claims(case: Case) -> tuple[list[int | None], list[int]] | None:
    """The axes of examples in its inputs and results, if the op says that examples along B do not meet in it."""
    types = [a.type for a in case.inputs]
    made = case.op.infer(*types)
    results = [axis_of("B", type_) for type_ in (made if isinstance(made, tuple) else (made,))]
    places = [axis_of("B", type_) for type_ in types]
    known = [place for place in results if place is not None]
    unclear = any(place is None and "B" in type_.symbols() for place, type_ in zip(places, types, strict=True))
    if unclear or len(known) < len(results) or not case.op.keeps_apart(places, types, known[0]):
        return None
    return places, known


NUMBERS, ZERO, ONE = arg("f32", "B", 5, 2), Dim.of(0), Dim.of(1)
ALONG_OTHERS = [
    Case(Slice((1,), (ONE,), (Dim.of(4),), (2,)), (NUMBERS,)),
    Case(Split(1, (ONE, Dim.of(4))), (NUMBERS,)),
    Case(Reverse((1, 2)), (NUMBERS,)),
    Case(Pad((ZERO, ONE, ZERO), (ZERO, ONE, ONE)), (NUMBERS,)),
    Case(ReduceMin((1,)), (NUMBERS,)),
    Case(ReduceAny((2,)), (arg("bool", "B", 5, 2),)),
]
"""What the table has with the batch along other axes alone."""
CLAIMS = [(case, *found) for case in (*cases(), *ALONG_OTHERS) if (found := claims(case)) is not None]


def test_every_op_that_says_it_is_held_to_it() -> None:
    speaking = {name for name, op in registry().items() if op.keeps_apart is not Op.keeps_apart}
    assert speaking == {case.op.name for case, _, _ in CLAIMS} and len(speaking) > 80


@pytest.mark.parametrize(("case", "places", "results"), CLAIMS, ids=[str(case) for case, _, _ in CLAIMS])
def test_where_examples_do_not_meet_a_batch_gives_what_its_parts_give(
    case: Case, places: Sequence[int | None], results: Sequence[int]
) -> None:
    rng = np.random.default_rng(0)
    parts = [[a.draw(rng, {"B": size}, a.type.dtype) for a in case.inputs] for size in (2, 3)]
    parts[1] = [second if at is not None else first for first, second, at in zip(*parts, places, strict=True)]
    joined = [
        first if at is None else np.concatenate([first, second], at)
        for first, second, at in zip(*parts, places, strict=True)
    ]

    def run(size: int, inputs: Sequence[Array]) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            found = case.op.substitute({"B": Dim.of(size)}).evaluate(*inputs)
        return found if len(results) > 1 else (found,)

    first, second, both = run(2, parts[0]), run(3, parts[1]), run(5, joined)
    for one, other, whole, at in zip(first, second, both, results, strict=True):
        np.testing.assert_allclose(np.concatenate([one, other], at), whole, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- figures

HEAD = """
model M():
    input x: [B, 4]
    input seq: [B, 5, 3]
    target label: i64[B]
    target tag: i64[B, 5]
    target yes: [B]
    param w: [4, 3] = 0.1
    logits = x @ w + x[:, :3]
    score, other = logits[:, 0], logits[:, 1]
    known = tag > 0
"""
OF_EXAMPLES = [
    "mse(score, yes)",
    "mae(score, yes, reduce=sum)",
    "huber(score, yes, delta=0.5)",
    "smooth_l1(score, yes)",
    "pseudo_huber(score, yes)",
    "log_cosh(score, yes)",
    "quantile_loss(score, yes, 0.9)",
    "bce(sigmoid(score), yes)",
    "bce_logits(score, yes, positive_weight=3.0)",
    "cce(softmax(logits), one_hot(label, 3))",
    "cross_entropy(logits, label)",
    "cross_entropy(logits, label, smoothing=0.1)",
    "cross_entropy(logits, label, weight=tensor([1.0, 5.0, 20.0]))",
    "cross_entropy(logits, label, weight=tensor([1.0, 5.0, 20.0]), smoothing=0.1)",
    "soft_cross_entropy(logits, one_hot(label, 3))",
    "nll(log_softmax(logits), label)",
    "focal(score, yes, alpha=0.3)",
    "multiclass_focal(logits, label)",
    "hinge(score, 2 * yes - 1)",
    "squared_hinge(score, 2 * yes - 1)",
    "multiclass_hinge(logits, label)",
    "dice(sigmoid(logits), one_hot(label, 3))",
    "kl(softmax(logits), log_softmax(x[:, :3]))",
    "kl_normal(logits, exp(x[:, :3]))",
    "gaussian_nll(score, yes, exp(other))",
    "poisson_nll(score, yes)",
    "triplet(logits, x[:, :3], x[:, 1:])",
    "contrastive(logits, x[:, :3], yes)",
    "cosine_embedding(logits, x[:, :3], 2 * yes - 1)",
    "masked_mean(cross_entropy(seq, max(tag, 0), reduce=none), known)",
    "masked_mean(float(argmax(seq) == tag), known)",
    "accuracy(logits, label)",
    "binary_accuracy(score, yes)",
    "top_k_accuracy(logits, label, k=2)",
    # written by hand
    "sum(score)",
    "min(score) + max(other)",
    "sqrt(mse(score, yes))",
    "exp(cross_entropy(logits, label))",
    "mse(score, yes) + 0.1 * masked_mean(seq[:, :, 0], known) + 0.01 * sum(w * w)",
    "mean(score * score) - mean(score) ** 2",
    "sum(float(score > 0) * yes) / sum(yes)",
    "2 * sum(float(score > 0) * yes) / (sum(yes) + sum(float(score > 0)))",
    "mean(sum(one_hot(argmax(logits), 3) * one_hot(label, 3), axis=0) / max(sum(one_hot(label, 3), axis=0), 1))",
    "mean(reshape(seq, [5 * B, 3]) @ w[:3])",
    "mean(transpose(logits)[0])",
    "mean((transpose(one_hot(label, 3)) @ logits) ** 2)",
    'mean(einsum("b i, b i, b j -> i j", logits, one_hot(label, 3), x) ** 2)',
    "float(any(score > 2.5)) + float(all(score > -9))",
    "float(B) + sum(score) / B",
    "sum(w * w)",
    "1 - mse(score, yes) / (mean(yes * yes) - mean(yes) ** 2)",
]
TOGETHER = {
    "info_nce(logits, x[:, :3])": "@",
    "nt_xent(logits, x[:, :3])": "arange",
    "mean(standardise(logits)[:, 0] ** 3)": "-",
    "1 - sum((score - yes) ** 2) / sum((yes - mean(yes)) ** 2)": "-",
    "mean(softmax(score, axis=0) * yes)": "softmax",
    "score[0]": "[...]",
    "mean(cumsum(score, axis=0))": "cumsum",
    "mean(score[1:] - score[:-1])": "[...]",
    "mean(score * float(arange(B)))": "arange",
    "logsumexp(score)": "logsumexp",
    "mean(x @ transpose(x))": "@",
}


def of(expressions: Sequence[str]) -> ModelProgram:
    """A model of these metrics, in f64."""
    lines = "".join(f"    metric m{i} = {expression}\n" for i, expression in enumerate(expressions))
    return program(HEAD + lines, float_type=DType.f64)


@pytest.fixture(scope="module")
def data() -> dict[str, Array]:
    rng = np.random.default_rng(4)
    return {
        "x": rng.normal(size=(23, 4)),
        "seq": rng.normal(size=(23, 5, 3)),
        "label": rng.integers(0, 3, 23),
        "tag": np.where(rng.uniform(size=(23, 5)) < np.linspace(0, 1, 23)[:, None], rng.integers(0, 3, (23, 5)), 0),
        "yes": rng.integers(0, 2, 23).astype(float),
    }


def over(model: ModelProgram, data: Mapping[str, Array], size: int) -> dict[str, float]:
    """The figures of all rows, in batches."""
    how = combination(model)
    pieces, parameters = Pieces(how), initial(model)
    for start in range(0, 23, size):
        batch = {name: array[start : start + size] for name, array in data.items()}
        given = {name: array for name, array in {**parameters, **batch}.items() if name in how.batch.inputs}
        assert pieces.add(len(batch["x"]), interpret(how.batch, given)) == {}
    return pieces.figures({})


@pytest.fixture(scope="module")
def separate() -> ModelProgram:
    return of(OF_EXAMPLES)


@pytest.mark.parametrize("size", [1, 4, 7, 23])
def test_a_figure_is_that_of_the_whole_part(separate: ModelProgram, data: dict[str, Array], size: int) -> None:
    assert combination(separate).together == {}
    whole = measures(separate, **data)
    for name, value in over(separate, data, size).items():
        assert value == pytest.approx(float(whole[name]), rel=1e-9, abs=1e-12), OF_EXAMPLES[int(name[1:])]


def test_where_examples_meet_the_figure_is_a_mean_over_batches_and_that_is_known(data: dict[str, Array]) -> None:
    model = of(list(TOGETHER))
    together = combination(model).together
    assert {list(TOGETHER)[int(name[1:])]: origin.what for name, origin in together.items()} == {
        expression: f"`{what}`" for expression, what in TOGETHER.items()
    }
    found, ends = over(model, data, 10), (0, 10, 20, 23)
    batches = [
        (b - a, measures(model, **{name: array[a:b] for name, array in data.items()})) for a, b in pairwise(ends)
    ]
    for name in together:
        assert found[name] == pytest.approx(sum(rows * float(of[name]) for rows, of in batches) / 23)


STEPS = {
    "scan a in x along 0, b in yes along 0 -> each along 0:\n        emit mean(a * a) - b": True,
    "scan reversed a in x along 0 -> each along 0:\n        emit max(a)": True,
    "scan a in x along 0 -> each along 0:\n        emit mean(a @ w)": True,
    "scan p in seq along 1, each = zeros([B]):\n        each = each + p[:, 0]": True,
    "scan p in seq along 1, each = zeros([B]), k = 1.0:\n        each = each + k * p[:, 0]\n        k = k / 2": True,
    "scan p in seq along 1, each = zeros([B]), k = 1.0:\n        each = each + k * float(arange(B)) * p[:, 0]\n        k = k / 2": False,
    "scan a in x along 0, s = 0.0 -> each along 0:\n        s = s + a[0]\n        emit s": False,
    "scan a in x along 0 -> each along 0:\n        emit mean(yes) * a[0]": False,
    "scan a in x along 0 -> each along 0:\n        emit sum(yes * a[0])": False,
    "scan a in x along 0 -> each along 0:\n        emit a[0] / B": False,
}
"""Scans of examples, and whether each is by itself in them: a step of its own, from which nothing is handed on."""


@pytest.mark.parametrize("scan", STEPS)
def test_examples_that_are_steps_do_not_meet_where_nothing_is_handed_on(scan: str, data: dict[str, Array]) -> None:
    model = program(f"{HEAD}    {scan}\n    metric m = mean(each ** 2)\n", float_type=DType.f64)
    assert (combination(model).together == {}) == STEPS[scan]
    if STEPS[scan]:
        whole = float(measures(model, **data)["m"])
        assert all(over(model, data, size)["m"] == pytest.approx(whole, rel=1e-9) for size in (1, 4, 7))


def test_check_names_what_is_averaged_over_batches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.arch"
    path.write_text(HEAD + "    metric apart = mean(score)\n    metric near = info_nce(logits, x[:, :3])\n")
    assert check_specs([str(path)], {})
    assert capsys.readouterr().out.endswith("; averaged over batches, in which examples meet: near (`@`))\n")


def test_a_field_that_is_given_whole_is_the_same_for_all_batches() -> None:
    text = "\nmodel M():\n    input x: [B, 4]\n    input centres: [K, 4]\n    metric near = mean(min(x @ transpose(centres), axis=1))\n"
    model, rng = program(text, float_type=DType.f64), np.random.default_rng(1)
    x, centres = rng.normal(size=(23, 4)), rng.normal(size=(3, 4))
    how = combination(model, {"centres"})
    pieces = Pieces(how)
    for rows in (x[:9], x[9:]):
        pieces.add(len(rows), interpret(how.batch, {"x": rows, "centres": centres}))
    assert pieces.figures({"K": 3})["near"] == pytest.approx((x @ centres.T).min(axis=1).mean())


def test_rows_of_a_whole_field_that_examples_name_do_not_make_examples_meet() -> None:
    """Whether an index is in range depends on how many rows there are, and not on how many examples."""
    text = (
        "\nmodel M():\n    input node: i64[B]\n    input x: [N, 4]\n    metric size = mean(sum(x[node], axis=1) ** 2)\n"
    )
    how, x = combination(program(text, float_type=DType.f64), {"x"}), np.random.default_rng(1).normal(size=(7, 4))
    assert how.together == {}
    pieces, node = Pieces(how), np.array([6, 0, 0, 3, 5])
    for rows in (node[:3], node[3:]):
        pieces.add(len(rows), interpret(how.batch, {"node": rows, "x": x}))
    assert pieces.figures({"N": 7})["size"] == pytest.approx((x[node].sum(axis=1) ** 2).mean())
    counted = "\nmodel M():\n    input node: i64[B]\n    input x: [B, 4]\n    metric size = mean(x[node])\n"
    assert list(combination(program(counted)).together) == ["size"]
