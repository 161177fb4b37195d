"""NumPy archives of plain arrays, each of which is a field."""

from __future__ import annotations

import zipfile

import numpy as np

from archonnx.compiler.sources import NpzSource
from archonnx.grammar.diagnostics import fail
from archonnx.runtime.data.arrays import named_arrays
from archonnx.runtime.data.loader import Loaded, Place, loads


@loads(NpzSource)
def load(source: NpzSource, place: Place) -> Loaded:
    """Every array of the file by its name."""
    path = place.file(source.path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError):
        fail(
            "AX0604",
            f"{path.name} is not an .npz file of plain arrays",
            place.span,
            help=f'write it with `numpy.savez("{path.name}", x=..., y=...)`; arrays of Python objects are not read',
        )
    whole = [name for name in source.whole if place.own or name in arrays]
    return named_arrays(arrays, path.name, kinds=place.kinds, files=[path], span=place.span, whole=whole)
