"""Encoder-decoder nets: dates as people write them, to ISO 8601, by a fixed vector and by attention."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import archonnx
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.types import Array
from archonnx.runtime.device.session import SessionOptions, call, open_session
from archonnx.runtime.export.models import inference_model
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..recurrence import outputs, spec
from ..training import model_of, train

ROW = Row(
    "3.4",
    "Encoder-decoder, with attention and without",
    "000 and 001, attention mechanisms; 003 8.6",
    ("dates", "dates_attention"),
)
WIDTH, MOST = 78, 21
"""Of a text and of what it is in ISO 8601, as the specs have them."""
LENGTHS = {"up to 20": (1, 20), "21 to 38": (21, 38), "39 to 50": (39, 50), "51 to 78": (51, 78)}
"""Characters of a text."""
FORMS = 7


def written(day: date, form: int) -> str:
    """A day in one of the forms of the spec, by its rules, written once more."""
    ending = "th" if 10 <= day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return [
        f"{day.day}/{day:%m}/{day:%y}",
        f"{day:%d.%m.%Y}",
        f"{day:%b} {day.day} {day.year}",
        f"{day.day} {day:%B %Y}",
        f"{day:%B} {day.day}{ending}, {day.year}",
        f"{day:%A}, {day.day} {day:%B %Y}",
        f"{day:%A}, the {day.day}{ending} of {day:%B %Y}",
    ][form]


def codes(texts: list[str], width: int) -> Array:
    """Texts as codes of characters, padded with 0."""
    return np.array([[*map(ord, text), *[0] * (width - len(text))] for text in texts])


@cache
def held_out(count: int = 3000) -> tuple[list[str], list[str]]:
    """Texts and what they are in ISO 8601, drawn by NumPy: half of them one day, half of them two."""
    rng = np.random.default_rng(0)
    first, days = date(1950, 1, 1), (date(2050, 1, 1) - date(1950, 1, 1)).days
    texts, isos = [], []
    for _ in range(count):
        drawn = [first + timedelta(int(rng.integers(days))) for _ in range(rng.integers(1, 3))]
        texts.append(" to ".join(written(day, int(rng.integers(FORMS))) for day in drawn))
        isos.append("/".join(day.isoformat() for day in drawn))
    return texts, isos


@cache
def trained(name: str) -> Trainer:
    """The model of a spec, after its program."""
    return train(name)[-1].trainer


@cache
def said(name: str) -> dict[str, Any]:
    """What a trained model gives for the texts that are held out."""
    return trained(name).predict({"text": codes(held_out()[0], WIDTH)})


def right(name: str) -> Array:
    """Whether each text is written in ISO 8601 without a fault."""
    exact: Array = np.all(said(name)["ISO"] == codes(held_out()[1], MOST), axis=1)
    return exact


def by_length(name: str) -> list[float]:
    """The share that is right among texts of each range of lengths."""
    sizes, exact = np.array([len(text) for text in held_out()[0]]), right(name)
    return [float(exact[(low <= sizes) & (sizes <= high)].mean()) for low, high in LENGTHS.values()]


@ROW.fact("the dates that the spec draws are what the calendar and ISO 8601 say of them, weekdays too, in all forms")
def drawn() -> Measured:
    """Each text is one that Python writes of the days that its ISO 8601 names."""
    declarations = Path(archonnx.load("dates").path or "").read_text("utf-8").partition("\nmodel ")[0]
    body = "    input x: [1]\n    d = dates(400)\n    output text = d.text\n    output iso = d.iso\n"
    found = outputs(model_of(f"{declarations}\nmodel Drawn():\n{body}"), x=[0.0], seed=0, step=0)
    counted: Counter[tuple[int, ...]] = Counter()
    for text, iso in zip(found["text"], found["iso"], strict=True):
        days = [date.fromisoformat(part) for part in _text(iso).split("/")]
        forms = product(range(FORMS), repeat=len(days))
        ways = {" to ".join(map(written, days, form)): form for form in forms}
        if _text(text) in ways:
            counted[ways[_text(text)]] += 1
    seen = {form for forms in counted for form in forms}
    return Measured(f"{counted.total()} of 400", counted.total() == 400 and seen == set(range(FORMS)))


def _text(row: Array) -> str:
    return "".join(map(chr, row)).rstrip("\0")


@ROW.fact("the weights of attention are an output of the ONNX model: each character's sum to 1, and are 0 at padding")
def weights_sum_to_one() -> Measured:
    """Of an untrained model; the largest difference from 1."""
    model = spec("dates_attention")
    parameters = {path: interpret(one.initial, {"seed": 0})["value"] for path, one in model.parameters.items()}
    text = codes(held_out()[0][:64], WIDTH)
    found = call(open_session(inference_model(model, parameters), SessionOptions("cpu")), {"text": text})["attention"]
    gap = float(np.abs(found.sum(-1) - 1).max())
    hidden = bool(((found == 0) == (text == 0)[:, None]).all())
    return Measured(f"off by {gap:.0e}", gap < 1e-5 and hidden)


@ROW.fact(
    "with attention: exact in 0.95 of held-out texts, of one day or of two, and in 0.9 of those of any length "
    f"({', '.join(LENGTHS)} characters)",
    slow=True,
)
def with_attention() -> Measured:
    """Greedily, inside the ONNX graph; in all, and by length."""
    share, parts = float(right("dates_attention").mean()), by_length("dates_attention")
    return Measured(f"{share:.3f}: {_shown(parts)}", share > 0.95 and min(parts) > 0.9)


@ROW.fact(
    "without attention, of twice the width and trained for as long: exact in 0.85 of the shortest texts, and in fewer "
    "than 0.2 of those of more than 38 characters",
    slow=True,
)
def without_attention() -> Measured:
    """In all, and by length."""
    share, parts = float(right("dates").mean()), by_length("dates")
    return Measured(f"{share:.3f}: {_shown(parts)}", parts[0] > 0.85 and max(parts[2:]) < 0.2)


def _shown(parts: list[float]) -> str:
    return ", ".join(f"{part:.3f}" for part in parts)


@cache
def looks() -> list[float]:
    """For each of the four digits of a year that has all four in the text: how often it is looked for in the year."""
    found: list[list[bool]] = []
    for text, weights in zip(held_out()[0], said("dates_attention")["attention"], strict=True):
        start = 0
        for which, part in enumerate(text.split(" to ")):
            year = re.search(r"\d{4}", part)
            if year is not None:
                at = weights[11 * which : 11 * which + 4].argmax(-1) - start
                found.append([year.start() <= place < year.end() for place in at])
            start += len(part) + len(" to ")
    return [float(share) for share in np.mean(found, axis=0)]


@ROW.fact(
    "it looks where one would: for each digit of a year, the greatest weight lies on the year in 0.9 of the texts",
    slow=True,
)
def looks_at_the_year() -> Measured:
    """For each of the four digits."""
    return Measured(_shown(looks()), min(looks()) > 0.9)
