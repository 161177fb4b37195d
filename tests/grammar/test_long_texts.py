"""A text in a spec is read once, whatever is wrong with it."""

from __future__ import annotations

import time

from archonnx.grammar.diagnostics import Report
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.literals import read_string


def test_wrong_escapes_do_not_read_the_text_anew() -> None:
    text, begin = '"' + r"\q" * 20_000 + '"', time.process_time()
    read_string(Span(Source("a.arch", text), 0, len(text)), Report())
    assert time.process_time() - begin < 2
