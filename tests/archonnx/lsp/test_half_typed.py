"""A text is wrong most of the time while it is typed: every question is answered at every place of it all the same."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.lsp.checking import Check
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.features import completion, editing, hints, hover, navigation, renaming, signature, tokens
from archonnx.lsp.features.diagnostics import diagnostics

ARCH = [(SPECS / "zoo" / name).read_text("utf-8") for name in ("convolution/digits_cnn.arch", "training/siamese.arch")]
TRICKY = [
    'model 𝛼(w: int = """', "train:\n\tx = {", 'a = "🦜', "fn f(x", "backward(", "from ", 'from "x.arch" import', "((((((", "}",
    "|> ", "model M():\n    scan a in", "x.y.z.", "else:", "elif x:", "\r\n\r", "data = csv(", "search:\n    a", "train of",
    "model M():\n    input x: [B\n    h = x |> Dense(\ntrain:\n    data = ", "\ufeffmodel", "@" * 50, "x" * 30_000,
]  # fmt: skip


def asked(workspace: Workspace, document: Document, offset: int) -> None:
    """Ask everything that an editor asks at a place."""
    workspace.documents[document.uri] = document
    place = (workspace, document, offset)
    hover.hover(*place)
    for item in completion.completion(*place).items[:2]:
        completion.resolve(workspace, item)
    signature.signature_help(*place)
    navigation.definition(*place)
    navigation.references(*place)
    navigation.highlights(document, offset)
    renaming.renamable(document, offset)
    renaming.rename(*place, "zebra")


def asked_of_all(document: Document) -> None:
    """Ask what is asked of a whole text."""
    navigation.outline(document)
    hints.hints(document, 0, len(document.text))
    tokens.tokens(document)
    editing.code_actions(document, 0, len(document.text))
    diagnostics(document)


def checked(text: str, name: str) -> Document:
    document = Document(f"file:///nowhere/{name}", text)
    return document.judged(Check(text, name).run())


def typed(text: str, name: str, every: int) -> None:
    """Type a text, from nothing to its end, and ask at the end of what is typed."""
    workspace, whole = Workspace(), checked(text, name)
    for end in range(0, len(text) + 1, every):
        document = whole.changed(text[:end])
        asked(workspace, document, end)
        if end % 5 == 0:
            asked_of_all(document)


@pytest.mark.parametrize("every", [97, pytest.param(1, marks=pytest.mark.proof)])
def test_every_beginning_of_a_spec(every: int) -> None:
    for text in ARCH:
        typed(text, "spec.arch", every)


@pytest.mark.parametrize("every", [131, pytest.param(1, marks=pytest.mark.proof)])
def test_every_beginning_of_a_spec_in_yaml(every: int) -> None:
    typed(YAML, "spec.yaml", every)


@pytest.mark.parametrize("every", [401, pytest.param(3, marks=pytest.mark.proof)])
def test_a_spec_without_a_stretch_of_it(every: int) -> None:
    """Something in the middle is missing, and what was checked is of the whole text."""
    text, workspace = ARCH[1], Workspace()
    whole = checked(text, "spec.arch")
    for start in range(0, len(text) - 30, every):
        document = whole.changed(text[:start] + text[start + 30 :])
        asked(workspace, document, start)
        asked_of_all(document)


@pytest.mark.parametrize("text", TRICKY, ids=range(len(TRICKY)))
def test_what_is_hardly_a_spec(text: str) -> None:
    document = checked(text, "spec.arch")
    for offset in {0, len(text) // 2, len(text)}:
        asked(Workspace(), document, offset)
    asked_of_all(document)
    editing.formatting(document)


LARGE = {
    "brackets": "f(" * 60_000, "dots": "a." * 60_000, "statements": "x = y\n" * 30_000, "pipes": "x" + "|>f" * 40_000,
    "bodies": "".join(" " * depth + "if x:\n" for depth in range(600)), "texts": '"""' * 40_001,
}  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize("what", LARGE)
def test_what_is_large_is_answered_in_seconds(what: str) -> None:
    document, begin = Document("file:///nowhere/spec.arch", LARGE[what]), time.process_time()
    asked(Workspace(), document, len(document.text) // 2)
    asked_of_all(document)
    assert time.process_time() - begin < 10


PARTS = st.sampled_from(
    ["model M():\n", "    ", "x", " = ", "Dense(", ")", "[", "]", "{", "}", '"', '"""', "\n", ":", " |> ", ".", "data",
     "train:\n", "B", ", ", "🦜", "#", "for i in ", "fn f(", " -> ", "input ", "if ", "backward(", "\r\n", "\t", "in ", "~"]
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.lists(PARTS, max_size=25), st.integers(0, 60))
def test_any_mixture_of_signs(parts: list[str], at: int) -> None:
    text = "".join(parts)
    document = Document("file:///nowhere/spec.arch", text)
    asked(Workspace(), document, min(at, len(text)))
    asked_of_all(document)


YAML = """\
model: Classifier
args: {width: 64}
doc: One hidden layer for 8x8 grey digits.
inputs: {image: "[B, 64]"}
targets: {label: "i64[B]"}
layers:
  - Dense: width
  - relu
  - {Dense: 10, as: logits}
outputs: {probs: {type: "[B, 10]", value: softmax(logits)}}
losses: {objective: "cross_entropy(logits, label)"}
train:
  data: {sklearn: digits}
  feed: {image: data.data / 16, label: data.target}
  epochs: 20
  steps: [{minimize: objective, with: adam(lr=1e-3)}]
"""


def test_names_and_types_of_a_spec_in_yaml() -> None:
    document = checked(YAML, "spec.yaml")
    assert diagnostics(document) == []
    workspace = Workspace()

    def lines(mark: str) -> list[int]:
        places = navigation.references(workspace, document, YAML.index(mark))
        return [place.range.start.line for place in places]

    assert lines("logits)}}") == [8, 9, 10]
    assert lines("label: data") == [4, 10, 13]
    found = hover.hover(workspace, document, YAML.index("logits, label"))
    assert found is not None
    assert "f32[B, 10]" in str(found.contents)
    changed = renaming.rename(workspace, document, YAML.index("logits)}}"), "scores")
    assert not isinstance(changed, renaming.Refused)
    ((_, places),) = changed
    assert renaming.edited(YAML, places, "scores") == YAML.replace("logits", "scores")
    wrong = checked(YAML.replace("softmax", "softmx"), "spec.yaml")
    (finding,) = diagnostics(wrong)
    assert finding.range.start.line == 9
    assert wrong.text[wrong.lines.offset(finding.range.start) : wrong.lines.offset(finding.range.end)] == "softmx"


IN_YAML = {
    ("model: Classifier\n", "out"): ({"outputs", "blocks"}, {"epochs"}),
    ("  - relu\n", "  - Dro"): ({"Dropout"}, {"outputs"}),
    ("  - relu\n  - {", "a"): ({"as"}, {"outputs"}),
    ("softmax(logits)}}\n", "metrics: {a: acc"): ({"accuracy"}, {"outputs"}),
    ("value: ", "log"): ({"logits"}, {"outputs"}),
    ("train:\n", "  "): ({"epochs", "steps", "data"}, {"outputs"}),
    ("train:\n", "  split: {"): ({"stratify"}, {"epochs"}),
    ("train:\n", "  split:\n    "): ({"stratify"}, {"epochs"}),
    ("train:\n", "  shuffle: "): ({"true"}, {"epochs"}),
    ("data: {", ""): ({"sklearn", "csv"}, {"epochs"}),
    ("data.data / 16, ", ""): ({"label", "image"}, {"logits"}),
    ("steps: [{", ""): ({"minimize"}, {"epochs"}),
    ("steps: [{minimize: ", ""): ({"objective"}, set()),
}


@pytest.mark.parametrize("place", IN_YAML, ids=range(len(IN_YAML)))
def test_completions_in_yaml(place: tuple[str, str]) -> None:
    mark, more = place
    at = YAML.index(mark) + len(mark)
    document = checked(YAML, "spec.yaml").changed(YAML[:at] + more + YAML[at:])
    labels = {item.label for item in completion.completion(Workspace(), document, at + len(more)).items}
    there, absent = IN_YAML[place]
    assert there <= labels
    assert not absent & labels
