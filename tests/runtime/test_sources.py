"""Parquet files and folders of images: fields are what was written, and bad files are named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import archonnx
from archonnx.compiler.program import DataSource
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.sources import load_source
from tests.support.feeding import usable
from tests.support.programs import WHOLE


def load(kind: str, base: Path, **arguments: Any) -> dict[str, Any]:
    return usable(load_source(DataSource("data", kind, arguments, WHOLE), base))


def refused(code: str, kind: str, base: Path, **arguments: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load(kind, base, **arguments)
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert all(d.span is WHOLE for d in caught.value.diagnostics)
    return "\n".join(f"{d.headline}\n{d.help or ''}" for d in caught.value.diagnostics)


# ---------------------------------------------------------------- parquet

COLUMNS = {
    "wide": pyarrow.array([1, 2, 3], pyarrow.int16()),
    "high": pyarrow.array([0.5, 1.5, 2.5], pyarrow.float32()),
    "on": [True, False, True],
    "kind": ["b", "a", "b"],
    "coded": pyarrow.array(["y", "x", "y"]).dictionary_encode(),
}


def table(folder: Path, columns: dict[str, Any]) -> None:
    parquet.write_table(pyarrow.table(columns), folder / "t.parquet")


def test_a_parquet_file_has_the_fields_of_the_same_csv(tmp_path: Path) -> None:
    table(tmp_path, COLUMNS)
    (tmp_path / "t.csv").write_text("wide,high,on,kind,coded\n1,0.5,1,b,y\n2,1.5,0,a,x\n3,2.5,1,b,y\n")
    fields = load("parquet", tmp_path, path="t.parquet", target="kind")
    same = load("csv", tmp_path, path="t.csv", target="kind")
    assert list(fields) == list(same)
    for name, array in fields.items():
        np.testing.assert_array_equal(array, same[name])
        assert array.dtype == (np.bool_ if name == "on" else same[name].dtype)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"a": [1.0, float("inf"), float("nan")]}, "t.parquet: `a` has inf in row 1 (from 0)\n"),
        ({"a": [[1, 2]]}, "t.parquet: `a` holds list<"),
        (
            {"a": pyarrow.array([2**63], pyarrow.uint64())},
            "t.parquet: `a` holds 9223372036854775808, too large for i64",
        ),
        ({"a": pyarrow.array([], pyarrow.int64())}, "t.parquet has no rows"),
    ],
)
def test_bad_columns_are_named(columns: dict[str, Any], says: str, tmp_path: Path) -> None:
    table(tmp_path, columns)
    assert says in refused("AX0603", "parquet", tmp_path, path="t.parquet")


def test_columns_of_one_name(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_arrays([pyarrow.array([1])] * 2, ["a", "a"]), tmp_path / "t.parquet")
    assert "the column `a` is there 2 times" in refused("AX0603", "parquet", tmp_path, path="t.parquet")


def test_other_files_are_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("a,b\n1,2\n")
    assert "t.parquet is not a Parquet file" in refused("AX0604", "parquet", tmp_path, path="t.parquet")
    table(tmp_path, COLUMNS)
    assert "did you mean `kind`" in refused("AX0604", "parquet", tmp_path, path="t.parquet", target="kin")
    assert "did you mean `t.parquet`" in refused("AX0601", "parquet", tmp_path, path="u.parquet")


# ---------------------------------------------------------------- images


def picture(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(path)


def test_subfolders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (3, 4, 5))
    for name, pixels in zip(("b/1.png", "a/2.png", "a/1.png"), rows, strict=True):
        picture(tmp_path / "pets" / name, pixels)
    (tmp_path / "pets" / "a" / ".hidden").write_text("no image")
    fields = load("images", tmp_path, path="pets")
    np.testing.assert_allclose(fields["image"], rows[[2, 1, 0], None] / 255, rtol=1e-6)
    assert fields["image"].dtype == np.float32
    assert fields["label"].tolist() == [0, 0, 1]


def test_a_colour_image_makes_all_of_them_colour(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (4, 5, 3))
    picture(tmp_path / "pets/a/1.png", colour)
    picture(tmp_path / "pets/a/2.png", colour[..., 0])
    image = load("images", tmp_path, path="pets")["image"]
    np.testing.assert_allclose(image[0], colour.transpose(2, 0, 1) / 255, rtol=1e-6)
    np.testing.assert_allclose(image[1], np.stack([colour[..., 0]] * 3) / 255, rtol=1e-6)


def test_images_are_scaled_to_one_size_if_that_is_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "pets/a/1.png", np.full((4, 6), 51))
    picture(tmp_path / "pets/b/1.png", np.full((8, 2), 102))
    assert "`pets/a/1.png` is 4 x 6, `pets/b/1.png` is 8 x 2" in refused("AX0604", "images", tmp_path, path="pets")
    image = load("images", tmp_path, path="pets", size=[3, 2])["image"]
    np.testing.assert_allclose(image, np.stack([np.full((1, 3, 2), 0.2), np.full((1, 3, 2), 0.4)]), rtol=1e-6)


def test_bad_folders_of_images_are_told(tmp_path: Path) -> None:
    assert "there is no folder `pets`" in refused("AX0601", "images", tmp_path, path="pets")
    (tmp_path / "pets/a").mkdir(parents=True)
    assert "has no pictures" in refused("AX0604", "images", tmp_path, path="pets")
    (tmp_path / "pets/a/1.png").write_text("text")
    assert "`pets/a/1.png` is not an image that can be read" in refused("AX0604", "images", tmp_path, path="pets")
    Image.fromarray(np.zeros((2, 2), dtype=np.uint16)).save(tmp_path / "pets/a/1.png")
    assert "`pets/a/1.png` has pixels of mode I;16" in refused("AX0604", "images", tmp_path, path="pets")
    (tmp_path / "pets/a/1.png").unlink()
    picture(tmp_path / "other.png", np.zeros((2, 2)))
    (tmp_path / "pets/a/1.png").symlink_to(tmp_path / "other.png")
    assert "`pets/a/1.png` lies outside `pets`" in refused("AX0601", "images", tmp_path, path="pets")


# ---------------------------------------------------------------- both


@pytest.mark.parametrize(("kind", "module"), [("parquet", "pyarrow"), ("images", "PIL.Image")])
def test_a_missing_package_is_named(kind: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path, COLUMNS)
    (tmp_path / "pets").mkdir()
    monkeypatch.setitem(sys.modules, module, None)
    path = "t.parquet" if kind == "parquet" else "pets"
    assert f"archonnx[{kind}]" in refused("AX0619", kind, tmp_path, path=path)


def test_a_spec_trains_on_images(tmp_path: Path) -> None:
    for number in range(8):
        kind = "dark" if number % 2 else "light"
        picture(tmp_path / f"photos/{kind}/{number}.png", np.full((4, 4), 20 + number if number % 2 else 220 + number))
    (tmp_path / "photos.arch").write_text("""model Photos():
    input image: [B, 1, 4, 4]
    target label: i64[B]
    logits = image |> flatten |> Dense(2)
    output probs: [B, 2] = softmax(logits)
    loss objective = cross_entropy(logits, label)
    metric accuracy = accuracy(logits, label)
train:
    data = images("photos", size=[4, 4])
    epochs = 30
    batch_size = all
    minimize objective with adam(lr=0.1)
""")
    run = archonnx.train(tmp_path / "photos.arch", tmp_path / "run", device="cpu", threads=1)
    assert run.metrics["train"]["accuracy"] == 1


# ---------------------------------------------------------------- npy


def test_every_file_of_a_folder_is_a_field(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6.0).reshape(3, 2), "y": np.array([1, 2, 3]), "on": np.array([True, False, True])}
    (tmp_path / "arrays").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "arrays" / f"{name}.npy", array)
    (tmp_path / "arrays" / "notes.txt").write_text("not a field")
    fields = load("npy", tmp_path, path="arrays")
    assert set(fields) == {*arrays, "index"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(fields[name], array)


def test_files_that_are_not_arrays_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert "has no .npy files" in refused("AX0604", "npy", tmp_path, path="a")
    np.save(tmp_path / "a" / "good.npy", np.zeros(3))
    np.save(tmp_path / "a" / "objects.npy", np.array([{}, None]), allow_pickle=True)
    (tmp_path / "a" / "empty.npy").write_bytes(b"")
    (tmp_path / "a" / "text.npy").write_text("1, 2, 3")
    said = refused("AX0604", "npy", tmp_path, path="a")
    assert [name for name in ("good", "objects", "empty", "text") if f"{name}.npy" in said] == [
        "objects",
        "empty",
        "text",
    ]
    refused("AX0601", "npy", tmp_path, path="b")
    refused("AX0601", "npy", tmp_path, path="../outside")


def test_a_model_trains_on_a_folder_of_arrays(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    np.save(tmp_path / "d" / "x.npy", x)
    np.save(tmp_path / "d" / "y.npy", x @ np.float32([1, -2]))
    (tmp_path / "m.arch").write_text(
        "model M():\n    input x: [B, 2]\n    target y: [B]\n    param w: [2] = 0\n    loss l = mse(sum(x * w, axis=1), y)\n\n"
        'train:\n    data = npy("d")\n    epochs = 50\n    minimize l with sgd(lr=0.3)\n'
    )
    run = archonnx.train(tmp_path / "m.arch", tmp_path / "run", device="cpu")
    np.testing.assert_allclose(run.parameters["w"], [1, -2], atol=1e-3)
