"""Every graph of a model as ONNX files in a folder, over one file of weights: what ``archonnx compile`` writes.

The weights are a safetensors file. ``infer`` and the entries name its parts as their external data, so that they hold
the weights without a copy; the graphs of training take parameters, and what optimizers remember, as inputs. The
manifest ``graphs.json`` has the contract of every file (``contract``), and how the state of optimizers starts.

What this module does not do: run a graph, or train.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import refer_to_weights
from archonnx.compiler.passes.manager import Pass
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.files import save_parameters, stored_places, write_atomically
from archonnx.runtime.reserving import LOCK, fail_writing, reserved
from archonnx.runtime.staging import SAVING, interrupted, mend, staged
from archonnx.runtime.training.initial import initial_values

from .artifact import Artifact, Kind
from .artifacts import GraphOptions, as_onnx, fail_half, graphs_of
from .contract import FORMAT, contract_of, model_contract, program_contract

if TYPE_CHECKING:
    import onnx

WITHOUT_GRADIENTS: tuple[Kind, ...] = ("infer", "entry", "evaluate", "train_step")
"""The graphs that are written unless others are asked; gradients alone are of use to few, and as large as a step."""
WEIGHTS, MANIFEST, IR, RAW = "weights.safetensors", "graphs.json", "ir", "raw.onnx"
TURN = 3e-4
"""Seconds of a thread's turn while weights are drawn and graphs are lowered."""
INSIDE = frozenset({DType.bf16})
"""Element types that NumPy lacks: weights of these lie in the file as f32."""


@dataclass(frozen=True, slots=True)
class Written:
    """A graph that has been written.

    Attributes:
        name: of the graph.
        file: of its ONNX model, without the weights.
        nodes: in it.
        size: of the file in bytes.
        seconds: that it took to build, optimise, lower, check and write.
        contract: what its graph is (``graph_contract``).
        state: what a training step carries from one execution to the next, besides parameters, and what fills it at the
            start: a number, or the name of the tensor in the file of weights.
    """

    name: str
    file: str
    nodes: int
    size: int
    seconds: float
    contract: Mapping[str, Any]
    state: Mapping[str, float | str]

    def as_json(self) -> dict[str, Any]:
        """Its part of the manifest."""
        measured = {"file": self.file, "nodes": self.nodes, "size": self.size, "seconds": self.seconds}
        return {**self.contract, **measured, **({"state": dict(self.state)} if self.state else {})}


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run gives to the folder of its graphs.

    Attributes:
        weights: by path.
        seed: of the training.
        about: what the contract says of the run.
        metadata: properties of every file.
        check: compares a file that was written, not yet in its place, with the run; SpecError if they differ. It says
            on what it was tried.
        raw: writes the model with its feed inside; SpecError where it has none that a graph can do.
    """

    weights: Mapping[str, Array]
    seed: int
    about: Mapping[str, Any]
    metadata: Mapping[str, str]
    check: Callable[[Artifact, Path], str]
    raw: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights of a model lie: ``places`` in the file, or ``inside`` each graph that uses them."""

    places: Mapping[str, tuple[int, int]]
    inside: Mapping[str, Array]


NONE = Weights({}, {})
"""Those of a graph that takes parameters as inputs."""


def compile_to(
    out: Path,
    model: ModelProgram,
    options: GraphOptions | None = None,
    *,
    kinds: Sequence[Kind] = WITHOUT_GRADIENTS,
    trained: Trained | None = None,
    seed: int = 0,
    verify: bool = False,
    dump_ir: bool = False,
    observer: Callable[[Written], None] = lambda _: None,
) -> list[Written]:
    """Write the weights and the graphs of a model: ``infer``, the entries, ``evaluate`` and each training step.

    Args:
        out: the folder; an earlier compilation that stands there is replaced, anything else is not.
        model: what to compile.
        options: how.
        kinds: which graphs.
        trained: the run whose weights they hold; the initial ones unless given.
        seed: of the initial weights.
        verify: check every graph before the first pass and after each.
        dump_ir: write every graph as text, as it was built and after each pass.
        observer: is called with each graph when it is written.

    Raises:
        SpecError: there is something else at ``out``, or a graph cannot be written, or is not what the run computes.
    """
    asked = options or GraphOptions()
    if asked.precision != "f32":
        fail_half(str(out))
    with _folder(out) as part, _short_turns(), ThreadPoolExecutor(1) as background:
        drawn = background.submit(_weights, model, trained, seed)
        built = dict(_timed(graphs_of(model, asked, kinds)))
        stored = background.submit(_store, part / WEIGHTS, model, drawn, list(built))
        writer = _Writer(part, model, asked, stored, trained, verify, dump_ir)
        written = {}
        for artifact in sorted(built, key=lambda artifact: artifact.holds_weights):  # the others need not wait for them
            written[artifact.name] = writer.write(artifact, built[artifact])
            observer(written[artifact.name])
        stored.result()
        graphs = {artifact.name: written[artifact.name].as_json() for artifact in built}
        unwritten: dict[str, str] = {}
        if trained is not None:
            for artifact in built:
                graphs[artifact.name]["tried"] = trained.check(artifact, part / f"{artifact.name}.onnx")
            if "raw" in kinds and (raw := _raw(part, trained, unwritten)) is not None:
                observer(raw)
                graphs[raw.name] = raw.as_json()
        manifest = {
            **_manifest(model, asked, list(built), trained),
            "weights": WEIGHTS,
            "seed": seed if trained is None else trained.seed,
            "unwritten": unwritten,
            "files": sorted(path.relative_to(part).as_posix() for path in part.rglob("*") if path.is_file()),
            "graphs": graphs,
        }
        _keep_others(out, part, manifest["files"])
        write_atomically(part / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return [written[artifact.name] for artifact in built]


def _raw(part: Path, trained: Trained, unwritten: dict[str, str]) -> Written | None:
    """Write the model with its feed inside, where that can be."""
    import onnx

    file, begin = part / RAW, time.perf_counter()
    try:
        trained.raw(file)
    except SpecError as error:
        unwritten["raw"] = error.diagnostics[0].headline
        return None
    seconds = time.perf_counter() - begin
    return _written("raw", onnx.load(file, load_external_data=False), file.stat().st_size, seconds, {})


def _written(name: str, model: onnx.ModelProto, size: int, seconds: float, state: Mapping[str, float | str]) -> Written:
    said = contract_of(model)
    contract = {key: said[key] for key in said if key not in ("format", "model")}
    return Written(name, f"{name}.onnx", len(model.graph.node), size, seconds, contract, state)


def _weights(model: ModelProgram, trained: Trained | None, seed: int) -> dict[str, Array]:
    return initial_values(model.parameters, seed) if trained is None else dict(trained.weights)


def _manifest(
    model: ModelProgram, options: GraphOptions, artifacts: Sequence[Artifact], trained: Trained | None
) -> dict[str, Any]:
    """What is said of the folder as a whole."""
    programs = {one.program.name: one.program for one in artifacts if one.program is not None}
    return {
        "format": FORMAT,
        "archonnx": version("archonnx"),
        "model": model.name,
        "about": model_contract(model, trained.about if trained is not None else None),
        "target": options.target,
        "opset": options.opset,
        "fields": {name: {"type": str(field.type), "target": field.target} for name, field in model.fields.items()},
        "parameters": {
            path: {"type": str(p.type), "trainable": p.trainable, "buffer": p.buffer}
            for path, p in model.parameters.items()
        },
        "programs": {name: program_contract(program) for name, program in programs.items()},
    }


def _keep_others(out: Path, part: Path, files: Sequence[str]) -> None:
    """SpecError if a new file would take the place of one that no compilation wrote."""
    ours = {*_written_before(out), MANIFEST}
    for name in files:
        if name not in ours and os.path.lexists(out / name):
            fail(
                "AX0614",
                f"{out / name} exists already, and no `archonnx compile` wrote it",
                None,
                help="choose another folder: `-o build/other`",
            )


def _timed(artifacts: Iterator[Artifact]) -> Iterator[tuple[Artifact, float]]:
    """Each with the seconds that it took to build."""
    begin = time.perf_counter()
    for artifact in artifacts:
        now = time.perf_counter()
        yield artifact, now - begin
        begin = now


@contextmanager
def _short_turns() -> Iterator[None]:
    """Threads let others have the interpreter soon: those that draw weights need it often, and briefly."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _store(path: Path, model: ModelProgram, drawn: Future[dict[str, Array]], artifacts: Sequence[Artifact]) -> Weights:
    """Write the initial weights, and the starting values of the steps that are not a single number."""
    values = dict(drawn.result())
    for artifact in artifacts:
        values |= {_stored(artifact, name): array for name, array in artifact.state.items() if _filling(array) is None}
    save_parameters(path, values, {"archonnx": model.name}, checksum=False)
    places = stored_places(path)
    rounded = {name: values[name] for name, parameter in model.parameters.items() if parameter.type.dtype in INSIDE}
    return Weights({name: place for name, place in places.items() if name not in rounded}, rounded)


def _stored(artifact: Artifact, name: str) -> str:
    """What a starting value is called in the file of weights: steps of several programs may carry one name."""
    return f"{artifact.name}/{name}"


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """A folder to be filled, whose files take the places of those that a compilation left at ``out``."""
    with reserved(out):
        check_free(out)
        mend(out)
        old = _written_before(out)
        try:
            with staged(out, MANIFEST, old) as part:
                yield part
        except OSError as error:
            fail_writing(out, error)


def _written_before(out: Path) -> list[str]:
    """The files that a compilation left, as its manifest says."""
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
        return [str(name) for name in manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def check_free(out: Path) -> None:
    """SpecError if there is something at ``out`` that no compilation wrote."""
    begun = (LOCK, SAVING)  # what an export leaves that was killed before anything stood
    taken = out.exists() and (not out.is_dir() or any(path.name not in begun for path in out.iterdir()))
    if taken and not (out / MANIFEST).is_file() and not interrupted(out):
        fail(
            "AX0614",
            f"{out} exists already, and no `archonnx compile` wrote it",
            None,
            help="choose another folder: `-o build/other`",
        )


def _filling(array: Array) -> float | None:
    """The number of which an array consists, if it is one."""
    first = array.reshape(-1)[:1]
    return float(first[0]) if first.size and bool((array == first).all()) else None


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the graphs of a model into a folder, as it is asked."""

    folder: Path
    model: ModelProgram
    options: GraphOptions
    stored: Future[Weights]
    trained: Trained | None
    verify: bool
    dump_ir: bool

    def write(self, artifact: Artifact, seconds: float) -> Written:
        """Write a graph; so many seconds have gone into it already."""
        begin = time.perf_counter()
        dump = _Dump(self.folder / IR, artifact.name) if self.dump_ir else None
        if dump is not None:
            dump.write("built", artifact.make())
        weights = self.stored.result() if artifact.holds_weights else NONE
        model = as_onnx(
            artifact,
            self.model,
            self.options,
            weights.inside,
            verify=self.verify,
            observer=dump,
            metadata=self.trained.metadata if self.trained is not None else None,
            about=self.trained.about if self.trained is not None else None,
        )
        refer_to_weights(model, WEIGHTS, weights.places)
        content = model.SerializeToString()
        write_atomically(self.folder / f"{artifact.name}.onnx", content)
        filled = {name: _filling(array) for name, array in artifact.state.items()}
        state = {name: _stored(artifact, name) if value is None else value for name, value in filled.items()}
        return _written(artifact.name, model, len(content), seconds + time.perf_counter() - begin, state)


class _Dump:
    """Writes a graph as text after each pass: an observer of passes."""

    def __init__(self, folder: Path, graph: str) -> None:
        self.folder, self.graph, self.count = folder, graph, 0
        folder.mkdir(exist_ok=True)

    def __call__(self, after: Pass, graph: Graph) -> None:
        self.write(after.name, graph)

    def write(self, stage: str, graph: Graph) -> None:
        """Write the graph as it is after a stage."""
        path = self.folder / f"{self.graph}.{self.count}.{stage}.txt"
        write_atomically(path, f"{print_graph(graph)}\n".encode())
        self.count += 1
