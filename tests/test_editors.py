"""What editors get besides the server: the grammar is made of the parser's words, and colours what the server colours."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.lsp.document import Document
from archonnx.lsp.features.tokens import TYPES, tokens
from editors.textmate import FILE, text

EXTENSION = Path(__file__).parents[1] / "editors" / "vscode"
SCOPES = {
    "comment": ("comment",), "string": ("string", "constant.character"), "number": ("constant.numeric",),
    "keyword": ("keyword.control", "keyword.declaration", "keyword.operator.word", "constant.language"),
}  # fmt: skip
"""How the scopes begin of what the server calls so."""


def test_the_grammar_is_made_of_the_words_of_the_parser() -> None:
    assert FILE.read_text("utf-8") == text(), "run `python -m editors.textmate`"


def test_the_extension_serves_the_files_of_the_language() -> None:
    package = json.loads((EXTENSION / "package.json").read_text("utf-8"))
    (grammar,) = package["contributes"]["grammars"]
    assert (EXTENSION / grammar["path"]).resolve() == FILE
    assert package["contributes"]["configuration"]["properties"]["archonnx.command"]["default"] == ["archonnx", "lsp"]


@pytest.mark.proof
def test_the_grammar_colours_what_the_server_colours() -> None:
    """Every comment, text, number and word of the language in the library and the zoo, and nothing else as one."""
    node = shutil.which("node")
    if node is None or not (EXTENSION / "node_modules").is_dir():
        pytest.skip("run `npm ci` in editors/vscode first")
    files = sorted(SPECS.rglob("*.arch"))
    done = subprocess.run(
        [node, "test/tokens.mjs", *map(str, files)], cwd=EXTENSION, capture_output=True, text=True, check=True
    )
    for path, line in zip(files, done.stdout.splitlines(), strict=True):
        spec = path.read_text("utf-8")
        for kind, scopes in SCOPES.items():
            coloured = {
                place for *place, scope in json.loads(line) for place in units(place) if scope.startswith(scopes)
            }
            assert coloured == served(spec, kind), (path.name, kind)


def units(place: list[int]) -> set[tuple[int, int]]:
    """The characters of a token: a text may be several tokens, with its escapes apart."""
    line, start, end = place
    return {(line, at) for at in range(start, end)}


def served(spec: str, kind: str) -> set[tuple[int, int]]:
    """The characters that are of a kind, as the server has it."""
    found, line, unit = set(), 0, 0
    data = tokens(Document("file:///spec.arch", spec))
    for at in range(0, len(data), 5):
        down, right, length, number, _ = data[at : at + 5]
        line, unit = line + down, right + (0 if down else unit)
        if TYPES[number] == kind:
            found |= units([line, unit, unit + length])
    return found
