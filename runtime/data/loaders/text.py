"""A text as a source: the tokens into which it is cut, a row each.

What this module does not do: cut (``compiler.tokens`` does), number tokens (vocabularies do), or make windows of them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import TextSource
from archonnx.compiler.tokens import BYTES, CUTS, starts, tokens_of
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.loader import TOKENS, Loaded, Place, loads
from archonnx.runtime.data.tokenising import held

MAX_BYTES = 2**27
"""Larger files are not held: with its windows a character takes some fifty times the memory of its byte."""


@loads(TextSource)
def load(source: TextSource, place: Place) -> Loaded:
    """``ids``: the tokens; texts, or the numbers of bytes. Each row has its line in the file."""
    path = place.file(source.path)
    content = _content(path, source, place)
    if source.tokens == BYTES:
        tokens: Array = np.frombuffer(content, np.uint8)
        lines = _lines(tokens == ord("\n"))
    elif source.tokens not in CUTS:
        return _by_file(_decoded(content, path, source.encoding, place.span), path, source.tokens, place)
    else:
        text = _decoded(content, path, source.encoding, place.span)
        tokens = held(tokens_of(text, source.tokens))
        lines = _lines(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32) == ord("\n"))
        lines = lines[starts(text, source.tokens)]
    if not len(tokens):
        fail("AX0603", f"{path.name} has no {source.tokens}", place.span)
    return Loaded({TOKENS: tokens}, path.name, lines, files=(path,), tokens=source.tokens)


def _by_file(text: str, path: Path, file: str, place: Place) -> Loaded:
    """The same where a tokenizer says how the text is cut; lines are not known."""
    (tokens,) = place.tokenizers.tokens([text], file, place.span, special=False)
    if not tokens:
        fail("AX0603", f"{path.name} has no tokens", place.span)
    alphabet = place.tokenizers.vocabulary(file, place.span)
    return Loaded({TOKENS: held(tokens)}, path.name, files=(path,), tokens=file, alphabet=alphabet)


def _content(path: Path, source: TextSource, place: Place) -> bytes:
    """What the file of the spec holds, if it is that file; SpecError if it is not."""
    if path.stat().st_size > MAX_BYTES:
        fail("AX0603", f"{path.name} has more than {MAX_BYTES:,} bytes", place.span, help="cut it into several files")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if source.sha256 is not None and place.path is None and found != source.sha256:
        fail(
            "AX0633",
            f"{path.name} is not the file that the spec names: its SHA-256 is another",
            place.span,
            notes=[f"the spec says {source.sha256}", f"the file has {found}"],
            help="put that file there; or, if this one is meant, write its SHA-256",
        )
    return content


def _decoded(content: bytes, path: Path, encoding: str, span: Span | None) -> str:
    """The text; SpecError with the first byte that is not of the encoding."""
    utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    name = "UTF-8" if utf8 else encoding
    try:
        return content.decode("utf-8-sig" if utf8 else encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        usual = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252" if utf8 else "utf-8"
        fail(
            "AX0603",
            f"{path.name}:{line}: byte {column} of the line, 0x{content[error.start]:02X}, is not {name}",
            span,
            notes=[f"it is byte {error.start} of the file (from 0): {error.reason}"],
            help=f'say how the file is written, as in `encoding="{usual}"`, or take its bytes: `tokens=bytes`',
        )
    except (UnicodeError, ValueError) as error:  # some encodings do not say where
        fail(
            "AX0603",
            f"{path.name} is not {name}: {error}",
            span,
            help='say how the file is written: `encoding="utf-8"`',
        )


def _lines(ends: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The line of each place, from 1, where these end lines."""
    return np.concatenate([[0], np.cumsum(ends)[:-1]]).astype(np.int64) + 1 if len(ends) else np.zeros(0, np.int64)
