"""Pictures as arrays, the same in training and in prediction: turned as their camera says, scaled, grey or colour.

What this module does not do: number classes (the loader of folders does).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archonnx.compiler.ir.types import Array
from archonnx.grammar.diagnostics import Report, SpecError, fail
from archonnx.grammar.source import Span
from archonnx.runtime.extras import missing
from archonnx.runtime.paths import is_there, kind_at, reading, short

from .loader import PICTURES
from .progress import Reading
from .room import check_room
from .storage import blocks, storage
from .workers import decoded

GREY = frozenset({"1", "L", "LA"})
COLOUR = frozenset({"RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV"})
"""Modes of eight bits or fewer, which become RGB; a palette is colour, and transparency is dropped."""
NUMBERS = frozenset({"1", "L", "P", "I", "I;16"})
"""Modes whose pixels are numbers, as those of masks are."""
FORMATS = (
    "PNG",
    "JPEG",
    "MPO",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "WEBP",
    "PPM",
    "TGA",
    "PCX",
    "SGI",
    "JPEG2000",
    "AVIF",
    "ICO",
)
ARRAYS = "give the numbers as arrays, by `npz` or `npy`, and scale them in the feed"
EIGHT_BITS = dict.fromkeys(
    ("I;16", "I;16B", "I;16L"),
    f'write it with eight, as by `Image.fromarray((numpy.asarray(image) // 257).astype("uint8"))`, or {ARRAYS}',
)
"""What is to be done about pixels of more bits, by their mode: 65535 // 257 is 255."""
LEFT_BEHIND = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
"""Files and folders that systems put among others and do not show."""
BYTES_OF_PIXEL = 4
SHOWN = 5
Size = Sequence[int]
"""Height and width."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, and the folder from which its name is told."""

    path: Path
    root: Path

    @property
    def name(self) -> str:
        """``cat/1.png``."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def folder(self) -> str:
        """``cat``."""
        return self.path.parent.name

    @property
    def stem(self) -> str:
        """``cat/1``."""
        return self.path.relative_to(self.root).with_suffix("").as_posix()

    @property
    def shown(self) -> str:
        """What messages call it."""
        return named(self.path, self.root) if self.path.parent != self.root else f"`{self.path.name}`"


def read_pictures(
    paths: Path | Sequence[Path], size: Size | None = None, channels: int | None = None, span: Span | None = None
) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    """Pictures as f32[n, c, h, w] from 0 to 1, and their names.

    Args:
        paths: pictures, and folders of pictures with or without subfolders.
        size: height and width to which they are scaled; they must be of one size unless it is given.
        channels: 1 for grey or 3 for RGB; grey if all of them are, unless it is given.
        span: the place of the spec that asked for it.
    """
    needs_pillow(span)
    given = [paths] if isinstance(paths, Path) else paths
    found = [picture for path in given for picture in pictures_of(path, span)]
    return read_all(found, size, channels, span), tuple(picture.name for picture in found)


def needs_pillow(span: Span | None) -> None:
    """SpecError unless Pillow is installed."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        missing("reading images", "Pillow", "images", span)


def pictures_of(root: Path, span: Span | None = None) -> list[Picture]:
    """The pictures of a folder, those of its subfolders in order, or a single one; SpecError if they are not plain."""
    kind, what = kind_at(root)
    if kind == "nothing":
        fail("AX0601", f"there is no file or folder {short(str(root))}", span)
    if kind == "other":
        fail("AX0601", f"`{short(str(root))}` {what}, not a picture", span)
    if kind == "file":
        return [Picture(root, root.parent)]
    folders = [path for path in listed(root) if path.is_dir()]
    flat = [path for path in listed(root) if not path.is_dir()]
    pictures = [path for path in flat if path.suffix.lower() in PICTURES]
    if folders and pictures:
        fail(
            "AX0604",
            f"`{root.name}` has pictures beside its folders: {named(pictures[0], root)}, {named(folders[0], root)}",
            span,
            help="each picture stands in the folder of its class, or all of them in one folder without others",
        )
    nested = [path for folder in folders for path in listed(folder) if path.is_dir()]
    if nested:
        shown = ", ".join(named(path, root) for path in nested[:SHOWN])
        more = f" and {len(nested) - SHOWN} more" if len(nested) > SHOWN else ""
        fail(
            "AX0604",
            f"folders inside the folder of a class: {shown}{more}",
            span,
            help=f"the folders in `{root.name}` are the classes, and their pictures stand in them directly",
        )
    found = [path for folder in folders for path in listed(folder)] if folders else flat
    if not found:
        fail(
            "AX0604",
            f"`{root.name}` has no pictures, in subfolders or without",
            span,
            help=f"each class has a folder, as in {root.name}/cat/1.png",
        )
    return [Picture(path, root) for path in found]


def listed(folder: Path) -> list[Path]:
    """What stands in a folder, by name; hidden files are left out."""
    with reading(folder):
        shown = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name not in LEFT_BEHIND)
        return sorted(shown, key=lambda path: path.name)


def named(path: Path, root: Path) -> str:
    """A file as messages name it: from the folder on."""
    return f"`{path.relative_to(root.parent).as_posix()}`"


def read_all(
    pictures: Sequence[Picture], size: Size | None, channels: int | None, span: Span | None
) -> npt.NDArray[np.float32]:
    """Pictures as f32[n, c, h, w] from 0 to 1; see ``read_pictures``."""
    progress, held = Reading(pictures[0].root.name, len(pictures), "pictures"), None
    where = pictures[0].root.name
    for done, array in enumerate(decoded(pictures, partial(_pixels, size=size, channels=channels), span)):
        if held is None:
            held = storage((len(pictures), *array.shape), np.uint8, where, span)
        if array.shape[:2] != held.shape[1:3]:
            fail(
                "AX0604",
                f"the images differ in size: {pictures[0].shown} is {_shape(held[0])}, "
                f"{pictures[done].shown} is {_shape(array)}",
                span,
                help=f"scale them: `size=[{held.shape[1]}, {held.shape[2]}]`",
            )
        if array.shape[2] > held.shape[3]:  # the first one with colours: those before it are grey in colour
            grey, held = held, storage((*held.shape[:3], 3), np.uint8, where, span)
            for begin, end in blocks(done, held[:1].nbytes):
                held[begin:end] = grey[begin:end]
        held[done] = array
        progress.at(done)
    assert held is not None
    image = storage((len(held), held.shape[3], *held.shape[1:3]), np.float32, where, span)
    for begin, end in blocks(len(held), image[:1].nbytes):
        image[begin:end] = held[begin:end].transpose(0, 3, 1, 2)
        image[begin:end] /= np.float32(255)
    return image


def _pixels(picture: Picture, span: Span | None, *, size: Size | None, channels: int | None) -> npt.NDArray[np.uint8]:
    """One picture, [h, w, 1] or [h, w, 3]."""
    image = _opened(picture, span)
    if image.mode not in GREY | COLOUR:
        fail(
            "AX0604",
            f"{picture.shown} has pixels of mode {image.mode}, not eight bits a channel",
            span,
            help=EIGHT_BITS.get(image.mode, ARRAYS),
        )
    grey = image.mode in GREY if channels is None else channels == 1
    with _readable(picture, span):
        plain = image.convert("L" if image.mode in GREY else "RGB")
        if grey and plain.mode == "RGB":
            plain = plain.convert("L")
        if size is not None:
            from PIL import Image

            height, width = size
            plain = plain.resize((width, height), Image.Resampling.BILINEAR)
        array: npt.NDArray[np.uint8] = np.asarray(plain, dtype=np.uint8)
    array = array[..., None] if array.ndim == 2 else array
    return array if grey else np.broadcast_to(array, (*array.shape[:2], 3))


def _opened(picture: Picture, span: Span | None) -> Any:
    """A picture as its camera was held; SpecError if it cannot be read."""
    from PIL import Image, ImageOps

    if not is_there(picture.path, "file", span, picture.name):
        fail("AX0604", f"{picture.shown} is not a picture but a folder, or a link that leads nowhere", span)
    if not picture.path.resolve().is_relative_to(picture.root.resolve()):
        fail("AX0601", f"{picture.shown} lies outside `{picture.root.name}`", span)
    with _readable(picture, span), Image.open(picture.path, formats=_formats()) as image:
        width, height = image.size
        check_room(picture.path, width * height * BYTES_OF_PIXEL, span, help="scale the picture down")
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        if pages > 1:  # of an animation the first is what a viewer shows; these are measurements
            fail("AX0604", f"{picture.shown} has {pages} pages", span, help=f"write each as a picture, or {ARRAYS}")
        return ImageOps.exif_transpose(image)


@contextmanager
def _readable(picture: Picture, span: Span | None) -> Iterator[None]:
    """SpecError with what Pillow says, if it cannot go on; what it would merely warn of is no matter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (SpecError, MemoryError):
        raise
    except Exception as error:  # on damaged files Pillow raises nearly everything
        notes = [short(str(error).partition("\n")[0].replace(str(picture.path), picture.name))]
        way = None
        if picture.path.suffix.lower() not in PICTURES:
            way = "all files of the folder are read: take it out, or let its name begin with a dot"
        fail("AX0604", f"{picture.shown} is not an image that can be read", span, notes=notes, help=way)


@cache
def _formats() -> list[str]:
    """The formats that are read, of those that Pillow has: none for which it starts another program, as for EPS."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


# ---------------------------------------------------------------- masks


def read_masks(pictures: Sequence[Picture], folder: Path, size: Size | None, span: Span | None) -> Array:
    """Masks of pictures, i64[n, h, w]: pixels are the numbers of classes, and scaling takes the nearest.

    Args:
        pictures: what they are masks of, which have the same size.
        folder: where they are, each by the name of its picture; the end of the name may differ (``1.jpg``, ``1.png``).
        size: height and width to which they are scaled, as the pictures are.
        span: the place of the spec that asked for it.
    """
    report = Report()
    by_stem = _by_stem(folder, report, span)
    masks: Array | None = None
    for number, picture in enumerate(pictures):
        with report.collecting():
            if picture.stem not in by_stem:
                fail("AX0604", f"{picture.shown} has no mask in `{folder.name}`", span)
            mask = _mask(by_stem[picture.stem], picture, size, span)
            if masks is None:
                masks = storage((len(pictures), *mask.shape), mask.dtype, folder.name, span)
            masks[number] = mask
    if report.failed or masks is None:
        raise SpecError(Report(report.diagnostics[:SHOWN]))
    return masks


def _by_stem(folder: Path, report: Report, span: Span | None) -> Mapping[str, Picture]:
    """Masks by the names of their pictures, without the ends."""
    found: dict[str, Picture] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            mask = Picture(path, folder)
            if mask.stem in found:
                report.error("AX0604", f"{found[mask.stem].name} and {mask.name} are masks of one picture", span)
            found[mask.stem] = mask
    return found


def _mask(mask: Picture, picture: Picture, size: Size | None, span: Span | None) -> npt.NDArray[np.int64]:
    image, upright = _opened(mask, span), size_of(picture)
    where = named(mask.path, mask.root)
    if image.mode not in NUMBERS:
        fail(
            "AX0604",
            f"{where} has pixels of mode {image.mode}, not the number of a class for each",
            span,
            help="write it in grey or with a palette, as in `Image.fromarray(numbers.astype(numpy.uint8))`",
        )
    if image.size != upright:
        said = " and ".join(f"{height} x {width}" for width, height in (image.size, upright))
        fail("AX0604", f"{where} and {picture.shown} differ in size: {said}", span)
    numbers = np.asarray(image)
    if size is not None:
        rows, columns = (((2 * np.arange(to) + 1) * of) // (2 * to) for to, of in zip(size, numbers.shape, strict=True))
        numbers = numbers[rows[:, None], columns[None]]
    return numbers.astype(np.int64)


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height of a picture that has been read, as its camera was held."""
    from PIL import ExifTags, Image

    with Image.open(picture.path) as image:
        lies = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        return image.size[::-1] if lies else image.size


def _shape(array: Array) -> str:
    return f"{array.shape[0]} x {array.shape[1]}"
