"""``metric NAME over set``: scikit-learn's value over the whole set, whatever the batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

import archonnx
from archonnx.cli.output import confusion_rows
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.columns import columns
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.measures.set_metrics import set_metric
from archonnx.runtime.training.measuring import measure
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import codes, program
from tests.support.oracles.activations import sigmoid, softmax

CPU = SessionOptions(device="cpu", threads=1)
MODEL = """model Judged():
    input x: [B, 3]
    target label: i64[B]
    target kind: i64[B]
    target y: [B, 2]
    logits = Dense(4)(x)
    output guess = logits
    probs = softmax(logits)
    hard = logits[:, 0] > 0
    chosen = argmax(logits, axis=1)
    loss objective = cross_entropy(logits, kind)
    metric hits = accuracy(logits, kind)
    metric auc over set = roc_auc(logits[:, 0], label)
    metric ap over set = average_precision(target=label, prediction=sigmoid(logits[:, 0]))
    metric itself over set = r2_score(y, y)
"""
PLAIN = MODEL
"""With a few metrics only: quicker to train."""
Compute = Callable[[Array, Array, Array, Array], float]
OF_CLASSES = {
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
    "f1_score": metrics.f1_score,
    "jaccard": metrics.jaccard_score,
}
BINARY: dict[str, Compute] = {
    f"{name}(hard, label{option})": (
        lambda label, kind, y, logits, f=f, keywords=keywords: f(label, logits[:, 0] > 0, **keywords)
    )
    for name, f in OF_CLASSES.items()
    for option, keywords in {"": {}, ", average=binary": {}, ", average=macro": {"average": "macro"}}.items()
}
"""Functions of two classes."""
AVERAGED: dict[str, Compute] = {
    f"{name}(chosen, kind, average={average})": (
        lambda label, kind, y, logits, f=f, average=average: f(kind, logits.argmax(1), average=average)
    )
    for name, f in OF_CLASSES.items()
    for average in ("macro", "micro", "weighted")
}
"""The same of four classes."""
OTHERS: dict[str, Compute] = {
    "f_beta(hard, label, beta=2)": lambda label, kind, y, logits: metrics.fbeta_score(label, logits[:, 0] > 0, beta=2),
    "f_beta(chosen, kind, average=macro, beta=0.5)": lambda label, kind, y, logits: metrics.fbeta_score(
        kind, logits.argmax(1), beta=0.5, average="macro"
    ),
    "balanced_accuracy(chosen, kind)": lambda label, kind, y, logits: metrics.balanced_accuracy_score(
        kind, logits.argmax(1)
    ),
    "matthews_corrcoef(chosen, kind)": lambda label, kind, y, logits: metrics.matthews_corrcoef(kind, logits.argmax(1)),
    "cohen_kappa(chosen, kind)": lambda label, kind, y, logits: metrics.cohen_kappa_score(kind, logits.argmax(1)),
    "roc_auc(probs, kind)": lambda label, kind, y, logits: metrics.roc_auc_score(
        kind, softmax(logits), multi_class="ovr"
    ),
    "roc_auc(probs, kind, average=weighted)": lambda label, kind, y, logits: metrics.roc_auc_score(
        kind, softmax(logits), multi_class="ovr", average="weighted"
    ),
    "roc_auc(probs, kind, against=each)": lambda label, kind, y, logits: metrics.roc_auc_score(
        kind, softmax(logits), multi_class="ovo"
    ),
    "average_precision(probs, kind)": lambda label, kind, y, logits: metrics.average_precision_score(
        kind, softmax(logits)
    ),
    "average_precision(logits, kind, average=micro)": lambda label, kind, y, logits: metrics.average_precision_score(
        kind, logits, average="micro"
    ),
    "log_loss(sigmoid(logits[:, 0]), label)": lambda label, kind, y, logits: metrics.log_loss(
        label, sigmoid(logits[:, 0])
    ),
    "log_loss(probs, kind)": lambda label, kind, y, logits: metrics.log_loss(kind, softmax(logits)),
    "perplexity(probs, kind)": lambda label, kind, y, logits: float(
        np.exp(-np.mean(np.log(softmax(logits)[range(len(kind)), kind])))
    ),
    "brier_score(sigmoid(logits[:, 0]), label)": lambda label, kind, y, logits: float(
        np.mean((sigmoid(logits[:, 0]) - label) ** 2)
    ),
    "r2_score(logits[:, :2], y)": lambda label, kind, y, logits: metrics.r2_score(y, logits[:, :2]),
    "explained_variance(logits[:, 0], y[:, 0])": lambda label, kind, y, logits: metrics.explained_variance_score(
        y[:, 0], logits[:, 0]
    ),
    "rmse(logits[:, 0], y[:, 0])": lambda label, kind, y, logits: float(
        np.sqrt(np.mean((y[:, 0] - logits[:, 0]) ** 2))
    ),
    "median_absolute_error(logits[:, 0], y[:, 0])": lambda label, kind, y, logits: float(
        np.median(abs(y[:, 0] - logits[:, 0]))
    ),
}
CASES = BINARY | AVERAGED | OTHERS
MODEL += "".join(f"    metric m{i} over set = {call}\n" for i, call in enumerate(CASES))
MODEL += "    metric confusion over set = confusion_matrix(chosen, kind)\n"
MODEL += "    metric shares over set = confusion_matrix(hard, label, shares=rows)\n"
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
    measured = measure(trainer, examples, np.random.default_rng(1).permutation(40), settings)
    got, both = measured.figures, measured.tables
    logits, label, kind, y = trainer.predict({"x": data["x"]})["guess"], data["label"], data["kind"], data["y"]
    expected = {f"m{i}": compute(label, kind, y, logits) for i, compute in enumerate(CASES.values())} | {
        "auc": metrics.roc_auc_score(label, logits[:, 0]),
        "ap": metrics.average_precision_score(label, logits[:, 0]),
        "itself": 1.0,
        "hits": np.mean(logits.argmax(1) == kind),
    }
    assert {metric.function for metric in of.set_metrics.values()} == set(SET_FUNCTIONS)
    assert set(got) == {"objective", *expected} == {*of.losses, *of.metrics}
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert both["confusion"].classes == (0, 1, 2, 3)
    np.testing.assert_array_equal(both["confusion"].counts, metrics.confusion_matrix(kind, logits.argmax(1)))
    shares = metrics.confusion_matrix(label, logits[:, 0] > 0, normalize="true")
    np.testing.assert_allclose(both["shares"].counts, shares)
    assert trainer.evaluate(data) == pytest.approx(got, rel=1e-4, abs=1e-6)  # the batch is the set


def test_they_are_watched_and_written_with_the_others(tmp_path: Path) -> None:
    run = archonnx.train(parse_spec(Source("judged.arch", PLAIN + TRAIN)), tmp_path / "run", device="cpu")
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
            set_metric("f1_score", np.array(prediction), np.array(target), name="f")
    with pytest.raises(SpecError, match="has 2 classes, and there is a 2"):
        set_metric("roc_auc", np.full((3, 2), 0.5), np.array([0, 1, 2]))
    with pytest.raises(SpecError, match="takes probabilities, whose sum is 1, and a row has 3"):
        set_metric("log_loss", np.array([[1.0, 2.0], [0.5, 0.5]]), np.array([0, 1]), name="l")


def test_classes_that_do_not_occur_are_counted_or_undefined() -> None:
    probabilities, kind = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]]), np.array([0, 1])
    expected = -np.log(0.7)
    assert set_metric("log_loss", probabilities, kind) == pytest.approx(expected)
    assert set_metric("perplexity", probabilities, kind) == pytest.approx(1 / 0.7)
    assert math.isnan(set_metric("roc_auc", probabilities, kind))
    assert set_metric("average_precision", probabilities, kind, {"average": "micro"}) > 0.5


@pytest.mark.parametrize(("call", "code"), [
    ("f1_score(chosen, kind, average=mean)", "AX0208"),
    ("f1_score(chosen, kind, macro)", "AX0205"),
    ("f1_score(chosen, kind, beta=2)", "AX0202"),
    ("f_beta(chosen, kind, beta=0)", "AX0306"),
    ("f_beta(chosen, kind, beta=x)", "AX0306"),
    ("roc_auc(probs, y[:, 0])", "AX0328"),
    ("r2_score(probs, y[:, 0])", "AX0328"),
    ("perplexity(probs[:, 0], kind)", "AX0328"),
    ("perplexity(probs, y[:, 0])", "AX0328"),
    ("brier_score(probs, kind)", "AX0328"),
])  # fmt: skip
def test_refused(call: str, code: str) -> None:
    assert codes(MODEL + f"    metric wrong over set = {call}\n") == [code]


def test_a_table_is_watched_by_nothing() -> None:
    assert codes(MODEL + TRAIN.replace("valid.auc", "valid.confusion")) == ["AX0703"]


@pytest.mark.parametrize(
    ("function", "sign"), [("rmse(logits[:, 0], y[:, 0])", 1), ("r2_score(logits[:, 0], y[:, 0])", -1)]
)
def test_early_stopping_knows_which_way_is_better(tmp_path: Path, function: str, sign: int) -> None:
    text = PLAIN.replace("roc_auc(logits[:, 0], label)", function) + TRAIN
    run = archonnx.train(parse_spec(Source("judged.arch", text)), tmp_path / "run", device="cpu")
    history = [sign * line["valid"]["auc"] for line in run.history]
    assert run.record["programs"][0]["best_epoch"] == int(np.argmin(history)) + 1
    assert len(set(history)) == len(history)


def test_tables_are_shown_with_their_classes(tmp_path: Path) -> None:
    model = PLAIN + "    metric confusion over set = confusion_matrix(chosen, kind)\n"
    model += "    metric shares over set = confusion_matrix(hard, label, shares=rows)\n"
    run = archonnx.train(parse_spec(Source("judged.arch", model + TRAIN)), tmp_path / "run", device="cpu")
    confusion, shares = run.tables("test").values()
    assert confusion.counts.sum() == 10
    rows = columns(confusion_rows(confusion)).splitlines()
    assert rows[0].split() == [str(c) for c in confusion.classes]
    assert [row.split() for row in rows[1:]] == [
        [str(c), *map(str, counts)] for c, counts in zip(confusion.classes, confusion.counts, strict=True)
    ]
    assert columns(confusion_rows(shares)).count("%") == 4
