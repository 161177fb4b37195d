"""How soon a language server answers a keystroke: ``python -m benchmarks.keystrokes`` writes docs/keystrokes.md.

A client in a process of its own opens a spec of 300 lines and types: a line in the model, letter by letter, and as many
letters of a name in a block far above it. After each letter it asks what editors ask, and the time counts from sending
the text to having the answer. What this module does not do: judge the answers (the tests of ``archonnx.lsp`` do).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lsprotocol import types

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.lsp.background import PAUSE
from tests.support.lsp_client import Editor

from . import page

LINES = 300
UNDER_WAY = 0.05
"""Seconds that a check has been under way when the next letter comes."""
LIMIT = 100.0
"""Milliseconds in which a keystroke is to be answered, in the middle."""
LIBRARY = ("transformers", "attention", "positions")
"""Files of the library whose declarations the spec has as its own."""
MODEL = """\
model Reader(d: int = 64, heads: int = 4, depth: int = 2, tokens: int = 256):
    \"\"\"A reader of bytes, with blocks of its own.\"\"\"
    input  ids: i64[B, T]
    target next: i64[B, T]
    encoder = TransformerEncoder(depth, heads, 4 * d, norm=pre, causal=true)
    h = encoder(Embedding(tokens, d)(ids) + sinusoidal(T, d))
    logits = h |> LayerNorm() |> Dense(tokens)
    output probs = softmax(logits)
    loss   objective = cross_entropy(logits, next)
    metric right = accuracy(logits, next), larger

train:
    data     = text("book.txt", tokens=bytes)
    epochs   = 3
    minimize objective with adam(lr=1e-3)
"""
LINE = "    wide = h |> Dense(4 * d, bias=false) |> gelu |> Dropout(0.1)\n"
"""What is typed into the model."""
BEFORE = "    output probs"
NAME = "_attended_again"
"""What is typed behind a name of a block."""


def spec() -> str:
    """A spec of ``LINES`` lines: blocks as the library has them, then a model that uses them."""
    own = "\n".join((SPECS / "std" / f"{name}.arch").read_text("utf-8") for name in LIBRARY)
    lines = own.replace("\n\n\n", "\n\n").split("\n")
    top = [number for number, line in enumerate(lines) if line[:1].isalpha()]
    room = LINES - MODEL.count("\n")
    end = max(number for number in top if number <= room)
    filling = "# a line of words\n" * (room - end)
    return "\n".join(lines[:end]) + "\n" + filling + MODEL


def typed(text: str) -> Iterator[tuple[str, types.Position]]:
    """The texts after each letter, with the place of the cursor."""
    at = text.index(BEFORE)
    number = text.count("\n", 0, at)
    for end in range(1, len(LINE)):
        yield text[:at] + LINE[:end] + "\n" + text[at:], types.Position(number, end)
    first = text.index("(x: ")
    number, column = text.count("\n", 0, first), first - text.rfind("\n", 0, first) - 1
    for end in range(1, len(NAME) + 1):
        yield text[:first] + NAME[:end] + text[first:], types.Position(number, column + end)


QUESTIONS: dict[str, tuple[str, Callable[[types.TextDocumentIdentifier, types.Position], object]]] = {
    "completion": ("text_document_completion", types.CompletionParams),
    "signature help": ("text_document_signature_help", types.SignatureHelpParams),
    "hover": ("text_document_hover", types.HoverParams),
    "semantic tokens": (
        "text_document_semantic_tokens_full",
        lambda document, at: types.SemanticTokensParams(document),
    ),
    "outline": ("text_document_document_symbol", lambda document, at: types.DocumentSymbolParams(document)),
    "inlay hints": (
        "text_document_inlay_hint",
        lambda document, at: types.InlayHintParams(
            document, types.Range(types.Position(0, 0), types.Position(LINES + 1, 0))
        ),
    ),
}
"""What is asked after a letter, each in a round of its own."""


def measure(editor: Editor, text: str, wanted: tuple[str, ...], pause: float = 0.0) -> list[float]:
    """Milliseconds from sending each text to having the last of the answers, with a pause before the next letter."""
    document = types.TextDocumentIdentifier(editor.uri("reader.arch"))
    editor.open("reader.arch", text + "\n")
    found = []
    for now, at in typed(text):
        begin = time.perf_counter()
        editor.change("reader.arch", now)
        for name in wanted:
            method, params = QUESTIONS[name]
            editor.ask(method, params(document, at))
        found.append(1e3 * (time.perf_counter() - begin))
        time.sleep(pause)
    return found


def findings(editor: Editor, text: str, times: int, *, first: bool) -> list[float]:
    """Milliseconds from sending a text with a mistake in it, or without, to what is published first, or at last."""
    found, uri = [], editor.uri("reader.arch")
    for number in range(times):
        now = text.replace("softmax(logits)", "softmx(logits)" if number % 2 else "softmax(logits) ") + "#" * number
        before, begin = editor.published.get(uri), time.perf_counter()
        waiting = editor.next_findings("reader.arch")
        editor.change("reader.arch", now)
        while first and editor.published.get(uri) is before:
            time.sleep(0.001)
        waiting_from = time.perf_counter()
        waiting()
        found.append(1e3 * ((waiting_from if first else time.perf_counter()) - begin))
    return found


def rows(editor: Editor, text: str) -> dict[str, list[float]]:
    """All measurements, by what was waited for."""
    measured = {name: measure(editor, text, (name,)) for name in QUESTIONS}
    measured["all of these, one after the other"] = measure(editor, text, tuple(QUESTIONS))
    measured["the same, while the text before is checked"] = measure(editor, text, tuple(QUESTIONS), PAUSE + UNDER_WAY)
    measured["findings, with the pause before a check"] = findings(editor, text, 10, first=True)
    measured["the same with fixes, which are tried"] = findings(editor, text, 10, first=False)
    return measured


TITLE = "# How soon an editor is answered\n\nWritten by `python -m benchmarks.keystrokes`."
INTRODUCTION = f"""\
A client opens a spec of {LINES} lines (attention and transformers as blocks of its own, and a model that uses them),
and types a line in the model and a name in a block, letter by letter. After each letter it sends the whole text and
asks at once; the times are those of the client, from sending the text to having the answer, in milliseconds. Most
letters come before the pause of {1e3 * PAUSE:.0f} ms after which a text is checked; in one row each comes
{1e3 * UNDER_WAY:.0f} ms later, when a check is under way, which it stops. The last rows wait for the whole check; every
second text has a mistake, and is checked again for each fix that is offered."""


def main() -> None:
    """Measure, and write the page."""
    argparse.ArgumentParser(prog="python -m benchmarks.keystrokes", description=__doc__).parse_args()
    text = spec()
    assert text.count("\n") == LINES
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor(Path(folder))
        assert [one for one in editor.open("reader.arch", text) if one.severity == types.DiagnosticSeverity.Error] == []
        measured = rows(editor, text)
        editor.close()
    lines = []
    for name, times in measured.items():
        ordered = sorted(times)
        most = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        lines.append([name, *(f"{time:.0f}" for time in (statistics.median(times), most, ordered[-1]))])
    table = page.table(["answer", "median", "95 % within", "slowest"], lines)
    slowest = max(statistics.median(measured[name]) for name in QUESTIONS)
    if slowest > LIMIT:
        sys.exit(f"a keystroke takes {slowest:.0f} ms, and more than {LIMIT:.0f} is too long")
    page.write("keystrokes.md", [TITLE, INTRODUCTION, table, page.circumstances(["pygls", "lsprotocol"])])
    print(table)


if __name__ == "__main__":
    main()
