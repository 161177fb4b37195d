"""Axes by name against NumPy: random patterns are taken apart here once more, with reshapes and transposes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import codes, expression, findings, model, numbers

X = numbers(2, 6, 4, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('rearrange(x, "b c h w -> b h w c")', X.transpose(0, 2, 3, 1)),
        ('rearrange(x, "b c h w -> b (c h w)")', X.reshape(2, 120)),
        ('rearrange(x, "b (g c) h w -> b g c h w", g=3)', X.reshape(2, 3, 2, 4, 5)),
        (
            'rearrange(x, "b (g c) h w -> b (c g) h w", c=2)',
            X.reshape(2, 3, 2, 4, 5).transpose(0, 2, 1, 3, 4).reshape(X.shape),
        ),
        (
            'rearrange(x, "b (c r s) h w -> b c (h r) (w s)", r=2, s=1)',
            X.reshape(2, 3, 2, 1, 4, 5).transpose(0, 1, 4, 2, 5, 3).reshape(2, 3, 8, 5),
        ),
        ('rearrange(x, "b ... -> ... b")', np.moveaxis(X, 0, -1)),
        ('rearrange(x, "b c ... -> b (c) ...")', X),
        ('rearrange(x, "... w -> w ...")', np.moveaxis(X, -1, 0)),
        ('rearrange(x, "b c h w -> b 1 c (1 h) w ()")', X[:, None, ..., None]),
        ('rearrange(x[0:1], "1 c h w -> c h w")', X[0]),
        ('reduce(x, "b c h w -> b c", mean)', X.mean((2, 3))),
        ('reduce(x, "b c h w -> ", sum)', X.sum()),
        ('reduce(x, "b c h w -> w b", max)', X.max((1, 2)).T),
        ('reduce(x, "b c (h k) w -> b c h w", min, k=2)', X.reshape(2, 6, 2, 2, 5).min(3)),
        ('reduce(x, "b c (h k) w -> b c h w", prod, k=2)', X.reshape(2, 6, 2, 2, 5).prod(3)),
        ('reduce(x, "b ... w -> b ...", sum)', X.sum(3)),
        ('reduce(x, "b ... -> b", mean)', X.mean((1, 2, 3))),
        ('reduce(x, "b c h w -> b 1 1 w", mean)', X.mean((1, 2), keepdims=True)),
    ],
)
def test_against_numpy(text: str, expected: Array) -> None:
    np.testing.assert_allclose(expression(text, "x: [2, 6, 4, 5]", x=X), expected, rtol=1e-5, atol=1e-6)


def test_symbolic_sizes() -> None:
    heads = expression('rearrange(x, "b (h d) t -> b h t d", h=3)', "x: [B, 6, T]", x=X[..., 0])
    np.testing.assert_array_equal(heads, X[..., 0].reshape(2, 3, 2, 4).transpose(0, 1, 3, 2))
    merged = expression('rearrange(x, "b t c -> (b t) c")', "x: [B, T, 4]", x=X[:, :, :, 0])
    np.testing.assert_array_equal(merged, X[:, :, :, 0].reshape(12, 4))
    apart = expression('rearrange(reshape(x, [B * 3, 2]), "(b k) c -> b k c", k=3)', "x: [B, 6]", x=X[:, :, 0, 0])
    np.testing.assert_array_equal(apart, X[:, :, 0, 0].reshape(2, 3, 2))


def test_patterns_and_sizes_may_come_from_arguments() -> None:
    before = "fn heads(x: [B, T, d], h: int, pattern: string) -> [...R]:\n    return rearrange(x, pattern, h=h)\n"
    actual = expression('heads(x, 2, "b t (h k) -> b h t k")', "x: [B, 6, 4]", before, x=X[..., 0])
    np.testing.assert_array_equal(actual, X[..., 0].reshape(2, 6, 2, 2).transpose(0, 2, 1, 3))


# ---------------------------------------------------------------- random patterns

NAMES = ["a", "bb", "c_1", "d", "é"]


@st.composite
def patterns(draw: st.DrawFn) -> tuple[dict[str, int], list[list[str]], list[list[str]], list[str], str]:
    """Sizes of axes, both sides in groups, the axes that are dropped, and how."""
    names = NAMES[: draw(st.integers(1, 5))]
    sizes = {name: draw(st.integers(1, 3)) for name in names}
    dropped = [name for name in names if draw(st.integers(0, 3)) == 0]
    reducer = draw(st.sampled_from(["sum", "max", "min"]))
    kept = [name for name in names if name not in dropped]
    return sizes, _grouped(draw, names), _grouped(draw, kept), dropped, reducer


def _grouped(draw: st.DrawFn, names: list[str]) -> list[list[str]]:
    order = draw(st.permutations(names))
    groups: list[list[str]] = []
    for name in order:
        if groups and draw(st.booleans()):
            groups[-1].append(name)
        else:
            groups.append([name])
    for _ in range(draw(st.integers(0, 1))):
        groups.insert(draw(st.integers(0, len(groups))), [])
    return groups


def written(groups: list[list[str]]) -> str:
    return " ".join("1" if not g else g[0] if len(g) == 1 else f"({' '.join(g)})" for g in groups)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(patterns())
def test_random_patterns(pattern: tuple[dict[str, int], list[list[str]], list[list[str]], list[str], str]) -> None:
    sizes, left, right, dropped, reducer = pattern
    shape = [math.prod(sizes[name] for name in group) for group in left]
    x = numbers(*shape)
    flat = [name for group in left for name in group]
    known = "".join(f", {name}={sizes[name]}" for group in left for name in group[1:])
    text = f'"{written(left)} -> {written(right)}"'
    call = f"reduce(x, {text}, {reducer}{known})" if dropped else f"rearrange(x, {text}{known})"
    expected = x.reshape([sizes[name] for name in flat])
    if dropped:
        expected = getattr(expected, reducer)(tuple(flat.index(name) for name in dropped))
        flat = [name for name in flat if name not in dropped]
    expected = expected.transpose([flat.index(name) for group in right for name in group])
    expected = expected.reshape([math.prod(sizes[name] for name in group) for group in right])
    actual = expression(call, f"x: [{', '.join(map(str, shape))}]", x=x)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        'rearrange(x, "b c h w -> b c h")',
        'rearrange(x, "b c h -> b h c")',
        'rearrange(x, "b c h w")',
        'rearrange(x, "b b h w -> b h w")',
        'rearrange(x, "b c h w -> b c (h w")',
        'rearrange(x, "b c h w -> b c h) w")',
        'rearrange(x, "b c ((h) w) -> b c h w")',
        'rearrange(x, "b (c d) h w -> b c d h w")',
        'rearrange(x, "b (c d) h w -> b c d h w", c=4)',
        'rearrange(x, "b c h w -> b c w h", z=3)',
        'rearrange(x, "b c h w -> b c w h", c=5)',
        'rearrange(x, "b (...) -> b ...")',
        'rearrange(x, "b c h w z ... -> b c h w z ...")',
        'rearrange(x, "b 2 h w -> b h w")',
        'reduce(x, "b c -> b c d", mean)',
        'reduce(x, "b c h w -> b q", mean)',
        'rearrange(x, "b c h w -> b c % w h")',
        'rearrange(x, "b 1 h w -> b h w")',
        'rearrange(x, "... b ... -> b ...")',
        'reduce(x, "b c h w -> b c", argmax)',
    ],
)
def test_refused(text: str) -> None:
    assert codes(model(f"output y = {text}", "x: [2, 6, 4, 5]")) == ["AX0325"]


def test_what_cannot_be_told_is_refused_with_a_way_out() -> None:
    (finding,) = findings(model('output y = rearrange(x, "b (h d) -> b h d", h=2, d=3)', "x: [B, n]"))
    assert finding.code == "AX0305" and "declare it as 6" in (finding.help or "")
    assert codes(model('assert n == 6\noutput y = rearrange(x, "b (h d) -> b h d", h=2, d=3)', "x: [B, n]")) == []
    assert codes(model('output y = rearrange(x, "b (h d) -> b h d", h=2)', "x: [B, n]")) == ["AX0325"]
    assert codes(model('output y = reduce(x, "b c -> b", relu)')) == ["AX0325"]
    assert codes(model('output y = reduce(x, "b c -> b", 2)')) == ["AX0306"]
