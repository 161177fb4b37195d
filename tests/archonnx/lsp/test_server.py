"""The server itself, asked over standard input and output as an editor asks it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import util

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from typer.testing import CliRunner

from archonnx.cli.app import app
from archonnx.grammar.diagnostics import SpecError
from tests.support.lsp_client import Editor

SPEC = """\
model M():
    input  x: [B, 8]
    target y: [B, 1]
    𝛼 = x |> Dense(4)
    h = 𝛼 |> relu |> Dense(1)
    output o = h
    loss   objective = mse(h, y)
"""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    found = Editor(tmp_path_factory.mktemp("specs"))
    yield found
    found.close()


@pytest.fixture
def opened(editor: Editor) -> types.TextDocumentIdentifier:
    """A document whose text is ``SPEC``."""
    editor.open("m.arch", SPEC)
    return types.TextDocumentIdentifier(editor.uri("m.arch"))


def test_positions_are_in_utf_16_whatever_else_an_editor_offers(editor: Editor) -> None:
    assert editor.capabilities.position_encoding == types.PositionEncodingKind.Utf16


def test_findings_come_and_go_as_the_text_changes(editor: Editor) -> None:
    assert editor.open("m.arch", SPEC) == []
    (found,) = editor.open("m.arch", SPEC.replace("mse(h", "mse(hh"))
    assert (found.code, found.range.start.line) == ("AX0201", 6)
    (found,) = editor.open("m.arch", SPEC.replace("M():", "M()"))
    assert found.code == "AX0107"
    assert editor.open("m.arch", SPEC) == []


def test_what_is_typed_on_is_checked_once(editor: Editor, opened: types.TextDocumentIdentifier) -> None:
    """Texts that change at once are not checked; what is told at last is of the last one."""
    for end in range(40, 80):
        editor.change("m.arch", SPEC[:end])
    assert editor.open("m.arch", SPEC.replace("relu", "rellu"))[0].code == "AX0201"
    assert editor.logged == []


def test_every_question_is_answered(editor: Editor, opened: types.TextDocumentIdentifier) -> None:
    alpha = types.Position(4, 8)
    hover = editor.ask("text_document_hover", types.HoverParams(opened, alpha))
    assert "f32[B, 4]" in hover.contents.value
    (place,) = editor.ask("text_document_definition", types.DefinitionParams(opened, alpha))
    assert (place.range.start, place.range.end) == (types.Position(3, 4), types.Position(3, 6))
    context = types.ReferenceContext(include_declaration=False)
    assert len(editor.ask("text_document_references", types.ReferenceParams(context, opened, alpha))) == 1
    assert len(editor.ask("text_document_document_highlight", types.DocumentHighlightParams(opened, alpha))) == 2
    items = editor.ask("text_document_completion", types.CompletionParams(opened, types.Position(4, 16))).items
    relu = next(one for one in items if one.label == "relu")
    assert editor.ask("completion_item_resolve", relu).documentation is not None
    help_ = editor.ask("text_document_signature_help", types.SignatureHelpParams(opened, types.Position(3, 20)))
    assert help_.signatures[0].label.startswith("block Dense(")
    (symbol,) = editor.ask("text_document_document_symbol", types.DocumentSymbolParams(opened))
    assert symbol.name == "M"
    whole = types.Range(types.Position(0, 0), types.Position(9, 0))
    hints = editor.ask("text_document_inlay_hint", types.InlayHintParams(opened, whole))
    assert ": f32[B, 4]" in [hint.label for hint in hints]
    assert len(editor.ask("text_document_semantic_tokens_full", types.SemanticTokensParams(opened)).data) % 5 == 0
    options = types.FormattingOptions(4, True)
    assert editor.ask("text_document_formatting", types.DocumentFormattingParams(opened, options)) is not None


def test_a_fix_is_offered(editor: Editor) -> None:
    (found,) = editor.open("m.arch", SPEC.replace("mse(h", "mze(h"))
    document = types.TextDocumentIdentifier(editor.uri("m.arch"))
    params = types.CodeActionParams(document, found.range, types.CodeActionContext([found]))
    fix, everything = editor.ask("text_document_code_action", params)
    assert (fix.kind, everything.kind) == ("quickfix", "source.fixAll")
    for action in (fix, everything):
        assert [edit.new_text for edit in action.edit.changes[document.uri]] == ["mse"]


def test_a_name_is_changed_or_it_is_said_why_not(editor: Editor, opened: types.TextDocumentIdentifier) -> None:
    at = types.Position(4, 4)
    assert editor.ask("text_document_prepare_rename", types.PrepareRenameParams(opened, at)).start == at
    edit = editor.ask("text_document_rename", types.RenameParams(opened, at, "hidden"))
    assert [one.range.start.line for one in edit.changes[opened.uri]] == [4, 5, 6]
    with pytest.raises(JsonRpcException, match="already means"):
        editor.ask("text_document_rename", types.RenameParams(opened, at, "y"))


PROGRAM = """
train:
    data = generate(made, n=64)
    feed x = data.x
    feed y = data.y
    early_stopping = {monitor: "train.objective"}
    minimize objective with sgd(lr=0.1)

fn made(n: int) -> (x: [n, 8], y: [n, 1]):
    x: [n, 8] ~ normal(0, 1)
    return x, x[:, :1]
"""


def test_a_name_is_not_changed_where_the_text_would_be_wrong_then(editor: Editor) -> None:
    """A text says the name of the loss, which no resolution of names finds: the check does."""
    assert editor.open("m.arch", SPEC + PROGRAM) == []
    params = types.RenameParams(types.TextDocumentIdentifier(editor.uri("m.arch")), types.Position(6, 13), "goal")
    with pytest.raises(JsonRpcException, match=r"with this name: .*objective"):
        editor.ask("text_document_rename", params)


def test_what_imports_a_file_is_checked_when_that_changes(editor: Editor) -> None:
    block = "block Twice(n: int)(x: [B, n]) -> [B, n]:\n    return 2 * x\n"
    spec = 'from "twice.arch" import Twice\n\nmodel M():\n    input x: [B, 8]\n    output y = x |> Twice(8)\n'
    (editor.folder / "twice.arch").write_text("nothing that can be read", "utf-8")
    assert editor.open("twice.arch", block) == []
    assert editor.open("user.arch", spec) == []
    waiting = editor.next_findings("user.arch")
    editor.change("twice.arch", block.replace("Twice(n: int)", "Twice(m: int, n: int)"))
    assert [one.code for one in waiting()] != []


def test_without_pygls_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr("archonnx.cli.verbs.lsp.find_spec", lambda name: None if name == "pygls" else find(name))
    with pytest.raises(SpecError, match=r"pip install 'archonnx\[lsp\]'"):
        CliRunner().invoke(app, ["lsp"], catch_exceptions=False)
