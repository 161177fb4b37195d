"""Folders of pictures: as a viewer shows them, the same in training and in prediction, with masks; bad ones are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from archonnx.compiler.program import DataSource
from archonnx.compiler.sources import source_arguments
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.pictures import read_pictures
from archonnx.runtime.data.sources import load_file, load_source
from tests.support.programs import WHOLE


def picture(path: Path, pixels: Any, orientation: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels, dtype=np.uint8))
    exif = image.getexif()
    if orientation is not None:
        exif[0x0112] = orientation
    image.save(path, exif=exif)


def load(base: Path, settled: Any = None, given: Path | None = None, **arguments: Any) -> Loaded:
    found = source_arguments("images", [], {"path": "pets", **arguments}, WHOLE, Report())
    assert found is not None
    return load_source(DataSource("data", "images", found, WHOLE), base, given=given, settled=settled)


def refused(base: Path, **arguments: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load(base, **arguments)
    return "\n".join(f"{d.headline}\n{d.help or ''}" for d in caught.value.diagnostics)


RANDOM = np.random.default_rng(0)


# ---------------------------------------------------------------- pixels


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_every_viewer_turns_them(orientation: int, tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 256, (4, 6, 3))
    picture(tmp_path / "pets/a/1.png", pixels, orientation)
    with Image.open(tmp_path / "pets/a/1.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert upright.shape == ((4, 6, 3) if orientation < 5 else (6, 4, 3))
    np.testing.assert_array_equal(load(tmp_path).fields["image"][0] * 255, upright.transpose(2, 0, 1))


@pytest.mark.parametrize("colour", ["grey", "rgb"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA"])
def test_a_picture_has_the_same_pixels_in_prediction(mode: str, colour: str, tmp_path: Path) -> None:
    image = Image.fromarray(RANDOM.integers(0, 256, (5, 7, 3)).astype(np.uint8)).convert(mode)
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "pets" / name)
    trained = load(tmp_path, size=[3, 4], colour=colour).fields["image"]
    channels = 1 if colour == "grey" else 3
    assert trained.shape == (2, channels, 3, 4) and trained.dtype == np.float32
    files = [tmp_path / "pets/a/1.png", tmp_path / "pets/b/2.png"]
    for given in (files, tmp_path / "pets", [tmp_path / "pets/a", tmp_path / "pets/b"]):
        image_again, _ = read_pictures(given, [3, 4], channels)
        np.testing.assert_array_equal(image_again, trained)
    one, names = read_pictures(files[0], [3, 4], channels)
    np.testing.assert_array_equal(one, trained[:1])
    assert names == ("1.png",) and read_pictures(tmp_path / "pets")[1] == ("a/1.png", "b/2.png")


def test_what_was_settled_in_training_holds_afterwards(tmp_path: Path) -> None:
    """One grey picture is in colour if the others were, and the folder of one class has the number that it had."""
    picture(tmp_path / "pets/cat/1.png", RANDOM.integers(0, 256, (2, 2)))
    picture(tmp_path / "pets/dog/1.png", RANDOM.integers(0, 256, (2, 2, 3)))
    trained = load(tmp_path)
    assert trained.classes == {"label": ("cat", "dog")}
    assert trained.settled == {"colour": "rgb", "classes": ["cat", "dog"]}
    picture(tmp_path / "new/dog/1.png", RANDOM.integers(0, 256, (2, 2)))
    again = load(tmp_path, settled=trained.settled, given=tmp_path / "new")
    assert again.fields["image"].shape == (1, 3, 2, 2) and again.fields["label"].tolist() == [1]
    assert again.classes == trained.classes
    picture(tmp_path / "new/dgo/1.png", RANDOM.integers(0, 256, (2, 2)))
    with pytest.raises(SpecError, match=r"`new/dgo` is none of the classes(.|\n)*did you mean `dog`"):
        load(tmp_path, settled=trained.settled, given=tmp_path / "new")


def test_classes_may_be_in_another_order(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"pets/{name}/1.png", np.zeros((2, 2)))
    loaded = load(tmp_path, classes=["b", "c", "a"])
    assert loaded.fields["label"].tolist() == [2, 0] and loaded.classes == {"label": ("b", "c", "a")}
    assert "`pets/b` is none of the classes" in refused(tmp_path, classes=["a"])
    report = Report()
    assert source_arguments("images", ["p"], {"classes": ["a", "a"]}, WHOLE, report) is None and report.failed


def test_names_go_with_their_pictures(tmp_path: Path) -> None:
    for number, name in enumerate(("b/2.png", "a/3.png", "b/1.png")):
        picture(tmp_path / "pets" / name, np.full((1, 1), number))
    loaded = load(tmp_path)
    assert loaded.fields["file"].tolist() == ["a/3.png", "b/1.png", "b/2.png"]
    np.testing.assert_array_equal(loaded.fields["image"].ravel() * 255, [1, 2, 0])
    assert loaded.kinds == {"image": "float", "label": "int", "file": "text"}


def test_a_folder_without_subfolders_has_no_labels(tmp_path: Path) -> None:
    for number in range(2):
        picture(tmp_path / f"pets/{number}.png", np.full((2, 2), number))
    loaded = load(tmp_path)
    assert loaded.fields.keys() == {"image", "file", "index"} and not loaded.classes
    single = load_file(tmp_path / "pets/1.png")
    np.testing.assert_array_equal(single.fields["image"], loaded.fields["image"][1:])
    assert load_file(tmp_path / "pets").fields["file"].tolist() == ["0.png", "1.png"]


# ---------------------------------------------------------------- what is no folder of classes


def test_nested_folders_say_what_they_are(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/young/2.png", "dog/old/3.png"):
        picture(tmp_path / "pets" / name, np.zeros((2, 2)))
    said = refused(tmp_path)
    assert "folders inside the folder of a class: `pets/cat/young`, `pets/dog/old`" in said
    assert "the folders in `pets` are the classes" in said


def test_pictures_beside_classes_are_not_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "pets/cat/1.png", np.zeros((2, 2)))
    (tmp_path / "pets/README.txt").write_text("not a picture, and beside the classes")
    assert len(load(tmp_path).fields["image"]) == 1
    picture(tmp_path / "pets/2.png", np.zeros((2, 2)))
    assert "has pictures beside its folders: `pets/2.png`, `pets/cat`" in refused(tmp_path)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "pets/cat/1.png", np.zeros((2, 2)))
    (tmp_path / "pets/cat/notes.txt").write_bytes(b"none")
    assert "`pets/cat/notes.txt` is not an image that can be read" in refused(tmp_path)
    with pytest.raises(SpecError, match=r"`notes\.txt` is not an image"):
        read_pictures(tmp_path / "pets/cat/notes.txt")
    with pytest.raises(SpecError, match="there is no file or folder"):
        read_pictures(tmp_path / "pets/cat/2.png")


# ---------------------------------------------------------------- masks


def masked(base: Path, orientation: int | None = None) -> None:
    for name in ("1", "2"):
        picture(base / f"pets/{name}.jpg", RANDOM.integers(0, 256, (4, 6, 3)), orientation)
        picture(base / f"masks/{name}.png", np.arange(24).reshape(4, 6) % 3 + int(name))


def test_masks_are_class_numbers_by_pixel(tmp_path: Path) -> None:
    masked(tmp_path)
    numbers = np.arange(24).reshape(4, 6) % 3
    mask = load(tmp_path, masks="masks").fields["mask"]
    assert mask.dtype == np.int64
    np.testing.assert_array_equal(mask, [numbers + 1, numbers + 2])
    palette = Image.fromarray(numbers.astype(np.uint8)).convert("P")
    palette.putdata(numbers.ravel().tolist())
    palette.save(tmp_path / "masks/1.png")
    np.testing.assert_array_equal(load(tmp_path, masks="masks").fields["mask"][0], numbers)


@pytest.mark.parametrize("size", [[2, 3], [8, 12], [3, 5]])
def test_scaled_masks_have_no_new_numbers(size: list[int], tmp_path: Path) -> None:
    masked(tmp_path)
    loaded = load(tmp_path, masks="masks", size=size)
    assert loaded.fields["mask"].shape == (2, *size) and loaded.fields["image"].shape == (2, 3, *size)
    with Image.open(tmp_path / "masks/1.png") as image:
        nearest = np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST))
    np.testing.assert_array_equal(loaded.fields["mask"][0], nearest)


def test_masks_lie_on_pictures_that_are_turned(tmp_path: Path) -> None:
    masked(tmp_path, orientation=6)
    assert "differ in size: 4 x 6 and 6 x 4" in refused(tmp_path, masks="masks")
    for name in ("1", "2"):
        picture(tmp_path / f"masks/{name}.png", np.zeros((6, 4)))
    assert load(tmp_path, masks="masks").fields["mask"].shape == (2, 6, 4)


def test_masks_that_do_not_go_with_the_pictures(tmp_path: Path) -> None:
    masked(tmp_path)
    picture(tmp_path / "masks/3.png", np.zeros((4, 6)))
    assert "1 file without a picture, such as 3.png" in load(tmp_path, masks="masks").notes[0]
    picture(tmp_path / "masks/1.png", np.zeros((4, 6, 3)))
    (tmp_path / "masks/2.png").unlink()
    said = refused(tmp_path, masks="masks")
    assert "`masks/1.png` has pixels of mode RGB" in said and "`2.jpg` has no mask in `masks`" in said
    picture(tmp_path / "masks/2.png", np.zeros((4, 6)))
    picture(tmp_path / "masks/2.bmp", np.zeros((4, 6)))
    assert "2.bmp and 2.png are masks of one picture" in refused(tmp_path, masks="masks")
    assert "there is no folder `mask`" in refused(tmp_path, masks="mask")


# ---------------------------------------------------------------- other files, and more bits


def test_sixteen_bits_are_written_with_eight_as_the_message_says(tmp_path: Path) -> None:
    numbers = RANDOM.integers(0, 65536, (4, 4)).astype(np.uint16)
    (tmp_path / "pets").mkdir()
    path = tmp_path / "pets" / "1.png"
    Image.fromarray(numbers).save(path)
    said = refused(tmp_path)
    assert "mode I;16" in said
    way = said.partition("as by `")[2].partition("`")[0]
    assert way == 'Image.fromarray((numpy.asarray(image) // 257).astype("uint8"))'
    with Image.open(path) as image:
        Image.fromarray((np.asarray(image) // 257).astype("uint8")).save(path)
    assert abs(load(tmp_path).fields["image"][0, 0] - numbers / 65535).max() < 1 / 255


def test_what_systems_put_beside_pictures_is_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "pets" / "cat" / "1.png", [[0]])
    (tmp_path / "pets" / "dog").mkdir()
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (tmp_path / "pets" / "cat" / name).write_text("x")
        (tmp_path / "pets" / name).write_text("x")
    loaded = load(tmp_path)
    assert loaded.fields["file"].tolist() == ["cat/1.png"] and loaded.classes["label"] == ("cat", "dog")
    assert loaded.notes == ("pets: no pictures in `dog`",)
    (tmp_path / "pets" / "cat" / "read.me").write_text("x")
    assert "let its name begin with a dot" in refused(tmp_path)


def test_pages_of_a_stack_are_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pets").mkdir()
    first, second = (Image.fromarray(np.full((2, 2), value, np.uint8)) for value in (0, 255))
    for end in ("gif", "tif"):
        first.save(tmp_path / "pets" / f"1.{end}", save_all=True, append_images=[second])
    assert "`1.tif` has 2 pages" in refused(tmp_path)
    (tmp_path / "pets" / "1.tif").unlink()
    assert load(tmp_path).fields["image"].max() == 0  # of an animation what a viewer shows first
