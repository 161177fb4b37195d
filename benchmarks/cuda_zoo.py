"""Which nodes of the zoo's training steps CUDA would leave to the CPU: ``python -m benchmarks.cuda_zoo [SPEC ...]``.

Every step of every program is put as for a GPU, once in f32 and once with ``precision = bf16``, and opened by
onnxruntime's CUDA provider on stand-ins (``benchmarks.cuda_kernels``), which places nodes before anything is computed.
What this does not do: run a kernel.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from archonnx.compiler.ir.bind import bind
from archonnx.compiler.mixed import Precision
from archonnx.compiler.onnx_export import export
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.compiler.passes.manager import optimise
from archonnx.compiler.pipeline import elaborate, load, train_steps, zoo
from archonnx.compiler.program import TrainStep
from archonnx.grammar.diagnostics import SpecError

from .corpus import DEEP
from .cuda_kernels import on_cpu, opened, provider

STEPS, ROWS = 1_000, 8
"""Of a training, for schedules; and the size of every open dim."""


def main() -> int:
    """Print what is left to the CPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda_zoo", description=__doc__)
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="of the zoo; all but deep ones unless given")
    specs = parser.parse_args().specs or names()
    if unknown := [name for name in specs if name not in zoo()]:
        parser.error(f"the zoo has no {unknown[0]}")
    library = provider()
    if library is None:
        print("gcc, nm and an onnxruntime with CUDA are needed")
        return 1
    for precision in ("f32", "bf16"):
        found = left_to_cpu(library, specs, precision)
        steps = len(found)
        kept = {step: operators for step, operators in found.items() if operators}
        print(f"{precision}: {steps} steps, {len(kept)} of them with nodes on the CPU")
        for step, operators in kept.items():
            print(f"  {step}: {', '.join(f'{count} {operator}' for operator, count in sorted(operators.items()))}")
    return 0


def names() -> list[str]:
    """The zoo's specs that train, but for deep ones that have nothing that others have not."""
    return [name for name in zoo() if name not in DEEP]


def steps_of(spec: str) -> Iterator[tuple[str, TrainStep]]:
    """The steps of all programs of a spec, by the name of the spec and numbers; none where data must decide first."""
    try:
        model = elaborate(load(spec))
    except SpecError:
        return
    for program in model.programs:
        for step in train_steps(model, program, STEPS, STEPS):
            yield f"{spec}.{program.name or 'train'}.{len(step.losses)}", step


def written(step: TrainStep, precision: Precision) -> bytes:
    """The model of a step as a GPU would be given it."""
    fixed = optimise(bind(step.graph, dict.fromkeys(step.graph.all_symbols(), ROWS)))
    chosen = for_kernels(fixed, cpu=False, mixed=precision == "bf16")
    content: bytes = export(chosen, target="ort", check=False, products=precision).SerializeToString()
    return content


def left_to_cpu(library: Path, specs: Sequence[str], precision: Precision) -> dict[str, Counter[str]]:
    """By step the operators that are left to the CPU, with how many nodes there are of each."""
    steps = [(name, written(step, precision)) for spec in specs for name, step in steps_of(spec)]
    found = {f"{name} #{number}": Counter[str]() for number, (name, _) in enumerate(steps)}
    keys = list(found)
    for number, operator in on_cpu(opened(library, [model for _, model in steps])):
        found[keys[number]][operator] += 1
    return found


if __name__ == "__main__":
    sys.exit(main())
