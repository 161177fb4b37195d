"""Runs beside each other: figures, settings that differ, and what was written otherwise in their specs.

What this module does not do: say which one is better where nothing says which values are good.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from archonnx.runtime.folders.run import Run
from archonnx.runtime.html import Html, Part, element, page, section, table

from .report import curves, figure, flat

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 24
"""Epochs that a curve of letters has at most."""
Rows = list[list[str]]


def labels(runs: Sequence[Run]) -> list[str]:
    """What runs are called: their folders; with those above where two would be called alike."""
    depth = 1
    while True:
        found = ["/".join(run.path.absolute().parts[-depth:]) for run in runs]
        if len(set(found)) == len(set(map(str, (run.path.absolute() for run in runs)))) or depth > 20:
            return found
        depth += 1


def figures(runs: Sequence[Run]) -> Rows:
    """Losses and metrics by part, a column for each run, and how they came about."""
    names = dict.fromkeys((part, name) for run in runs for part, of in run.metrics.items() for name in of)
    rows = [[f"{part} {name}", *(figure(run.metrics.get(part, {}).get(name)) for run in runs)] for part, name in names]
    for said, name in {"epochs": "epochs", "best epoch": "best_epoch", "ended": "stopped"}.items():
        values = ["" if (value := run.record[name]) is None else str(value) for run in runs]
        rows += [[said, *values]] if any(values) else []  # without a valid part no epoch is the best
    rows.append(["seconds", *(f"{run.record['seconds']:.1f}" for run in runs)])
    return rows


def settings(runs: Sequence[Run]) -> tuple[Rows, Rows]:
    """Settings and arguments, a column for each run: those that differ, and those that do not."""
    known = [_settings(run) for run in runs]
    names = list(dict.fromkeys(name for of in known for name in of))
    rows = [[name, *(of.get(name, "") for of in known)] for name in names]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    return differing, [row for row in rows if row not in differing]


def sparks(runs: Sequence[Run]) -> Rows:
    """Each loss and metric by epoch, as letters: the valid part if there is one."""
    found: dict[str, list[str]] = {}
    for number, run in enumerate(runs):
        for name, values in _series(run.history).items():
            found.setdefault(name, [""] * len(runs))[number] = spark(values)
    return [[name, *shown] for name, shown in found.items()]


def spark(values: Sequence[float]) -> str:
    """Numbers as letters of different heights: ``█▅▃▂▁``; a dot where one is not finite."""
    stride = max(1, math.ceil(len(values) / WIDEST))
    kept = [*values[:-1:stride], values[-1]] if values else []
    finite = [value for value in kept if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    if not math.isfinite(high - low):
        return "·" * len(kept)
    span = (high - low) or 1.0
    top = len(BARS) - 1
    return "".join(BARS[round((v - low) / span * top)] if math.isfinite(v) else "·" for v in kept)


def compare(runs: Sequence[Run]) -> str:
    """The page of several runs, as an HTML document."""
    names = labels(runs)
    differing, same = settings(runs)
    head: list[Part] = ["", *names]
    content = [
        section("Figures", table([head, *figures(runs)])),
        section("Curves", *curves(dict(zip(names, (run.history for run in runs), strict=True)))),
        section("Settings that differ", table([head, *differing]) if differing else _note("none")),
        section("Settings that do not", table([["", "all"], *(row[:2] for row in same)])),
        section("Specs", *_specs(runs, names)),
    ]
    return page(" and ".join(names), element("h1", " and ".join(names)), *content)


def _note(said: str) -> Html:
    return element("p", said, class_="faint")


def _specs(runs: Sequence[Run], names: Sequence[str]) -> list[Html]:
    """What the spec of each run has otherwise than that of the first."""
    texts = [run.spec().source.text.splitlines() for run in runs]
    found = []
    for text, name in zip(texts[1:], names[1:], strict=True):
        lines = list(difflib.unified_diff(texts[0], text, names[0], name, lineterm=""))
        found += [element("pre", "\n".join(lines)) if lines else _note(f"{name} has the spec of {names[0]}")]
    return found


def _settings(run: Run) -> dict[str, str]:
    record = run.record
    found = {"model": str(record["model"]), "dtype": run.dtype}
    found |= {f"argument {name}": json.dumps(value) for name, value in run.arguments.items()}
    programs = record.get("programs") or [{"name": "", "settings": record["settings"]}]
    for program in programs:
        before = f"{program['name']}." if len(programs) > 1 else ""
        found |= flat(program["settings"], before)
    return found


def _series(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for part in ("valid", "train"):
        for name in dict.fromkeys(name for line in history for name in line.get(part, {})):
            values = [line[part][name] for line in history if name in line.get(part, {})]
            numbers = [float("nan") if value is None else float(value) for value in values]
            found.setdefault(name, numbers)
    return found
