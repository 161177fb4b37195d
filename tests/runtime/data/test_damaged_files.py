"""Files from anybody: what stands at a path is asked before it is read, and no claim of a file is believed."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.runtime.data import progress, room
from archonnx.runtime.data.gathering import Gathered
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.loaders.csv import read_csv
from archonnx.runtime.data.pictures import read_pictures
from archonnx.runtime.data.sources import load_file
from archonnx.runtime.data.stored import arrays_of, read_npy, read_npz
from archonnx.runtime.data.subwords import TokenizerFiles
from archonnx.runtime.paths import is_there, kind_at, reading


def said(do: Callable[[], object]) -> str:
    """The first headline of a refusal, after its code."""
    with pytest.raises(SpecError) as caught:
        do()
    found = caught.value.diagnostics[0]
    return f"{found.code} {found.headline}"


def npy(shape: str, descr: str = "'<f4'", data: bytes = bytes(16), order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# ---------------------------------------------------------------- paths


def test_what_stands_at_a_path_is_said_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    assert [kind_at(tmp_path / name)[0] for name in ("file", ".", "none", "file/x")] == [
        "file",
        "folder",
        "nothing",
        "nothing",
    ]
    for name, what in (
        ("pipe", "is a pipe"),
        ("loop", "itself"),
        ("x" * 300, "too long"),
        ("a\0b", "characters"),
        ("\ud800", "characters"),
    ):
        kind, why = kind_at(tmp_path / name)
        assert kind == "other" and what in why
        assert "AX0601" in said(lambda name=name: is_there(tmp_path / name, "file"))  # type: ignore[misc]
    assert kind_at(Path("/dev/zero")) == ("other", "is a device")
    assert said(lambda: is_there(tmp_path, "file")).endswith("is a folder, not a file")
    assert len(said(lambda: is_there(tmp_path / ("x" * 5000), "file"))) < 300


@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.npz", "x.npy", "x.png", "x.txt"])
def test_a_pipe_in_the_place_of_data_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    assert "is a pipe" in said(lambda: load_file(tmp_path / name))


def test_a_pipe_among_pictures_and_arrays_is_refused(tmp_path: Path) -> None:
    for folder, name in (("photos", "1.png"), ("arrays", "x.npy")):
        (tmp_path / folder).mkdir()
        os.mkfifo(tmp_path / folder / name)
        assert f"{name}` is a pipe" in said(lambda folder=folder: load_file(tmp_path / folder))  # type: ignore[misc]


def test_a_file_that_may_not_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    def refused() -> None:
        with reading(tmp_path / "x.csv"):
            raise PermissionError(13, "Permission denied")

    assert said(refused) == "AX0601 cannot read x.csv: Permission denied"


# ---------------------------------------------------------------- arrays


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i8", "?", "<U3", "<M8[s]", "<f2"])
def test_arrays_are_read_as_numpy_reads_them(dtype: str, order: str, tmp_path: Path) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "x.npy", array)
    np.savez_compressed(tmp_path / "x.npz", x=array, y=array[0], empty=array[:0], single=array[0, 0, 0])
    assert np.array_equal(read_npy(tmp_path / "x.npy"), array)
    found = read_npz(tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as wanted:
        assert list(found) == wanted.files
        for name, read in found.items():
            assert isinstance(read, np.ndarray)
            assert np.array_equal(read, wanted[name]) and read.dtype == wanted[name].dtype


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (npy("(1000000000000, 4)"), "is cut off: it says 1000000000000x4"),
        (npy("(2, 3)"), "is cut off"),
        (npy("(2, 1)"), "has more in it than it says"),
        (npy("(-2, -2)"), "which no array is"),
        (npy("(1000000000000, 0)", data=b""), "rows that hold nothing"),
        (npy("(1000000000000,)", "'<U0'", data=b""), "rows that hold nothing"),
        (npy("(2, 2)", "'|O'"), "holds Python objects"),
        (npy("(2, 2)", "[('x', '|O')]"), "holds Python objects"),
        (npy("(2, 2"), "is not a plain array"),
        (npy("(" * 500), "is not a plain array"),
        (npy("(2, 2)", "'<q' 'x'"), "is not a plain array"),
        (npy("(2, 2)", order="5"), "is not a plain array"),
        (npy("(2, 2)")[:30], "is not a plain array"),
        (b"", "is not a plain array"),
    ],
)
def test_what_a_header_claims_is_counted(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    assert says in said(lambda: read_npy(tmp_path / "x.npy"))
    read = read_npz(npz(tmp_path / "x.npz", {"x.npy": content, "y.npy": npy("(2, 2)")}))
    assert isinstance(read["x"], Diagnostic) and says in read["x"].headline
    assert np.array_equal(read["y"], np.zeros((2, 2)))  # type: ignore[arg-type]


def test_one_damaged_array_of_an_archive_matters_only_where_it_is_used(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "x.npz", {"x.npy": npy("(2, 2)", data=b"\1" * 16), "y.npy": npy("(2, 2)")}, zipfile.ZIP_STORED
    )
    path.write_bytes(path.read_bytes().replace(b"\1" * 16, b"\2" * 16))
    loaded = load_file(path)
    assert list(loaded.fields) == ["y", "index"]
    assert "`x` is damaged" in loaded.problems["x"].headline


def marked(content: bytes, local: int, central: int, value: int) -> bytes:
    """An archive of one member with another field of two bytes in both of its heads."""
    changed = bytearray(content)
    for at in (content.find(b"PK\x03\x04") + local, content.find(b"PK\x01\x02") + central):
        changed[at : at + 2] = struct.pack("<H", value)
    return bytes(changed)


def test_what_cannot_be_unpacked_says_why(tmp_path: Path) -> None:
    path = npz(tmp_path / "x.npz", {"x.npy": npy("(2, 2)")})
    whole = path.read_bytes()
    for content, says in (
        (marked(whole, 6, 8, 1), "`x` is encrypted"),
        (marked(whole, 8, 10, 97), "`x` is packed in a way that is not known here"),
        (whole[:-30], "is not an .npz file"),
        (b"", "is empty"),
        (npy("(2, 2)"), "is a single array"),
    ):
        path.write_bytes(content)
        assert says in said(lambda: load_file(path))
    for members, says in (({}, "is an archive of nothing"), ({"word/x.xml": b""}, "holds no arrays, but word/x.xml")):
        npz(path, members)
        assert says in said(lambda: read_npz(path))


def test_names_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", npy("(2, 2)"))
        archive.writestr("x.npy", npy("(2, 2)", data=b"\1" * 16))
    assert "holds `x` twice" in said(lambda: arrays_of(tmp_path / "x.npz"))


def test_an_archive_that_holds_far_more_than_its_size_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ALWAYS", 2**16)
    zeros = np.zeros(2**20, np.float32)
    np.savez(tmp_path / "stored.npz", x=zeros)
    np.savez_compressed(tmp_path / "packed.npz", x=zeros)
    assert np.array_equal(read_npz(tmp_path / "stored.npz")["x"], zeros)  # type: ignore[arg-type]
    monkeypatch.setattr("archonnx.runtime.data.stored._member", None)  # what is not to be reached
    assert "AX0660 packed.npz has" in said(lambda: read_npz(tmp_path / "packed.npz"))


def test_what_does_not_fit_into_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_of_container", lambda: 5000)
    with pytest.raises(SpecError) as caught:
        room.check_room(tmp_path, 8130)
    assert "would take 8.13 kB of memory, and 5 kB are free" in caught.value.diagnostics[0].headline
    assert [room.amount(n) for n in (7, 1500, 10**9, 10**16)] == ["7 bytes", "1.5 kB", "1 GB", "10,000 TB"]


# ---------------------------------------------------------------- tables


def test_a_table_is_the_same_whatever_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one row, so that each column changes its kind between parts."""
    rows = [
        "1,1,1,x,true,2020-01-01,1",
        "2,2.5,,y,false,2020-01-02,9007199254740993",
        "3,3,4,1,true,,-1",
        "4,1e3,5.5,2.5,TRUE,2020-01-03,+2",
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,b,c,d,e,f,g", *rows]) + "\n")
    whole = read_csv(path)
    kinds = {"a": "int", "b": "float", "c": "float", "e": "bool", "f": "date", "g": "int"}
    assert whole.kinds == kinds and list(whole.problems) == ["d", "data"]
    for part in (1, 2, 3):
        monkeypatch.setattr("archonnx.runtime.data.gathering.PART", part)
        read = read_csv(path)
        assert read.checksum == whole.checksum and read.kinds == kinds and read.problems == whole.problems
    kinds = {"a": "text", "b": "float", "c": "float", "e": "text", "g": "int"}
    assert read_csv(path, kinds=kinds).fields["a"].tolist() == ["1", "2", "3", "4"]


def test_cells_of_numbers_are_not_kept(tmp_path: Path) -> None:
    gathered = Gathered(["a", "b"], {}, plain=True)
    gathered.add([["1", "x"], ["2", "x"]])
    numbers, cells = gathered.columns(lambda positions: {}, [None, None])
    assert isinstance(numbers, np.ndarray) and numbers.tolist() == [1, 2]
    assert cells[0] is cells[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"a,b\n1,2\n\x003,4\n", "t.csv:2: a NUL character"),
        (b'a,b\n1,"2\n', "t.csv:2: unexpected end of data"),
        (b"a," + b"b" * 2000 + b"\n1,2\n", "the name of column 2 has 2,000 characters"),
        ("a,\u202eb\n1,2\n".encode(), "the name of column 2 has characters that are not shown"),
        (b"a,b\n1,1_000\n2,2_000\n", ""),
    ],
)
def test_text_that_is_hardly_a_table(text: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(text)
    if says:
        assert says in said(lambda: read_csv(tmp_path / "t.csv"))
    else:
        assert read_csv(tmp_path / "t.csv").kinds == {"a": "int", "b": "text"}  # 1_000 is not a number


def test_a_line_without_an_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archonnx.runtime.data.written.LONGEST_LINE", 100)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n" + "1" * 5000)
    assert "t.csv:2: a line of more than 100 characters" in said(lambda: read_csv(tmp_path / "t.csv"))


def test_time_grows_as_the_columns_do(tmp_path: Path) -> None:
    """Four times the columns take less than ten times as long: with their square, it would be sixteen."""

    def seconds(columns: int) -> float:
        path = tmp_path / f"{columns}.csv"
        path.write_text("\n".join([",".join(f"c{i}" for i in range(columns)), ",".join("1" * columns)]) + "\n")
        begun = time.process_time()
        read_csv(path)
        return time.process_time() - begun

    seconds(100)
    assert seconds(16_000) < 10 * max(seconds(4000), 0.02)


def test_equal_values_of_a_parquet_file_are_counted_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr(room, "ALWAYS", 2**16)
    parquet.write_table(pyarrow.table({"a": np.zeros(100_000), "t": ["same"] * 100_000}), tmp_path / "x.parquet")
    assert "AX0660 x.parquet has" in said(lambda: load_file(tmp_path / "x.parquet"))
    monkeypatch.setattr(room, "ALWAYS", 2**27)
    texts = load_file(tmp_path / "x.parquet").fields["t"]
    assert texts[0] is texts[-1] and set(texts) == {"same"}


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    sink = io.BytesIO()
    parquet.write_table(pyarrow.table({"name of a": [1.0, 2.0]}), sink)
    for old, new in ((b"name of a", b"name \xff\xfe a"), (b"PAR1", b"PAR9"), (sink.getvalue()[-300:-100], b"")):
        (tmp_path / "x.parquet").write_bytes(sink.getvalue().replace(old, new))
        assert "x.parquet is not a Parquet file, or is damaged" in said(lambda: load_file(tmp_path / "x.parquet"))


# ---------------------------------------------------------------- pictures


def test_a_picture_that_is_larger_than_it_looks_is_not_unpacked(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900_000)  # of more Pillow would only warn
    monkeypatch.setattr(room, "ALWAYS", 2**20)
    Image.new("1", (1000, 1000)).save(tmp_path / "x.png")
    assert "AX0660 x.png has" in said(lambda: read_pictures(tmp_path / "x.png"))
    assert not recwarn.list


def test_a_picture_for_which_another_program_would_be_started_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n")
    assert "is not an image that can be read" in said(lambda: read_pictures(tmp_path / "x.png"))


# ---------------------------------------------------------------- progress


def test_reading_that_takes_long_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST", 0.0)
    monkeypatch.setattr(progress, "NEXT", 0.0)
    monkeypatch.setattr("archonnx.runtime.data.loaders.csv.PART", 1)
    (tmp_path / "t.csv").write_text("a\n" + "1234567\n" * 5000)
    told: list[str] = []
    with progress.listening(told.append):
        read_csv(tmp_path / "t.csv")
    shares = [int(line.removeprefix("reading t.csv: ").removesuffix("%")) for line in told]
    assert shares == sorted(shares) and shares[0] < 100 and shares[-1] == 100
    read_csv(tmp_path / "t.csv")
    assert len(told) == len(shares)  # nobody listens


def test_a_checksum_does_not_depend_on_the_pieces_in_which_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"x": np.arange(60.0).reshape(10, 2, 3).transpose(0, 2, 1), "t": np.array(list("abcdefghij"), object)}
    whole = Loaded(dict(arrays), "").checksum
    monkeypatch.setattr("archonnx.runtime.data.loader.PIECE", 100)
    assert Loaded(dict(arrays), "").checksum == whole
    arrays["x"] = arrays["x"][::-1]
    assert Loaded(dict(arrays), "").checksum != whole


def test_a_pipe_in_the_place_of_a_tokenizer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "t.json")
    (tmp_path / "large.json").write_text("{}" * 99)
    monkeypatch.setattr("archonnx.runtime.data.subwords.MAX_BYTES", 99)
    for name, says in (("t.json", "is a pipe"), ("large.json", "more than 99 bytes"), ("../x.json", "outside")):
        files = TokenizerFiles(tmp_path)
        assert says in said(lambda files=files, name=name: files.vocabulary(name, None))  # type: ignore[misc]
