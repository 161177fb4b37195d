"""A run directory, opened: its spec elaborated, its weights, what makes fields of data, and its exported models.

Each is worked out when it is first asked for. What this module does not do: predict or measure (``run`` does), write
graphs (``exporting`` does).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.exported import ExportedModel
from archonnx.runtime.export.models import inference_model, write_model
from archonnx.runtime.training.trainer import fail_entry

from .contents import Contents
from .data import RunData
from .inputs import InputReader, check_numbers, class_names_of, narrowed, text_numbers
from .texts import TextNumbers


class OpenRun:
    """A run directory, and what is made of its files.

    Attributes:
        path: the run directory.
        options: where and how its models run.
        contents: its files.
        record: what ``run.json`` says.
    """

    def __init__(self, path: Path, options: SessionOptions | None = None) -> None:
        self.path = path
        self.options = options or SessionOptions()
        self.contents = Contents(path)
        self.record = self.contents.record
        self._entries: dict[str, ExportedModel] = {}
        self._temporary: TemporaryDirectory[str] | None = None

    # What was trained.

    @cached_property
    def model(self) -> ModelProgram:
        """The spec as it was trained, elaborated."""
        return elaborate(self.contents.spec())

    @property
    def program(self) -> TrainProgram:
        """The program that trained last."""
        name = self.record["program"]
        found = next((program for program in self.model.programs if program.name == name), None)
        if found is None:
            fail("AX0611", f"{self.path} is damaged: its spec has no train program `{name}`", None)
        return found

    @cached_property
    def settings(self) -> TrainSettings:
        """The settings it was trained with."""
        return self.contents.settings()

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """The parameters by path, in order of construction."""
        return self.contents.parameters()

    # What makes fields of data.

    @cached_property
    def memory(self) -> Memory | None:
        """What it remembers of its data; None of a run that was made before runs did."""
        return self.contents.memory()

    @cached_property
    def data(self) -> RunData:
        """The data it was trained with."""
        return RunData(self.path, self.record, self.model, self.program, self.settings, self.memory, self.contents.text)

    @cached_property
    def narrowed(self) -> tuple[ModelProgram, TrainProgram, Memory]:
        """What makes the fields that the outputs need. The run remembers its data."""
        assert self.memory is not None
        return narrowed(self.model, self.program, self.memory, self.exported.fields.keys())

    @cached_property
    def reader(self) -> InputReader:
        """What reads new data as that of the training was read. The run remembers its data."""
        return InputReader(*self.narrowed, self.data.base)

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Names of the classes of outputs: of the last axis of floats, of the values of integers."""
        named = self.memory is not None and any(self.memory.classes.values())
        return class_names_of(self.model, self.memory) if self.memory is not None and named else {}

    @cached_property
    def texts(self) -> TextNumbers | None:
        """How texts are numbered; None of a run that does not number tokens of texts, or does so in several ways."""
        return text_numbers(self.model, self.program, self.memory)

    @property
    def token_metadata(self) -> dict[str, str]:
        """What files that are exported say of the numbers of tokens; nothing where no texts are numbered."""
        return self.texts.metadata() if self.texts is not None else {}

    # Its exported models.

    @cached_property
    def exported(self) -> ExportedModel:
        """The exported model, open."""
        return ExportedModel.open(self.model_file("model.onnx"), self.options)

    def entry(self, name: str) -> ExportedModel:
        """An entry of the model, open."""
        if name not in self.record["entries"]:
            fail_entry(self.record["model"], name, self.record["entries"])
        if name not in self._entries:
            self._entries[name] = ExportedModel.open(self.model_file(f"entries/{name}.onnx"), self.options)
        return self._entries[name]

    def predict(self, fields: Mapping[str, Any], *, batch_size: int, seed: int = 0) -> dict[str, Array]:
        """The model's outputs for fields of the model, by name; SpecError if one of them holds NaN."""
        check_numbers(fields)
        return self.exported.predict(fields, batch_size=batch_size, seed=seed)

    def model_file(self, name: str) -> Path:
        """A model that was exported with the run. Where none could be written then, it is made of the weights now."""
        files = self.record["files"]
        if name == "model.onnx" and not self._has_outputs:
            fail("AX0611", f"{self.path} has no model.onnx: {self.record['model']} has no outputs", None)
        parts = [part for part in (f"{name}.data", name) if files is not None and part in files]
        if files is not None and not all(os.path.lexists(self.path / part) for part in parts or [name]):
            return self._remade(name)
        if not os.path.lexists(self.path / name):
            fail("AX0611", f"{self.path} has lost {name}", None)
        for part in parts:
            self.contents.file(part, "remove it: it is made again of the weights")
        return self.contents.file(name)

    @property
    def _has_outputs(self) -> bool:
        known = {*(self.record["files"] or ()), *self.record["unwritten"]}
        return "model.onnx" in known if self.record["files"] is not None else (self.path / "model.onnx").exists()

    def _remade(self, name: str) -> Path:
        entry = name.removeprefix("entries/").removesuffix(".onnx") if name != "model.onnx" else None
        if self._temporary is None:
            self._temporary = TemporaryDirectory(prefix="archonnx-")
        path = Path(self._temporary.name) / Path(name).name
        write_model(path, inference_model(self.model, self.parameters, entry=entry, metadata=self.token_metadata))
        return path
