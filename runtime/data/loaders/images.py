"""Reading a folder of images whose subfolders are the classes.

What this module does not do: augment or normalise (feeds and the model do, in the language).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.compiler.sources import ImagesSource
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span
from archonnx.runtime.data.loader import Loaded, Place, loads
from archonnx.runtime.extras import missing

GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV"})
"""Modes of eight bits or fewer, which become RGB; a palette is colour, and transparency is dropped."""


@loads(ImagesSource)
def load(source: ImagesSource, place: Place) -> Loaded:
    """``image`` and ``label``."""
    return read_images(place.folder(source.path), source.size, place.span)


def read_images(folder: Path, size: Sequence[int] | None = None, span: Span | None = None) -> Loaded:
    """``image``: f32[n, c, h, w] from 0 to 1, grey (c = 1) if all images are, else RGB; and ``label``: the class.

    Classes are the subfolders in the order of their names, and so are the images of each; hidden files are left out.

    Args:
        folder: where the subfolders are.
        size: height and width to which every image is scaled; they must be of one size unless it is given.
        span: the place of the spec that asked for it.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        missing("reading images", "Pillow", "images", span)
    classes = [path for path in _listed(folder) if path.is_dir()]
    files = [(path, label) for label, of in enumerate(classes) for path in _listed(of)]
    if not files:
        fail(
            "AX0604",
            f"`{folder.name}` has no images in subfolders",
            span,
            help=f"each class has a folder, as in {folder.name}/cat/1.png",
        )
    pixels = [_read(path, folder, size, span) for path, _ in files]
    for (path, _), array in zip(files, pixels, strict=True):
        if array.shape[:2] != pixels[0].shape[:2]:
            fail(
                "AX0604",
                f"the images differ in size: {_named(files[0][0], folder)} is {_shown(pixels[0])}, "
                f"{_named(path, folder)} is {_shown(array)}",
                span,
                help=f"scale them: `size=[{pixels[0].shape[0]}, {pixels[0].shape[1]}]`",
            )
    if any(array.shape[2] == 3 for array in pixels):
        pixels = [np.broadcast_to(array, (*array.shape[:2], 3)) for array in pixels]
    image = np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    label = np.array([label for _, label in files], dtype=np.int64)
    return Loaded(
        {"image": image, "label": label},
        folder.name,
        classes={"label": tuple(path.name for path in classes)},
        files=tuple(path for path, _ in files),
    )


def _listed(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)


def _read(path: Path, folder: Path, size: Sequence[int] | None, span: Span | None) -> npt.NDArray[np.uint8]:
    """One image, [h, w, 1] or [h, w, 3]."""
    from PIL import Image

    name = _named(path, folder)
    if not path.resolve().is_relative_to(folder):
        fail("AX0601", f"{name} lies outside `{folder.name}`", span)
    try:
        with Image.open(path) as image:
            if image.mode not in GREY | COLOUR:
                fail("AX0604", f"{name} has pixels of mode {image.mode}, not eight bits a channel", span)
            plain: Any = image.convert("L" if image.mode in GREY else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        fail("AX0604", f"{name} is not an image that can be read", span, notes=[str(error)])
    if size is not None:
        height, width = size
        plain = plain.resize((width, height), Image.Resampling.BILINEAR)
    array: npt.NDArray[np.uint8] = np.asarray(plain, dtype=np.uint8)
    return array[..., None] if array.ndim == 2 else array


def _named(path: Path, folder: Path) -> str:
    return f"`{path.relative_to(folder.parent).as_posix()}`"


def _shown(array: Array) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
