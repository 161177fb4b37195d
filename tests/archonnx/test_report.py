"""Reports and comparisons of runs: what they show is what was measured, and no text of a run becomes a part of a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.pictures import charts
from archonnx.pictures.answers import Answers, classified, regressed
from archonnx.pictures.compare import figures, labels, settings, spark
from archonnx.pictures.images import pixels_of
from archonnx.pictures.report import report
from archonnx.runtime.folders.run import Run
from archonnx.runtime.html import element, table

EVIL = "<script>alert('x')</script>"
"""The name of a class, of a column, of a run."""
HTML = re.compile(r"https?://|@import|url\((?!#)|<link|<iframe|javascript:", re.IGNORECASE)
"""What would be fetched, or run; references inside a picture are not."""

CLASSES = """\
model Flowers():
    input x: [B, 2]
    target kind: i64[B]
    logits = x |> Dense(3)
    output probs: [B, 3] = softmax(logits)
    loss objective = cross_entropy(logits, kind)
    metric accuracy = accuracy(logits, kind)

train:
    data = csv("flowers.csv")
    feed x = stack([data.a, data.b], axis=-1)
    feed kind = data.kind
    split = {train: 0.7, test: 0.3, seed: 0}
    epochs = 3
    batch_size = 16
    minimize objective with sgd(lr=0.1)
"""
NUMBERS = """\
model Line():
    input x: [B, 1]
    target y: [B, 1]
    output guess: [B, 1] = x |> Dense(1)
    loss objective = mse(guess, y)

train:
    data = csv("line.csv")
    feed x = data.x[:, none]
    feed y = data.y[:, none]
    split = {train: 0.7, test: 0.3, seed: 0}
    epochs = 2
    batch_size = 16
    minimize objective with sgd(lr=0.1)
"""


class Page(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with classes whose names are HTML."""
    folder = tmp_path_factory.mktemp("flowers")
    draws = np.random.default_rng(0)
    names = [EVIL, '"><img src=x onerror=alert(1)>', "$\\frac{1}{0$ & _under"]
    lines = ["a,b,kind"]
    for i in range(120):
        kind = i % 3
        a, b = draws.normal(kind, 0.5), draws.normal(-kind, 0.5)
        quoted = names[kind].replace('"', '""')
        lines.append(f'{a:.4f},{b:.4f},"{quoted}"')
    (folder / "flowers.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "flowers.arch").write_text(CLASSES, "utf-8")
    return archonnx.train(folder / "flowers.arch", folder / "run", watch="grads")


@pytest.fixture(scope="module")
def content(flowers: Run) -> str:
    """Its report."""
    return report(flowers)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("line")
    draws = np.random.default_rng(1)
    rows = [f"{x:.4f},{2 * x + draws.normal(0, 0.1):.4f}" for x in draws.normal(size=90)]
    (folder / "line.csv").write_text("\n".join(["x,y", *rows]) + "\n", "utf-8")
    (folder / "line.arch").write_text(NUMBERS, "utf-8")
    return archonnx.train(folder / "line.arch", folder / "run")


def test_names_of_classes_are_texts_and_nothing_is_fetched(content: str) -> None:
    page = Page(content)
    assert "script" not in page.tags and "iframe" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(src is not None and src.startswith("data:image/png;") for name, src in page.attributes if name == "src")
    assert HTML.search(re.sub(r'xmlns(:\w+)?="[^"]*"', "", content)) is None
    assert any(EVIL in text for text in page.texts)
    assert any("$\\frac{1}{0$ & _under" in text for text in page.texts)  # matplotlib did not read it as mathematics


def test_a_report_has_its_parts(flowers: Run, content: str) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", content)
    assert titles == ["Model card", "Curves", "Answers", "Layers", "Drawing", "Data", "Settings", "Spec", "Versions"]
    assert re.findall(r"<h3>(.*?)</h3>", content)[:3] == ["Figures", "Norms of gradients", "probs beside kind"]
    assert f"{flowers.metrics['test']['accuracy']:.4f}" in content
    assert "ROC (area)" in content and "precision and recall" in content


def test_the_same_run_gives_the_same_report(flowers: Run, content: str) -> None:
    assert content == report(Run(flowers.path))


def test_answers_are_those_of_the_measured_part(flowers: Run, content: str) -> None:
    (one,) = classified(flowers, Answers.of(flowers, "test"))
    assert (one.predicted == one.truth).mean() == pytest.approx(flowers.metrics["test"]["accuracy"])
    assert one.losses.mean() == pytest.approx(flowers.metrics["test"]["objective"], rel=1e-4)
    area = roc_auc_score(one.truth == 0, one.scores[:, 0])
    assert f"({area:.3f})" in content


def test_the_examples_that_are_most_wrong_are_shown_first(flowers: Run, content: str) -> None:
    answers = Answers.of(flowers, "test")
    (one,) = classified(flowers, answers)
    shown = [int(row) for row in re.findall(r"<td class=\"left\">row (\d+)</td>", content)]
    order = np.argsort(-one.losses, kind="stable")[: len(shown)]
    assert len(shown) == 12 and shown == [int(answers.rows[i]) for i in order]


def test_numbers_have_residuals(line: Run) -> None:
    answers = Answers.of(line, "test")
    (two,) = regressed(line, answers, set())
    assert two.losses.mean() == pytest.approx(line.metrics["test"]["objective"], rel=1e-4)
    content = report(line)
    assert "residuals of guess" in content and "ROC" not in content


def test_a_run_without_its_data_has_the_rest(line: Run, tmp_path: Path) -> None:
    source = line.path.parent / "line.csv"
    source.rename(tmp_path / "line.csv")
    try:
        content = report(Run(line.path))
    finally:
        (tmp_path / "line.csv").rename(source)
    assert "residuals" not in content and "<h2>Curves</h2>" in content and "line.csv" in content


def test_the_verb_writes_the_page_into_the_run(line: Run, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(line.path), "-o", str(tmp_path / "r.html")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")
    wrong = CliRunner().invoke(app, ["report", str(line.path), "-o", str(tmp_path / "r.pdf")])
    assert wrong.exit_code == 2 and not (tmp_path / "r.pdf").exists()


@pytest.mark.parametrize("text", [EVIL, "a & b", '"quoted"', "\x00\x0b", "é ü 漢"])
def test_texts_are_escaped_in_elements_attributes_tables_and_charts(text: str) -> None:
    shown = text.replace("\x00", "\N{REPLACEMENT CHARACTER}").replace("\x0b", "\N{REPLACEMENT CHARACTER}")
    page = Page(element("p", text, title=text) + table([[text], [text]]))
    assert page.texts == [shown] * 3 and ("title", shown) in page.attributes
    chart = Page(charts.lines(text, [(text, [0.0, 1.0], [0.0, 1.0])], text, text))
    assert "script" not in chart.tags and shown in chart.texts


@pytest.mark.parametrize(
    ("shape", "is_image"),
    [((1, 8, 8), True), ((3, 8, 9), True), ((8, 8), True), ((2, 8, 8), False), ((8,), False), ((1, 2, 2), False)],
)
def test_what_looks_like_an_image(shape: tuple[int, ...], is_image: bool) -> None:
    found = pixels_of(np.linspace(-3, 5, int(np.prod(shape)), dtype=np.float32).reshape(shape))
    assert (found is not None) == is_image
    if found is not None:
        assert found.shape[:2] == shape[-2:] and found.min() == 0 and found.max() == 1


@pytest.fixture(scope="module")
def other(line: Run) -> Run:
    """The same spec with another rate of learning."""
    return archonnx.train(line.path.parent / "line.arch", line.path.parent / "other", settings={"epochs": 5, "seed": 3})


def test_runs_beside_each_other_show_what_differs(line: Run, other: Run) -> None:
    differing, same = settings([line, other])
    assert differing == [["epochs", "2", "5"], ["seed", "0", "3"]]
    assert ["batch_size", "16", "16"] in same and not {row[0] for row in same} & {"epochs", "seed"}
    rows = {row[0]: row[1:] for row in figures([line, other])}
    assert rows["epochs"] == ["2", "5"]
    assert [float(text) for text in rows["test objective"]] == pytest.approx(
        [run.metrics["test"]["objective"] for run in (line, other)], abs=1e-4
    )


def test_the_verb_compares_and_writes_a_page(line: Run, other: Run, tmp_path: Path) -> None:
    output = tmp_path / "both.html"
    command = ["compare", str(line.path), str(other.path), "-o", str(output)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0 and re.search(r"^epochs +2 +5$", result.output, re.MULTILINE), result.output
    page = Page(output.read_text("utf-8"))
    assert "script" not in page.tags and any("other has the spec of run" in text for text in page.texts)
    alone = CliRunner().invoke(app, ["compare", str(line.path)])
    assert alone.exit_code == 2


def test_runs_are_called_so_that_they_differ(line: Run, other: Run) -> None:
    assert labels([line, other]) == ["run", "other"]
    assert labels([line, line]) == ["run", "run"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([8.0, 4.0, 1.0], "█▄▁"),
        ([1.0], "▁"),
        ([], ""),
        ([0.0, float("nan"), 7.0], "▁·█"),
        ([-1.7e308, 1.7e308], "··"),
        ([float("inf")], "·"),
    ],
)
def test_a_curve_in_letters(values: list[float], shown: str) -> None:
    assert spark(values) == shown


def test_a_long_curve_keeps_its_ends() -> None:
    shown = spark([float(i) for i in range(1000)])
    assert len(shown) <= 25 and (shown[0], shown[-1]) == ("▁", "█")


def test_notebooks_show_specs_runs_and_summaries(flowers: Run) -> None:
    spec = archonnx.load(flowers.path / "spec.arch")
    shown = Page(spec._repr_html_())
    assert spec.source.text in shown.texts
    run = Page(flowers._repr_html_())
    assert "script" not in run.tags and "svg" not in run.tags  # a picture, whatever is in the file
    assert f"{flowers.metrics['test']['accuracy']:.4g}" in run.texts
    summary = Page(archonnx.show(spec)._repr_html_())
    assert "dense" in summary.texts and "total" in summary.texts
