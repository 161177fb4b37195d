"""What a train program makes of its data, as lines for people: columns, what is learned of them, parts and fields.

What this module does not do: read it (``training.preparing`` does, which refuses whatever a training would).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as data_replace
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import DataSource, ModelProgram, TrainProgram
from archonnx.grammar.record import replace
from archonnx.runtime.columns import columns
from archonnx.runtime.data.cells import LONGEST_SHOWN
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import class_names
from archonnx.runtime.data.parts import PARTS
from archonnx.runtime.data.values import Values, on_a_line
from archonnx.runtime.training.preparing import Prepared

SHOWN = 5
"""So many values are shown."""
MANY = 40
"""So many columns are shown."""


def described_data(model: ModelProgram, program: TrainProgram, data: Prepared) -> list[str]:
    """What people should know of the data of a program before they train, source by source."""
    if program.others:
        known = {program.data: data_replace(data, others={}), **data.others}
        return [
            line
            for source in program.sources
            for line in ("", f"source {source.name}", *_described(model, program, source, known[source.name]))
        ][1:]
    loaded = data.loaded
    count = len(loaded.fields["index"])
    head = f"{loaded.where}: {_counted(count, 'row')}, {_counted(len(loaded.kinds), 'column')}"
    lines = [head, *_indented(columns(list(_columns(loaded)), left=(0, 1, 3)))]
    if learned := list(_learned(data, together=bool(program.whole))):
        lines += ["learned of the train part:", *_indented(columns(learned, left=(0, 1)))]
    parts = [f"{name} {len(data.parts.of(name)):,}" for name in PARTS if len(data.parts.of(name))]
    lines += [f"parts: {', '.join(parts)}"]
    lines += [f"note: {note}" for note in data_replace(data, others={}).notes()]
    lines += ["fields of the model:", *_indented(columns(list(_fields(model, program, data)), left=(0, 1, 2)))]
    return lines


def _described(model: ModelProgram, program: TrainProgram, source: DataSource, data: Prepared) -> list[str]:
    fields = {name: field for name, field in model.fields.items() if name in data.feeding.feed.outputs}
    return described_data(replace(model, fields=fields), program.reading(source), data)


def _columns(loaded: Loaded) -> Iterator[list[str]]:
    """A row for each column: its name, kind, missing values, and what stands in it."""
    values = Values(loaded)
    for name, kind in list(loaded.kinds.items())[:MANY]:
        missing = 0 if name in loaded.whole else int(np.count_nonzero(values.missing(name)))
        gaps = f"{_counted(missing, 'gap')}" if missing else ""
        role = "target" if name == loaded.target else ""
        array = loaded.column(name)
        content = " x ".join(map(str, array.shape)) + " in all" if name in loaded.whole else _content(array, kind)
        yield [name, kind, gaps, ", ".join(filter(None, [role, content]))]
    if len(loaded.kinds) > MANY:
        yield [f"and {len(loaded.kinds) - MANY} more", "", "", ""]


def _content(array: Any, kind: str) -> str:
    """What stands in a column, in a few words."""
    if array.ndim > 1:
        return f"{' x '.join(map(str, array.shape[1:]))} a row"
    if kind == "text":
        texts = sorted(set(array.tolist()) - {""})
        return _listed(list(map(_shown, texts)))
    if kind == "date":
        there = array[~np.isnat(array)]
        return f"{there.min()} to {there.max()}" if len(there) else ""
    there = array[~np.isnan(array)] if kind == "float" else array
    if not len(there):
        return ""
    if kind == "int":
        return f"{there.min()} to {there.max()}"
    return f"{there.min():g} to {there.max():g}" if kind != "bool" else f"{int(there.sum()):,} true"


def _learned(data: Prepared, *, together: bool) -> Iterator[list[str]]:
    """What was learned: vocabularies and statistics; nothing but vocabularies where all rows are one example."""
    for (column, filled), keys in data.fitted.keys.items():
        shown = [_shown(key) for key in keys]
        gap = f' (gaps are "{filled}")' if filled is not None else ""
        yield [f"values of {column}{gap}", f"{len(keys)}: {_listed(shown)}"]
    for name, array in () if together else data.fitted.statistics.items():
        columns = data.feeding.statistics[name].columns
        of = ", ".join(columns[:SHOWN])
        more = ", ..." if len(columns) > SHOWN else ""
        yield [f"{name} (of {of}{more})", _short(array)]


def _fields(model: ModelProgram, program: TrainProgram, data: Prepared) -> Iterator[list[str]]:
    """A row for each field of the model: its type, and what feeds it."""
    names = class_names(data.loaded, data.feeding)
    for name, field in model.fields.items():
        feed = program.feeds.get(name)
        source = f"{program.data}.{name}" if feed is None else " ".join(feed.statement.value.span.text.split())
        classes = f"0 to {len(names[name]) - 1}: {_listed(list(map(on_a_line, names[name])))}" if name in names else ""
        yield [f"{name}: {field.type}", f"= {source}", classes]


def _shown(key: str | int) -> str:
    """A value, a text in quotes on one line, of a long one its beginning."""
    if not isinstance(key, str):
        return str(key)
    return f'"{on_a_line(key if len(key) <= LONGEST_SHOWN else key[:LONGEST_SHOWN] + "...")}"'


def _short(array: Array) -> str:
    if array.ndim == 0:
        return f"{array.item():.6g}"
    numbers: Sequence[Any] = array.reshape(-1)[:SHOWN].tolist()
    shown = ", ".join(f"{number:.4g}" for number in numbers)
    return f"{shown}{', ...' if array.size > SHOWN else ''} {list(array.shape)}"


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def decided_line(arguments: Mapping[str, object]) -> str:
    """What the data decides of the model's arguments."""
    return f"decided by the data: {', '.join(f'{name} = {value}' for name, value in arguments.items())}"
