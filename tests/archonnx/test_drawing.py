"""Drawings of models: what is in them, what is folded, and that no text of a spec becomes a part of the picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archonnx.cli.app import app
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram
from archonnx.pictures.building import outline
from archonnx.pictures.drawing import draw
from archonnx.pictures.labels import Labels, overlap
from archonnx.pictures.layout import TYPE, heading_frame, lay_out, width
from archonnx.pictures.outline import Box, Item, Outline

SVG = "{http://www.w3.org/2000/svg}"


def model(text: str, tmp_path: Path, **arguments: object) -> ModelProgram:
    path = tmp_path / "model.arch"
    path.write_text(text, "utf-8")
    return elaborate(load(path, **arguments))


def names(found: Outline) -> list[str]:
    """The labels of all items with how often each stands there."""
    return [f"{item.label} x {item.repeat}" if item.repeat > 1 else item.label for item in found.root.items()]


def links(found: Outline) -> set[tuple[str, str, str]]:
    return {(edge.source.label, edge.target.label, edge.label) for edge in found.edges}


def boxes(part: Box) -> list[Box]:
    inner = [one for one in part.parts if isinstance(one, Box)]
    return [part, *(box for one in inner for box in boxes(one))]


CHAIN = """\
model Chain(depth: int = 5):
    input x: [B, 3]
    target y: [B, 4]
    h = x |> Dense(4)
    for i in range(depth):
        h = h |> Dense(4) |> tanh
    output out: [B, 4] = h
    loss objective = mse(h, y)
"""


def test_a_chain_is_folded_and_its_ends_are_connected(tmp_path: Path) -> None:
    found = outline(model(CHAIN, tmp_path))
    assert names(found) == ["x", "y", "Dense", "Dense", "tanh", "mse", "objective", "out"]
    assert [box.repeat for box in boxes(found.root) if box.repeat > 1] == [5]
    assert {
        ("x", "Dense", "[B, 3]"),
        ("Dense", "Dense", "[B, 4]"),
        ("Dense", "tanh", "[B, 4]"),
        ("tanh", "out", "[B, 4]"),
        ("tanh", "mse", "[B, 4]"),
        ("y", "mse", "[B, 4]"),
        ("mse", "objective", ""),
    } == links(found)


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_as_many_are_counted_as_there_are(depth: int, tmp_path: Path) -> None:
    found = outline(model(CHAIN, tmp_path, depth=depth))
    folded = [box.repeat for box in boxes(found.root) if box.repeat > 1]
    assert sum(folded) == (depth if depth > 1 else 0)


def test_what_is_read_in_between_is_not_folded_away(tmp_path: Path) -> None:
    text = CHAIN.replace(
        "    for i in range(depth):\n        h = h |> Dense(4) |> tanh\n",
        "    a = h |> Dense(4)\n    b = a |> Dense(4)\n    h = b |> Dense(4)\n    h = h + a\n",
    )
    found = outline(model(text, tmp_path))
    kept = [item for item in found.root.items() if item.label == "Dense"]
    assert [item.repeat for item in kept] == [1, 1, 2]  # the first has other sizes; the sum reads the second
    assert ("Dense", "+", "[B, 4]") in links(found)


def test_different_sizes_are_not_folded(tmp_path: Path) -> None:
    text = CHAIN.replace("h = h |> Dense(4) |> tanh", "h = h |> Dense(2 + i) |> tanh").replace("y: [B, 4]", "y: [B, 6]") \
        .replace("out: [B, 4]", "out: [B, 6]")  # fmt: skip
    assert [box.repeat for box in boxes(outline(model(text, tmp_path)).root) if box.repeat > 1] == []


def test_a_module_that_is_applied_twice_is_drawn_twice() -> None:
    found = outline(elaborate(load("gan")))
    drawn = [box.label for box in boxes(found.root)]
    assert drawn.count("Discriminator") == 3 and drawn.count("Generator") == 1
    steps = [item for item in found.root.items() if item.kind == "step"]
    assert [item.label for item in steps] == ["minimize d_loss over D", "minimize g_loss over G"]
    assert [item.details for item in steps] == [
        ("with adam(rate, beta1=0.5)", f"trains {what} numbers", f"{often} times a pass")
        for what, often in (("D: 4,417", 2), ("G: 4,866", 1))
    ]
    assert {edge.source.label for edge in found.edges if edge.target in steps} == {"d_loss", "g_loss"}


def test_a_program_shows_each_statement_once_and_equal_sources_as_one(tmp_path: Path) -> None:
    text = CHAIN + "".join(
        f"\ntrain {name}:\n    data = csv('a.csv')\n    accumulate = 2\n"
        f"    every 3:\n        minimize objective with sgd(lr=0.1)\n"
        for name in ("first", "second")
    ).replace("'", '"')
    found = outline(model(text, tmp_path))
    items = list(found.root.items())
    assert [item.label for item in items if item.kind == "source"] == ['csv("a.csv")']
    assert [(item.label, item.details[-1]) for item in items if item.kind == "step"] == [
        ("minimize objective", "once in 3 passes")
    ] * 2
    assert boxes(found.root)[-1].details == ("10 epochs, batches of 32, 2 of them an update",)


@pytest.mark.parametrize("activation", ["silu", "own"])
def test_a_stated_gradient_is_no_part_of_what_is_computed(activation: str, tmp_path: Path) -> None:
    own = "fn own(x: [...S]) -> [...S]:\n    return x * tanh(x)\nbackward(dy):\n    return dy * x\n\n"
    body = "    h = Dense(4)(x)\n    a = FN(h)\n    output out: [B, 8] = concat([a, a * a], axis=1)\n".replace(
        "FN", activation
    )
    found = outline(model(f"{own}model M():\n    input x: [B, 3]\n{body}", tmp_path))
    starred = {"tanh", "*"} if activation == "own" else {"silu"}
    assert {target for source, target, _ in links(found) if source == "Dense"} == starred
    assert not [item for item in found.root.items() if "backward" in item.label]


def test_layers_of_a_transformer_are_one_that_takes_what_it_gives() -> None:
    program = elaborate(load("gpt2_small", depth=6, d=32, heads=2, vocabulary=16, context=16))
    found = outline(program)
    assert {box.label: box.repeat for box in boxes(found.root)}["TransformerEncoderLayer"] == 6
    layers = [item for item in found.root.items() if item.path.startswith("decoder.layers.")]
    assert {item.path.split(".")[2] for item in layers} == {"0"}
    assert ("LearnedPositions", "LayerNorm", "[B, T, 32]") in links(found)


def test_modules_are_opened_as_far_as_the_picture_stays_readable() -> None:
    program = elaborate(load("resnet18", size=32, width=8))
    free, shut = outline(program), outline(program, depth=1)
    assert sum(1 for _ in free.root.items()) <= 45 < sum(1 for _ in outline(program, depth=9).root.items())
    assert [item.label for item in shut.root.items() if item.kind == "module"] == ["ResNet", "Dense"]


def test_a_drawing_is_the_same_each_time_and_holds_every_text(tmp_path: Path) -> None:
    program = model(CHAIN, tmp_path)
    first, second = draw(program), draw(elaborate(load(tmp_path / "model.arch")))
    assert first == second
    texts = [text.text for text in ElementTree.fromstring(first).iter(f"{SVG}text")]
    assert {"Chain", "x", "target", "tanh", "mse", "objective", "[B, 3]", "× 5"} <= set(texts)
    titles = [title.text or "" for title in ElementTree.fromstring(first).iter(f"{SVG}title")]
    assert any(title.endswith("h = x |> Dense(4)") for title in titles)


def test_frames_do_not_overlap_and_lie_in_their_boxes() -> None:
    found = outline(elaborate(load("digits_mlp")))
    layout = lay_out(found)
    frames = list(layout.items.values())
    for i, (x, y, wide, high) in enumerate(frames):
        for ox, oy, owide, ohigh in frames[:i]:
            assert x >= ox + owide or ox >= x + wide or y >= oy + ohigh or oy >= y + high
    for box, _, (x, y, wide, high) in layout.boxes:
        for item in box.items():
            ix, iy, iwide, ihigh = layout.items[item]
            assert x <= ix and y <= iy and ix + iwide <= x + wide and iy + ihigh <= y + high


@pytest.mark.parametrize("name", ["digits_mlp", "gan"])
def test_labels_stand_over_no_frame_no_heading_and_no_other_label(name: str) -> None:
    layout = lay_out(outline(elaborate(load(name))))
    taken = [*layout.items.values(), *(heading_frame(box, frame) for box, _, frame in layout.boxes)]
    labels = [(x, y - 6, width(edge.label, TYPE), 12.0) for edge, _, (x, y) in
              ((edge, curve, at) for edge, curve, at in layout.edges if at is not None)]  # fmt: skip
    assert len(labels) > 3
    for number, label in enumerate(labels):
        assert not [other for other in (*taken, *labels[:number]) if overlap(label, other) > 0]


def test_a_label_keeps_away_from_what_is_beside_its_edge() -> None:
    down = [(100.0, float(y)) for y in (0, 30, 60, 90, 97)]
    free = Labels([], [], [down], 14)
    assert free.place(0, 50)[0] > 100  # right of the edge, and near its start
    assert free.frames[-1][1] < 10
    beside = (101.0, 0.0, 100.0, 90.0)
    assert Labels([beside], [], [down], 14).place(0, 50)[0] + 50 < 100
    crossing = [(60.0, 12.0), (90.0, 12.0), (130.0, 12.0), (180.0, 12.0), (187.0, 12.0)]
    _, y = Labels([], [], [down, crossing], 14).place(0, 50)
    assert y - 7 > 12
    box = (40.0, 15.0, 200.0, 200.0)
    _, y = Labels([], [box], [down], 14).place(0, 50)
    assert y + 7 <= 15 or y - 7 >= 15


def test_texts_of_a_spec_are_texts_of_the_picture(tmp_path: Path) -> None:
    text = CHAIN + '\ntrain:\n    data = csv("</title><script>alert(1)</script>&.csv")\n' \
        "    minimize objective with sgd(lr=0.1)\n"  # fmt: skip
    drawn = draw(model(text, tmp_path))
    assert not list(ElementTree.fromstring(drawn).iter(f"{SVG}script"))
    assert "<script" not in drawn and "&lt;script&gt;" in drawn
    assert not re.search(r"(href|src|url\()", drawn)


def test_each_kind_of_thing_stands_where_it_belongs(tmp_path: Path) -> None:
    found = outline(model(CHAIN, tmp_path))
    kinds = {item.label: item.kind for item in found.root.items() if isinstance(item, Item)}
    assert kinds["x"] == kinds["y"] == "field"
    assert (kinds["out"], kinds["objective"], kinds["Dense"], kinds["tanh"]) == ("result", "loss", "module", "formula")


def test_the_verb_writes_svg_and_png_and_refuses_others(tmp_path: Path) -> None:
    for name, start in (("a.svg", b"<svg"), ("a.png", b"\x89PNG")):
        result = CliRunner().invoke(app, ["draw", "xor", "-o", str(tmp_path / name)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert (tmp_path / name).read_bytes().startswith(start)
    result = CliRunner().invoke(app, ["draw", "xor", "-o", str(tmp_path / "a.gif")])
    assert result.exit_code == 2 and "neither .svg nor .png" in re.sub(r"\s+", " ", result.output)
    assert not (tmp_path / "a.gif").exists()
