"""The data of a run, found and read again, in the parts that it had.

What this module does not do: read new data to predict from (``inputs`` does), or measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from archonnx.compiler.program import DATA, ModelProgram, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.record import replace
from archonnx.runtime.checksums import checked
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.parts import Indices, PartName, Parts
from archonnx.runtime.training.preparing import DataChoice, Prepared, load_data, prepare

from .origins import folder_of, remembered
from .rows import ROWS_FILE, load_rows

UNKNOWN = "where the spec of this run lies is not known on this machine, so its data was looked for in the run"


@dataclass(frozen=True)
class RunData:
    """The data of the last program of a run.

    Attributes:
        path: the run.
        record: what it says of itself.
        model: elaborated.
        program: the program.
        settings: its settings.
        memory: what the run remembers of its data.
        text: of its spec.
    """

    path: Path
    record: Mapping[str, Any]
    model: ModelProgram
    program: TrainProgram
    settings: TrainSettings
    memory: Memory | None
    text: str

    @cached_property
    def _folder(self) -> Path | None:
        return folder_of(self.path, self.record, self.text)

    @property
    def base(self) -> Path:
        """The folder in which data files are looked for: that of the spec; the run itself if nobody knows it."""
        return self._folder or self.path

    @cached_property
    def _kept_parts(self) -> Parts | None:
        if ROWS_FILE in (self.record["files"] or ()):
            checked(self.path, ROWS_FILE)
        return load_rows(self.path)

    def rows(self, part: PartName) -> Indices:
        """The examples of a part as numbers of rows of the data."""
        parts = self._kept_parts
        return (self.prepared().parts if parts is None else parts).of(part)

    def prepared(self, changed: bool = False) -> Prepared:
        """The data in the parts that it had; ``changed`` if it need not be what it was."""
        choice = DataChoice(self._sources(), changed)
        try:
            return prepare(self.model, self.program, self.settings, self.base, self._kept_parts, choice, self.memory)
        except SpecError as error:
            if self._folder is not None or error.diagnostics[0].code != "AX0601":
                raise
            way = "measure on it by `eval RUN --data FILE`, or put it into the run"
            found = [replace(one, notes=(*one.notes, UNKNOWN), help=way) for one in error.diagnostics]
            raise SpecError(Report(found)) from None

    def part(self, on: PartName, changed: bool = False) -> tuple[Examples, Indices]:
        """The examples on which a part is measured, and which they are."""
        data = self.prepared(changed)
        indices = data.parts.of(on)
        if not len(indices):
            parts = ", ".join(self.record["metrics"])
            fail("AX0606", f"{self.path} was split without a {on} part", None, help=f"parts: {parts}")
        return data.examples.on(on), indices

    def loaded(self, program: TrainProgram, memory: Memory) -> Loaded:
        """What the source of a program holds; one that is made of others is drawn again, with all of them."""
        if program.source is not None and program.source.reads:
            data = self.prepared()
            return data.others.get(program.data, data).loaded
        choice = DataChoice(self._sources())
        return load_data(self.model.name, program, self.settings, self.base, choice, memory)

    def _sources(self) -> dict[str, Path]:
        """What took the place of the data that the spec names; SpecError if it is not known here."""
        memory = self.memory
        if memory is None:
            return {}
        noted = remembered(self.record["id"], self.text).data
        if DATA in noted:
            noted = {self.program.data: noted[DATA], **noted}
        replaced = {self.program.data: memory.replaced, **{name: of.replaced for name, of in memory.others.items()}}
        found = {}
        for name, said in replaced.items():
            if said is None:
                continue
            if name not in noted:
                what = f"`{said}`, which lay elsewhere" if said else "data that was given in memory"
                way = "give it again: `run.measure(data=frame)`, or `eval RUN --data FILE`"
                fail("AX0611", f"{self.path} was trained on {what}", None, help=way)
            found[name] = Path(noted[name])
        return found
