"""Damaged tables: CSV, Parquet and JSON lines. What is read right, the csv module or pyarrow alone reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .cases import Case, draws
from .harm import harm, instead
from .setting import Setting

CELLS = ("1_000", "", "NaN", "inf", "-inf", "1e999", "1e-999", "0x10", "1,5", "1 000", "１２", "٣", "1.5.2", "--1",
         "+1", "1e", ".",
         "1.", "true", "nan ", "\x00", "a\x00b", "\u202e1", "NULL", "#REF!", "=1+1", "9" * 400, "9" * 5000,
         "x" * 200_000,
         "\ud7ff", "1\n2", '"', "'1'", "1d", "1f", "1L", "1j", "Infinity", "1e5_0", "0b1", "١٫٥", "−1", "½", "1%",
         "$1")  # fmt: skip
"""What may stand where a number should."""


def _rows(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def _joined(rows: list[list[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in rows).encode("utf-8", "surrogatepass")


def _cell(text: str, random: Random) -> bytes:
    rows = _rows(text)
    for _ in range(random.choice([1, 1, 3])):
        rows[random.randrange(1, len(rows))][random.randrange(3)] = random.choice(CELLS)
    return _joined(rows)


def _ragged(text: str, random: Random) -> bytes:
    rows = _rows(text)
    for _ in range(random.choice([1, 5])):
        row = rows[random.randrange(len(rows))]
        if random.random() < 0.5:
            row += ["7"] * random.choice([1, 2000])
        else:
            del row[random.randrange(len(row)) :]
    return _joined(rows)


def _bad_rows(text: str, random: Random) -> bytes:
    rows = _rows(text)
    odd = ["1,2,3,0,5\n", "oops,2,3,0\n", "\n", "1,2\n", '"1,2,3,0\n', ",,,\n"]
    return _joined(rows) + (random.choice(odd) * random.choice([1000, 20_000])).encode()


def _header(text: str, random: Random) -> bytes:
    rows = _rows(text)
    names = [
        "a",
        "A",
        " a ",
        "",
        "b",
        "data",
        "target",
        "index",
        "a\x00",
        "\u202ea",
        "x" * 5000,
        "1",
        "a.b",
        "a=1",
        "\ufeffa",
        "á",
    ]
    rows[0] = [random.choice(names) if random.random() < 0.4 else name for name in rows[0]]
    return _joined(rows if random.random() < 0.8 else rows[1:])


def _wide(text: str, random: Random) -> bytes:
    rows, more = _rows(text), random.choice([1000, 30_000])
    same = random.random() < 0.3
    added = [[f"n{0 if same else i}" for i in range(more)], *([["1"] * more] * (len(rows) - 1))]
    return _joined([row + other for row, other in zip(rows, added, strict=True)])


def _quotes(text: str, random: Random) -> bytes:
    at = random.randrange(len(text))
    return (text[:at] + random.choice(['"', '""', '"\n', "'", '"' * 5000, "\\", ',"', '"x"y']) + text[at:]).encode()


def _ends(text: str, random: Random) -> bytes:
    lines = text.splitlines()
    ends = ["\n", "\r\n", "\r", "\n\n", "\x0b", "\x0c", "\x85", "\u2028", " \n", ",\n", "\x1a\n"]
    chosen = random.sample(ends, 2) if random.random() < 0.7 else ends[:3]
    return "".join(line + random.choice(chosen) for line in lines).encode()


def _encoded(text: str, random: Random) -> bytes:
    text = text.replace("a,", "ä,", 1) if random.random() < 0.5 else text
    name = random.choice(["utf-16", "utf-16-le", "utf-32", "cp1252", "utf-8-sig", "utf-7", "cp500", "utf-16-be"])
    content = text.encode(name)
    return content[:-1] if random.random() < 0.3 else content


def _nuls(text: str, random: Random) -> bytes:
    at = random.randrange(len(text))
    return text[:at].encode() + bytes(random.choice([1, 100, 100_000])) + text[at:].encode()


def _huge_field(text: str, random: Random) -> bytes:
    at = random.randrange(len(text))
    return (
        text[:at] + random.choice(["9", "x", " ", "\t", "é"]) * random.choice([131_072, 3_000_000]) + text[at:]
    ).encode()


def _harmed(text: str, random: Random) -> bytes:
    return harm(random)[1](text.encode())


WAYS: tuple[Callable[[str, Random], bytes], ...] = (
    _cell, _cell, _cell, _ragged, _bad_rows, _header, _wide, _quotes, _ends, _encoded, _nuls, _huge_field, _harmed,
    _harmed,
)  # fmt: skip


def read_csv(path: Path) -> Mapping[str, Any]:
    """What Python's csv module and ``float`` read, in a table without blanks or marks of missing values."""
    with (path / "given.csv").open(newline="", encoding="utf-8-sig") as file:
        head, *rows = [row for row in csv.reader(file, strict=True) if row]
    head = [name.strip() for name in head]
    columns = {name: [row[head.index(name)] for row in rows] for name in "abc"}
    return {"x": np.stack([[_number(cell) for cell in columns[name]] for name in "abc"], axis=1).astype(np.float32)}


def _number(cell: str) -> float:
    """A number that is written plainly; anything else is not one, ``True`` aside."""
    cell = cell.strip()
    if cell.lower() in ("true", "false"):
        return float(cell.lower() == "true")
    if not cell.isascii() or "_" in cell or cell.strip("0123456789.eE+-"):
        raise ValueError(cell)
    return float(cell)


def read_parquet(path: Path) -> Mapping[str, Any]:
    """What pyarrow reads."""
    from pyarrow import parquet

    read = parquet.read_table(path / "given.parquet", columns=[*"abc"])
    return {"x": np.stack([read.column(name).to_numpy() for name in "abc"], axis=1).astype(np.float32)}


def _commands(name: str) -> tuple[tuple[str, ...], ...]:
    return (
        ("predict", "@table/run", "--input", name, "--out", "out.npz"),
        ("predict", "@table/run", "--input", name, "--out", "out.npz"),
        ("predict", "@table/run", "--input", name, "--keep", "b"),
        ("predict", "@table/run", "--fields", name, "--out", "fields.npz"),
        ("eval", "@table/run", "--data", name),
        ("train", "@table/spec.arch", "--data", name, "--out", "new", "--threads", "1"),
        ("check", "spec.arch", "--data"),
    )


@draws("tables", 6)
def csv_file(random: Random) -> Case:
    """A CSV file."""
    way, seeded = random.choice(WAYS), Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder)
        content = way(setting.table, seeded)
        (folder / "table.csv").write_bytes(content)
        (folder / "given.csv").write_bytes(content)

    return Case(f"CSV{way.__name__.replace('_', ' ')}", random.choice(_commands("given.csv")), write, read_csv)


@draws("tables", 3)
def parquet_file(random: Random) -> Case:
    """A Parquet file."""
    way, seeded = (
        random.choice([_arrow_harmed, _arrow_harmed, _arrow_harmed, _arrow_odd, _arrow_bomb]),
        Random(random.random()),
    )

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder)
        (folder / "given.parquet").write_bytes(way(setting, seeded))

    arguments = random.choice(_commands("given.parquet")[:-1])
    return Case(f"Parquet{way.__name__.removeprefix('_arrow').replace('_', ' ')}", arguments, write, read_parquet)


def _arrow_harmed(setting: Setting, random: Random) -> bytes:
    return harm(random)[1](_written(dict(setting.columns), random))


def _arrow_odd(setting: Setting, random: Random) -> bytes:
    """A column of a type that is not of a table, or is hardly."""
    import pyarrow

    count = len(setting.columns["a"])
    odd = random.choice([
        [{"a": 1}] * count, [[1, 2]] * count, [b"\xff\xfe"] * count, [None] * count, ["1"] * count, [2**63 - 1] * count,
        [float("inf")] * count, [float("nan")] * count, [None, *[2**60] * (count - 1)], pyarrow.array([b"1"] * count,
        pyarrow.binary(1)),
        pyarrow.array([2**64 - 1] * count, pyarrow.uint64()), pyarrow.array([1] * count, pyarrow.duration("s")),
        pyarrow.array([1] * count, pyarrow.timestamp("ns")), pyarrow.array([1] * count, pyarrow.time64("ns")),
        pyarrow.array(["x"] * count).dictionary_encode(), pyarrow.array([1.5] * count, pyarrow.float16()),
        pyarrow.array([10**9] * count, pyarrow.date32()), pyarrow.array([2**50] * count, pyarrow.timestamp("s")),
    ])  # fmt: skip
    return _written({**setting.columns, random.choice("abc"): odd}, random)


def _arrow_bomb(setting: Setting, random: Random) -> bytes:
    """Many equal values in few bytes."""
    import pyarrow
    from pyarrow import parquet

    part, sink = 1_000_000, io.BytesIO()
    equal = pyarrow.table({
        "a": np.zeros(part), "b": pyarrow.array(["the same text of some length"] * part), "c": np.zeros(part, "i8"),
        "y": np.zeros(part, "i8"),
    }) if random.random() < 0.5 else pyarrow.table({name: np.zeros(part) for name in "abcy"})  # fmt: skip
    with parquet.ParquetWriter(sink, equal.schema, compression=random.choice(["zstd", "snappy", "gzip"])) as file:
        for _ in range(random.choice([8, 20])):
            file.write_table(equal)
    return sink.getvalue()


def _written(columns: Mapping[str, Any], random: Random) -> bytes:
    import pyarrow
    from pyarrow import parquet

    sink, kind = io.BytesIO(), random.choice(["none", "zstd", "snappy", "gzip", "brotli"])
    parquet.write_table(pyarrow.table(dict(columns)), sink, compression=kind, use_dictionary=random.random() < 0.5)
    return sink.getvalue()


@draws("tables")
def json_lines(random: Random) -> Case:
    """JSON lines, and files of other kinds that tables come in, none of which is read."""
    names = [
        "given.jsonl",
        "given.json",
        "given.xlsx",
        "given.tsv",
        "given.txt",
        "given",
        "given.CSV",
        "given.csv.gz",
        "given.feather",
    ]
    name = random.choice(names)
    content = random.choice(
        ['{"a": 1, "b": 2, "c": 3}\n' * 12, '{"a": 1', "", "[" * 5000, "\x00" * 99, '{"a": 1e999}\n']
    )
    as_table = name == "given.CSV" and random.random() < 0.5

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder)
        (folder / name).write_text(setting.table if as_table else content, encoding="utf-8")

    return Case(
        f"a file called {name}",
        random.choice(_commands(name)[:-1]),
        write,
        refused=not as_table and name != "given.tsv",
    )


@draws("tables")
def in_its_place(random: Random) -> Case:
    """Something that is not a file."""
    name, seeded = random.choice(["table.csv", "given.csv", "given.parquet"]), Random(random.random())

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder)
        (folder / "given.csv").write_text(setting.table, encoding="utf-8")
        instead(folder / name, seeded)

    arguments = ("check", "spec.arch", "--data") if name == "table.csv" else random.choice(_commands(name)[:-1])
    return Case(f"something else for a table, {arguments[0]}", arguments, write)


@draws("tables")
def named_oddly(random: Random) -> Case:
    """A spec, or a command, that names an odd file."""
    names = ["a\\u0000.csv", "x" * 5000 + ".csv", "../table.csv", "/etc/passwd", "/dev/zero", "/dev/stdin", "", ".",
    "a/b/c.csv",
             "~/table.csv", "table.csv/x", "file:///etc/passwd", "http://example.com/x.csv", "con",
             "*.csv", "\\ud800.csv"]  # fmt: skip
    name, seeded = random.choice(names), random.random()

    def write(folder: Path, setting: Setting) -> None:
        setting.copy_run(folder)
        spec = (folder / "spec.arch").read_text("utf-8").replace("table.csv", name)
        (folder / "spec.arch").write_text(spec, encoding="utf-8")

    plain = name.replace("\\u0000", "\udc00").replace("\\ud800", "\udcff")
    commands = (*_commands(plain)[:-1], ("check", "spec.arch", "--data"), ("train", "spec.arch", "--out", "new"))
    return Case(f"a file named {name[:20]}", commands[int(seeded * len(commands))], write, refused=True)
