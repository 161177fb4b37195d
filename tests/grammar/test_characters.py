"""Characters that deceive a reader: controls of direction are refused wherever they stand, lookalikes are warned of."""

from __future__ import annotations

import pytest

from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.format import format_file
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.text.characters import confusable_names

TEXT = 'model M():\n    """What it is."""\n    input x: [B]\n    output y = x  # the same\n'
YAML = "model: M\ndoc: What it is.\ninputs: {x: '[B]'}\noutputs: {y: x}  # the same\n"
CONTROLS = [chr(c) for c in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("place", ["M", "What", "x", "same"])
@pytest.mark.parametrize(("name", "text"), [("a.arch", TEXT), ("a.yaml", YAML)])
def test_controls_of_direction_are_refused_wherever_they_stand(name: str, text: str, place: str, control: str) -> None:
    at = text.index(place) + len(place)
    with pytest.raises(SpecError) as caught:
        read_tree(Source(name, text[:at] + control + text[at:]))
    (found,) = caught.value.diagnostics
    assert found.code == "AX0130" and f"U+{ord(control):04X}" in found.headline
    assert (found.span.start, found.span.end) == (at, at + 1)


def test_the_formatter_refuses_them_too() -> None:
    with pytest.raises(SpecError, match="AX0130"):
        format_file(Source("a.arch", TEXT.replace("same", "s\u202eame")))


def warned(text: str) -> list[tuple[str, str]]:
    """The names that are warned of, with what they look like."""
    source = Source("a.arch", f"model M():\n    input x: [B]\n    {text}\n    output y = x\n")
    found = confusable_names(source, read_tree(source))
    assert all(d.code == "AX0131" and d.severity == "warning" for d in found)
    return [(d.span.text, d.headline.split("`")[3]) for d in found]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("\u0441 = 1", [("\u0441", "c")]),  # Cyrillic es
        ("sc\u0430le = scale(1)", [("sc\u0430le", "scale")]),
        ("h = 1\n    \u04bb = 2", [("\u04bb", "h")]),
        ("\u0391 = 1", [("\u0391", "A")]),  # Greek capital alpha
        ("\uff48 = 1", [("\uff48", "h")]),  # full width
        ("h = 1\n    h\u0435 = h\n    k = h\u0435", [("h\u0435", "he")]),
    ],
)
def test_names_that_look_like_others_are_warned_of_once(text: str, names: list[tuple[str, str]]) -> None:
    assert warned(text) == names


@pytest.mark.parametrize(
    "text", ["\u03b1 = 1", "\u0394x = 1", "\u044f\u0440 = 1", "\u6a21\u578b = 1", "gr\u00f6\u00dfe = 1  # \u0441\u0430"]
)
def test_names_of_other_scripts_are_names(text: str) -> None:
    assert warned(text) == []
