"""``--watch grads``: the norms that a training step tells are those of its gradients and updates."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.cli.progress import norms_table
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.measures.watch import ROWS, Norms, shortened
from archonnx.runtime.training.observing import Epoch
from archonnx.runtime.training.trainer import Trainer
from benchmarks.catalogue.facts import Row
from benchmarks.catalogue.vanishing import add

SPEC = """\
model M():
    input  x: [B, 3]
    target y: [B, 2]
    h = x |> Dense(4) |> tanh |> Dense(2)
    loss objective = mse(h, y) * {scale}
    loss other = mean(h * h)

train:
    data = npz("data.npz")
    epochs = 3
    batch_size = 5
    {program}
"""
SGD = "minimize objective with sgd(lr=0.5)"
RNG = np.random.default_rng(0)
BATCH = {"x": RNG.normal(size=(5, 3)).astype(np.float32), "y": RNG.normal(size=(5, 2)).astype(np.float32)}


def spec(program: str = SGD, scale: str = "1") -> Spec:
    return parse_spec(Source("m.arch", SPEC.format(program=program, scale=scale)))


def trainer(of: Spec) -> Trainer:
    return Trainer(elaborate(of), options=SessionOptions("cpu"), watch=True)


def norm(array: np.ndarray) -> float:
    return float(np.sqrt(np.sum(array.astype(np.float64) ** 2)))


def test_norms_are_those_of_gradient_parameter_and_update() -> None:
    ours = trainer(spec())
    for _ in range(3):
        before, gradients = dict(ours.parameters), ours.gradients(BATCH)
        ours.step(BATCH)
        found = ours.runner.watch.take()
        assert list(found) == ["dense.0.W", "dense.0.b", "dense.1.W", "dense.1.b"]
        for path, norms in found.items():
            assert norms.gradient == pytest.approx(norm(gradients[path]), rel=1e-5)
            assert norms.parameter == pytest.approx(norm(before[path]), rel=1e-6)
            assert norms.update == pytest.approx(0.5 * norm(gradients[path]), rel=1e-5)


def test_an_epoch_has_the_root_of_the_mean_square() -> None:
    ours, squares = trainer(spec()), []
    for _ in range(4):
        squares.append(norm(ours.gradients(BATCH)["dense.0.W"]) ** 2)
        ours.step(BATCH)
    assert ours.runner.watch.take()["dense.0.W"].gradient == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-5)
    assert ours.runner.watch.take() == {}, "the next epoch begins anew"


def test_gradients_that_would_vanish_in_squares_of_f32_are_seen() -> None:
    ours = trainer(spec(scale="1e-30"))
    ours.step(BATCH)
    gradient = ours.runner.watch.take()["dense.1.W"].gradient
    assert 1e-32 < gradient < 1e-28


def test_clipping_shows_in_the_updates_and_not_in_the_gradients() -> None:
    free, bound = trainer(spec()), trainer(spec(f"clip_norm = 1e-3\n    {SGD}"))
    for ours in (free, bound):
        ours.step(BATCH)
    one, other = free.runner.watch.take(), bound.runner.watch.take()
    assert all(one[path].gradient == pytest.approx(other[path].gradient) for path in one)
    joint = math.hypot(*(norms.update for norms in other.values()))
    assert joint == pytest.approx(0.5 * 1e-3, rel=1e-3)


def test_statements_that_share_a_step_are_watched_together() -> None:
    program = (
        "together:\n        minimize objective over h1 with sgd(lr=0.1)\n"
        "        minimize other over h2 with adam(lr=0.1)"
    )
    text = SPEC.format(program=program, scale="1").replace(
        "    h = x |> Dense(4) |> tanh |> Dense(2)\n", "    h1 = Dense(4)\n    h2 = Dense(2)\n    h = h2(tanh(h1(x)))\n"
    )
    ours = trainer(parse_spec(Source("m.arch", text)))
    ours.step(BATCH)
    assert sorted(ours.runner.watch.take()) == ["h1.W", "h1.b", "h2.W", "h2.b"]


def test_nothing_is_computed_where_nobody_watches() -> None:
    model = elaborate(spec())
    program = model.programs[0]
    plain, watched = train_steps(model, program)[0], train_steps(model, program, watch=True)[0]
    assert "watch/squares" not in plain.graph.outputs and plain.watched == ()
    lines = print_graph(plain.graph).splitlines()
    assert set(lines) <= set(print_graph(watched.graph).splitlines()), "the rest is as it was"
    assert "f64" not in print_graph(plain.graph)


def test_a_run_keeps_the_norms_of_every_epoch(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **{name: np.concatenate([array] * 3) for name, array in BATCH.items()})
    file = tmp_path / "m.arch"
    file.write_text(SPEC.format(program=SGD, scale="1"))
    result = CliRunner().invoke(app, ["train", str(file), "--watch", "grads", "--out", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    history = archonnx.Run(tmp_path / "run").history
    assert [list(line["watch"]) for line in history] == [["dense.0.W", "dense.0.b", "dense.1.W", "dense.1.b"]] * 3
    for line in history:
        assert Epoch.from_json(line).as_json()["watch"] == line["watch"]
    shown = result.output.splitlines()
    first = next(i for i, line in enumerate(shown) if line.startswith("epoch 1/3"))
    assert shown[first + 1].split() == ["parameter", "gradient", "norm", "update", "/", "norm"]
    gradient = history[0]["watch"]["dense.0.W"]["gradient"]
    assert shown[first + 2].split()[:2] == ["dense.0.W", f"{gradient:.2e}"]
    unwatched = archonnx.train(file, tmp_path / "other")
    assert all("watch" not in line for line in unwatched.history)
    assert [line["train"] for line in unwatched.history] == [line["train"] for line in history], (
        "watching changes nothing"
    )


def test_what_cannot_be_watched_is_told(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["train", "xor", "--watch", "graads"]).exit_code == 2
    with pytest.raises(SpecError, match="cannot be watched"):
        archonnx.train("xor", tmp_path / "run", watch="graads")  # type: ignore[arg-type]


def test_many_parameters_are_shown_by_module() -> None:
    norms = {f"net.{i}.{name}": Norms(3.0, 4.0, 1.0) for i in range(15) for name in ("W", "b")}
    found, others = shortened(norms)
    assert list(found) == [f"net.{i}" for i in range(15)] and others == []
    assert found["net.3"] == Norms(math.hypot(3, 3), math.hypot(4, 4), math.hypot(1, 1))
    assert shortened(dict(list(norms.items())[:ROWS])) == (dict(list(norms.items())[:ROWS]), [])


def test_of_too_many_modules_those_with_extreme_gradients_are_shown() -> None:
    norms = {f"p{i}": Norms(float(i), 1.0, 1.0) for i in range(100)}
    found, others = shortened(norms)
    half = ROWS // 2
    assert list(found) == [f"p{i}" for i in (*range(half), *range(100 - half, 100))]
    assert sorted(of.gradient for of in others) == list(range(half, 100 - half))
    assert norms_table(norms)[-1] == "and 80 with gradients from 1.00e+01 to 8.90e+01"


def test_the_layers_of_a_deep_list_are_not_put_together() -> None:
    names = [f"layer.{i}.dense.{name}" for i in range(50) for name in ("W", "b")]
    norms = {name: Norms(2.0**-i, 1.0, 1.0) for i, name in enumerate([*names, "head.W", "head.b"])}
    found, others = shortened(norms)
    assert (len(found), len(others)) == (ROWS, 52 - ROWS) and {"layer.0", "layer.49", "head.b"} <= set(found)


def test_gradients_vanish_through_sigmoids_and_not_through_relus() -> None:
    row = Row("1.6", "", "003 6.2.5")
    add(row)
    for fact in row.facts:
        measured = fact.measure()
        assert measured.holds, measured.value


def test_history_lines_are_json() -> None:
    epoch = Epoch(1, {"l": 1.0}, {}, 0.1, False, {"w": Norms(1.0, 2.0, 3.0)})
    assert Epoch.from_json(json.loads(json.dumps(epoch.as_json()))) == epoch
