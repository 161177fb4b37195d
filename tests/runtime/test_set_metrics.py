"""``metric NAME over set``: scikit-learn's value over the whole set, whatever the batches."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

import archonnx
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.data import Examples
from archonnx.runtime.fit import measure
from archonnx.runtime.session import Options
from archonnx.runtime.set_metrics import set_metric
from archonnx.runtime.trainer import Trainer
from tests.support.elaborated import codes, program

CPU = Options(device="cpu", threads=1)
BINARY = ("precision", "recall", "f1_score")
MANY = ("macro_f1", "balanced_accuracy", "matthews_corrcoef", "cohen_kappa")
MODEL = """model Judged():
    input x: [B, 3]
    target label: i64[B]
    target kind: i64[B]
    target y: [B, 2]
    logits = Dense(4)(x)
    output guess = logits
    loss objective = cross_entropy(logits, kind)
    metric hits = accuracy(logits, kind)
    metric auc over set = roc_auc(logits[:, 0], label)
    metric ap over set = average_precision(target=label, prediction=sigmoid(logits[:, 0]))
    metric r2 over set = r2_score(logits[:, :2], y)
    metric itself over set = r2_score(y, y)
"""
MODEL += "".join(f"    metric m_{name} over set = {name}(logits[:, 0] > 0, label)\n" for name in BINARY)
MODEL += "".join(f"    metric m_{name} over set = {name}(argmax(logits, axis=1), kind)\n" for name in MANY)
TRAIN = """
train:
    data = generate(points, n=60)
    split = {train: 30, valid: 20, test: 10}
    batch_size = 7
    epochs = 4
    minimize objective with sgd(lr=0.1)
    early_stopping = {monitor: valid.auc, patience: 9}

fn points(n: int) -> (x: [n, 3], label: i64[n], kind: i64[n], y: [n, 2]):
    x: [n, 3] ~ normal(0, 1)
    label = i64(x[:, 0] + x[:, 1] > 0)
    return x, label, label + 2 * i64(x[:, 2] > 0), x[:, :2]
"""


def fields(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "x": rng.normal(size=(count, 3)).astype(np.float32),
        "label": rng.integers(0, 2, count),
        "kind": rng.integers(0, 4, count),
        "y": rng.normal(size=(count, 2)).astype(np.float32),
    }


@pytest.mark.parametrize("size", [1, 7, 40, "all"])
def test_every_function_is_that_of_scikit_learn_over_the_whole_set(size: int) -> None:
    of = program(MODEL + TRAIN)
    trainer, data = Trainer(of, options=CPU), fields(40)
    settings = of.programs[0].settings.model_copy(update={"batch_size": size})
    examples = Examples(data, {name: field.type for name, field in of.fields.items()})
    got = measure(trainer, examples, np.random.default_rng(1).permutation(40), settings)
    logits, label, kind = trainer.predict({"x": data["x"]})["guess"], data["label"], data["kind"]
    hard, chosen = logits[:, 0] > 0, logits.argmax(axis=1)
    expected = {
        "auc": metrics.roc_auc_score(label, logits[:, 0]),
        "ap": metrics.average_precision_score(label, logits[:, 0]),
        "r2": metrics.r2_score(data["y"], logits[:, :2]),
        "itself": 1.0,
        "m_precision": metrics.precision_score(label, hard),
        "m_recall": metrics.recall_score(label, hard),
        "m_f1_score": metrics.f1_score(label, hard),
        "m_macro_f1": metrics.f1_score(kind, chosen, average="macro"),
        "m_balanced_accuracy": metrics.balanced_accuracy_score(kind, chosen),
        "m_matthews_corrcoef": metrics.matthews_corrcoef(kind, chosen),
        "m_cohen_kappa": metrics.cohen_kappa_score(kind, chosen),
        "hits": np.mean(chosen == kind),
    }
    assert {metric.function for metric in of.set_metrics.values()} == set(SET_FUNCTIONS)
    assert set(got) == {"objective", *expected} == {*of.losses, *of.metrics}
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert trainer.evaluate(data) == pytest.approx(got, rel=1e-4, abs=1e-6)  # the batch is the set


def test_they_are_watched_and_written_with_the_others(tmp_path: Path) -> None:
    run = archonnx.train(parse_spec(Source("judged.arch", MODEL + TRAIN)), tmp_path / "run", device="cpu")
    history = [line["valid"]["auc"] for line in run.history]
    assert run.record["programs"][0]["best_epoch"] == int(np.argmax(history)) + 1
    assert run.metrics["valid"]["auc"] == pytest.approx(max(history))
    assert run.evaluate("test") == pytest.approx(run.metrics["test"])
    assert ">auc</text>" in (run.path / "curve.svg").read_text()


def test_a_search_may_maximize_one() -> None:
    search = "\nsearch:\n    lr = loguniform(1e-4, 1e-1)\n    maximize valid.GOAL\n    trials = 2\n"
    text = MODEL.replace("Judged()", "Judged(lr: float = 0.1)") + TRAIN + search
    assert codes(text.replace("GOAL", "auc")) == [] != codes(text.replace("GOAL", "acu"))


def test_what_is_not_defined_is_nan_and_other_classes_are_refused() -> None:
    assert math.isnan(set_metric("roc_auc", np.array([0.1, 0.9]), np.array([1, 1])))
    assert math.isnan(set_metric("r2_score", np.array([0.1, math.nan]), np.array([1.0, 2.0])))
    assert set_metric("roc_auc", np.array([[0.1], [0.9]]), np.array([[0.0], [1.0]], np.float32)) == 1
    for prediction, target in (([0, 1, 1], [0, 1, 2]), ([0, 3, 1], [0, 1, 1])):
        with pytest.raises(SpecError, match="`f1_score` of the metric `f` takes classes 0 and 1, and there is a"):
            set_metric("f1_score", np.array(prediction), np.array(target), "f")
