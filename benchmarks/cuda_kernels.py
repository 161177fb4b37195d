"""Which nodes onnxruntime's CUDA provider would take, found without a GPU: ``python -m benchmarks.cuda_kernels``.

onnxruntime places the nodes of a graph before it computes anything, so a CUDA that does nothing is enough to ask it.
Its CUDA provider is loaded with stand-ins of the libraries that it needs, made by gcc, whose every function returns 0;
each case of the table of ops is opened as a session, and the log says where its nodes were placed. What is printed
is what ``compiler/portability.py`` records as ``WITHOUT_CUDA``; a test compares both. What this does not do: run a
kernel, or say that one computes well.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from archonnx.compiler.ir.bind import bind
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.value import Value
from archonnx.compiler.lowering import lower
from archonnx.compiler.onnx_export import export
from archonnx.compiler.portability import typed
from tests.support.op_cases import Case, cases

SPECIAL = {
    "cudaGetDeviceCount": "int cudaGetDeviceCount(int *count) { *count = 1; return 0; }",
    "cudaGetDevice": "int cudaGetDevice(int *device) { *device = 0; return 0; }",
    "cudaMemGetInfo": "int cudaMemGetInfo(size_t *free, size_t *all) { *free = *all = 1ul << 33; return 0; }",
    "cudaMalloc": "int cudaMalloc(void **p, size_t n) { *p = malloc(n); return 0; }",
    "cudaGetErrorString": 'const char *cudaGetErrorString(int e) { return "a stand-in"; }',
    "cudaGetErrorName": 'const char *cudaGetErrorName(int e) { return "a stand-in"; }',
}
"""Functions of CUDA whose results are looked at."""
PLACED = re.compile(r"\[V:onnxruntime:case(\d+), session_state.*?\] +(.*)$", re.MULTILINE)


def provider() -> Path | None:
    """The CUDA provider of the installed onnxruntime, if it has one and this machine can make stand-ins."""
    spec = find_spec("onnxruntime")
    if spec is None or spec.origin is None or not all(map(shutil.which, ("gcc", "nm"))):
        return None
    library = Path(spec.origin).parent / "capi" / "libonnxruntime_providers_cuda.so"
    return library if library.exists() else None


def make_stand_ins(library: Path, folder: Path) -> None:
    """Libraries with every function that the provider wants of CUDA, by the names and versions it asks for."""
    listed = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
    wanted: dict[str, list[str]] = defaultdict(list, {"libcurand.so.10": [], "libcuda.so.1": []})
    for name, _, version in (line.split()[-1].partition("@") for line in listed.stdout.splitlines()):
        if version.startswith("libcu"):
            wanted[version].append(name)
        elif not version and name.startswith("cu"):
            wanted["libcuda.so.1"].append(name)
    for soname, names in wanted.items():
        code = ["#include <stdlib.h>", *(SPECIAL.get(name, f"long {name}() {{ return 0; }}") for name in names)]
        (folder / "stand_in.c").write_text("\n".join(code))
        (folder / "versions").write_text(f"{soname} {{ global: *; }};\n")
        versioned = ["-Wl,--version-script=versions"] if soname not in ("libcuda.so.1", "libcurand.so.10") else []
        command = ["gcc", "-w", "-shared", "-fPIC", "-o", soname, "stand_in.c", f"-Wl,-soname,{soname}", *versioned]
        subprocess.run(command, cwd=folder, check=True)


def graph_of(case: Case) -> Graph:
    """The op of a case alone, with known sizes."""
    inputs = {f"x{i}": Value(a.type, f"x{i}") for i, a in enumerate(case.inputs)}
    builder = Builder()
    outputs = builder.add_many(case.op, *inputs.values())
    return bind(builder.graph("case", inputs, {f"y{i}": y for i, y in enumerate(outputs)}), {"B": case.sizes[0]})


def open_all(folder: str) -> None:
    """Open a session for each model in a folder; where its nodes are placed goes to the log. None gets further."""
    import onnxruntime

    for path in Path(folder).glob("*.onnx"):
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.logid = 0, f"case{path.stem}"
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        try:
            onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
        except Exception as stand_in:  # the first thing that needs a real GPU
            assert "cuda" in str(stand_in).lower() or "cudnn" in str(stand_in).lower(), f"{path.stem}: {stand_in}"


def opened(library: Path, models: Iterable[bytes]) -> str:
    """The log of onnxruntime as it opens models one after the other; each is a case of its number."""
    with tempfile.TemporaryDirectory() as folder:
        make_stand_ins(library, Path(folder))
        for number, model in enumerate(models):
            (Path(folder) / f"{number}.onnx").write_bytes(model)
        environment = {**os.environ, "LD_LIBRARY_PATH": folder}
        code = f"from benchmarks.cuda_kernels import open_all; open_all({folder!r})"
        root = Path(__file__).parents[1]
        log = subprocess.run(
            [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, errors="replace"
        )
    assert log.returncode == 0, log.stderr[-2000:]
    assert "placed on [CUDAExecutionProvider]" in log.stderr, "the CUDA provider was not loaded"
    return log.stderr


def on_cpu(log: str) -> Iterator[tuple[int, str]]:
    """Case and operator of each node that was left to the CPU."""
    where = ""
    for number, text in PLACED.findall(log):
        if "placed on [" in text:
            where = text.partition("[")[2].partition("]")[0]
            if text.startswith("All nodes"):
                yield from ((int(number), "*") for _ in range(where == "CPUExecutionProvider"))
        elif where == "CPUExecutionProvider" and (node := re.match(r"(\w+) \(", text)):
            yield int(number), node[1]


def measured(library: Path) -> set[tuple[str, str]]:
    """Operators and dtypes that have no kernel on CUDA, of all that the cases of ops are lowered to."""
    log = opened(library, (export(graph_of(case), check=False).SerializeToString() for case in cases()))
    table, found = cases(), set()
    for number, operator in on_cpu(log):
        graph = graph_of(table[number])
        for node, dtype in typed(lower(graph, portable=True), graph):
            if operator in ("*", node.op_type):
                found.add((node.op_type, str(dtype)))
    return found


if __name__ == "__main__":
    where = provider()
    if where is None:
        sys.exit("gcc, nm and an onnxruntime with CUDA are needed")
    by_operator: dict[str, list[str]] = defaultdict(list)
    for operator, dtype in sorted(measured(where)):
        by_operator[operator].append(dtype)
    for operator, dtypes in by_operator.items():
        print(f'"{operator}": "{" ".join(dtypes)}",')
