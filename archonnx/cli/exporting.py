"""What ``compile`` and ``export`` share: a spec or a run, whose graphs are written.

What this module does not do: make graphs (``runtime.export`` does).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import is_run, read_spec
from .telling import tell

if TYPE_CHECKING:
    from archonnx.runtime.export.artifact import Kind
    from archonnx.runtime.export.artifacts import GraphOptions
    from archonnx.runtime.export.compiled_folder import Written
    from archonnx.runtime.folders.run import Run


def run_named(what: str, dtype: str | None = None, given: Mapping[str, Any] | None = None) -> Run | None:
    """The run of this name, if it is one; SpecError if it is asked for what a run has decided."""
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.folders.run import Run

    run = Run(what) if is_run(what) else None
    if run is not None and dtype not in (None, run.dtype):
        fail("AX0621", f"{what} was trained in {run.dtype}, and is exported in it", None, help="leave `--dtype` out")
    if run is not None and given:
        name = next(iter(given))
        said = f"`{name}` was decided when {what} was trained, and cannot be another"
        fail("AX0621", said, None, help="leave `--arg` out")
    return run


def write_folder(
    what: str,
    output: Path,
    options: GraphOptions,
    given: Mapping[str, Any],
    dtype: str | None,
    model: str | None,
    kinds: Sequence[Kind],
    *,
    seed: int = 0,
    verify: bool = False,
    dump_ir: bool = False,
) -> None:
    """Write the graphs of a spec or a run into a folder, and say what was written."""
    from archonnx.compiler.pipeline import elaborate
    from archonnx.grammar.diagnostics import fail
    from archonnx.runtime.export.compiled_folder import MANIFEST, WEIGHTS, check_free, compile_to

    if output.suffix in (".onnx", ".ort"):
        fail(
            "AX0505",
            f"{output.name} is named as a file, and a folder of graphs is written",
            None,
            help=f"`archonnx export {what} -o {output}` writes one graph; a folder is `-o {output.with_suffix('')}`",
        )
    check_free(output)
    again = (output / MANIFEST).exists()
    run = run_named(what, dtype, given)
    if run is not None:
        run.export_all(output, options, kinds=kinds, verify=verify, dump_ir=dump_ir, observer=_tell)
        count = sum(array.size for array in run.parameters.values())
    else:
        program = elaborate(read_spec(what, given, dtype, model))
        compile_to(output, program, options, kinds=kinds, seed=seed, verify=verify, dump_ir=dump_ir, observer=_tell)
        count = program.parameter_count
    for name, reason in json.loads((output / MANIFEST).read_text("utf-8"))["unwritten"].items():
        tell(f"{name}: not written: {reason}")
    weights = output / WEIGHTS
    tell(f"{weights}: {count:,} parameters, {weights.stat().st_size / 1e6:.2f} MB")
    if again:
        tell(f"{output}: an earlier export was there, and has been replaced")


def _tell(graph: Written) -> None:
    tell(f"{graph.name}: {graph.nodes:,} nodes, {graph.size / 1e6:.2f} MB, {graph.seconds:.2f} s")
