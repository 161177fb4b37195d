"""Folders of pictures: files that are none, other pixels, folders within folders, classes too many and too few."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from .cases import Case, Either, Expected, Refused, Right, mutation

FOLDER = "photos"
SPEC = """model Photos():
    input image: [B, 1, 4, 5]
    target label: i64[B]
    logits = image |> flatten |> Dense(2)
    output probs: [B, 2] = softmax(logits)
    loss objective = cross_entropy(logits, label)

train:
    data = images("photos")
    split = {train: 0.75, test: 0.25}
    epochs = 2
    batch_size = 4
    minimize objective with sgd(lr=0.1)
"""
NAMES = tuple(f"{folder}/{number}.png" for folder in ("cats", "dogs") for number in range(6))
PIXELS = np.random.default_rng(0).integers(0, 256, (len(NAMES), 4, 5), dtype=np.uint8)
SAME = Right(None, tuple(range(len(NAMES))))


def write_pictures(folder: Path) -> Path:
    """The unmutated folder."""
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        path = folder / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder / FOLDER


def pictures(
    name: str,
    change: Callable[[Path], None],
    train: Expected = SAME,
    predict: Expected | None = None,
    evaluate: Expected | None = None,
) -> Case:
    """The folder after a change."""

    def write(folder: Path) -> Path:
        root = write_pictures(folder)
        change(root)
        return root

    predict = train if predict is None else predict
    return Case(name, write, train, predict, predict if evaluate is None else evaluate)


def saved(image: Image.Image, form: str = "png", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def replaced(number: int, content: bytes) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / NAMES[number]).write_bytes(content)

    return change


def of(random: Random) -> int:
    return random.randrange(len(NAMES))


def grey(number: int) -> Image.Image:
    return Image.fromarray(PIXELS[number])


@mutation("pictures")
def untouched(random: Random) -> Case:
    return pictures("nothing", lambda root: None)


@mutation("pictures")
def other_form(random: Random) -> Case:
    number, form = of(random), random.choice(("bmp", "tiff"))
    return pictures(f"a picture as {form}", replaced(number, saved(grey(number), form)))


@mutation("pictures")
def other_mode(random: Random) -> Case:
    """Grey pixels in colour make all pictures colour in a training; the run has settled for grey."""
    number, mode = of(random), random.choice(("RGB", "RGBA"))
    change = replaced(number, saved(grey(number).convert(mode)))
    return pictures(f"a picture in {mode}", change, Refused(("`image`", "3")), SAME)


@mutation("pictures")
def grey_with_alpha(random: Random) -> Case:
    number = of(random)
    return pictures("a grey picture with transparency", replaced(number, saved(grey(number).convert("LA"))))


@mutation("pictures")
def deep(random: Random) -> Case:
    number, kind = of(random), random.choice((np.uint16, np.int32, np.float32))
    image = Image.fromarray(PIXELS[number].astype(kind))
    said = Refused((NAMES[number], image.mode))
    return pictures(f"a picture of mode {image.mode}", replaced(number, saved(image, "tiff")), said)


@mutation("pictures")
def other_size(random: Random) -> Case:
    number = random.randrange(1, len(NAMES))
    shape = random.choice(((5, 4), (1, 1), (4, 6), (40, 50)))
    said = Refused((NAMES[number], f"{shape[0]} x {shape[1]}"))
    return pictures(f"a picture of {shape}", replaced(number, saved(Image.new("L", shape[::-1]))), said)


@mutation("pictures")
def all_of_another_size(random: Random) -> Case:
    def change(root: Path) -> None:
        for name in NAMES:
            Image.new("L", (7, 6)).save(root / name)

    return pictures("all pictures of another size", change, Refused(("`image`", "6")), Refused(("image", "6", "7")))


@mutation("pictures")
def turned(random: Random) -> Case:
    """What a camera wrote that was held upside down: the file is turned, and says so."""
    number = of(random)
    exif = Image.Exif()
    exif[0x0112] = 3
    content = saved(grey(number).rotate(180), "png", exif=exif)
    return pictures("a picture that says that it is upside down", replaced(number, content))


@mutation("pictures")
def cut_off(random: Random) -> Case:
    number, form = of(random), random.choice(("png", "jpeg", "bmp", "tiff", "webp"))
    content = saved(grey(number) if form != "webp" else grey(number).convert("RGB"), form)
    content = content[: random.randrange(0, len(content) // 2)]
    return pictures(f"a {form} cut off", replaced(number, content), Refused((NAMES[number],)))


@mutation("pictures")
def spoiled(random: Random) -> Case:
    """Some bytes are not what they were: what is then seen is another picture, or none."""
    number, form = of(random), random.choice(("png", "jpeg", "bmp", "tiff", "gif", "webp"))
    content = bytearray(saved(grey(number), form))
    for _ in range(random.choice((1, 3, 12))):
        content[random.randrange(len(content))] = random.randrange(256)
    return pictures(f"a spoiled {form}", replaced(number, bytes(content)), Either())


@mutation("pictures")
def no_picture(random: Random) -> Case:
    number = of(random)
    content = random.choice(
        (b"", b"hello", b"\x89PNG\r\n\x1a\n", b"<svg></svg>", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0")
    )
    return pictures(f"{content[:6]!r} as a picture", replaced(number, content), Refused((NAMES[number],)))


@mutation("pictures")
def other_file(random: Random) -> Case:
    name, left_out = random.choice((("notes.txt", False), ("labels.csv", False), ("Thumbs.db", True)))

    def change(root: Path) -> None:
        (root / "cats" / name).write_text("x")

    return pictures(f"`{name}` among the pictures", change, SAME if left_out else Refused((name,)))


@mutation("pictures")
def hidden(random: Random) -> Case:
    def change(root: Path) -> None:
        (root / "cats" / ".DS_Store").write_bytes(b"x")
        (root / ".hidden").mkdir()

    return pictures("hidden files", change)


@mutation("pictures")
def beside(random: Random) -> Case:
    return pictures("a picture beside the folders", lambda root: grey(0).save(root / "a.png"), Refused(("a.png",)))


@mutation("pictures")
def nested(random: Random) -> Case:
    folder = random.choice(("cats/more", "dogs/0"))

    def change(root: Path) -> None:
        (root / folder).mkdir()
        if random.random() < 0.5:
            grey(0).save(root / folder / "a.png")

    return pictures(f"a folder `{folder}`", change, Refused((folder,)))


@mutation("pictures")
def folder_empty(random: Random) -> Case:
    """A third class has no pictures: the model has two."""
    name = random.choice(("birds", "zebras"))
    return pictures(f"an empty folder `{name}`", lambda root: (root / name).mkdir(), Either(), Either())


@mutation("pictures")
def no_pictures(random: Random) -> Case:
    def change(root: Path) -> None:
        shutil.rmtree(root)
        if random.random() < 0.7:
            (root / random.choice((".", "cats"))).mkdir(parents=True)

    return pictures("no pictures", change, Refused((FOLDER,)))


@mutation("pictures")
def class_renamed(random: Random) -> Case:
    def change(root: Path) -> None:
        (root / "dogs").rename(root / other)

    other = random.choice(("Dogs", "wolves", "dogs "))
    return pictures(f"`dogs` called `{other}`", change, Either(), Either(), Refused((other.strip(),)))


@mutation("pictures")
def class_gone(random: Random) -> Case:
    """The pictures that are left are those of their class, whatever else is there."""
    name = random.choice(("cats", "dogs"))
    left = tuple(number for number, other in enumerate(NAMES) if not other.startswith(name))
    return pictures(f"`{name}` gone", lambda root: shutil.rmtree(root / name), Either(), Right(None, left))


@mutation("pictures")
def without_folders(random: Random) -> Case:
    """Pictures that nobody has sorted: they can be predicted, and not be learned from."""

    def change(root: Path) -> None:
        for number, name in enumerate(NAMES):
            (root / name).rename(root / f"{number:02}.png")
        (root / "cats").rmdir()
        (root / "dogs").rmdir()

    said = Refused(("`label`",))
    return pictures("pictures without folders", change, said, SAME, said)


@mutation("pictures")
def fewer(random: Random) -> Case:
    gone = random.sample(range(len(NAMES)), 3)

    def change(root: Path) -> None:
        for number in gone:
            (root / NAMES[number]).unlink()

    left = tuple(number for number in range(len(NAMES)) if number not in gone)
    return pictures("three pictures gone", change, Either(), Right(None, left))


@mutation("pictures")
def linked(random: Random) -> Case:
    number = of(random)

    def change(root: Path) -> None:
        outside = root.parent / "outside.png"
        (root / NAMES[number]).rename(outside)
        (root / NAMES[number]).symlink_to(outside)

    return pictures("a link that leads outside", change, Refused((NAMES[number], "outside")))
