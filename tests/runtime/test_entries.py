"""Entries of a model: called on a trainer and on a run, and exported for onnxruntime alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

TEXT = """model Maker(width: int = 4):
    input x: [B, 3]
    decoder = Dense(3)
    noise: [B, 3] ~ normal(0, 0.1)
    output shaken = decoder(x + noise)
    loss objective = mse(decoder(x), x)
    entry sample(n: dim) -> [n, 3]:
        z: [n, 3] ~ normal(0, 1)
        return decoder(z)
    entry decode(z: [R, 3], k: i64[R]) -> (y: [R, 3], twice: i64[R]):
        return decoder(z), 2 * k
    entry tiled(z: [n, 3], n: dim) -> [n, 3]:
        return z

train:
    data = generate(points, n=16)
    epochs = 1
    minimize objective with sgd(lr=0.1)

fn points(n: int) -> (x: [n, 3]):
    x: [n, 3] ~ normal(0, 1)
    return x
"""


@pytest.fixture(scope="module")
def spec() -> Spec:
    return parse_spec(Source("maker.arch", TEXT))


@pytest.fixture(scope="module")
def run(spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return archonnx.train(spec, tmp_path_factory.mktemp("runs") / "maker", device="cpu")


@pytest.fixture(scope="module")
def trainer(run: Run) -> Trainer:
    return Trainer(program(TEXT), options=SessionOptions(device="cpu"), parameters=run.parameters)


def test_entries_and_their_arguments_are_listed(run: Run, trainer: Trainer) -> None:
    assert (
        run.entries
        == trainer.entries
        == {
            "sample": {"n": "i64[]"},
            "decode": {"z": "f32[R, 3]", "k": "i64[R]"},
            "tiled": {"z": "f32[n, 3]", "n": "i64[]"},
        }
    )
    assert sorted(path.name for path in (run.path / "entries").iterdir()) == [
        "decode.onnx",
        "sample.onnx",
        "tiled.onnx",
    ]


def test_an_entry_computes_what_it_says(run: Run, trainer: Trainer) -> None:
    z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for owner in (run, trainer):
        results = owner.call("decode", z=z, k=np.arange(5))
        weights = run.parameters
        np.testing.assert_allclose(results["y"], z @ weights["decoder.W"] + weights["decoder.b"], rtol=1e-5, atol=1e-6)
        assert results["twice"].tolist() == [0, 2, 4, 6, 8]


def test_draws_follow_the_seed_the_same_in_a_trainer_a_run_and_a_file(
    run: Run,
    trainer: Trainer,
    tmp_path: Path,
) -> None:
    first = run.call("sample", n=1000, seed=4)["sample"]
    assert first.shape == (1000, 3) and run.call("sample", n=0)["sample"].shape == (0, 3)
    np.testing.assert_allclose(trainer.call("sample", n=1000, seed=4)["sample"], first, rtol=1e-5, atol=1e-6)
    assert not np.allclose(run.call("sample", n=1000, seed=5)["sample"], first)
    centred = (first - run.parameters["decoder.b"]) @ np.linalg.inv(run.parameters["decoder.W"])
    np.testing.assert_allclose(np.cov(centred.T), np.eye(3), atol=0.2)  # what was drawn is normal
    for target in ("portable", "ort"):
        path = run.export(tmp_path / f"{target}.onnx", entry="sample", target=target)  # type: ignore[arg-type]
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        assert {i.name for i in session.get_inputs()} == {"n", "seed"}
        (drawn,) = session.run(None, {"n": np.array(1000), "seed": np.array(4)})
        np.testing.assert_allclose(drawn, first, rtol=1e-5, atol=1e-6)


def test_a_model_that_draws_is_exported_with_its_seed_alone(run: Run, trainer: Trainer, spec: Spec) -> None:
    assert [i.name for i in onnx.load(run.path / "model.onnx").graph.input] == ["x", "seed"]
    x = np.ones((4, 3), np.float32)
    np.testing.assert_allclose(trainer.predict({"x": x})["shaken"], run.predict({"x": x}, seed=0)["shaken"], rtol=1e-5)
    assert not np.allclose(run.predict({"x": x}, seed=1)["shaken"], run.predict({"x": x}, seed=0)["shaken"])
    compiled = archonnx.compile(spec).graphs
    for name, takes in (("infer", {"x", "seed"}), ("sample", {"n", "seed"})):
        assert {i.name for i in compiled[name].graph.input} == takes | {"decoder.W", "decoder.b"}


@pytest.mark.parametrize(
    ("entry", "arguments", "says"),
    [
        ("smple", {}, "did you mean `sample`"),
        ("sample", {}, "`n: i64[]` is not given"),
        ("sample", {"n": 3, "x": 1}, "no field `x`"),
        ("sample", {"n": -1}, "is a size; given: -1"),
        ("sample", {"n": 2.5}, "2.5 is a fraction"),
        ("tiled", {"n": 2, "z": np.zeros((3, 3), np.float32)}, "given: f32[3, 3], and n = 2"),
    ],
)
def test_wrong_calls_are_told(entry: str, arguments: dict[str, object], says: str, run: Run, trainer: Trainer) -> None:
    for owner in (run, trainer):
        with pytest.raises(SpecError) as caught:
            owner.call(entry, **arguments)
        assert any(says in f"{d.headline}\n{d.help}" for d in caught.value.diagnostics)


def test_exporting_an_entry_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no entry `smple`"):
        run.export(tmp_path / "m.onnx", entry="smple")
