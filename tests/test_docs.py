"""The documentation is true: examples compile (or are refused as they say), generated parts are up to date, links
lead somewhere, and what is written in the language says what it is."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError, render_report
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse
from docs.generate import PAGES as WHOLE
from docs.generate import SECTIONS, page

ROOT = Path(__file__).parents[1]
WRITTEN = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
PAGES = [*WRITTEN, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page, with the info string and the body of the one after it."""

    path: Path
    line: int
    info: str
    body: str
    following: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def fences(path: Path) -> list[Fence]:
    page = path.read_text(encoding="utf-8")
    found = [(match.start(), match["info"], match["body"]) for match in FENCE.finditer(page)]
    pairs = pairwise([*found, (0, "", "")])
    return [
        Fence(path, page.count("\n", 0, start) + 1, info, body, (next_info, next_body))
        for (start, info, body), (_, next_info, next_body) in pairs
    ]


EXAMPLES = [fence for path in WRITTEN for fence in fences(path) if fence.info.partition(" ")[0] == "arch"]
RUNNABLE = [path for path in WRITTEN if any(fence.info == "python" for fence in fences(path))]
GENERATED = sorted({*WHOLE, *(path for path, _ in SECTIONS)})


@pytest.mark.parametrize("fence", EXAMPLES, ids=str)
def test_an_example_compiles_or_is_refused_as_it_says(fence: Fence) -> None:
    source = Source("example.arch", fence.body)
    error = re.search(r"error=(AX\d{4})", fence.info)
    if error is None:
        model = elaborate(parse_spec(source))
        for program in model.programs:
            train_steps(model, program, 1, 1)
        return
    with pytest.raises(SpecError) as caught:
        elaborate(parse_spec(source))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {error[1]}
    info, shown = fence.following
    if info == "text":
        assert shown.strip() == render_report(caught.value.report, style="full", color=False).strip()


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.name)
def test_python_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for fence in fences(path):
        if fence.info == "python":
            exec(compile(fence.body, f"{path.name}:{fence.line}", "exec"), namespace)


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_the_readme_has_one_command_for_it(heading: str) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (body,) = [match["body"] for match in FENCE.finditer(section) if match["info"] == "sh"]
    assert len(body.splitlines()) == 1


@pytest.mark.parametrize("path", GENERATED)
def test_generated_parts_are_up_to_date(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == page(path), "run `make docs`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", FENCE.sub("", path.read_text(encoding="utf-8")))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


FOLDERS = "archonnx|benchmarks|compiler|docs|grammar|runtime|specs|tests"
NAMED_PATH = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/(?:[\w*-]+/)*(?:[\w*-]+\.(?:py|md|arch|lark|tables)\b)?")


def missing_paths(text: str) -> list[str]:
    """Files and folders of the repository that a text names and that are not there; a word in capitals is any word."""
    named = {re.sub(r"[A-Z]{2,}", "*", path) for path in NAMED_PATH.findall(text)}
    return sorted(path for path in named if not any(ROOT.glob(path.rstrip("/"))))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_and_folders_that_a_page_names_exist(path: Path) -> None:
    assert missing_paths(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("folder", ["benchmarks", "compiler", "docs", "grammar", "runtime", "specs", "tests/support"])
def test_files_and_folders_that_sources_name_exist(folder: str) -> None:
    sources = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.arch")]
    missing = {str(path.relative_to(ROOT)): missing_paths(path.read_text(encoding="utf-8")) for path in sources}
    assert {path: names for path, names in missing.items() if names} == {}


def test_a_file_that_is_not_there_is_found() -> None:
    text = "`compiler/pipeline.py`, grammar/gone.py, (../specs/std/gone.arch), `compiler/ops/` and `compiler/gone/`, x/y.py"
    assert missing_paths(text) == ["compiler/gone/", "grammar/gone.py"]
    assert missing_paths("`tests/support/op_cases_FAMILY.py`, `grammar/kinds_FAMILY.py`") == ["grammar/kinds_*.py"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_modules_that_are_run_or_imported_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"(?:python -m|^from|^import) ((?:archonnx|benchmarks|docs)(?:\.\w+)*)", text, re.MULTILINE)
    assert [name for name in named if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_within_a_page_lead_to_headings(path: Path) -> None:
    page = FENCE.sub("", path.read_text(encoding="utf-8"))
    slugs = [re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)$", page, re.MULTILINE)]
    numbered = {f"{s}-{n}" if n else s for i, s in enumerate(slugs) for n in [slugs[:i].count(s)]}
    links = re.findall(r"\]\(#([^)\s]+)\)", page)
    assert sorted(set(links) - numbered) == []


def test_everything_that_comes_with_archonnx_has_a_docstring() -> None:
    without = [
        f"{path.name}: {declaration.name}"
        for path in sorted((ROOT / "specs").rglob("*.arch"))
        for declaration in parse(Source(path.name, path.read_text(encoding="utf-8"))).declarations
        if isinstance(declaration, ast.Declaration)
        and not isinstance(declaration, ast.Train)
        and getattr(declaration, "doc", None) is None
    ]
    assert without == []


def test_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for path in PAGES for name in re.findall(r"\bmake ([a-z]+)\b(?=[`;\s&]|$)", code(path))}
    assert named <= targets


def code(path: Path) -> str:
    """What a page sets in code: fences and spans."""
    page = path.read_text(encoding="utf-8")
    return "\n".join([*(fence.body for fence in fences(path) if fence.info == "sh"), *re.findall(r"`[^`\n]+`", page)])


def test_the_tests_of_ci_are_those_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extract = next(line for line in script.splitlines() if line.startswith("command="))
    shown = subprocess.run(["bash", "-c", f'{extract}; echo "$command"'], cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout.strip() == "make test"
