"""What is typed or given to the command line by anybody: a diagnostic in the end, whatever it is."""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx import cli
from archonnx.cli.arrays import as_csv, raw_inputs, read_arrays, say_where_nan, write_arrays
from archonnx.cli.options import literal
from archonnx.compiler.ir.types import TensorType
from archonnx.grammar.diagnostics import SpecError, listing
from archonnx.runtime.files import load_parameters
from archonnx.runtime.folders.inputs import check_numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1000", 1000), ("-3", -3), ("+3", 3), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("inf", float("inf")),
        ("1_000", "1_000"), ("1_0.5", "1_0.5"), ("１２", "１２"), ("٣", "٣"), ("0x10", "0x10"), ("true", True), ("none", None),
    ],
)  # fmt: skip
def test_numbers_are_those_of_the_language(text: str, value: Any) -> None:
    """``1_000`` is a name to the language; Python's ``int`` takes it for a number, and digits of other scripts too."""
    read = literal(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2.5, true, none, a, 'b', \"c\"]", [1, 2.5, True, None, "a", "b", "c"]),
        ("{a: 1, b: [x, {c: -inf}]}", {"a": 1, "b": ["x", {"c": float("-inf")}]}), ("[]", []), ("'5'", "5"),
        ("[2020-01-01, 1_000, 0x10, 1:30, yes, ~, ٣]", ["2020-01-01", "1_000", "0x10", "1:30", "yes", "~", "٣"]),
        ("[true, 1e3]", [True, 1000.0]),
    ],
)  # fmt: skip
def test_in_lists_and_dicts_everything_means_what_it_does_alone(text: str, value: Any) -> None:
    """YAML would have a date, 1000, 16, 90, true and nothing."""
    assert literal(text) == value and repr(literal(text)) == repr(value)


LAUGHS = "[&a [1, 1], &b [[*a], [*a]]" + "".join(f", &x{n} [[*b], [*b]]" for n in range(30)) + "]"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000 + "]" * 5000, "{a: " * 60 + "1" + "}" * 60, LAUGHS, "[&a [*a]]", "[1,", "{a: 1, a: 2}", "{1: 2}",
        "[!!binary aGVsbG8=]", "[!!python/object:os.system x]", "!!set {a}", "[", '"', "[a] b", "{? [a] : b}", "[\0]",
    ],
)  # fmt: skip
def test_what_is_no_value_is_the_text_that_it_is(text: str) -> None:
    assert literal(text) == text


def test_what_has_no_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.npz", "x.csv", "x.json", "x.npy"):
        os.mkfifo(tmp_path / name)
        for given in (name, f"x={name}"):
            with pytest.raises(SpecError) as caught:
                read_arrays(given, {})
            assert "is a pipe" in caught.value.diagnostics[0].headline
            with pytest.raises(SpecError) as caught:
                raw_inputs([given])
            assert "is a pipe" in caught.value.diagnostics[0].headline


def test_too_little_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def greedy(arguments: list[str]) -> None:
        raise MemoryError("Unable to allocate 14.6 TiB")

    monkeypatch.setattr(cli, "_run", greedy)
    monkeypatch.setattr(sys, "argv", ["archonnx", "train", "x"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr().err
    assert stop.value.code == cli.WRONG
    assert said.startswith("error[AX0660]: there is not enough memory") and "14.6 TiB" in said


# ---------------------------------------------------------------- weights and fields


def weights(path: Path, dtype: str, data: bytes, shape: list[int]) -> Path:
    """A file with one tensor, ``w``."""
    header = json.dumps({"w": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def test_weights_in_bf16_are_the_numbers_that_they_are(tmp_path: Path) -> None:
    numbers = np.array([[1.0, -2.5], [3.140625, 1e30], [0.0, -0.0]], np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    read = load_parameters(weights(tmp_path / "w.safetensors", "BF16", upper.tobytes(), [3, 2]))["w"]
    assert read.dtype == np.float32 and np.array_equal(read, (upper.astype(np.uint32) << 16).view(np.float32))
    assert np.allclose(read, numbers, rtol=2**-7, atol=0)


@pytest.mark.parametrize(
    ("dtype", "data", "shape", "says"),
    [
        ("F8_E5M2", bytes(2), [2], "`w` holds F8_E5M2, which is not read"),
        ("F8_E4M3", bytes(2), [2], "`w` holds F8_E4M3, which is not read"),
        ("F32", bytes(8), [1] * 100, "is damaged"),
        ("F32", bytes(8), [3], "is damaged"),
        ("F31", bytes(8), [2], "is damaged"),
    ],
)
def test_weights_that_nobody_can_read_are_refused(
    dtype: str, data: bytes, shape: list[int], says: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as caught:
        load_parameters(weights(tmp_path / "w.safetensors", dtype, data, shape))
    assert says in caught.value.diagnostics[0].headline


@pytest.mark.parametrize("field", [np.array([[0.0, 1.0], [np.nan, 2.0]]), [[0.0, 1.0], [float("nan"), 2.0]]])
def test_a_field_that_is_not_a_number_is_refused(field: Any) -> None:
    check_numbers({"x": [[1, 2]], "y": np.zeros(3), "t": np.array(["a"])})
    with pytest.raises(SpecError) as caught:
        check_numbers({"x": field})
    assert caught.value.diagnostics[0].headline.startswith("the field `x` is NaN")


@pytest.mark.parametrize("text", ["[[NaN, 1]]", "[Infinity]", "-Infinity"])
def test_words_that_python_takes_for_json_are_not_numbers(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_arrays(f"x={text}", {})
    assert "is not a number of JSON" in caught.value.diagnostics[0].headline


def test_thousands_of_names_are_not_all_said() -> None:
    assert listing(["a", "b"]) == "a, b"
    said = listing(f"c{number}" for number in range(30_000))
    assert said.startswith("c0, c1, ") and said.endswith("c29 and 29,970 more") and len(listing(["x" * 5000])) == 100


def test_no_rows_are_a_table_of_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert as_csv({"p": np.zeros((0, 2)), "q": np.zeros(0)}) == "p.0,p.1,q\n"
    say_where_nan({"p": np.zeros((0, 2)), "q": np.zeros(3), "n": np.array(0.0)})
    assert capsys.readouterr().err == ""
    say_where_nan({"p": np.array([[0.0, 1.0], [np.nan, 1.0], [0.0, np.nan]]), "label": np.array([1, 2, 3])})
    assert capsys.readouterr().err.startswith("note: `p` is NaN in row 1 (from 0) and 1 more")


def test_a_file_of_results_is_what_its_name_says(tmp_path: Path) -> None:
    results = {"p": np.array([0.5, 1.5]), "n": np.array([1, 2])}
    write_arrays(results, tmp_path / "p.tsv")
    assert (tmp_path / "p.tsv").read_text() == "p\tn\n0.5\t1\n1.5\t2\n"
    write_arrays(results, tmp_path / "p.NPZ")
    assert np.load(tmp_path / "p.NPZ")["n"].tolist() == [1, 2]


@pytest.mark.parametrize("column", ["label", "p.0"])
def test_a_kept_column_that_is_called_like_a_result_is_kept(column: str, tmp_path: Path) -> None:
    results = {"label": np.array([7, 8]), "p": np.zeros((2, 2))}
    for name in ("r.csv", "r.npz"):
        write_arrays(results, tmp_path / name, kept={column: np.array(["a", "b"], dtype=object)})
    header, first, _ = (tmp_path / "r.csv").read_text().splitlines()
    assert header == f"data.{column},label,p.0,p.1" and first == "a,7,0.0,0.0"
    arrays = np.load(tmp_path / "r.npz")
    assert arrays[f"data.{column}"].tolist() == ["a", "b"] and arrays["label"].tolist() == [7, 8]


def test_columns_of_data_may_be_texts_and_gaps_and_fields_may_not() -> None:
    assert raw_inputs(['city=["Bern", null]', "age=[31, null]"]) == [{"city": ["Bern", None], "age": [31, None]}]
    for given in ('x=["Bern"]', "x=[1, null]"):
        with pytest.raises(SpecError, match="is not made of numbers, true and false"):
            read_arrays(given, {"x": TensorType.of("f32", "B")})
