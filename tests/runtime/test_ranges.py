"""Labels, ids and positions that name nothing are refused before they reach a device, with field, row and value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ranges import model_ranges
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.runtime.data.ranges import Given, RangeCheck, as_metadata, from_metadata
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import model, program

CPU = SessionOptions(device="cpu", threads=1)
SHOP = model(
    """u = item[:, 0] |> Embedding(4, 2)
v = item[:, 1] |> Embedding(9, 2)
logits = concat([u, v], axis=1) |> Dense(3)
output scores = logits
loss l = cross_entropy(logits, kind)""",
    "item: i64[B, 2]; kind: i64[B]",
    after="train:\n    minimize l with sgd(lr=0.1)\n",
)


def refused(action: Any) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        action()
    (found,) = caught.value.diagnostics
    assert found.code == "AX0630"
    return found


@pytest.fixture(scope="module")
def shop() -> Trainer:
    return Trainer(program(SHOP), options=CPU)


GOOD = {"item": np.array([[0, 8], [3, 0], [2, 5]]), "kind": np.array([0, 2, 1])}


@pytest.mark.parametrize("bad", [-1, -9, 3, 8, 2**40])
def test_every_way_into_a_trainer_looks_at_labels(shop: Trainer, bad: int) -> None:
    batch = {**GOOD, "kind": np.array([0, 2, bad])}
    for _ in range(2):  # a form of batch that was accepted is looked at again
        shop.step(GOOD)
        for way in (shop.step, shop.evaluate, lambda b: shop.gradients(b, "l")):
            found = refused(lambda way=way: way(batch))
            assert found.headline.startswith(f"`kind` is {bad} in row 2: `cross_entropy` takes 0 to 2")


@pytest.mark.parametrize(("row", "column", "bad", "rows"), [(1, 0, 4, 4), (2, 1, 9, 9), (0, 1, -1, 9), (0, 0, -4, 4)])
def test_columns_are_judged_by_their_own_tables(shop: Trainer, row: int, column: int, bad: int, rows: int) -> None:
    item = GOOD["item"].copy()
    item[row, column] = bad
    found = refused(lambda: shop.predict({"item": item}))
    assert found.headline.startswith(f"`item` is {bad} in row {row} at [{column}]: `Embedding` takes 0 to {rows - 1}")
    shop.predict(GOOD)


def test_arguments_of_entries_are_looked_at() -> None:
    text = model(
        "table = Embedding(4, 2)\noutput y = table(id)\nentry look(id: i64[n]) -> [n, 2]:\n    return table(id)",
        "id: i64[B]",
    )
    found = refused(lambda: Trainer(program(text), options=CPU).call("look", id=np.array([0, 3, 4])))
    assert found.headline.startswith("`id` is 4 in row 2")


def test_lists_are_looked_at_like_arrays(shop: Trainer) -> None:
    assert refused(lambda: shop.step({"item": [[0, 0]], "kind": [3]})).headline.startswith("`kind` is 3 in row 0")


def test_places_in_another_field_are_as_many_as_it_has() -> None:
    of = Trainer(program(model("output y = nodes[edges]", "nodes: [N, 2]; edges: i64[E]")), options=CPU)
    nodes = np.zeros((5, 2), np.float32)
    assert of.predict({"nodes": nodes, "edges": np.array([0, 4])})["y"].shape == (2, 2)
    found = refused(lambda: of.predict({"nodes": nodes, "edges": np.array([0, 5])}))
    assert found.headline.startswith("`edges` is 5 in row 1: `[...]` takes 0 to 4")


@pytest.mark.parametrize("seed", range(8))
def test_the_place_that_is_told_is_the_first_that_is_wrong(seed: int) -> None:
    """Against an oracle: the selection of the graph, applied to one wrong number after the other."""
    r = np.random.default_rng(seed)
    paths = ["p[:, 1:]", "transpose(p[:, ::2])", "reshape(p, [3 * B])[none]", "flip(p, axis=1)[:, 0]", "p[:, -1]"]
    of = program(model(f"output y = {paths[seed % len(paths)]} |> Embedding(6, 1)", "p: i64[B, 3]"))
    (found,) = model_ranges(of)
    check = RangeCheck([found], {"p": of.fields["p"].type})
    array = r.integers(0, 6, (4, 3))
    check({"p": array})
    first = None
    for at in np.ndindex(array.shape):
        wrong = array.copy()
        wrong[at] = r.choice([-1, 6, 77])
        selected = wrong if found.selection is None else interpret(found.selection, {"p": wrong})["indices"]
        if (selected == wrong[at]).any():
            first = at if first is None else first
            assert (
                f"`p` is {wrong[at]} in row {at[0]} at [{at[1]}]:" in refused(lambda w=wrong: check({"p": w})).headline
            )
        else:
            check({"p": wrong})
    array[array >= 0] = -5
    assert first is not None
    assert f"in row {first[0]} at [{first[1]}]:" in refused(lambda: check({"p": array})).headline


def test_the_help_fits_what_was_given() -> None:
    of = program(model("loss l = nll(x, grade)", "x: [B, 3]; grade: i64[B]"))
    check = RangeCheck(model_ranges(of), {name: field.type for name, field in of.fields.items()})

    def help_for(grades: list[int], given: Given) -> str:
        return refused(lambda: check({"grade": np.array(grades)}, given)).help or ""

    data = Given(expression=lambda field: "data.mark")
    assert "`feed grade = data.mark - 1`" in help_for([1, 2, 3], data)
    assert "`grade - 1`" in help_for([1, 2, 3], Given())
    assert "max(grade, 0)" in help_for([-1, 0, 1, 2], data)
    assert "let there be 8 classes" in help_for([0, 7], data)
    found = refused(
        lambda: check({"grade": np.array([0, 9])}, Given(row=lambda field, row: f"line {row + 2} of a.csv"))
    )
    assert "in line 3 of a.csv:" in found.headline


def test_metadata_say_all_of_it() -> None:
    ranges = model_ranges(program(SHOP))
    read = from_metadata(as_metadata(ranges))
    assert [(r.field, r.count, r.noun, r.user) for r in read] == [(r.field, r.count, r.noun, r.user) for r in ranges]
    array = np.arange(10).reshape(5, 2)
    for before, after in zip(ranges, read, strict=True):
        if before.selection is not None and after.selection is not None:
            one, other = (interpret(graph, {"item": array})["indices"] for graph in (before.selection, after.selection))
            np.testing.assert_array_equal(one, other)
    assert from_metadata({}) == () and as_metadata(()) == {}
    with pytest.raises(SpecError, match="damaged"):
        from_metadata({"archonnx.ranges": '[{"field": "k", "count": "3 +", "noun": "", "user": ""}]'})


TRAIN = """model Pets():
    input  x: [B, 2]
    target pet: i64[B]
    logits = x |> Dense(4)
    output scores = logits
    loss   l = cross_entropy(logits, pet, smoothing=SMOOTHING)

train:
    data = csv("pets.csv", target="pet")
    feed x = data.data
    epochs = 2
    minimize l with sgd(lr=0.1)
"""


@pytest.mark.parametrize("smoothing", ["0.0", "0.2"])
@pytest.mark.parametrize(("labels", "bad", "row"), [([0, 1, 2, 3, 4], 4, 4), ([0, -1, 2, 3, 1], -1, 1)])
def test_a_training_is_refused_before_its_first_step(
    tmp_path: Path, smoothing: str, labels: list[int], bad: int, row: int
) -> None:
    (tmp_path / "pets.csv").write_text("a,b,pet\n" + "".join(f"{k},0.5,{k}\n" for k in labels))
    (tmp_path / "pets.arch").write_text(TRAIN.replace("SMOOTHING", smoothing))
    found = refused(lambda: archonnx.train(tmp_path / "pets.arch", out=tmp_path / "run", device="cpu"))
    assert f"`pet` is {bad} in line {row + 2} of pets.csv:" in found.headline
    assert found.notes == (f"out of range: {bad}; that is 1 of 5 numbers",)
    assert not (tmp_path / "run").exists()


def test_a_run_looks_at_what_it_predicts_for(tmp_path: Path) -> None:
    spec = TRAIN.replace("input  x: [B, 2]", "input  x: i64[B, 2]").replace(
        "x |> Dense(4)", "(x[:, 0] |> Embedding(5, 4)) + (x[:, 1] |> Embedding(2, 4))"
    )
    (tmp_path / "pets.csv").write_text("a,b,pet\n" + "".join(f"{k},{k % 2},{k % 4}\n" for k in range(5)))
    (tmp_path / "pets.arch").write_text(spec.replace("SMOOTHING", "0.0").replace("data.data", "i64(data.data)"))
    run = archonnx.train(tmp_path / "pets.arch", out=tmp_path / "run", device="cpu")
    assert run.predict({"x": np.array([[4, 1]])})["scores"].shape == (1, 4)
    for x in ([[0, 0], [4, 2]], [[0, 0], [-1, 0]]):
        assert "in row 1" in refused(lambda x=x: run.predict({"x": np.array(x)})).headline
