"""Where a training step spends its time: ``python -m benchmarks.profile CASE``, node by node, as onnxruntime saw it."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.bind import bind
from archonnx.compiler.onnx_export import ORIGIN_KEY, export
from archonnx.compiler.passes.blocks import has_images
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.pipeline import elaborate, train_steps
from archonnx.compiler.program import SEED, STEP
from archonnx.compiler.steps import initial_state
from archonnx.runtime.device.blocks import machine_block
from archonnx.runtime.device.session import REDUNDANT

from .cases import CASES, THREADS, Case, argument
from .ours import spec_of

SECONDS, RUNS = 3.0, 200
"""About how long a profile runs, after a first step; and at most so many steps."""


def profile(case: Case) -> tuple[list[dict[str, Any]], int]:
    """The kernel events of some steps as they are run in training; ``origin`` says where each stands in the spec."""
    model = elaborate(spec_of(case))
    step = train_steps(model, model.programs[-1], 1, 1)[0]
    batch = case.batch()
    axes = [axis for name in step.fields for axis in zip(model.fields[name].type.shape, batch[name].shape, strict=True)]
    sizes = {dim.symbol: size for dim, size in axes if dim.symbol}
    fixed = optimise(bind(step.graph, sizes))
    exported = export(for_kernels(fixed, machine_block() if has_images(fixed) else None), target="ort")
    inputs: dict[str, Any] = dict(batch)
    for path, parameter in model.parameters.items():
        inputs[path] = interpret(parameter.initial, {SEED: 0} if SEED in parameter.initial.inputs else {})["value"]
    inputs |= initial_state(step) | {SEED: np.int64(0), STEP: np.int64(0)}
    inputs = {i.name: np.asarray(inputs[i.name]) for i in exported.graph.input}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            exported.SerializeToString(), options, ["CPUExecutionProvider"], disabled_optimizers=[*REDUNDANT]
        )
        begin, runs = time.perf_counter(), 0
        while runs < RUNS and time.perf_counter() - begin < SECONDS:
            session.run(None, inputs)
            runs += 1
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    origins = {node.name: entry.value for node in exported.graph.node for entry in node.metadata_props
               if entry.key == ORIGIN_KEY}  # fmt: skip
    kernels = [event for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]
    for event in kernels:
        event["node"] = event["name"].removesuffix("_kernel_time")
        event["origin"] = origins.get(event["node"], "")
    return kernels, runs


def show(events: list[dict[str, Any]], runs: int, top: int) -> None:
    """Time by operator and by node, in microseconds a step."""
    by_operator: Counter[str] = Counter()
    by_node: Counter[tuple[str, str, str, str]] = Counter()
    counts: Counter[str] = Counter()
    for event in events:
        operator = event["args"]["op_name"]
        by_operator[operator] += event["dur"]
        counts[operator] += 1
        shapes = " ".join(str(list(shape)) for entry in event["args"]["input_type_shape"] for shape in entry.values())
        by_node[event["node"], operator, shapes, event["origin"]] += event["dur"]
    total = sum(by_operator.values())
    print(f"{total / runs:.0f} us in {sum(counts.values()) // runs} kernels a step\n")
    for operator, duration in by_operator.most_common():
        print(f"{duration / runs:9.1f} us {duration / total:6.1%} {counts[operator] // runs:4} x {operator}")
    print()
    for (node, operator, shapes, origin), duration in by_node.most_common(top):
        print(f"{duration / runs:9.1f} us {duration / total:6.1%} {operator} {shapes}  {origin or node}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=argument, metavar="NAME", help=f"one of {', '.join(CASES)}")
    parser.add_argument("--top", type=int, default=30)
    options = parser.parse_args()
    show(*profile(options.case), options.top)
