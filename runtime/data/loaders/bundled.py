"""The data sets that come with scikit-learn. What this module does not do: download the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from archonnx.compiler.sources import BUNDLED, SklearnSource
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime.data.loader import Loaded, Place, loads


@loads(SklearnSource)
def load(source: SklearnSource, place: Place) -> Loaded:
    """``data``, a matrix, and ``target``."""
    name = source.name
    if name not in BUNDLED:
        fail(
            "AX0602",
            f"scikit-learn bundles no data set `{name}`",
            place.span,
            help=did_you_mean(name, BUNDLED) or f"bundled: {', '.join(BUNDLED)}",
        )
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    target = bunch.target.astype(np.int64) if bunch.target.dtype.kind in "iu" else bunch.target
    classes = {"target": tuple(map(str, bunch.target_names))} if "target_names" in bunch else {}
    columns = {"data": tuple(map(str, bunch.feature_names))}
    return Loaded({"data": bunch.data, "target": target}, f'sklearn("{name}")', classes=classes, columns_of=columns)
