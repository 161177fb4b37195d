"""Arrays in files, as the command line takes and leaves them: .npz, .npy and .csv."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .telling import say

if TYPE_CHECKING:
    from archonnx.compiler.ir.types import Array, TensorType


MAX_RANK = 64
"""Axes that an array may have."""
ARRAY_FILES = (".npy", ".npz", ".csv")


def write_arrays(
    results: Mapping[str, Array],
    out: Path | None,
    classes: Mapping[str, Sequence[str]] | None = None,
    kept: Mapping[str, Array] | None = None,
) -> None:
    """Write results to a file, as its name says, or as CSV to stdout.

    Args:
        results: arrays by name.
        out: the file.
        classes: names of classes, by result.
        kept: columns of what was given that stand before the results; ``data.NAME`` if a result is called so too.
    """
    import sys

    from archonnx.runtime.files import write_atomically

    kept = _told_apart(kept or {}, results)
    if out is None:
        sys.stdout.write(as_csv(results, classes, kept))
        return
    if out.suffix.lower() not in ("", ".csv", ".txt", ".tsv", ".npz"):
        from archonnx.grammar.diagnostics import fail

        said = f"{out.name} is not named as a file that results are written to"
        fail(
            "AX0604", said, None, help=f"a table is `{out.with_suffix('.csv')}`, arrays are `{out.with_suffix('.npz')}`"
        )
    if out.suffix.lower() == ".npz":
        content = as_npz(results, classes, kept)
    else:
        content = as_csv(results, classes, kept, "\t" if out.suffix.lower() == ".tsv" else ",").encode()
    write_atomically(out, content)
    print(f"{out}: {', '.join(f'{name} {list(array.shape)}' for name, array in results.items())}")


def _told_apart(kept: Mapping[str, Array], results: Mapping[str, Array]) -> dict[str, Array]:
    """Kept columns, ``data.NAME`` where a result, or a part of one, is called so too."""
    return {
        f"data.{name}" if any(name == one or name.startswith(f"{one}.") for one in results) else name: array
        for name, array in kept.items()
    }


def say_where_nan(results: Mapping[str, Array]) -> None:
    """A note on stderr for results that are not numbers, as of infinities among what was given."""
    import numpy as np

    for name, array in results.items():
        if array.dtype.kind == "f" and array.ndim and np.isnan(array).any():
            rows = np.flatnonzero(np.isnan(array.reshape(len(array), -1)).any(axis=1))
            more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
            say(f"note: `{name}` is NaN in row {rows[0]} (from 0){more}: what was given there led to no number")


def read_named(text: str) -> dict[str, Any]:
    """Arrays by name: ``NAME=FILE``, ``NAME=[[1, 2]]``, or all of an .npz file, with what is wrong with one of them."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.data.stored import arrays_of
    from archonnx.runtime.paths import is_there, short

    if "=" in text:
        return read_arrays(text, {}, texts=True)
    if not is_there(Path(text), "file"):
        fail("AX0601", f"there is no file {short(text)}", None)
    return dict(arrays_of(Path(text)))


def read_arrays(text: str, types: Mapping[str, TensorType], *, texts: bool = False) -> dict[str, Any]:
    """Arrays by name, as ``--input`` gives them: ``FILE``, ``NAME=FILE``, or ``NAME=[[1, 2]]``, in JSON.

    Args:
        text: what was given.
        types: those that are wanted.
        texts: whether they may be columns of data, which have texts and gaps too.
    """
    from archonnx.grammar.diagnostics import Diagnostic, Report, SpecError, fail
    from archonnx.runtime.data.stored import arrays_of
    from archonnx.runtime.paths import is_there, short

    name, equals, file = text.partition("=")
    path = Path(file if equals else text)
    if equals and path.suffix not in ARRAY_FILES:
        return {name: _literal(name, path, file, texts=texts)}
    if not is_there(path, "file"):
        numbers = None if equals or path.suffix else f"numbers are given as `--input '{short(text)}=[1, 2]'`"
        fail("AX0601", f"there is no file {short(str(path))}", None, help=numbers)
    if path.suffix == ".csv":
        columns = _columns(path)
        if equals and len(columns) != 1:
            fail("AX0604", f"{path} has {len(columns)} columns, and `{name}` is one", None)
        return {name: next(iter(columns.values()))} if equals else _matching(columns, types)
    loaded = arrays_of(path)
    if path.suffix != ".npz":
        return {name if equals else next(iter(types), path.stem): array for array in loaded.values()}
    wanted = {key: array for key, array in loaded.items() if key in types or len(loaded) <= len(types)}
    if equals:
        wanted = {name: wanted[name] if name in wanted else _only(loaded, name, path)}
    unread = [array for array in wanted.values() if isinstance(array, Diagnostic)]
    if unread:
        raise SpecError(Report(unread))
    return wanted


def _only(loaded: Mapping[str, Any], name: str, path: Path) -> Any:
    """The one array of an archive, given for a name that is not in it."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.paths import short

    if len(loaded) > 1:
        inside = ", ".join(map(short, loaded))
        fail("AX0604", f"{path.name} has no `{name}`, but {inside}", None, help=f"give it as `--input {path.name}`")
    return next(iter(loaded.values()))


def _literal(name: str, path: Path, text: str, *, texts: bool) -> Any:
    """Numbers, ``true`` and ``false`` in nested lists, from a JSON file or written as they are.

    Args:
        name: of what they are the values.
        path: the file, if it is one.
        text: what was written.
        texts: whether it may be a column of data, which has texts and ``null`` too.
    """
    import json

    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.paths import is_there, reading, short

    from_file = path.suffix == ".json"
    if from_file and not is_there(path, "file"):
        fail("AX0601", f"there is no file {short(str(path))}", None)
    what = short(str(path)) if from_file else f"`{short(text)}`"
    as_texts = f', `--input \'{name}=["one", "two"]\'`' if texts else ""
    try:
        with reading(path):
            value = json.loads(path.read_text("utf-8") if from_file else text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else short(str(error))
        fail(
            "AX0604",
            f"{what}, given for `{name}`, is neither a file nor numbers in JSON: {reason}",
            None,
            help=f"write nested lists, as in `--input '{name}=[[1, 2], [3, 4]]'`{as_texts}, or a file: "
            f"`{name}=FILE.npy`",
        )
    if not _is_made_of(value, (int, float, str, type(None)) if texts else (int, float)):
        fail(
            "AX0604",
            f"{what}, given for `{name}`, is not made of numbers, {'texts, ' if texts else ''}true and false in lists",
            None,
            help=f"`--input '{name}=[[1, 2], [3, 4]]'`{as_texts}",
        )
    return value


def _not_json(word: str) -> Any:
    """``NaN`` and ``Infinity``, which Python takes for JSON."""
    raise ValueError(f"{word} is not a number of JSON")


def _is_made_of(value: Any, types: tuple[type, ...]) -> bool:
    """Whether a value is made of such values in lists, of as many axes as an array may have."""
    values = [value]
    for _ in range(MAX_RANK + 1):
        odd = [one for one in values if not isinstance(one, (list, *types))]
        values = [inner for one in values if isinstance(one, list) for inner in one]
        if odd or not values:
            return not odd
    return False


def _columns(path: Path) -> dict[str, Array]:
    """The columns of a table, by name; SpecError with what is wrong with them."""
    from archonnx.grammar.diagnostics import Report, SpecError
    from archonnx.runtime.data.loaders.csv import read_csv

    table = read_csv(path)
    if table.problems:
        raise SpecError(Report(list(table.problems.values())))
    return {name: array for name, array in table.fields.items() if name not in table.made}


def _matching(columns: Mapping[str, Array], types: Mapping[str, TensorType]) -> dict[str, Any]:
    """The columns that are wanted, numbers in the types that are; all of them as a matrix where one is wanted."""
    import numpy as np

    numbers = [array for array in columns.values() if array.dtype.kind in "if"]
    if len(types) == 1 and not columns.keys() & types.keys() and numbers:
        return {next(iter(types)): np.stack([array.astype(np.float64) for array in numbers], axis=1)}
    return {
        name: columns[name].astype(type_.dtype.numpy) if type_.dtype.is_float else columns[name]
        for name, type_ in types.items()
        if name in columns
    }


def raw_inputs(texts: Sequence[str]) -> list[Any]:
    """Raw data, as ``--input`` gives it: paths as they are, ``NAME=...`` and .npz files as arrays by name, together."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.data.loader import PICTURES
    from archonnx.runtime.paths import kind_at, short

    paths: list[Any] = []
    named: dict[str, Any] = {}
    for text in texts:
        _, equals, file = text.partition("=")
        path = Path(file)
        if not equals and Path(text).suffix != ".npz":
            kind, what = kind_at(Path(text))
            if kind == "other":
                fail("AX0601", f"`{short(text)}` {what}, not a file or a folder", None)
            if kind == "nothing":
                hint = None if Path(text).suffix else f"numbers are given as `--input '{short(text)}=[1, 2]'`"
                fail("AX0601", f"there is no file {short(text)}", None, help=hint)
            paths.append(Path(text))
        elif equals and (path.suffix.lower() in PICTURES or kind_at(path)[0] == "folder"):
            paths.append(path)
        else:
            named |= read_named(text)
    if named and paths:
        fail("AX0604", "files and arrays by name are given together", None, help="give either the one or the other")
    return [named] if named else paths


def as_npz(
    results: Mapping[str, Array],
    classes: Mapping[str, Sequence[str]] | None = None,
    kept: Mapping[str, Array] | None = None,
) -> bytes:
    """Outputs as an .npz file; the names of their classes are in ``NAME.classes``."""
    import numpy as np

    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: _plain(array) for name, array in (kept or {}).items()}
    arrays |= results
    arrays |= {f"{name}.classes": np.array(names) for name, names in (classes or {}).items()}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _plain(array: Array) -> Array:
    """Texts as an array without objects."""
    return array.astype(str) if array.dtype.kind in "OM" else array


def as_csv(
    results: Mapping[str, Array],
    classes: Mapping[str, Sequence[str]] | None = None,
    kept: Mapping[str, Array] | None = None,
    delimiter: str = ",",
) -> str:
    """Outputs by row: a column for each number, ``probs.0, probs.1, ...`` where an output has several.

    Where classes have names, these stand for the numbers. ``kept`` columns stand before the others.
    """
    import csv

    from archonnx.grammar.diagnostics import fail

    lengths = {len(array) if array.ndim else 1 for array in results.values()}
    if len(lengths) > 1:
        fail(
            "AX0616",
            "the outputs differ in their number of rows and do not fit one table",
            None,
            help="write arrays: `--out outputs.npz`",
        )
    columns: dict[str, list[str]] = {name: _plain(array).astype(str).tolist() for name, array in (kept or {}).items()}
    for name, array in results.items():
        rows = array.reshape(max(lengths), math.prod(array.shape[1:]))  # not -1: there may be no rows
        names = (classes or {}).get(name)
        shown = names if names is not None and array.dtype.kind == "i" else None
        for position in range(rows.shape[1]):
            part = _part(position, rows.shape[1], names if shown is None else None)
            column = name if rows.shape[1] == 1 else f"{name}.{part}"
            columns[column] = [str(n) if shown is None else shown[int(n)] for n in rows[:, position]]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _part(position: int, count: int, names: Sequence[str] | None) -> str:
    """What one of the numbers of a row is called: its class, after its place where there are several of each."""
    if names is None:
        return str(position)
    place, number = divmod(position, len(names))
    return names[number] if count == len(names) else f"{place}.{names[number]}"
