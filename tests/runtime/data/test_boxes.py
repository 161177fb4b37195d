"""Boxes in pictures: in pixels of what the model is given, each with its picture; bad lines of their table are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import archonnx
from archonnx.compiler.program import DataSource
from archonnx.compiler.sources import source_arguments
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.boxes import read_boxes
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.pictures import pictures_of
from archonnx.runtime.data.sources import load_source
from tests.support.programs import WHOLE

HEAD = "file,left,top,right,bottom,label"


def picture(path: Path, width: int, height: int, box: Any = None, orientation: int = 1) -> None:
    """A black picture, white in the box (of whole pixels, as a viewer shows it)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((height, width), np.uint8)
    if box is not None:
        left, top, right, bottom = box
        pixels[top:bottom, left:right] = 255
    image = Image.fromarray(pixels)
    turned = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    if (stored := turned[orientation]) is not None:
        image = image.transpose(stored)  # as the camera wrote it
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


def load(base: Path, *lines: str, head: str = HEAD, settled: Any = None, **arguments: Any) -> Loaded:
    (base / "boxes.csv").write_text("\n".join([head, *lines]) + "\n")
    report = Report()
    found = source_arguments("images", [], {"path": "pets", "boxes": "boxes.csv", **arguments}, WHOLE, report)
    report.finish()
    assert found is not None
    return load_source(DataSource("data", "images", found, WHOLE), base, settled=settled)


def refused(base: Path, *lines: str, **arguments: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(base, *lines, **arguments)
    assert {d.code for d in caught.value.diagnostics} <= {"AX0601", "AX0603", "AX0604", "AX0702"}
    return [f"{d.headline}\n{d.help or ''}" for d in caught.value.diagnostics]


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    picture(tmp_path / "pets/cat/1.png", 8, 6)
    picture(tmp_path / "pets/cat/2.png", 8, 6)
    picture(tmp_path / "pets/dog/1.png", 8, 6)
    return tmp_path


def test_boxes_go_with_their_pictures_in_the_order_of_the_file(pets: Path) -> None:
    fields = load(pets, "dog/1.png,0,0,4,6,3", "2.png,1,2,3,4.5,0", "dog/1.png,4,0,8,6,2").fields
    assert fields["file"].tolist() == ["cat/1.png", "cat/2.png", "dog/1.png"]
    assert fields["box_count"].tolist() == [0, 1, 2] and fields["box_count"].dtype == np.int64
    assert fields["boxes"].dtype == np.float32
    assert fields["boxes"].tolist() == [
        [[0, 0, 0, 0], [0, 0, 0, 0]],
        [[1, 2, 3, 4.5], [0, 0, 0, 0]],
        [[0, 0, 4, 6], [4, 0, 8, 6]],
    ]
    assert fields["box_label"].tolist() == [[0, 0], [0, 0], [3, 2]] and fields["box_label"].dtype == np.int64
    assert "box_label" not in load(pets, "2.png,1,2,3,4", head=HEAD.removesuffix(",label")).fields


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_box_lies_where_the_model_sees_the_thing(orientation: int, scale: int, tmp_path: Path) -> None:
    """The picture is white in the box alone, also where it is turned and scaled (between 1 and 0 at its edge, 4 / 9 and more inside)."""
    box = [2, 4, 6, 10]
    picture(tmp_path / "pets/1.png", 8, 12, box, orientation)
    fields = load(tmp_path, "1.png,2,4,6,10,0", size=[12 * scale, 8 * scale]).fields
    left, top, right, bottom = fields["boxes"][0, 0].astype(int)
    assert [left, top, right, bottom] == [scale * edge for edge in box]
    white = np.zeros((12 * scale, 8 * scale), bool)
    white[top:bottom, left:right] = True
    np.testing.assert_array_equal(fields["image"][0, 0] > 0.4, white)


def test_each_axis_is_scaled_by_itself(pets: Path) -> None:
    boxes = load(pets, "2.png,1,3,4,6,0", size=[2, 16]).fields["boxes"]
    np.testing.assert_allclose(boxes[1, 0], [2, 1, 8, 2])


@given(of=st.lists(st.integers(0, 3), min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_every_line_is_found_again(of: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.mktemp("boxes")
    for number in range(4):
        picture(base / f"pets/{number}.png", 20, 20)
    lines = [f"{number}.png,{row},{row},{row + 1},20,{row}" for row, number in enumerate(of)]
    (base / "boxes.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    fields = read_boxes(pictures_of(base / "pets"), base / "boxes.csv").fields
    for number in range(4):
        rows = [row for row, of_row in enumerate(of) if of_row == number]
        count = fields["box_count"][number]
        assert count == len(rows) and fields["boxes"].shape[1] == max(of.count(n) for n in range(4))
        assert fields["box_label"][number, :count].tolist() == rows
        assert fields["boxes"][number, :count].tolist() == [[row, row, row + 1, 20] for row in rows]
        assert not fields["boxes"][number, count:].any() and not fields["box_label"][number, count:].any()


def test_texts_are_classes_by_name_or_as_it_is_said(pets: Path) -> None:
    lines = ("2.png,0,0,1,1,tail", "2.png,0,0,1,1,ear")
    loaded = load(pets, *lines)
    assert loaded.classes["box_label"] == ("ear", "tail") and loaded.fields["box_label"][1].tolist() == [1, 0]
    assert loaded.classes["label"] == ("cat", "dog")
    loaded = load(pets, *lines, box_classes=["nose", "tail", "ear"])
    assert loaded.classes["box_label"] == ("nose", "tail", "ear") and loaded.fields["box_label"][1].tolist() == [1, 2]
    later = load(pets, "2.png,0,0,1,1,tail", settled=loaded.settled)
    assert later.fields["box_label"][1].tolist() == [1]
    (said,) = refused(pets, "2.png,0,0,1,1,tial", settled=loaded.settled)
    assert 'boxes.csv:2: `label` is "tial", which is none of the classes\ndid you mean `tail`' in said
    assert "holds integers" in refused(pets, "2.png,0,0,1,1,2", box_classes=["a"])[0]
    assert "`boxes`" in refused(pets, boxes=None, box_classes=["a"])[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("3.png,0,0,1,1,0", "there is no picture `3.png`"),
        ("cat/3.png,0,0,1,1,0", "there is no picture `cat/3.png`\ndid you mean `cat/"),
        (",0,0,1,1,0", "no picture is named"),
        ("1.png,0,0,1,1,0", "`1.png` may be any of cat/1.png, dog/1.png\nname it with its folder"),
        ("2.png,3,0,3,1,0", "`right` is 3, which is not more than `left`, 3"),
        ("2.png,3,0,2,1,0", "`right` is 2, which is not more than `left`, 3"),
        ("2.png,0,5,1,4.5,0", "`bottom` is 4.5, which is not more than `top`, 5"),
        ("2.png,0,0,8.5,1,0", "`right` is 8.5, and `pets/cat/2.png` is 8 pixels wide"),
        ("2.png,0,-1,8,1,0", "`top` is -1, and `pets/cat/2.png` is 6 pixels high"),
        ("2.png,0,0,8,inf,0", "`bottom` has 'inf', which is not a number"),
        ("2.png,0,,8,1,0", "`top` has no value"),
        ("2.png,0,nan,8,1,0", "`top` has no value"),
        ("2.png,0,0,8,1,", "`label` has no value"),
        ("2.png,0,0,8,1,-1", "`label` is -1, and classes are counted from 0"),
        ("2.png,0,x,8,1,0", "top"),
        ("2.png,0,0,8,1", "5 cells where the header names 6"),
    ],
)
def test_a_line_that_is_no_box_is_named(line: str, says: str, pets: Path) -> None:
    (said,) = refused(pets, "2.png,0,0,1,1,0", line)
    assert says in said and "boxes.csv:3" in said


def test_the_first_wrong_lines_are_named_together(pets: Path) -> None:
    said = refused(pets, *["2.png,0,0,1,1,0", "0.png,0,0,1,1,0", "2.png,2,0,1,1,0"] * 4)
    assert [line.split(": ")[0] for line in said] == [f"boxes.csv:{n}" for n in (3, 4, 6, 7, 9)]


def test_columns_that_are_not_as_they_should(pets: Path) -> None:
    said = refused(pets, "2.png,0,0,1,1", head="file,left,top,rigth,bottom")
    assert said == ["boxes.csv has no column `right`\ndid you mean `rigth`?"]
    assert "`label` holds float values" in refused(pets, "2.png,0,0,1,1,0.5")[0]
    loaded = load(pets, "2.png,0,0,1,1,0,x", head=HEAD + ",who")
    assert loaded.notes == ("boxes.csv: not read: `who`",)
    assert "there is no file `box.csv`" in refused(pets, "2.png,0,0,1,1,0", boxes="box.csv")[0]
    assert "outside" in refused(pets, "2.png,0,0,1,1,0", boxes="../boxes.csv")[0]


def test_places_that_would_be_absurdly_many(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archonnx.runtime.data.boxes.MAX_PLACES", 5)
    load(pets, "2.png,0,0,1,1,0")
    assert "`pets/cat/2.png` has 2 boxes" in refused(pets, *["2.png,0,0,1,1,0"] * 2)[0]


SPEC = """
model Finder(m: int = 2):
    input  image: [B, 1, 6, 8]
    target boxes: [B, m, 4]
    target box_count: i64[B]
    target box_label: i64[B, m]
    x = flatten(image)
    place = reshape(x |> Dense(m * 4), [B, m, 4])
    kind = reshape(x |> Dense(m * 2), [B, m, 2])
    output found: [B, m, 4] = place
    there = float(arange(m)[none, :] < box_count[:, none])
    far = sum(abs(place - boxes), axis=2)
    wrong = cross_entropy(kind, box_label, reduce=none)
    loss l = sum(there * (far + wrong)) / sum(there)

train:
    data = images("pets", boxes="boxes.csv")
    epochs = 2
    minimize l with sgd(lr=0.01)
"""


def test_a_model_is_trained_on_boxes_and_predicts_without_them(pets: Path) -> None:
    (pets / "m.arch").write_text(SPEC)
    (pets / "boxes.csv").write_text(f"{HEAD}\n2.png,0,0,1,1,ear\ndog/1.png,1,1,8,6,tail\n2.png,2,2,4,4,ear\n")
    run = archonnx.train(pets / "m.arch", pets / "run", device="cpu")
    picture(pets / "new.png", 8, 6, [1, 1, 3, 3])
    assert run.predict(pets / "new.png")["found"].shape == (1, 2, 4)
    assert run.evaluate("train") == run.metrics["train"]
