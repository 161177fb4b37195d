"""Data that is larger than memory: what lies in files and is looked at in blocks is what it would be in memory."""

from __future__ import annotations

import errno
import mmap
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx import train
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.data import storage
from archonnx.runtime.data.loaders import parquet
from archonnx.runtime.data.sources import load_file
from archonnx.runtime.data.stored import read_npz
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.preparing import Prepared, prepare
from tests.support.same_run import assert_same_run

ROWS = 300
"""Rows of every data set here; a block has some ten of them."""


@contextmanager
def little_memory(block: int = 500) -> Iterator[None]:
    """All arrays are large here, and blocks have so many bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "available", lambda: 20)
        patch.setattr(storage, "MUCH", 0)
        patch.setattr(storage, "BLOCK", block)
        yield


def lies_in_a_file(array: Any) -> bool:
    """Whether an array is a part of a map of a file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


SPEC = """
model Net(cities: int = 6):
    input  x: [B, 6]
    input  far: [B]
    input  near: [B]
    input  city: i64[B]
    target y: i64[B]
    param  v: [6, cities] ~ normal(0.0, 0.1)
    logits = x |> Dense(2)
    loss objective = cross_entropy(logits, y) + mse(far + near, (x @ v)[:, 0]) + 0.0 * mean(float(city))

train of Net(cities=size(city)):
    data = npz("rows.npz")
    fit city = vocabulary(data.city)
    feed x = data.x
    feed far = standardise(data.far)
    feed near = log1p(min_max(data.far)) - nanmedian(data.x[:, 1])
    feed city = index(data.city, city)
    feed y = data.y
    split = {train: 0.8, valid: 0.2}
    batch_size = 32
    epochs = 2
    minimize objective with adam(lr=0.01)
"""
"""A field that is a column as it is, statistics that are made of blocks, and one (a median) that is not."""


def columns() -> dict[str, Array]:
    draw = np.random.default_rng(3)
    x = draw.normal(3, 2, (ROWS, 6)).astype(np.float32)
    city = draw.integers(3, 9, ROWS)
    return {"x": x, "y": (x[:, 0] > 3).astype(np.int64), "city": city, "far": draw.normal(1e3, 1, ROWS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    (folder / "net.arch").write_text(SPEC, encoding="utf-8")
    np.savez(folder / "rows.npz", **columns())
    return folder


def prepared(folder: Path) -> Prepared:
    model = elaborate(parse_spec(Source("net.arch", SPEC.replace("of Net(cities=size(city))", ""))))
    (program,) = model.programs
    return prepare(model, program, program.settings, folder)


def rows_of(examples: Any) -> dict[str, Array]:
    return {name: examples.rows(name) for name in ("x", "far", "near", "city", "y")}


def test_fields_and_statistics_in_blocks_are_those_of_all_rows(folder: Path) -> None:
    once = prepared(folder)
    with little_memory():
        blockwise = prepared(folder)
    assert blockwise.loaded.checksum == once.loaded.checksum
    assert blockwise.fitted.keys == once.fitted.keys
    assert np.array_equal(blockwise.parts.train, once.parts.train)
    for name, array in rows_of(blockwise.examples).items():
        assert lies_in_a_file(array), name
        exact = name in ("x", "city", "y")  # no statistic of floats is in them
        np.testing.assert_allclose(
            array, rows_of(once.examples)[name], rtol=0 if exact else 1e-5, atol=0 if exact else 1e-4
        )
    far = columns()["far"][once.parts.train]
    mine = [float(array) for array in blockwise.fitted.statistics.values()]
    assert any(abs(value - far.mean()) < 1e-4 * far.std() for value in mine)  # sums in f64: at 1000 f32 has 6e-5


def test_a_training_on_data_in_files_has_the_weights_of_one_in_memory(folder: Path, tmp_path: Path) -> None:
    spec, plain = folder / "net.arch", SPEC.replace("standardise(data.far)", "data.far / 1000")
    spec.write_text(plain.replace("log1p(min_max(data.far)) - nanmedian(data.x[:, 1])", "log1p(data.far)"))
    once = train(spec, tmp_path / "once", device="cpu", threads=1)
    with little_memory():
        mapped = train(spec, tmp_path / "mapped", device="cpu", threads=1)
        short = train(spec, tmp_path / "short", device="cpu", threads=1, settings={"epochs": 1})
        resumed = train(spec, tmp_path / "long", device="cpu", threads=1, settings={"epochs": 2}, resume=short.path)
    spec.write_text(SPEC, encoding="utf-8")
    for path, array in once.parameters.items():
        assert np.array_equal(mapped.parameters[path], array) and np.array_equal(resumed.parameters[path], array)


class Cut(Observer):
    """Interrupts after the third step of the second epoch."""

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (epoch, step) == (2, 3):
            raise KeyboardInterrupt


def test_a_training_on_data_in_files_goes_on_in_the_middle_of_an_epoch(folder: Path, tmp_path: Path) -> None:
    settings = {"epochs": 3, "batch_size": 32}
    with little_memory():
        whole = train(folder / "net.arch", tmp_path / "whole", device="cpu", threads=1, settings=settings)
        cut = train(folder / "net.arch", tmp_path / "cut", device="cpu", threads=1, settings=settings, observer=Cut())
        assert cut.record["stopped"] == "interrupted" and len(cut.history) == 1
        rest = train(folder / "net.arch", tmp_path / "rest", device="cpu", threads=1, resume=cut.path)
    assert_same_run(rest, whole)
    with pytest.raises(AssertionError):
        assert_same_run(cut, whole)


def test_what_is_wrong_in_a_later_block_is_told_with_its_row(folder: Path, tmp_path: Path) -> None:
    given = columns()
    given["far"][200] = np.nan
    np.savez(tmp_path / "rows.npz", **given)
    model = elaborate(
        parse_spec(
            Source(
                "net.arch", SPEC.replace("of Net(cities=size(city))", "").replace("standardise(data.far)", "data.far")
            )
        )
    )
    with little_memory(), pytest.raises(SpecError) as caught:
        prepare(model, model.programs[0], model.programs[0].settings, tmp_path)
    assert caught.value.diagnostics[0].headline == "rows.npz, row 200: `far` has no value"


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_arrays_of_an_archive_are_what_was_written_wherever_they_lie(tmp_path: Path, kind: int) -> None:
    """The lengths of the names move the arrays to all addresses; a Fortran array keeps its axes."""
    draw = np.random.default_rng(0)
    given = {"n" * k: draw.normal(size=(20, k)) for k in range(1, 9)} | {
        "f": np.asfortranarray(draw.normal(size=(5, 7)))
    }
    (np.savez if kind == zipfile.ZIP_STORED else np.savez_compressed)(tmp_path / "x.npz", **given)
    with little_memory():
        read = read_npz(tmp_path / "x.npz")
    rows = draw.permutation(20)
    for name, array in given.items():
        mine: Any = read[name]
        assert lies_in_a_file(mine) and np.array_equal(mine, array)
        if name != "f":
            assert np.array_equal(storage.take(mine, rows), array[rows])
    if kind == zipfile.ZIP_STORED:
        assert {bool(np.asarray(array).flags.aligned) for array in read.values()} == {True, False}


def test_a_damaged_member_that_would_be_mapped_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.arange(1000.0), y=np.arange(3))
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[2000] ^= 1
    (tmp_path / "x.npz").write_bytes(data)
    with little_memory():
        read = read_npz(tmp_path / "x.npz")
    assert getattr(read["x"], "headline", "") == "x.npz: `x` is damaged"
    kept = read["y"]
    assert isinstance(kept, np.ndarray) and np.array_equal(kept, np.arange(3))


def test_a_disk_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(1000))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with little_memory(), pytest.raises(SpecError) as caught:
        read_npz(tmp_path / "x.npz")
    found = caught.value.diagnostics[0]
    assert found.code == "AX0660" and "of memory or of disk" in found.headline and "TMPDIR" in (found.help or "")


# ---------------------------------------------------------------- Parquet


def test_columns_of_a_parquet_file_in_pieces_are_those_of_pandas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gaps that come late make floats of integers; equal texts are one object over all pieces."""
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr(parquet, "PIECE_ROWS", 7)
    number = np.arange(60)
    frame = pandas.DataFrame({
        "whole": number, "late": pandas.array([*range(50), *[None] * 10], dtype="Int64"),
        "early": pandas.array([None, *range(59)], dtype="Int64"), "flag": number % 3 == 0,
        "maybe": pandas.array([*[True] * 40, *[None] * 20], dtype="boolean"), "real": (number / 7).astype(np.float32),
        "text": [None if n % 5 == 4 else f"t{n % 4}" for n in number], "kind": pandas.Categorical([f"k{n % 3}" for n in number]),
        "day": pandas.date_range("2020-01-01", periods=60), "none": pandas.array([None] * 60, dtype="Int64"),
        "a": number, "a.b": number * 2,
    })  # fmt: skip
    frame.to_parquet(tmp_path / "x.parquet", row_group_size=20)
    with little_memory():
        read = load_file(tmp_path / "x.parquet")
    for name in frame.columns:
        mine, column = read.fields[name], frame[name]
        match mine.dtype.kind:
            case "O":
                assert mine.tolist() == column.astype(object).where(column.notna(), "").tolist()
                assert len({id(text) for text in mine.tolist()}) == len({*mine.tolist()})
            case "M":
                assert np.array_equal(mine, column.to_numpy().astype("datetime64[s]"))
            case _:
                wanted = column.to_numpy(dtype=np.float64, na_value=np.nan)
                assert lies_in_a_file(mine) and np.array_equal(mine.astype(np.float64), wanted, equal_nan=True)
    assert {name: read.fields[name].dtype.kind for name in ("whole", "late", "early", "flag", "maybe")} == {
        "whole": "i", "late": "f", "early": "f", "flag": "b", "maybe": "f"
    }  # fmt: skip


def test_what_is_wrong_in_a_later_piece_is_told_as_of_the_whole_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr(parquet, "PIECE_ROWS", 7)
    frame = pandas.DataFrame({
        "far": [0.0] * 40 + [np.inf], "large": pandas.array([2**60 + 1] * 40 + [None], dtype="Int64"),
        "moment": np.array(["2020-01-01"] * 40 + ["2020-01-01T00:00:00.5"], dtype="datetime64[ms]"),
    })  # fmt: skip
    frame.to_parquet(tmp_path / "x.parquet")
    said = {
        name: problem.headline for name, problem in load_file(tmp_path / "x.parquet").problems.items() if name != "data"
    }
    assert (
        "inf in row 40" in said["far"] and "floats cannot hold exactly" in said["large"] and "row 40" in said["moment"]
    )
