"""The verbs that write specs: fmt, convert, new. What they print, what they write, and when they write nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import archonnx
from archonnx.cli.app import app
from archonnx.cli.verbs.new import Kind
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.spec import read_file, read_tree

UGLY = "# A line.\nfn twice(x:[...S])->[...S]:\n  return (2*x) # doubled\n"
NEAT = "# A line.\nfn twice(x: [...S]) -> [...S]:\n    return 2 * x  # doubled\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_fmt_writes_what_changes_and_says_so(here: Path) -> None:
    (here / "a.arch").write_bytes(b"\xef\xbb\xbf" + UGLY.encode())
    (here / "b.arch").write_text(NEAT)
    checked = run("fmt", "--check", "a.arch", "b.arch")
    assert (checked.exit_code, checked.stdout) == (1, "would format a.arch\n")
    shown = run("fmt", "--diff", "a.arch")
    assert shown.exit_code == 0
    assert [line for line in shown.stdout.splitlines() if line[:1] in "+-"][2:] == [
        f"{sign}{line}" for sign, text in (("-", UGLY), ("+", NEAT)) for line in text.splitlines()[1:]
    ]
    assert run("fmt", "--stdout", "a.arch").stdout == NEAT
    assert (here / "a.arch").read_text("utf-8-sig") == UGLY
    written = run("fmt", "a.arch", "b.arch")
    assert (written.exit_code, written.stdout) == (0, "formatted a.arch\n")
    assert (here / "a.arch").read_text() == NEAT
    assert run("fmt", "--check", "a.arch", "b.arch").exit_code == 0
    assert sorted(path.name for path in here.iterdir()) == ["a.arch", "b.arch"]


def test_fmt_leaves_a_wrong_file_and_formats_the_others(here: Path) -> None:
    (here / "bad.arch").write_text("fn f(:\n")
    (here / "good.arch").write_text(UGLY)
    result = run("fmt", "bad.arch", "good.arch", "missing.arch")
    assert result.exit_code == 1 and "bad.arch:1:6" in result.stderr and "AX0601" in result.stderr
    assert (here / "bad.arch").read_text() == "fn f(:\n" and (here / "good.arch").read_text() == NEAT
    (here / "m.yaml").write_text("model: M\n")
    assert run("fmt", "m.yaml").exit_code == 2


def test_convert_goes_to_yaml_and_back(here: Path) -> None:
    (here / "a.arch").write_text(UGLY)
    result = run("convert", "a.arch", "a.yaml")
    assert (result.exit_code, result.stdout) == (0, "wrote a.yaml\n")
    assert result.stderr == "note: 2 comments are not carried over\n"
    assert read_tree(read_file(here / "a.yaml")) == read_tree(read_file(here / "a.arch"))
    assert run("convert", "a.yaml").stdout == NEAT.replace("# A line.\n", "").replace("  # doubled", "")
    assert run("convert", "a.arch").stdout == (here / "a.yaml").read_text()
    assert run("convert", "a.arch", "--to", "arch").stdout == NEAT
    assert run("convert", "a.yaml", "a.arch").exit_code == 2 and (here / "a.arch").read_text() == UGLY
    assert run("convert", "a.yaml", "a.arch", "--force").exit_code == 0
    assert run("convert", "a.yaml", "b.arch", "--to", "yaml").exit_code == 2


@pytest.mark.parametrize("suffix", ["arch", "yaml"])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_new_spec_trains_as_it_stands(here: Path, kind: Kind, suffix: str) -> None:
    options = ["--yaml"] if suffix == "yaml" else []
    result = run("new", "my-digits", "--kind", kind.value, *options)
    path = here / f"my-digits.{suffix}"
    assert result.exit_code == 0 and result.stdout.startswith(f"wrote my-digits.{suffix}\nnext: archonnx check")
    spec = archonnx.load(path)
    trained = archonnx.train(spec, settings={"epochs": 5}, device="cpu", out=here / "run")
    assert trained.metrics["valid"]["accuracy"] > 0.3
    before = path.read_text()
    assert run("new", "my-digits", "--kind", "blank", *options).exit_code == 2 and path.read_text() == before
    if suffix == "arch":
        assert run("fmt", "--check", path.name).exit_code == 0


def test_both_spellings_of_a_new_spec_say_the_same(here: Path) -> None:
    for kind in Kind:
        for options in ([], ["--yaml"]):
            assert run("new", f"{kind.value}_net", "--kind", kind.value, *options).exit_code == 0
        texts = [run("convert", f"{kind.value}_net.{s}", "--to", "arch").stdout for s in ("arch", "yaml")]
        bare = [[line.strip() for line in text.splitlines() if "#" not in line and line.strip()] for text in texts]
        same = [line.replace("filters=", "").replace("probs: [B, 10]", "probs") for line in bare[0]]
        assert [line.replace("filters=", "") for line in bare[1]] == same


def test_new_refuses_names_that_are_none(here: Path) -> None:
    for name in ("3", ".", "..", "/", "", "x" * 101, "y" * 5000, "a\u202eb"):
        assert run("new", "--", name).exit_code == 2 and not list(here.iterdir()), name


def test_a_yaml_spec_is_read_like_any_other(here: Path) -> None:
    (here / "m.yml").write_text("model: M\ninputs: {x: [B]}\noutputs: {y: 2 * x, z: w}\n")
    with pytest.raises(SpecError, match=r"m\.yml:3:24"):
        archonnx.compile(archonnx.load("m.yml"))
