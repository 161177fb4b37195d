"""Every help that edits is tried: what is shown as a fix compiles, and what would not help is not shown."""

from __future__ import annotations

import json

import pytest

from archonnx.compiler.helps.trial import tried
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, Edit, Fix, Label, Report, SpecError, Suggestion, render_report
from archonnx.grammar.diagnostics.fixes import edited, moved, overlap
from archonnx.grammar.source import Source, Span

HEAD = "model Net():\n    input x: [B, 8]\n"


def findings(text: str, name: str = "net.arch") -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(Source(name, text)))
    return caught.value.diagnostics


def span(source: Source, word: str) -> Span:
    start = source.text.index(word)
    return Span(source, start, start + len(word))


def test_a_fix_is_an_edit_at_offsets_that_compiles() -> None:
    text = HEAD + "    output y = x |> Dense(4) |> reluu\n"
    (found,) = findings(text)
    (fix,) = found.fixes
    assert (found.help, fix.text) == ("did you mean `relu`?", "did you mean `relu`?")
    assert [(edit.span.start, edit.span.end, edit.text) for edit in fix.edits] == [
        (text.index("reluu"), text.index("reluu") + 5, "relu")
    ]
    elaborate(parse_spec(Source("net.arch", fix.applied())))


def test_each_mistake_is_fixed_for_itself() -> None:
    text = HEAD + "    h = x |> Dnse(4)\n    g = x |> Dense(uints=4)\n    output y = h + g\n"
    dense, units = findings(text)
    assert dense.fixes[0].applied() == text.replace("Dnse", "Dense")
    assert units.fixes[0].applied() == text.replace("uints", "units")


def test_what_does_not_help_is_not_shown() -> None:
    (found,) = findings(HEAD + "    output y = meen\n    loss l = mean(x)\n")  # `mean` is no tensor
    assert found.code == "AX0201" and not found.fixes and found.help is None


def test_where_the_sizes_only_part_one_operation_later_another_is_mended() -> None:
    text = HEAD + "    param scale: [8] = 1\n    output y = x + scale * (x |> Dense(16))\n"
    (found,) = findings(text)
    assert found.code == "AX0302" and "param scale: [8]" in found.fixes[0].applied()  # and `Dense(8)`
    (found,) = findings(text.replace("x + ", ""))
    assert "param scale: [16]" in found.fixes[0].applied()


def test_a_guess_that_fails_makes_room_for_the_next() -> None:
    source = Source("m.arch", "abc")
    guess = Suggestion.of("a", "abc", "wrong").or_else("words", Suggestion.of("b", "abc", "right"))
    report = Report([Diagnostic("AX0201", "it is wrong", (Label(span(source, "abc"), primary=True),), help=guess)])

    def check(other: Source) -> list[Diagnostic]:
        asked.append(other.text)
        label = Label(Span(other, 0, len(other.text)), primary=True)
        return [] if other.text == "right" else [Diagnostic("AX0201", "it is wrong", (label,))]

    asked: list[str] = []
    (found,) = tried(source, report, check).diagnostics
    assert asked == ["wrong", "right"] and (found.help, len(found.fixes)) == ("b", 1)
    (lost,) = tried(source, report, lambda other: [Diagnostic("AX0101", "all is lost")]).diagnostics
    assert (lost.help, lost.fixes) == ("words", ())


@pytest.mark.parametrize(
    ("new", "good"),
    [
        ("one = 1\n", True),  # nothing is wrong
        ("one = 1 # behind ?\n", True),
        ("one = 1 ?\n", True),  # behind the edit in its line
        ("? one = 1\n", True),  # before it, where nothing was wrong before: another declaration
        ("one = ?\n", False),
    ],
)
def test_only_what_is_new_at_the_place_counts_against_a_fix(new: str, good: bool) -> None:
    source = Source("m.arch", new.replace("1", "x") if "1" in new else "one = x\n")
    at = span(source, "x")
    guess = Suggestion.of("write it", "x", "1" if "1" in new else "?", at)

    def check(other: Source) -> list[Diagnostic]:
        places = [i for i, c in enumerate(other.text) if c == "?"]
        return [Diagnostic("AX0301", "a mark", (Label(Span(other, i, i + 1), primary=True),)) for i in places]

    if new.startswith("?"):
        source = Source("m.arch", "fn f():\n    ?\n\nfn g():\n    x\n")
        guess = Suggestion.of("write it", "x", "1", span(source, "x"))
    mistake = Diagnostic("AX0201", "unknown `x`", (Label(span(source, "x"), primary=True),), help=guess)
    (found,) = tried(source, Report([mistake]), check).diagnostics
    assert bool(found.fixes) == good


def test_edits_of_a_text() -> None:
    source = Source("m.arch", "abcdef")
    edits = [Edit(Span(source, 4, 5), ""), Edit(Span(source, 1, 2), "XYZ"), Edit(Span(source, 6, 6), "!")]
    assert edited(source, edits) == "aXYZcdf!" and not overlap(edits)
    assert [moved(i, edits) for i in range(7)] == [0, 1, 4, 5, 6, 6, 8]
    assert overlap([Edit(Span(source, 0, 3), ""), Edit(Span(source, 2, 4), "")])
    assert overlap([Edit(Span(source, 0, 1), ""), Edit(Span(Source("n.arch", "abcdef"), 2, 4), "")])


def test_json_has_the_edits() -> None:
    text = HEAD + "    output y = x |> Dense(4) |> reluu\n"
    (found,) = findings(text)
    told = json.loads(render_report(Report([found]), "json"))
    ((edit,),) = [fix["edits"] for fix in told["fixes"]]
    assert text[edit["start"]["offset"] : edit["end"]["offset"]] == "reluu"
    assert edit == {
        "file": "net.arch",
        "start": {"line": 3, "column": 33, "offset": 65},
        "end": {"line": 3, "column": 38, "offset": 70},
        "replacement": "relu",
    }


def test_a_fix_of_a_yaml_spec() -> None:
    text = 'model: Net\ninputs: {x: "[B, 8]"}\nlayers:\n  - Dnse: 4   # four\n  - {Dense: 2, as: y}\noutputs: {p: y}\n'
    (found,) = findings(text, "net.yaml")
    assert found.fixes[0].applied() == text.replace("Dnse", "Dense")


def test_a_fix_says_the_same_after_a_journey() -> None:
    source = Source("m.arch", "abc")
    fix = Fix("write it", (Edit(span(source, "b"), "x"),))
    assert fix.applied() == "axc" and fix.source is source
