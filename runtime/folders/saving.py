"""Writing run directories, whole or not at all. ``run`` says what is in one, and opens it."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import disk_usage
from tempfile import mkdtemp
from typing import Any, NoReturn

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import ModelProgram
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.runtime.checksums import RECORD, STATE_FILE, of_folder
from archonnx.runtime.data.memory import DATA_FILE, FITTED_FILE
from archonnx.runtime.device import session
from archonnx.runtime.export.models import inference_model, write_model
from archonnx.runtime.files import save_parameters, write_atomically
from archonnx.runtime.interrupt import attending
from archonnx.runtime.reserving import Place, reserved, reserved_number
from archonnx.runtime.staging import interrupted, staged
from archonnx.runtime.training.named import label
from archonnx.runtime.training.observing import Epoch
from archonnx.runtime.training.programs import State, Trained
from archonnx.runtime.training.trainer import arguments_of

from .curve import Row, training_curve
from .inputs import text_numbers
from .models import ModelRuns, holds_models
from .origins import beside
from .record import FORMAT, IMPORTS, read_record, sealed
from .resume import Request, save_state
from .rows import ROWS_FILE, save_rows
from .run import Run

COPIES, ROOM = 3, 1 << 17
"""A run takes the room of its weights so many times at least (weights, state, model), and this for the rest."""
WEIGHTS, CURVE = "weights.safetensors", "curve.svg"
OWN = (
    "spec.arch",
    "spec.yaml",
    RECORD,
    WEIGHTS,
    ROWS_FILE,
    "history.jsonl",
    CURVE,
    DATA_FILE,
    FITTED_FILE,
    "model.onnx",
    "model.onnx.data",
)
"""Names of what may stand in a run of before its record listed them."""
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


def check_room(place: Place, model: ModelProgram) -> None:
    """SpecError where a run will not fit on its disk, as far as that can be known before training."""
    sizes = (math.prod(p.shape) * p.type.dtype.numpy.itemsize for p in model.parameters.values())
    needed = COPIES * sum(sizes) + ROOM
    free = disk_usage(place.folder).free
    if free < needed:
        fail(
            "AX0616",
            f"there is room for {free / 1e6:.1f} MB in {place.folder}, and the run takes {needed / 1e6:.1f} MB or more",
            None,
            help="make room, or choose another directory: `--out /elsewhere/run`",
        )


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
    note: Callable[[str], None] = lambda text: None,
) -> Run:
    """Write a run directory: what it takes to go on, then the other files beside, which are moved to their places.

    A first Ctrl-C waits for the end. Where a picture or an exported model cannot be written, the run says so.

    Args:
        out: where; reserved already, if it is a place.
        spec: what was trained.
        model: the same, elaborated.
        trained: its programs, in the order in which they ran; the last one left the weights.
        request: what was asked for.
        replace: take the place of the run that is there. Other files are left alone.
        note: is told what could not be written.

    Raises:
        SpecError: the weights cannot be written; it says where they are kept.
    """
    asked = request or Request(spec.arguments, {}, None)
    asked.check()
    with _reserved(out, replace) as place, attending() as interrupt, interrupt.waiting():
        _Saving(place.folder, spec, model, trained, asked, note).save()
        return Run(place.folder, trained[-1].trainer.options)


@dataclass(slots=True)
class _Saving:
    """A run about to be written."""

    folder: Path
    spec: Spec
    model: ModelProgram
    trained: Sequence[Trained]
    request: Request
    note: Callable[[str], None]
    unwritten: dict[str, str] = field(default_factory=dict)

    def save(self) -> None:
        """Write it."""
        self._attempt(STATE_FILE, lambda: self._save_state(self.folder), "it cannot be gone on with")
        for alone in (False, True):
            try:
                with staged(self.folder, RECORD, own_files(self.folder)) as part:
                    self._fill(part, alone)
                return
            except (OSError, SpecError) as error:
                if alone or interrupted(self.folder):
                    self._fail(reason_of(error))

    def _fill(self, part: Path, alone: bool) -> None:
        """All files; ``alone`` if those that a run can do without are to leave their room to the others."""
        last = self.trained[-1]
        parameters = last.trainer.runner.parameters()
        save_parameters(part / WEIGHTS, parameters, {"archonnx": self.model.name})
        write_atomically(part / self._spec_file, self.spec.source.text.encode())
        for name, text in (self.spec.imports or {}).items():
            path = part / IMPORTS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        if last.memory is not None:
            last.memory.save(part)
        if last.parts is not None:
            save_rows(part / ROWS_FILE, last.parts)
        lines = [{"program": label(t.program), **epoch.as_json()} for t in self.trained for epoch in t.outcome.history]
        write_atomically(part / "history.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines).encode())
        self._show(part, parameters, bool(lines), alone)
        files = of_folder(part)
        if STATE_FILE not in self.unwritten and last.outcome.snapshot is not None:
            files |= of_folder(self.folder, (STATE_FILE,))
        write_atomically(part / RECORD, sealed(self._record(files)))

    def _show(self, part: Path, parameters: Mapping[str, Array], trained: bool, alone: bool) -> None:
        """What others look at and run: a run can do without it."""
        if alone:
            shown = [CURVE, *(["model.onnx"] if self.model.infer.outputs else [])]
            shown += [f"entries/{entry}.onnx" for entry in self.model.entries]
            self.unwritten |= dict.fromkeys(shown, "there is no room for it")
            self.note(f"there is no room in {self.folder} for {', '.join(shown)}; the run does without")
            return
        model, last = self.model, self.trained[-1]
        if trained:
            self._attempt(CURVE, lambda: write_atomically(part / CURVE, _curve(model.name, self.trained).encode()))
        for entry in (None, *model.entries):
            name = f"entries/{entry}.onnx" if entry is not None else "model.onnx"
            if entry is None and not model.infer.outputs:
                continue

            def write(entry: str | None = entry, path: Path = part / name) -> None:
                texts = text_numbers(model, last.program, last.memory)
                metadata = texts.metadata() if texts is not None else {}
                path.parent.mkdir(exist_ok=True)
                write_model(path, inference_model(model, parameters, entry=entry, metadata=metadata))

            self._attempt(name, write, "the weights are there, and `archonnx export` makes it of them")
            if name in self.unwritten:
                for path in (part / name, part / f"{name}.data"):
                    path.unlink(missing_ok=True)

    def _attempt(self, name: str, write: Callable[[], None], loss: str = "nothing else depends on it") -> None:
        """Write a file that may be missing. Whatever stands in the way, what was trained is kept."""
        try:
            write()
        except Exception as error:
            self.unwritten[name] = reason_of(error)
            self.note(f"{self.folder / name} is not there: {reason_of(error)}; {loss}")

    def _save_state(self, folder: Path) -> None:
        last = self.trained[-1]
        if last.outcome.snapshot is not None:
            state = State(self.trained[:-1], last.program, last.outcome.snapshot, last.memory, last.start)
            save_state(folder, state, self.request)

    def _fail(self, reason: str) -> NoReturn:
        """SpecError that says where the training is kept: in the state, or in a folder for what is temporary."""
        kept = self.folder
        if STATE_FILE in self.unwritten or self.trained[-1].outcome.snapshot is None:
            kept = Path(mkdtemp(prefix="archonnx-"))
            self._save_state(kept)
            save_parameters(kept / WEIGHTS, self.trained[-1].trainer.runner.parameters())
        fail(
            "AX0616",
            f"cannot write the run in {self.folder}: {reason}",
            None,
            notes=[f"what was trained is kept in {kept}"],
            help=f"make room, then go on with `--resume {kept}`: nothing is trained again, the rest is written",
        )

    @property
    def _spec_file(self) -> str:
        path = self.spec.path
        return "spec.yaml" if path is not None and path.suffix in (".yaml", ".yml") else "spec.arch"

    def _record(self, files: Mapping[str, Any]) -> dict[str, Any]:
        spec, last = self.spec, self.trained[-1]
        programs = [program.as_json() for program in self.trained]
        options = last.trainer.options
        return {
            "format": FORMAT,
            "id": self.request.id,
            "name": spec.name,
            "model": self.model.name,
            "spec": self._spec_file,
            "beside": beside(self.folder, spec.path),
            "imports": list(spec.imports or {}),
            "arguments": dict(spec.arguments),
            "dtype": str(spec.float_type),
            "program": last.program.name,
            "settings": programs[-1]["settings"],
            "seed": last.settings.seed,
            "parameters": {path: str(parameter.type) for path, parameter in self.model.parameters.items()},
            "entries": {name: arguments_of(graph, self.model) for name, graph in self.model.entries.items()},
            "metrics": programs[-1]["metrics"],
            "epochs": programs[-1]["epochs"],
            "best_epoch": programs[-1]["best_epoch"],
            "stopped": programs[-1]["stopped"],
            "seconds": round(sum(program["seconds"] for program in programs), 3),
            "programs": programs,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": last.trainer.device.name,
            "threads": session.threads_of(options),
            "versions": _versions(),
            "files": dict(files),
            "unwritten": dict(self.unwritten),
        }


def own_files(folder: Path) -> list[str]:
    """The files of a folder that a run before has there, but for its state."""
    try:
        listed = read_record(folder)["files"]
    except SpecError:
        listed = None
    if listed is None:
        entries = [f"entries/{path.name}" for path in (folder / "entries").glob("*.onnx*")]
        listed = [*OWN, *entries]
    return [name for name in listed if name != STATE_FILE and (folder / name).is_file()]


def reason_of(error: Exception) -> str:
    """Why something could not be written, for people."""
    if isinstance(error, SpecError):
        return error.diagnostics[0].headline
    return (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}"


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


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError

    found = {"python": platform.python_version()}
    for name in MEASURED_WITH:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
