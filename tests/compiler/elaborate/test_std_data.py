"""Transformations of columns: NumPy's and scikit-learn's, fitted on the train part alone; and parts of dates by Python.

Every one stands in a feed here, as in a spec, and gives a row the same fields whichever rows come with it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn import preprocessing
from sklearn.impute import SimpleImputer

from archonnx.compiler.feeding import Feeding
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import feeding
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.data.feeding import Fitted, Learner, fed, learned, sample_of
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.sources import numbered
from tests.support.elaborated import codes, expression, model, output, program

RNG = np.random.default_rng(3)
ROWS, TRAIN, LATER = 60, np.arange(40), np.arange(40, 60)
MATRIX = RNG.normal(3, 10, (ROWS, 3)).astype(np.float32).astype(np.float64)
MATRIX[RNG.permutation(ROWS)[:12], RNG.integers(0, 3, 12)] = np.nan
MATRIX[:, 2] = np.where(np.isnan(MATRIX[:, 2]), np.nan, 0.1)  # a column of one value
MATRIX[LATER[:5], 2] = 5.0  # which is another one later
COUNT = RNG.integers(0, 9, ROWS)
FIELDS = {"m": MATRIX, "x": MATRIX[:, 0], "count": COUNT, "t": RNG.integers(-(2**33), 2**33, ROWS)}
NONE = -99.0
"""What stands where a row has no value."""


def fields(feed: str, rows: Array, type_: str = "[B, 3]") -> Array:
    """What a feed gives to these rows of the data, having learned of the train part."""
    of, how, fitted = _learned(feed, type_)
    return fed(how, fitted, _loaded(rows), of.fields, {})["v"]


@cache
def _learned(feed: str, type_: str) -> tuple[ModelProgram, Feeding, Fitted]:
    after = f'\ntrain:\n    data = csv("t.csv")\n    feed v = {feed}\n    minimize o with sgd()\n'
    of = program(model("param w: [] = 0\nloss o = w * mean(float(v))", f"v: {type_}", after=after))
    loaded = _loaded(np.arange(ROWS))
    keys = Learner(loaded, TRAIN)
    how = feeding(of, of.programs[0], sample_of(loaded, of.float_type), keys)
    return of, how, learned(how, loaded, keys, TRAIN)


def _loaded(rows: Array) -> Loaded:
    return numbered(Loaded({name: array[rows] for name, array in FIELDS.items()}, "the data"))


def bins(strategy: str, **more: Any) -> preprocessing.KBinsDiscretizer:
    return preprocessing.KBinsDiscretizer(4, encode="ordinal", strategy=strategy, subsample=None, **more)


SCALERS: dict[str, Any] = {
    "standardise(data.m)": preprocessing.StandardScaler(),
    "min_max(data.m)": preprocessing.MinMaxScaler(),
    "min_max(data.m, -1, high=2)": preprocessing.MinMaxScaler((-1, 2)),
    "max_abs(data.m)": preprocessing.MaxAbsScaler(),
    "robust(data.m)": preprocessing.RobustScaler(),
    "robust(data.m, 0.1, high=0.8)": preprocessing.RobustScaler(quantile_range=(10, 80)),
    "quantile_transform(data.m, 7)": preprocessing.QuantileTransformer(n_quantiles=7),
    "impute(data.m)": SimpleImputer(),
    "impute(data.m, median)": SimpleImputer(strategy="median"),
}


@pytest.mark.parametrize("call", SCALERS)
def test_scales_are_those_of_scikit_learn_fitted_on_the_train_part(call: str) -> None:
    expected = SCALERS[call].fit(MATRIX[TRAIN]).transform(MATRIX)
    actual = fields(f"fill({call}, {NONE})", np.arange(ROWS))
    np.testing.assert_allclose(actual, np.where(np.isnan(expected), NONE, expected), rtol=2e-5, atol=1e-5)


FULL = np.nan_to_num(MATRIX[:, :1], nan=1.5)
BUCKETS: dict[str, tuple[str, Any]] = {
    "quantile": ("quantile_buckets(fill(data.x, 1.5), 4)", {"quantile_method": "linear"}),
    "uniform": ("width_buckets(fill(data.x, 1.5), 4)", {}),
}


@pytest.mark.parametrize("strategy", BUCKETS)
def test_buckets_are_those_of_scikit_learn_fitted_on_the_train_part(strategy: str) -> None:
    call, more = BUCKETS[strategy]
    expected = bins(strategy, **more).fit(FULL[TRAIN]).transform(FULL)[:, 0]
    assert len(set(expected)) == 4
    np.testing.assert_array_equal(fields(call, np.arange(ROWS), "i64[B]"), expected)


def test_integers_are_taken_as_floats() -> None:
    expected = (COUNT - COUNT[TRAIN].mean()) / COUNT[TRAIN].std()
    np.testing.assert_allclose(fields("standardise(data.count)", np.arange(ROWS), "[B]"), expected, rtol=1e-5)
    expected = np.digitize(COUNT, [2, 5])
    np.testing.assert_array_equal(fields("buckets(data.count, [2, 5])", np.arange(ROWS), "i64[B]"), expected)


STATISTICS = {
    "nanmean": np.nanmean,
    "nanvar": np.nanvar,
    "nanmin": np.nanmin,
    "nanmax": np.nanmax,
    "nanmedian": np.nanmedian,
}


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_are_those_of_numpy_over_rows(name: str) -> None:
    x = np.concatenate([MATRIX[:, :2], RNG.normal(size=(ROWS, 1))], axis=1).astype(np.float32)
    expected = STATISTICS[name](x.astype(np.float64), axis=0)
    np.testing.assert_allclose(expression(f"{name}(x)", "x: [B, 3]", x=x), expected, rtol=1e-5)
    np.testing.assert_allclose(expression(f"{name}(x)", "x: [B]", x=x[:, 1]), expected[1], rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_quantiles_are_those_of_numpy(count: int) -> None:
    x = RNG.normal(size=(count, 4, 2)).astype(np.float32)
    x[0, 1:] = np.nan if count > 1 else 0
    at = [0.0, 0.03, 0.5, 0.777, 1.0]
    expected = np.nanquantile(x.astype(np.float64), at, axis=0)
    np.testing.assert_allclose(expression(f"quantiles(x, {at})", "x: [B, 4, 2]", x=x), expected, rtol=1e-5, atol=1e-6)
    actual = expression("nanquantile(x, 0.777)", "x: [B, 4, 2]", x=x)
    np.testing.assert_allclose(actual, expected[3], rtol=1e-5, atol=1e-6)


def test_means_of_groups_leave_out_what_is_missing_and_fall_back_to_all() -> None:
    x = np.array([1, 3, np.nan, np.nan, 8, 6], np.float32)
    group = np.array([2, 2, 2, 1, 0, 0])
    actual = expression("group_mean(x, k, 4)", "x: [B]; k: i64[B]", x=x, k=group)
    np.testing.assert_allclose(actual, [7, 4.5, 2, 4.5], rtol=1e-6)


def test_equal_numbers_have_the_middle_of_their_shares() -> None:
    x = np.array([0, 1, 1, 1, 1, 2, 3, 4, 5, 6], np.float32)
    expected = preprocessing.QuantileTransformer(n_quantiles=10).fit_transform(x[:, None])[:, 0]
    np.testing.assert_allclose(expression("quantile_transform(x, 10)", "x: [B]", x=x), expected, rtol=1e-5)


def test_a_column_of_one_value_is_not_divided() -> None:
    """Rounding of its mean is no deviation, and later values are not blown up."""
    x = np.full((1000, 1), 0.1, np.float32)
    assert np.abs(expression("standardise(x)", "x: [B, 1]", x=x)).max() < 1e-6
    later = fields(f"fill(standardise(data.m), {NONE})", LATER)[:5, 2]
    np.testing.assert_allclose(later, 4.9, rtol=1e-5)


@pytest.mark.parametrize(("call", "code"), [
    ("buckets(x, [3, 3])", "AX0319"),
    ("quantiles(x, [0.5, 1.5])", "AX0319"),
    ("quantile_buckets(x, 1)", "AX0319"),
    ("width_buckets(x, 0)", "AX0319"),
    ("quantile_transform(x, 1)", "AX0319"),
    ("impute(x, mode)", "AX0208"),
    ("month(x)", "AX0303"),
])  # fmt: skip
def test_what_means_nothing_is_refused(call: str, code: str) -> None:
    assert codes(model(f"output y = {call}", "x: [B]")) == [code]


# ---------------------------------------------------------------- the train part alone

FEEDS = [
    *((f"fill({call}, 0.0)", "[B, 3]") for call in SCALERS),
    *((call, "i64[B]") for call, _ in BUCKETS.values()),
    ("one_hot(quantile_buckets(impute(data.x), 3), 3)", "[B, 3]"),
    ("clip(fill(data.x, 0.0), nanquantile(data.x, 0.1), nanquantile(data.x, 0.9))", "[B]"),
    ("impute(data.x) - nanmean(data.m[:, 1])", "[B]"),
    ("log1p(max_abs(data.count))", "[B]"),
    ("fill(data.x, 0) - group_mean(data.x, data.count, 9)[data.count]", "[B]"),
    ("cyclic(month(data.t), 12)", "[B, 2]"),
    ("float(year(data.t) - min(year(data.t)))", "[B]"),
]


@pytest.mark.parametrize(("feed", "type_"), FEEDS)
@pytest.mark.parametrize("seed", range(3))
def test_the_fields_of_a_row_do_not_depend_on_the_rows_that_come_with_it(feed: str, type_: str, seed: int) -> None:
    whole = fields(feed, np.arange(ROWS), type_)
    rows = np.random.default_rng(seed).integers(0, ROWS, 1 + 7 * seed)
    np.testing.assert_array_equal(fields(feed, rows, type_), whole[rows])


# ---------------------------------------------------------------- dates

PARTS = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "day_of_year": lambda t: t.timetuple().tm_yday,
    "weekday": lambda t: t.weekday(),
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BORDERS = [
    datetime(year, month, day, 23, 59, 59, tzinfo=UTC) + timedelta(seconds=after)
    for year in (1, 4, 1582, 1600, 1700, 1900, 1904, 1968, 1969, 1970, 1999, 2000, 2024, 2100, 2400)
    for month, day in ((2, 28), (3, 1), (12, 31))
    for after in (0, 1, 86400)
]
"""Ends of February and of years: leap years, centuries that are none, and those that are."""
MOMENTS = BORDERS + [EPOCH + timedelta(seconds=int(s)) for s in RNG.integers(-62_135_596_800, 253_402_300_799, 500)]
SECONDS = np.array([(moment - EPOCH) // timedelta(seconds=1) for moment in MOMENTS])


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_dates_are_those_of_python(name: str) -> None:
    expected = [PARTS[name](moment) for moment in MOMENTS]
    np.testing.assert_array_equal(expression(f"{name}(t)", "t: i64[B]", t=SECONDS), expected)


def test_every_day_of_four_centuries_has_its_date() -> None:
    days = np.arange(np.datetime64("1799-12-31"), np.datetime64("2200-01-02"))
    t = days.astype("datetime64[s]").astype(np.int64)
    years, months = (days.astype(f"datetime64[{unit}]") for unit in "YM")
    of = model("c = civil(t)\noutput y = stack([c.year, c.month, c.day, day_of_year(t)], axis=0)", "t: i64[B]")
    expected = [
        years.astype(int) + 1970,
        months.astype(int) % 12 + 1,
        (days - months).astype(int) + 1,
        (days - years).astype(int) + 1,
    ]
    np.testing.assert_array_equal(output(of, t=t), expected)


@pytest.mark.parametrize(("call", "period"), [("cyclic(k, 12)", 12), ("cyclic(k, 7.5)", 7.5)])
def test_cyclic_is_a_point_of_the_circle(call: str, period: float) -> None:
    k = np.arange(-20, 40)
    angle = 2 * np.pi * k / period
    expected = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    np.testing.assert_allclose(expression(call, "k: i64[B]", k=k), expected, atol=1e-5)
    np.testing.assert_allclose(expression(call, "k: [B]", k=k.astype(np.float32)), expected, atol=1e-5)


def test_cyclic_of_seconds_since_1970_is_as_precise_as_that_of_small_numbers() -> None:
    t = np.array([1_700_000_000, 1_700_000_001])
    expected = np.sin(2 * np.pi * (t % 86400) / 86400)
    np.testing.assert_allclose(expression("cyclic(t, 86400)[:, 0]", "t: i64[B]", t=t), expected, atol=1e-6)


# ---------------------------------------------------------------- what a run keeps


@pytest.mark.parametrize(("feed", "count"), [
    ("fill(standardise(data.m), 0)", 2),
    ("fill(min_max(data.m), 0)", 2),
    ("fill(robust(data.m), 0)", 2),
    ("impute(data.m)", 1),
    ("fill(data.m, 0)", 0),
])  # fmt: skip
def test_what_only_leads_to_what_is_learned_is_not_kept(feed: str, count: int) -> None:
    """The deviation is learned by way of a mean, and a run needs the deviation."""
    _, how, fitted = _learned(feed, "[B, 3]")
    assert len(fitted.statistics) == count and how.feed.inputs.keys() == {"m", *fitted.statistics}


def test_tasks_have_other_classes_and_other_examples_of_each() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 40)
    labels[labels == 4] = 3
    labels[7] = 4  # one example of a class is too few
    of = program(model("output rows = episode_rows(k, 5, 60, 3, 2)", "k: i64[B]"))
    rows = output(of, k=labels)
    assert rows.shape == (60, 3, 2) and 7 not in rows
    classes = labels[rows]
    assert (classes[:, :, 0] == classes[:, :, 1]).all() and (rows[:, :, 0] != rows[:, :, 1]).all()
    assert all(len(set(task)) == 3 for task in classes[:, :, 0].tolist())
    assert {*classes.ravel().tolist()} == {0, 1, 2, 3}
