"""The renderings of diagnostics: what stands below what, in every style."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archonnx.grammar.diagnostics import Diagnostic, Label, Report, make_error, render_report
from archonnx.grammar.diagnostics.render import render
from archonnx.grammar.source import Source, Span


def find(source: Source, text: str, nth: int = 0) -> Span:
    """The span of the nth occurrence of a text."""
    start = -1
    for _ in range(nth + 1):
        start = source.text.index(text, start + 1)
    return Span(source, start, start + len(text))


def block(*lines: str) -> str:
    return "\n".join(lines)


MLP = Source("mlp.arch", "\n" * 13 + "    h = x @ W\n")


def test_labels_of_one_line_hang_from_their_places() -> None:
    diagnostic = Diagnostic(
        "AX0301",
        "`@` needs equal inner dims: 784 on the left, 768 on the right",
        (
            Label(find(MLP, "x"), "f32[B, 784], from `flatten` at mlp.arch:9:7 (1 * 28 * 28)"),
            Label(find(MLP, "@"), "f32[768, hidden], from `param W` at mlp.arch:12:5", primary=True),
        ),
        ("inside block `Encoder`, called at mlp.arch:31:9 with n = 768",),
        "declare W as [784, hidden]",
    )
    assert render(diagnostic) == block(
        "error[AX0301]: `@` needs equal inner dims: 784 on the left, 768 on the right",
        "  --> mlp.arch:14:11",
        "   |",
        "14 |     h = x @ W",
        "   |         - ^ f32[768, hidden], from `param W` at mlp.arch:12:5",
        "   |         |",
        "   |         f32[B, 784], from `flatten` at mlp.arch:9:7 (1 * 28 * 28)",
        "   |",
        "note: inside block `Encoder`, called at mlp.arch:31:9 with n = 768",
        "help: declare W as [784, hidden]",
    )


def test_three_labels_one_line() -> None:
    source = Source("a.arch", "aa + bb + cc")
    labels = [Label(find(source, word), f"this is {word}") for word in ("aa", "cc")]
    diagnostic = make_error("AX0302", "no", find(source, "bb"), "middle", others=labels)
    assert render(diagnostic) == block(
        "error[AX0302]: no",
        " --> a.arch:1:6",
        "  |",
        "1 | aa + bb + cc",
        "  | --   ^^   -- this is cc",
        "  | |    |",
        "  | |    middle",
        "  | this is aa",
    )


def test_a_label_around_another_hangs() -> None:
    source = Source("a.arch", "f(a + b)")
    diagnostic = make_error("AX0302", "no", find(source, "+"), "here", others=[Label(find(source, "a + b"), "in this")])
    assert render(diagnostic).splitlines()[3:] == [
        "1 | f(a + b)",
        "  |   --^--",
        "  |   | |",
        "  |   | here",
        "  |   in this",
    ]


def test_distant_lines_and_lines_with_one_between() -> None:
    source = Source("a.arch", "\n".join("abcdefghijkl"))
    others = [Label(find(source, letter), letter.upper()) for letter in "cl"]
    diagnostic = make_error("AX0304", "no", find(source, "a"), "A", others=others)
    assert render(diagnostic) == block(
        "error[AX0304]: no",
        "  --> a.arch:1:1",
        "   |",
        " 1 | a",
        "   | ^ A",
        " 2 | b",
        " 3 | c",
        "   | - C",
        "...",
        "12 | l",
        "   | - L",
    )


def test_another_file_gets_a_block_of_its_own() -> None:
    spec, library = Source("a.arch", "x = f(y)"), Source("std/f.arch", "\nfn f(z: [3]):")
    diagnostic = make_error("AX0304", "no", find(spec, "y"), "4", others=[Label(find(library, "[3]"), "3")])
    assert render(diagnostic) == block(
        "error[AX0304]: no",
        " --> a.arch:1:7",
        "  |",
        "1 | x = f(y)",
        "  |       ^ 4",
        " --> std/f.arch:2:9",
        "  |",
        "2 | fn f(z: [3]):",
        "  |         --- 3",
    )


def test_a_span_over_lines_is_underlined_on_its_first_and_last() -> None:
    source = Source("a.arch", "y = f(a,\n      b,\n      c,\n      d) + 1\n")
    diagnostic = make_error("AX0306", "no", Span(source, 4, source.text.index(" +")), "all of it")
    assert render(diagnostic).splitlines()[3:] == [
        "1 | y = f(a,",
        "  |     ^^^^",
        "...",
        "4 |       d) + 1",
        "  |       ^^ all of it",
    ]


def test_tabs_and_wide_and_combining_characters_keep_what_is_below_in_place() -> None:
    source = Source("a.arch", "\t模型e\u0301 = y")
    diagnostic = make_error("AX0201", "no", find(source, "y"), "here", others=[Label(find(source, "模型"), "there")])
    assert render(diagnostic).splitlines()[3:] == [
        "1 |     模型e\u0301 = y",
        "  |     ----    ^ here",
        "  |     |",
        "  |     there",
    ]


def test_a_place_without_length_and_the_end_of_a_text() -> None:
    source = Source("a.arch", "x =")
    assert render(make_error("AX0101", "no", Span(source, 3, 3))).splitlines()[3:] == ["1 | x =", "  |    ^"]
    assert render(make_error("AX0101", "no", Span(Source("a", ""), 0, 0))).splitlines()[3:] == ["1 |", "  | ^"]


def test_a_very_long_line_is_cropped_around_the_place() -> None:
    source = Source("a.arch", "w = [" + "0.5, " * 1000 + "x, " + "0.5, " * 1000 + "]")
    *_, line, marks = render(make_error("AX0201", "no", find(source, "x"), "here")).splitlines()
    assert len(line) < 200 and line[marks.index("^")] == "x"
    assert line.startswith("1 | ...") and line.endswith("...")


def test_without_a_place_there_is_no_block() -> None:
    diagnostic = Diagnostic("AX0001", "no", notes=("first line\nsecond line",), help="report it", severity="warning")
    assert render(diagnostic) == block(
        "warning[AX0001]: no", "note: first line", "      second line", "help: report it"
    )
    assert render(diagnostic, "concise") == "warning[AX0001]: no"


def test_concise_and_json() -> None:
    diagnostic = make_error("AX0201", "no `y`", find(MLP, "W"), "here", help="think")
    assert render(diagnostic, "concise") == "mlp.arch:14:13: error[AX0201]: no `y`"
    assert json.loads(render(diagnostic, "json")) == {
        "code": "AX0201",
        "severity": "error",
        "headline": "no `y`",
        "notes": [],
        "help": "think",
        "fixes": [],
        "labels": [
            {
                "file": "mlp.arch",
                "start": {"line": 14, "column": 13, "offset": 25},
                "end": {"line": 14, "column": 14, "offset": 26},
                "text": "here",
                "primary": True,
            }
        ],
    }


def test_a_report_shows_all() -> None:
    report = Report()
    report.error("AX0201", "one", find(MLP, "x"))
    report.error("AX0201", "two", find(MLP, "W"))
    assert render_report(report, "concise").splitlines() == [render(d, "concise") for d in report.diagnostics]
    assert render_report(report).split("\n\n") == [render(d) for d in report.diagnostics]


def test_control_characters_do_not_reach_the_terminal() -> None:
    source = Source("\x1b[2Ja.arch", 'x = "\x1b[31m\x07" + y')
    diagnostic = make_error("AX0201", "no \x1b[0m", find(source, "y"), "\x9b1m", help="\x1b")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", render(diagnostic) + render(diagnostic, "concise"))


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_colors_add_nothing_but_escape_codes(severity: str) -> None:
    diagnostic = Diagnostic(
        "AX0301", "no", (Label(find(MLP, "@"), "here", True), Label(find(MLP, "x"), "there")), ("n",), "h", severity
    )
    colored = render(diagnostic, color=True)
    assert "\x1b[" in colored
    plain = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", colored).splitlines())
    assert plain == render(diagnostic)


LINES = st.text(st.sampled_from("ab \t模e\u0301\n"), max_size=30)


@given(LINES, st.data())
def test_every_underline_is_below_its_text(text: str, data: st.DataObject) -> None:
    """On a line of ordinary characters, the caret stands exactly below the character that it shows."""
    source = Source("a", text + "x" + data.draw(LINES))
    span = Span(source, len(text), len(text) + 1)
    line, marks = render(make_error("AX0201", "no", span)).splitlines()[3:5]
    wide, combining = line.count("模", 0, line.index("x")), line.count("\u0301", 0, line.index("x"))
    assert marks.index("^") == line.index("x") + wide - combining


def test_a_github_annotation_escapes_what_would_end_it() -> None:
    source = Source("a,b.arch", "model M():\n    output y = 5%\n")
    diagnostic = make_error("AX0101", "100% wrong: here,\nand there", Span(source, 26, 28), help="write `5`")
    assert render(diagnostic, style="github") == (
        "::error file=a%2Cb.arch,line=2,endLine=2,col=16,endColumn=18,title=AX0101%3A 100%25 wrong%3A here%2C%0Aand there"
        "::100%25 wrong: here,%0Aand there%0Ahelp: write `5`"
    )


def test_a_github_annotation_needs_no_place() -> None:
    assert render(make_error("AX0601", "no such file", None), style="github") == (
        "::error title=AX0601%3A no such file::no such file"
    )
