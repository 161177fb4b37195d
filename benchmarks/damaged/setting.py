"""The runs that are asked, and the intact files that are damaged. What this module does not do: damage any."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import archonnx
from archonnx.compiler.ir.types import Array

ROWS = 12
TABLE = """model Table():
    input  x: [B, 3]
    target y: i64[B]
    logits = x |> Dense(4) |> relu |> BatchNorm() |> Dense(2)
    output probs: [B, 2] = softmax(logits)
    loss objective = cross_entropy(logits, y)
    metric accuracy = accuracy(logits, y)
    entry scaled(v: [n, 3], by: f32[]) -> [n, 3]:
        return v * by

train:
    data = csv("table.csv", target="y")
    feed x = stack([data.a, data.b, data.c], axis=1)
    feed y = data.y
    split = {train: 0.5, valid: 0.25, test: 0.25, by: order}
    epochs = 1
    batch_size = 4
    minimize objective with adam(lr=0.01)
"""
ARRAYS = TABLE.replace('csv("table.csv", target="y")', 'npz("arrays.npz")').replace(
    "feed x = stack([data.a, data.b, data.c], axis=1)", "feed x = data.x"
)
PICTURES = """model Pictures():
    input  image: [B, 1, 4, 5]
    target label: i64[B]
    logits = image |> flatten |> Dense(2)
    output probs: [B, 2] = softmax(logits)
    loss objective = cross_entropy(logits, label)

train:
    data = images("photos")
    feed image = data.image
    feed label = data.label
    split = {train: 0.5, test: 0.5}
    epochs = 1
    minimize objective with sgd(lr=0.1)
"""


@dataclass(frozen=True, eq=False)
class Setting:
    """A folder with specs, intact data and a run of each.

    Attributes:
        root: the folder, with ``table``, ``arrays`` and ``pictures`` in it.
        columns: the numbers of the table, by column.
    """

    root: Path
    columns: Mapping[str, Array]

    @staticmethod
    def opened(root: Path) -> Setting:
        """What ``make`` made."""
        random = np.random.default_rng(0)
        columns: dict[str, Array] = {name: random.normal(size=ROWS).round(3) for name in "abc"}
        columns["y"] = np.arange(ROWS) % 2
        return Setting(root, columns)

    @staticmethod
    def make(root: Path) -> Setting:
        """Write and train everything."""
        setting = Setting.opened(root)
        for name, spec, data in (
            ("table", TABLE, setting.write_table),
            ("arrays", ARRAYS, setting.write_arrays),
            ("pictures", PICTURES, setting.write_pictures),
        ):
            folder = root / name
            folder.mkdir()
            data(folder)
            (folder / "spec.arch").write_text(spec, encoding="utf-8")
            archonnx.train(folder / "spec.arch", folder / "run", device="cpu", threads=1)
        return setting

    def path(self, name: str) -> Path:
        """``table/run``."""
        return self.root / name

    @property
    def x(self) -> Array:
        """The field ``x``, f32[n, 3]."""
        return np.stack([self.columns[name] for name in "abc"], axis=1).astype(np.float32)

    @property
    def table(self) -> str:
        """The table as CSV."""
        rows = zip(*(array.tolist() for array in self.columns.values()), strict=True)
        return "\n".join([",".join(self.columns), *(",".join(map(str, row)) for row in rows), ""])

    def archive(self) -> bytes:
        """The arrays as an .npz file."""
        buffer = io.BytesIO()
        np.savez(buffer, x=self.x, y=self.columns["y"])
        return buffer.getvalue()

    def write_table(self, folder: Path) -> None:
        """``table.csv``."""
        (folder / "table.csv").write_text(self.table, encoding="utf-8")

    def write_arrays(self, folder: Path) -> None:
        """``arrays.npz``."""
        (folder / "arrays.npz").write_bytes(self.archive())

    def write_pictures(self, folder: Path) -> None:
        """``photos``, a folder of two classes."""
        pixels = np.random.default_rng(1).integers(0, 256, (6, 4, 5), dtype=np.uint8)
        for number, picture in enumerate(pixels):
            path = folder / "photos" / ("cats", "dogs")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)

    def copy_run(self, folder: Path, name: str = "table") -> Path:
        """``run``, with the spec and the data beside it, to be damaged."""
        shutil.copytree(self.root / name, folder, dirs_exist_ok=True)
        return folder / "run"
