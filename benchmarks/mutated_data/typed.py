"""Parquet files, .npz files and arrays by name: columns that have types, of which some are others than they were."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from .cases import BASE, SAME, Case, Either, Expected, Refused, Right, mutation
from .people import ROWS, TRAINED, USED, Table

Columns = dict[str, Any]
BAD = "AX0"
"""What the code of every finding begins with: no other words are asked for."""


def typed(table: Table = BASE) -> Columns:
    """The values of a table in lists."""
    return {name: list(values) for name, values in table.truth.items()}


def as_parquet(
    name: str,
    columns: Mapping[str, Any] | Callable[[], Any],
    train: Expected = SAME,
    predict: Expected | None = None,
    evaluate: Expected | None = None,
) -> Case:
    """A Parquet file of these columns, or of a table that is made."""

    def write(folder: Path) -> Path:
        path = folder / "people.parquet"
        parquet.write_table(columns() if callable(columns) else pyarrow.table(dict(columns)), path)
        return path

    predict = train if predict is None else predict
    return Case(name, write, train, predict, predict if evaluate is None else evaluate)


def refused(*words: str) -> Refused:
    return Refused(("people", *words))


# ---------------------------------------------------------------- parquet


@mutation("parquet")
def untouched(random: Random) -> Case:
    return as_parquet("nothing", typed())


@mutation("parquet")
def shuffled(random: Random) -> Case:
    columns = typed()
    return as_parquet(
        "columns in another order", {name: columns[name] for name in random.sample(list(columns), len(columns))}
    )


@mutation("parquet")
def integers(random: Random) -> Case:
    of = random.choice(("int8", "int16", "int32", "uint8", "uint64"))
    return as_parquet(f"ages as {of}", {**typed(), "age": pyarrow.array(BASE.truth["age"], of)})


@mutation("parquet")
def integers_as_floats(random: Random) -> Case:
    of = random.choice(("float32", "float64"))
    return as_parquet(f"ages as {of}", {**typed(), "age": pyarrow.array([float(age) for age in BASE.truth["age"]], of)})


@mutation("parquet")
def decimals(random: Random) -> Case:
    return as_parquet(
        "ages as decimals", {**typed(), "age": pyarrow.array(BASE.truth["age"]).cast(pyarrow.decimal128(22, 2))}
    )


@mutation("parquet")
def fractions(random: Random) -> Case:
    row = random.randrange(ROWS)
    table = BASE.put("age", row, "", 31.5)
    return as_parquet(
        "an age with a fraction",
        {**typed(table), "age": list(map(float, table.truth["age"]))},
        Right(table),
        refused("`age`", f"row {row} "),
    )


@mutation("parquet")
def short_floats(random: Random) -> Case:
    return as_parquet(
        "incomes as float32", {**typed(), "income": pyarrow.array(BASE.truth["income"], "float32")}, Right(BASE)
    )


@mutation("parquet")
def gap(random: Random) -> Case:
    row, name = random.randrange(ROWS), random.choice(("age", "income", "member", "shop", "since"))
    columns = typed(BASE.put(name, row, ""))
    return as_parquet(f"no `{name}`", columns, refused(f"`{name}`", f"row {row}"))


@mutation("parquet")
def gaps_filled(random: Random) -> Case:
    row = random.randrange(ROWS)
    table = BASE.put("score", row, "")
    scores = typed(table)["score"]
    nan = [float("nan") if score is None else score for score in scores]
    return as_parquet("a score missing", {**typed(table), "score": random.choice((scores, nan))}, Right(table))


@mutation("parquet")
def gaps_alone(random: Random) -> Case:
    table = BASE
    for row in range(ROWS):
        table = table.put("score", row, "")
    of = random.choice(("null", "float64", "int32"))
    return as_parquet(
        "all scores missing",
        {**typed(table), "score": pyarrow.array([None] * ROWS, of)},
        refused("`score`"),
        Right(table),
    )


@mutation("parquet")
def infinite(random: Random) -> Case:
    row = random.randrange(ROWS)
    columns = typed()
    columns["income"][row] = random.choice((float("inf"), float("-inf")))
    return as_parquet("an income without end", columns, refused("`income`", f"row {row} "))


@mutation("parquet")
def too_large(random: Random) -> Case:
    ages = pyarrow.array([*BASE.truth["age"][:-1], 2**63 + 9], "uint64")
    return as_parquet("an age beyond i64", {**typed(), "age": ages}, refused("`age`", str(2**63 + 9)))


@mutation("parquet")
def texts(random: Random) -> Case:
    of = random.choice((pyarrow.large_string(), pyarrow.dictionary(pyarrow.int8(), pyarrow.string())))
    return as_parquet(f"cities as {of}", {**typed(), "city": pyarrow.array(BASE.truth["city"]).cast(of)})


@mutation("parquet")
def bytes_for_texts(random: Random) -> Case:
    cities = pyarrow.array([city.encode() for city in BASE.truth["city"]])
    return as_parquet("cities as bytes", {**typed(), "city": cities}, refused("`city`"))


@mutation("parquet")
def texts_for_others(random: Random) -> Case:
    name = random.choice(("age", "income", "member", "since"))
    return as_parquet(
        f"`{name}` as texts", {**typed(), name: BASE.cells[name]}, Refused((name,)), refused(f"`{name}`", "texts")
    )


@mutation("parquet")
def others_for_texts(random: Random) -> Case:
    name, other = random.choice(("city", "shop")), random.choice(("income", "since", "member"))
    return as_parquet(
        f"`{name}` as {other}", {**typed(), name: BASE.truth[other]}, Refused((BAD,)), refused(f"`{name}`")
    )


@mutation("parquet")
def nested(random: Random) -> Case:
    name, value = random.choice(USED), random.choice(([1, 2], {"a": 1}))
    return as_parquet(f"`{name}` as lists", {**typed(), name: [value] * ROWS}, refused(f"`{name}`"))


@mutation("parquet")
def nested_extra(random: Random) -> Case:
    return as_parquet("a column more, of lists", {**typed(), "extra": [random.choice(([1, 2], {"a": 1}))] * ROWS})


@mutation("parquet")
def days(random: Random) -> Case:
    unit, zone = random.choice(["s", "ms", "us", "ns"]), random.choice((None, "UTC"))
    since = pyarrow.array(BASE.truth["since"]).cast(pyarrow.timestamp(unit)).cast(pyarrow.timestamp(unit, zone))
    return as_parquet(f"dates as {since.type}", {**typed(), "since": since})


@mutation("parquet")
def days_in_zones(random: Random) -> Case:
    """The same moments, as another clock shows them."""
    moments = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in BASE.truth["since"]]
    since = pyarrow.array(moments, pyarrow.timestamp("s", random.choice(("Europe/Berlin", "Asia/Tokyo", "-08:00"))))
    return as_parquet(f"dates as {since.type}", {**typed(), "since": since})


@mutation("parquet")
def parts_of_seconds(random: Random) -> Case:
    row = random.randrange(ROWS)
    moments = [datetime(day.year, day.month, day.day) for day in BASE.truth["since"]]
    moments[row] += timedelta(milliseconds=5)
    return as_parquet(
        "a date with a part of a second", {**typed(), "since": moments}, refused("`since`", f"row {row} ")
    )


@mutation("parquet")
def times(random: Random) -> Case:
    since = pyarrow.array([3600] * ROWS, random.choice((pyarrow.time32("s"), pyarrow.duration("s"))))
    return as_parquet(f"dates as {since.type}", {**typed(), "since": since}, refused("`since`"))


@mutation("parquet")
def booleans_as_numbers(random: Random) -> Case:
    of = random.choice(("int8", "int64", "float32"))
    member = pyarrow.array([float(value) if of == "float32" else int(value) for value in BASE.truth["member"]], of)
    return as_parquet(f"booleans as {of}", {**typed(), "member": member})


@mutation("parquet")
def dropped(random: Random) -> Case:
    name = random.choice(USED)
    columns = typed()
    del columns[name]
    return as_parquet(f"`{name}` dropped", columns, refused(f"`{name}`"))


@mutation("parquet")
def target_dropped(random: Random) -> Case:
    columns = typed()
    del columns["bought"]
    return as_parquet("the target dropped", columns, refused("`bought`"), SAME, refused("`bought`"))


@mutation("parquet")
def answer_unseen(random: Random) -> Case:
    row = random.randrange(TRAINED.stop, ROWS)
    said = refused("`bought`", f"row {row}", '"maybe"')
    return as_parquet("an unseen answer", typed(BASE.put("bought", row, "", "maybe")), said, SAME, said)


@mutation("parquet")
def twice(random: Random) -> Case:
    def make() -> Any:
        columns = {name: pyarrow.array(values) for name, values in typed().items()}
        return pyarrow.Table.from_arrays([*columns.values(), columns["age"]], [*columns, "age"])

    return as_parquet("two columns `age`", make, refused("`age`", "2 times"))


@mutation("parquet")
def no_rows(random: Random) -> Case:
    return as_parquet("no rows", lambda: pyarrow.table(typed()).slice(0, 0), refused("no rows"))


@mutation("parquet")
def damaged(random: Random) -> Case:
    def write(folder: Path) -> Path:
        buffer = io.BytesIO()
        parquet.write_table(pyarrow.table(typed()), buffer)
        content = bytearray(buffer.getvalue())
        how(content)
        path = folder / "people.parquet"
        path.write_bytes(content)
        return path

    def cut(content: bytearray) -> None:
        del content[at:]

    def spoil(content: bytearray) -> None:
        content[-30:-8] = b"\xff" * 22

    def text(content: bytearray) -> None:
        content[:] = BASE.text().encode()

    at = random.randrange(0, 900)
    how = random.choice((cut, spoil, text))
    said = refused()
    return Case(f"a Parquet file after `{how.__name__}`", write, said, said, said)


# ---------------------------------------------------------------- npz, and arrays by name


def arrays(table: Table = BASE) -> dict[str, Any]:
    """The values of a table as NumPy holds them."""
    made = {name: np.array(values) for name, values in table.truth.items() if name not in ("since", "score")}
    scores = [np.nan if score is None else score for score in table.truth["score"]]
    return {**made, "since": np.array(table.truth["since"], "datetime64[D]"), "score": np.array(scores, dtype=float)}


def given(
    name: str,
    columns: Mapping[str, Any],
    train: Expected = SAME,
    predict: Expected | None = None,
    evaluate: Expected | None = None,
) -> Case:
    """Arrays by name, as Python gives them."""
    predict = train if predict is None else predict
    return Case(name, lambda folder: columns, train, predict, predict if evaluate is None else evaluate)


def as_npz(
    name: str,
    columns: Mapping[str, Any],
    train: Expected = SAME,
    predict: Expected | None = None,
    evaluate: Expected | None = None,
) -> Case:
    """An .npz file of these arrays."""

    def write(folder: Path) -> Path:
        np.savez(folder / "people.npz", **columns)
        return folder / "people.npz"

    predict = train if predict is None else predict
    return Case(f"{name} (.npz)", write, train, predict, predict if evaluate is None else evaluate)


FORMS = (given, as_npz)


@mutation("arrays")
def as_arrays(random: Random) -> Case:
    return random.choice(FORMS)("nothing", arrays())


@mutation("arrays")
def lists(random: Random) -> Case:
    return given("lists", typed())


@mutation("arrays")
def other_types(random: Random) -> Case:
    of, name = random.choice(
        (
            ("i1", "age"),
            ("u2", "age"),
            (">i4", "age"),
            (">f8", "income"),
            ("f4", "age"),
            ("i8", "member"),
            ("O", "city"),
        )
    )
    columns = arrays()
    columns[name] = columns[name].astype(of)
    return given(f"`{name}` as {of}", columns)


@mutation("arrays")
def masked(random: Random) -> Case:
    row, name = random.randrange(ROWS), random.choice(("age", "income", "member", "score"))
    columns = arrays()
    columns[name] = np.ma.masked_array(columns[name], mask=np.arange(ROWS) == row)
    table = BASE.put("score", row, "")
    return given(
        f"a masked `{name}`", columns, Right(table) if name == "score" else Refused((f"`{name}`", f"row {row}"))
    )


@mutation("arrays")
def objects(random: Random) -> Case:
    columns = {**arrays(), "age": np.array(BASE.truth["age"], object)}
    return as_npz("ages as objects", columns, refused(".npz"))


@mutation("arrays")
def complex_numbers(random: Random) -> Case:
    columns = {**arrays(), "age": np.array(BASE.truth["age"], complex)}
    return random.choice(FORMS)("ages as complex numbers", columns, Refused(("`age`", "complex")))


@mutation("arrays")
def columns_for_values(random: Random) -> Case:
    name = random.choice(USED)
    columns = arrays()
    columns[name] = np.stack([columns[name]] * 2, axis=1)
    return random.choice(FORMS)(f"two values for each `{name}`", columns, Refused((BAD,)))


@mutation("arrays")
def longer(random: Random) -> Case:
    name = random.choice(USED)
    columns = arrays()
    columns[name] = np.concatenate([columns[name]] * 2)
    return random.choice(FORMS)(f"`{name}` twice as long", columns, Refused((f"`{name}`", "48")))


@mutation("arrays")
def single(random: Random) -> Case:
    name = random.choice(("age", "income"))
    return random.choice(FORMS)(f"one number for `{name}`", {**arrays(), name: np.array(3)}, Refused((f"`{name}`",)))


@mutation("arrays")
def absent(random: Random) -> Case:
    name = random.choice(USED)
    columns = arrays()
    del columns[name]
    return random.choice(FORMS)(f"`{name}` dropped", columns, Refused((f"`{name}`",)))


@mutation("arrays")
def mixed(random: Random) -> Case:
    row, name, value = (
        random.randrange(1, ROWS),
        random.choice(("age", "income", "member", "since")),
        random.choice(("x", "", b"y", object)),
    )
    columns = typed()
    columns[name][row] = value
    return given(f"{value!r} in `{name}`", columns, Refused((f"`{name}`", f"row {row}")))


@mutation("arrays")
def no_values(random: Random) -> Case:
    return random.choice(FORMS)("no rows", {name: array[:0] for name, array in arrays().items()}, Refused((BAD,)))


@mutation("arrays")
def damaged_archive(random: Random) -> Case:
    at, whole = random.randrange(0, 3000), random.random() < 0.3

    def write(folder: Path) -> Path:
        path = folder / "people.npz"
        np.savez(path, **arrays())
        content = bytearray(path.read_bytes())
        if whole:
            content[at : at + 40] = b"\0" * 40
        else:
            del content[at:]
        path.write_bytes(content)
        return path

    said = Refused(("people.npz",))
    predict = Either() if whole else said  # what is spoiled may be the answers, which a prediction does not need
    return Case(f"an .npz file {'spoiled' if whole else 'cut off'} at byte {at}", write, said, predict, said)
