"""Reading folders of pictures, whose subfolders are the classes, with masks and boxes if there are any.

What this module does not do: turn pictures into arrays (``pictures`` does), augment or normalise them (feeds and the
model do, in the language).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from archonnx.compiler.sources import ImagesSource
from archonnx.grammar.diagnostics import Report, did_you_mean, listing
from archonnx.grammar.source import Span
from archonnx.runtime.data.boxes import read_boxes
from archonnx.runtime.data.loader import Fields, Loaded, Place, loads
from archonnx.runtime.data.pictures import Picture, listed, named, needs_pillow, pictures_of, read_all, read_masks


@loads(ImagesSource)
def load(source: ImagesSource, place: Place) -> Loaded:
    """``image`` and ``file``; ``label`` if the pictures stand in folders; ``mask`` and ``boxes`` if there are any."""
    own = place.path is None
    root = place.folder(source.path) if own or (place.path and place.path.is_dir()) else place.file(source.path)
    masks = place.beside(source.masks) if own and source.masks is not None else None
    boxes = place.file_beside(source.boxes) if own and source.boxes is not None else None
    return read_images(root, source, masks, boxes, place.span)


def read_images(
    root: Path,
    how: ImagesSource | None = None,
    masks: Path | None = None,
    boxes: Path | None = None,
    span: Span | None = None,
) -> Loaded:
    """The pictures of a folder, or a single one.

    Args:
        root: the folder, or the picture.
        how: to which size and colour, and which subfolders are the classes.
        masks: the folder of their masks.
        boxes: the table of their boxes.
        span: the place of the spec that asked for it.
    """
    needs_pillow(span)
    how = how or ImagesSource(path=root.name)
    found = pictures_of(root, span)
    folders = [path.name for path in listed(root) if path.is_dir()] if root.is_dir() else []
    classes = _classes(root, folders, how.classes, span)
    channels = None if how.colour is None else {"grey": 1, "rgb": 3}[how.colour]
    image = read_all(found, how.size, channels, span)
    fields: Fields = {"image": image}
    if classes:
        fields["label"] = np.array([classes.index(picture.folder) for picture in found], dtype=np.int64)
    fields["file"] = np.array([picture.name for picture in found], dtype=object)
    held = {picture.folder for picture in found}
    empty = [name for name in folders if name not in held]
    notes = [f"{root.name}: no pictures in {listing(f'`{name}`' for name in empty)}"] * bool(empty)
    if masks is not None:
        fields["mask"] = read_masks(found, masks, how.size, span)
        notes += _without_picture(found, masks)
    in_boxes: tuple[str, ...] = ()
    if boxes is not None:
        found_in = read_boxes(found, boxes, how.size, how.box_classes, span)
        fields |= found_in.fields
        notes += found_in.notes
        in_boxes = found_in.classes
    settled = {
        "colour": "grey" if image.shape[1] == 1 else "rgb",
        "classes": list(classes) or None,
        "box_classes": list(in_boxes) or None,
    }
    return Loaded(
        fields,
        root.name,
        classes={name: names for name, names in (("label", classes), ("box_label", in_boxes)) if names},
        settled={name: value for name, value in settled.items() if value is not None},
        notes=tuple(notes),
        files=(*(picture.path for picture in found), *([boxes] if boxes is not None else [])),
    )


def _classes(root: Path, folders: Sequence[str], wanted: Sequence[str] | None, span: Span | None) -> tuple[str, ...]:
    """Names of the classes by their numbers; SpecError if a folder is none of those that are wanted."""
    if wanted is None or not folders:
        return tuple(folders)
    report = Report()
    for name in folders:
        if name not in wanted:
            help = did_you_mean(name, wanted) or f"classes: {listing(wanted)}"
            report.error("AX0604", f"{named(root / name, root)} is none of the classes", span, help=help)
    report.finish()
    return tuple(wanted)


def _without_picture(found: Sequence[Picture], masks: Path) -> list[str]:
    """A note on masks that belong to no picture."""
    names = {picture.stem for picture in found}
    rest = [
        path.relative_to(masks).as_posix()
        for path in sorted(masks.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.relative_to(masks).with_suffix("").as_posix() not in names
    ]
    if not rest:
        return []
    return [f"{masks.name}: {len(rest)} file{'s' if len(rest) > 1 else ''} without a picture, such as {rest[0]}"]
