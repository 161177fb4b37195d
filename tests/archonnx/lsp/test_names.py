"""What names mean, beside the compiler: a name that means one thing may be any other name, everywhere at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archonnx.compiler.elaborate.files.library import SPECS
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar.source import Source
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.features.renaming import Refused, edited, rename
from archonnx.lsp.library import library_names, source_names
from archonnx.lsp.names import Occurrence

ZOO, STD = sorted((SPECS / "zoo").rglob("*.arch")), sorted((SPECS / "std").glob("*.arch"))


def document(text: str) -> Document:
    return Document("file:///nowhere/spec.arch", text)


ELSEWHERE = {*source_names(), *SET_FUNCTIONS, "copy"}


@pytest.mark.parametrize("files", [ZOO[3::40], pytest.param([*ZOO, *STD], marks=pytest.mark.proof)], ids=["few", "all"])
def test_what_is_called_or_fed_or_stands_in_a_type_is_known(files: list[Path]) -> None:
    for path in files:
        named = [one for one in document(path.read_text("utf-8")).names.all if one.mention.name not in ELSEWHERE]
        asked = [one for one in named if one.mention.role in ("call", "dim", "field")]
        assert [one for one in asked if one.symbol is None] == [], path.name


SPEC = """\
fn scaled(x: [...S], by: float = 2.0) -> (y: [...S], half: [...S]):
    y = x * by
    return y, x / 2

block Gate(units: int)(x: [B, n]) -> [B, units]:
    param W: [n, units] ~ glorot_uniform()
    fn weighed(v: [B, m]) -> [B, m]:
        return v * units
    return sigmoid(x @ W)

model M(width: int = 4):
    input  x: [B, 8]
    target y: [B, width]
    gate = Gate(width)
    h = gate(x)
    for i in range(2):
        h = h + scaled(h, by=0.5).half
    penalty = sum(square(gate.W))
    output o = h
    loss   fit_loss = mse(h, y) + 0.01 * penalty
    metric off = mae(h, y)

train:
    data = generate(made, n=64)
    epochs = 3
    early_stopping = {monitor: train.fit_loss, patience: 2}
    feed x = data.x
    minimize fit_loss over gate with sgd(lr=0.1)

fn made(n: int) -> (x: [n, 8], y: [n, 4]):
    x: [n, 8] ~ normal(0, 1)
    return x, x[:, :4]
"""
AT = {
    "scaled": ("scaled(x", 2), "by": ("by: float", 3), "half": ("half: [", 2), "Gate": ("Gate(units", 2),
    "units": ("units: int", 4), "W": ("W: [n", 3), "width": ("width: int", 3), "x of M": ("x: [B, 8]", 3),
    "gate": ("gate = ", 4), "h": ("h = gate", 7), "fit_loss": ("fit_loss =", 3), "n of Gate": ("n]) -> [B, units]", 2),
    "i": ("i in range", 1), "made": ("made(n:", 2), "n of made": ("n: int) -> (x: [n", 5), "m": ("m]) -> [B, m]", 2), "penalty": ("penalty = ", 2),
}  # fmt: skip
"""Where each name is bound, and how often it stands."""


@pytest.mark.parametrize("name", AT)
def test_all_places_of_a_name(name: str) -> None:
    whole = document(SPEC)
    mark, count = AT[name]
    found = whole.names.at(SPEC.index(mark))
    assert found is not None
    assert found.symbol is not None
    assert len(whole.names.of(found.symbol)) == count


def program(text: str) -> str:
    """All that a spec computes, without the names that it gives."""
    model = elaborate(parse_spec(Source("spec.arch", text)), simplify=False)
    graphs = [model.infer, model.evaluate, *(step.graph for one in model.programs for step in one.steps or ())]
    return "\n".join(
        line.partition(" = ")[2].partition("  #")[0] for g in graphs for line in print_graph(g).split("\n")
    )


def renamed(text: str) -> tuple[str, dict[str, str], set[str]]:
    """A text in which every name of the file is another; what each was; and the names for which that was refused."""
    olds: dict[str, str] = {}
    refused: set[str] = set()
    while (one := next((n for n in document(text).names.all if is_own(n, refused)), None)) is not None:
        new = f"zebra{len(olds)}"
        found = rename(Workspace(), document(text), one.start, new)
        if isinstance(found, Refused):
            refused.add(one.mention.name)
            continue
        olds[new] = one.mention.name
        ((_, places),) = found
        text = edited(text, places, new)
    return text, olds, refused


def test_names_are_changed_everywhere_and_nothing_else_is() -> None:
    """Every name of the file in turn, to one that is new: the spec compiles, and computes the same."""
    text, olds, refused = renamed(SPEC)
    assert len(olds) > 30
    assert refused == set()
    assert re.sub(r"\bzebra\d+\b", lambda match: olds[match[0]], program(text)) == program(SPEC)


@pytest.mark.proof
@pytest.mark.parametrize("path", [path for path in ZOO[::3] if "import" not in path.read_text("utf-8")], ids=str)
def test_names_of_the_zoo_are_changed_everywhere(path: Path) -> None:
    """All that is named after a block or a fn has another name then; as much is computed of the same types."""
    before = path.read_text("utf-8")
    text, olds, _ = renamed(before)

    def types(of: str) -> list[str]:
        spec = parse_spec(Source(path.name, of), path=path)
        graph = elaborate(spec, simplify=False).infer
        given = [*graph.inputs.values(), *graph.outputs.values()]
        return [re.sub(r"\bzebra\d+\b", lambda match: olds[match[0]], str(value.type)) for value in given]

    assert types(text) == types(before)


def is_own(one: Occurrence, refused: set[str]) -> bool:
    """Whether a name is of the file, and was not changed yet, nor refused."""
    symbol = one.symbol
    known = symbol is not None and symbol.piece is not None and symbol.kind not in ("setting", "column", "train")
    return known and not one.mention.name.startswith("zebra") and one.mention.name not in refused


TAKEN = {
    "another name of the body": ("h = gate", "penalty"),
    "a function that is used": ("h = gate", "mse"),
    "a word of the language": ("h = gate", "for"),
    "no name": ("h = gate", "2h"),
    "a parameter around": ("m]) -> [B, m]", "units"),
    "a name of the library": ("sigmoid(x", "zebra"),
    "a setting": ("epochs", "zebra"),
}


@pytest.mark.parametrize("why", TAKEN)
def test_a_name_that_would_change_what_is_said_is_refused(why: str) -> None:
    mark, name = TAKEN[why]
    assert isinstance(rename(Workspace(), document(SPEC), SPEC.index(mark), name), Refused)


def test_nothing_is_renamed_while_a_line_cannot_be_read() -> None:
    text = SPEC.replace("gate = Gate(width)", "gate = Gate(width")
    found = rename(Workspace(), document(text), text.index("h = gate"), "zebra")
    assert isinstance(found, Refused)
    assert "line 14" in found.reason


def test_names_of_the_library_are_known() -> None:
    assert {"Dense", "adam", "concat", "f32", "pi"} <= library_names().keys()
