"""Initial values and draws: what they depend on, and what they do not."""

from __future__ import annotations

import numpy as np

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.steps import initial_state
from tests.support.elaborated import SEED, initial, measures, model, numbers, output, program, train_step

X = np.ones((64, 32), np.float32)


def trained_losses(of: ModelProgram, step: int = 0, seed: int = SEED, **fields: Array) -> dict[str, Array]:
    """The losses of the first training statement, before its update."""
    statement = train_step(of)
    values = {"seed": seed, "step": step, **initial(of), **initial_state(statement), **fields}
    result = interpret(statement.graph, {name: values[name] for name in statement.graph.inputs})
    return {name: result[name] for name in statement.losses}


# ---------------------------------------------------------------- initial values


def test_initial_values_depend_on_seed_and_path_alone() -> None:
    small = program(model("net = Dense(4)\noutput y = net(x)"))
    more = "param first: [4] ~ normal(0, 1)\nz = x |> Dense(4) |> relu\n"
    large = program(model(more + "net = Dense(4)\noutput y = net(x) + z * first"))
    np.testing.assert_array_equal(initial(small)["net.W"], initial(large)["net.W"])
    assert not np.array_equal(initial(large)["net.W"], initial(large)["dense.W"])
    assert not np.array_equal(initial(small, 1)["net.W"], initial(small, 2)["net.W"])
    np.testing.assert_array_equal(initial(small, 1)["net.W"], initial(small, 1)["net.W"])


def test_initial_values_do_not_depend_on_their_place_in_the_spec() -> None:
    one = program(model("a = Dense(4)\nb = Dense(4)\noutput y = b(a(x))"))
    other = program(model("y1 = x\nb = Dense(4)\na = Dense(4)\noutput y = a(x) + b(y1)"))
    for path in ("a.W", "b.W"):
        np.testing.assert_array_equal(initial(one)[path], initial(other)[path])


def test_modules_in_a_loop_begin_differently() -> None:
    values = initial(program(model("for i in range(3):\n    x = x |> Dense(4, bias=false)\noutput y = x")))
    first, second, third = values.values()
    assert not np.array_equal(first, second) and not np.array_equal(second, third)


def test_initial_values_may_be_numbers_lists_and_expressions() -> None:
    body = "k = 2\nparam a: [4] = k * 3\nparam b: [2, 2] = [[1, 2], [3, 4]]\n"
    body += "param c: [4] ~ ones\nparam d: [2, 2] = eye(2) * k\n"
    values = initial(program(model(body + "output y = x * a * c * sum(b) * sum(d)")))
    np.testing.assert_array_equal(values["a"], np.full(4, 6))
    np.testing.assert_array_equal(values["b"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(values["c"], np.ones(4))
    np.testing.assert_array_equal(values["d"], 2 * np.eye(2))


# ---------------------------------------------------------------- draws


def drawn(text: str, step: int = 0, seed: int = SEED) -> Array:
    """The only output of a model over X, at a step."""
    return output(program(model(text, "x: [B, 32]")), {"step": step, "seed": seed}, x=X)


def test_a_draw_is_a_function_of_seed_and_step() -> None:
    text = "z: [B, 32] ~ normal(0, 1)\noutput y = x + z"
    np.testing.assert_array_equal(drawn(text, 3), drawn(text, 3))
    assert not np.array_equal(drawn(text, 3), drawn(text, 4))
    assert not np.array_equal(drawn(text, 3, seed=1), drawn(text, 3, seed=2))


def test_two_sites_differ() -> None:
    text = "a: [B, 32] ~ normal(0, 1)\nb: [B, 32] ~ normal(0, 1)\noutput y = a - b + 0 * x"
    assert np.count_nonzero(drawn(text)) > 2000


def test_a_draw_does_not_change_when_another_is_added_after_it() -> None:
    text = "a: [B, 32] ~ normal(0, 1)\noutput y = a + 0 * x"
    np.testing.assert_array_equal(drawn(text), drawn(text.replace("output", "b: [B, 32] ~ uniform()\noutput")))


def test_applications_loops_and_calls_draw_anew() -> None:
    before = (
        "block Noise()(x: [...S]) -> [...S]:\n    z: [...S] ~ normal(0, 1)\n    return z\n"
        "fn noise(x: [...S]) -> [...S]:\n    z: [...S] ~ normal(0, 1)\n    return z\n"
    )
    for text in (
        "n = Noise()\noutput y = n(x)\noutput z = n(x)",
        "output y = noise(x)\noutput z = noise(x)",
        "a = [noise(x) for i in range(2)]\noutput y = a[0]\noutput z = a[1]",
        "a = []\nfor i in range(2):\n    d: [B, 32] ~ normal(0, 1)\n    a = a + [d]\noutput y = a[0]\noutput z = a[1]",
    ):
        of = program(model(text, "x: [B, 32]", before))
        given = {"x": X, "seed": SEED, "step": 0}
        result = interpret(of.infer, {name: given[name] for name in of.infer.inputs}, {"B": len(X)})
        assert not np.array_equal(result["y"], result["z"]), text
        assert abs(np.corrcoef(result["y"].ravel(), result["z"].ravel())[0, 1]) < 0.1, text


def test_dropout_works_in_training_alone() -> None:
    after = "\ntrain:\n    minimize objective with sgd(lr=0.1)\n"
    text = model(
        "param w: [] = 1\nd = Dropout(0.25)\na = d(x)\nb = d(x)\n"
        "loss objective = w * mean(a)\nloss differ = mean(abs(a - b))\nloss zeros = mean(f32(a == 0))",
        "x: [B, 32]",
        after=after,
    )
    of = program(text)
    judged = measures(of, x=X)
    assert judged["objective"] == 1 and judged["differ"] == 0 and judged["zeros"] == 0
    assert "seed" not in of.evaluate.inputs
    first, again, later = (trained_losses(of, step, x=X) for step in (0, 0, 1))
    assert abs(first["zeros"] - 0.25) < 0.03 and abs(first["objective"] - 1) < 0.05
    assert first["differ"] > 0.3, "two applications of one module draw anew"
    assert first == again and first != later


def test_gradients_flow_through_a_reparameterised_draw() -> None:
    after = "\ntrain:\n    minimize objective with sgd(lr=0.1)\n"
    body = "param mu: [] = 0.5\nparam sigma: [] = 2\nz: [B, 32] ~ normal(mu, sigma)\n"
    of = program(model(body + "loss objective = mean(z * z) + 0 * mean(x)", "x: [B, 32]", after=after))
    graph = gradient_graph(of, "objective")
    values = {"x": X, "seed": SEED, "step": 0, "mu": 0.5, "sigma": 2.0}
    actual = interpret(graph, {name: values[name] for name in graph.inputs}, {"B": len(X)})
    np.testing.assert_allclose(actual["grad/mu"], 2 * 0.5, atol=0.3)
    np.testing.assert_allclose(actual["grad/sigma"], 2 * 2.0, atol=0.4)


def test_a_masked_gradient_matches_the_mask() -> None:
    """The mask of the forward pass is the mask of the gradient: they are one draw."""
    after = "\ntrain:\n    minimize objective with sgd(lr=0.1)\n"
    of = program(model("param w: [32] = 1\nloss objective = sum(Dropout(0.5)(x * w))", "x: [B, 32]", after=after))
    x = numbers(8, 32)
    values = {"x": x, "seed": SEED, "step": 5, "w": np.ones(32, np.float32)}
    graph = gradient_graph(of, "objective")
    slope = interpret(graph, {name: values[name] for name in graph.inputs})["grad/w"]
    np.testing.assert_allclose(slope.sum(), trained_losses(of, 5, x=x)["objective"], rtol=1e-4)
