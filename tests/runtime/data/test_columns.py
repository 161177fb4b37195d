"""Columns that have types: a table is the same in a CSV file, a Parquet file, a frame of pandas or polars, and arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import archonnx
from archonnx.compiler.program import DataSource
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.record import replace
from archonnx.runtime.data.arrays import from_arrays, from_frame
from archonnx.runtime.data.cells import Cells
from archonnx.runtime.data.columns import Column
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.loaders.csv import read_csv
from archonnx.runtime.data.loaders.parquet import read_parquet
from archonnx.runtime.data.sources import load_file, load_source
from tests.support.programs import WHOLE

HERE = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
ROWS: dict[str, list[Any]] = {
    "n": [1, -2, 3],
    "gap": [1, None, 3],
    "x": [0.5, None, -2.5],
    "on": [True, False, True],
    "maybe": [True, None, False],
    "name": ["b", None, "a b"],
    "day": [date(2024, 3, 1), None, date(1969, 12, 31)],
    "at": [HERE, HERE + timedelta(days=1), None],
}
KINDS = {
    "n": "int",
    "gap": "float",
    "x": "float",
    "on": "bool",
    "maybe": "float",
    "name": "text",
    "day": "date",
    "at": "date",
}


def of_csv(rows: dict[str, list[Any]], folder: Path, kinds: dict[str, str] | None = None) -> Loaded:
    lines = [",".join(rows)]
    for row in zip(*rows.values(), strict=True):
        lines.append(",".join("" if value is None else str(value) for value in row))
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return read_csv(folder / "t.csv", None, kinds)


def of_parquet(rows: dict[str, list[Any]], folder: Path, kinds: dict[str, str] | None = None) -> Loaded:
    parquet.write_table(pyarrow.table(rows), folder / "t.parquet")
    return read_parquet(folder / "t.parquet", None, kinds)


def of_pandas(rows: dict[str, list[Any]], folder: Path, kinds: dict[str, str] | None = None) -> Loaded:
    return from_frame(pytest.importorskip("pandas").DataFrame(rows), kinds=kinds)


def of_pandas_extension_types(rows: dict[str, list[Any]], folder: Path, kinds: dict[str, str] | None = None) -> Loaded:
    return from_frame(pytest.importorskip("pandas").DataFrame(rows).convert_dtypes(), kinds=kinds)


def of_polars(rows: dict[str, list[Any]], folder: Path, kinds: dict[str, str] | None = None) -> Loaded:
    return from_frame(pytest.importorskip("polars").DataFrame(rows, strict=False), kinds=kinds)


def of_arrays(rows: dict[str, list[Any]], folder: Path, kinds: dict[str, str] | None = None) -> Loaded:
    return from_arrays(rows, kinds)


READERS = [of_csv, of_parquet, of_pandas, of_pandas_extension_types, of_polars, of_arrays]
Reader = Callable[..., Loaded]


@pytest.mark.parametrize("reader", READERS)
def test_a_table_is_the_same_in_every_form(reader: Reader, tmp_path: Path) -> None:
    loaded, expected = reader(ROWS, tmp_path), of_csv(ROWS, tmp_path)
    assert loaded.kinds == KINDS and not loaded.problems
    for name in ROWS:
        np.testing.assert_array_equal(loaded.fields[name], expected.fields[name], err_msg=name)
        assert loaded.fields[name].dtype == expected.fields[name].dtype
    if reader is not of_arrays:
        assert loaded.matrix == ("n", "gap", "x", "on", "maybe")
        np.testing.assert_array_equal(loaded.fields["data"], expected.fields["data"])


@pytest.mark.parametrize("reader", READERS)
def test_kinds_of_an_earlier_reading_hold_in_every_form(reader: Reader, tmp_path: Path) -> None:
    full = {name: [value for value in values if value is not None][:1] * 2 for name, values in ROWS.items()}
    again = reader(full, tmp_path, KINDS)
    assert again.kinds == KINDS and not again.problems
    gone: dict[str, list[Any]] = {"name": [None, None], "x": [None, 1.0]}
    assert reader(gone, tmp_path, KINDS).fields["name"].tolist() == ["", ""]
    wrong = reader({"n": ["a", "b"], "x": [1.0, 2.0]}, tmp_path, KINDS)
    assert "n" not in wrong.fields and "`n`" in wrong.problems["n"].headline
    halves = reader({"n": [1.0, 2.5], "x": [1.0, 2.0]}, tmp_path, KINDS)
    assert "2.5" in halves.problems["n"].headline and "integer" in halves.problems["n"].headline


@pytest.mark.parametrize("reader", [of_pandas, of_polars])
def test_frames_of_categories_and_decimals(reader: Reader, tmp_path: Path) -> None:
    rows = {"kind": ["b", "a", None], "price": [Decimal("1.50"), None, Decimal("2")], "code": [7, 8, 7]}
    if reader is of_pandas:
        frame = pytest.importorskip("pandas").DataFrame(rows).astype({"kind": "category", "code": "category"})
    else:
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame(rows).with_columns(polars.col("kind").cast(polars.Categorical))
    loaded = from_frame(frame, target="code")
    assert loaded.fields["kind"].tolist() == ["b", "a", ""] and loaded.fields["target"].tolist() == [7, 8, 7]
    np.testing.assert_array_equal(loaded.fields["price"], [1.5, np.nan, 2])
    assert loaded.matrix == ("price",) and loaded.target == "code"


@pytest.mark.parametrize("reader", [of_pandas, of_polars])
def test_what_a_frame_may_not_hold(reader: Reader, tmp_path: Path) -> None:
    loaded = reader({"x": [1, 2], "bag": [[1], [2]]}, tmp_path)
    assert "`bag` h" in loaded.problems["bag"].headline and "neither" not in loaded.problems["bag"].headline
    assert loaded.fields["x"].tolist() == [1, 2] and loaded.problems["data"] is loaded.problems["bag"]
    with pytest.raises(SpecError, match="has no rows"):
        reader({"x": []}, tmp_path)


def test_names_of_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    assert from_frame(pandas.DataFrame(np.eye(2))).matrix == ("0", "1")
    with pytest.raises(SpecError, match="`a` is there 2 times"):
        from_frame(pandas.DataFrame(np.eye(2), columns=["a", "a"]))
    with pytest.raises(SpecError, match="a column is called"):
        from_frame(pandas.DataFrame(np.eye(2), columns=pandas.MultiIndex.from_tuples([("a", 1), ("a", 2)])))
    with pytest.raises(SpecError, match=r"not builtins\.dict"):
        from_frame({"a": [1]})
    with pytest.raises(SpecError, match=r"frame.collect\(\)"):
        from_frame(pytest.importorskip("polars").DataFrame({"a": [1]}).lazy())


# ---------------------------------------------------------------- the matrix


@pytest.mark.parametrize("form", ["csv", "parquet", "pandas", "polars"])
def test_the_matrix_keeps_the_columns_that_it_had(form: str, tmp_path: Path) -> None:
    """Whatever stands for the data later: columns in another order, and more of them."""
    given: dict[str, Any] = {"csv": tmp_path / "t.csv", "parquet": tmp_path / "t.parquet"}

    def load(rows: dict[str, list[Any]], settled: Any = None) -> Loaded:
        of_csv(rows, tmp_path)
        of_parquet(rows, tmp_path)
        frame = pytest.importorskip(form).DataFrame(rows) if form in ("pandas", "polars") else None
        source = DataSource("data", "csv", {"path": "t.csv", "target": "y", "columns": None}, WHOLE)
        return load_source(source, tmp_path, given=given.get(form, frame), settled=settled)

    first = load({"a": [1, 2], "y": [5, 6], "on": [True, False]})
    assert first.matrix == ("a", "on") and first.settled == {"columns": ["a", "on"]}
    again = load({"on": [True, False], "b": [7, 8], "a": [1, 2]}, first.settled)
    assert again.matrix == first.matrix
    np.testing.assert_array_equal(again.fields["data"], first.fields["data"])
    less = load({"on": [True, False], "ab": [7, 8]}, first.settled)
    assert less.matrix == () and "data" not in less.fields
    assert "`a` is one of them, which is not there" in less.problems["data"].headline
    texts = load({"on": [True, False], "a": ["p", "q"]}, first.settled)
    assert "which does not hold numbers" in texts.problems["data"].headline


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_of_the_matrix_may_be_said(kind: str, tmp_path: Path) -> None:
    rows = {"a": [1, 2], "b": [3, 4], "c": [5, 6], "odd": ["1", "x"]}
    of_csv(rows, tmp_path)
    of_parquet(rows, tmp_path)

    def load(columns: list[str]) -> Loaded:
        arguments = {"path": f"t.{kind}", "target": None, "columns": columns}
        return load_source(DataSource("data", kind, arguments, WHOLE), tmp_path)

    np.testing.assert_array_equal(load(["c", "a"]).fields["data"], [[5, 1], [6, 2]])
    with pytest.raises(SpecError, match=r"`columns` names `odds`(.|\n)*did you mean `odd`"):
        load(["odds"])
    assert load(["a", "odd"]).problems.keys() >= {"data"}


def test_a_run_on_a_file_whose_columns_have_moved_measures_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=40).round(3).tolist() for name in ("a", "b")}
    rows["y"] = [3 * a - b for a, b in zip(rows["a"], rows["b"], strict=True)]
    (tmp_path / "m.arch").write_text(MATRIX)
    of_csv(rows, tmp_path)
    run = archonnx.train(tmp_path / "m.arch", tmp_path / "run", device="cpu")
    before = run.metrics["train"]["l"]
    of_csv({"y": rows["y"], "b": rows["b"], "a": rows["a"]}, tmp_path)
    assert archonnx.Run(tmp_path / "run").measure("train").figures["l"] == pytest.approx(before, rel=1e-6)
    assert run.measure(data=tmp_path / "t.csv").figures["l"] == pytest.approx(before, rel=1e-6)


def test_what_a_table_leaves_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_text(MATRIX)
    (tmp_path / "t.csv").write_text(",a,b,y\n0,1,2,3\n1,2,1,4\n")
    run = archonnx.train(tmp_path / "m.arch", tmp_path / "run", device="cpu")
    told: list[str] = []
    run.predict_all([tmp_path / "t.csv"], note=told.append)
    assert told == ["note: t.csv: the first column has no name (an index, as pandas writes one) and is left out"]


MATRIX = """
model M():
    input  x: [B, 2]
    target y: [B]
    param w: [2] = 0
    output guess = x @ w
    loss l = mse(guess, y)

train:
    data = csv("t.csv", target=y)
    feed x = data.data
    epochs = 3
    minimize l with sgd(lr=0.1)
"""


# ---------------------------------------------------------------- Parquet


def test_types_of_parquet(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "d": pyarrow.array([Decimal("1.5"), None]),
            "c": pyarrow.array(["y", None]).dictionary_encode(),
            "s": pyarrow.array([1, 2], pyarrow.timestamp("ms")),
            "t": pyarrow.array([datetime(2024, 1, 1, tzinfo=UTC), None], pyarrow.timestamp("us", "Europe/Zurich")),
            "u": pyarrow.array([0, 2**63 - 1], pyarrow.uint64()),
            "big": pyarrow.array([2**53 + 1, None]),
            "bytes": pyarrow.array([b"a", b"b"]),
            "nothing": pyarrow.nulls(2),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    loaded = read_parquet(tmp_path / "t.parquet")
    np.testing.assert_array_equal(loaded.fields["d"], [1.5, np.nan])
    assert loaded.fields["c"].tolist() == ["y", ""] and loaded.fields["u"].tolist() == [0, 2**63 - 1]
    np.testing.assert_array_equal(loaded.fields["t"], np.array(["2024-01-01", "NaT"], "M8[s]"))
    said = {name: problem.headline for name, problem in loaded.problems.items()}
    assert said.keys() == {"s", "big", "bytes", "nothing", "data"}
    assert "no parts of a second" in said["s"] and "binary" in said["bytes"] and "has no value" in said["nothing"]


# ---------------------------------------------------------------- arrays


def test_arrays_keep_their_types_and_texts_are_columns(tmp_path: Path) -> None:
    arrays = {
        "image": np.zeros((3, 2, 2), np.uint8),
        "x": np.array([1, 2, np.nan], np.float32),
        "name": np.array(["b", "", "aa"]),
        "when": np.array(["2024-01-01", "NaT", "2024-01-02"], "M8[D]"),
        "other": np.arange(6, dtype=">f8").reshape(3, 2),
        "z": np.ones(3, np.complex64),
        "words": np.array([["a", "b"]] * 3),
    }
    np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    (tmp_path / "f").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "f" / f"{name}.npy", array)
    for loaded in (
        from_arrays(arrays),
        load_source(DataSource("data", "npz", {"path": "a.npz"}, WHOLE), tmp_path),
        load_source(DataSource("data", "npy", {"path": "f"}, WHOLE), tmp_path),
    ):
        kinds = {"image": "int", "x": "float", "name": "text", "when": "date", "other": "float", "words": "text"}
        assert loaded.kinds == kinds and loaded.fields["words"].tolist() == [["a", "b"]] * 3
        assert loaded.fields["image"].dtype == np.uint8 and loaded.fields["x"].dtype == np.float32
        assert loaded.fields["name"].tolist() == ["b", "", "aa"]
        np.testing.assert_array_equal(loaded.fields["other"], arrays["other"])
        assert loaded.problems.keys() == {"z"} and "complex64" in loaded.problems["z"].headline


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": [1, 2], "y": [1]}, "`x` has 2, `y` has 1"),
        ({"x": 1.0}, "`x` is a single number"),
        ({"x": "text"}, "`x` is a single value"),
        ({}, "the data has no fields"),
        ({"x": [[1, 2], [3]]}, "its rows differ in shape"),
        ({"x": [1, "a"]}, r"`x` holds integers \('1' in row 0 \(from 0\)\), but 'a' in row 1"),
        ({"x": [True, 2]}, "`x` holds booleans"),
        ({"x": [object(), None]}, "`x` has object in row 0"),
    ],
)
def test_arrays_that_are_no_data(arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        from_arrays(arrays)


# ---------------------------------------------------------------- scikit-learn


def test_data_sets_of_scikit_learn_name_their_columns_and_classes() -> None:
    iris = load_source(DataSource("data", "sklearn", {"name": "iris"}, WHOLE), Path())
    assert iris.classes["target"] == ("setosa", "versicolor", "virginica")
    assert iris.columns_of["data"][0] == "sepal length (cm)" and len(iris.columns_of["data"]) == 4
    diabetes = load_source(DataSource("data", "sklearn", {"name": "diabetes"}, WHOLE), Path())
    assert not diabetes.classes and len(diabetes.columns_of["data"]) == 10


# ---------------------------------------------------------------- files that no spec names


@pytest.mark.parametrize("form", ["csv", "parquet", "npz", "npy", "folder"])
@pytest.mark.parametrize("kind", ["csv", "sklearn", "generate"])
def test_a_users_own_file_is_read_by_its_name(form: str, kind: str, tmp_path: Path) -> None:
    x = np.array([1.5, 2.5])
    (tmp_path / "x").mkdir()
    written = {"csv": "t.csv", "parquet": "t.parquet", "npz": "t.npz", "npy": "x.npy", "folder": "x"}[form]
    of_csv({"x": [1.5, 2.5]}, tmp_path)
    of_parquet({"x": [1.5, 2.5]}, tmp_path)
    np.savez(tmp_path / "t.npz", x=x)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "x" / "x.npy", x)
    arguments = {"csv": {"path": "other.csv", "target": None}, "sklearn": {"name": "iris"}, "generate": {}}[kind]
    source = DataSource("data", kind, arguments, WHOLE)
    for loaded in (load_source(source, Path("/nowhere"), given=tmp_path / written), load_file(tmp_path / written)):
        np.testing.assert_array_equal(loaded.fields["x"], x)
        assert loaded.fields["index"].tolist() == [0, 1] and loaded.where == written


def test_a_file_of_an_unknown_kind(tmp_path: Path) -> None:
    (tmp_path / "t.doc").write_text("x")
    with pytest.raises(SpecError, match=r"t\.doc is not known as a file of data"):
        load_file(tmp_path / "t.doc")
    with pytest.raises(SpecError, match="there is no file"):
        load_file(tmp_path / "u.doc")
    with pytest.raises(SpecError, match="there is no file"):
        load_file(tmp_path / "u.csv")


USUAL = st.one_of(
    st.integers(-(10**16), 10**16).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(["0", "-0", "007", "1.", ".5", "+3", "1e5", "1e999", "", "NA", "nan", "1_0", "x", "1\n2", " 1"]),
)


@given(st.lists(USUAL, min_size=1, max_size=6), st.sampled_from([None, "int", "float"]))
def test_columns_that_are_read_at_once_are_read_as_cell_by_cell(cells: list[str], kind: str | None) -> None:
    reader = Cells("t.csv", range(2, 2 + len(cells)))
    at_once = reader.column("a", cells, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archonnx.runtime.data.cells.plain_numbers", lambda cells, kind: None)
        singly = reader.column("a", cells, kind)
    assert type(at_once) is type(singly)
    if isinstance(singly, np.ndarray):
        assert isinstance(at_once, np.ndarray)
        assert at_once.dtype == singly.dtype
        np.testing.assert_array_equal(at_once, singly)
    else:
        assert at_once == singly


def test_a_type_that_is_no_kind_of_column_has_a_way_out() -> None:
    """What is offered is done, and gives a column."""

    def told(values: Any) -> str:
        wrong = Column("t", "x").read(values)
        assert isinstance(wrong, Diagnostic)
        return str(wrong.help)

    def read(values: Any) -> list[Any]:
        column = Column("t", "x").read(values)
        assert isinstance(column, np.ndarray)
        made: list[Any] = column.tolist()
        return made

    raw, span, part = np.array([b"a"]), np.array([5], "m8[m]"), np.array(["2024-01-01T00:00:00.5"], "M8[ms]")
    assert "numpy.char.decode(x)" in told(raw) and read(np.char.decode(raw)) == ["a"]
    assert '.astype("timedelta64[s]").astype(int)' in told(span)
    assert read(span.astype("timedelta64[s]").astype(int)) == [300]
    assert '.astype("datetime64[s]")' in told(part) and read(part.astype("datetime64[s]")) == [datetime(2024, 1, 1)]
    assert ".real" in told(np.array([1 + 2j])) and "numpy.stack" in told(np.array([[1, 2], None], object))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_sounds_and_measured_pictures_are_arrays_of_integers(dtype: type, tmp_path: Path) -> None:
    wave = np.array([[np.iinfo(dtype).min, 7], [0, np.iinfo(dtype).max]], dtype)
    np.savez(tmp_path / "a.npz", wave=wave)
    held = load_source(DataSource("data", "npz", {"path": "a.npz", "whole": []}, WHOLE), tmp_path).fields["wave"]
    assert held.dtype == np.int32 and held.tolist() == wave.tolist()


def test_texts_in_place_of_dates_are_made_dates_as_the_message_says() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"day": ["2024-03-01"]})
    wrong = from_frame(frame, kinds={"day": "date"}).problems["day"]
    assert "by `pandas.to_datetime(column)`" in str(wrong.help)
    made = from_frame(frame.assign(day=pandas.to_datetime(frame["day"])), kinds={"day": "date"})
    assert made.fields["day"].tolist() == [datetime(2024, 3, 1)]


def test_categories_of_integers_may_have_gaps() -> None:
    pandas = pytest.importorskip("pandas")
    loaded = from_frame(pandas.DataFrame({"a": pandas.Categorical([3, 1, None]), "b": pandas.Categorical([2, 1, 2])}))
    np.testing.assert_array_equal(loaded.fields["a"], [3, 1, np.nan])
    assert loaded.kinds == {"a": "float", "b": "int"}


def test_arrays_of_other_lengths_are_given_whole_as_the_message_says(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((6, 2)), y_train=np.zeros(6), x_test=np.zeros((3, 2)), n=np.int64(5))
    source = DataSource("data", "npz", {"path": "a.npz", "whole": []}, WHOLE)
    for expected in (["n"], ["x_test"], None):
        try:
            loaded = load_source(source, tmp_path)
        except SpecError as error:
            (found,) = re.findall(r"`whole=\[(.*)\]`", str(error.diagnostics[0].help))
            assert found.split(", ") == expected
            source = replace(source, arguments={**source.arguments, "whole": [*source.arguments["whole"], found]})
    assert {*loaded.fields} == {"x_train", "y_train", "index"} and {*loaded.whole} == {"n", "x_test"}
