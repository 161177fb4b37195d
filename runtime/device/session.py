"""Opening sessions: a graph of the compiler, or an ONNX file, made ready to run.

A failure inside onnxruntime is shown at the line of the spec from which the failing node came. What this module does
not do: know what a graph is for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archonnx.compiler.blockwise import GIVEN
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.types import Array
from archonnx.compiler.mixed import Precision, Products
from archonnx.compiler.onnx_export import ORIGIN_KEY, PATH_KEY, export
from archonnx.compiler.passes.blocks import has_images
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.passes.recompute import recomputed
from archonnx.compiler.portability import missing_kernels
from archonnx.grammar.diagnostics import Diagnostic, Label, Report, SpecError

from .blocks import machine_block
from .devices import FATAL, Device, DeviceName, choose_device, onnxruntime_module

if TYPE_CHECKING:
    import onnx
    import onnxruntime

THREADS: int | None = None
"""CPU threads of a session whose options do not say; None: onnxruntime's choice, a thread for each core."""
DOUBLE = 11
"""ONNX's code of f64, here so that onnx need not be imported for it."""
PLANNED = 16 * 2**20
"""Bytes of results from which a graph's memory is not laid out. onnxruntime does so in the second run, beside what it
took piece by piece in the first: twice the memory, and a plan takes a fifth more than pieces (a step of ResNet-18:
1,618 MB after 1,342). It saves a tenth of the time where steps take 0.1 ms. Nor is a tensor kept there for a later one
of its size, which it is if onnxruntime may plan so (ResNet-18 at a batch of 4: 449 MB, and 379 without)."""
REDUNDANT = [
    "CommonSubexpressionElimination", "AttentionFusion", "BiasDropoutFusion", "DoubleQDQPairsRemover",
    "DynamicQuantizeMatMulFusion", "EmbedLayerNormFusion", "EnsureUniqueDQForNodeUnit", "GroupQueryAttentionFusion",
    "MatMulIntegerToFloatFusion", "MatMulNBitsFusion", "NhwcTransformer", "QDQFinalCleanupTransformer",
    "QDQPropagationTransformer", "QDQS8ToU8Transformer", "QDQSelectorActionTransformer",
    "SliceConcatToSpaceToDepthFusion", "WeightBiasQuantization", "WhereDummyDq",
]  # fmt: skip
"""Optimisers of onnxruntime that find nothing in our graphs: they look for quantised tensors, for Dropout, for forms of
other exporters; and our passes have merged what is equal. Each goes over the whole graph twice or more: without them a
session of 4,000 nodes is made in 0.59 s instead of 0.80."""


ROUNDING = ["MatMulScaleFusion"]
"""Optimisers of onnxruntime that make an attribute of a factor: it is f32, which f64 is not to pass through."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Where and how models run. ``threads`` is the number of CPU threads (``THREADS`` if None)."""

    device: DeviceName = "auto"
    threads: int | None = None
    use_tf32: bool = True
    profile: Path | None = None
    """What files begin with in which sessions note how long each kernel takes; None: they note nothing."""
    rests: bool = False
    """Whether a session's threads sleep as soon as a run ends: otherwise they wait awake for the next one, up to some
    milliseconds, and keep others from the cores."""
    precision: Precision = "f32"
    """In what products and convolutions of f32 are computed. The CPU has none of bf16, and computes them of rounded
    numbers, by the graph that a GPU is given: the same but for the order of sums, and slower than f32."""


def threads_of(options: SessionOptions) -> int:
    """How many CPU threads a session has; onnxruntime's own choice is a thread for each core that it may use."""
    chosen = THREADS if options.threads is None else options.threads
    return chosen or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Session:
    """A model ready to run."""

    handle: onnxruntime.InferenceSession
    device: Device
    origins: Mapping[str, str]
    """By name of ONNX node: where in the spec it came from."""
    graph: Graph | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    """By name of ONNX node: the module in which it stands."""

    def binding(self) -> onnxruntime.IOBinding:
        """A new, empty binding."""
        return self.handle.io_binding()

    def run(self, binding: onnxruntime.IOBinding) -> None:
        """Run once; SpecError if onnxruntime fails."""
        try:
            self.handle.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's exceptions have no base of their own
            raise self.explained(error) from error

    def runs(self, binding: onnxruntime.IOBinding) -> Callable[[], None]:
        """What runs once, as directly as can be; where that fails, ``explained`` says why."""
        return partial(self.handle.run_with_iobinding, binding)

    def explained(self, error: Exception) -> SpecError:
        """An error of onnxruntime, at the line of the spec from which the failing node came."""
        return SpecError(Report([_explained(error, self.device, self.origins, self.graph)]))


def _explained(error: Exception, device: Device, origins: Mapping[str, str], graph: Graph | None) -> Diagnostic:
    """What went wrong, at the line of the spec if the message names a node."""
    named = re.search(r"Name:\s*'([^']*)'|[Nn]ode\s*\(([^)]*)\)", str(error))
    origin = origins.get((named[1] or named[2]) if named else "")
    labels: tuple[Label, ...] = ()
    if origin is not None and graph is not None:
        found = {node.origin for node in graph.nodes if str(node.origin) == origin}
        places = {at.place for at in found} if len({at.place for at in found}) == 1 else {at.span for at in found}
        role = next((at.role for at in found if at.role), "here")
        labels = tuple(Label(place, role, primary=True) for place in places if place is not None)
    headline = f"onnxruntime cannot run this on {device.name}: {_cleaned(str(error))}"
    return Diagnostic("AX0612", headline, labels, (f"in the {origin}",) if origin is not None else ())


def rewrite_help(path: Path) -> str:
    """How to write a model of a run again."""
    graph, run = ("", path.parent) if path.name == "model.onnx" else (f" --graph {path.stem}", path.parent.parent)
    return f"write it again from the weights of the run: `archonnx export {run}{graph} -o {path}`"


def _unreadable(error: Exception, path: Path) -> Diagnostic | None:
    """What is wrong with a file that is not a model, or has lost its weights; None where it is something else."""
    text = str(error)
    beside = path.with_name(f"{path.name}.data")
    if "external data" in text.lower() and not beside.exists():
        return Diagnostic(
            "AX0509",
            f"the weights of {path} are missing: there is no {beside.name} beside it",
            help="copy or move the two files together",
        )
    if "INVALID_PROTOBUF" in text or "ModelProto does not have a graph" in text:
        return Diagnostic("AX0507", f"{path} is not an ONNX file, or is damaged", help=rewrite_help(path))
    return None


def _cleaned(message: str) -> str:
    """An onnxruntime message without the places in its own source."""
    text = re.sub(r"\s+", " ", message)
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^(Error in execution: )?Non-zero status code returned while running .*?Status Message: ", "", text)
    return re.sub(r"/\S+\.(?:cc|h|cu):\d+ (?:[^:]*::)*[\w~<>, ]*\([^)]*\)(?: const)? ?", "", text).strip()


# ---------------------------------------------------------------- opening


def open_graph(
    graph: Graph, dims: Mapping[str, int], options: SessionOptions, *, losses: Collection[str] = ()
) -> Session:
    """A session for a graph with these dims fixed: the compiler's last stages, then onnxruntime."""
    chosen = for_machine(graph, dims, options, losses=losses)
    if choose_device(options.device).name == "cpu":
        missing_kernels(chosen).finish()
    return open_exported(chosen, options, planned=results_bytes(chosen) < PLANNED)


def for_machine(
    graph: Graph, dims: Mapping[str, int], options: SessionOptions, *, losses: Collection[str] = ()
) -> Graph:
    """The graph that runs here, with these dims fixed. ``losses`` are those of its outputs that it follows."""
    fixed = optimise(bind(graph, dims) if dims else graph)
    on_cpu = choose_device(options.device).name == "cpu"
    mixed = options.precision != "f32"
    block = machine_block() if on_cpu and not mixed and has_images(fixed) else None
    chosen = for_kernels(fixed, block, cpu=on_cpu, mixed=mixed)
    if results_bytes(chosen) < PLANNED:
        return chosen
    return recomputed(chosen, losses, [name for name in chosen.outputs if name.startswith(GIVEN)])


def left_of(graph: Graph) -> onnx.ModelProto:
    """What onnxruntime's optimisations for the CPU leave of a graph as it is run."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        settings, path = onnxruntime_module().SessionOptions(), Path(folder) / "left.onnx"
        settings.log_severity_level, settings.optimized_model_filepath = FATAL, str(path)
        model = export(graph, target="ort", check=False)
        onnxruntime_module().InferenceSession(
            model.SerializeToString(),
            settings,
            providers=_providers(Device("cpu"), SessionOptions()),
            disabled_optimizers=_disabled(model),
        )
        return onnx.load(path)


def results_bytes(graph: Graph) -> int:
    """The bytes of all results of a graph, as far as their shapes are known."""
    types = [value.type for node in graph.nodes for value in node.outputs]
    return sum(prod(type_.static_shape or (0,)) * type_.dtype.numpy.itemsize for type_ in types)


def open_exported(graph: Graph, options: SessionOptions, *, planned: bool = True) -> Session:
    """A session for a graph as it is."""
    model = export(graph, target="ort", check=False, products=_products(options))
    said = _said(model, ORIGIN_KEY), _said(model, PATH_KEY)
    for node in model.graph.node:  # onnxruntime would keep it as well: 1.2 kB a node
        del node.metadata_props[:]
    return open_session(model, options, graph, planned=planned, said=said)


def _products(options: SessionOptions) -> Products:
    """How the products of a graph are written."""
    return (
        "rounded" if options.precision == "bf16" and choose_device(options.device).name == "cpu" else options.precision
    )


def open_session(
    model: onnx.ModelProto | Path,
    options: SessionOptions,
    graph: Graph | None = None,
    *,
    planned: bool = True,
    said: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> Session:
    """A session for a model. ``graph``, from which it was made, lets failures be shown at the lines of the spec.

    A file may have its weights beside it. ``planned`` says whether memory is laid out after the first run. ``said``
    are the origins and the paths of nodes, by their names.
    """
    ort = onnxruntime_module()
    device = choose_device(options.device)
    settings = ort.SessionOptions()
    settings.log_severity_level = FATAL
    if options.rests:
        settings.add_session_config_entry("session.force_spinning_stop", "1")
    settings.enable_mem_pattern = settings.enable_mem_reuse = planned
    threads = THREADS if options.threads is None else options.threads
    if threads is not None:
        settings.intra_op_num_threads = threads
    content = str(model) if isinstance(model, Path) else model.SerializeToString()
    origins, paths = said
    if options.profile is not None:
        settings.enable_profiling, settings.profile_file_prefix = True, str(options.profile)
    try:
        handle = ort.InferenceSession(
            content,
            settings,
            providers=_providers(device, options),
            disabled_optimizers=[] if isinstance(model, Path) else _disabled(model),
        )
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        found = _unreadable(error, model) if isinstance(model, Path) else None
        raise SpecError(Report([found or _explained(error, device, origins, graph)])) from error
    return Session(handle, device, origins, graph, paths)


def write_ort(source: Path, path: Path) -> None:
    """Write an ONNX file as onnxruntime's own format has it, optimised, in forms that no one machine's kernels need."""
    ort = onnxruntime_module()
    settings = ort.SessionOptions()
    settings.log_severity_level = FATAL
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    settings.optimized_model_filepath = str(path)
    settings.add_session_config_entry("session.save_model_format", "ORT")
    try:
        ort.InferenceSession(str(source), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise SpecError(Report([_explained(error, choose_device("cpu"), {}, None)])) from error


def _disabled(model: onnx.ModelProto) -> list[str]:
    """What onnxruntime shall not do to a model of ours."""
    double = any(given.type.tensor_type.elem_type == DOUBLE for given in model.graph.input)
    return [*REDUNDANT, *ROUNDING] if double else REDUNDANT


def _said(model: onnx.ModelProto, key: str) -> dict[str, str]:
    """What the metadata of nodes say, by their names: of many nodes the same."""
    told = ((node.name, entry.value) for node in model.graph.node for entry in node.metadata_props if entry.key == key)
    return {name: sys.intern(value) for name, value in told}


def _providers(device: Device, options: SessionOptions) -> list[Any]:
    cpu = "CPUExecutionProvider"
    return [("CUDAExecutionProvider", {"use_tf32": int(options.use_tf32)}), cpu] if device.name == "cuda" else [cpu]


def give_back() -> None:
    """Give the system what was freed, as far as the C library would keep it: GNU's does where something lies behind it.

    Compiling MobileNetV2 leaves 7 MB so, which no step would take: onnxruntime asks for regions of its own.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # other C libraries have no such function
            ctypes.CDLL(None).malloc_trim(0)


# ---------------------------------------------------------------- buffers


class Buffer:
    """Memory for one tensor on a device. On the CPU, NumPy and onnxruntime look at the same memory."""

    __slots__ = ("_shared", "value")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic], device: str) -> None:
        self.value = onnxruntime_module().OrtValue.ortvalue_from_shape_and_type(shape, dtype.type, device, 0)
        self._shared: Array | None = self.value.numpy() if device == "cpu" else None

    @staticmethod
    def of(array: Array, device: str) -> Buffer:
        """A buffer that holds a copy of an array."""
        buffer = Buffer(array.shape, array.dtype, device)
        buffer.write(array)
        return buffer

    @staticmethod
    def over(memory: Array) -> Buffer:
        """Memory of somebody else's on the CPU."""
        buffer = Buffer.__new__(Buffer)
        buffer._shared, buffer.value = memory, shared_value(memory)
        return buffer

    def write(self, array: Array) -> None:
        """Replace the content by an array of the same shape and type."""
        if self._shared is not None:
            self._shared[...] = array
        else:
            self.value.update_inplace(np.asarray(array, order="C"))

    def read(self) -> Array:
        """A copy of the content."""
        if self._shared is not None:
            return self._shared.copy()
        copied: Array = self.value.numpy()
        return copied

    @property
    def host(self) -> Array:
        """The content itself; only for buffers on the CPU."""
        assert self._shared is not None, "the buffer is on a device"
        return self._shared


def shared_value(array: Array) -> onnxruntime.OrtValue:
    """An array in memory as onnxruntime sees it, in the same place."""
    return onnxruntime_module().OrtValue.ortvalue_from_numpy(array)


def bound(session: Session, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> onnxruntime.IOBinding:
    """A binding of values already on their devices."""
    binding = session.binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    for name, value in outputs.items():
        binding.bind_ortvalue_output(name, value)
    return binding


def call(session: Session, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """Run once on arrays and device values; every output as an array."""
    binding = session.binding()
    for name, value in inputs.items():
        if isinstance(value, np.ndarray):
            binding.bind_cpu_input(name, np.asarray(value, order="C"))
        else:
            binding.bind_ortvalue_input(name, value)
    names = [output.name for output in session.handle.get_outputs()]
    for name in names:
        binding.bind_output(name, "cpu")
    session.run(binding)
    return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True))
