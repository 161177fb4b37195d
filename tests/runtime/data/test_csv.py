"""CSV files: columns are what was written, however it was written, and what cannot be read is said where it stands."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import DataSource
from archonnx.compiler.sources import CsvSource, source_arguments
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.loaders.csv import read_csv
from archonnx.runtime.data.sources import load_source
from tests.support.programs import WHOLE


def read(folder: Path, content: str | bytes, *, kinds: dict[str, str] | None = None, **arguments: Any) -> Loaded:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, CsvSource(path="t.csv", **arguments), kinds, WHOLE)


def refused(folder: Path, content: str | bytes, **arguments: Any) -> str:
    with pytest.raises(SpecError) as caught:
        read(folder, content, **arguments)
    return "\n".join(f"{d.headline} {d.help or ''}" for d in caught.value.diagnostics)


def problem(loaded: Loaded, name: str) -> str:
    """What is wrong with a column, which is not among the fields."""
    assert name not in loaded.fields
    return f"{loaded.problems[name].headline} {loaded.problems[name].help or ''}"


# ---------------------------------------------------------------- what is written is read

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from('\n",;| '), max_size=8)
WORDS = TEXTS.map(lambda text: f"x{text.strip()}")
"""Texts that are no numbers, dates or booleans, and have no spaces at the ends."""
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.none()
COLUMNS = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": FLOATS,
    "bool": st.booleans(),
    "date": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda d: d.replace(microsecond=0)),
    "text": WORDS,
}


def written(value: Any, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value).replace(".", decimal)
    return value.isoformat() if isinstance(value, datetime) else str(value)


@given(data=st.data(), rows=st.integers(1, 6), decimal=st.sampled_from(".,"), quoting=st.sampled_from([0, 1]))
@settings(max_examples=60, deadline=None)
def test_what_csv_writes_is_read_back(
    data: st.DataObject, rows: int, decimal: str, quoting: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    delimiter = data.draw(st.sampled_from(",;\t|"))
    kinds = data.draw(st.permutations(list(COLUMNS)))
    columns = {kind: data.draw(st.lists(COLUMNS[kind], min_size=rows, max_size=rows)) for kind in kinds}
    if all(value is None for value in columns["float"]):
        columns["float"][0] = 0.5
    if all(value is None or (float(value).is_integer() and "e" not in repr(value)) for value in columns["float"]):
        columns["float"][0] = -2.5  # so that it is not a column of integers
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=quoting)
    writer.writerow(kinds)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([written(value, decimal) for value in row])
    folder = tmp_path_factory.mktemp("t")
    loaded = read(folder, file.getvalue(), delimiter=delimiter, decimal=decimal)
    assert loaded.kinds == {kind: kind for kind in kinds} and not loaded.problems
    for kind, values in columns.items():
        expected = np.array(values, dtype={"int": "i8", "float": "f8", "bool": "?", "date": "M8[s]", "text": "O"}[kind])
        np.testing.assert_array_equal(loaded.fields[kind], expected)
    assert loaded.matrix == tuple(kind for kind in kinds if kind not in ("date", "text"))
    assert loaded.lines is not None and loaded.lines[-1] == len(file.getvalue().splitlines())


def test_columns_do_not_depend_on_their_order(tmp_path: Path) -> None:
    one, other = read(tmp_path, "a,b,c\n1,x,2.5\n2,y,\n"), read(tmp_path, "c,a,b\n2.5,1,x\n,2,y\n")
    for name in "abc":
        np.testing.assert_array_equal(one.fields[name], other.fields[name])
    assert one.matrix == ("a", "c") and other.matrix == ("c", "a")


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfa,b\r\n1,\xc3\xa9\r\n\r\n3,y\r\n", "a,b\n1,é\n3,y".encode(), 'a,b\n1,"é"\n\n 3 , y\n'.encode()],
)
def test_marks_line_ends_and_spaces_are_no_part_of_cells(content: bytes, tmp_path: Path) -> None:
    fields = read(tmp_path, content).fields
    assert fields["a"].tolist() == [1, 3] and fields["b"].tolist() == ["é", "y"]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "UTF-8"])
def test_other_encodings_are_read_where_they_are_said(encoding: str, tmp_path: Path) -> None:
    content = "ort,x\nMünchen,1\nZürich,2\n".encode(encoding)
    assert read(tmp_path, content, encoding=encoding).fields["ort"].tolist() == ["München", "Zürich"]


@pytest.mark.parametrize(("encoding", "help"), [("cp1252", "cp1252"), ("utf-16", "utf-16")])
def test_another_encoding_is_asked_for(encoding: str, help: str, tmp_path: Path) -> None:
    said = refused(tmp_path, "ort,x\nMünchen,1\n".encode(encoding))
    line = ":2" if encoding == "cp1252" else ""  # what UTF-16 has no lines before it is decoded
    assert f"t.csv{line} is not UTF-8 text" in said and f'`encoding="{help}"`' in said
    assert read(tmp_path, "ort,x\nMünchen,1\n".encode(encoding), encoding=help).fields["ort"].tolist() == ["München"]


@pytest.mark.parametrize(
    ("begins", "what"),
    [
        (b"PK\x03\x04\x00\xff", "a spreadsheet"),
        (b"\x1f\x8b\x08\x00\x00", "compressed"),
        (b"PAR1\x00\x15\xff\x00", "a Parquet file"),
    ],
)
def test_what_is_not_text_is_said(begins: bytes, what: str, tmp_path: Path) -> None:
    said = refused(tmp_path, begins + bytes(range(256)))
    assert f"t.csv is {what}" in said and "encoding" not in said


@pytest.mark.parametrize(("header", "row"), [("a;b", "1,5;2,5"), ("a;b", "1;2"), ("a\tb", "1\t2"), ("a|b", "1|x")])
def test_another_delimiter_is_asked_for(header: str, row: str, tmp_path: Path) -> None:
    said = refused(tmp_path, f"{header}\n{row}\n{row}\n")
    sign = header[1]
    assert f'`delimiter="{chr(92) + "t" if sign == chr(9) else sign}"`' in said and "t.csv:1" in said
    loaded = read(tmp_path, f"{header}\n{row}\n", delimiter=sign)
    assert loaded.fields.keys() | loaded.problems.keys() >= {"a", "b"}


def test_one_column_may_have_signs_in_its_name(tmp_path: Path) -> None:
    assert read(tmp_path, "yes|no\nyes\nno\n").fields["yes|no"].tolist() == ["yes", "no"]


# ---------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", "+3"], "int", [1, -2, 3]),
        (["1", "", "NA", "3"], "float", [1, np.nan, np.nan, 3]),
        (["1", "2.5", ".5", "1e3", "?"], "float", [1, 2.5, 0.5, 1000, np.nan]),
        (["true", "FALSE", "True"], "bool", [True, False, True]),
        (["true", "n/a", "false"], "float", [1, np.nan, 0]),
        (["a", "", "NA"], "text", ["a", "", "NA"]),
        (["none", "mild"], "text", ["none", "mild"]),
        (["1_000", "x"], "text", ["1_000", "x"]),
        (["inf", "nan", "-inf"], "text", ["inf", "nan", "-inf"]),
        (["\u0661", "\u0662"], "text", ["\u0661", "\u0662"]),
    ],
)
def test_the_kind_of_a_column_is_that_of_all_its_cells(
    cells: list[str], kind: str, values: list[Any], tmp_path: Path
) -> None:
    loaded = read(tmp_path, "a,row\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)))
    assert loaded.kinds["a"] == kind
    np.testing.assert_array_equal(loaded.fields["a"], np.array(values, dtype=object if kind == "text" else None))
    assert ("a" in loaded.matrix) == (kind != "text")


def test_dates_are_moments_in_utc(tmp_path: Path) -> None:
    cells = ["2024-03-01T10:00:00+02:00", "2024-03-01 10:00Z", "", "2024-12-31T23:30-0100"]
    loaded = read(tmp_path, "when,row\n" + "".join(f"{cell},1\n" for cell in cells))
    expected = ["2024-03-01T08:00", "2024-03-01T10:00", "NaT", "2025-01-01T00:30"]
    np.testing.assert_array_equal(loaded.fields["when"], np.array(expected, dtype="M8[s]"))
    assert loaded.kinds["when"] == "date" and loaded.matrix == ("row",)
    days = read(tmp_path, "when\n2024-03-01\n1969-12-31\n").fields["when"]
    assert days.astype("M8[D]").astype(str).tolist() == ["2024-03-01", "1969-12-31"]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["1", "2", "l6"], "`a` holds numbers ('1' in line 2), but 'l6' in line 4"),
        (["1", "2 500", "3"], '`without={a: " "}` reads `2500`'),
        (["A7", "2", "B6", "4"], "`a` holds numbers ('2' in line 3), but 'A7' in lines 2, 4"),
        (["1", "inf"], "but 'inf' in line 3"),
        (["1.5", "true"], "but 'true' in line 3"),
        (["2024-01-01", "soon"], "`a` holds dates ('2024-01-01' in line 2), but 'soon' in line 3"),
        (["true", "maybe"], "`a` holds true and false ('true' in line 2), but 'maybe' in line 3"),
        (["2024-02-28", "2024-02-30"], "t.csv:3: `a` has '2024-02-30', a day or an hour that there is not"),
        (["2024-02-28", "2024-02-28T10:00Z"], "t.csv:3: `a` has '2024-02-28T10:00Z', which has an offset"),
        (["2024-02-28T10:00:00.5"], "a part of a second, which dates do not keep"),
        (["1", str(2**63)], f"t.csv:3: `a` has '{2**63}', too large for i64"),
        (["9" * 5000], "too large for i64"),
        (["1e400"], "too large for a float"),
        (["", str(2**53 + 1)], "cannot hold exactly"),
        (["01234", "90210"], "t.csv:2: `a` has '01234': is that a number or a code?"),
        (["", "NA"], "`a` has no value in any row"),
    ],
)
def test_a_column_of_several_kinds_is_not_read(cells: list[str], says: str, tmp_path: Path) -> None:
    text = "a,row,b\n" + "".join(f"{cell},{i},0.5\n" for i, cell in enumerate(cells))
    loaded = read(tmp_path, text)
    assert says in problem(loaded, "a") and "kinds={a: " in problem(loaded, "a")
    assert "data" not in loaded.fields and loaded.problems["data"] is loaded.problems["a"]
    assert loaded.fields["row"].tolist() == list(range(len(cells)))  # the others are read
    as_texts = read(tmp_path, text, kinds={"a": "text"})
    assert as_texts.fields["a"].tolist() == cells and as_texts.matrix == ("row", "b") and not as_texts.problems


@pytest.mark.parametrize(("decimal", "cells"), [(".", ["3,5", "4,25"]), (".", ["3,5", "4"]), (",", ["3.5", "4.25"])])
def test_the_other_decimal_sign_is_asked_for(decimal: str, cells: list[str], tmp_path: Path) -> None:
    text = "a;b\n" + "".join(f"{cell};x\n" for cell in cells)
    said = problem(read(tmp_path, text, delimiter=";", decimal=decimal), "a")
    other = "," if decimal == "." else "."
    assert f"`a` has {cells[0]!r}: is that a number with a decimal `{other}`?" in said and "t.csv:2" in said
    numbers = read(tmp_path, text, delimiter=";", decimal=other).fields["a"].tolist()
    assert numbers == [float(cell.replace(",", ".")) for cell in cells]


def test_what_helps_helps(tmp_path: Path) -> None:
    """The slip of a column that is taken for a gap, as the message says; names that are no words are quoted."""
    text = 'size of "it",in\n1,2\n"l""6",x\n3,5\n'
    loaded = read(tmp_path, text)
    assert 'missing=["l\\"6"]' in problem(loaded, 'size of "it"') and 'kinds={"in": text}' in problem(loaded, "in")
    mended = read(tmp_path, text, missing=['l"6', "x"])
    np.testing.assert_array_equal(mended.fields["data"], [[1, 2], [np.nan, np.nan], [3, 5]])


def test_what_means_no_value_adds_to_the_usual(tmp_path: Path) -> None:
    text = "a,b\n-1,unknown\nNA,\n3,NA\n4,x\n"
    loaded = read(tmp_path, text, missing=["-1", "unknown"])
    np.testing.assert_array_equal(loaded.fields["a"], [np.nan, np.nan, 3, 4])
    assert loaded.fields["b"].tolist() == ["", "", "NA", "x"]


# ---------------------------------------------------------------- kinds of an earlier reading


def test_what_a_column_was_it_stays(tmp_path: Path) -> None:
    known = {"code": "text", "size": "float", "n": "int", "on": "bool", "day": "date", "gone": "int"}
    loaded = read(tmp_path, "size,code,n,on,day\n1,12,3,1,2024-01-01\n2,13,4,0,2024-01-02\n", kinds=known)
    assert loaded.kinds == {"size": "float", "code": "text", "n": "int", "on": "bool", "day": "date"}
    assert loaded.fields["code"].tolist() == ["12", "13"]


@pytest.mark.parametrize(
    ("kind", "cell", "says"),
    [
        ("int", "abc", "t.csv:3: `a` has 'abc', which is not an integer"),
        ("int", "2.5", "t.csv:3: `a` has '2.5', which is not an integer"),
        ("float", "abc", "t.csv:3: `a` has 'abc', which is not a number"),
        ("float", "nan5", "t.csv:3: `a` has 'nan5', which is not a number"),
        ("bool", "yes", "t.csv:3: `a` has 'yes', which is not true or false"),
        ("date", "1.1.2024", "t.csv:3: `a` has '1.1.2024', which is not a date"),
    ],
)
def test_a_cell_of_another_kind_is_told(kind: str, cell: str, says: str, tmp_path: Path) -> None:
    good = {"int": "1", "float": "1", "bool": "true", "date": "2024-01-01"}[kind]
    text = f"a\n{good}\n{cell}\n{good}\n"
    assert says in problem(read(tmp_path, text, kinds={"a": kind}), "a")


def test_a_file_that_only_lacks_its_gaps_is_of_the_same_kinds(tmp_path: Path) -> None:
    first = read(tmp_path, "n,on,x\n1,true,2\n,,3\n")
    again = read(tmp_path, "n,on,x\n1,true,2\n5,false,3\n", kinds=first.kinds)
    assert again.kinds == first.kinds and again.matrix == first.matrix
    np.testing.assert_array_equal(again.fields["data"], [[1, 1, 2], [5, 0, 3]])


def test_a_users_own_file_may_lie_anywhere_and_lack_the_target(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "new.csv").write_text("a,code\n1,7\n")
    source = DataSource("data", "csv", {"path": "t.csv", "target": "y", "kinds": {"gone": "int"}}, WHOLE)
    loaded = load_source(source, tmp_path / "spec", given=tmp_path / "new.csv", kinds={"code": "text"})
    assert loaded.where == "new.csv" and loaded.kinds == {"a": "int", "code": "text"} and "target" not in loaded.fields
    with pytest.raises(SpecError, match=r"there is no file .*newer\.csv"):
        load_source(source, tmp_path / "spec", given=tmp_path / "newer.csv")


# ---------------------------------------------------------------- names


def test_an_index_that_pandas_wrote_is_not_a_feature(tmp_path: Path) -> None:
    unnamed = read(tmp_path, ",size,rent\n0,4,8\n7,5,10\n", target="rent")
    assert unnamed.matrix == ("size",) and set(unnamed.fields) == {"size", "rent", "data", "target", "index"}
    assert "the first column has no name" in unnamed.notes[0]
    again = read(tmp_path, "Unnamed: 0,size,rent\n0,4,8\n7,5,10\n", target="rent")
    assert again.matrix == ("size",) and again.fields["Unnamed: 0"].tolist() == [0, 7] and again.notes


def test_any_other_column_has_a_name(tmp_path: Path) -> None:
    assert "t.csv:1: column 2 has no name" in refused(tmp_path, "a,,c\n1,2,3\n")
    assert "column 3 has no name" in refused(tmp_path, ",b,\n1,2,3\n")


def test_a_column_called_target_is_not_hidden_by_the_target(tmp_path: Path) -> None:
    loaded = read(tmp_path, "target,y\n1,2\n", target="y")
    assert "`data.target` is the column `target` and, as the source says, `y`" in problem(loaded, "target")
    assert read(tmp_path, "target,y\n1,2\n").fields["target"].tolist() == [1]
    same = read(tmp_path, "target,y\n1,2\n", target="target")
    assert same.fields["target"].tolist() == [1] and same.matrix == ("y",)


def test_columns_called_like_what_is_made_stay(tmp_path: Path) -> None:
    loaded = read(tmp_path, "index,data,x\nq,3,5\nr,4,6\n")
    assert loaded.fields["index"].tolist() == ["q", "r"] and loaded.fields["data"].tolist() == [3, 4]
    assert loaded.kinds == {"index": "text", "data": "int", "x": "int"}


def test_a_file_that_is_much_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archonnx.runtime.data.loaders.csv.MAX_CELLS", 6)
    read(tmp_path, "a,b\n1,2\n1,2\n1,2\n")
    assert "more than 6 cells" in refused(tmp_path, "a,b\n1,2\n1,2\n1,2\n1,2\n")


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"decimal": ":"}, "`decimal`"),
        ({"delimiter": "\n"}, "`delimiter`"),
        ({"delimiter": ";;"}, "`delimiter`"),
        ({"encoding": "utf-9"}, "no such encoding"),
        ({"encoding": "hex"}, "no such encoding"),
        ({"kinds": {"a": "string"}}, "`kinds"),
        ({"missing": "NA"}, "`missing`"),
        ({"mising": ["NA"]}, "did you mean `missing`"),
    ],
)
def test_arguments_are_checked_before_the_file_is_read(arguments: dict[str, Any], says: str) -> None:
    report = Report()
    assert source_arguments("csv", ["t.csv"], arguments, WHOLE, report) is None
    assert says in "\n".join(f"{d.headline} {d.help or ''}" for d in report.diagnostics)


LINE = """
model Line():
    input x: [B]
    target y: [B]
    param w: [] = 0
    loss l = mse(w * x, y)

train:
    data = SOURCE
    epochs = 1
    minimize l with sgd(lr=0.1)
"""


@pytest.mark.parametrize(
    "source",
    [
        """csv("t.csv", target=y, delimiter=";", decimal=",", kinds={"a b": text, y: float}, missing=["-", -1], columns=[y, x])""",
        """csv("t.csv", "y", ";", ",", ["-", -1], {"a b": "text", y: "float"}, columns=["y", "x"])""",
    ],
)
def test_arguments_are_words_texts_and_dictionaries_of_them(source: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x;y;a b\n1,5;2;01\n-;-1;x\n")
    source_of = elaborate(parse_spec(Source("m.arch", LINE.replace("SOURCE", source)))).programs[0].source
    assert source_of is not None
    fields = load_source(source_of, tmp_path).fields
    np.testing.assert_array_equal(fields["x"], [1.5, np.nan])
    np.testing.assert_array_equal(fields["target"], [2.0, np.nan])
    assert fields["a b"].tolist() == ["01", "x"]
    np.testing.assert_array_equal(fields["data"], [[2, 1.5], [np.nan, np.nan]])


YAML = """model: Line
inputs: {x: '[B]'}
targets: {y: '[B]'}
params:
  w: {type: '[]', value: 0}
losses: {l: 'mse(w * x, y)'}
train:
  data: SOURCE
  steps:
  - {minimize: l, with: sgd(lr=0.1)}
"""


@pytest.mark.parametrize(
    "source",
    [
        "{csv: {path: t.csv, delimiter: ';', decimal: ',', kinds: {zip: text}, missing: ['-']}}",
        """'csv("t.csv", delimiter=";", decimal=",", kinds={zip: text}, missing=["-"])'""",
    ],
)
def test_arguments_in_yaml(source: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x;y;zip\n1,5;2;01\n-;3;02\n")
    read = elaborate(parse_spec(Source("m.yaml", YAML.replace("SOURCE", source)))).programs[0].source
    assert read is not None
    loaded = load_source(read, tmp_path)
    np.testing.assert_array_equal(loaded.fields["x"], [1.5, np.nan])
    assert loaded.kinds["zip"] == "text"


# ---------------------------------------------------------------- as people write numbers and dates


@pytest.mark.parametrize(
    ("cells", "help", "read_as"),
    [
        (["$1,234.50", "$7", "$-2.5"], 'without={x: "$,"}', [1234.5, 7, -2.5]),
        (["12 %", "7.5%", "100 %"], 'without={x: "%"}', [12, 7.5, 100]),
        (["1,234", "12,000", "1,000,000"], 'without={x: ","}', [1234, 12000, 1e6]),
        (["3", "1,234,567", "-9"], 'without={x: ","}', [3, 1234567, -9]),
        ([f"{n} kg" for n in range(20)], 'without={x: "kg"}', [*range(20)]),
        (["€ 5", "€ 1,000.25"], 'without={x: "€,"}', [5, 1000.25]),
    ],
)
def test_numbers_as_people_write_them_are_read_when_it_is_said(
    cells: list[str], help: str, read_as: list[float], tmp_path: Path
) -> None:
    text = "x,y\n" + "".join(f'"{cell}",0\n' for cell in cells)
    assert help in problem(read(tmp_path, text), "x")
    _, _, characters = help.partition(": ")
    loaded = read(tmp_path, text, without={"x": characters[1:-2]})
    np.testing.assert_array_equal(loaded.fields["x"], read_as)
    np.testing.assert_array_equal(loaded.fields["data"][:, 0], read_as)
    assert read(tmp_path, text, kinds={"x": "text"}).fields["x"].tolist() == cells


def test_a_comma_before_three_digits_may_be_either(tmp_path: Path) -> None:
    said = problem(read(tmp_path, 'x\n"1,234"\n"5,678"\n'), "x")
    assert "1234" in said and "1.234" in said and 'decimal=","' in said and 'without={x: ","}' in said
    both = read(tmp_path, "x;y\n1.234,5;a\n2;b\n", delimiter=";", decimal=",", without={"x": "."})
    np.testing.assert_array_equal(both.fields["x"], [1234.5, 2])


@pytest.mark.parametrize(
    "cells", [["2 rooms", "3 rooms"], ["(555) 1234", "(555) 99"], ["1.2.3", "1.2.4"], ["12:3", "1:0"], ["a1", "b2"]]
)
def test_classes_and_codes_with_digits_are_texts(cells: list[str], tmp_path: Path) -> None:
    assert read(tmp_path, "x\n" + "".join(f"{cell}\n" for cell in cells)).fields["x"].tolist() == cells


@pytest.mark.parametrize(
    ("cells", "forms"),
    [
        (["3/16/2024", "1/2/2024"], ["%m/%d/%Y"]),
        (["16.3.2024", "1.2.2024"], ["%d.%m.%Y"]),
        (["1/2/2024"], ["%m/%d/%Y", "%d/%m/%Y"]),
        (["3-Mar-2024", "12-Dec-2023"], ["%d-%b-%Y"]),
        (["16.3.2024 08:30", "1.2.2024 17:00"], ["%d.%m.%Y %H:%M"]),
        (["3/16/2024 8:30 PM", "1/2/2024 7:00 AM"], ["%m/%d/%Y %I:%M %p"]),
        (["2024-03", "2023-12"], ["%Y-%m"]),
        (["Mar 2024", "Dec 2023"], ["%b %Y"]),
        (["Sat, 16 Mar 2024 08:30:00 +0000"], ["%a, %d %b %Y %H:%M:%S %z"]),
    ],
)
def test_dates_of_other_forms_are_read_when_it_is_said(cells: list[str], forms: list[str], tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f'"{cell}",0\n' for cell in [*cells, ""])
    said = problem(read(tmp_path, text), "x")
    assert re.findall(r'dates=\{x: "([^"]+)"', said) == forms
    dates = read(tmp_path, text, dates={"x": forms[0]}).fields["x"]
    wanted = [np.datetime64(datetime.strptime(cell, forms[0]).replace(tzinfo=None)) for cell in cells]
    assert dates[:-1].tolist() == np.array(wanted, dtype="M8[s]").tolist() and np.isnat(dates[-1])


def test_times_of_day_and_parts_of_seconds_are_read_when_it_is_said(tmp_path: Path) -> None:
    said = problem(read(tmp_path, "x\n20:00\n7:05\n"), "x")
    assert 'is that a time of day? `dates={x: "%H:%M"}`' in said
    times = read(tmp_path, "x\n20:00\n7:05\n", dates={"x": "%H:%M"}).fields["x"]
    assert times.astype(np.int64).tolist() == [20 * 3600, 7 * 3600 + 300]
    exact = "x\n2024-03-01T00:00:07.25\n2024-03-01T00:00:08\n"
    (form,) = re.findall(r'dates=\{x: "([^"]+)"', problem(read(tmp_path, exact), "x"))
    assert read(tmp_path, exact, dates={"x": form}).fields["x"].astype(str).tolist() == [
        "2024-03-01T00:00:07",
        "2024-03-01T00:00:08",
    ]


def test_days_without_marks_are_dates_where_it_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, "x\n20240316\n").kinds["x"] == "int"
    (day,) = read(tmp_path, "x\n20240316\n", dates={"x": "%Y%m%d"}).fields["x"]
    assert day == np.datetime64("2024-03-16")
    assert "'2024031x', which is no date" in problem(read(tmp_path, "x\n2024031x\n", dates={"x": "%Y%m%d"}), "x")


@pytest.mark.parametrize("gap", ["", "\n"])
def test_numbers_that_are_all_days_are_asked_about(gap: str, tmp_path: Path) -> None:
    text = f"x,y\n{',1' if gap else '20240229,1'}\n20231231,2\n20240301,3\n"
    said = problem(read(tmp_path, text), "x")
    assert "is that a date or a number?" in said and f"t.csv:{3 if gap else 2}:" in said
    assert re.findall(r'dates=\{x: "([^"]+)"', said) == ["%Y%m%d"]
    assert read(tmp_path, text, kinds={"x": "int"}).fields["x"][1] == 20231231
    for other in (20231332, 20231200, 18991231, 21000101):
        assert read(tmp_path, text + f"{other},4\n").fields["x"][-1] == other


# ---------------------------------------------------------------- what a run reads


@pytest.mark.parametrize(
    ("content", "help"),
    [
        ("a\tb\n1\t2\n", "separate them by `,`, as in the training"),
        ("a,b\n1,é\n".encode("cp1252"), "write it in UTF-8, as in the training"),
        ("a,b\n2.5,2024-01-01\n", "with `kinds={a: float}` there, fractions are taken"),
        ("a,b\n7 %,2024-01-01\n", "write it without `%`"),
        ("a,b\n1,31.12.2024\n", "dates are written `%Y-%m-%d` or"),
    ],
)
def test_a_run_is_not_told_what_a_spec_may_say(content: str | bytes, help: str, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        found = list(read_csv(path, CsvSource(path="t.csv"), {"a": "int", "b": "date"}).problems.values())
    except SpecError as error:
        found = error.diagnostics
    assert {help in (one.help or "") for one in found} == {True}


def test_a_sign_at_the_end_of_lines_and_a_file_of_json_are_told(tmp_path: Path) -> None:
    assert "the line ends with a `,` that the first one lacks" in refused(tmp_path, "a,b\n1,2,\n")
    for text in ('{"a": 1, "b": 2}\n', '[{"a": 1}]', "[\n  {\n"):
        assert "t.csv is JSON" in refused(tmp_path, text)


@pytest.mark.parametrize("form", ["%d.%m.", "%M", "%Y", "%m", "%d.%m.%Y %Q", "day"])
def test_a_form_of_dates_has_a_month_and_a_year_or_a_time(form: str) -> None:
    with pytest.raises(ValueError):
        CsvSource(path="t.csv", dates={"x": form})


def test_a_file_without_a_header_has_its_names_from_the_spec(tmp_path: Path) -> None:
    rows = "5.1,3.5,red\n4.9,3.0,blue\n"
    loaded = read(tmp_path, rows, names=["length", "width", "kind"])
    np.testing.assert_array_equal(loaded.fields["length"], [5.1, 4.9])
    assert (
        loaded.fields["kind"].tolist() == ["red", "blue"]
        and loaded.lines is not None
        and loaded.lines.tolist() == [1, 2]
    )
    assert "3 cells where `names` has 2" in refused(tmp_path, rows, names=["length", "width"])
    assert "names=[c1, c2]" in refused(tmp_path, "5.1,3.5\n4.9,3.0\n")
    later = read(tmp_path, "kind,length\nred,1\n", names=["length", "width", "kind"])
    assert {*later.fields} >= {"kind", "length"} and "width" not in later.fields


def test_a_header_beside_names_is_not_read_as_a_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    text = LINE.replace("SOURCE", 'csv("t.csv", names=[x, y])')
    source_of = elaborate(parse_spec(Source("m.arch", text))).programs[0].source
    assert source_of is not None
    with pytest.raises(SpecError, match="the first line has the names"):
        load_source(source_of, tmp_path)


def test_columns_that_are_half_numbers_in_parts_are_read_again_without_their_marks(tmp_path: Path) -> None:
    """The first part of a long column is plain numbers, and marks come later."""
    cells = [*map(str, range(20_001)), "1,000"]
    text = "x\n" + "".join(f'"{cell}"\n' for cell in cells)
    numbers = read(tmp_path, text, without={"x": ","}).fields["x"]
    assert numbers[-1] == 1000 and numbers[:-1].tolist() == [*range(20_001)]
    assert 'without={x: ","}' in problem(read(tmp_path, text), "x")


# ---------------------------------------------------------------- what stands around a table


WAYS = r"`((?:skip|comment|delimiter|encoding)=[^`]+)`"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("Report of 2024\n\na,b\n1,2\n", [(4, 1, 2)]),
        ("Report of 2024,\n,\na,b\n1,2\n", [(4, 1, 2)]),
        ("# made by hand\na,b\n1,2\n", [(3, 1, 2)]),
        ("a,b\n1,2\n// from here on guessed\n3,4\n", [(2, 1, 2), (4, 3, 4)]),
        ("sep=;\na;b\n1;2\n", [(3, 1, 2)]),
        ("a   b\n1   2\n33  4 \n", [(2, 1, 2), (3, 33, 4)]),
        ("a:b\n1:2\n", [(2, 1, 2)]),
        ("a,b\n1,2\n".encode("utf-16-le"), [(2, 1, 2)]),
    ],
)
def test_the_way_out_reads_the_table(content: str | bytes, rows: list[tuple[int, ...]], tmp_path: Path) -> None:
    """What is offered is done, word by word, until there is nothing to be said; then the rows are those of the table."""
    arguments: dict[str, Any] = {}
    for _ in range(3):
        try:
            loaded = read(tmp_path, content, **arguments)
            break
        except SpecError as error:
            name, value = re.findall(WAYS, error.diagnostics[0].help or "")[0].split("=", 1)
            arguments[name] = json.loads(value)
    assert loaded.lines is not None and arguments
    assert list(zip(loaded.lines, loaded.fields["a"], loaded.fields["b"], strict=True)) == rows


def test_what_begins_like_a_comment_inside_a_cell_is_of_the_cell(tmp_path: Path) -> None:
    loaded = read(tmp_path, '# "it\na,b\n"x\n#y",2\n#z,3\n', comment="#")
    assert loaded.fields["a"].tolist() == ["x\n#y"] and loaded.lines is not None and loaded.lines.tolist() == [4]


def test_what_spreadsheets_leave_behind_is_left_out_and_told(tmp_path: Path) -> None:
    loaded = read(tmp_path, "a,b,,\n1,2,,\n,,,\n3,4,,\n,,,\n,,,\n")
    np.testing.assert_array_equal(loaded.fields["a"], [1, np.nan, 3])
    assert loaded.notes == (
        "t.csv: 2 rows with nothing in any cell left out at the end",
        "t.csv: columns 3, 4 without a name and without values left out",
    )
    assert "column 3 has no name" in refused(tmp_path, "a,b,\n1,2,3\n")


def test_names_that_come_again_and_a_row_in_place_of_names_are_refused(tmp_path: Path) -> None:
    assert "t.csv:3: the names of the columns are there again" in refused(tmp_path, "a,b\n1,2\na,b\n3,4\n")
    assert "`names=[c1, c2]`" in refused(tmp_path, "5.1,red\n4.9,blue\n")
    assert read(tmp_path, "2019,2020,name\n4.9,5.0,x\n").kinds == {"2019": "float", "2020": "float", "name": "text"}


def test_a_last_row_that_says_total_is_told(tmp_path: Path) -> None:
    assert "t.csv:4: `who` is 'Total:' in the last row" in read(tmp_path, "who,x\nA,1\nB,2\nTotal:,3\n").notes[0]
    assert read(tmp_path, "who,x\nTotal,1\nB,2\nTotal,3\n").notes == ()


def test_a_quote_after_a_space_begins_a_cell_too(tmp_path: Path) -> None:
    assert read(tmp_path, 'a, b\n1, "x, y"\n').fields["b"].tolist() == ["x, y"]


def test_utf_8_is_not_read_as_letters_of_one_byte(tmp_path: Path) -> None:
    said = refused(tmp_path, "a,b\n1,Zürich\n", encoding="cp1252")
    assert "by cp1252 `ü` would be `Ã¼`" in said and "leave `encoding` out" in said
    assert read(tmp_path, "a,b\n1,Zürich\n".encode("cp1252"), encoding="cp1252").fields["b"].tolist() == ["Zürich"]


def test_several_odd_cells_are_offered_as_gaps_at_once(tmp_path: Path) -> None:
    content = "x\n1\n#N/A\n2\n#DIV/0!\n3\n"
    said = problem(read(tmp_path, content), "x")
    assert 'missing=["#N/A", "#DIV/0!"]' in said
    assert read(tmp_path, content, missing=["#N/A", "#DIV/0!"]).kinds == {"x": "float"}
    assert "take line 2 out of the file if it holds units" in problem(read(tmp_path, "x\nkg\n1\n2\n"), "x")
    assert "U+2212" in problem(read(tmp_path, "x\n1\n\u22125\n2\n"), "x")
