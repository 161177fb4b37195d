"""Metrics over a set: their arguments are gathered batch by batch, and computed once at the end, by scikit-learn.

What this module does not do: run the model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

import numpy as np

from archonnx.compiler.ir.types import Array
from archonnx.compiler.program import SetMetric
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar.diagnostics import fail


class Gathered:
    """What the metrics over a set need of the batches so far."""

    def __init__(self, metrics: Mapping[str, SetMetric]) -> None:
        self._metrics = metrics
        self._arrays: dict[str, list[Array]] = {name: [] for metric in metrics.values() for name in metric.arguments}

    def add(self, results: Mapping[str, Array]) -> dict[str, float]:
        """Keep the arguments among a batch's results; the other results, which are numbers."""
        for name, arrays in self._arrays.items():
            arrays.append(np.array(results[name]))
        return {name: float(value) for name, value in results.items() if name not in self._arrays}

    def values(self) -> dict[str, float]:
        """The metrics over all batches, by name."""
        return {name: self._value(name, metric) for name, metric in self._metrics.items()}

    def _value(self, name: str, metric: SetMetric) -> float:
        prediction, target = (np.concatenate(self._arrays[argument]) for argument in metric.arguments)
        return set_metric(metric.function, prediction, target, name)


def set_metric(function: str, prediction: Array, target: Array, name: str = "") -> float:
    """A function of a set; NaN where it is not defined, as for numbers that are not finite or labels all alike.

    Args:
        function: a name of ``SET_FUNCTIONS``.
        prediction: scores, values or classes.
        target: of the same shape.
        name: what the metric is called in messages.
    """
    from sklearn import metrics

    how = SET_FUNCTIONS[function]
    if how.target == "binary":
        _check_binary(function, name, target, *([prediction] if how.prediction == "classes" else []))
    if not (np.isfinite(prediction).all() and np.isfinite(target).all()):
        return math.nan
    shape = (len(target), -1) if how.target == "numbers" else (-1,)  # columns are averaged; classes counted
    dtype = np.float64 if how.target == "numbers" else np.int64
    given = prediction if how.prediction == "numbers" else prediction.astype(np.int64)
    truth, given = target.astype(dtype).reshape(shape), given.reshape(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not defined is NaN, or 0 by convention
        try:
            return float(getattr(metrics, how.computed_by)(truth, given, **how.options))
        except ValueError:  # of labels all alike, in older versions
            return math.nan


def _check_binary(function: str, name: str, *arrays: Array) -> None:
    for array in arrays:
        other = array[(array != 0) & (array != 1)]
        if other.size:
            fail(
                "AX0608",
                f"`{function}` of the metric `{name}` takes classes 0 and 1, and there is a {other.flat[0]}",
                None,
                help="of more than two classes there are `macro_f1`, `balanced_accuracy`, `matthews_corrcoef`",
            )
