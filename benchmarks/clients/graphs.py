"""What clients are tried on: graphs of a spec as files, what is given to them, and what onnxruntime makes of it.

Of a graph ``NAME`` a folder has ``NAME.onnx``; ``NAME.fixed.onnx``, with the sizes of what it is given; ``NAME.npz``,
with ``ROUND/INPUT`` for each round; ``NAME.json``, with ``carried`` (by output the input that takes it in the next
round), ``rounds`` and ``outputs``;
``NAME.onnxruntime.npz``, with ``ROUND/OUTPUT``; and ``NAME.moved.npz``, with how far each number of these moves if
onnxruntime itself is given numbers that differ in their last bit. What this module does not do: run other clients.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime

from archonnx.compiler.ir.types import Array, TensorType, batch_symbol
from archonnx.compiler.models import specs_of_models
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import SEED, STEP, ModelProgram
from archonnx.compiler.ranges import field_ranges
from archonnx.runtime.export.artifact import Artifact, Kind
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graphs_of
from archonnx.runtime.training.initial import initial_values

from .worker import rounds_of

KINDS: tuple[Kind, ...] = ("infer", "entry", "evaluate", "train_step")
STEPS = 3
"""Steps of a training that are tried, each with what the one before it carries."""
SIZES = (4, 2, 3, 5, 8, 16, 1)
"""Sizes of dims that are tried in turn: some models want enough, or an even number."""
SEED_TRIED = 7
NUDGES = 6
"""So often onnxruntime computes again with numbers that differ in their last bit."""


class Sizes(NamedTuple):
    """Of models that are tried: more numbers in the parameters than ``above``, and at most ``largest``."""

    above: int
    largest: int


ANY = Sizes(-1, sys.maxsize)


@dataclass(frozen=True, slots=True)
class Tried:
    """A graph that has been written.

    Attributes:
        spec: the name of the spec.
        model: the name of the model.
        graph: the name of the graph.
        kind: of the graph.
        file: the ONNX file.
    """

    spec: str
    model: str
    graph: str
    kind: Kind
    file: Path


def write_graphs(
    spec: str, folder: Path, *, sizes: Sizes = ANY, how: GraphOptions, kinds: Sequence[Kind] = KINDS
) -> Iterator[Tried]:
    """Write the graphs of the models of a spec.

    Args:
        spec: a name of the zoo, or a path.
        folder: where they are put.
        sizes: models of other sizes are left out.
        how: how they are written; ``batch`` fixes the number of rows.
        kinds: of which kinds.
    """
    for one in specs_of_models(load(spec)):
        model = elaborate(one)
        if not sizes.above < model.parameter_count <= sizes.largest:
            continue
        weights = initial_values(model.parameters, SEED_TRIED)
        asked = (
            how if batch_symbol({name: one.type for name, one in model.fields.items()}) else replace(how, batch=None)
        )
        for artifact in graphs_of(model, asked, kinds):
            file = folder / f"{model.name}.{artifact.name}.onnx"
            if _write(artifact, model, weights, asked, file):
                yield Tried(Path(spec).stem, model.name, artifact.name, artifact.kind, file)


def _write(
    artifact: Artifact, model: ModelProgram, weights: Mapping[str, Array], how: GraphOptions, file: Path
) -> bool:
    """Write a graph, what it is given, and what that makes; whether anything was found that it takes."""
    made = as_onnx(artifact, model, how, weights if artifact.holds_weights else None)
    onnx.save(made, file)
    session = _session(file)
    carried = {} if artifact.step is None else {f"next/{name}": name for name in artifact.step.carried}
    known = {**weights, **artifact.state}
    for size in SIZES:
        given = _given(artifact, model, known, session, size, how.batch)
        if given is None:
            continue
        try:
            results = rounds_of(lambda feed: _run(session, feed), given, carried)
        except Exception:  # onnxruntime's have no base: an assumption on sizes does not hold
            continue
        break
    else:
        return False
    onnx.save(_fixed(made, given[0]), file.with_suffix(".fixed.onnx"))
    outputs = [one.name for one in session.get_outputs()]
    file.with_suffix(".json").write_text(json.dumps({"carried": carried, "rounds": len(given), "outputs": outputs}))
    np.savez(file.with_suffix(".npz"), **_flat(given))
    np.savez(file.with_suffix(".onnxruntime.npz"), **_flat(results))
    np.savez(file.with_suffix(".moved.npz"), **_moved(lambda feed: _run(session, feed), given, carried, results))
    return True


def _fixed(model: onnx.ModelProto, given: Mapping[str, Array]) -> onnx.ModelProto:
    """A model whose inputs have the sizes of what it is given, and that leaves all other shapes to who reads it."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for one in fixed.graph.input:
        if one.name in given:
            for dim, size in zip(one.type.tensor_type.shape.dim, given[one.name].shape, strict=True):
                dim.dim_value = size
    for one in fixed.graph.output:
        one.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    return fixed


def _moved(
    run: Callable[[Mapping[str, Array]], dict[str, Array]],
    given: Sequence[Mapping[str, Array]],
    carried: Mapping[str, str],
    results: Sequence[Mapping[str, Array]],
) -> dict[str, Any]:
    """How far each number moves at most, if those that are given differ by a rounding up or down."""
    moved = {key: np.zeros(array.shape) for key, array in _flat(results).items()}
    for number in range(NUDGES):
        rng = np.random.default_rng(number)
        nudged = [{name: _nudged(rng, array) for name, array in one.items()} for one in given]
        for key, array in _flat(rounds_of(run, nudged, carried)).items():
            before = _flat(results)[key]
            if array.shape == before.shape:
                moved[key] = np.fmax(moved[key], distances(before, array))
    return moved


def _nudged(rng: np.random.Generator, array: Any) -> Any:
    if array.dtype.kind != "f":
        return array
    signs = rng.choice([-1, 1], array.shape).astype(array.dtype)
    return np.asarray(array * (1 + signs * np.finfo(array.dtype).eps), array.dtype)


def distances(left: Array, right: Array) -> Any:
    """How far each number lies from the other: 0 where both are infinite alike, or no numbers."""
    one, other = left.astype(np.float64), right.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0, np.abs(one - other))


def _session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])


def _run(session: Any, feed: Mapping[str, Array]) -> dict[str, Array]:
    names = [one.name for one in session.get_outputs()]
    taken = {one.name for one in session.get_inputs()}
    return dict(zip(names, session.run(names, {k: v for k, v in feed.items() if k in taken}), strict=True))


def _flat(rounds: Sequence[Mapping[str, Array]]) -> dict[str, Any]:
    return {f"{number}/{name}": array for number, one in enumerate(rounds) for name, array in one.items()}


def _given(
    artifact: Artifact, model: ModelProgram, known: Mapping[str, Array], session: Any, size: int, rows: int | None
) -> list[dict[str, Array]] | None:
    """What each round is given: all that is known at first, and a new batch for each. None: no such sizes."""
    graph = artifact.make()
    types = {name: value.type for name, value in graph.inputs.items()}
    around: dict[str, Array] = {}
    for name in (SEED, STEP):
        if name in types and not types[name].shape:
            around[name] = np.array(SEED_TRIED if name == SEED else 0, np.int64)
    if artifact.step is not None:
        for name, type_ in artifact.step.constants.items():
            around.setdefault(name, np.zeros([d.evaluate({}) for d in type_.shape], type_.dtype.numpy))
    around |= {name: np.asarray(array) for name, array in known.items() if name in types}
    fields = {name: type_ for name, type_ in types.items() if name not in around}
    symbols = {symbol for type_ in types.values() for dim in type_.shape for symbol in dim.symbols()}
    sizes = dict.fromkeys(symbols, size)
    if rows is not None and (counting := batch_symbol(fields)) is not None and artifact.kind != "entry":
        sizes[counting] = rows
    counts = {one.field: one.count.evaluate(sizes) for one in field_ranges(graph, fields)}
    rng = np.random.default_rng(size)
    given = []
    for number in range(STEPS if artifact.step is not None else 1):
        made = {name: _made(rng, type_, sizes, counts.get(name), size) for name, type_ in fields.items()}
        if any(array is None for array in made.values()):
            return None
        steps = {STEP: np.array(number, np.int64)} if STEP in around else {}
        given.append({**(around if number == 0 else {SEED: around[SEED]} if SEED in around else {}), **steps, **made})
    taken = {one.name for one in session.get_inputs()}
    return [{name: array for name, array in one.items() if name in taken and array is not None} for one in given]


def _made(
    rng: np.random.Generator, type_: TensorType, sizes: Mapping[str, int], count: int | None, size: int
) -> Array | None:
    """An array of a type: floats between 0 and 1 (of labels as of pixels), integers below a number of places."""
    shape = tuple(dim.evaluate(sizes) for dim in type_.shape)
    if any(length < 0 for length in shape):
        return None
    if type_.dtype.is_float:
        return rng.uniform(size=shape).astype(type_.dtype.numpy)
    if str(type_.dtype) == "bool":
        return rng.random(shape) < 0.5
    if not shape:
        return np.array(size, type_.dtype.numpy)
    return rng.integers(0, min(count or 2, 100), shape).astype(type_.dtype.numpy)
