"""Arrays in files, as the command line takes and leaves them: .npz, .npy and .csv."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archonnx.compiler.ir.types import Array, TensorType


ARRAY_FILES = (".npy", ".npz", ".csv")


def write_arrays(results: Mapping[str, Array], out: Path | None) -> None:
    """Write results to a file, as its name says, or as CSV to stdout."""
    import sys

    from archonnx.runtime.files import write_atomically

    if out is None:
        sys.stdout.write(as_csv(results))
        return
    write_atomically(out, as_npz(results) if out.suffix == ".npz" else as_csv(results).encode())
    print(f"{out}: {', '.join(f'{name} {list(array.shape)}' for name, array in results.items())}")


def read_arrays(text: str, types: Mapping[str, TensorType]) -> dict[str, Any]:
    """Arrays by name, as ``--input`` gives them: ``FILE``, ``NAME=FILE``, or ``NAME=[[1, 2]]``, in JSON."""
    import numpy as np

    from archonnx.grammar.diagnostics import fail

    name, equals, file = text.partition("=")
    path = Path(file if equals else text)
    if equals and path.suffix not in ARRAY_FILES:
        return {name: _literal(name, path, file)}
    if not path.is_file():
        numbers = None if equals or path.suffix else f"numbers are given as `--input '{text}=[1, 2]'`"
        fail("AX0601", f"there is no file {path}", None, help=numbers)
    if path.suffix == ".csv":
        columns = _columns(path, types)
        return {name: columns[next(iter(columns))]} if equals and len(columns) == 1 else columns
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        fail(
            "AX0604",
            f"{path} is not a NumPy file of plain arrays",
            None,
            help="write it with `numpy.save` or `numpy.savez`; arrays of Python objects are not read",
        )
    if isinstance(loaded, np.ndarray):
        return {name if equals else next(iter(types), path.stem): loaded}
    return {key: loaded[key] for key in loaded.files if key in types or len(loaded.files) <= len(types)}


def _literal(name: str, path: Path, text: str) -> Any:
    """Numbers, ``true`` and ``false`` in nested lists, from a JSON file or written as they are."""
    import json

    from archonnx.grammar.diagnostics import fail

    from_file = path.suffix == ".json"
    if from_file and not path.is_file():
        fail("AX0601", f"there is no file {path}", None)
    what = str(path) if from_file else f"`{text}`"
    try:
        value = json.loads(path.read_text("utf-8") if from_file else text)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        fail(
            "AX0604",
            f"{what}, given for `{name}`, is neither a file nor numbers in JSON: {reason}",
            None,
            help=f"write nested lists, as in `--input '{name}=[[1, 2], [3, 4]]'`, or a file: `{name}=FILE.npy`",
        )
    if not _is_numbers(value):
        fail(
            "AX0604",
            f"{what}, given for `{name}`, is not made of numbers, true and false in lists",
            None,
            help=f"`--input '{name}=[[1, 2], [3, 4]]'`",
        )
    return value


def _is_numbers(value: Any) -> bool:
    return all(map(_is_numbers, value)) if isinstance(value, list) else isinstance(value, int | float)


def _columns(path: Path, types: Mapping[str, TensorType]) -> dict[str, Array]:
    """Inputs from a table: columns by name, or the matrix of all numeric ones where the model takes one matrix."""
    from archonnx.runtime.data.loaders.csv import read_csv
    from archonnx.runtime.data.plain import plain_fields

    fields = plain_fields(read_csv(path))
    if len(types) == 1 and not fields.keys() & types.keys() and "data" in fields:
        return {next(iter(types)): fields["data"]}
    return {
        name: fields[name].astype(type_.dtype.numpy) if type_.dtype.is_float else fields[name]
        for name, type_ in types.items()
        if name in fields
    }


def as_npz(results: Mapping[str, Array]) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    arrays: dict[str, Any] = dict(results)
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def as_csv(results: Mapping[str, Array]) -> str:
    """Outputs by row: a column for each number, ``probs.0, probs.1, ...`` where an output has several."""
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
    columns: dict[str, list[str]] = {}
    for name, array in results.items():
        rows = array.reshape(max(lengths), -1)
        for position in range(rows.shape[1]):
            column = name if rows.shape[1] == 1 else f"{name}.{position}"
            columns[column] = [str(number) for number in rows[:, position]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
