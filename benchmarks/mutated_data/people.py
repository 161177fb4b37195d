"""The table that is mutated: people and whether they bought something, with a column of every kind.

``expected`` computes the fields of the model from the true values, in plain NumPy. It knows nothing of files, of the
language, or of how archonnx computes them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

ROWS = 24
CITIES, SHOPS, ANSWERS = ("bonn", "kyiv", "oslo", "rome"), ("corner", "mall"), ("no", "yes")
BASE_FILE = "people.csv"
USED = ("city", "shop", "age", "income", "member", "since", "score")
"""Columns of which inputs are made."""
SPEC = """model People(cities, shops=2):
    input city: i64[B]
    input shop: i64[B]
    input x: [B, 3]
    input when: [B]
    input member: bool[B]
    target bought: i64[B]
    flags = stack([when, where(member, 1.0, 0.0)], axis=1)
    h = concat([Embedding(cities, 2)(city), Embedding(shops, 2)(shop), x, flags], axis=1)
    logits = h |> Dense(2)
    output probs: [B, 2] = softmax(logits)
    loss objective = cross_entropy(logits, bought)
    metric accuracy = accuracy(logits, bought)

train of People(cities=size(city)):
    data = csv("people.csv", target="bought")
    fit city = vocabulary(data.city, unknown=true)
    fit middle = median(data.score, axis=0)
    fit first = min(data.since)
    feed city = index(data.city, city)
    feed shop = index(data.shop, vocabulary(data.shop))
    feed x = standardise(stack([f32(data.age), data.income, fill(data.score, middle)], axis=1))
    feed when = f32(data.since - first) / 8640000
    split = {train: 0.75, test: 0.25, by: order}
    epochs = 2
    batch_size = 6
    minimize objective with sgd(lr=0.1)
"""
TRAINED = range(ROWS * 3 // 4)
"""The rows of the train part."""


@dataclass(frozen=True)
class Table:
    """A table: what stands in its cells, and what that means.

    Attributes:
        cells: texts by the name of the column.
        truth: values by the name of the column, None where one is missing.
    """

    cells: Mapping[str, Sequence[str]]
    truth: Mapping[str, Sequence[Any]]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.truth.values())))

    def put(self, column: str, row: int, cell: str, value: Any = None) -> Table:
        """The same with another cell, which means this."""
        return self.column(column, {row: cell}, {row: value})

    def column(self, name: str, cells: Mapping[int, str], values: Mapping[int, Any] | None = None) -> Table:
        """The same with other cells in a column, by row, and what they mean if that is not what the old ones did."""
        shown = [cells.get(row, cell) for row, cell in enumerate(self.cells[name])]
        meant = [
            (values or {}).get(row, value) if row in (values or {}) else value
            for row, value in enumerate(self.truth[name])
        ]
        return Table({**self.cells, name: shown}, {**self.truth, name: meant})

    def with_column(self, name: str, cells: Sequence[str]) -> Table:
        """The same with a column that nothing uses, at the end."""
        return replace(self, cells={**self.cells, name: cells})

    def without(self, name: str) -> Table:
        """The same without a column in the file."""
        return replace(self, cells={other: cells for other, cells in self.cells.items() if other != name})

    def renamed(self, names: Mapping[str, str]) -> Table:
        """The same with other names of columns in the file."""
        return replace(self, cells={names.get(name, name): cells for name, cells in self.cells.items()})

    def taken(self, rows: Sequence[int]) -> Table:
        """These rows, in this order."""
        return Table(
            {name: [cells[row] for row in rows] for name, cells in self.cells.items()},
            {name: [values[row] for row in rows] for name, values in self.truth.items()},
        )

    def text(self, delimiter: str = ",", quoting: Any = csv.QUOTE_MINIMAL, newline: str = "\n") -> str:
        """The table as a CSV file has it."""
        file = io.StringIO()
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=newline)
        writer.writerow(self.cells)
        writer.writerows(zip(*self.cells.values(), strict=True))
        return file.getvalue()


def people(seed: int = 0) -> Table:
    """The table as it was meant."""
    random = Random(seed)
    truth: dict[str, list[Any]] = {name: [] for name in ("id", *USED, "bought")}
    for row in range(ROWS):
        truth["id"].append(100 + row)
        truth["city"].append(CITIES[row % 4])
        truth["shop"].append(SHOPS[random.randrange(2)] if row > 1 else SHOPS[row])
        truth["age"].append(random.randrange(18, 80))
        truth["income"].append(random.randrange(10**5, 10**6) / 1000 + 0.0005)
        truth["member"].append(random.random() < 0.5)
        truth["since"].append(date(2020, 1, 1) + timedelta(days=random.randrange(1000)))
        truth["score"].append(None if row % 5 == 3 else random.randrange(-999, 1000) / 500 + 0.001)
        truth["bought"].append(ANSWERS[random.randrange(2)] if row > 1 else ANSWERS[row])
    return Table({name: [spelling(value) for value in values] for name, values in truth.items()}, truth)


def write_people(folder: Path) -> Path:
    """The table as a CSV file, unmutated."""
    path = folder / BASE_FILE
    path.write_text(people().text(), encoding="utf-8")
    return path


def spelling(value: Any) -> str:
    """A value as the table has it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def expected(
    truth: Mapping[str, Sequence[Any]], learned_from: Mapping[str, Sequence[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """The fields of the model for rows whose values are known, and the values of the rows that were learned from."""
    cities = sorted({city for city in learned_from["city"] if city})
    shops = sorted({shop for shop in learned_from["shop"] if shop})
    known = np.array([score for score in learned_from["score"] if score is not None])
    middle = np.median(known)
    first = min(learned_from["since"])

    def numbers(values: Mapping[str, Sequence[Any]]) -> npt.NDArray[np.float64]:
        scores = [middle if score is None else score for score in values["score"]]
        return np.stack([np.array(column, float) for column in (values["age"], values["income"], scores)], axis=1)

    base = numbers(learned_from)
    fields: dict[str, npt.NDArray[Any]] = {
        "city": np.array([cities.index(city) if city in cities else len(cities) for city in truth["city"]]),
        "shop": np.array([shops.index(shop) for shop in truth["shop"]]),
        "x": (numbers(truth) - base.mean(axis=0)) / base.std(axis=0),
        "when": np.array([(day - first).days / 100 for day in truth["since"]]),
        "member": np.array(truth["member"], dtype=bool),
    }
    answers = sorted({answer for answer in learned_from["bought"] if answer})
    if set(truth["bought"]) <= set(answers):
        fields["bought"] = np.array([answers.index(answer) for answer in truth["bought"]])
    return fields
