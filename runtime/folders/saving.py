"""Writing run directories, whole or not at all. ``run`` says what is in one, and opens it."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.data.memory import DATA_FILE, FITTED_FILE
from archonnx.runtime.export.models import inference_model, write_model
from archonnx.runtime.files import save_parameters, write_atomically
from archonnx.runtime.reserving import Place, fail_writing, reserved, reserved_number
from archonnx.runtime.staging import staged
from archonnx.runtime.training.observing import Epoch
from archonnx.runtime.training.programs import State, Trained, label
from archonnx.runtime.training.trainer import arguments_of

from .curve import Row, training_curve
from .inputs import text_numbers
from .models import ModelRuns, holds_models
from .resume import STATE_FILE, Request, save_state
from .rows import ROWS_FILE, save_rows
from .run import FORMAT, Run

OWN = frozenset(
    {
        "spec.arch",
        "spec.yaml",
        "run.json",
        "weights.safetensors",
        ROWS_FILE,
        STATE_FILE,
        "history.jsonl",
        "curve.svg",
        DATA_FILE,
        FITTED_FILE,
        "model.onnx",
        "model.onnx.data",
        "entries",
    }
)
"""Names of what may stand in a run directory by our doing."""
MEASURED_WITH = ("archonnx", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "scikit-learn")


@contextmanager
def new_run(out: Path | None, name: str) -> Iterator[Place]:
    """Reserve the directory of a run that is to be made, before its training; ``runs/NAME-N`` where none is given.

    Raises:
        SpecError: something is there already, another process writes there, or nobody can.
    """
    with reserved_number(Path("runs"), name) if out is None else reserved(out) as place:
        if not place.fresh:
            _fail_taken(place.folder)
        yield place


def _fail_taken(out: Path) -> NoReturn:
    started = (out / STATE_FILE).is_file() and not (out / "run.json").exists()
    started = started or (holds_models(out) and not ModelRuns(out).complete)
    fail(
        "AX0614",
        f"{out} exists already" + (": it holds a training that did not end" if started else ""),
        None,
        help=f"continue it: `--resume {out}`" if started else "choose another directory: `--out runs/other`",
    )


@contextmanager
def _reserved(out: Path | Place, again: bool) -> Iterator[Place]:
    if isinstance(out, Place):
        yield out
    else:
        with reserved(out) as place:
            if not (again or place.fresh):
                _fail_taken(out)
            yield place


def save_run(
    out: Path | Place,
    spec: Spec,
    model: ModelProgram,
    trained: Sequence[Trained],
    *,
    request: Request | None = None,
    replace: bool = False,
) -> Run:
    """Write a run directory: everything beside first, then each file to its place.

    Args:
        out: where; reserved already, if it is a place.
        spec: what was trained.
        model: the same, elaborated.
        trained: its programs, in the order in which they ran; the last one left the weights.
        request: what was asked for.
        replace: take the place of the run that is there. Other files are left alone.
    """
    asked = request or Request(spec.arguments, {}, None)
    with _reserved(out, replace) as place:
        folder = place.folder
        try:
            with staged(folder, "run.json", _own_files(folder)) as part:
                _fill(part, spec, model, trained, asked)
        except OSError as error:
            fail_writing(folder, error)
    return Run(folder, trained[-1].trainer.options)


def _own_files(folder: Path) -> list[str]:
    """The files of a folder that are those of a run."""
    entries = [f"entries/{path.name}" for path in (folder / "entries").glob("*.onnx*")]
    return [*(name for name in OWN if (folder / name).is_file()), *entries]


def _fill(part: Path, spec: Spec, model: ModelProgram, trained: Sequence[Trained], request: Request) -> None:
    last = trained[-1]
    parameters = last.trainer.runner.parameters()
    name = "spec.yaml" if spec.path is not None and spec.path.suffix in (".yaml", ".yml") else "spec.arch"
    write_atomically(part / name, spec.source.text.encode())
    save_parameters(part / "weights.safetensors", parameters, {"archonnx": model.name})
    if last.memory is not None:
        last.memory.save(part)
    if last.outcome.snapshot is not None:
        save_state(part, State(trained[:-1], last.program, last.outcome.snapshot, last.memory, last.start), request)
    if last.parts is not None:
        save_rows(part / ROWS_FILE, last.parts)
    lines = [{"program": label(t.program), **epoch.as_json()} for t in trained for epoch in t.outcome.history]
    write_atomically(part / "history.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    if lines:
        write_atomically(part / "curve.svg", _curve(model.name, trained).encode())
    texts = text_numbers(model, last.program, last.memory)
    metadata = texts.metadata() if texts is not None else {}
    if model.infer.outputs:
        write_model(part / "model.onnx", inference_model(model, parameters, metadata=metadata))
    if model.entries:
        (part / "entries").mkdir()
    for entry in model.entries:
        exported = inference_model(model, parameters, entry=entry, metadata=metadata)
        write_model(part / "entries" / f"{entry}.onnx", exported)
    record = json.dumps(_record(spec, model, trained, name), indent=2)
    write_atomically(part / "run.json", f"{record}\n".encode())


def _curve(name: str, trained: Sequence[Trained]) -> str:
    rows = [
        Row(label(t.program) if len(trained) > 1 else "", _panels(t.outcome.history), t.outcome.best)
        for t in trained
        if t.outcome.history
    ]
    return training_curve(name, rows)


def _panels(history: Sequence[Epoch]) -> dict[str, dict[str, list[float]]]:
    """For each loss and metric its values, epoch by epoch, on the parts on which it was measured at all.

    Where an epoch did not measure it, there is no number.
    """
    parts = {"train": [epoch.train for epoch in history], "valid": [epoch.valid for epoch in history]}
    names = dict.fromkeys(name for epoch in history for name in (*epoch.train, *epoch.valid))
    return {
        name: {
            part: [figures.get(name, math.nan) for figures in epochs]
            for part, epochs in parts.items()
            if any(name in figures for figures in epochs)
        }
        for name in names
    }


def _record(spec: Spec, model: ModelProgram, trained: Sequence[Trained], spec_file: str) -> dict[str, Any]:
    last = trained[-1]
    programs = [program.as_json() for program in trained]
    return {
        "format": FORMAT,
        "name": spec.name,
        "model": model.name,
        "spec": spec_file,
        "path": str(spec.path.resolve()) if spec.path is not None else None,
        "arguments": dict(spec.arguments),
        "dtype": str(spec.float_type),
        "program": last.program.name,
        "settings": programs[-1]["settings"],
        "seed": last.settings.seed,
        "parameters": {path: str(parameter.type) for path, parameter in model.parameters.items()},
        "entries": {name: arguments_of(graph, model) for name, graph in model.entries.items()},
        "metrics": programs[-1]["metrics"],
        "epochs": programs[-1]["epochs"],
        "best_epoch": programs[-1]["best_epoch"],
        "stopped": programs[-1]["stopped"],
        "seconds": round(sum(program["seconds"] for program in programs), 3),
        "programs": programs,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": last.trainer.device.name,
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError

    found = {"python": platform.python_version()}
    for name in MEASURED_WITH:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
