"""What the compiler hands over is data: it pickles, prints short, and what is derived of it later is the same."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import numpy as np
import pytest

from archonnx.compiler.gradients import gradient_graph
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.pipeline import elaborate, load, parse_spec, train_steps
from archonnx.compiler.program import WATCH, ModelProgram, TrainStep
from archonnx.compiler.steps import initial_state
from archonnx.compiler.trace import trace_loss, trace_outputs
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from tests.support.elaborated import run_steps
from tests.support.feeding import feed_fields

SPEC = """
fn halved(x: [...S]) -> [...S]:
    return x / 2
backward(dy):
    return halved(dy)

fn points(n: int) -> (x: [n, 2], y: [n, 1]):
    x: [n, 2] ~ normal(0, 1)
    return x, sum(x, axis=1, keep=true)

model M(width: int = 3, act: fn = tanh):
    input x: [B, 2]
    target y: [B, 1]
    hidden = Dense(width)
    h = x |> hidden |> act |> Dropout(0.1) |> halved
    output z: [B, 1] = Dense(1)(h)
    loss l = mse(z, y)
    entry scaled(k: [n, 2]) -> [n, 2]:
        return 2 * k

train first:
    data = generate(points, n=8)
    feed y = width * data.y
    minimize l with adam(lr=RATE)
    update hidden.b = 0.5 * hidden.b

train second:
    start_from = first
    for k in [1, 2]:
        minimize l with sgd(lr=0.1 / k)
"""
RATES = {
    "cosine_decay(0.1, steps)": True,
    "warmup_linear(0.1, steps_per_epoch, steps)": True,
    "step_decay(0.1, steps_per_epoch * 2)": True,
    "0.1 / steps": False,
    "0.1 if steps > 3 else 0.2": False,
}
"""Rates, and whether their steps can be built before the number of steps is known."""


def model(rate: str = "0.1") -> ModelProgram:
    return elaborate(parse_spec(Source("m.arch", SPEC.replace("RATE", rate))))


def graphs(of: ModelProgram) -> Iterator[Graph]:
    yield from (of.infer, of.evaluate, of.use.graph, of.training.graph, *of.entries.values())
    yield from (parameter.initial for parameter in of.parameters.values())
    yield from (gradient_graph(of, loss) for loss in of.losses)
    yield from (trace_loss(of, of.losses[0]).graph, trace_outputs(of).graph)
    for program in of.programs:
        for step in train_steps(of, program, 20, 5, watch=True):
            yield from (step.graph, *step.initial.values())


def shown(of: ModelProgram) -> list[str]:
    return [print_graph(graph) for graph in graphs(of)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_model_pickles_and_everything_derived_of_it_is_the_same(rate: str, protocol: int) -> None:
    of = model(rate)
    again = pickle.loads(pickle.dumps(of, protocol))
    assert shown(again) == shown(of)
    assert repr(again) == repr(of) and len(repr(of)) < 200
    assert [name.name for name in again.training.names] == [name.name for name in of.training.names]
    assert [program.plan for program in again.programs] == [program.plan for program in of.programs]


@pytest.mark.parametrize("name", ["digits_cnn", "newton_logistic", "max_norm", "xor"])
def test_specs_of_the_zoo_pickle(name: str) -> None:
    of = elaborate(load(name))
    assert shown(pickle.loads(pickle.dumps(of))) == shown(of)


def test_a_copy_is_a_model_of_its_own() -> None:
    of = model()
    again = copy.deepcopy(of)
    assert shown(again) == shown(of)
    assert not set(of.infer.values()) & set(again.infer.values())


def test_feeds_are_data_as_well() -> None:
    of = pickle.loads(pickle.dumps(model()))
    data = {"x": np.ones((4, 2), np.float32), "y": np.full((4, 1), 2.0, np.float32)}
    fed = feed_fields(of, of.programs[0], data)
    np.testing.assert_array_equal(fed["y"], 3 * data["y"])
    np.testing.assert_array_equal(fed["x"], data["x"])


@pytest.mark.parametrize(("rate", "is_open"), RATES.items())
@pytest.mark.parametrize(("total", "per_epoch"), [(1, 1), (7, 2), (20, 5)])
def test_steps_for_any_number_are_those_built_for_it(rate: str, is_open: bool, total: int, per_epoch: int) -> None:
    of = model(rate)
    assert (of.programs[0].steps is not None) is is_open
    built = elaborate(of.spec, lengths={"first": (total, per_epoch)}).programs[0].steps
    assert built is not None
    start = {path: np.ones(p.shape, np.float32) for path, p in of.parameters.items()}
    batch = {"x": np.ones((3, 2), np.float32), "y": np.zeros((3, 1), np.float32)}
    for one, two in zip(train_steps(of, of.programs[0], total, per_epoch), built, strict=True):
        assert not one.graph.op_symbols() - {"B"}
        for left, right in zip(run(one, start, batch), run(two, start, batch), strict=True):
            for name, array in left.items():
                np.testing.assert_allclose(array, right[name], rtol=1e-6)


def run(step: TrainStep, start: dict[str, np.ndarray], batch: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    return run_steps(step, start, batch, 3)


@pytest.mark.parametrize(
    ("rate", "unsaid"),
    [
        ("cosine_decay(0.1, steps)", "steps"),
        ("0.1 / steps", "steps"),
        ("0.1 / steps_per_epoch", "steps_per_epoch"),
        ("0.1 / (steps + steps_per_epoch)", "steps"),
    ],
)
def test_a_number_of_steps_that_nobody_said(rate: str, unsaid: str) -> None:
    of = model(rate)
    with pytest.raises(SpecError) as caught:
        train_steps(of, of.programs[0])
    assert [(d.code, d.headline.partition("`")[2].partition("`")[0]) for d in caught.value.diagnostics] == [
        ("AX0623", unsaid)
    ]


def test_what_is_wrong_with_the_steps_is_told_where_another_number_is_unsaid() -> None:
    of = model("0.1 / (steps - 5)")
    with pytest.raises(SpecError) as caught:
        train_steps(of, of.programs[0], 5)
    assert [d.code for d in caught.value.diagnostics] == ["AX0311"]


def test_a_state_may_be_as_long_as_the_training() -> None:
    text = SPEC.replace("adam(lr=RATE)", "remembering(steps)").replace("\nmodel", OPTIMIZER + "\nmodel")
    of = elaborate(parse_spec(Source("remembering.arch", text)))
    assert of.programs[0].steps is not None
    (step, _) = train_steps(of, of.programs[0], 7)
    state = initial_state(step)
    assert {array.shape for name, array in state.items() if "/seen/" in name} == {(7,)}
    assert all(array.shape == step.carried[name].static_shape for name, array in state.items())
    with pytest.raises(SpecError, match="AX0623"):
        train_steps(of, of.programs[0])


OPTIMIZER = """
optimizer remembering(length: int)(p: [...S], g: [...S], t: i64[]) -> [...S]:
    state seen: [length] = 0
    seen = seen + 1
    return p - 0.1 * g * mean(seen)
"""


FED = """
model M():
    input a: [B, 2 * n]
    input b: [B, n]
    target y: i64[B]
    loss l = mean(a) + mean(b) + mean(Dense(1)(f32(y)[:, none]))

train:
    minimize l with sgd
"""


def fed(feed: str, **data: np.ndarray) -> dict[str, np.ndarray]:
    text = FED.replace("train:", f"train:\n    {feed}")
    of = elaborate(parse_spec(Source("fed.arch", text)))
    return feed_fields(of, of.programs[0], data)


@pytest.mark.parametrize("more", [{}, {"word": np.array(["a", "b", "c", "d"])}])
def test_the_index_counts_examples_whatever_else_the_data_has(more: dict[str, np.ndarray]) -> None:
    data = more | {"a": np.ones((4, 6)), "b": np.ones((4, 3))}
    np.testing.assert_array_equal(fed("feed y = data.index", **data)["y"], np.arange(4))


def test_the_index_counts_texts_where_there_is_nothing_else() -> None:
    feed = "feed y = data.index\n    feed a = zeros([3, 4])\n    feed b = zeros([3, 2])"
    np.testing.assert_array_equal(fed(feed, word=np.array(["a", "b", "c"]))["y"], np.arange(3))


def test_dims_of_data_agree_in_whatever_order_the_fields_come() -> None:
    with pytest.raises(SpecError, match="AX0708"):
        fed("feed y = data.index", a=np.ones((4, 5)), b=np.ones((4, 2)))


def test_a_feed_draws_nothing() -> None:
    feed = "feed y = data.index\n    feed a = data.a + noise([1, 6])"
    text = FED.replace("train:", f"train:\n    {feed}")
    text += "\nfn noise(s: list) -> [...R]:\n    e: [...s] ~ normal(0, 1)\n    return e\n"
    of = elaborate(parse_spec(Source("drawn.arch", text)))
    with pytest.raises(SpecError, match="AX0708"):
        feed_fields(of, of.programs[0], {"a": np.ones((4, 6)), "b": np.ones((4, 3))})


def test_watching_adds_an_output_and_changes_nothing_else() -> None:
    of = model()
    plain, update = train_steps(of, of.programs[0])
    watched, same = train_steps(of, of.programs[0], watch=True)
    assert set(watched.graph.outputs) - set(plain.graph.outputs) == {WATCH}
    assert same is update and not update.gradients
    assert set(watched.watched) == set(plain.gradients) == {p for p, q in of.parameters.items() if q.trainable}


def test_the_state_of_a_step_starts_from_graphs() -> None:
    of = model()
    (step, _) = train_steps(of, of.programs[0])
    state = initial_state(step)
    assert {name.split("/")[1] for name in state} == {"t", "m", "v"}
    assert all(array.shape == step.carried[name].static_shape for name, array in state.items())


def test_a_bound_graph_is_bound_in_what_it_names() -> None:
    of = model("cosine_decay(0.1, steps)")
    (step, _) = train_steps(of, of.programs[0], 20, 5)
    bound = bind(step.graph, {"B": 4})
    assert {value.shape[0].constant for name, value in bound.inputs.items() if name in ("x", "y")} == {4}
    assert all(g in set(step.graph.values()) for g in step.gradients.values())
