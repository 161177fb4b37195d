"""How a CSV file is written: its lines, and what is wrong where it is not text, or other text than the spec says.

What this module does not do: tell cells apart (``loaders.csv`` does), or read them (``cells`` does).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

from archonnx.compiler.sources import CsvSource
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span
from archonnx.runtime.paths import reading

LONGEST_LINE = 2**24
"""Characters that a line may have."""
BINARY = {
    b"PK\x03\x04": "a spreadsheet or another archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "compressed",
    b"PAR1": "a Parquet file",
    b"\x93NUMPY": "an array of NumPy",
    b"%PDF": "a PDF file",
}
"""What files are that begin like this."""
DELIMITERS = {";": ";", "\t": "\\t", "|": "|", ",": ",", " ": " ", ":": ":", "^": "^", "~": "~"}
"""What separates the cells of most files, as a spec writes it."""
COMMENTS = ("#", "//", "%", "--")
"""What lines that are none of the table mostly begin with."""
SNIFFED = 2**20
"""Bytes of a file that are looked at for how it is written."""
_SEPARATOR = re.compile(r"(?:\ufeff)?\"?sep=.\"?[\r\n]*")
"""A first line by which Excel is told what separates cells."""
_ONE_BYTE = re.compile(r"(?:windows|cp)-?125\d|latin-?\d+|l\d|iso-?8859-?\d+", re.IGNORECASE)
"""Encodings in which any bytes are text, so that UTF-8 would be read as other letters in silence."""


class Lines:
    """The lines of a table, without those that are none of it.

    csv.Error where one is too long to be a line, or holds what no text does.

    Attributes:
        passed: how many lines were left out so far.
    """

    def __init__(self, text: io.TextIOWrapper, how: CsvSource) -> None:
        self._text, self._how = text, how
        self.passed = 0

    def __iter__(self) -> Iterator[str]:
        how, quoted = self._how, False
        spaced, begins = how.delimiter == " ", how.comment
        for number, line in enumerate(self._read()):
            if number < how.skip or (number == how.skip and _SEPARATOR.fullmatch(line)):
                self.passed += 1
                continue
            if begins is not None:
                if not quoted and line.startswith(begins):
                    self.passed += 1
                    continue
                quoted ^= line.count('"') % 2 == 1
            yield line.rstrip(" \r\n") + "\n" if spaced else line

    def _read(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST_LINE):
            if "\0" in line:
                raise csv.Error("a NUL character, which no text has")
            if len(line) == LONGEST_LINE:
                raise csv.Error(f"a line of more than {LONGEST_LINE:,} characters")
            yield line


def help_with(said: str) -> str | None:
    """What to do about what the reader of lines and cells says."""
    if "NUL" in said:
        return 'is it UTF-16? Then say `encoding="utf-16"`'
    if "unexpected end" in said or "field larger" in said or "expected after" in said:
        return 'a cell that begins with `"` ends with `"`, and a `"` inside is written twice'
    return None


def check_no_json(path: Path, span: Span | None) -> None:
    """SpecError if a file of text is one of JSON."""
    with reading(path, span), path.open("rb") as file:
        begins = file.read(2)
    if begins in (b'{"', b"[{", b"[\n", b"{\n", b"[\r", b"{\r"):
        fail("AX0603", f"{path.name} is JSON, not a CSV file", span, help="write it as a table: CSV or Parquet")


def check_text(path: Path, span: Span | None) -> None:
    """SpecError if a file is one of those that are not text at all."""
    with path.open("rb") as file:
        begins = file.read(8)
    what = next((what for magic, what in BINARY.items() if begins.startswith(magic)), None)
    if what is not None:
        fail("AX0603", f"{path.name} is {what}, not a CSV file", span, help="write it as a CSV file")


# ---------------------------------------------------------------- encodings


def coding(how: CsvSource) -> str:
    """The encoding as Python calls it; a mark of UTF-8 at the beginning is no part of the text."""
    return "utf-8-sig" if _is_utf8(how) else how.encoding


def check_encoding(file: IO[bytes], path: Path, how: CsvSource, span: Span | None, *, again: bool) -> None:
    """SpecError if a file is UTF-8, and shall be read by an encoding that takes its bytes for other letters."""
    if _ONE_BYTE.fullmatch(how.encoding.replace("_", "-")) is None:
        return
    begin = file.read(SNIFFED)
    file.seek(0)
    if begin.isascii():
        return
    try:
        begin.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(begin) - 3:  # where it is no letter that is cut in two
            return
        if begin[: error.start].isascii():
            return
    way = f"write it in {how.encoding}, as in the training" if again else "leave `encoding` out"
    letter = next(c for c in begin.decode("utf-8", "ignore") if not c.isascii())
    read = letter.encode().decode(how.encoding, "replace")
    fail("AX0603", f"{path.name} is UTF-8 text: by {how.encoding} `{letter}` would be `{read}`", span, help=way)


def fail_not_text(path: Path, how: CsvSource, span: Span | None, *, again: bool) -> NoReturn:
    """SpecError for a file that is not written in the encoding that is said."""
    check_text(path, span)
    encoding = "UTF-8" if _is_utf8(how) else how.encoding
    way = f"write it in {encoding}, as in the training" if again else _other_encoding(path, how)
    fail("AX0603", f"{path.name}{_undecoded_line(path, coding(how))} is not {encoding} text", span, help=way)


def _is_utf8(how: CsvSource) -> bool:
    return how.encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def _undecoded_line(path: Path, encoding: str) -> str:
    """``:7`` for the first line that is not text in an encoding, where lines can be told before they are decoded."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f":{number}" if number > 1 else ""
    return ""


def _other_encoding(path: Path, how: CsvSource) -> str:
    """What else the file may be."""
    with path.open("rb") as file:
        begin = file.read(SNIFFED)
    if begin[:2] in (b"\xff\xfe", b"\xfe\xff"):
        usual = "utf-16"
    elif b"\0" in begin:  # UTF-16 without its mark: half of the bytes of its ASCII are 0
        usual = "utf-16-le" if begin[1::2].count(0) > begin[::2].count(0) else "utf-16-be"
    else:
        usual = "cp1252" if _is_utf8(how) else "utf-8"
    return f'say how it is written, as in `encoding="{usual}"`'
