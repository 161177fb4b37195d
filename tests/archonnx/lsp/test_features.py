"""Answers to an editor, each at a marked place of a spec that was checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from archonnx.grammar.format import format_file
from archonnx.grammar.source import Source
from archonnx.lsp.checking import Check
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.features.completion import completion, resolve
from archonnx.lsp.features.diagnostics import diagnostics
from archonnx.lsp.features.editing import code_actions, formatting
from archonnx.lsp.features.hints import hints
from archonnx.lsp.features.hover import hover
from archonnx.lsp.features.navigation import definition, outline, references
from archonnx.lsp.features.renaming import Refused, rename
from archonnx.lsp.features.signature import signature_help
from archonnx.lsp.features.tokens import MODIFIERS, TYPES, tokens
from archonnx.lsp.library import SPECS

BLOCKS = '''\
block Gate(units: int, mode: choice[soft, hard] = soft)(x: [B, n]) -> [B, units]:
    """A layer that opens."""
    param W: [n, units] ~ glorot_uniform()
    return sigmoid(x @ W)
'''
SPEC = '''\
from "blocks.arch" import Gate

model M(width: int = 4):
    """An example."""
    input  x: [B, 8]
    target y: [B]
    𝛼 = "🦜" == "🦜"
    gate = Gate(width, mode=hard)
    h = gate(x) if 𝛼 else x
    z = h
        |> Dense(16)  # the first
        |> relu
        |> Dense(1)
    output o = z
    loss objective = mse(z[:, 0], y) + 0 * sum(gate.W)

train:
    data = csv("table.csv", target="price")
    split = {train: 0.8, test: 0.2}
    feed x = data.data
    feed y = data.target
    early_stopping = {monitor: train.objective}
    minimize objective with adam(lr=1e-3)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specs")
    (folder / "blocks.arch").write_text(BLOCKS, "utf-8")
    (folder / "table.csv").write_text("rooms,size of it,price\n1,2,3\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def checked(folder: Path) -> Document:
    path = folder / "m.arch"
    document = Document(path.as_uri(), SPEC, path)
    return document.judged(Check(SPEC, "m.arch", path).run())


@pytest.fixture
def workspace(checked: Document) -> Workspace:
    found = Workspace()
    found.documents[checked.uri] = checked
    return found


def after(text: str, mark: str) -> int:
    return text.index(mark) + len(mark)


def typed(workspace: Workspace, checked: Document, mark: str, more: str) -> tuple[Document, int]:
    """The document with more behind a mark, and where that ends."""
    at = after(SPEC, mark)
    document = workspace.documents[checked.uri] = checked.changed(SPEC[:at] + more + SPEC[at:])
    return document, at + len(more)


# ---------------------------------------------------------------- what is found


def test_a_right_spec_has_no_findings_and_types_everywhere(checked: Document) -> None:
    assert diagnostics(checked) == []
    shown = {(hint.position.line, hint.label) for hint in hints(checked, 0, len(SPEC))}
    assert shown == {
        (8, ": f32[B, 4]"), (9, ": f32[B, 1]"), (10, "f32[B, 16]"), (11, "f32[B, 16]"), (12, "f32[B, 1]"),
        (13, ": f32[B, 1]"), (14, ": f32[]"),
    }  # fmt: skip


def wrong(checked: Document, old: str, new: str) -> Document:
    text = SPEC.replace(old, new, 1)
    document = checked.changed(text)
    return document.judged(Check(text, "m.arch", checked.path).run())


def test_a_finding_has_its_place_its_page_and_related_places(checked: Document) -> None:
    document = wrong(checked, "mse(z[:, 0], y)", "mse(x @ x, y)")
    (found, *_) = diagnostics(document)
    assert len(found.related_information or ()) == 2
    assert document.text[document.lines.offset(found.range.start) : document.lines.offset(found.range.end)] == "@"
    assert found.code_description is not None
    assert Path(found.code_description.href.removeprefix("file://")).read_text("utf-8").startswith(f"# {found.code}")
    assert {info.location.range.start.line for info in found.related_information or ()} == {14}
    assert len(found.related_information or ()) == 2


def test_a_finding_in_the_library_is_shown_where_the_spec_uses_it(checked: Document) -> None:
    document = wrong(checked, "mse(z[:, 0], y)", "cross_entropy(z, z)")
    (found, *_) = diagnostics(document)
    assert found.range.start.line == 14


def test_a_finding_in_another_file_is_shown_at_its_import(checked: Document, folder: Path) -> None:
    (folder / "wrong.arch").write_text("block Gate(n: int)(x: [B, m]) -> [B, n]\n    return x\n", "utf-8")
    document = wrong(checked, '"blocks.arch" import Gate', '"wrong.arch" import Gate')
    found = next(one for one in diagnostics(document) if one.code == "AX0107")
    start, end = document.lines.offset(found.range.start), document.lines.offset(found.range.end)
    assert document.text[start:end] == '"wrong.arch"'
    (info, *_) = found.related_information or ()
    assert (info.location.uri, info.location.range.start) == (
        (folder / "wrong.arch").resolve().as_uri(), types.Position(0, 39),
    )  # fmt: skip


def test_a_fix_is_an_action_and_mends_the_text(checked: Document) -> None:
    document = wrong(checked, "relu", "rellu")
    action = next(one for one in code_actions(document, 0, len(document.text)) if "relu" in one.title)
    assert action.diagnostics is not None
    assert action.edit is not None
    assert action.edit.changes is not None
    ((uri, (edit,)),) = action.edit.changes.items()
    assert uri == document.uri
    assert applied(document, [edit]) == SPEC


def test_all_fixes_at_once(checked: Document) -> None:
    text = SPEC.replace("relu", "rellu", 1).replace("mse(", "msse(", 1)
    document = checked.changed(text)
    document = document.judged(Check(text, "m.arch", checked.path).run())
    (action,) = [one for one in code_actions(document, 0, 0) if one.kind == types.CodeActionKind.SourceFixAll]
    assert action.edit is not None and action.edit.changes is not None
    assert applied(document, list(action.edit.changes[document.uri])) == SPEC


def applied(document: Document, edits: list[types.TextEdit]) -> str:
    text = document.text
    for edit in sorted(edits, key=lambda one: document.lines.offset(one.range.start), reverse=True):
        start, end = document.lines.offset(edit.range.start), document.lines.offset(edit.range.end)
        text = text[:start] + edit.new_text + text[end:]
    return text


@pytest.mark.parametrize("comment", ["", "  # said before"])
def test_a_warning_can_be_allowed_on_its_line(checked: Document, comment: str) -> None:
    document = wrong(checked, "    input  x: [B, 8]\n", f"    input  x: [B, 8]\n    input unused: [B]{comment}\n")
    (found,) = diagnostics(document)
    assert (found.code, found.severity) == ("AX0802", types.DiagnosticSeverity.Warning)
    (action,) = code_actions(document, after(document.text, "input un"), after(document.text, "input un"))
    assert action.edit is not None
    assert action.edit.changes is not None
    text = applied(document, list(action.edit.changes[document.uri]))
    assert Check(text, "m.arch", checked.path).run().diagnostics == ()


def test_findings_move_with_the_text_until_the_next_check(checked: Document) -> None:
    document = wrong(checked, "relu", "rellu")
    later = document.changed("# above\n" + document.text)
    assert [one.range.start.line for one in diagnostics(later)] == [
        one.range.start.line + 1 for one in diagnostics(document)
    ]


# ---------------------------------------------------------------- what is said of names

HOVERS = {
    "𝛼 else": "the bool true",
    "h\n        |>": "(variable) h: f32[B, 4]",
    "Dense(16)": "gives `f32[B, 16]`",
    "relu": "derivative 0 at 0",
    "Gate(width": "A layer that opens.",
    "mode=hard": "choice[soft, hard]",
    "width, mode": "the int 4",
    "objective with": "(loss) objective: f32[]",
    "split": "`stratify`",
    "monitor": "(setting) monitor",
    "data.target": 'data = csv("table.csv"',
    "target\n    early": "(column) data.target",
    "csv": "every column is a field",
    'target="price"': "The column that `data.target` is another name of.",
    "minimize": "minimize LOSS",
    "hard)": "choice[soft, hard]",
    "W)": "f32[8, 4]",
    "x: [B, 8]": "(input) x: f32[B, 8]",
}


@pytest.mark.parametrize("mark", HOVERS)
def test_hover(workspace: Workspace, checked: Document, mark: str) -> None:
    found = hover(workspace, checked, SPEC.index(mark))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert HOVERS[mark] in found.contents.value


def test_hover_tells_where_a_tensor_came_from(workspace: Workspace, checked: Document) -> None:
    found = hover(workspace, checked, SPEC.index("z[:, 0]"))
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    assert "from `Dense` at m.arch:13:12" in found.contents.value


def test_nothing_is_said_of_blanks_and_comments(workspace: Workspace, checked: Document) -> None:
    assert hover(workspace, checked, SPEC.index("first")) is None
    assert hover(workspace, checked, SPEC.index("\n\nmodel") + 1) is None


SIGNATURES = {
    ("    output o = z", "\n    q = Dense("): ("block Dense", 0),
    ("    output o = z ", "\n    q = x |> Conv(3, 5, "): ("block Conv", 2),
    ("    output o = z  ", "\n    q = Conv(3, padding="): ("block Conv", 3),
    ("    output o = z   ", "\n    q = Gate(3)("): ("block Gate", 0),
    ("    output o = z    ", "\n    q = gate("): ("module gate", 0),
    ("    output o = z     ", "\n    q = x |> concat("): ("fn concat", 1),
    ("with adam(lr=1e-3", ", eps="): ("optimizer adam", 3),
    ('csv("table.csv', '", '): ("source csv", 1),
}


@pytest.mark.parametrize("place", SIGNATURES)
def test_signatures(workspace: Workspace, checked: Document, place: tuple[str, str]) -> None:
    document, at = typed(workspace, checked, place[0].rstrip(" "), place[1])
    found = signature_help(workspace, document, at)
    assert found is not None
    label, active = SIGNATURES[place]
    assert found.signatures[0].label.startswith(label)
    assert found.active_parameter == active
    parameters = found.signatures[0].parameters or ()
    written = [found.signatures[0].label[slice(*one.label)] for one in parameters if isinstance(one.label, tuple)]
    assert len(written) == len(parameters) > 0
    assert all(one[0].isalpha() and one.count("(") == one.count(")") for one in written)


# ---------------------------------------------------------------- what may stand there

COMPLETIONS = {
    ("    output o = z", "\n    q = x |> Con"): ({"Conv"}, {"Dense"}),
    ("    output o = z ", "\n    q = Conv(3, "): ({"padding=", "kernel=", "z", "gate"}, set()),
    ("    output o = z  ", "\n    q = Conv(3, padding="): ({"same", "valid"}, {"padding="}),
    ("    output o = z   ", "\n    q = Gate(3, mode="): ({"soft", "hard"}, set()),
    ("    output o = z    ", "\n    q = gate."): ({"W"}, {"x", "relu"}),
    ("    output o = z     ", "\n    "): ({"metric", "param", "loss"}, {"minimize", "epochs"}),
    ("adam(lr=1e-3)", "\n    "): ({"epochs", "batch_size", "minimize", "feed"}, {"input"}),
    ("adam(lr=1e-3) ", "\n    feed "): ({"x", "y"}, {"o"}),
    ("adam(lr=1e-3)  ", "\n    minimize "): ({"objective"}, set()),
    ("adam(lr=1e-3)   ", "\n    shuffle = "): ({"true", "false"}, set()),
    ("split = {train: 0.8", ", "): ({"stratify", "test"}, {"train", "relu"}),
    ("feed x = data.data", " + data."): ({"rooms", "price", "data"}, {"size of it", "x"}),
    ("monitor: train", "."): ({"objective"}, {"x"}),
    ('target="', ""): ({"rooms", "size of it", "price"}, set()),
    ('csv("', ""): ({"table.csv"}, {"blocks.arch"}),
    ("import Gate", ", "): ({"Gate"}, {"Dense"}),
    ("", "tr"): ({"train"}, {"true", "feed"}),
    ("# the first", " of"): (set(), {"output"}),
}  # fmt: skip


@pytest.mark.parametrize("place", COMPLETIONS)
def test_completions(workspace: Workspace, checked: Document, place: tuple[str, str]) -> None:
    document, at = typed(workspace, checked, place[0].rstrip(" "), place[1])
    there, absent = COMPLETIONS[place]
    labels = {one.label for one in completion(workspace, document, at).items}
    assert there <= labels
    assert not absent & labels


def test_an_item_replaces_what_is_typed_and_is_explained_when_asked(workspace: Workspace, checked: Document) -> None:
    document, at = typed(workspace, checked, "𝛼 = ", "sigm")
    item = next(one for one in completion(workspace, document, at).items if one.label == "sigmoid")
    assert item.text_edit is None  # a word in place of a word
    assert item.documentation is None
    told = resolve(workspace, item)
    assert told.detail is not None
    assert told.detail.startswith("fn sigmoid(")


def test_an_argument_replaces_what_is_typed_of_it(workspace: Workspace, checked: Document) -> None:
    document, at = typed(workspace, checked, "    output o = z", "\n    q = Conv(3, ker")
    item = next(one for one in completion(workspace, document, at).items if one.label == "kernel=")
    assert isinstance(item.text_edit, types.TextEdit)
    assert applied(document, [item.text_edit]) == SPEC.replace(
        "output o = z", "output o = z\n    q = Conv(3, kernel=", 1
    )


# ---------------------------------------------------------------- where things are


def test_definitions_in_the_file_in_others_and_in_the_library(workspace: Workspace, checked: Document) -> None:
    def place(mark: str) -> tuple[str, int]:
        (found,) = definition(workspace, checked, SPEC.index(mark))
        return found.uri.rpartition("/")[2], found.range.start.line

    assert place("h\n        |>") == ("m.arch", 8)
    assert place("Gate(width") == ("blocks.arch", 0)
    assert place("mode=hard") == ("blocks.arch", 0)
    assert place('"blocks.arch"') == ("blocks.arch", 0)
    assert place("objective with") == ("m.arch", 14)
    assert place("W)") == ("blocks.arch", 2)
    file, line = place("Dense(16)")
    assert file == "layers.arch"
    assert (SPECS / "std" / file).read_text("utf-8").split("\n")[line].startswith("block Dense")
    (found,) = definition(workspace, checked, SPEC.index("sum(gate"))
    assert found.uri.endswith(".py")  # where the functions of the language are written


def test_an_open_file_stands_in_place_of_that_on_the_disk(
    workspace: Workspace, checked: Document, folder: Path
) -> None:
    uri = (folder / "blocks.arch").as_uri()
    workspace.documents[uri] = Document(uri, "# above\n" + BLOCKS.replace("mode", "kind"), folder / "blocks.arch")
    (found,) = definition(workspace, checked, SPEC.index("Gate(width"))
    assert found.range.start.line == 1
    after_change = Check(SPEC, "m.arch", checked.path, workspace.opened()).run()
    assert {one.code for one in after_change.diagnostics} == {"AX0202"}


def test_a_name_of_another_file_is_changed_in_both(workspace: Workspace, checked: Document, folder: Path) -> None:
    (folder / "m.arch").write_text(SPEC, "utf-8")
    places = references(workspace, checked, SPEC.index("Gate(width"))
    assert {(one.uri.rpartition("/")[2], one.range.start.line) for one in places} == {
        ("blocks.arch", 0), ("m.arch", 0), ("m.arch", 7),
    }  # fmt: skip
    found = rename(workspace, checked, SPEC.index("Gate(width"), "Door")
    assert not isinstance(found, Refused)
    assert {of.name: len(ones) for of, ones in found} == {"blocks.arch": 1, "m.arch": 2}


def test_the_outline_lists_what_is_declared(checked: Document) -> None:
    model, train = outline(checked)
    assert (model.name, train.name) == ("M", "train")
    assert [one.name for one in model.children or ()] == ["x", "y", "o", "objective"]


# ---------------------------------------------------------------- colours and form


def coloured(document: Document) -> list[tuple[str, str, str]]:
    """What each token is, read back as an editor does."""
    found, line, unit = [], 0, 0
    data = tokens(document)
    for at in range(0, len(data), 5):
        down, right, length, kind, bits = data[at : at + 5]
        line, unit = line + down, right + (0 if down else unit)
        row = document.text.split("\n")[line].encode("utf-16-le")
        text = row[2 * unit : 2 * (unit + length)].decode("utf-16-le")
        found.append((text, TYPES[kind], " ".join(m for n, m in enumerate(MODIFIERS) if bits >> n & 1)))
    return found


def test_every_token_is_coloured_by_what_it_means(checked: Document) -> None:
    found = coloured(checked)
    assert {
        ("model", "keyword", ""), ("M", "namespace", "declaration"), ("width", "parameter", "declaration"),
        ("Dense", "class", "defaultLibrary"), ("relu", "function", "defaultLibrary"), ("# the first", "comment", ""),
        ("𝛼", "variable", "declaration"), ('"🦜"', "string", ""), ("B", "typeParameter", ""), ("hard", "enumMember", ""),
        ("split", "property", "declaration"),
        ("1e-3", "number", ""), ("x", "variable", "readonly"),
    } <= set(found)  # fmt: skip


def test_formatting_is_that_of_the_command_line(checked: Document) -> None:
    text = SPEC.replace("h = gate(x) if", "h   =gate( x )  if")
    assert applied(checked.changed(text), formatting(checked.changed(text))) == format_file(Source("m.arch", text))
    assert formatting(checked.changed(text.replace(":", "", 1))) == []
