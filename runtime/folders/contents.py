"""What stands in a run directory, read as data that may be damaged or a stranger's: spec, weights, history, settings.

What this module does not do: use any of it (``run`` does).
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from archonnx.compiler.ir.types import Array, DType, TensorType
from archonnx.compiler.pipeline import float_type, parse_spec
from archonnx.compiler.settings import AskedSettings, TrainSettings
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_file
from archonnx.runtime.checksums import RECORD, checked
from archonnx.runtime.data.memory import DATA_FILE, Memory
from archonnx.runtime.files import load_parameters
from archonnx.runtime.measures.figures import from_json
from archonnx.runtime.reserving import mend_if_free
from archonnx.runtime.training.transfer import WEIGHTS

from .record import IMPORTS, read_record


class Contents:
    """The files of a run. Each is believed only if it is what was written; what is wrong is a diagnostic.

    Attributes:
        path: the run directory; what was not finished there has been mended.
        record: what ``run.json`` says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        mend_if_free(path)
        self.record = read_record(path)
        self._believed: dict[str, Path] = {}

    def file(self, name: str, way: str | None = None) -> Path:
        """A file; SpecError, with a way out, unless it is what was written."""
        if name not in self._believed:
            self._believed[name] = checked(self.path, name, way)
        return self._believed[name]

    @cached_property
    def text(self) -> str:
        """The spec as it was trained."""
        return read_file(self.file(self.record["spec"])).text

    def spec(self) -> Spec:
        """The same, read, with its arguments and with the files that it imported then."""
        path = self.path / self.record["spec"]
        imports = {name: read_file(self.file(f"{IMPORTS}/{name}")).text for name in self.record["imports"]}
        return replace(
            parse_spec(Source(str(path), self.text), path=path),
            name=self.record["name"],
            arguments=dict(self.record["arguments"]),
            float_type=float_type(self.record["dtype"]),
            model=self.record["model"],
            imports=imports,
        )

    def settings(self) -> TrainSettings:
        """The settings of the last program."""
        settings = dict(self.record["settings"])
        try:
            if "by" not in settings["split"] and settings["split"].get("stratify") is None:
                settings["split"] = {**settings["split"], "by": "random"}  # once all were, `shuffle = false` or not
            return AskedSettings.model_validate(settings)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            fail("AX0611", f"{self.path / RECORD} is damaged: its settings are not settings", None, notes=[str(error)])

    def parameters(self) -> dict[str, Array]:
        """The parameters by path, in order of construction; none is missing, and each has its type."""
        path = self.file(WEIGHTS)
        loaded, types = load_parameters(path), self.record["parameters"]
        for name, type_ in types.items():
            if name not in loaded:
                fail("AX0611", f"{path} is damaged: it lacks `{name}`", None)
            if (held := _type_of(loaded[name])) != type_:
                fail("AX0611", f"{path} is damaged: `{name}` is {held} in it, and was {type_}", None)
        return {name: loaded[name] for name in types}

    def history(self) -> list[dict[str, Any]]:
        """One dict for each epoch of each program."""
        path = self.file("history.jsonl")
        try:
            return [_with_numbers(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            fail("AX0611", f"{path} is damaged: {error}", None)

    def memory(self) -> Memory | None:
        """What it remembers of its data; None of a run that was made before runs did."""
        if DATA_FILE in (self.record["files"] or ()):
            self.file(DATA_FILE)
        return Memory.load(self.path)


def _with_numbers(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the history, with what is not a number as NaN."""
    watched = {path: from_json(norms) for path, norms in line.get("watch", {}).items()}
    figures = {part: from_json(line[part]) for part in ("train", "valid")}
    return line | figures | ({"watch": watched} if watched else {})


def _type_of(array: Array) -> str:
    try:
        return str(TensorType.of(DType.from_numpy(array.dtype), *array.shape))
    except KeyError:
        return f"{array.dtype}{list(array.shape)}"
