"""Every graph of a model as ONNX files in a folder, over one file of weights: what ``archonnx compile`` writes.

The weights are a safetensors file. ``infer`` and the entries name its parts as their external data, so that they hold
the weights without a copy; the graphs of training take parameters, and what optimizers remember, as inputs. The
manifest ``graphs.json`` tells of every file, of its inputs and outputs, and of how the state of optimizers starts.

What this module does not do: run a graph, or train.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.types import Array, DType
from archonnx.compiler.onnx_export import export, refer_to_weights
from archonnx.compiler.passes.manager import Pass, optimise
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.program import OPSET, STEP, Assumption, ModelProgram, TrainProgram
from archonnx.compiler.steps import initial_state
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.assumptions import as_metadata, of_graph
from archonnx.runtime.data.batch import batch_symbol
from archonnx.runtime.files import save_parameters, stored_places, whole_folder, write_atomically
from archonnx.runtime.training.trainer import EVALUATION_STEP, initial_values

WEIGHTS, MANIFEST, IR = "weights.safetensors", "graphs.json", "ir"
TURN = 3e-4
"""Seconds of a thread's turn while weights are drawn and graphs are lowered."""
INSIDE = frozenset({DType.bf16})
"""Element types that NumPy lacks: weights of these lie in the file as f32."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """What is asked of a compilation.

    Attributes:
        target: ``portable`` keeps to ai.onnx operators, ``ort`` may use onnxruntime's own.
        opset: version of the ai.onnx operators.
        batch_size: fixes the number of rows in the training steps; symbolic otherwise.
        steps: number of training steps, for schedules that need it.
        steps_per_epoch: likewise.
        seed: of the initial weights.
        verify: check every graph before the first pass and after each.
        dump_ir: write every graph as text, as it was built and after each pass.
    """

    target: Literal["portable", "ort"] = "portable"
    opset: int = OPSET
    batch_size: int | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None
    seed: int = 0
    verify: bool = False
    dump_ir: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A graph that has been written.

    Attributes:
        name: of the graph.
        file: of its ONNX model, without the weights.
        nodes: in it.
        size: of the file in bytes.
        seconds: that it took to build, optimise, lower, check and write.
        inputs: the types of its inputs by name.
        outputs: likewise.
        state: what a training step carries from one execution to the next, besides parameters, and what fills it at the
            start: a number, or the name of the file that holds it.
    """

    name: str
    file: str
    nodes: int
    size: int
    seconds: float
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    state: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights of a model lie: ``places`` in the file, or ``inside`` each graph that uses them."""

    places: Mapping[str, tuple[int, int]]
    inside: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class _Job:
    """A graph to be written; ``seconds`` have gone into it already."""

    name: str
    graph: Graph
    assumed: tuple[Assumption, ...]
    weights: bool = False
    """Whether it holds the weights."""
    state: Mapping[str, Array] = field(default_factory=dict)
    seconds: float = 0.0


def compile_to(
    out: Path, model: ModelProgram, options: CompileOptions, observer: Callable[[Written], None] = lambda _: None
) -> list[Written]:
    """Write the weights and every graph of a model: ``infer``, the entries, ``evaluate`` and each training step.

    Args:
        out: the folder; an earlier compilation that stands there is replaced, anything else is not.
        model: what to compile.
        options: how.
        observer: is told of each graph when it is written.

    Raises:
        SpecError: there is something else at ``out``, or a graph cannot be written.
    """
    check_free(out)
    with whole_folder(out) as part, _short_turns(), ThreadPoolExecutor(1) as background:
        drawn = background.submit(initial_values, model.parameters, options.seed)
        jobs = list(_jobs(model, options))
        stored = background.submit(_store, part / WEIGHTS, model, drawn, jobs)
        written = {}
        for job in sorted(jobs, key=lambda job: job.weights):  # those that hold no weights need not wait for them
            written[job.name] = _write(part, job, model.name, stored, options)
            observer(written[job.name])
        stored.result()
        manifest = {
            "archonnx": version("archonnx"),
            "model": model.name,
            "weights": WEIGHTS,
            "seed": options.seed,
            "graphs": {job.name: asdict(written[job.name]) for job in jobs},
        }
        write_atomically(part / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return [written[job.name] for job in jobs]


@contextmanager
def _short_turns() -> Iterator[None]:
    """Threads let others have the interpreter soon: those that draw weights need it often, and briefly."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _store(path: Path, model: ModelProgram, drawn: Future[dict[str, Array]], jobs: Sequence[_Job]) -> Weights:
    """Write the initial weights, and what the steps start from that is no single number."""
    values = dict(drawn.result())
    values |= {name: array for job in jobs for name, array in job.state.items() if _filling(array) is None}
    save_parameters(path, values, {"archonnx": model.name})
    places = stored_places(path)
    rounded = {name: values[name] for name, parameter in model.parameters.items() if parameter.type.dtype in INSIDE}
    return Weights({name: place for name, place in places.items() if name not in rounded}, rounded)


def check_free(out: Path) -> None:
    """SpecError if there is something at ``out`` that no compilation wrote."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (out / MANIFEST).is_file():
        fail(
            "AX0614",
            f"{out} exists already, and no `archonnx compile` wrote it",
            None,
            help="choose another folder: `-o build/other`",
        )


def _jobs(model: ModelProgram, options: CompileOptions) -> Iterator[_Job]:
    if model.infer.outputs:
        yield _Job("infer", model.infer, of_graph(model.infer, model.assumptions), weights=True)
    for name, graph in model.entries.items():
        yield _Job(name, graph, model.entry_assumptions.get(name, ()), weights=True)
    if model.evaluate.outputs:
        yield _Job("evaluate", model.evaluate, of_graph(model.evaluate, model.assumptions))
    for program in model.programs:
        sizes = _sizes(model, program, options.batch_size)
        begin = time.perf_counter()
        for index, step in enumerate(train_steps(model, program, options.steps, options.steps_per_epoch)):
            name = ".".join(["train_step", *[program.name] * bool(program.name), *[str(index)] * bool(index)])
            graph, now = bind(step.graph, sizes), time.perf_counter()
            yield _Job(name, graph, of_graph(graph, model.assumptions), state=initial_state(step), seconds=now - begin)
            begin = now


def _sizes(model: ModelProgram, program: TrainProgram, batch_size: int | None) -> dict[str, int]:
    """What the number of rows is bound to."""
    if batch_size is None:
        return {}
    fields = {name: field.type for name, field in model.fields.items() if name not in program.whole}
    symbol = batch_symbol(fields)
    if symbol is None:
        headline = f"a batch size of {batch_size}, and no input of {model.name} has a symbolic number of rows"
        fail("AX0506", headline, None, help="leave the batch size out")
    return {symbol: batch_size}


def _filling(array: Array) -> float | None:
    """The number of which an array consists, if it is one."""
    first = array.reshape(-1)[:1]
    return float(first[0]) if first.size and bool((array == first).all()) else None


def _write(part: Path, job: _Job, model: str, stored: Future[Weights], options: CompileOptions) -> Written:
    begin = time.perf_counter()
    dump = _Dump(part / IR, job.name) if options.dump_ir else None
    if dump is not None:
        dump.write("built", job.graph)
    graph = optimise(job.graph, verify=options.verify, observer=dump)
    judged = not job.name.startswith("train_step")
    fixed: dict[str, Array] = {STEP: np.array(EVALUATION_STEP, np.int64)} if judged and STEP in graph.inputs else {}
    if job.weights:
        fixed |= {path: array for path, array in stored.result().inside.items() if path in graph.inputs}
    metadata = {"archonnx.model": model, **as_metadata(job.assumed)}
    exported = export(graph, target=options.target, constants=fixed, metadata=metadata, opset=options.opset)
    if job.weights:
        refer_to_weights(exported, WEIGHTS, stored.result().places)
    content, file = exported.SerializeToString(), f"{job.name}.onnx"
    write_atomically(part / file, content)
    state = {name: _filling(array) for name, array in job.state.items()}
    return Written(
        name=job.name,
        file=file,
        nodes=len(exported.graph.node),
        size=len(content),
        seconds=job.seconds + time.perf_counter() - begin,
        inputs={value.name: str(graph.inputs[value.name].type) for value in exported.graph.input},
        outputs={name: str(value.type) for name, value in graph.outputs.items()},
        state={name: WEIGHTS if value is None else value for name, value in state.items()},
    )


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
