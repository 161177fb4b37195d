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

What this module does not do: train (``training`` does), or write a run directory (``saving`` does).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from archonnx.compiler.ir.types import Array, TensorType
from archonnx.compiler.opset import OPSET
from archonnx.compiler.pipeline import elaborate
from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import SpecError, fail
from archonnx.grammar.record import replace as changed
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.parts import PARTS, Indices, PartName
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.artifact import KINDS, Kind
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graph_named
from archonnx.runtime.export.compiled_folder import Trained, Written, compile_to
from archonnx.runtime.export.exported import ExportedModel
from archonnx.runtime.export.models import fail_without_outputs, inference_model, is_portable, write_model, write_tried
from archonnx.runtime.export.raw import spec_metadata
from archonnx.runtime.html import drawn_svg, element, joined, table
from archonnx.runtime.measures.figures import from_json
from archonnx.runtime.measures.set_metrics import Confusion
from archonnx.runtime.training.fit import steps_per_epoch
from archonnx.runtime.training.measuring import Measured, measure
from archonnx.runtime.training.trainer import Trainer, fail_entry

from .contents import Contents
from .data import RunData
from .exporting import Beside
from .inputs import (
    InputReader,
    Inputs,
    check_numbers,
    class_names_of,
    fields_given,
    kept_columns,
    narrowed,
    text_numbers,
)
from .raw import ROWS_TRIED, WITHOUT_RAW, RawExport, RawFile
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
        self._contents = Contents(self.path)
        self.record = self._contents.record
        self._opened: dict[str, ExportedModel] = {}
        self._temporary: TemporaryDirectory[str] | None = None

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
        return self._contents.history()

    @property
    def settings(self) -> TrainSettings:
        """The settings it was trained with."""
        return self._contents.settings()

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """The parameters by path, in order of construction."""
        return self._contents.parameters()

    @property
    def model_path(self) -> Path:
        """The exported model."""
        return self._model_file("model.onnx")

    def _model_file(self, name: str) -> Path:
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
            self._contents.file(part, "remove it: it is made again of the weights")
        return self._contents.file(name)

    @property
    def _has_outputs(self) -> bool:
        known = {*(self.record["files"] or ()), *self.record["unwritten"]}
        return "model.onnx" in known if self.record["files"] is not None else (self.path / "model.onnx").exists()

    def _remade(self, name: str) -> Path:
        entry = name.removeprefix("entries/").removesuffix(".onnx") if name != "model.onnx" else None
        if self._temporary is None:
            self._temporary = TemporaryDirectory(prefix="archonnx-")
        path = Path(self._temporary.name) / Path(name).name
        metadata = self.token_metadata
        write_model(path, inference_model(self._elaborated, self.parameters, entry=entry, metadata=metadata))
        return path

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Types of what ``predict`` takes, by name."""
        return self._model.fields

    def predict(self, inputs: Any, *, batch_size: int = 256, seed: int = 0) -> dict[str, Array]:
        """The model's outputs for any number of rows.

        Args:
            inputs: raw data as the run was trained with: the path of a file or folder, a frame of pandas or polars,
                or arrays by the names of columns; or the fields of the model, by their names.
            batch_size: rows at a time.
            seed: for models that draw.
        """
        return self._model.predict(self.inputs_of(inputs).fields, batch_size=batch_size, seed=seed)

    def predict_fields(self, fields: Mapping[str, Any], *, batch_size: int = 256, seed: int = 0) -> dict[str, Array]:
        """The same for fields of the model, by name, whatever the data calls its columns."""
        check_numbers(fields)
        return self._model.predict(fields, batch_size=batch_size, seed=seed)

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
            results.append(self._model.predict(inputs.fields, batch_size=256, seed=seed))
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
        memory = self._narrowed[2] if self.memory.others else self.memory
        direct = fields_given(given, fields, memory) if isinstance(given, Mapping) else None
        if direct is None and memory is not self.memory and (others := sorted(fields.keys() - {*memory.fields})):
            fail(
                "AX0608",
                f"the outputs of {self.name} need fields of several sources, {', '.join(sorted(fields))}",
                None,
                help=f"give all of them by name; `{others[0]}` is not made of what feeds the others",
            )
        return direct or self._reader.read(given, list(fields), keep)

    @cached_property
    def memory(self) -> Memory | None:
        """What it remembers of its data; None of a run that was made before runs did."""
        return self._contents.memory()

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Names of the classes of outputs: of the last axis of floats, of the values of integers."""
        named = self.memory is not None and any(self.memory.classes.values())
        return class_names_of(self._elaborated, self.memory) if self.memory is not None and named else {}

    def named(self, classes: Sequence[int]) -> list[str] | None:
        """Names of classes of the only target whose values have names; None if there is no such target."""
        memory = self.memory
        known = memory.classes if memory is not None and any(memory.classes.values()) else {}
        names = [of for name, of in known.items() if self._elaborated.fields[name].target]
        fits = len(names) == 1 and all(0 <= number < len(names[0]) for number in classes)
        return [names[0][number] for number in classes] if fits else None

    @cached_property
    def _reader(self) -> InputReader:
        return InputReader(*self._narrowed, self._data.base)

    @cached_property
    def _narrowed(self) -> tuple[ModelProgram, TrainProgram, Memory]:
        """What makes the fields that the outputs need."""
        assert self.memory is not None
        return narrowed(self._elaborated, self._program, self.memory, self.inputs.keys())

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

    @cached_property
    def texts(self) -> TextNumbers | None:
        """How texts are numbered; None of a run that does not number tokens of texts, or does so in several ways."""
        return text_numbers(self._elaborated, self._program, self.memory)

    @property
    def token_metadata(self) -> dict[str, str]:
        """What files that are exported say of the numbers of tokens; nothing where no texts are numbered."""
        return self.texts.metadata() if self.texts is not None else {}

    def entry(self, name: str) -> ExportedModel:
        """An entry of the model, open."""
        if name not in self.record["entries"]:
            fail_entry(self.record["model"], name, self.record["entries"])
        if name not in self._opened:
            self._opened[name] = ExportedModel.open(self._model_file(f"entries/{name}.onnx"), self.options)
        return self._opened[name]

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
            several = ", ".join(source.name for source in self._program.sources)
            what = f"{self.path} was trained on several sources, {several}, and is measured on theirs"
            fail("AX0611", what, None, help="`eval RUN --on test`")
        model, whole = self._elaborated, self._program.whole
        fields = dict(self._reader.read(data, list(model.fields)).fields)
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
        return self._data.rows(part)

    def examples(self, on: PartName = "test", most: int | None = None) -> tuple[dict[str, Array], Indices]:
        """The fields of the model for the examples of a part, at most so many, and which rows of the data they are."""
        examples, indices = self._data.part(on)
        return dict(examples.take(indices[:most])), indices[:most]

    @cached_property
    def _data(self) -> RunData:
        return RunData(
            self.path, self.record, self._elaborated, self._program, self.settings, self.memory, self._contents.text
        )

    def _part(self, on: PartName, changed: bool = False) -> tuple[Trainer, Examples, Indices, TrainSettings]:
        """What is needed to measure on a part."""
        examples, indices = self._data.part(on, changed)
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
        destination = Path(path)
        if raw:
            if entry is not None:
                fail("AX0513", f"the entry `{entry}` takes arguments, not columns of the data", None, help=WITHOUT_RAW)
            self.export_raw(destination, target=target, opset=opset)
        elif (entry, target, opset) == (None, "onnx", OPSET) or (
            (entry, target, opset) == (None, "portable", OPSET) and is_portable(self.model_path)
        ):
            import onnx

            write_model(destination, onnx.load(self.model_path))
        else:
            if entry is not None and entry not in self._elaborated.entries:
                fail_entry(self.record["model"], entry, self._elaborated.entries)
            self.export_graph(destination, entry or "infer", GraphOptions(target, opset))
        return destination

    def export_graph(self, path: Path, name: str = "infer", options: GraphOptions | None = None) -> tuple[int, int]:
        """Write one graph of the model as ONNX, by its name; it is tried beside this run before it stands.

        Returns:
            The number of its nodes, and of the bytes that were written.
        """
        asked = self._asked(options)
        if name == "infer" and not self._elaborated.infer.outputs:
            fail_without_outputs(self._elaborated.name)
        artifact = graph_named(self._elaborated, name, asked)
        given = self.trained(asked)
        weights = self.parameters if artifact.holds_weights else None
        model = as_onnx(artifact, self._elaborated, asked, weights, metadata=given.metadata, about=given.about)
        return len(model.graph.node), write_tried(path, model, lambda part: given.check(artifact, part))

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
        asked = self._asked(options)
        return compile_to(
            folder,
            self._elaborated,
            asked,
            kinds=kinds,
            trained=self.trained(asked),
            verify=verify,
            dump_ir=dump_ir,
            observer=observer,
        )

    def _asked(self, options: GraphOptions | None) -> GraphOptions:
        """What is asked of graphs, with the length of the training where nothing is said of it."""
        asked, lengths = options or GraphOptions(), {}
        with suppress(SpecError):  # without its rows nobody knows it
            per_epoch = steps_per_epoch(len(self.rows("train")), self.settings)
            if self.settings.epochs:
                lengths[self._program.name] = (self.settings.epochs * per_epoch, per_epoch)
        return replace(asked, lengths=lengths)

    def trained(self, options: GraphOptions) -> Trained:
        """What this run gives to the files of its graphs."""
        exact = replace(self.options, use_tf32=False)
        about = {
            "classes": {name: list(names) for name, names in self.classes.items()},
            "metrics": self.record["metrics"],
            "epochs": self.record["epochs"],
            "seed": self.record["seed"],
            "id": self.record["id"],
        }
        beside = Beside(
            self._elaborated,
            self.parameters,
            self._some_fields,
            lambda fields: Run(self.path, exact).predict_fields(fields, batch_size=ROWS_TRIED),
            lambda entry, given: Run(self.path, exact).entry(entry).call(given, seed=0),
            options,
            exact,
        )

        def raw(file: Path) -> None:
            self.export_raw(file, target="portable", opset=options.opset)

        return Trained(self.parameters, self.record["seed"], about, self.token_metadata, beside, raw)

    def _some_fields(self, count: int) -> Mapping[str, Array]:
        """So many examples of the training, by field; they are repeated where there are fewer."""
        examples, indices = self._data.part("train")
        return examples.take(np.resize(indices, count) if count != ROWS_TRIED else indices[:count])

    def export_raw(
        self,
        path: Path,
        *,
        target: Literal["portable", "onnx", "ort", "exact"] = "portable",
        opset: int = OPSET,
        precision: Literal["f32", "f16", "f16-io"] = "f32",
    ) -> RawFile:
        """Write the model as ONNX that takes the columns of the data; it is run beside this run before it stands."""
        model, program, memory = self._elaborated, self._program, self.memory
        if memory is None:
            fail("AX0611", f"{self.path} does not remember its data, and cannot be exported with its feed", None)
        if path.resolve() == self.model_path.resolve():
            fail("AX0616", f"{path} is the model of the run, which takes its fields", None, help="choose another file")
        about = {
            "classes": {name: list(names) for name, names in self.classes.items()},
            "metrics": self.record["metrics"],
            "spec": spec_metadata(self.name, self._contents.file(self.record["spec"]).read_bytes()),
        }
        exact = replace(self.options, use_tf32=False)
        alone = ExportedModel.open(self.model_path, exact)
        model, program, memory = self._narrowed
        return RawExport(
            model,
            program,
            memory,
            self._reader,
            lambda: self._data.loaded(program, memory),
            lambda fields: alone.predict(fields, batch_size=ROWS_TRIED, seed=0),
            self.parameters,
            exact,
            about,
        ).write(path, GraphOptions(target, opset, precision=precision))

    @cached_property
    def _model(self) -> ExportedModel:
        return ExportedModel.open(self.model_path, self.options)

    def spec(self) -> Spec:
        """The spec as it was trained, with its arguments, and with the files that it imported then."""
        return self._contents.spec()

    @cached_property
    def _elaborated(self) -> ModelProgram:
        return elaborate(self.spec())

    @property
    def _program(self) -> TrainProgram:
        """The program that trained last."""
        name = self.record["program"]
        found = next((program for program in self._elaborated.programs if program.name == name), None)
        if found is None:
            fail("AX0611", f"{self.path} is damaged: its spec has no train program `{name}`", None)
        return found

    def _trainer(self) -> Trainer:
        evaluated, parameters = changed(self._elaborated, programs=()), self.parameters
        for name, parameter in evaluated.parameters.items():
            if name not in parameters or self.record["parameters"][name] != str(parameter.type):
                fail("AX0611", f"{self.path} is damaged: it has no weights for `{name}: {parameter.type}`", None)
        return Trainer(evaluated, seed=self.settings.seed, options=self.options, parameters=parameters)

    def __getstate__(self) -> dict[str, Any]:
        """The run without what it has opened, which is opened again when it is used."""
        kept = {
            name: value
            for name, value in vars(self).items()
            if name not in ("_contents", "_model", "_elaborated", "_reader", "_narrowed", "_data", "texts")
        }
        return kept | {"path": self.path.absolute(), "_opened": {}, "_temporary": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._contents = Contents(self.path)

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
