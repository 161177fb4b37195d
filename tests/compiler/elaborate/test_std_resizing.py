"""Resizing, upsampling and pixel shuffling of the library; tests/compiler/ops/test_resize.py compares with ONNX."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.elaborated import codes, model, numbers, output, outputs, program

X = numbers(2, 3, 4, 6)
FIELDS = "x: [B, 3, 4, 6]"


def test_upsampling_by_whole_factors() -> None:
    np.testing.assert_array_equal(output(model("output y = x |> Upsample", FIELDS), x=X), X.repeat(2, 2).repeat(2, 3))
    of = program(model("output y: [B, 3, 3 * H, W] = Upsample([3, 1])(x)", "x: [B, 3, H, W]"))
    np.testing.assert_array_equal(output(of, x=X), X.repeat(3, 2))


def test_upsampling_by_fractions_rounds_sizes_down() -> None:
    places = np.arange(7) * 4 // 7, np.arange(9) * 6 // 9
    actual = output(model("output y = Upsample([1.9, 1.5], coordinates=asymmetric)(x)", FIELDS), x=X)
    np.testing.assert_array_equal(actual, X[:, :, places[0]][..., places[1]])


def test_linear_resizing_of_a_ramp_is_a_ramp() -> None:
    x = np.broadcast_to(np.arange(6, dtype=np.float32), (1, 1, 4, 6)).copy()
    text = model("output y = resize(x, [4, 11], coordinates=align_corners)", "x: [B, 1, 4, 6]")
    np.testing.assert_allclose(output(text, x=x)[0, 0, 0], np.linspace(0, 5, 11), atol=1e-5)
    half = output(model("output y = Upsample(2, linear)(x)", "x: [B, 1, 4, 6]"), x=x)[0, 0, 0]
    np.testing.assert_allclose(half, np.clip((np.arange(12) + 0.5) / 2 - 0.5, 0, 5), atol=1e-6)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resizing_takes_symbolic_sizes(mode: str) -> None:
    of = program(model(f"output y: [B, 3, H, 2 * W] = resize(x, [H, 2 * W], {mode})", "x: [B, 3, H, W]"))
    assert output(of, x=X).shape == (2, 3, 4, 12)


def test_pixel_shuffle() -> None:
    x = numbers(2, 8, 3, 2)
    body = "output y = pixel_shuffle(x, 2)\noutput z = x |> pixel_shuffle(2) |> pixel_unshuffle(2)"
    actual = outputs(model(body, "x: [B, 8, 3, 2]"), x=x)
    for c, i, j, p, q in np.ndindex(2, 3, 2, 2, 2):
        np.testing.assert_array_equal(actual["y"][:, c, 2 * i + p, 2 * j + q], x[:, 4 * c + 2 * p + q, i, j])
    np.testing.assert_array_equal(actual["z"], x)


@pytest.mark.parametrize(("call", "code"), [
    ("resize(x, [4])", "AX0319"),
    ("resize_nearest(x, [4])", "AX0321"),
    ('resize_linear(x, [4, 4], coordinates="middle")', "AX0208"),
    ("resize(x, [0, 4])", "AX0322"),
    ("resize(x, [4, 4], quadratic)", "AX0208"),
    ("x |> Upsample(0.1)", "AX0322"),
    ("x |> Upsample([2])", "AX0319"),
    ("pixel_shuffle(x, 2)", "AX0319"),
    ("pixel_unshuffle(x, 4)", "AX0325"),
])  # fmt: skip
def test_what_does_not_fit_is_said(call: str, code: str) -> None:
    assert codes(model(f"output y = {call}", FIELDS)) == [code]
