"""The data sets that come with statsmodels. What this module does not do: download others."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from archonnx.compiler.sources import SERIES, StatsmodelsSource
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.runtime.data.arrays import from_frame
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.extras import missing

DATE = "date"
"""The column of the dates by which rows go, where they have no name."""


@loads(StatsmodelsSource)
def load(source: StatsmodelsSource, place: Place) -> Loaded:
    """The columns, ``data`` and ``target``; what rows are called is the first column, if it is more than a number."""
    name = source.name
    where = f'statsmodels("{name}")'
    if name not in SERIES:
        fail("AX0602", f"statsmodels bundles no data set `{name}`", place.span, help=did_you_mean(name, SERIES))
    try:
        module: Any = import_module(f"statsmodels.datasets.{name}")
    except ImportError:
        missing(where, "statsmodels", "series", place.span)
    held = module.load_pandas()
    frame = held.data
    if type(frame.index).__name__ != "RangeIndex":
        frame = frame.reset_index(names=frame.index.name or DATE)
    explained = getattr(getattr(held, "endog", None), "name", None)
    target = explained if explained in frame.columns else None
    return from_frame(frame, target, place.kinds, where)
