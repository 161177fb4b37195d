"""Folders of the runs of several models: trainings of one spec whose programs use each other's trained modules.

    models.json    which runs there are to be, of which programs, and which are finished
    judge          each run whole, called like its model

What this module does not do: train (``archonnx.several_models`` does).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archonnx.compiler.models import Stage
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.files import load_parameters, write_atomically
from archonnx.runtime.training.transfer import Weights

from .resume import SEVERAL_MODELS, Request, SavedState
from .run import Run
from .several import FORMAT, read_summary, request_of

KIND = "models"


class ModelRuns(Mapping[str, Run]):
    """The finished runs of a file that trains several models, by their names, in the order in which they were trained.

    Examples:
        >>> runs = ModelRuns("runs/critic-1")               # doctest: +SKIP
        >>> runs["maker"].metrics["train"]["objective"]     # doctest: +SKIP
        0.0213
    """

    def __init__(self, path: str | Path, options: SessionOptions | None = None) -> None:
        self.path = Path(path)
        self._options = options
        way = "`archonnx train SPEC` makes it of a spec that trains several models"
        record = read_summary(self.path, (KIND,), "runs of several models", way)
        try:
            self.stages: dict[str, Stage] = {
                name: Stage(str(stage["model"]), tuple(map(str, stage["programs"])))
                for name, stage in record["runs"].items()
            }
        except (KeyError, TypeError) as error:
            fail("AX0611", f"{self.path / SEVERAL_MODELS} is damaged: {error}", None)
        """What each run trains, also of those that are not finished."""
        self.request = request_of(record, self.path)
        self._finished: tuple[str, ...] = tuple(record["finished"])
        self._open: dict[str, Run] = {}

    def __getitem__(self, name: str) -> Run:
        if name not in self._finished:
            raise KeyError(name)
        if name not in self._open:
            self._open[name] = Run(self.path / name, self._options)
        return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._finished)

    def __len__(self) -> int:
        return len(self._finished)

    @property
    def complete(self) -> bool:
        """Whether all are finished."""
        return len(self) == len(self.stages)

    @property
    def metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """Losses and metrics by part, of each run."""
        return {name: run.metrics for name, run in self.items()}

    def __getstate__(self) -> dict[str, Any]:
        """The folder, found from anywhere; its runs are opened again when they are used."""
        return vars(self) | {"path": self.path.absolute(), "_open": {}}

    def __repr__(self) -> str:
        return f"<ModelRuns: {', '.join(self)} ({len(self)} of {len(self.stages)}) in {self.path}>"


def holds_models(folder: Path) -> bool:
    """Whether a folder is one of runs of several models."""
    return (folder / SEVERAL_MODELS).is_file()


def save_models(folder: Path, stages: Mapping[str, Stage], request: Request, finished: Sequence[str]) -> None:
    """Write what there is to be and what there is, in place of what was written before."""
    record = {
        "format": FORMAT,
        "kind": KIND,
        "runs": {name: {"model": stage.model, "programs": list(stage.programs)} for name, stage in stages.items()},
        "request": request.as_json(),
        "finished": list(finished),
    }
    write_atomically(folder / SEVERAL_MODELS, f"{json.dumps(record, indent=2)}\n".encode())


def trained_weights(folder: Path, program: str) -> Weights:
    """The parameters with which a program of a finished run of the folder ended."""
    runs = ModelRuns(folder)
    for name, stage in runs.stages.items():
        if program in stage.programs and name in runs:
            run = runs[name]
            if program == run.record["programs"][-1]["name"]:
                return load_parameters(run.path / "weights.safetensors")
            if found := SavedState(run.path).parameters_of(program):
                return found
    fail("AX0618", f"{folder} holds no finished run of the train program `{program}`", None)
    return {}
