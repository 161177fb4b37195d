"""Entries: graphs of their own over the model's parameters, the same in NumPy and in plain onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from archonnx.runtime.export.models import inference_model
from tests.support.elaborated import codes, findings, initial, model, numbers, output, program
from tests.support.entries import entry, entry_value

X = numbers(3, 4)
MAKER = """
model Maker(width: int = 4, latent: int = 3):
    input x: [B, 4]
    decoder = Dense(width)
    param shift: [width] = 0.5
    twice = 2 * shift
    code = x |> Dense(latent)
    output y = decoder(code)

    fn shifted(z: [R, latent]) -> [R, width]:
        return decoder(z) + twice

    entry decode(z: [R, latent]) -> [R, width]:
        return shifted(z)

    entry both(z: [R, latent], k: i64[R]) -> (value: [R, width], next: i64[R]):
        return decoder(z), k + 1

    entry pair(z: [R, latent]) -> ([R], [R]):
        y = decoder(z)
        return min(y, axis=1), max(y, axis=1)

    entry grid(z: [latent], rows: dim, columns: dim) -> [rows, columns, width]:
        at = linspace(0, 1, rows)[:, none] + f32(arange(columns))[none, :]
        return decoder(at[:, :, none] * z)

    entry sized(z: [R, latent], n: dim) -> (i64[], i64[], [R + n, latent]):
        return R * n, n + 1, concat([z, zeros([n, latent])], axis=0)

    entry sample(n: dim) -> [n, width]:
        z: [n, latent] ~ normal(0, 1)
        return decoder(z)

    entry noisy(z: [R, latent]) -> (a: [R, latent], b: [R, latent], k: i64[R]):
        e: [R, latent] ~ normal(0, 1)
        f: [R, latent] ~ uniform(0, 1)
        k: i64[R] ~ randint(0, 5)
        return z + e, z + f, k

    entry constant() -> [width]:
        return twice
"""


def weights() -> dict[str, np.ndarray]:
    return {name: value.astype(np.float64) for name, value in initial(program(MAKER)).items()}


def test_an_entry_calls_modules_and_methods_and_reads_the_setup() -> None:
    z, w = numbers(5, 3), weights()
    expected = z @ w["decoder.W"] + w["decoder.b"] + 1
    np.testing.assert_allclose(entry_value(MAKER, "decode", z=z), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(entry_value(MAKER, "constant"), np.ones(4))


def test_entries_share_the_models_parameters() -> None:
    of = program(MAKER)
    assert list(of.parameters) == ["shift", "dense.W", "dense.b", "decoder.W", "decoder.b"]
    assert set(of.entries["decode"].inputs) == {"z", "decoder.W", "decoder.b", "shift"}
    z = numbers(2, 3)
    changed = {"decoder.W": np.ones((3, 4)), "decoder.b": np.full(4, 2.0), "shift": np.zeros(4)}
    expected = np.tile(z.sum(1, keepdims=True) + 2, 4)
    np.testing.assert_allclose(entry_value(of, "decode", changed, z=z), expected, rtol=1e-5)


def test_several_results_bear_their_names() -> None:
    z, k, w = numbers(5, 3), np.arange(5), weights()
    y = z @ w["decoder.W"] + w["decoder.b"]
    both = entry(MAKER, "both", z=z, k=k)
    np.testing.assert_allclose(both["value"], y, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(both["next"], k + 1)
    low, high = entry(MAKER, "pair", z=z).values()
    np.testing.assert_allclose([low, high], [y.min(1), y.max(1)], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(2, 1), (3, 2), (2, 5)])
def test_dim_arguments_size_what_is_made(rows: int, columns: int) -> None:
    z, w = numbers(3), weights()
    at = np.linspace(0, 1, rows)[:, None] + np.arange(columns)
    expected = (at[..., None] * z) @ w["decoder.W"] + w["decoder.b"]
    actual = entry_value(MAKER, "grid", z=z, rows=rows, columns=columns)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("r", "n"), [(2, 3), (1, 0), (0, 2)])
def test_dims_are_numbers_when_an_entry_runs(r: int, n: int) -> None:
    z = numbers(r, 3)
    product, after, padded = entry(MAKER, "sized", z=z, n=n).values()
    assert (product, after) == (r * n, n + 1)
    np.testing.assert_array_equal(padded, np.concatenate([z, np.zeros((n, 3))]))


def test_draws_of_an_entry_follow_its_seed() -> None:
    w = weights()
    first, again, other = (entry_value(MAKER, "sample", n=2000, seed=seed, tolerance=1e-4) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    z = (first - w["decoder.b"]) @ np.linalg.pinv(w["decoder.W"])
    np.testing.assert_allclose(z.mean(0), np.zeros(3), atol=0.1)
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.15)


def test_draws_of_one_entry_differ_from_each_other_and_from_other_entries() -> None:
    noisy = entry(MAKER, "noisy", z=np.zeros((400, 3)), tolerance=1e-4)
    assert abs(np.corrcoef(noisy["a"].ravel(), noisy["b"].ravel())[0, 1]) < 0.1
    assert set(noisy["k"]) == set(range(5))
    assert noisy["b"].min() > 0 and noisy["b"].max() < 1


def test_a_dim_argument_is_an_i64_input_even_where_only_shapes_need_it() -> None:
    exported = inference_model(program(MAKER), initial(program(MAKER)), entry="sample")
    types = {i.name: i.type.tensor_type for i in exported.graph.input}
    assert set(types) == {"n", "seed"}
    assert types["n"].elem_type == onnx.TensorProto.INT64 and not types["n"].shape.dim
    onnx.checker.check_model(exported, full_check=True)


def test_an_entry_may_be_written_before_what_it_uses() -> None:
    text = model("entry half(z: [R, 4]) -> [R, 2]:\n    return net(z) / k\nk = 2.0\nnet = Dense(2)\noutput y = net(x)")
    w = initial(program(text))["net.W"]
    np.testing.assert_allclose(entry_value(text, "half", z=X), X @ w / 2, rtol=1e-5, atol=1e-6)


def test_asserts_of_an_entry_are_facts_in_it() -> None:
    text = model("output y = x\nentry head(z: [R, 4], n: dim) -> [n, 4]:\n    assert n <= R\n    return z[:n]")
    np.testing.assert_array_equal(entry_value(text, "head", z=X, n=2), X[:2])
    assert codes(text.replace("        assert n <= R\n", "")) == ["AX0317"]


def test_training_is_false_in_an_entry() -> None:
    text = model("drop = Dropout(0.5)\ny = drop(x)\noutput z = y\nentry e(z: [R, 4]) -> [R, 4]:\n    return drop(z)")
    np.testing.assert_array_equal(entry_value(text, "e", z=X), X)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("entry e(z: [R, 4]) -> [R, 2]:\n    return z |> Dense(2)", "AX0220"),
        ("entry e(z: [R, 4]) -> [R, 4]:\n    other = copy(net)\n    return other(z)", "AX0220"),
        ("idle = Dense(2)\nentry e(z: [R, 4]) -> [R, 2]:\n    return idle(z)", "AX0220"),
        ("entry e(z: [R, 4]) -> [R, 4]:\n    param w: [4] = 0\n    return z * w", "AX0212"),
        ("entry e(z: [R, 4]) -> [R, 4]:\n    return z + x", "AX0201"),
        ("entry e(z: [R, 4]) -> [R, 4]:\n    return z + y", "AX0201"),
        ("entry e(z: [R, 4]) -> [R, 5]:\n    return z", "AX0304"),
        ("entry e(z: [R, 4]) -> ([R, 4], [R]):\n    return z", "AX0307"),
        ("entry e(z: [R, 4], k: int) -> [R, 4]:\n    return z", "AX0209"),
        ("entry e(z: [...S, 4]) -> [...S, 4]:\n    return z", "AX0209"),
        ("entry e(z: [R, 4] = 0) -> [R, 4]:\n    return z", "AX0209"),
        ("entry e(seed: [R]) -> [R]:\n    return seed", "AX0205"),
        ("entry e(seed: dim) -> [seed]:\n    return zeros([seed])", "AX0205"),
        ("entry loss(z: [R]) -> [R]:\n    return z", "AX0205"),
        ("entry z(z: [R]) -> [R]:\n    return 2 * z", "AX0205"),
        ("entry e(z: [R]) -> (z: [R]):\n    return 2 * z", "AX0205"),
        ("entry seed(z: [R]) -> [R]:\n    return z + normal([R])", "AX0205"),
        ("entry e(z: [R]) -> [R]:\n    return z\nentry e(z: [R]) -> [R]:\n    return z", "AX0205"),
        ("entry e(z: [R]) -> [R]:\n    z = z + 1", "AX0210"),
    ],
)
def test_refused(written: str, code: str) -> None:
    assert codes(model("net = Dense(4)\noutput y = net(x)\n" + written)) == [code]


def test_mistakes_of_two_entries_are_told_together() -> None:
    text = model("output y = x\nentry a(z: [R]) -> [R]:\n    return z + u\nentry b(z: [R]) -> [R]:\n    return z + v")
    assert [f.headline for f in findings(text)] == ["unknown name `u`", "unknown name `v`"]


def test_the_outputs_are_not_touched_by_entries() -> None:
    of = program(MAKER)
    w = weights()
    expected = (X @ w["dense.W"] + w["dense.b"]) @ w["decoder.W"] + w["decoder.b"]
    np.testing.assert_allclose(output(of, x=X), expected, rtol=1e-4, atol=1e-5)
    assert set(of.infer.inputs) == {"x", "dense.W", "dense.b", "decoder.W", "decoder.b"}


def test_every_argument_is_an_input_in_the_order_of_the_declaration() -> None:
    """Also one that nothing depends on, whose dims nothing else has: an entry is called as it is declared."""
    text = model(
        "net = Dense(1)\noutput y = net(x)\n"
        "entry f(unused: [k], z: [n, 4], size: dim, mask: bool[n]) -> [n, 1]:\n    return net(z)",
        "x: [B, 4]",
    )
    of = program(text)
    own = [name for name in of.entries["f"].inputs if name not in of.parameters]
    assert own == ["unused", "z", "size", "mask"]
    exported = inference_model(of, initial(of), entry="f")
    assert [value.name for value in exported.graph.input] == own
