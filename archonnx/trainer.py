"""A spec that is trained by hand, batch by batch: ``Trainer``.

What this module does not do: read the data that a spec names (``training`` does).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archonnx.compiler.ir.types import Array
from archonnx.compiler.mixed import Precision
from archonnx.compiler.opset import OPSET
from archonnx.compiler.pipeline import elaborate, float_type, parse_spec
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Source
from archonnx.runtime.device.devices import DeviceName
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.models import inference_model, write_model
from archonnx.runtime.files import load_with_metadata, save_parameters
from archonnx.runtime.training.named import program_named
from archonnx.runtime.training.observing import Epoch, Observer
from archonnx.runtime.training.stream import train_on
from archonnx.runtime.training.trainer import Trainer as _Trainer

from .loading import SpecLike, as_spec

METADATA_KEY = "archonnx.trainer"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a trainer is made of."""

    spec: Spec
    program: str | None
    batch_size: int
    seed: int
    options: SessionOptions
    steps: int | None
    steps_per_epoch: int | None
    precision: Precision | None


class Trainer(_Trainer):
    """A spec ready to train, batch by batch.

    Examples:
        >>> trainer = Trainer("digits_cnn", batch_size=64)                        # doctest: +SKIP
        >>> trainer.step({"image": images, "label": labels})["objective"]         # doctest: +SKIP
        2.302585
        >>> trainer.parameters["dense.W"].shape                                   # doctest: +SKIP
        (256, 10)

    ``parameters`` are starting values by path, such as those of a run, in place of the initial ones. With the precision
    ``bf16``, given here or set by the spec, products and convolutions of steps and gradients take bf16; all else, and
    what is predicted, stays f32.
    """

    def __init__(
        self,
        spec: SpecLike,
        batch_size: int = 32,
        seed: int = 0,
        *,
        device: DeviceName = "auto",
        threads: int | None = None,
        use_tf32: bool = True,
        program: str | None = None,
        steps: int | None = None,
        steps_per_epoch: int | None = None,
        parameters: Mapping[str, Any] | None = None,
        precision: Precision | None = None,
    ) -> None:
        options = SessionOptions(device, threads, use_tf32)
        self._begin(_Recipe(as_spec(spec), program, batch_size, seed, options, steps, steps_per_epoch, precision))
        for path, array in (parameters or {}).items():
            self.parameters[path] = array

    def _begin(self, recipe: _Recipe, parameters: Mapping[str, Array] | None = None) -> None:
        """Compile the spec, with its initial parameters or with those of an earlier trainer."""
        self._recipe = recipe
        model = elaborate(recipe.spec)
        super().__init__(
            model,
            program=program_named(model, recipe.program) if recipe.program is not None else None,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            options=recipe.options,
            total=recipe.steps,
            per_epoch=recipe.steps_per_epoch,
            parameters=parameters,
            precision=recipe.precision,
        )

    # ------------------------------------------------------------ training

    def fit(self, batches: Iterable[Any], *, epochs: int = 1, callbacks: Sequence[Observer] = ()) -> list[Epoch]:
        """``step`` on every batch, and that so many times; what is known of each epoch.

        Args:
            batches: anything that gives them one after the other: arrays by field, or a tuple of arrays in the order in
                which the model declares its fields. For several epochs it must be possible to begin anew.
            epochs: how often all of them are taken.
            callbacks: are told of every step and epoch, and may raise ``StopTraining``.
        """
        return train_on(self, batches, epochs, callbacks)

    # ------------------------------------------------------------ files

    def export(
        self,
        path: str | Path,
        *,
        entry: str | None = None,
        target: Literal["portable", "onnx", "ort", "exact"] = "portable",
        opset: int = OPSET,
    ) -> Path:
        """Write the model (its outputs, or an entry) with the present parameters as ONNX."""
        destination = Path(path)
        parameters = self.runner.parameters()
        write_model(destination, inference_model(self.model, parameters, entry=entry, target=target, opset=opset))
        return destination

    def save(self, path: str | Path) -> Path:
        """Write all that it takes to go on, to the bit, as one .safetensors file, whole or not at all.

        In it are the spec, parameters by path, what the optimizers carry, counts, and learning rates that were given.
        """
        recipe, runner, destination = self._recipe, self.runner, Path(path)
        spec = recipe.spec
        record = {
            "format": FORMAT,
            "spec": {
                "name": spec.name,
                "source": spec.source.name,
                "text": spec.source.text,
                "path": str(spec.path.resolve()) if spec.path is not None else None,
                "arguments": dict(spec.arguments),
                "dtype": str(spec.float_type),
            },
            "program": recipe.program,
            "batch_size": recipe.batch_size,
            "seed": recipe.seed,
            "steps": recipe.steps,
            "steps_per_epoch": recipe.steps_per_epoch,
            "precision": recipe.precision,
            "count": [runner.executed, runner.passes, runner.gathered],
            "learning_rates": self._rates.given,
        }
        if waiting := self.runner.waiting:
            many = "a batch waits" if waiting == 1 else f"{waiting} batches wait"
            told = f"cannot write {destination}: {many} for the rest of the group that makes an update"
            fail("AX0616", told, None, help="give the others first, or end the group: `trainer.finish()`")
        if not destination.absolute().parent.is_dir():
            fail("AX0616", f"cannot write {destination}: there is no folder {destination.absolute().parent}", None)
        save_parameters(destination, runner.tensors(), {METADATA_KEY: json.dumps(record)})
        return destination

    @classmethod
    def load(
        cls, path: str | Path, *, device: DeviceName = "auto", threads: int | None = None, use_tf32: bool = True
    ) -> Trainer:
        """The trainer that ``save`` wrote, where it was; SpecError if the file is none, or is damaged."""
        tensors, metadata = load_with_metadata(Path(path))
        try:
            record = json.loads(metadata[METADATA_KEY])
            if record["format"] != FORMAT:
                fail("AX0611", f"{path} was written by another version of archonnx", None)
            recipe = _recipe(record, SessionOptions(device, threads, use_tf32))
            rates, (executed, passes, *gathered) = record["learning_rates"], record["count"]
        except (KeyError, ValueError, TypeError) as error:
            what = "is not a trainer that was saved" if METADATA_KEY not in metadata else f"is damaged: {error}"
            fail("AX0611", f"{path} {what}", None, help="`trainer.save(path)` writes one")
        trainer = cls.__new__(cls)
        trainer._restore(recipe, tensors, (executed, passes, *gathered), rates)
        return trainer

    def _restore(
        self,
        recipe: _Recipe,
        tensors: Mapping[str, Array],
        count: tuple[int, ...],
        rates: Mapping[str, float] | None,
    ) -> None:
        self._begin(recipe, tensors)
        if rates is not None:
            self._rates.give(rates)
        wanted = {name: (array.shape, array.dtype) for name, array in self.runner.tensors().items()}
        given = {name: (array.shape, array.dtype) for name, array in tensors.items()}
        if wanted != given:
            other = next(name for name in (*wanted, *given) if wanted.get(name) != given.get(name))
            fail("AX0611", f"what was saved is not of this spec: `{other}` is another one, or not there", None)
        self.runner.restore(tensors, *count)

    def __getstate__(self) -> dict[str, Any]:
        """What it was made of and how far it has come. Graphs are compiled again, sessions opened when they are used.

        A spec that imports from other files finds them by its path.
        """
        runner = self.runner
        return {
            "recipe": self._recipe,
            "tensors": runner.tensors(),
            "count": (runner.executed, runner.passes, runner.gathered),
            "rates": self._rates.given,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._restore(state["recipe"], state["tensors"], state["count"], state["rates"])


def _recipe(record: Mapping[str, Any], options: SessionOptions) -> _Recipe:
    """What a file says that a trainer is made of."""
    said = record["spec"]
    path = Path(said["path"]) if said["path"] is not None else None
    spec = replace(
        parse_spec(Source(said["source"], said["text"]), path=path, **said["arguments"]),
        name=said["name"],
        float_type=float_type(said["dtype"]),
    )
    length = record["steps"], record["steps_per_epoch"]
    precision = record.get("precision")
    return _Recipe(spec, record["program"], record["batch_size"], record["seed"], options, *length, precision)
