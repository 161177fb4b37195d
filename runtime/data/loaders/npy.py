"""A folder of .npy files, each of which is a field."""

from __future__ import annotations

import numpy as np

from archonnx.compiler.sources import NpySource
from archonnx.grammar.diagnostics import Report, fail
from archonnx.runtime.data.arrays import named_arrays
from archonnx.runtime.data.loader import Fields, Loaded, Place, loads


@loads(NpySource)
def load(source: NpySource, place: Place) -> Loaded:
    """Every array by the name of its file, which is read part by part as it is used."""
    report = Report()
    one = place.path is not None and place.path.is_file()
    folder = place.file(source.path) if one else place.folder(source.path)
    files = [folder] if one else sorted(folder.glob("*.npy"))
    if not files:
        fail("AX0604", f"{source.path} has no .npy files", place.span, help='write them with `numpy.save("x.npy", x)`')
    fields: Fields = {}
    for path in files:
        try:
            fields[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError):
            report.error("AX0604", f"{path.name} is not an .npy file of a plain array", place.span)
    report.finish()
    whole = [name for name in source.whole if place.own or name in fields]
    return named_arrays(fields, folder.name, kinds=place.kinds, files=files, span=place.span, whole=whole)
