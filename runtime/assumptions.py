"""What a model assumes of sizes (each ``assert`` that compile time could not decide), checked when it runs.

Exported models carry the assumptions in their metadata, as JSON. What this module does not do: check types (``batch``
does).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.parse import parse_dim
from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.program import Assumption
from archonnx.grammar.diagnostics import Report, fail

METADATA_KEY = "archonnx.assumptions"
"""In the metadata of ONNX models: a JSON list of ``{"condition": "T >= 2", "message": "..."}``."""
_CONDITION = re.compile(r"(.+) (==|!=|<=|>=|<|>) (.+)")


def bound_dims(fields: Mapping[str, tuple[TensorType, tuple[int, ...]]]) -> dict[str, int]:
    """Sizes of the symbolic dims that stand alone in the types of fields, from the shapes of arrays."""
    return {
        symbol: size
        for type_, shape in fields.values()
        for dim, size in zip(type_.shape, shape, strict=True)
        if (symbol := dim.symbol) is not None
    }


def check_assumptions(assumptions: Iterable[Assumption], sizes: Mapping[str, int]) -> None:
    """SpecError unless all hold for these sizes. Those that speak of other dims are left aside."""
    report = Report()
    for assumption in assumptions:
        if assumption.symbols() <= sizes.keys() and not assumption.holds(sizes):
            shown = ", ".join(f"{name} = {sizes[name]}" for name in sorted(assumption.symbols()))
            report.error(
                "AX0617",
                f"assertion failed: {_filled(assumption.message, sizes)}",
                assumption.span,
                notes=[f"`{assumption}` does not hold for {shown}"],
            )
    report.finish()


def check_arrays(
    assumptions: Sequence[Assumption],
    types: Mapping[str, TensorType],
    arrays: Mapping[str, Array],
) -> None:
    """The same for the sizes of arrays. Scalar inputs named like a dim (arguments of entries) give its size."""
    if not assumptions:
        return
    sizes = bound_dims({name: (types[name], array.shape) for name, array in arrays.items()})
    scalars = {name: int(array) for name, array in arrays.items() if array.ndim == 0 and array.dtype.kind == "i"}
    check_assumptions(assumptions, scalars | sizes)


def _filled(message: str, sizes: Mapping[str, int]) -> str:
    """The message with ``{T}`` and ``{T // 2}`` replaced by their sizes."""

    def size(found: re.Match[str]) -> str:
        try:
            return str(read_dim(found[1]).evaluate(sizes))
        except (ValueError, KeyError):
            return found[0]

    return re.sub(r"\{([^{}]+)\}", size, message)


def read_dim(text: str) -> Dim:
    """The dim of a text such as ``T // 2 + 1``; ValueError if it is none."""
    try:
        return parse_dim(text)
    except (SyntaxError, KeyError, RecursionError, MemoryError) as error:
        raise ValueError(f"no dim: {text}") from error


# ---------------------------------------------------------------- graphs and their metadata


def of_graph(graph: Graph, assumptions: Sequence[Assumption]) -> tuple[Assumption, ...]:
    """Those of a model's assumptions that speak of a graph's dims alone."""
    return tuple(assumption for assumption in assumptions if assumption.symbols() <= graph.symbols())


def as_metadata(assumptions: Sequence[Assumption]) -> dict[str, str]:
    """Metadata of an ONNX model; none where nothing is assumed."""
    listed = [{"condition": str(assumption), "message": assumption.message} for assumption in assumptions]
    return {METADATA_KEY: json.dumps(listed)} if listed else {}


def from_metadata(metadata: Mapping[str, str]) -> tuple[Assumption, ...]:
    """The assumptions that a model's metadata records."""
    try:
        return tuple(_read(item) for item in json.loads(metadata.get(METADATA_KEY, "[]")))
    except (ValueError, TypeError, KeyError) as error:
        fail("AX0611", f"the model's metadata `{METADATA_KEY}` are damaged: {error}", None)


def _read(item: Mapping[str, Any]) -> Assumption:
    found = _CONDITION.fullmatch(item["condition"])
    if found is None:
        raise ValueError(f"no condition: {item['condition']}")
    return Assumption(found[2], read_dim(found[1]), read_dim(found[3]), str(item["message"]))
