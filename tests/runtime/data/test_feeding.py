"""What is learned of the train part, and what feeds make of rows: beside NumPy, and beside rows that were never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, feeding, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.data.arrays import from_arrays
from archonnx.runtime.data.feeding import Fitted, Learner, check_rows, fed, learned, sample_of
from archonnx.runtime.training.preparing import spans_of


class Fed:
    """Fields that are made of columns as a ``train`` block says, learned from some of the rows."""

    def __init__(self, fields: str, lines: str, data: Mapping[str, Any], train: Sequence[int] | None = None) -> None:
        given = "\n    ".join(f"input {field}" for field in fields.split("; "))
        body = "".join(f"    {line.strip()}\n" for line in lines.strip().splitlines())
        head = (
            "model M():\n    "
            + given
            + '\n    param w: [1] = 0\n    loss l = sum(w * w)\ntrain:\n    data = npz("d.npz")\n'
        )
        self.model = elaborate(parse_spec(Source("m.arch", f"{head}{body}    minimize l with sgd(lr=0.1)\n")))
        (self.program,) = self.model.programs
        loaded = from_arrays(data)
        rows = np.arange(len(loaded.fields["index"])) if train is None else np.array(train)
        keys = Learner(loaded, rows)
        self.how = feeding(self.model, self.program, sample_of(loaded, self.model.float_type), keys)
        self.fitted: Fitted = learned(self.how, loaded, keys, rows)
        self.fields = self.of(data)

    def of(self, data: Mapping[str, Any]) -> dict[str, Array]:
        """The fields of other rows."""
        spans = spans_of(self.program, self.model.fields)
        return fed(self.how, self.fitted, from_arrays(data), self.model.fields, spans)

    def check(self, data: Mapping[str, Any]) -> None:
        """Whether rows stand alone."""
        spans = spans_of(self.program, self.model.fields)
        check_rows(self.how, self.fitted, from_arrays(data), self.model.fields, spans)


def refused(fields: str, lines: str, data: Mapping[str, Any], train: Sequence[int] | None = None) -> str:
    """What is said, of a set that is refused."""
    with pytest.raises(SpecError) as caught:
        Fed(fields, lines, data, train).check(data)
    return "\n".join("\n".join([d.code, d.headline, *d.notes, d.help or ""]) for d in caught.value.diagnostics)


NUMBERS = np.random.default_rng(0).normal(3, 2, 40)
GAPPED = np.where(np.arange(40) % 4 == 1, np.nan, NUMBERS)
KNOWN = GAPPED[~np.isnan(GAPPED)]


# ---------------------------------------------------------------- statistics


def test_statistics_are_those_of_the_train_part() -> None:
    train = np.arange(0, 40, 2)
    data = {"v": NUMBERS}
    one = Fed("x: [B]", "feed x = (data.v - mean(data.v)) / std(data.v)", data, train)
    part = NUMBERS[train]
    np.testing.assert_allclose(one.fields["x"], (NUMBERS - part.mean()) / part.std(), rtol=1e-5)
    others = NUMBERS.copy()
    others[1::2] *= 1e6
    other = Fed("x: [B]", "feed x = (data.v - mean(data.v)) / std(data.v)", {"v": others}, train)
    assert np.array_equal(one.fields["x"][train], other.fields["x"][train])


def test_a_row_alone_is_fed_as_among_others() -> None:
    one = Fed("x: [B]", "feed x = standardise(data.v)", {"v": NUMBERS}, range(30))
    for row in (0, 7, 39):
        assert one.of({"v": NUMBERS[[row]]})["x"] == one.fields["x"][[row]]


def test_a_statistic_is_of_the_rows_that_have_what_it_reads() -> None:
    data = {"v": GAPPED, "w": NUMBERS}
    lines = """fit mu = mean(data.v)
        fit both = mean(data.v * data.w)
        feed x = fill(data.v, mu) * data.w / both"""
    both = np.nanmean(GAPPED * NUMBERS)
    x = Fed("x: [B]", lines, data).fields["x"]
    np.testing.assert_allclose(x, np.where(np.isnan(GAPPED), KNOWN.mean(), GAPPED) * NUMBERS / both, rtol=1e-5)


@pytest.mark.parametrize(("name", "reference"), [("median", np.median), ("mean", np.mean), ("max", np.max)])
def test_what_is_learned_of_a_filled_column_knows_what_filled_it(name: str, reference: Any) -> None:
    """The second statistic is of all rows, with the first as it is: it is not learned again, of other rows."""
    lines = f"""fit middle = {name}(data.v, axis=0)
        feed x = standardise(fill(data.v, middle))"""
    filled = np.where(np.isnan(GAPPED), reference(KNOWN), GAPPED)
    one = Fed("x: [B]", lines, {"v": GAPPED})
    np.testing.assert_allclose(one.fields["x"], (filled - filled.mean()) / filled.std(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.fitted.statistics["middle"], reference(KNOWN), rtol=1e-6)


def test_statistics_of_statistics_are_learned_in_their_order() -> None:
    lines = """fit a = mean(data.v)
        fit b = mean((fill(data.v, a) - a) ** 2)
        fit c = max(abs((fill(data.v, a) - a) / sqrt(b)))
        feed x = (fill(data.v, a) - a) / sqrt(b) / c"""
    centred = np.where(np.isnan(GAPPED), 0, GAPPED - KNOWN.mean())
    scaled = centred / np.sqrt(np.mean(centred**2))
    x = Fed("x: [B]", lines, {"v": GAPPED}).fields["x"]
    np.testing.assert_allclose(x, scaled / np.abs(scaled).max(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["v", "w", "x", "unused"])
def test_a_statistic_may_be_called_like_a_column_or_a_field(name: str) -> None:
    data = {"v": NUMBERS, "w": NUMBERS**2, "unused": NUMBERS * 0 + 1e6}
    lines = f"""fit {name} = mean(data.v)
        feed x = data.w - {name}"""
    one = Fed("x: [B]", lines, data, range(10))
    wanted = NUMBERS**2 - NUMBERS[:10].mean()
    np.testing.assert_allclose(one.fields["x"], wanted, rtol=1e-5)
    np.testing.assert_allclose(one.of({"w": NUMBERS**2, "unused": NUMBERS})["x"], wanted, rtol=1e-5)


def test_a_column_that_is_learned_from_alone_need_not_be_there_later() -> None:
    one = Fed("x: [B]", "feed x = data.w - mean(data.v)", {"v": NUMBERS, "w": NUMBERS})
    assert one.how.columns(["x"]) == ("w",)
    assert np.array_equal(one.of({"w": NUMBERS})["x"], one.fields["x"])


def test_nothing_to_learn_from_is_said() -> None:
    gone = np.full(40, np.nan)
    assert "no row of the train part has a value in each of `v`" in refused(
        "x: [B]", "feed x = fill(data.v, mean(data.v))", {"v": gone}
    )
    part = np.where(np.arange(40) < 20, np.nan, NUMBERS)
    assert "no row of the train part" in refused(
        "x: [B]", "feed x = fill(data.v, mean(data.v))", {"v": part}, range(20)
    )
    assert "is not finite" in refused("x: [B]", "fit s = mean(1 / data.v)\nfeed x = data.v * s", {"v": np.arange(5.0)})


# ---------------------------------------------------------------- texts and vocabularies

CITIES = np.array(["oslo", "bonn", "", "rome", "oslo", "kyiv"], dtype=object)


def test_vocabularies_are_of_the_train_part_in_order() -> None:
    lines = "fit city = vocabulary(data.c, unknown=true)\nfeed x = index(data.c, city)\nfeed n = size(city) + zeros_like(data.v)"
    one = Fed("x: i64[B]; n: [B]", lines, {"c": CITIES, "v": np.zeros(6)}, range(5))
    assert one.fields["x"].tolist() == [1, 0, 3, 2, 1, 3]
    assert set(one.fields["n"].tolist()) == {4}
    assert one.fitted.keys == {("c", None): ("bonn", "oslo", "rome")}


def test_integers_have_vocabularies_too() -> None:
    codes = np.array([900, -3, 900, 17, 5])
    one = Fed("x: i64[B]", "feed x = index(data.c, vocabulary(data.c, unknown=true))", {"c": codes}, range(4))
    assert one.fields["x"].tolist() == [2, 0, 2, 1, 3]
    assert one.of({"c": np.array([17, 18])})["x"].tolist() == [1, 3]


def test_a_list_is_a_vocabulary() -> None:
    sizes = np.array(["s", "l", "m"], dtype=object)
    one = Fed("x: i64[B]", 'feed x = index(data.c, ["s", "m", "l"])', {"c": sizes})
    assert one.fields["x"].tolist() == [0, 2, 1]
    assert one.fitted.keys == {}
    assert '`c` is "xl"' in refused(
        "x: i64[B]", 'feed x = index(data.c, ["s", "m", "l"])', {"c": np.array(["xl"], object)}
    )


def test_texts_for_integers_are_numbered_and_known_by_name() -> None:
    one = Fed("c: i64[B]", "", {"c": np.array(["b", "a", "b"], object)})
    assert one.fields["c"].tolist() == [1, 0, 1]
    assert one.how.encodings[one.how.numbered["c"]].names == ("a", "b")


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ('index(fill(data.c, "none"), vocabulary(fill(data.c, "none")))', [3, 0, 2, 4, 3, 1]),
        ('index(fill(data.c, "oslo"), vocabulary(data.c))', [2, 0, 2, 3, 2, 1]),
        ("index(data.c, vocabulary(data.c, unknown=true))", [2, 0, 4, 3, 2, 1]),
    ],
)
def test_missing_texts_are_filled_before_they_are_numbered(lines: str, numbers: list[int]) -> None:
    assert Fed("x: i64[B]", f"feed x = {lines}", {"c": CITIES}).fields["x"].tolist() == numbers


def test_what_is_not_in_a_vocabulary_is_said_with_its_rows() -> None:
    said = refused("c: i64[B]", "", {"c": np.array(["a", "b", "bb", "a", "bb"], object)}, range(2))
    assert 'the given data, rows 2, 4: `c` is "bb", which the train part does not have' in said
    gone = refused("c: i64[B]", "", {"c": np.array(["a", "b", "", ""], object)}, range(2))
    assert "the given data, rows 2, 3: `c` has no value" in gone
    listed = 'fit share = mean(f32(index(data.c, ["a", "b"])))\nfeed x = data.v * share'
    assert 'row 2: `c` is "d"' in refused("x: [B]", listed, {"c": np.array(["a", "b", "d"], object), "v": np.ones(3)})


@pytest.mark.parametrize(
    ("fields", "line", "says"),
    [
        ("c: [B]", "", "what feeds it is"),
        ("x: i64[B]", "feed x = index(data.v, vocabulary(data.c))", "texts or integers"),
        ("x: i64[B]", "feed x = index(data.n, vocabulary(data.c))", "holds integers, and the vocabulary texts"),
        ("x: i64[B]", "feed x = index(data.c, [1, 2])", "holds texts, and the vocabulary integers"),
        ("x: [B]", "feed x = data.c + 1", ""),
        ("x: [B]", "feed x = fill(data.c, 1)", "filled with a text"),
        ("x: [B]", 'feed x = fill(data.v, "a")', ""),
    ],
)
def test_texts_where_there_are_none(fields: str, line: str, says: str) -> None:
    data = {"c": np.array(["a", "b"], object), "v": np.array([0.5, 1]), "n": np.array([1, 2])}
    assert says in refused(fields, line, data)


# ---------------------------------------------------------------- values that mean nothing


@pytest.mark.parametrize(
    ("field", "values", "says"),
    [
        ("v: i64[B]", [1.0, 2.5, 3.0], "row 1: `v` is 2.5, a fraction, and the model takes i64"),
        ("v: [B]", [1.0, np.nan, np.nan], "rows 1, 2: `v` has no value"),
        ("v: i64[B]", [1.0, np.nan, 2.0], "row 1: `v` has no value"),
        ("v: bool[B]", [1, 0, 2], "row 2: `v` is 2, neither 0 nor 1"),
        ("v: i32[B]", [1, 2**40, 2], "row 1: `v` is 1.09951e+12, beyond i32"),
        ("v: i64[B]", np.array([1, 2**63 + 5], np.uint64), "row 1: `v` is 9223372036854775813, beyond i64"),
        ("v: [B]", np.array([1, 2**63 + 5], np.uint64), "row 1: `v` is 9223372036854775813, beyond i64"),
        ("v: i64[B]", [1.0, 1e19], "row 1: `v` is 1e+19, beyond i64"),
    ],
)
def test_values_that_a_field_does_not_have_are_refused_with_their_place(field: str, values: Any, says: str) -> None:
    assert says in refused(field, "", {"v": np.asarray(values)})


def test_dates_are_seconds() -> None:
    days = np.array(["1970-01-02", "2020-02-29T12:00:01"], "datetime64[s]")
    assert Fed("x: i64[B]", "feed x = data.d", {"d": days}).fields["x"].tolist() == [86400, 1582977601]
    gone = np.array(["1970-01-02", "NaT"], "datetime64[s]")
    assert "row 1: `d` has no date" in refused("x: i64[B]", "feed x = data.d", {"d": gone})


def test_a_masked_value_is_missing() -> None:
    masked = np.ma.masked_array([1.0, 99.0, 3.0], mask=[False, True, False])
    one = Fed("x: [B]", "feed x = fill(data.v, mean(data.v))", {"v": masked})
    assert one.fields["x"].tolist() == [1, 2, 3]
    integers = np.ma.masked_array([1, 99, 3], mask=[False, True, False])
    assert "row 1: `v` has no value" in refused("v: i64[B]", "", {"v": integers})


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize(
    "line",
    [
        "feed x = sort(data.v, axis=0)",
        "feed x = cumsum(data.v)",
        "feed x = data.v[::-1]",
        "feed x = argmax(data.v[:, none] * ones(2), axis=1) + data.v[3]",
    ],
)
def test_a_row_that_depends_on_others_is_refused(line: str) -> None:
    said = refused("x: [B]", line, {"v": NUMBERS})
    assert "AX0708" in said or "AX03" in said, said


def test_draws_are_refused() -> None:
    for line in ("feed x = dropout_like(data.v)", "feed x = data.v + f()"):
        assert refused("x: [B]", line, {"v": NUMBERS})
