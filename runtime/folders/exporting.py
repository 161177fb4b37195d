"""The graphs of a run as ONNX files: one by its name, all in a folder, or the model with its feed.

What this module does not do: make graphs (``runtime.export`` does), try files beside the run (``trials`` and ``raw``
do).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.opset import OPSET
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.export.artifact import Kind
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graph_named
from archonnx.runtime.export.compiled_folder import Trained, Written, compile_to
from archonnx.runtime.export.exported import ExportedModel
from archonnx.runtime.export.models import fail_without_outputs, is_portable, write_model, write_tried
from archonnx.runtime.export.raw import spec_metadata
from archonnx.runtime.training.lengths import steps_per_epoch
from archonnx.runtime.training.trainer import fail_entry

from .opened import OpenRun
from .raw import ROWS_TRIED, RawExport, RawFile
from .trials import Beside


def export_model(run: OpenRun, path: Path, entry: str | None, options: GraphOptions) -> None:
    """Write the outputs of the model, or an entry, as ONNX: what was exported with the run is copied where it fits."""
    if entry is None and options.opset == OPSET and options.target in ("onnx", "portable"):
        kept = run.model_file("model.onnx")
        if options.target == "onnx" or is_portable(kept):
            import onnx

            write_model(path, onnx.load(kept))
            return
    if entry is not None and entry not in run.model.entries:
        fail_entry(run.record["model"], entry, run.model.entries)
    export_graph(run, path, entry or "infer", options)


def export_graph(run: OpenRun, path: Path, name: str, options: GraphOptions) -> tuple[int, int]:
    """Write one graph of the model as ONNX, by its name; it is tried beside the run before it stands.

    Returns:
        The number of its nodes, and of the bytes that were written.
    """
    asked = _with_lengths(run, options)
    if name == "infer" and not run.model.infer.outputs:
        fail_without_outputs(run.model.name)
    artifact = graph_named(run.model, name, asked)
    given = _trained(run, asked)
    weights = run.parameters if artifact.holds_weights else None
    model = as_onnx(artifact, run.model, asked, weights, metadata=given.metadata, about=given.about)
    return len(model.graph.node), write_tried(path, model, lambda part: given.check(artifact, part))


def export_all(
    run: OpenRun,
    folder: Path,
    options: GraphOptions,
    *,
    kinds: Sequence[Kind],
    verify: bool,
    dump_ir: bool,
    observer: Callable[[Written], None],
) -> list[Written]:
    """Write all graphs of the model with the trained weights into a folder, each tried beside the run."""
    asked = _with_lengths(run, options)
    return compile_to(
        folder,
        run.model,
        asked,
        kinds=kinds,
        trained=_trained(run, asked),
        verify=verify,
        dump_ir=dump_ir,
        observer=observer,
    )


def export_raw(run: OpenRun, path: Path, options: GraphOptions) -> RawFile:
    """Write the model as ONNX that takes the columns of the data; it is run beside the run before it stands."""
    if run.memory is None:
        fail("AX0611", f"{run.path} does not remember its data, and cannot be exported with its feed", None)
    kept = run.model_file("model.onnx")
    if path.resolve() == kept.resolve():
        fail("AX0616", f"{path} is the model of the run, which takes its fields", None, help="choose another file")
    exact = replace(run.options, use_tf32=False)
    alone = ExportedModel.open(kept, exact)
    model, program, memory = run.narrowed
    name = run.record["name"]
    about = _about(run) | {"spec": spec_metadata(name, run.contents.file(run.record["spec"]).read_bytes())}
    return RawExport(
        model,
        program,
        memory,
        run.reader,
        lambda: run.data.loaded(program, memory),
        lambda fields: alone.predict(fields, batch_size=ROWS_TRIED, seed=0),
        run.parameters,
        exact,
        about,
    ).write(path, options)


def _with_lengths(run: OpenRun, options: GraphOptions) -> GraphOptions:
    """What is asked of graphs, with the length of the training where nothing is said of it."""
    lengths = {}
    with suppress(SpecError):  # without its rows nobody knows it
        per_epoch = steps_per_epoch(len(run.data.rows("train")), run.settings)
        if run.settings.epochs:
            lengths[run.program.name] = (run.settings.epochs * per_epoch, per_epoch)
    return replace(options, lengths=lengths)


def _trained(run: OpenRun, options: GraphOptions) -> Trained:
    """What a run gives to the files of its graphs."""
    exact = replace(run.options, use_tf32=False)
    beside = Beside(
        run.model,
        run.parameters,
        lambda count: _some_fields(run, count),
        lambda fields: OpenRun(run.path, exact).predict(fields, batch_size=ROWS_TRIED),
        lambda entry, given: OpenRun(run.path, exact).entry(entry).call(given, seed=0),
        options,
        exact,
    )

    def raw(file: Path) -> None:
        export_raw(run, file, GraphOptions("portable", options.opset))

    about = _about(run) | {key: run.record[key] for key in ("epochs", "seed", "id")}
    return Trained(run.parameters, run.record["seed"], about, run.token_metadata, beside, raw)


def _about(run: OpenRun) -> dict[str, Any]:
    """What every file says of the run."""
    classes = {name: list(names) for name, names in run.classes.items()}
    return {"classes": classes, "metrics": run.record["metrics"]}


def _some_fields(run: OpenRun, count: int) -> Mapping[str, Array]:
    """So many examples of the training, by field; they are repeated where there are fewer."""
    examples, indices = run.data.part("train")
    return examples.take(np.resize(indices, count) if count != ROWS_TRIED else indices[:count])
