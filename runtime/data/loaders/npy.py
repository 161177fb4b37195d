"""A folder of .npy files, each of which is a field."""

from __future__ import annotations

from archonnx.compiler.sources import NpySource
from archonnx.grammar.diagnostics import Report, fail
from archonnx.runtime.data.arrays import named_arrays
from archonnx.runtime.data.loader import Fields, Loaded, Place, loads
from archonnx.runtime.data.stored import read_npy
from archonnx.runtime.paths import is_there, kind_at


@loads(NpySource)
def load(source: NpySource, place: Place) -> Loaded:
    """Every array by the name of its file, which is read part by part as it is used."""
    report = Report()
    one = place.path is not None and kind_at(place.path)[0] != "folder"
    folder = place.file(source.path) if one else place.folder(source.path)
    files = [folder] if one else sorted(folder.glob("*.npy"))
    if not files:
        fail("AX0604", f"{source.path} has no .npy files", place.span, help='write them with `numpy.save("x.npy", x)`')
    fields: Fields = {}
    for path in files:
        with report.collecting():
            if not is_there(path, "file", place.span, f"{folder.name}/{path.name}"):
                fail("AX0601", f"`{folder.name}/{path.name}` is not a file", place.span)
            fields[path.stem] = read_npy(path, place.span)
    report.finish()
    whole = [name for name in source.whole if place.own or name in fields]
    return named_arrays(fields, folder.name, kinds=place.kinds, files=files, span=place.span, whole=whole)
