"""A report of a run: one page that stands alone.

What a run says of itself, and its data, may be a stranger's: every text is escaped, every number is looked at before it
is drawn, and what is not there (data that has moved, a model without outputs) is said instead. What this module does
not do: measure anything anew but the answers on one part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import ModelProgram
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.parts import PARTS, PartName
from archonnx.runtime.folders.run import Run
from archonnx.runtime.html import Html, anchor, element, image, indented, joined, page, section, table
from archonnx.runtime.measures.set_metrics import confusion
from archonnx.runtime.measures.watch import dead_shares
from archonnx.summary import LEFT, show

from . import charts
from .answers import Answers, Classified, Floats, Regressed, classified, regressed
from .drawing import draw
from .images import pixels_of
from .samples import samples

WORST = 12
"""Examples that are shown as those that went most wrong."""
CURVES = 10
"""Classes whose curves are drawn."""


def report(run: Run) -> str:
    """The page of a run, as an HTML document."""
    model = elaborate(run.spec())
    answers, why = _answers(run)
    parts = [
        *_opening(run, model),
        section("Curves", *curves({"": run.history}), *_gradients(run)),
        *(_answered(run, model, answers) if answers is not None else [section("Answers", _note(why))]),
        section("Samples", *samples(run)),
        section("Layers", _layers(run)),
        section("Drawing", _drawing(model)),
        section("Data", *_data(run)),
        section("Settings", *_settings(run)),
        section("Spec", element("pre", run.spec().source.text)),
        section("Versions", table([["", ""], *(list(item) for item in run.record["versions"].items())], (0, 1))),
    ]
    titles = ["Curves", "Answers", "Samples", "Layers", "Drawing", "Data", "Settings", "Spec", "Versions"]
    links = [element("a", name, href=f"#{anchor(name)}") for name in titles if _has(parts, name)]
    return page(f"{run.name}: {run.path.name}", *parts[:2], element("nav", *links), *parts[2:])


def _has(parts: Sequence[Html], title: str) -> bool:
    return any(f'id="{anchor(title)}"' in part for part in parts)


def _note(said: str) -> Html:
    return element("p", said, class_="faint")


def _answers(run: Run) -> tuple[Answers | None, str]:
    """What the run answers on its test part, or else on the valid or train part; or why nothing is known of it."""
    try:
        if not run.record["parameters"] and not run.inputs:
            return None, "the model has no outputs"
        part: PartName = next((p for p in ("test", "valid", "train") if len(run.rows(p))), "train")
        return Answers.of(run, part), ""
    except SpecError as error:
        return None, error.diagnostics[0].headline


def _opening(run: Run, model: ModelProgram) -> list[Html]:
    """The heading, and the model card: what it is, what it was trained on, how good it is, what is not known."""
    record = run.record
    said = _docstring(model)
    figures = figures_table(run.metrics)
    facts = [
        ["model", f"{model.name}, {model.parameter_count:,} parameters, {run.dtype}"],
        ["arguments", json.dumps(run.arguments) if run.arguments else "those of the spec"],
        ["takes", _types({name: field.type for name, field in model.fields.items() if not field.target})],
        ["gives", _types({name: value.type for name, value in model.infer.outputs.items()}) or "no outputs"],
        [
            "trained",
            f"{record['epochs']} epochs in {record['seconds']:.1f} s on {record.get('device', '?')}; "
            f"{record['stopped']}",
        ],
        ["finished", str(record.get("finished", ""))],
        ["run", str(record["id"])],
    ]
    card = [element("pre", said)] if said else []
    return [
        element("header", element("h1", run.name), _note(str(run.path))),
        Html(""),
        section(
            "Model card",
            *card,
            table([["", ""], *facts], (0, 1)),
            element("h3", "Figures"),
            figures,
            _note(
                "Figures are those of the parameters that were kept. What was not measured here is not known: "
                "how it does on other data, or in other places, than those below."
            ),
        ),
    ]


def _docstring(model: ModelProgram) -> str:
    declared = next(
        (d for d in model.spec.file.declarations if isinstance(d, ast.Model) and d.name == model.name), None
    )
    return "" if declared is None or declared.doc is None else declared.doc.text


def _types(types: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {type_}" for name, type_ in types.items())


def figures_table(metrics: Mapping[str, Mapping[str, float]]) -> Html:
    """Losses and metrics, a row for each part."""
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    rows = [[part, *(figure(values.get(name)) for name in names)] for part, values in metrics.items()]
    return table([["", *names], *rows]) if rows else _note("nothing was measured")


def figure(value: float | None) -> str:
    """A loss or metric for people."""
    return "" if value is None else f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e7 else f"{value:.3g}"


def curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Html]:
    """Losses and metrics by epoch: a chart for each, and for each program; lines for each part and run."""
    found: dict[tuple[str, str], list[charts.Line]] = {}
    best: dict[tuple[str, str], int] = {}
    for run, history in histories.items():
        for program, lines in groupby(history, key=lambda line: str(line.get("program", ""))):
            epochs = list(lines)
            for part in ("train", "valid"):
                for name in dict.fromkeys(name for line in epochs for name in line.get(part, {})):
                    at = [(line["epoch"], line[part][name]) for line in epochs if name in line.get(part, {})]
                    xs = [float(epoch) for epoch, _ in at]
                    ys = [float("nan") if value is None else float(value) for _, value in at]
                    label = f"{run} {part}".strip()
                    found.setdefault((program, name), []).append((label, xs, ys))
            kept = [line["epoch"] for line in epochs if line.get("best")]
            if kept and len(histories) == 1:
                best.update({key: kept[-1] for key in found if key[0] == program})
    several = len({program for program, _ in found}) > 1
    shown = [
        charts.lines(
            f"{program}: {name}" if several else name, series, "epoch", mark=best.get((program, name)), log=True
        )
        for (program, name), series in found.items()
    ]
    if shown:
        yield element("div", *shown, class_="row")


def _gradients(run: Run) -> Iterator[Html]:
    """Norms of gradients by epoch, where the run was watched: those of the largest parameters."""
    watched = [line for line in run.history if line.get("watch")]
    if watched:
        paths = list(watched[-1]["watch"])[:10]
        series = [
            (
                path,
                [float(line["epoch"]) for line in watched if path in line["watch"]],
                [_number(line["watch"][path]["gradient"]) for line in watched if path in line["watch"]],
            )
            for path in paths
        ]
        yield element("h3", "Norms of gradients")
        shown = [charts.lines("norm of the gradient", series, "epoch", log=True)]
        if shares := _dead(run):
            shown.append(charts.lines("share of dead units", shares, "epoch"))
        yield element("div", *shown, class_="row")


def _dead(run: Run) -> list[charts.Line]:
    """Shares of units that are dead, by epoch."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in run.history:
        for layer, share in dead_shares(line.get("dead", {})).items():
            found.setdefault(layer, []).append((float(line["epoch"]), share))
    return [(layer, [at for at, _ in of], [share for _, share in of]) for layer, of in found.items()]


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _answered(run: Run, model: ModelProgram, answers: Answers) -> Iterator[Html]:
    """What is to be said of the answers: of classes, or of numbers, and where they were most wrong."""
    classes = classified(run, answers)
    numbers = regressed(run, answers, {one.target for one in classes})
    told = f"On the {answers.part} part, {len(answers.rows):,} examples" + ("" if answers.whole else " (the first)")
    parts: list[Html] = []
    for one in classes:
        parts += _of_classes(one)
        parts += _worst(run, answers, one.losses, partial(_taken, one))
    for two in numbers:
        parts += _of_numbers(two)
        parts += _worst(run, answers, two.losses, partial(_missed, two))
    if parts:
        yield section("Answers", _note(f"{told}."), *parts)
    else:
        yield section("Answers", _note("No output has a number for each class of a target, or the shape of one."))


def _of_classes(one: Classified) -> Iterator[Html]:
    found = confusion(one.predicted, one.truth, {})
    names = [one.names[number] for number in found.classes]
    yield element("h3", f"{one.output} beside {one.target}")
    if len(names) <= 60:
        yield charts.matrix(f"confusion {one.output} {one.target}", found.counts, names)
    shown = _discrimination(one)
    if shown:
        yield element("div", *shown, class_="row")


def _discrimination(one: Classified) -> list[Html]:
    """Curves of what is found and what is taken wrongly, of each class against all others."""
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    roc: list[charts.Line] = []
    recall: list[charts.Line] = []
    chosen = [1] if len(one.names) == 2 else range(len(one.names))
    for number in chosen:
        truth, scores = one.truth == number, one.scores[:, number]
        if truth.all() or not truth.any() or len(roc) >= CURVES:
            continue
        wrong, right, _ = roc_curve(truth, scores)
        precision, found, _ = precision_recall_curve(truth, scores)
        roc.append((f"{one.names[number]} ({roc_auc_score(truth, scores):.3f})", wrong, right))
        recall.append((f"{one.names[number]} ({average_precision_score(truth, scores):.3f})", found, precision))
    if not roc:
        return []
    return [
        charts.lines("ROC (area)", roc, "false positive rate", "true positive rate", square=True, diagonal=True),
        charts.lines("precision and recall (average precision)", recall, "recall", "precision", square=True),
    ]


def _of_numbers(two: Regressed) -> Iterator[Html]:
    wrong = (two.predicted - two.truth).reshape(-1)
    yield element("h3", f"{two.output} beside {two.target}")
    if np.isfinite(wrong).all():
        truth, given = two.truth.reshape(-1), two.predicted.reshape(-1)
        yield element(
            "div",
            charts.points(f"{two.output} and {two.target}", truth, given, "true", "predicted", diagonal=True),
            charts.points(f"residuals of {two.output}", given, wrong, "predicted", "predicted - true"),
            charts.histogram(f"residuals of {two.output}, how often", wrong, "predicted - true"),
            class_="row",
        )
    else:
        yield _note("Some answers are not finite, and nothing is drawn of them.")


def _taken(one: Classified, i: int) -> str:
    said, true = one.predicted[i], one.truth[i]
    return f"{one.names[said]} ({one.scores[i, said]:.2f}), is {one.names[true]} ({one.scores[i, true]:.2f})"


def _missed(two: Regressed, i: int) -> str:
    return f"{_values(two.predicted[i])}, is {_values(two.truth[i])}"


def _worst(run: Run, answers: Answers, losses: Floats, said: Callable[[int], str]) -> Iterator[Html]:
    """The examples with the largest losses."""
    order = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")[:WORST]
    yield element("h3", "Most wrong")
    cards, rows = [], []
    for i in map(int, order):
        fields = {name: answers.fields[name] for name in run.inputs}
        drawn = next((pixels for array in fields.values() if (pixels := pixels_of(array[i])) is not None), None)
        row = f"row {answers.rows[i]}"
        if drawn is not None:
            cards.append(image(charts.picture(drawn), f"{row}: {said(i)}"))
        else:
            shown = "; ".join(f"{name} {_values(array[i])}" for name, array in fields.items() if len(array) > i)
            rows.append([row, said(i), f"{losses[i]:.4g}", shown])
    if cards:
        yield element("div", *cards, class_="row cards")
    if rows:
        yield table([["", "answer", "loss", "fields"], *rows], (0, 1, 3))


def _values(array: Array) -> str:
    flat = np.asarray(array).reshape(-1)
    shown = ", ".join(f"{value:.4g}" if flat.dtype.kind == "f" else str(value) for value in flat[:8])
    return f"{shown}{', …' if flat.size > 8 else ''}"


def _layers(run: Run) -> Html:
    try:
        summary = show(run.spec())
    except SpecError as error:
        return _note(error.diagnostics[0].headline)
    cells = [[indented(row[0]), *row[1:]] for row in summary.cells()]
    return joined([_note(summary.heading), table(cells, range(LEFT), total=True)])


def _drawing(model: ModelProgram) -> Html:
    try:
        return Html(draw(model))
    except SpecError as error:
        return _note(error.diagnostics[0].headline)


def _data(run: Run) -> Iterator[Html]:
    """Where the data came from, its columns and parts."""
    memory = run.memory
    if memory is None:
        yield _note("This run does not remember its data.")
        return
    for name, one in {"": memory, **memory.others}.items():
        facts = [["source", one.where], ["rows", f"{one.rows:,}"], ["checksum", one.checksum]]
        if one.replaced is not None:
            facts.append(["in place of the spec's", one.replaced or "data that was in memory"])
        yield joined([element("h3", name) if name else "", table([["", ""], *facts], (0, 1))])
        if one.kinds:
            columns = [
                [column, kind, str(list(one.shapes.get(column, ())) or "")] for column, kind in one.kinds.items()
            ]
            yield table([["column", "kind", "shape"], *columns[:200]], (0, 1, 2))
        for target, classes in one.classes.items():
            if classes:
                yield element("p", f"classes of {target}: {', '.join(classes[:100])}")
    try:
        yield table([["part", "examples"], *([part, f"{len(run.rows(part)):,}"] for part in PARTS)])
    except SpecError as error:
        yield _note(error.diagnostics[0].headline)


def _settings(run: Run) -> Iterator[Html]:
    for program in run.record.get("programs") or [{"name": "", "settings": run.record["settings"]}]:
        rows = [[key, value] for key, value in flat(program["settings"]).items()]
        yield joined([element("h3", str(program["name"])), table([["setting", "value"], *rows], (0, 1))])


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Settings by their names with dots, each as JSON writes it."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = json.dumps(value)
    return found
