"""NumPy archives of plain arrays, each of which is a field."""

from __future__ import annotations

from archonnx.compiler.sources import NpzSource
from archonnx.runtime.data.arrays import named_arrays
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.data.stored import read_npz


@loads(NpzSource)
def load(source: NpzSource, place: Place) -> Loaded:
    """Every array of the file by its name."""
    path = place.file(source.path)
    arrays = read_npz(path, place.span)
    whole = [name for name in source.whole if place.own or name in arrays]
    return named_arrays(arrays, path.name, kinds=place.kinds, files=[path], span=place.span, whole=whole)
