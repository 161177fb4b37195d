"""Run directories: what a training leaves behind, opened again.

    spec.arch             the spec as it was trained (spec.yaml for a YAML spec)
    run.json              name, arguments, settings, seed, versions, figures, times
    weights.safetensors   the parameters, by path
    rows.npz              the examples of each part, by number (of the last program)
    state.safetensors     all that it takes to continue
    history.jsonl         a line an epoch
    curve.svg             the same as a picture
    model.onnx            the outputs of the model, any batch size, weights inside (or beside it, if they are large)
    entries/NAME.onnx     the same for each entry

What this module does not do: train (``training`` does), write a run directory (``saving`` does), hold what is made of
its files (``opened`` does), or write graphs (``exporting`` does).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.opset import OPSET
from archonnx.compiler.settings import TrainSettings
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace as changed
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.parts import PARTS, Indices, PartName
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.artifact import KINDS, Kind
from archonnx.runtime.export.artifacts import GraphOptions
from archonnx.runtime.export.compiled_folder import Written
from archonnx.runtime.export.exported import ExportedModel
from archonnx.runtime.html import drawn_svg, element, joined, table
from archonnx.runtime.measures.figures import from_json
from archonnx.runtime.measures.set_metrics import Confusion
from archonnx.runtime.training.measuring import Measured, measure
from archonnx.runtime.training.trainer import Trainer

from .exporting import export_all, export_graph, export_model, export_raw
from .inputs import Inputs, fields_given, kept_columns
from .opened import OpenRun
from .raw import WITHOUT_RAW, RawFile
from .texts import TextNumbers, numbered, texts_among

LARGEST_CURVE = 1 << 22
"""Bytes of a drawn curve that a notebook is given at most."""


class Run:
    """A run directory.

    Examples:
        >>> run = Run("runs/digits_cnn-1")                           # doctest: +SKIP
        >>> run.predict({"image": images})["probs"].argmax(axis=1)   # doctest: +SKIP
    """

    def __init__(self, path: str | Path, options: SessionOptions | None = None) -> None:
        self.path = Path(path)
        self.options = options or SessionOptions()
        self._open = OpenRun(self.path, self.options)
        self.record = self._open.record

    def __reduce__(self) -> tuple[type[Run], tuple[Path, SessionOptions]]:
        """The run without what it has opened, which is opened again when it is used."""
        return Run, (self.path.absolute(), self.options)

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
        dtype: str = self.record["dtype"]
        return dtype

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Losses and metrics by part (``train``, ``valid``, ``test``), as measured after training."""
        return {part: from_json(values) for part, values in self.record["metrics"].items()}

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dict for each epoch of each program."""
        return self._open.contents.history()

    @property
    def settings(self) -> TrainSettings:
        """The settings it was trained with."""
        return self._open.settings

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters by path, in order of construction."""
        return self._open.parameters

    @property
    def model_path(self) -> Path:
        """The exported model."""
        return self._open.model_file("model.onnx")

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Types of what ``predict`` takes, by name."""
        return self._open.exported.fields

    def predict(self, inputs: Any, *, batch_size: int = 256, seed: int = 0) -> dict[str, Array]:
        """The model's outputs for any number of rows.

        Args:
            inputs: raw data as the run was trained with: the path of a file or folder, a frame of pandas or polars,
                or arrays by the names of columns; or the fields of the model, by their names.
            batch_size: rows at a time.
            seed: for models that draw.
        """
        return self._open.exported.predict(self.inputs_of(inputs).fields, batch_size=batch_size, seed=seed)

    def predict_fields(self, fields: Mapping[str, Any], *, batch_size: int = 256, seed: int = 0) -> dict[str, Array]:
        """The same for fields of the model, by name, whatever the data calls its columns."""
        return self._open.predict(fields, batch_size=batch_size, seed=seed)

    def predict_all(
        self,
        given: Sequence[Any],
        *,
        keep: Sequence[str] = (),
        seed: int = 0,
        note: Callable[[str], None] = lambda text: None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The same for several files, one after the other.

        Args:
            given: each as ``predict`` takes it.
            keep: columns of them to be given back as well.
            seed: for models that draw.
            note: is told what people should know of the data.
        """
        results, kept = [], []
        for one in given:
            inputs = self.inputs_of(one, keep)
            for text in inputs.notes:
                note(f"note: {text}")
            results.append(self._open.exported.predict(inputs.fields, batch_size=256, seed=seed))
            kept.append(kept_columns(inputs.loaded, keep))
        return _joined(results), _joined(kept)

    def inputs_of(self, given: Any, keep: Sequence[str] = ()) -> Inputs:
        """The fields of the model, made of raw data as in the training, with what is to be said of it.

        ``keep`` names columns that are wanted besides.
        """
        fields = self.inputs
        if self.memory is None:
            if not isinstance(given, Mapping):
                fail("AX0611", f"{self.path} does not remember its data, and takes the fields of its model", None)
            return Inputs(given)
        memory = self._open.narrowed[2] if self.memory.others else self.memory
        direct = fields_given(given, fields, memory) if isinstance(given, Mapping) else None
        if direct is None and memory is not self.memory and (others := sorted(fields.keys() - {*memory.fields})):
            fail(
                "AX0608",
                f"the outputs of {self.name} need fields of several sources, {', '.join(sorted(fields))}",
                None,
                help=f"give all of them by name; `{others[0]}` is not made of what feeds the others",
            )
        return direct or self._open.reader.read(given, list(fields), keep)

    @property
    def memory(self) -> Memory | None:
        """What it remembers of its data; None of a run that was made before runs did."""
        return self._open.memory

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Names of the classes of outputs: of the last axis of floats, of the values of integers."""
        return self._open.classes

    def named(self, classes: Sequence[int]) -> list[str] | None:
        """Names of classes of the only target whose values have names; None if there is no such target."""
        memory = self.memory
        known = memory.classes if memory is not None and any(memory.classes.values()) else {}
        names = [of for name, of in known.items() if self._open.model.fields[name].target]
        fits = len(names) == 1 and all(0 <= number < len(names[0]) for number in classes)
        return [names[0][number] for number in classes] if fits else None

    @property
    def entries(self) -> dict[str, dict[str, str]]:
        """The types of the arguments of every entry, by name."""
        return {name: dict(arguments) for name, arguments in self.record["entries"].items()}

    def call(self, entry: str, /, *, seed: int = 0, **inputs: Any) -> dict[str, Array]:
        """What an entry of the model gives, by name. ``seed`` is for entries that draw.

        A text stands for the numbers of its tokens, as the training numbered them, where an entry takes integers.

        Examples:
            >>> run.call("sample", n=100, seed=1)["image"]   # doctest: +SKIP
        """
        opened = self.entry(entry)
        texts = self.texts if texts_among(inputs, opened.fields) else None
        return opened.call(numbered(inputs, opened.fields, texts), seed=seed)

    @property
    def texts(self) -> TextNumbers | None:
        """How texts are numbered; None of a run that does not number tokens of texts, or does so in several ways."""
        return self._open.texts

    def entry(self, name: str) -> ExportedModel:
        """An entry of the model, open."""
        return self._open.entry(name)

    def evaluate(self, on: PartName = "test") -> dict[str, float]:
        """Losses and metrics on a part of the data it was trained with, measured anew."""
        return dict(self.measure(on).figures)

    def tables(self, on: PartName = "test") -> dict[str, Confusion]:
        """The tables of the model, such as its confusion matrix, on a part of the data, by name."""
        return dict(self.measure(on).tables)

    def measure(self, on: PartName = "test", *, data: Any = None, changed_data: bool = False) -> Measured:
        """All that is measured on a part of the data: figures, tables, and why a figure is not a number.

        Args:
            on: the part.
            data: other data, with its targets, of which all rows are measured: a path, a frame, or arrays by name.
            changed_data: go on although the data is not what it was in the training.
        """
        if data is not None:
            return measure(*self._other(data))
        return measure(*self._part(on, changed_data))

    def _other(self, data: Any) -> tuple[Trainer, Examples, Indices, TrainSettings]:
        """What is needed to measure on other data."""
        if self.memory is None:
            fail("AX0611", f"{self.path} does not remember its data, and takes no other", None)
        if self.memory.others:
            several = ", ".join(source.name for source in self._open.program.sources)
            what = f"{self.path} was trained on several sources, {several}, and is measured on theirs"
            fail("AX0611", what, None, help="`eval RUN --on test`")
        model, whole = self._open.model, self._open.program.whole
        fields = dict(self._open.reader.read(data, list(model.fields)).fields)
        examples = Examples(fields, {name: model.fields[name].type for name in fields}, whole)
        return self._trainer(), examples, np.arange(examples.count), self.settings

    @property
    def parts_to_measure(self) -> list[PartName]:
        """The test part; if it has no examples, all parts that have some."""
        filled = [part for part in PARTS if len(self.rows(part))]
        return ["test"] if "test" in filled else filled

    def rows(self, part: PartName) -> Indices:
        """The examples of a part (``train``, ``valid``, ``test``) as numbers of rows of the data, from 0 on.

        They are those of the program whose figures ``metrics`` has, in the order in which they are measured.
        """
        return self._open.data.rows(part)

    def examples(self, on: PartName = "test", most: int | None = None) -> tuple[dict[str, Array], Indices]:
        """The fields of the model for the examples of a part, at most so many, and which rows of the data they are."""
        examples, indices = self._open.data.part(on)
        return dict(examples.take(indices[:most])), indices[:most]

    def _part(self, on: PartName, changed: bool = False) -> tuple[Trainer, Examples, Indices, TrainSettings]:
        """What is needed to measure on a part."""
        examples, indices = self._open.data.part(on, changed)
        return self._trainer(), examples, indices, self.settings

    def export(
        self,
        path: str | Path,
        *,
        entry: str | None = None,
        target: Literal["portable", "onnx", "ort", "exact"] = "portable",
        opset: int = OPSET,
        raw: bool = False,
    ) -> Path:
        """Write the trained model (its outputs, or an entry) as ONNX; large weights go to a file beside it.

        Args:
            path: where.
            entry: which entry; the outputs unless given.
            target: ``portable`` and ``onnx`` keep to ai.onnx operators; ``ort`` and ``exact`` do not.
            opset: version of the ai.onnx operators.
            raw: the file takes the columns of the data, and does itself what the feed does; see ``export_raw``.
        """
        destination, options = Path(path), GraphOptions(target, opset)
        if not raw:
            export_model(self._open, destination, entry, options)
        elif entry is None:
            export_raw(self._open, destination, options)
        else:
            fail("AX0513", f"the entry `{entry}` takes arguments, not columns of the data", None, help=WITHOUT_RAW)
        return destination

    def export_graph(self, path: Path, name: str = "infer", options: GraphOptions | None = None) -> tuple[int, int]:
        """Write one graph of the model as ONNX, by its name; it is tried beside this run before it stands.

        Returns:
            The number of its nodes, and of the bytes that were written.
        """
        return export_graph(self._open, path, name, options or GraphOptions())

    def export_all(
        self,
        folder: Path,
        options: GraphOptions | None = None,
        *,
        kinds: Sequence[Kind] = (*KINDS, "raw"),
        verify: bool = False,
        dump_ir: bool = False,
        observer: Callable[[Written], None] = lambda _: None,
    ) -> list[Written]:
        """Write all graphs of the model with the trained weights into a folder, each tried beside this run.

        Args:
            folder: where; an earlier export is replaced, anything else is not.
            options: how; schedules have the length of this training unless they say another.
            kinds: which graphs.
            verify: check each graph before the first pass and after each.
            dump_ir: write every graph as text, as it was built and after each pass.
            observer: is called with each graph when it is written.
        """
        asked = options or GraphOptions()
        return export_all(self._open, folder, asked, kinds=kinds, verify=verify, dump_ir=dump_ir, observer=observer)

    def export_raw(self, path: Path, options: GraphOptions | None = None) -> RawFile:
        """Write the model as ONNX that takes the columns of the data; it is run beside this run before it stands."""
        return export_raw(self._open, path, options or GraphOptions())

    def spec(self) -> Spec:
        """The spec as it was trained, with its arguments, and with the files that it imported then."""
        return self._open.contents.spec()

    def _trainer(self) -> Trainer:
        evaluated, parameters = changed(self._open.model, programs=()), self.parameters
        for name, parameter in evaluated.parameters.items():
            if name not in parameters or self.record["parameters"][name] != str(parameter.type):
                fail("AX0611", f"{self.path} is damaged: it has no weights for `{name}: {parameter.type}`", None)
        return Trainer(evaluated, seed=self.settings.seed, options=self.options, parameters=parameters)

    def _repr_html_(self) -> str:
        """How a notebook shows it: its figures, and the curve that was drawn when it was saved, as a picture.

        A picture runs no script, whatever is in the file.
        """
        names = list(dict.fromkeys(name for values in self.metrics.values() for name in values))
        figures = [[part, *(f"{of[name]:.4g}" if name in of else "" for name in names)]
                   for part, of in self.metrics.items()]  # fmt: skip
        curve = self.path / "curve.svg"
        drawn = drawn_svg(curve.read_bytes()) if curve.is_file() and curve.stat().st_size <= LARGEST_CURVE else ""
        said = f"{self.name}: {self.record['epochs']} epochs, {self.record['stopped']}"
        return joined(
            [element("p", element("strong", str(self.path)), f" {said}"), table([["", *names], *figures]), drawn]
        )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Rows of several arrays by name, one after the other."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in parts[0]}
