"""What people hand to a model: arrays by name, checked against the types of its fields, and cut into batches.

What this module does not do: convert beyond safe casts (a wrong dtype is an error, ints are not a float image).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array, DType, TensorType, batch_symbol
from archonnx.grammar.diagnostics import Report, did_you_mean, listing

from .casting import Misfit, cast_exactly


def checked(given: Mapping[str, Any], types: Mapping[str, TensorType], what: str = "field") -> dict[str, Array]:
    """Arrays in the dtypes of their fields, after checking names, ranks, sizes and dtypes; all mistakes at once.

    Args:
        given: arrays (or lists, numbers) by name.
        types: types by name.
        what: the word for one of them in messages.
    """
    report = Report()
    missing = [name for name in types if name not in given]
    only = f"is `{missing[0]}` meant, which is not given?" if len(missing) == 1 else None
    for name in given:
        if name not in types:
            report.error(
                "AX0607",
                f"there is no {what} `{name}`",
                None,
                help=did_you_mean(name, types) or only or (f"known: {listing(types)}" if types else "there are none"),
            )
    for name in missing:
        report.error("AX0607", f"the {what} `{name}: {types[name]}` is not given", None)
    report.finish()
    sizes: dict[str, tuple[int, str]] = {}
    arrays = {name: _checked(name, given[name], types[name], sizes, what, report) for name in types}
    _check_composite_sizes(arrays, types, {name: size for name, (size, _) in sizes.items()}, what, report)
    report.finish()
    return arrays


def _checked(
    name: str,
    given: Any,
    type_: TensorType,
    sizes: dict[str, tuple[int, str]],
    what: str,
    report: Report,
) -> Array:
    try:
        array = np.asarray(given)
    except ValueError:
        report.error("AX0608", f"the {what} `{name}` is not an array: its rows differ in length", None)
        return np.zeros(())
    shown = f"`{name}` is {type_}; given: {describe(array)}"
    cast = cast_exactly(array, type_.dtype)
    if isinstance(cast, Misfit):
        report.error("AX0608", f"the {what} {shown}: {cast}", None)
    elif not _castable(array, type_.dtype, isinstance(given, np.ndarray | np.generic)):
        report.error(
            "AX0608",
            f"the {what} {shown}: the dtype does not fit",
            None,
            help=f'convert it: `.astype("{type_.dtype.numpy}")`',
        )
    elif array.ndim != type_.rank:
        needed = "1 axis is" if type_.rank == 1 else f"{type_.rank} axes are"
        report.error("AX0608", f"the {what} {shown}: {needed} needed, not {array.ndim}", None)
    else:
        _check_sizes(name, array, type_, sizes, shown, what, report)
    return array if isinstance(cast, Misfit) else cast


def _check_sizes(
    name: str,
    array: Array,
    type_: TensorType,
    sizes: dict[str, tuple[int, str]],
    shown: str,
    what: str,
    report: Report,
) -> None:
    """Integer dims must be met, and a name must have one size in all fields."""
    for axis, (dim, size) in enumerate(zip(type_.shape, array.shape, strict=True)):
        if dim.constant is not None and dim.constant != size:
            report.error("AX0608", f"the {what} {shown}: axis {axis} has {size} elements, not {dim}", None)
        elif (symbol := dim.symbol) is not None:
            known, first = sizes.setdefault(symbol, (size, name))
            if known != size:
                report.error("AX0608", f"the {what} {shown}: {symbol} is {size} here and {known} in `{first}`", None)


def _check_composite_sizes(
    arrays: Mapping[str, Array],
    types: Mapping[str, TensorType],
    sizes: Mapping[str, int],
    what: str,
    report: Report,
) -> None:
    """Dims such as ``2 * T`` must be met, too; to be asked once all names have their sizes."""
    if report.failed:
        return
    for name, array in arrays.items():
        for axis, (dim, size) in enumerate(zip(types[name].shape, array.shape, strict=True)):
            if dim.symbol is None and dim.symbols() <= sizes.keys() and (wanted := dim.evaluate(sizes)) != size:
                known = ", ".join(f"{symbol} is {sizes[symbol]}" for symbol in sorted(dim.symbols()))
                report.error(
                    "AX0608",
                    f"the {what} `{name}` is {types[name]}; given: {describe(array)}: axis {axis} "
                    f"has {size} elements, not {wanted}",
                    None,
                    notes=[known],
                )


def dim_arguments(types: Mapping[str, TensorType], made: Iterable[TensorType]) -> set[str]:
    """Inputs that give a size, as ``n`` of ``sample(n: dim) -> [n, 3]``: they have the name of a dim.

    Args:
        types: of the inputs.
        made: types of what is computed of them; of all that is known: a dim may be summed away before the outputs.
    """
    return types.keys() & set().union(*(type_.symbols() for type_ in (*types.values(), *made)))


def check_dim_arguments(names: Iterable[str], arrays: Mapping[str, Array], types: Mapping[str, TensorType]) -> None:
    """Sizes that are given as numbers are not negative, and those of the arrays."""
    report = Report()
    for argument in names:
        given = int(arrays[argument])
        if given < 0:
            report.error("AX0608", f"the argument `{argument}` is a size; given: {given}", None)
        for name, array in arrays.items():
            if any(d.symbol == argument and n != given for d, n in zip(types[name].shape, array.shape, strict=True)):
                report.error(
                    "AX0608",
                    f"the argument `{name}` is {types[name]}; given: {describe(array)}, and {argument} = {given}",
                    None,
                )
    report.finish()


def _castable(array: Array, dtype: DType, typed: bool) -> bool:
    """Whether an array whose values a dtype holds may be converted without being asked to.

    Untyped Python numbers also fit any float.
    """
    kind = array.dtype.kind
    if dtype is DType.bool:
        return kind == "b"
    if dtype.is_float:
        return kind == "f" or (kind in "iu" and (not typed or array.dtype.itemsize < dtype.numpy.itemsize))
    return kind in "iu"


def describe(array: Array) -> str:
    """An array's type in the words of the language: ``f32[64, 10]``."""
    try:
        dtype = str(DType.from_numpy(array.dtype))
    except KeyError:
        dtype = str(array.dtype)
    return f"{dtype}[{', '.join(map(str, array.shape))}]"


def in_batches(
    run: Callable[[Mapping[str, Array]], dict[str, Array]],
    arrays: Mapping[str, Array],
    inputs: Mapping[str, TensorType],
    outputs: Mapping[str, TensorType],
    size: int,
) -> dict[str, Array]:
    """Run on any number of rows, ``size`` at a time where every input and every output has rows."""
    symbol = batch_symbol(inputs)
    by_rows = symbol is not None and all(
        type_.rank and type_.shape[0].symbol == symbol for type_ in (*inputs.values(), *outputs.values())
    )
    rows = len(next(iter(arrays.values()))) if by_rows else 0
    if rows <= size:
        return run(arrays)
    parts = [
        run({name: array[start : start + size] for name, array in arrays.items()}) for start in range(0, rows, size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
