"""Vector quantisation against NumPy: the nearest vector, the gradient that passes, the means that follow."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from tests.support.elaborated import initial, measures, model, numbers, outputs, program, run_steps, train_step

X = numbers(5, 2, 3)
START = numbers(4, 3, seed=1)


def nearest(x: Array, vectors: Array) -> Array:
    """The number of the vector next to each."""
    return ((x[..., None, :] - vectors) ** 2).sum(axis=-1).argmin(axis=-1)


def test_the_nearest_vector_with_the_gradient_of_its_input() -> None:
    body = (
        "q = VectorQuantiser(4)\nz, code, penalty = q(x)\noutput z = z\noutput code = code\noutput penalty = penalty\n"
    )
    body += "output slope = grad(sum(z * z), x)\noutput pull = grad(penalty, x)"
    moved = numbers(4, 3, seed=2)
    state = {"q.start": START, "q.moved": moved, "q.number": np.full(4, 2, np.float32)}
    found, vectors = outputs(program(model(body, "x: [5, 2, 3]")), state, x=X), START + moved / 2
    code = nearest(X, vectors)
    assert len(set(code.flat)) > 1
    np.testing.assert_array_equal(found["code"], code)
    np.testing.assert_allclose(found["z"], vectors[code], rtol=1e-5)
    np.testing.assert_allclose(found["slope"], 2 * vectors[code], rtol=1e-5)
    off = X - vectors[code]
    assert found["penalty"] == pytest.approx(0.25 * (off**2).sum(axis=-1).mean(), rel=1e-5)
    np.testing.assert_allclose(found["pull"], 0.25 * 2 * off / 10, rtol=1e-4, atol=1e-6)


def test_the_vectors_are_running_means_of_what_is_nearest_to_them() -> None:
    """In training; the numbers and the sums of appendix A.1 give the same."""
    text = model(
        "net = Dense(3, bias=false, init=identity)\nq = VectorQuantiser(4, decay=0.8)\nz, code, penalty = q(net(x))\n"
        "loss objective = penalty",
        "x: [10, 3]",
        after="train:\n    minimize objective with sgd(lr=0)\n",
    )
    of, x = program(text), X.reshape(10, 3)
    number, total = np.ones(4), START.astype(np.float64)
    start = {**initial(of), "q.start": START}
    for after in run_steps(train_step(of), start, {"x": x}, 3):
        mine = np.eye(4)[nearest(x, total / number[:, None])]
        number, total = 0.8 * number + 0.2 * mine.sum(axis=0), 0.8 * total + 0.2 * mine.T @ x
        np.testing.assert_allclose(
            after["q.start"] + after["q.moved"] / after["q.number"][:, None], total / number[:, None], rtol=1e-4
        )
    assert np.abs(total / number[:, None] - START).max() > 0.1


def test_vectors_that_follow_a_gradient() -> None:
    body = "q = VectorQuantiser(4, by=gradient)\nz, code, penalty = q(x)\noutput penalty = penalty\n"
    found = outputs(
        program(model(body + "output slope = grad(penalty, q.start)", "x: [5, 2, 3]")), {"q.start": START}, x=X
    )
    code = nearest(X, START)
    off = X - START[code]
    assert found["penalty"] == pytest.approx(1.25 * (off**2).sum(axis=-1).mean(), rel=1e-5)
    slope = np.stack([(-2 * off[code == k] / 10).sum(axis=0) for k in range(4)])
    np.testing.assert_allclose(found["slope"], slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("threshold", "units"), [(0.01, 3), (1.0, 2), (100.0, 0)])
def test_active_units(threshold: float, units: int) -> None:
    mean = np.array([[0, 1, 0.5, 7], [0, -2, 0.3, 2]], np.float32)  # variances 0, 2.25, 0.01, 6.25
    mean[:, 2] *= 3
    of = program(model(f"metric active = active_units(x, {threshold})\noutput y = x", "x: [B, 4]"))
    assert measures(of, x=mean)["active"] == units
