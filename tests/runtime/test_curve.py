"""The training curve is well-formed SVG whose points lie where the numbers say."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from archonnx.runtime.folders.curve import Row, training_curve

SVG = "{http://www.w3.org/2000/svg}"


def test_points_are_in_proportion_and_names_are_escaped() -> None:
    panels = {"loss <a & b>": {"train": [4.0, 2.0, 1.0], "valid": [4.0, 3.0, math.nan]}, "accuracy": {"valid": [0.5]}}
    root = ElementTree.fromstring(training_curve("A <model>", [Row("", panels, best=2)]))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"A <model>", "loss <a & b>", "accuracy", "train", "valid"} <= set(texts)
    valid, train = [
        [tuple(map(float, point.split(","))) for point in (line.get("points") or "").split()]
        for line in root.iter(f"{SVG}polyline")
    ]
    (x1, y1), (x2, y2), (x3, y3) = train
    assert x2 - x1 == x3 - x2 > 0
    assert math.isclose((y2 - y1) / (y3 - y1), 2 / 3, rel_tol=1e-2)  # half of the way down of 3 is 2 of it
    assert len(valid) == 2 and valid[0] == train[0] and len(list(root.iter(f"{SVG}circle"))) == 1


def test_constant_and_empty_values_still_give_a_picture() -> None:
    for values in ([0.0, 0.0], [5.0], [math.nan], [1e-30, 1e-30], [-3.0, -3.0]):
        ElementTree.fromstring(training_curve("m", [Row("p", {"loss": {"train": values}})]))
