"""Run directories: what a training leaves behind, written whole or not at all, and opened again.

    spec.arch             the spec as it was trained (spec.yaml for a YAML spec)
    run.json              name, arguments, settings, seed, versions, figures, times
    weights.safetensors   the parameters, by path
    state.safetensors     all that it takes to continue
    history.jsonl         a line an epoch
    curve.svg             the same as a picture
    model.onnx            the outputs of the model, any batch size, weights inside (or beside it, if they are large)
    entries/NAME.onnx     the same for each entry

What this module does not do: train (``training`` does).
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.program import OPSET, STEP, ModelProgram, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import fail

from .assumptions import as_metadata, of_graph
from .checkpoint import load_parameters, save_parameters, whole_folder, write_atomically, write_model
from .curve import Row, training_curve
from .exported import ExportedModel
from .fit import Epoch
from .resume import DEFAULT_DTYPE, STATE_FILE, Request, save_state
from .session import Options
from .trainer import EVALUATION_STEP, Trainer, arguments_of, fail_entry
from .training import State, Trained, label

if TYPE_CHECKING:
    import onnx

    from archonnx.compiler.pipeline import Spec

    from .data import Examples, Indices
    from .set_metrics import Confusion

FORMAT = 2
"""Of ``run.json``."""
OWN = frozenset(
    {
        "spec.arch",
        "spec.yaml",
        "run.json",
        "weights.safetensors",
        STATE_FILE,
        "history.jsonl",
        "curve.svg",
        "model.onnx",
        "model.onnx.data",
        "entries",
    }
)
"""Names of what may stand in a run directory by our doing."""
MEASURED_WITH = ("archonnx", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "scikit-learn")
PartName = Literal["train", "valid", "test"]


# ---------------------------------------------------------------- writing


def check_free(out: Path) -> None:
    """SpecError if a run cannot be written there; to be asked before training rather than after it."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        started = (out / STATE_FILE).is_file() and not (out / "run.json").exists()
        fail(
            "AX0614",
            f"{out} exists already" + (": it holds a training that did not end" if started else ""),
            None,
            help=f"continue it: `--resume {out}`" if started else "choose another directory: `--out runs/other`",
        )
    ancestor = next(parent for parent in out.absolute().parents if parent.exists())
    if not ancestor.is_dir() or not os.access(ancestor, os.W_OK):
        reason = "you may not write there" if ancestor.is_dir() else "it is no folder"
        fail("AX0616", f"cannot write in {ancestor}: {reason}", None)


def save_run(
    out: Path,
    spec: Spec,
    model: ModelProgram,
    trained: Sequence[Trained],
    *,
    request: Request | None = None,
    replace: bool = False,
) -> Run:
    """Write a run directory: everything into a neighbour first, which then takes its place.

    Args:
        out: where.
        spec: what was trained.
        model: the same, elaborated.
        trained: its programs, in the order in which they ran; the last one left the weights.
        request: what was asked for.
        replace: take the place of the directory that is there, whose other files are kept.
    """
    if not replace:
        check_free(out)
    asked = request or Request(spec.arguments, {}, None)
    with whole_folder(out, OWN) as part:
        _fill(part, spec, model, trained, asked)
    return Run(out, trained[-1].trainer.options)


def _fill(part: Path, spec: Spec, model: ModelProgram, trained: Sequence[Trained], request: Request) -> None:
    last = trained[-1]
    parameters = last.trainer.runner.parameters()
    name = "spec.yaml" if spec.path is not None and spec.path.suffix in (".yaml", ".yml") else "spec.arch"
    write_atomically(part / name, spec.source.text.encode())
    save_parameters(part / "weights.safetensors", parameters, {"archonnx": model.name})
    if last.outcome.snapshot is not None:
        save_state(part, State(trained[:-1], last.program, last.outcome.snapshot), request)
    lines = [{"program": label(t.program), **epoch.as_json()} for t in trained for epoch in t.outcome.history]
    write_atomically(part / "history.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    if lines:
        write_atomically(part / "curve.svg", _curve(model.name, trained).encode())
    if model.infer.outputs:
        write_model(part / "model.onnx", inference_model(model, parameters))
    if model.entries:
        (part / "entries").mkdir()
    for entry in model.entries:
        write_model(part / "entries" / f"{entry}.onnx", inference_model(model, parameters, entry=entry))
    record = json.dumps(_record(spec, model, trained, name), indent=2)
    write_atomically(part / "run.json", f"{record}\n".encode())


def inference_model(
    model: ModelProgram,
    parameters: Mapping[str, Array],
    *,
    entry: str | None = None,
    target: Literal["portable", "ort"] = "portable",
    opset: int = OPSET,
) -> onnx.ModelProto:
    """The model's outputs (or an entry) as ONNX, of any batch size, with the parameters inside.

    Of what a graph takes for its draws, only the seed is left as an input.
    """
    from archonnx.compiler.onnx_export import export
    from archonnx.compiler.passes.manager import optimise

    if entry is not None and entry not in model.entries:
        fail_entry(model.name, entry, model.entries)
    if entry is None and not model.infer.outputs:
        fail("AX0511", f"{model.name} has no outputs to export", None, help="add `output NAME = ...` to the model")
    graph = optimise(model.infer if entry is None else model.entries[entry])
    fixed = {**parameters, STEP: np.array(EVALUATION_STEP, np.int64)}
    constants = {name: array for name, array in fixed.items() if name in graph.inputs}
    assumed = of_graph(graph, model.assumptions) if entry is None else model.entry_assumptions.get(entry, ())
    metadata = {"archonnx.model": model.name, **as_metadata(assumed)}
    return export(graph, target=target, constants=constants, metadata=metadata, opset=opset)


def _curve(name: str, trained: Sequence[Trained]) -> str:
    rows = [
        Row(label(t.program) if len(trained) > 1 else "", _panels(t.outcome.history), t.outcome.best)
        for t in trained
        if t.outcome.history
    ]
    return training_curve(name, rows)


def _panels(history: Sequence[Epoch]) -> dict[str, dict[str, list[float]]]:
    """For each loss and metric its values, epoch by epoch; where an epoch did not measure it, there is no number."""
    names = dict.fromkeys(name for epoch in history for name in (*epoch.train, *epoch.valid))
    panels = {}
    for name in names:
        both = {
            "train": [epoch.train.get(name, math.nan) for epoch in history],
            "valid": [epoch.valid.get(name, math.nan) for epoch in history],
        }
        panels[name] = {part: values for part, values in both.items() if not all(map(math.isnan, values))}
    return panels


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


# ---------------------------------------------------------------- opening


class Run:
    """A run directory.

    Examples:
        >>> run = Run("runs/digits_cnn-1")                           # doctest: +SKIP
        >>> run.predict({"image": images})["probs"].argmax(axis=1)   # doctest: +SKIP
    """

    def __init__(self, path: str | Path, options: Options | None = None) -> None:
        self.path = Path(path)
        self.options = options or Options()
        self.record = _read_record(self.path)
        self._opened: dict[str, ExportedModel] = {}

    @property
    def name(self) -> str:
        """The name of the spec."""
        name: str = self.record["name"]
        return name

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments given to the model."""
        return dict(self.record["arguments"])

    @property
    def dtype(self) -> str:
        """The model's float type: ``"f32"`` or ``"f64"``."""
        dtype: str = self.record.get("dtype", DEFAULT_DTYPE)
        return dtype

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Losses and metrics by part (``train``, ``valid``, ``test``), as measured after training."""
        return {part: dict(values) for part, values in self.record["metrics"].items()}

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dict for each epoch of each program."""
        text = (self.path / "history.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @property
    def settings(self) -> TrainSettings:
        """The settings it was trained with."""
        return TrainSettings.model_validate(self.record["settings"])

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """The parameters by path, in order of construction."""
        loaded = load_parameters(self.path / "weights.safetensors")
        return {path: loaded[path] for path in self.record["parameters"] if path in loaded}

    @property
    def model_path(self) -> Path:
        """The exported model."""
        path = self.path / "model.onnx"
        if not path.is_file():
            fail("AX0611", f"{self.path} has no model.onnx: {self.record['model']} has no outputs", None)
        return path

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Types of what ``predict`` takes, by name."""
        return self._model.fields

    def predict(self, inputs: Mapping[str, Any], *, batch_size: int = 256, seed: int = 0) -> dict[str, Array]:
        """The model's outputs for any number of rows. ``seed`` is for models that draw."""
        return self._model.predict(inputs, batch_size=batch_size, seed=seed)

    @property
    def entries(self) -> dict[str, dict[str, str]]:
        """The types of the arguments of every entry, by name."""
        return {name: dict(arguments) for name, arguments in self.record["entries"].items()}

    def call(self, entry: str, /, *, seed: int = 0, **inputs: Any) -> dict[str, Array]:
        """What an entry of the model gives, by name. ``seed`` is for entries that draw.

        Examples:
            >>> run.call("sample", n=100, seed=1)["image"]   # doctest: +SKIP
        """
        return self.entry(entry).call(inputs, seed=seed)

    def entry(self, name: str) -> ExportedModel:
        """An entry of the model, open."""
        if name not in self.record["entries"]:
            fail_entry(self.record["model"], name, self.record["entries"])
        if name not in self._opened:
            path = self.path / "entries" / f"{name}.onnx"
            if not path.is_file():
                fail("AX0611", f"{self.path} has lost entries/{name}.onnx", None)
            self._opened[name] = ExportedModel.open(path, self.options)
        return self._opened[name]

    def evaluate(self, on: PartName = "test") -> dict[str, float]:
        """Losses and metrics on a part of the data it was trained with, measured anew."""
        from .fit import measure

        return measure(*self._part(on))

    def tables(self, on: PartName = "test") -> dict[str, Confusion]:
        """The tables of the model, such as its confusion matrix, on a part of the data, by name."""
        from .fit import tables

        return tables(*self._part(on))

    def _part(self, on: PartName) -> tuple[Trainer, Examples, Indices, TrainSettings]:
        """What is needed to measure on a part."""
        from .training import prepare

        trainer, program = self._trainer()
        settings = self.settings
        data = prepare(trainer.model, program, settings, self._base)
        indices = data.parts.of(on)
        if not len(indices):
            fail(
                "AX0606",
                f"{self.path} was split without a {on} part",
                None,
                help=f"parts: {', '.join(self.record['metrics'])}",
            )
        return trainer, data.examples, indices, settings

    def export(
        self,
        path: str | Path,
        *,
        entry: str | None = None,
        target: Literal["portable", "ort"] = "portable",
        opset: int = OPSET,
    ) -> Path:
        """Write the trained model (its outputs, or an entry) as ONNX; large weights go to a file beside it."""
        destination = Path(path)
        if (entry, target, opset) == (None, "portable", OPSET):
            import onnx

            write_model(destination, onnx.load(self.model_path))
        else:
            model = self._elaborated
            write_model(destination, inference_model(model, self.parameters, entry=entry, target=target, opset=opset))
        return destination

    @cached_property
    def _model(self) -> ExportedModel:
        return ExportedModel.open(self.model_path, self.options)

    @property
    def _base(self) -> Path:
        """Where the data files are: beside the spec that was trained."""
        original = self.record["path"]
        return Path(original).parent if original is not None else Path.cwd()

    def spec(self) -> Spec:
        """The spec as it was trained, with its arguments."""
        from archonnx.compiler.pipeline import float_type, load

        return changed(load(self._spec_path()), arguments=self.arguments, float_type=float_type(self.dtype))

    @cached_property
    def _elaborated(self) -> ModelProgram:
        from archonnx.compiler.pipeline import elaborate

        return elaborate(self.spec())

    def _spec_path(self) -> Path:
        """The spec as trained; the original where it is unchanged, so that files beside it are found."""
        copy = self.path / self.record["spec"]
        original = Path(self.record["path"]) if self.record["path"] is not None else copy
        unchanged = original.is_file() and original.read_bytes() == copy.read_bytes()
        return original if unchanged else copy

    def _trainer(self) -> tuple[Trainer, TrainProgram]:
        model = self._elaborated
        program = next(p for p in model.programs if p.name == self.record["program"])
        evaluated = changed(model, programs=())
        return Trainer(evaluated, seed=self.settings.seed, options=self.options, parameters=self.parameters), program

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"


def _read_record(path: Path) -> dict[str, Any]:
    file = path / "run.json"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        fail(
            "AX0611",
            f"{path} is no run directory" if path.exists() else f"there is no run directory {path}",
            None,
            help="`archonnx train SPEC` makes one",
        )
    except (OSError, ValueError) as error:
        fail("AX0611", f"{file} is damaged: {error}", None)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        fail("AX0611", f"{file} was written by another version of archonnx", None)
    return record
