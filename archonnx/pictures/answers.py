"""What a trained model answered on a part of its data, beside what is true: of classes, or of numbers.

An output belongs to a target if it has a number for each class of it, or the shape of a target of numbers. What this
module does not do: draw (``charts`` does), or measure what the spec asks for (``runtime.training.measuring`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archonnx.compiler.ir.types import Array
from archonnx.runtime.data.parts import Indices, PartName
from archonnx.runtime.folders.run import Run

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

MOST = 20_000
"""Examples that are answered at most."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers on a part.

    Attributes:
        part: of the data.
        rows: of the data, in which the examples stand.
        fields: of the model, by name.
        outputs: by name.
        whole: whether these are all examples of the part.
    """

    part: PartName
    rows: Indices
    fields: Mapping[str, Array]
    outputs: Mapping[str, Array]
    whole: bool

    @staticmethod
    def of(run: Run, part: PartName) -> Answers:
        """What a run answers; SpecError where its data is not found."""
        fields, rows = run.examples(part, MOST)
        given = {name: fields[name] for name in run.inputs}
        return Answers(part, rows, fields, run.predict_fields(given), len(run.rows(part)) <= MOST)


@dataclass(frozen=True, slots=True)
class Classified:
    """Examples with a class each.

    Attributes:
        output: its name.
        target: its name.
        scores: [N, K], the probability of each class.
        truth: [N], the true class.
        names: of the classes.
    """

    output: str
    target: str
    scores: Floats
    truth: Classes
    names: tuple[str, ...]

    @property
    def predicted(self) -> Classes:
        """[N], the class with the largest score."""
        return np.asarray(self.scores.argmax(axis=1), np.int64)

    @property
    def losses(self) -> Floats:
        """[N], -log of the probability of what is true."""
        own = self.scores[np.arange(len(self.truth)), self.truth]
        return np.asarray(-np.log(np.clip(own, 1e-12, None)), np.float64)


@dataclass(frozen=True, slots=True)
class Regressed:
    """Examples with a number each, or several."""

    output: str
    target: str
    predicted: Floats
    truth: Floats

    @property
    def losses(self) -> Floats:
        """[N], the mean of squared errors of an example."""
        wrong = (self.predicted - self.truth).reshape(len(self.truth), -1)
        return np.asarray((wrong**2).mean(axis=1), np.float64)


def classified(run: Run, answers: Answers) -> list[Classified]:
    """Outputs that are probabilities of classes, with the target whose classes they are."""
    found = []
    for name, output in answers.outputs.items():
        scores = _scores(output)
        for target, truth in _targets(run, answers).items():
            labels = truth.reshape(-1)
            if scores is None or labels.shape != (len(scores),) or not _is_label(labels, scores.shape[1]):
                continue
            classes = np.asarray(labels, np.int64)
            known = run.memory.classes.get(target, ()) if run.memory is not None else ()
            count = scores.shape[1]
            names = tuple(known) if len(known) == count else tuple(map(str, range(count)))
            found.append(Classified(name, target, scores, classes, names))
            break
    return found


def regressed(run: Run, answers: Answers, taken: set[str]) -> list[Regressed]:
    """Outputs of the shape of a target of numbers; ``taken`` are targets that classes belong to."""
    found = []
    for name, output in answers.outputs.items():
        for target, truth in _targets(run, answers).items():
            fits = output.shape == truth.shape and output.dtype.kind == "f" and truth.dtype.kind == "f"
            if fits and output.ndim >= 1 and target not in taken:
                found.append(Regressed(name, target, output.astype(np.float64), truth.astype(np.float64)))
                break
    return found


def _targets(run: Run, answers: Answers) -> dict[str, Array]:
    return {name: array for name, array in answers.fields.items() if name not in run.inputs}


def _scores(output: Array) -> Floats | None:
    """Probabilities [N, K]: rows that sum to 1, or a single one in [0, 1] that becomes two; None of anything else."""
    if output.dtype.kind != "f" or not output.size or output.ndim not in (1, 2):
        return None
    values = np.asarray(output, np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        return None
    if values.ndim == 2 and values.shape[1] > 1:
        return values if np.allclose(values.sum(axis=1), 1, atol=1e-3) else None
    one = values.reshape(len(values))
    return np.stack([1 - one, one], axis=1) if one.max() <= 1 else None


def _is_label(labels: Array, count: int) -> bool:
    """Whether all of these are numbers of classes: whole, from 0 on; two classes are also told by floats."""
    if labels.dtype.kind not in "iub" and not (count == 2 and labels.dtype.kind == "f"):
        return False
    values = labels.astype(np.float64)
    return bool(((values >= 0) & (values < count) & (values == np.floor(values))).all())
