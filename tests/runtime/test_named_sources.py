"""Programs with several sources: each with an order of its own, which comes round, and goes on where it was left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.pipeline import elaborate
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.beside import Beside, Turn
from archonnx.runtime.data.memory import Memory
from archonnx.runtime.data.parts import Parts
from archonnx.runtime.insight.data import described_data
from archonnx.runtime.training.preparing import Prepared, prepare

MODEL = """\
model Two():
    input a: [B, 2]
    input b: [{dim}, 2]
    net = Dense(2)
    output y = net({out})
    loss objective = mean(net(a) ** 2) + mean((net(b) - 1) ** 2)

train:
{train}
    minimize objective with sgd(lr=1e-7)
"""
BOTH = """\
    data left = csv("left.csv")
    data right = csv("right.csv")
    feed a = left.data
    feed b = right.data"""


def table(path: Path, rows: int, first: int = 0, names: Sequence[str] = ("p", "q")) -> None:
    lines = [",".join(names), *(f"{first + i},{10 * (first + i)}" for i in range(rows))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def spec(folder: Path, train: str = BOTH, dim: str = "B", out: str = "a") -> Path:
    table(folder / "left.csv", 10)
    table(folder / "right.csv", 7, 100)
    path = folder / "two.arch"
    path.write_text(MODEL.format(train=train, dim=dim, out=out), encoding="utf-8")
    return path


def prepared(path: Path) -> Prepared:
    model = elaborate(archonnx.load(path))
    (program,) = model.programs
    return prepare(model, program, program.settings, path.parent)


def code(error: pytest.ExceptionInfo[SpecError]) -> tuple[str, str]:
    (found,) = error.value.report.diagnostics
    return found.code, found.headline


# ---------------------------------------------------------------- orders


def beside(count: int, size: Any = None, seed: int | None = 3, name: str = "other") -> Beside:
    rows = np.arange(count)
    examples = Examples({"b": rows}, {"b": TensorType.of(DType.i64, "B")})
    return Beside(name, examples, Parts(rows, rows[:0], rows[:2]), size, seed)


def test_each_pass_over_a_source_has_all_its_examples_once_and_one_follows_the_other() -> None:
    other = beside(7)
    taken = np.concatenate([other.rows("train", 4, Turn(k, 4 * k), drawn=True) for k in range(7)])
    assert [sorted(taken[i : i + 7]) for i in range(0, 28, 7)] == [list(range(7))] * 4
    assert len({tuple(taken[i : i + 7]) for i in range(0, 28, 7)}) == 4


def test_a_batch_may_be_larger_than_a_source() -> None:
    taken = beside(3).rows("train", 8, Turn(), drawn=True)
    assert len(taken) == 8 and sorted(taken[:3]) == [0, 1, 2] and sorted(taken[3:6]) == [0, 1, 2]


def test_a_batch_follows_from_its_turn_alone() -> None:
    asked = [Turn(k, 4 * k) for k in (5, 0, 3, 5, 1)]
    one = beside(7)
    assert all(
        np.array_equal(one.rows("train", 4, turn, drawn=True), beside(7).rows("train", 4, turn, drawn=True))
        for turn in asked
    )


def test_orders_differ_by_name_seed_and_stream_and_stay_without_shuffling() -> None:
    plain = beside(50).rows("train", 50, Turn(), drawn=True)
    others = [
        beside(50, name="third").rows("train", 50, Turn(), drawn=True),
        beside(50, seed=4).rows("train", 50, Turn(), drawn=True),
        beside(50).rows("train", 50, Turn(stream=(1,)), drawn=True),
    ]
    assert not any(np.array_equal(plain, other) for other in others)
    assert beside(50, seed=None).rows("train", 4, Turn(1, 4), drawn=True).tolist() == [4, 5, 6, 7]


def test_a_size_of_its_own_and_all_examples() -> None:
    assert beside(7, 2, None).rows("train", 5, Turn(2, 10), drawn=True).tolist() == [4, 5]
    assert beside(7, "all", None).rows("train", 5, Turn(2, 10), drawn=True).tolist() == list(range(7))
    assert beside(7, None, None).rows("test", 3, Turn(), drawn=False).tolist() == [0, 1, 0]


# ---------------------------------------------------------------- programs


def test_the_first_source_makes_the_epochs_or_the_one_that_is_named(tmp_path: Path) -> None:
    data = prepared(spec(tmp_path, BOTH + "\n    batch_size = 5"))
    assert (len(data.parts.train), len(data.others["right"].parts.train)) == (10, 7)
    batches = list(data.examples.steps(data.parts.train, 5))
    assert [batch["a"].shape for _, batch in batches] == [batch["b"].shape for _, batch in batches] == [(5, 2), (5, 2)]
    turned = prepared(spec(tmp_path, BOTH + "\n    epoch_of = right"))
    assert len(turned.parts.train) == 7 and list(turned.others) == ["left"]


def test_an_order_does_not_depend_on_the_other_source(tmp_path: Path) -> None:
    """Nor does that of the first on whether there is another one."""

    def steps(path: Path) -> tuple[list[Any], list[Any]]:
        data = prepared(path)
        order = data.examples.order(data.parts.train, 4, 0, 1)
        batches = [batch for _, batch in data.examples.steps(order, 4)]
        return [b["a"].tolist() for b in batches], [b["b"].tolist() for b in batches]

    one = steps(spec(tmp_path))
    table(tmp_path / "left.csv", 10, 50)
    other = steps(tmp_path / "two.arch")
    assert one[1] == other[1] and one[0] != other[0]
    single = BOTH.replace('    data right = csv("right.csv")\n', "").replace("right.data", "left.data")
    alone = steps(spec(tmp_path, single.replace("data left =", "data =").replace("left.data", "data.data")))
    assert alone[0] == one[0]


def test_a_dim_of_its_own_has_batches_of_its_own(tmp_path: Path) -> None:
    data = prepared(spec(tmp_path, BOTH + "\n    batch_size = 5\n    batches = {right: 2}", dim="C"))
    shapes = [(batch["a"].shape[0], batch["b"].shape[0]) for _, batch in data.examples.steps(data.parts.train, 5)]
    assert shapes == [(5, 2), (5, 2)]


def test_fields_are_fed_by_name_from_the_source_that_has_them(tmp_path: Path) -> None:
    named = BOTH.split("    feed")[0].rstrip()
    path = spec(tmp_path, named)
    for name, count in (("a", 10), ("b", 7)):
        arrays = {name: np.arange(2.0 * count).reshape(count, 2)}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    text = path.read_text(encoding="utf-8").replace('csv("left.csv")', 'npz("a.npz")')
    path.write_text(text.replace('csv("right.csv")', 'npz("b.npz")'), encoding="utf-8")
    data = prepared(path)
    assert list(data.examples.take(np.arange(2))) == ["a", "b"]


def test_what_is_fitted_is_that_of_its_source(tmp_path: Path) -> None:
    train = BOTH.replace(
        "    feed a = left.data",
        "    fit low = min(left.data, axis=0)\n    fit top = max(right.data, axis=0)\n    feed a = left.data - low",
    ).replace("feed b = right.data", "feed b = right.data / top")
    data = prepared(spec(tmp_path, train))
    fields = data.examples.take(data.parts.train)
    assert fields["a"].min() == 0 and fields["b"].max() == 1
    assert list(data.fitted.statistics) == ["low"] and list(data.others["right"].fitted.statistics) == ["top"]


def test_parts_are_made_of_each_source(tmp_path: Path) -> None:
    data = prepared(spec(tmp_path, BOTH + "\n    split = {train: 0.5, test: 0.5, by: order}"))
    assert data.parts.test.tolist() == [5, 6, 7, 8, 9]
    other = data.others["right"].parts
    assert set(other.train) | set(other.test) == set(range(7)) and len(other.test) in (3, 4)


def test_generated_sources_of_one_fn_differ(tmp_path: Path) -> None:
    train = "    data left = generate(noise, n=9)\n    data right = generate(noise, n=9)\n    feed a = left.x\n    feed b = right.x"
    path = spec(tmp_path, train)
    noise = "fn noise(n: int) -> (x: [n, 2]):\n    x: [n, 2] ~ normal(0, 1)\n    return x\n\n"
    path.write_text(noise + path.read_text(encoding="utf-8"), encoding="utf-8")
    fields = prepared(path).examples.take(np.arange(9))
    assert not np.array_equal(fields["a"], fields["b"])


REPEATED = (
    BOTH
    + "\n    batch_size = 4\n    split = {train: 0.8, test: 0.2}\n    repeat 2:\n        minimize objective with adam(0.05)"
)


def test_a_run_goes_on_where_it_was_to_the_bit(tmp_path: Path) -> None:
    """Also with rounds of `repeat`, and in the middle of a pass over the second source."""
    path = spec(tmp_path, REPEATED)
    whole = archonnx.train(path, tmp_path / "whole", settings={"epochs": 5}, device="cpu")
    archonnx.train(path, tmp_path / "part", settings={"epochs": 2}, device="cpu")
    resumed = archonnx.train(path, resume=tmp_path / "part", settings={"epochs": 5}, device="cpu")
    for name, array in whole.parameters.items():
        assert np.array_equal(array, resumed.parameters[name])
    assert whole.metrics == resumed.metrics
    assert whole.evaluate("test") == pytest.approx(whole.metrics["test"])


def test_a_run_remembers_each_source_and_predicts_from_the_one_it_needs(tmp_path: Path) -> None:
    train = BOTH.replace("feed b = right.data", "fit top = max(right.data, axis=0)\n    feed b = right.data / top")
    run = archonnx.train(spec(tmp_path, train, out="b"), tmp_path / "run", device="cpu")
    memory = Memory.load(tmp_path / "run")
    assert memory is not None and memory.fields == ("a",) and memory.others["right"].fields == ("b",)
    weights = run.parameters
    raw = np.array([[101.0, 1010.0], [106.0, 1060.0]], np.float32)
    given = tmp_path / "new.csv"
    given.write_text("p,q\n101,1010\n106,1060\n", encoding="utf-8")
    expected = raw / [106, 1060] @ weights["net.W"] + weights["net.b"]
    np.testing.assert_allclose(run.predict(given)["y"], expected, rtol=1e-5)
    np.testing.assert_allclose(archonnx.Run(tmp_path / "run").predict(given)["y"], expected, rtol=1e-5)


def test_outputs_of_several_sources_take_fields(tmp_path: Path) -> None:
    run = archonnx.train(spec(tmp_path, out="a + b"), tmp_path / "run", device="cpu")
    with pytest.raises(SpecError) as error:
        run.predict(tmp_path / "left.csv")
    assert code(error)[0] == "AX0608" and "several sources, a, b" in code(error)[1]
    given = {name: np.ones((3, 2), np.float32) for name in "ab"}
    assert run.predict(given)["y"].shape == (3, 2)
    with pytest.raises(SpecError) as error:
        run.measure(data=tmp_path / "left.csv")
    assert "several sources, left, right" in code(error)[1]


def test_sources_are_replaced_by_name(tmp_path: Path) -> None:
    path = spec(tmp_path)
    table(tmp_path / "mine.csv", 5, 30)
    asked = {"right": tmp_path / "mine.csv", "data": tmp_path / "right.csv"}
    run = archonnx.train(path, tmp_path / "run", device="cpu", settings={"epochs": 1}, sources=asked)
    memory = Memory.load(tmp_path / "run")
    assert memory is not None and (memory.rows, memory.others["right"].rows) == (7, 5)
    assert run.evaluate("train") == pytest.approx(run.metrics["train"])
    with pytest.raises(SpecError) as error:
        archonnx.train(path, tmp_path / "other", device="cpu", sources={"rigth": tmp_path / "mine.csv"})
    assert code(error) == ("AX0601", "Two has no source `rigth`")


def test_each_source_is_described(tmp_path: Path) -> None:
    path = spec(tmp_path)
    model = elaborate(archonnx.load(path))
    lines = described_data(model, model.programs[0], prepared(path))
    assert [line for line in lines if line.startswith("source")] == ["source left", "source right"]
    assert [line.split() for line in lines if "= left" in line or "= right" in line] == [
        ["a:", "f32[B,", "2]", "=", "left.data"],
        ["b:", "f32[B,", "2]", "=", "right.data"],
    ]


def test_changed_data_of_any_source_is_told(tmp_path: Path) -> None:
    path = spec(tmp_path)
    archonnx.train(path, tmp_path / "run", device="cpu", settings={"epochs": 1})
    table(tmp_path / "right.csv", 7, 200)
    with pytest.raises(SpecError) as error:
        archonnx.train(path, resume=tmp_path / "run", device="cpu", settings={"epochs": 2})
    assert code(error)[0] == "AX0632" and "right.csv" in code(error)[1]


def test_a_memory_does_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    archonnx.train(spec(tmp_path), tmp_path / "run", device="cpu", settings={"epochs": 1})
    file = tmp_path / "run" / "data.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, "others": ["x/../../left"]}), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        Memory.load(tmp_path / "run")
    assert code(error)[0] == "AX0611"


MISTAKES = {
    "a field of two sources": (BOTH.replace("left.data", "left.data + right.data"), "B", "AX0714"),
    "a fit of another source": (
        BOTH.replace("    feed a = left.data", "    fit top = max(right.data, axis=0)\n    feed a = left.data / top"),
        "B", "AX0714",
    ),
    "a source twice": (BOTH + '\n    data left = csv("right.csv")', "B", "AX0205"),
    "an epoch of nothing": (BOTH + "\n    epoch_of = middle", "B", "AX0702"),
    "batches of nothing": (BOTH + "\n    batches = {middle: 4}", "B", "AX0702"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_said_before_data_is_read(name: str, tmp_path: Path) -> None:
    train, dim, expected = MISTAKES[name]
    with pytest.raises(SpecError) as error:
        elaborate(archonnx.load(spec(tmp_path, train, dim)))
    assert code(error)[0] == expected


DATA_MISTAKES = {
    "a field that both have": (
        '    data left = npz("both.npz")\n    data right = npz("both.npz")\n    feed b = right.b', "AX0714",
    ),
    "a source that feeds nothing": (BOTH.replace("feed b = right.data", "feed b = left.data"), "AX0707"),
    "a field that none has": (BOTH.rpartition("\n")[0], "AX0707"),
    "batches where one dim counts both": (BOTH + "\n    batches = {right: 2}", "AX0702"),
    "a part without examples of one": (BOTH + "\n    split = {train: 0.9, test: 0.1}", "AX0606"),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA_MISTAKES)
def test_mistakes_of_data_are_said_once(name: str, tmp_path: Path) -> None:
    train, expected = DATA_MISTAKES[name]
    np.savez(tmp_path / "both.npz", a=np.ones((9, 2)), b=np.ones((9, 2)))
    path = spec(tmp_path, train)
    if expected == "AX0606":
        table(tmp_path / "right.csv", 3)
    with pytest.raises(SpecError) as error:
        prepared(path)
    assert code(error)[0] == expected
