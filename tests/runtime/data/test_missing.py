"""Cells without a value: refused where a feed would make a value of them, however it does, and not where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archonnx
from archonnx.grammar.diagnostics import SpecError

TABLE = "age,known,size,label\n30,true,1.5,0\n,false,2.5,1\n12,true,3.5,1\n70,true,,0\n41,true,0.5,1\n"


def prepared(tmp_path: Path, feed: str, type_: str = "[B]", learned: str = "") -> archonnx.Run:
    """A training for which a field is fed so."""
    (tmp_path / "people.csv").write_text(TABLE)
    (tmp_path / "spec.arch").write_text(f"""
model M():
    input  x: {type_}
    target y: [B]
    param w: [] = 1
    output z = w * float(x)
    loss objective = mean(w * float(x)) + 0 * mean(y)

train:
    data = csv("people.csv")
{learned}    feed x = {feed}
    feed y = float(data.label)
    epochs = 1
    minimize objective with sgd()
""")
    return archonnx.train(tmp_path / "spec.arch", tmp_path / "run", device="cpu")


@pytest.mark.parametrize(("feed", "type_"), [
    ("data.age", "[B]"),
    ("float(data.age > 18)", "[B]"),
    ("data.age <= 18", "bool[B]"),
    ("where(data.age > 18, 1.0, 0.0)", "[B]"),
    ("buckets(data.age, [18, 65])", "i64[B]"),
    ("one_hot(buckets(data.age, [18, 65]), 3)", "[B, 3]"),
    ("quantile_buckets(data.age, 2)", "i64[B]"),
    ("argmax(stack([data.age, 20 + 0 * data.size], axis=1))", "i64[B]"),
])  # fmt: skip
def test_a_missing_value_is_refused_whatever_is_made_of_it(tmp_path: Path, feed: str, type_: str) -> None:
    with pytest.raises(SpecError) as caught:
        prepared(tmp_path, feed, type_)
    (found,) = caught.value.diagnostics
    assert (found.code, found.headline) == ("AX0631", "people.csv:3: `age` has no value")
    assert "fill(data.age" in str(found.help)


@pytest.mark.parametrize(("feed", "type_", "expected"), [
    ("float(fill(data.age, 0) > 18)", "[B]", [1, 0, 0, 1, 1]),
    ("isnan(data.age)", "bool[B]", [0, 1, 0, 0, 0]),
    ("where(data.known, data.age, 0)", "[B]", [30, 0, 12, 70, 41]),
    ("data.data[:, 3]", "[B]", [0, 1, 1, 0, 1]),
    ("impute(data.age)", "[B]", [30, 38.25, 12, 70, 41]),
    ("buckets(impute(data.age, median), [18, 65])", "i64[B]", [1, 1, 0, 2, 1]),
])  # fmt: skip
def test_what_a_missing_value_takes_no_part_in_is_fed(
    tmp_path: Path, feed: str, type_: str, expected: list[float]
) -> None:
    run = prepared(tmp_path, feed, type_)
    rows = run.predict(tmp_path / "people.csv")["z"]
    np.testing.assert_allclose(rows, np.array(expected) * next(iter(run.parameters.values())), rtol=1e-6)


@pytest.mark.parametrize(("given", "code"), [
    ({"label": [1.0, np.nan], "known": [True, False]}, "AX0631"),
    ({"label": [1.0, 0.5], "known": [True, False]}, "AX0603"),
    ({"label": [1.0, 0.0], "known": [1.0, 0.5]}, "AX0603"),
    ({"label": [1.0, 0.0], "known": [1.0, np.nan]}, "AX0631"),
])  # fmt: skip
def test_what_was_integers_or_bools_is_so_later(tmp_path: Path, given: dict[str, list[float]], code: str) -> None:
    """Floats in their place are taken where they are such numbers, and never cut off."""
    run = prepared(tmp_path, "where(data.known, float(data.label > 0), 2.0)")
    good = {"label": np.array([1.0, 0.0]), "known": np.array([1.0, 0.0])}
    np.testing.assert_allclose(run.predict(good)["z"][1] / run.predict(good)["z"][0], 2)
    with pytest.raises(SpecError) as caught:
        run.predict({name: np.array(values) for name, values in given.items()})
    assert [found.code for found in caught.value.diagnostics] == [code]


def test_a_missing_value_of_a_later_file_is_refused(tmp_path: Path) -> None:
    run = prepared(tmp_path, "float(data.label > 0)")
    (tmp_path / "new.csv").write_text("label,age\n1,3\n,4\n")
    with pytest.raises(SpecError, match=r"new\.csv:3: `label` has no value, and had one in every row of the training"):
        run.predict(tmp_path / "new.csv")


def test_columns_that_were_only_learned_of_are_not_needed_later(tmp_path: Path) -> None:
    run = prepared(tmp_path, "fill(data.age, mu) / 10", learned="    fit mu = mean(data.size)\n")
    (tmp_path / "new.csv").write_text("age,y\n20,1\n,2\n")
    w = next(iter(run.parameters.values()))
    np.testing.assert_allclose(run.predict(tmp_path / "new.csv")["z"], np.array([2, 0.2]) * w, rtol=1e-6)


def test_a_feed_that_fills_fills_what_had_no_gaps_in_the_training(tmp_path: Path) -> None:
    """New rows with gaps in a column of integers are those with the value that fills it."""
    run = prepared(tmp_path, "standardise(fill(data.label, 3))")
    given, filled = ("age,known,size,label\n" + f"1,true,1,0\n1,true,1,{cell}\n1,true,1,1\n" for cell in ("", "3"))
    for name, text in (("gaps", given), ("filled", filled)):
        (tmp_path / f"{name}.csv").write_text(text)
    answers = [run.predict(tmp_path / f"{name}.csv")["z"] for name in ("gaps", "filled")]
    np.testing.assert_array_equal(*answers)
    assert len({*answers[0].tolist()}) == 3


def test_a_label_of_new_data_that_is_no_class_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,0\n2,1\n3,2\n")
    (tmp_path / "new.csv").write_text("x,y\n1,0\n\n2,3\n")
    (tmp_path / "t.arch").write_text("""
model T():
    input  x: [B]
    target y: i64[B]
    logits = Dense(3)(x[:, none])
    output p = softmax(logits)
    loss objective = cross_entropy(logits, y)

train:
    data = csv("t.csv")
    epochs = 1
    minimize objective with sgd()
""")
    run = archonnx.train(tmp_path / "t.arch", tmp_path / "run", device="cpu")
    with pytest.raises(SpecError, match=r"`y` is 3 in line 4 of new\.csv") as caught:
        run.measure(data=tmp_path / "new.csv")
    assert "was trained with 3 classes" in str(caught.value.diagnostics[0].help)
