"""Tokenizers that are files of Hugging Face's ``tokenizers``: how they cut texts, and which tokens they have.

What this module does not do: learn one, or fetch one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from archonnx.compiler.tokens import Token
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span
from archonnx.runtime.extras import missing
from archonnx.runtime.paths import is_there, reading

MAX_BYTES = 2**27
"""The largest that are known have a tenth of it."""


class TokenizerFiles:
    """The tokenizers beside a spec, or those that a run has kept.

    Attributes:
        used: the content of those that were asked for, by their paths.

    Args:
        base: the folder of the spec.
        kept: what a run has kept, by the same paths; nothing else is read for them.
    """

    def __init__(self, base: Path | None = None, kept: Mapping[str, str] | None = None) -> None:
        self._base, self._kept = base, dict(kept or {})
        self.used: dict[str, str] = {}

    def tokens(self, texts: Sequence[str], file: str, span: Span | None, *, special: bool) -> list[list[Token]]:
        """The tokens of each text, with those that the file adds to a text if they are wanted."""
        found = self._opened(file, span).encode_batch([*texts], add_special_tokens=special)
        return [encoding.tokens for encoding in found]

    def vocabulary(self, file: str, span: Span | None) -> tuple[str, ...]:
        """All tokens by their numbers; a number that no token has stands for itself."""
        known = self._opened(file, span).get_vocab(with_added_tokens=True)
        by_number = {number: token for token, number in known.items()}
        return tuple(by_number.get(number, f"[{number}]") for number in range(max(by_number, default=-1) + 1))

    def check_pad(self, pad: str | None, file: str) -> None:
        """SpecError unless what pads is a token of the file."""
        known = self.vocabulary(file, None)
        if pad is not None and pad not in known:
            close = did_you_mean(pad, [token for token in known if not token.isalnum()])
            fail("AX0604", f'{file} has no token "{pad}", which is to stand after the end of a text', None, help=close)

    def joined(self, numbers: Sequence[int], file: str) -> str:
        """The text of tokens that are given by their numbers."""
        text: str = self._opened(file, None).decode([*numbers], skip_special_tokens=False)
        return text

    def _opened(self, file: str, span: Span | None) -> Any:
        if file not in self.used:
            self.used[file] = self._kept[file] if file in self._kept else self._read(file, span)
        return _tokenizer(self.used[file], file, span)

    def _read(self, file: str, span: Span | None) -> str:
        if self._base is None:
            fail("AX0601", f"the tokenizer {file} is looked for beside a spec, and there is none", span)
        path = (self._base / file).absolute()
        there = is_there(path, "file", span, file)
        if not path.resolve().is_relative_to(self._base.resolve()):
            fail("AX0601", f"`{file}` lies outside the folder of the spec", span, help="copy it beside the spec")
        if not there:
            here = sorted(other.name for other in self._base.glob("*.json"))
            fail("AX0601", f"there is no file `{file}` beside the spec", span, help=did_you_mean(file, here))
        if path.stat().st_size > MAX_BYTES:
            fail("AX0604", f"{file} has more than {MAX_BYTES:,} bytes, and so is not a tokenizer", span)
        try:
            with reading(path, span):
                return path.read_text("utf-8")
        except ValueError:
            fail("AX0604", f"{file} is not UTF-8 text, and so not a tokenizer", span)


@lru_cache(maxsize=8)
def _opened(content: str) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tokenizer(content: str, file: str, span: Span | None) -> Any:
    try:
        return _opened(content)
    except ImportError:
        missing(f"the tokenizer {file}", "tokenizers", "text", span)
    except Exception as error:  # the package raises nothing of its own
        fail("AX0604", f"{file} is not a tokenizer of Hugging Face's `tokenizers`: {error}", span)
