"""Metrics over a set, computed: arguments are gathered batch by batch, and given to scikit-learn once at the end.

Which functions there are, and what they take, is in ``compiler.set_metrics``. What this module does not do: run the
model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SetMetric
from archonnx.compiler.set_metrics import SET_FUNCTIONS, SetFunction
from archonnx.grammar.diagnostics import fail


class Gathered:
    """What the metrics over a set need of the batches so far.

    Attributes:
        undefined: why a metric is not a number, by name, once ``values`` has been asked for.
    """

    def __init__(self, metrics: Mapping[str, SetMetric]) -> None:
        self._metrics = metrics
        self._arrays: dict[str, list[Array]] = {name: [] for metric in metrics.values() for name in metric.arguments}

        self.undefined: dict[str, str] = {}

    def running(self) -> dict[str, Array]:
        """What was gathered so far, by name."""
        return {name: np.concatenate(arrays) for name, arrays in self._arrays.items() if arrays}

    def resume(self, running: Mapping[str, Array]) -> None:
        """Go on from what an earlier process gathered."""
        self._arrays = {name: [running[name]] if name in running else [] for name in self._arrays}

    def add(self, results: Mapping[str, Array]) -> dict[str, float]:
        """Keep the arguments among a batch's results; the other results, which are numbers."""
        for name, arrays in self._arrays.items():
            arrays.append(np.array(results[name]))
        return {name: float(value) for name, value in results.items() if name not in self._arrays}

    def values(self) -> dict[str, float]:
        """The metrics over all batches, by name; without the tables."""
        found = {}
        for name, metric in self._metrics.items():
            if not SET_FUNCTIONS[metric.function].table:
                arrays = self._gathered(metric)
                found[name] = set_metric(metric.function, *arrays, metric.options, name=name)
                if math.isnan(found[name]):
                    self.undefined[name] = f"`{metric.function}` has no value where {why_undefined(*arrays)}"
        return found

    def tables(self) -> dict[str, Confusion]:
        """The tables over all batches, by name."""
        return {
            name: confusion(*self._gathered(metric), metric.options)
            for name, metric in self._metrics.items()
            if SET_FUNCTIONS[metric.function].table
        }

    def _gathered(self, metric: SetMetric) -> tuple[Array, Array]:
        prediction, target = (np.concatenate(self._arrays[argument]) for argument in metric.arguments)
        return prediction, target


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each class (a row) was taken for each (a column): counts, or shares of them.

    Attributes:
        classes: all that occur, in order.
        counts: a row and a column for each.
    """

    classes: tuple[int, ...]
    counts: Array


def confusion(prediction: Array, target: Array, options: Mapping[str, Any]) -> Confusion:
    """The confusion matrix of two arrays of classes."""
    from sklearn.metrics import confusion_matrix

    truth, given = target.astype(np.int64).reshape(-1), prediction.astype(np.int64).reshape(-1)
    classes = np.unique([*np.unique(truth), *np.unique(given)])
    keywords = SET_FUNCTIONS["confusion_matrix"].keywords(options)
    return Confusion(tuple(map(int, classes)), confusion_matrix(truth, given, labels=classes, **keywords))


def set_metric(
    function: str, prediction: Array, target: Array, options: Mapping[str, Any] | None = None, *, name: str = ""
) -> float:
    """A function of a set; NaN where it is not defined, as for numbers that are not finite or labels all alike.

    Args:
        function: a name of ``SET_FUNCTIONS``, of a number.
        prediction: scores, values or classes.
        target: of the same shape, or without the prediction's last axis, which then has a column for each class.
        options: the function's, by name.
        name: what the metric is called in messages.
    """
    from sklearn import metrics

    how, options = SET_FUNCTIONS[function], options or {}
    columns = prediction.ndim == target.ndim + 1
    if how.is_binary(options, columns):
        _check_binary(function, name, target, *([prediction] if how.prediction == "classes" else []))
    if not (np.isfinite(prediction).all() and np.isfinite(target).all()):
        return math.nan
    if columns:
        truth, given, keywords = _with_columns(function, name, prediction, target)
    else:
        truth, given, keywords = _alike(how, prediction, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not defined is NaN, or 0 by convention
        try:
            value = float(getattr(metrics, how.computed_by)(truth, given, **how.keywords(options), **keywords))
        except ValueError:  # of labels all alike, in older versions
            return math.nan
    return float(np.exp(value)) if how.exponential else value


def why_undefined(prediction: Array, target: Array) -> str:
    """What is special about arrays of which a function of a set is NaN."""
    if not np.isfinite(prediction).all():
        return "predictions are not finite"
    if not np.isfinite(target).all():
        return "targets are not finite"
    present = np.unique(target)
    if present.size == 1:
        return "all labels are alike" if target.dtype.kind in "iub" else "all targets are alike"
    if prediction.ndim == target.ndim + 1 and present.size < prediction.shape[-1]:
        missing = next(label for label in range(prediction.shape[-1]) if label not in present)
        return f"no label is {missing}"
    return f"the examples are such as these {len(target)}"


def _alike(how: SetFunction, prediction: Array, target: Array) -> tuple[Array, Array, dict[str, Any]]:
    """Truth, prediction and keywords for arrays of one shape."""
    shape = (len(target), -1) if how.target == "numbers" else (-1,)  # columns are averaged; classes counted
    dtype = np.float64 if how.target == "numbers" else np.int64
    given = prediction.astype(np.int64 if how.prediction == "classes" else np.float64)
    labels = {"labels": [0, 1]} if how.computed_by == "log_loss" else {}
    return target.astype(dtype).reshape(shape), given.reshape(shape), labels


def _with_columns(function: str, name: str, prediction: Array, target: Array) -> tuple[Array, Array, dict[str, Any]]:
    """Truth, prediction and keywords for a prediction that has a column for each class."""
    classes = prediction.shape[-1]
    given, truth = prediction.astype(np.float64).reshape(-1, classes), target.astype(np.int64).reshape(-1)
    beyond = truth[(truth < 0) | (truth >= classes)]
    if beyond.size:
        fail("AX0608", f"`{function}` of the metric `{name}` has {classes} classes, and there is a {beyond[0]}", None)
    if function == "average_precision":
        return np.eye(classes, dtype=np.int64)[truth], given, {}
    sums = given.sum(axis=1, keepdims=True)
    if (given < 0).any() or abs(sums - 1).max() > 1e-3:
        fail(
            "AX0608",
            f"`{function}` of the metric `{name}` takes probabilities, whose sum is 1, and a row has {sums.flat[0]:g}",
            None,
            help="`softmax(logits)` gives them",
        )
    return truth, given / sums, {"labels": list(range(classes))}


def _check_binary(function: str, name: str, *arrays: Array) -> None:
    options = SET_FUNCTIONS[function].options
    for array in arrays:
        other = array[(array != 0) & (array != 1)]
        if other.size:
            averaged = f"`{function}(..., average=macro)` averages over classes"
            fail(
                "AX0608",
                f"`{function}` of the metric `{name}` takes classes 0 and 1, and there is a {other.flat[0]}",
                None,
                help=averaged if "average" in options else "for more classes use `log_loss`",
            )
