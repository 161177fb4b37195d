"""The estimators beside scikit-learn's own checks, and beside trainings of the same specs."""

from __future__ import annotations

import copy
import doctest
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import archonnx
import archonnx.sklearn
from archonnx.sklearn import ArchClassifier, ArchRegressor
from tests.support.copies import PICKLES, by_joblib

QUICK = {"device": "cpu", "threads": 1}
SAMPLE = {
    "check_classifiers_one_label_sample_weights", "check_classifiers_regression_target", "check_complex_data",
    "check_do_not_raise_errors_in_init_or_set_params", "check_estimator_cloneable", "check_estimator_repr",
    "check_estimator_sparse_tag", "check_estimators_empty_data_messages", "check_estimators_nan_inf",
    "check_estimators_unfitted", "check_fit1d", "check_fit2d_1feature", "check_fit2d_1sample",
    "check_get_params_invariance", "check_methods_subset_invariance", "check_no_attributes_set_in_init",
    "check_parameters_default_constructible", "check_regressor_multioutput", "check_requires_y_none",
    "check_set_params", "check_supervised_y_no_nan",
}  # fmt: skip
"""Checks of scikit-learn that take little time; the others are run by `make proof`."""


@pytest.mark.proof
@pytest.mark.parametrize("kind", [ArchClassifier, ArchRegressor])
def test_scikit_learns_checks_all_pass(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SCIPY_ARRAY_API", "1")
    results = check_estimator(kind(), on_skip=None, on_fail="raise")
    assert len(results) > 50 and {result["status"] for result in results} <= {"passed", "skipped"}
    assert not any(result["expected_to_fail"] for result in results)


@pytest.mark.parametrize("kind", [ArchClassifier, ArchRegressor])
def test_a_sample_of_scikit_learns_checks_passes(kind: type) -> None:
    made = 0
    for estimator, check in estimator_checks_generator(kind(**QUICK)):
        if check.func.__name__ in SAMPLE:
            check(estimator)
            made += 1
    assert made > 16


def test_examples_of_the_docstrings() -> None:
    result = doctest.testmod(archonnx.sklearn)
    assert result.attempted >= 6 and result.failed == 0


# ---------------------------------------------------------------- the same as a training

PEOPLE = """
model People(cities: int, width: int = 4):
    input  income: [B]
    input  city: i64[B]
    target bought: i64[B]
    hidden = concat([reshape(income, [B, 1]), one_hot(city, cities)], axis=1) |> Dense(width) |> tanh
    logits = hidden |> Dense(2)
    output probs = softmax(logits)
    loss objective = cross_entropy(logits, bought)

train of People(cities=size(town)):
    fit town = vocabulary(data.city, unknown=true)
    feed income = standardise(fill(data.income, mean(data.income)))
    feed city = index(data.city, town)
    feed bought = data.target
    epochs = 5
    batch_size = 16
    minimize objective with adam(lr=0.05)
"""


def people(count: int = 60) -> tuple[dict[str, Any], np.ndarray]:
    draw = np.random.default_rng(0)
    income = draw.normal(50, 20, count)
    income[::7] = np.nan
    city = draw.choice(["Bern", "Genf", "Chur"], count)
    return {"income": income, "city": city.tolist()}, np.where((income > 50) ^ (city == "Bern"), "yes", "no")


@pytest.fixture(params=["pandas", "polars"])
def frame_of(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return pytest.importorskip(request.param).DataFrame


def test_a_classifier_learns_what_a_training_does(frame_of: Callable[..., Any], tmp_path: Path) -> None:
    columns, y = people()
    frame = frame_of(columns)
    ours = ArchClassifier(PEOPLE, random_state=3, **QUICK).fit(frame, y)
    (tmp_path / "people.arch").write_text(PEOPLE, encoding="utf-8")
    data = {**columns, "target": (y == "yes").astype(int)}
    run = archonnx.train(tmp_path / "people.arch", tmp_path / "run", data=data, seed=3, device="cpu", threads=1)
    assert ours.learned_.parameters.keys() == run.parameters.keys()
    for path, array in run.parameters.items():
        np.testing.assert_array_equal(ours.learned_.parameters[path], array)
    np.testing.assert_allclose(ours.predict_proba(frame), run.predict(data)["probs"], rtol=1e-6)
    assert list(ours.classes_) == ["no", "yes"] and list(ours.feature_names_in_) == ["income", "city"]
    assert [epoch.train for epoch in ours.history_] == [line["train"] for line in run.history]
    later = frame_of({"income": [51.0, np.nan], "city": ["Chur", "Olten"]})  # a city that was never seen
    assert set(ours.predict(later)) <= {"no", "yes"}


def test_a_model_names_its_sizes_or_its_data_decides_them() -> None:
    X, y = load_iris(return_X_y=True)
    ours = ArchClassifier(epochs=1, **QUICK).fit(X[:, :3], y)
    assert ours.learned_.parameters["dense.0.W"].shape == (3, 64)
    assert ours.learned_.parameters["dense.1.W"].shape == (64, 3)
    given = ArchClassifier(epochs=1, arguments={"classes": 7, "width": 5}, **QUICK).fit(X, y)
    assert given.learned_.parameters["dense.1.W"].shape == (5, 7)
    columns, y = people()
    decided = ArchClassifier(PEOPLE, **QUICK).fit(pytest.importorskip("pandas").DataFrame(columns), y)
    assert decided.learned_.parameters["dense.0.W"].shape == (1 + 4, 4)


BARE = """
model Bare(features: int):
    input  x: [B, features]
    target y: {target}
    hidden = x |> Dense(1)
    output estimate = {output}
    output hidden_too = concat([x, x], axis=1)
    loss objective = {loss}
train:
    epochs = 200
    batch_size = all
    minimize objective with sgd(lr=0.1, momentum=0.8)
"""


@pytest.mark.parametrize(("target", "output"), [("[B, 1]", "hidden"), ("[B]", "hidden[:, 0]")])
def test_the_only_open_fields_take_x_and_y(target: str, output: str) -> None:
    draw = np.random.default_rng(1)
    X = draw.normal(size=(50, 3))
    y = X @ [1.0, -2.0, 0.5] + 4
    spec = BARE.format(target=target, output=output, loss=f"mse({output}, y)")
    ours = ArchRegressor(spec, **QUICK).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), y, atol=1e-3)
    assert ours.predict(X).shape == (50,)


@pytest.mark.parametrize("shape", ["[B, 1]", "[B]"])
def test_one_number_is_the_probability_of_the_second_class(shape: str) -> None:
    draw = np.random.default_rng(1)
    X = draw.normal(size=(80, 3))
    y = np.where(X[:, 0] > 0.2, -1, -5)
    part = "" if shape == "[B, 1]" else "[:, 0]"
    target = "float(y)" if part else "reshape(float(y), [B, 1])"
    spec = BARE.format(target="i64[B]", output=f"sigmoid(hidden{part})", loss=f"bce_logits(hidden{part}, {target})")
    ours = ArchClassifier(spec, **QUICK).fit(X, y)
    assert ours.score(X, y) > 0.95 and list(ours.classes_) == [-5, -1]
    probabilities = ours.predict_proba(X)
    assert probabilities.shape == (80, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_several_outputs_that_fit_are_asked_about() -> None:
    spec = BARE.format(target="[B]", output="hidden[:, 0]", loss="mse(hidden[:, 0], y)").replace(
        "output hidden_too = concat([x, x], axis=1)", "output other = hidden[:, 0] + 1.0"
    )
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20.0)
    ours = ArchRegressor(spec, epochs=1, **QUICK).fit(X, y)
    with pytest.raises(archonnx.SpecError, match=r"several outputs are floats .*`estimate: f32\[B\]`, `other"):
        ours.predict(X)
    np.testing.assert_allclose(
        ours.set_params(output="other").predict(X), ours.set_params(output="estimate").predict(X) + 1, rtol=1e-6
    )
    with pytest.raises(archonnx.SpecError, match="no output `oter`"):
        ours.set_params(output="oter").predict(X)


def test_scores_that_are_no_probabilities_predict_and_are_not_called_so() -> None:
    X, y = load_iris(return_X_y=True)
    zoo = archonnx.load("tabular_classifier").source.text
    ours = ArchClassifier(zoo.replace("= softmax(logits)", "= logits"), random_state=0, epochs=20, **QUICK).fit(X, y)
    assert ours.score(X, y) > 0.9
    with pytest.raises(archonnx.SpecError, match="is not probabilities"):
        ours.predict_proba(X)


# ---------------------------------------------------------------- inside scikit-learn


def test_a_grid_search_over_a_spec() -> None:
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), ArchClassifier(epochs=25, random_state=0, **QUICK))
    grid = {"archclassifier__arguments__width": [1, 16], "archclassifier__arguments__lr": np.array([1e-6, 0.03])}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_ == {"archclassifier__arguments__width": 16, "archclassifier__arguments__lr": 0.03}
    assert search.best_score_ > 0.9
    best = search.best_estimator_[-1]
    assert best.get_params()["arguments__width"] == 16 and best.learned_.parameters["dense.0.W"].shape == (4, 16)


@pytest.mark.proof
def test_cross_validation_in_other_processes() -> None:
    X, y = load_iris(return_X_y=True)
    ours = ArchClassifier(epochs=10, random_state=0, **QUICK)
    assert cross_val_score(ours, X, y, cv=2, n_jobs=2).tolist() == cross_val_score(ours, X, y, cv=2).tolist()


def test_parameters_within_dicts() -> None:
    first = ArchClassifier(arguments={"width": 8}, settings={"clip_norm": 1.0})
    assert first.get_params()["arguments__width"] == 8 and "arguments__width" not in first.get_params(deep=False)
    other = clone(first).set_params(arguments__width=16, arguments__depth=2, settings__shuffle=False, epochs=3)
    assert (other.arguments, other.settings) == ({"width": 16, "depth": 2}, {"clip_norm": 1.0, "shuffle": False})
    assert first.arguments == {"width": 8}
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        first.set_params(width=3)
    X, y = load_iris(return_X_y=True)
    for bad, says in (
        ({"arguments": {"widht": 3}}, "widht"),
        ({"arguments": 3}, "`arguments` is a dict"),
        ({"settings": {"epoch": 3}}, "epoch"),
        ({"epochs": "many"}, "epochs"),
        ({"dtype": "f23"}, "f23"),
        ({"spec": "no_such_spec"}, "no_such_spec"),
        ({"spec": "model M():\n    input x: [B\n"}, "AX01"),
    ):
        with pytest.raises(archonnx.SpecError, match=says):
            ArchClassifier(**{**QUICK, **bad}).fit(X, y)


@pytest.mark.parametrize("form", ["path", "text", "spec", "zoo"])
def test_a_spec_is_given_in_every_form(form: str, tmp_path: Path) -> None:
    loaded = archonnx.load("tabular_classifier")
    path = tmp_path / "mine.arch"
    path.write_text(loaded.source.text, encoding="utf-8")
    forms = {"path": path, "text": loaded.source.text, "spec": loaded, "zoo": "tabular_classifier"}
    X, y = load_iris(return_X_y=True)
    ours = clone(ArchClassifier(forms[form], epochs=2, **QUICK)).fit(X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), ArchClassifier(epochs=2, **QUICK).fit(X, y).predict_proba(X))


def test_the_seed_is_the_random_state() -> None:
    X, y = load_iris(return_X_y=True)

    def fitted(state: Any) -> np.ndarray:
        return ArchClassifier(epochs=1, random_state=state, **QUICK).fit(X, y).predict_proba(X)

    assert np.array_equal(fitted(1), fitted(np.int64(1))) and not np.array_equal(fitted(1), fitted(2))
    assert np.array_equal(fitted(None), fitted(0))  # that of the spec
    assert np.array_equal(fitted(np.random.RandomState(4)), fitted(np.random.RandomState(4)))


@pytest.mark.parametrize("way", [PICKLES[-1], by_joblib, copy.deepcopy])
def test_a_fitted_estimator_is_copied(way: Callable[..., Any]) -> None:
    X, y = load_iris(return_X_y=True)
    ours = ArchClassifier(epochs=3, **QUICK).fit(X, y)
    again = way(ours)
    np.testing.assert_array_equal(again.predict_proba(X), ours.predict_proba(X))
    assert repr(again) == repr(ours) == "ArchClassifier(device='cpu', epochs=3, threads=1)"
    assert repr(again.learned_) == "<tabular_classifier, trained for 3 epochs on 150 rows>"


def test_the_exported_model_and_its_estimates(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    X = draw.normal(size=(90, 4))
    y = np.stack([1000 + 50 * X[:, 0], X[:, 1] ** 2], axis=1)  # two targets of different sizes
    ours = ArchRegressor(random_state=0, epochs=150, **QUICK).fit(X, y)
    assert ours.score(X, y) > 0.9 and ours.predict(X).shape == (90, 2)
    session = onnxruntime.InferenceSession(ours.export(tmp_path / "m.onnx"))
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    (estimate,) = session.run(["estimate"], {"x": ((X - mean) / deviation).astype(np.float32)})
    np.testing.assert_allclose(estimate, ours.predict(X), rtol=1e-4, atol=1e-3)
    with pytest.raises(NotFittedError):
        ArchRegressor().export(tmp_path / "none.onnx")


# ---------------------------------------------------------------- further columns

WEIGHTED = """
model Weighted():
    input  x: [B, 2]
    target y: [B]
    target sample_weight: [B]
    estimate = (x |> Dense(1, init=zeros))[:, 0]
    output value = estimate
    loss objective = sum(sample_weight * square(estimate - y)) / sum(sample_weight)
train:
    epochs = 300
    batch_size = all
    minimize objective with sgd(lr=0.1, momentum=0.8)
"""


def test_weights_are_what_the_spec_makes_of_them() -> None:
    draw = np.random.default_rng(5)
    X, y, weight = draw.normal(size=(40, 2)), draw.normal(size=40), draw.uniform(0, 2, size=40)
    weight[:10] = 0
    ours = ArchRegressor(WEIGHTED, **QUICK).fit(X, y, sample_weight=weight)
    design = np.column_stack([X, np.ones(40)]) * np.sqrt(weight)[:, None]
    solution = np.linalg.lstsq(design, y * np.sqrt(weight), rcond=None)[0]
    np.testing.assert_allclose(ours.predict(X), np.column_stack([X, np.ones(40)]) @ solution, atol=1e-4)
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), clone(ours))
    np.testing.assert_allclose(
        pipeline.fit(X, y, archregressor__sample_weight=weight).predict(X), ours.predict(X), atol=1e-6
    )
    with pytest.raises(TypeError, match=r"'sample_weight': nothing in tabular_regressor reads `data.sample_weight`"):
        ArchRegressor(epochs=1, **QUICK).fit(X, y, sample_weight=weight)
    with pytest.raises(TypeError, match=r"'target': `data.target` is X or y"):
        ArchRegressor(epochs=1, **QUICK).fit(X, y, target=weight)
    with pytest.raises(archonnx.SpecError, match=r"what is given beside X.*`sample_weight`"):
        ArchRegressor(WEIGHTED, **QUICK).fit(X, y, sample_weight=[{}] * 40)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ArchRegressor(WEIGHTED, **QUICK).fit(X, y, sample_weight=weight[1:])
    with pytest.raises(archonnx.SpecError, match="sample_weight"):
        ArchRegressor(WEIGHTED, **QUICK).fit(X, y)


# ---------------------------------------------------------------- frames


def test_columns_of_frames_and_matrices_stand_for_each_other(frame_of: Callable[..., Any]) -> None:
    X, y = load_iris(return_X_y=True)
    frame = frame_of({f"c{position}": X[:, position] for position in range(4)})
    by_name, by_place = (ArchClassifier(epochs=2, **QUICK).fit(given, y) for given in (frame, X))
    np.testing.assert_array_equal(by_name.predict_proba(frame), by_place.predict_proba(X))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(by_name.predict_proba(X), by_place.predict_proba(X))
    with pytest.warns(UserWarning, match="fitted without feature names"):
        np.testing.assert_array_equal(by_place.predict_proba(frame), by_place.predict_proba(X))
    with pytest.raises(ValueError, match="same order"):
        by_name.predict(frame[["c1", "c0", "c2", "c3"]])
    with pytest.raises(archonnx.SpecError, match="`target` is a column of `X`"):
        ArchClassifier(epochs=1, **QUICK).fit(frame_of({"target": X[:, 0], "b": X[:, 1]}), y)


def test_one_class_is_none_to_tell_apart() -> None:
    with pytest.raises(ValueError, match="at least 2 classes, and y has one class: yes"):
        ArchClassifier(**QUICK).fit(np.zeros((4, 2)), ["yes"] * 4)


def test_the_text_of_a_spec_is_short_in_what_is_shown() -> None:
    assert repr(ArchRegressor(WEIGHTED, epochs=2)) == "ArchRegressor(epochs=2, spec='model Weighted(): ...')"
    assert len(repr(make_pipeline(StandardScaler(), ArchClassifier(PEOPLE)))) < 1000
