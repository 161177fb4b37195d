"""Augmentation of the library: what it does in training, how often, and that it is the identity in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.steps import initial_state
from tests.support.elaborated import SEED, codes, initial, model, numbers, output, outputs, program, train_step

COUNT, SHAPE = 300, (300, 2, 6, 5)
X = np.abs(numbers(*SHAPE)) + 0.1  # nothing is 0 by itself
FIELDS = "x: [300, 2, 6, 5]"


def in_training(body: str, shape: tuple[int, ...], fields: str = FIELDS, step: int = 3, **values: Array) -> Array:
    """What ``h`` is in a training step: the step turns a parameter that is 0 into minus the gradient of sum(p * h)."""
    text = model(
        f"param p: {list(shape)} = 0\n{body}\nloss objective = sum(p * h)",
        fields,
        after="\ntrain:\n    minimize objective with sgd(lr=1.0)\n",
    )
    of = program(text)
    graph = train_step(of)
    given: dict[str, Any] = {**initial(of), **initial_state(graph), "seed": SEED, "step": step, **values}
    return -interpret(graph.graph, {name: given[name] for name in graph.graph.inputs})["next/p"]


@pytest.mark.parametrize("call", [
    "RandomFlip", "RandomShift(2)", "RandomCrop([6, 5])", "RandomCrop([6, 5], padding=2)", "Cutout(3)",
])  # fmt: skip
def test_in_use_the_image_stays(call: str) -> None:
    np.testing.assert_array_equal(output(model(f"output y = x |> {call}", "x: [B, 2, 6, 5]"), x=X), X)


def test_shifted_moves_images_in_use_as_well() -> None:
    y = output(model("output y = x |> shifted(2)", "x: [B, 2, 6, 5]"), x=X)
    assert 0 < (y == X).all((1, 2, 3)).mean() < 0.2, "1 of 25 in the mean"


def test_flips_turn_a_share_of_the_examples() -> None:
    h = in_training("h = x |> RandomFlip(0.25)", SHAPE, x=X)
    turned, same = (h == X[..., ::-1]).all((1, 2, 3)), (h == X).all((1, 2, 3))
    assert (turned ^ same).all()
    assert turned.mean() == pytest.approx(0.25, abs=0.1)
    assert not np.array_equal(h, in_training("h = x |> RandomFlip(0.25)", SHAPE, step=4, x=X)), "each step draws anew"


def moved(x: Array, down: int, right: int) -> Array:
    """Moved images, with 0 where nothing comes in."""
    padded = np.pad(x, [(0, 0), (9, 9), (9, 9)])
    return padded[:, 9 - down : 9 - down + x.shape[1], 9 - right : 9 - right + x.shape[2]]


@pytest.mark.parametrize("call", ["shifted", "RandomShift(1)", "RandomCrop([6, 5], padding=1)"])
def test_shifts_go_every_way_alike(call: str) -> None:
    h = in_training(f"h = x |> {call}", SHAPE, x=X)
    ways = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    found = [
        next(i for i, way in enumerate(ways) if np.allclose(moved(before, *way), after, atol=1e-6))
        for before, after in zip(X, h, strict=True)
    ]
    counts = np.bincount(found, minlength=9)
    assert ((counts - COUNT / 9) ** 2 / (COUNT / 9)).sum() < 26.1  # chi-square, 8 degrees of freedom, 0.1%


def test_a_crop_is_a_part_anywhere_in_training_and_the_middle_in_use() -> None:
    h = in_training("h = x |> RandomCrop([4, 5])", (300, 2, 4, 5), x=X)
    starts = [
        next(at for at in range(3) if np.allclose(before[:, at : at + 4], after, atol=1e-6))
        for before, after in zip(X, h, strict=True)
    ]
    assert np.bincount(starts, minlength=3).min() > 70
    np.testing.assert_array_equal(output(model("output y = RandomCrop([4, 3])(x)", FIELDS), x=X), X[:, :, 1:5, 1:4])


def test_a_cutout_is_a_square_around_any_place() -> None:
    h = in_training("h = x |> Cutout(3)", SHAPE, x=X)
    hidden = h == 0
    np.testing.assert_array_equal(h[~hidden], X[~hidden])
    for mask in hidden:
        rows, columns = mask[0].any(1), mask[0].any(0)
        np.testing.assert_array_equal(mask, np.broadcast_to(np.outer(rows, columns), mask.shape))
        r, c = np.flatnonzero(rows), np.flatnonzero(columns)
        assert len(r) == r[-1] - r[0] + 1 <= 3 and len(c) == c[-1] - c[0] + 1 <= 3
    # a centre in the first or last place leaves two rows or columns: 2 of 6, 2 of 5
    assert (hidden[:, 0].any(2).sum(1) == 2).mean() == pytest.approx(1 / 3, abs=0.09)
    assert (hidden[:, 0].any(1).sum(1) == 2).mean() == pytest.approx(2 / 5, abs=0.09)


def test_mixup_mixes_examples_and_targets_by_one_share() -> None:
    fields = FIELDS + "; k: i64[300]"
    k = np.arange(300) % 3
    body = "m, y = mixup(x, one_hot(k, 3), alpha=1.0)\n"
    x = in_training(body + "h = m + 0 * sum(y)", SHAPE, fields, x=X, k=k)
    y = in_training(body + "h = y + 0 * sum(m)", (300, 3), fields, x=X, k=k)
    one_hot = np.eye(3, dtype=np.float32)[k]
    apart = k != k[::-1]
    share = y[np.arange(300), k][apart]
    assert abs(np.sort(share) - np.linspace(0, 1, len(share))).max() < 0.14  # uniform: Kolmogorov and Smirnov
    of_x = share[:, None, None, None]
    np.testing.assert_allclose(x[apart], of_x * X[apart] + (1 - of_x) * X[::-1][apart], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(y[~apart], one_hot[~apart])
    in_use = outputs(model("m, y = mixup(x, one_hot(k, 3))\noutput m = m\noutput y = y", fields), x=X, k=k)
    np.testing.assert_array_equal(in_use["m"], X)
    np.testing.assert_array_equal(in_use["y"], one_hot)


@pytest.mark.parametrize("a", [0.2, 0.5, 1.0])
def test_symmetric_beta_draws_have_their_moments(a: float) -> None:
    draws = output(model(f"z: [20000] ~ beta_symmetric({a})\noutput z = z + 0 * sum(x)"), x=numbers(1, 4))
    assert draws.mean() == pytest.approx(0.5, abs=0.015)
    assert draws.var() == pytest.approx(1 / (4 * (2 * a + 1)), rel=0.05)


def test_what_does_not_fit_is_said() -> None:
    assert codes(model("output y = RandomCrop(9)(x)", FIELDS)) == ["AX0319"]
    assert codes(model("z: [3] ~ beta_symmetric(2.0)\noutput z = z + sum(x)")) == ["AX0319"]
