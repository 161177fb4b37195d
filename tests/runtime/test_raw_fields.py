"""``export RUN --raw``: fields of every type, names that meet, sizes of dims, tables of integers, and what has no rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archonnx.compiler.feeding import Encoding
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.raw import looked_up
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run
from tests.support.raw import LEAST, Columns, about, alike, exported, outputs, refused, session, trained

NARROW = """
model Narrow():
    input id: i32[N]
    input on: bool[N]
    input few: u8[N]
    input scale: []
    target y: [N]
    output guess = Embedding(9, 1)(i64(id))[:, 0] * float(on) * scale + float(few)
    loss l = mse(guess, y)

train:
    data = npz("a.npz")
    feed scale = 1 / max(data.y)
    epochs = 1
    batch_size = 8
    minimize l with sgd(lr=0.01)
"""


def numbers(count: int) -> Columns:
    draw = np.random.default_rng(count)
    on = draw.integers(0, 2, count)
    return {"id": draw.integers(0, 9, count) * 1.0, "on": on, "few": draw.integers(0, 256, count), "y": on + 0.5}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("narrow")
    np.savez(folder / "a.npz", **numbers(20))
    run = trained(folder, NARROW)
    return run, exported(run)


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", x) for x in (2.5, -1, 9, np.nan, np.inf, 1e30, 2.0**31)]
    + [("on", 2), ("on", -1), ("few", 256), ("few", -1)],
)
def test_a_number_that_its_field_does_not_hold_marks_its_row(
    column: str, value: float, narrow: tuple[Run, Path]
) -> None:
    run, file = narrow
    given = numbers(4)
    alike(outputs(file, given), run.predict(given))
    given[column][2] = value
    assert np.isnan(outputs(file, given)["guess"]).tolist() == [False, False, True, False]
    with pytest.raises(SpecError):
        run.predict(given)


MEETING = """
model Meeting():
    input x: [B]
    target y: [B]
    param w: [] = 1
    output out = x * w SPREAD
    loss l = mse(out, y)

train:
    data = npz("a.npz")
    fit mu = mean(data.w)
    feed x = data.w - mu + data.seed + data.out * data.step + data.mul
    epochs = 1
    batch_size = 8
    minimize l with sgd(lr=0.01)
"""


@pytest.mark.parametrize(("spread", "seed"), [("", "seed"), ("+ noise(x)", "data.seed")])
def test_names_that_meet(spread: str, seed: str, tmp_path: Path) -> None:
    """Columns called as a parameter, an output, a node, or what a model takes to draw."""
    noise = "\nfn noise(x: [B]) -> [B]:\n    z: [B] ~ normal()\n    return x * z\n"
    draw = np.random.default_rng(0)
    columns = {name: draw.random(20) for name in ("w", "seed", "out", "step", "mul", "y")}
    np.savez(tmp_path / "a.npz", **columns)
    run = trained(tmp_path, MEETING.replace("SPREAD", spread) + (noise if spread else ""))
    file = exported(run)
    inputs = {"seed": seed, "out": "data.out", "step": "data.step" if spread else "step"}
    assert {c["name"]: c["input"] for c in about(file)["columns"]} == {"w": "w", "mul": "mul", **inputs}
    del columns["y"]
    given = {inputs.get(name, name): array for name, array in columns.items()}
    alike(outputs(file, {**given, **({"seed": np.int64(0)} if spread else {})}), run.predict(columns))


SWALLOWING = """
model Swallowing():
    input x: [B, 3]
    input part: i64[B]
    target y: [B]
    output guess = (x |> Dense(1))[:, 0] + Embedding(3, 1)(part)[:, 0]
    loss l = mse(guess, y)

train:
    data = npz("a.npz")
    feed x = stack([float(data.a > 0.5), where(data.on, data.b, 0), fill(data.c, 0.0)], axis=1)
    feed part = buckets(data.d, [0.3, 0.6])
    epochs = 1
    batch_size = 8
    minimize l with sgd(lr=0.01)
"""


def test_a_missing_number_that_would_become_one_marks_its_row(tmp_path: Path) -> None:
    """A comparison with NaN is false, and where it stands in a place that is not read it does no harm: as in predict."""
    draw = np.random.default_rng(0)
    columns = {name: draw.random(20) for name in ("a", "b", "c", "d", "y")} | {"on": draw.random(20) < 0.5}
    np.savez(tmp_path / "a.npz", **columns)
    run = trained(tmp_path, SWALLOWING)
    file = exported(run)
    for name in ("a", "b", "c", "d"):
        given = {key: array.copy() for key, array in columns.items()}
        given[name][:] = np.nan
        marked = np.isnan(outputs(file, given)["guess"])
        for row in range(20):
            one = {key: array[row : row + 1] for key, array in given.items()}
            try:
                alike(outputs(file, one), run.predict(one))
                assert not marked[row]
            except SpecError:
                assert marked[row], name
        assert marked.all() == (name in "ad") and marked.any() == (name in "abd")


SEQUENCES = """
model Sequences():
    input x: [B, T]
    target y: [B]
    assert T >= 2
    param w: [] = 1
    output guess = mean(x, axis=1) * w
    output twice = concat([x, x], axis=0)
    loss l = mse(guess, y)

train:
    data = npz("a.npz")
    epochs = 1
    batch_size = 8
    minimize l with sgd(lr=0.01)
"""


def test_other_dims_have_the_sizes_of_the_data(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=draw.random((20, 7)), y=draw.random(20))
    run = trained(tmp_path, SEQUENCES)
    file = exported(run)
    given = {"x": draw.random((3, 7))}
    assert [one.shape for one in session(file).get_inputs()] == [["B", 7]]
    alike(outputs(file, given), run.predict(given))
    given["x"][1, 4] = np.nan
    made = outputs(file, given)
    assert np.isnan(made["guess"]).tolist() == [False, True, False]
    assert np.isnan(made["twice"]).all(), "its rows are not those of the data"


# ---------------------------------------------------------------- tables of integers


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize(
    "keys", [(), (4,), (0, 1, 2), (5, 3, 4), (-7, 10**15, 0), (LEAST, -LEAST - 1), tuple(range(3, 300, 2))]
)
def test_integers_are_numbered_as_a_dict_does(keys: tuple[int, ...], unknown: bool) -> None:
    near = {number for key in keys for number in (key - 1, key, key + 1)} | {0, LEAST, -LEAST - 1}
    values = np.array(sorted(number for number in near if LEAST <= number < 2**63), np.int64)
    builder, x = Builder(), Value(TensorType.of("i64", "B"), "x")
    with builder.active():
        graph = builder.graph("g", {"x": x}, {"y": looked_up(x, Encoding("c", keys, unknown))})
    table = {key: number for number, key in enumerate(keys)}
    other = len(keys) if unknown else -1
    np.testing.assert_array_equal(interpret(graph, {"x": values})["y"], [table.get(v, other) for v in values.tolist()])


# ---------------------------------------------------------------- what has no rows of its own

WHOLE = """
model Whole():
    input x: [B, 2]
    input all: [N]
    target y: [B]
    output guess = (x |> Dense(1))[:, 0] + mean(all)
    loss l = mse(guess, y)

train:
    data = npz("a.npz")
    feed whole all = data.y
    epochs = 1
    batch_size = 8
    minimize l with sgd(lr=0.1)
"""
FIXED = WHOLE.replace("B", "8").replace("[N]", "[8]").replace("feed whole", "feed")
"""The spec itself says how many rows there are."""


@pytest.mark.parametrize(("spec", "why"), [(WHOLE, "fed whole"), (FIXED, "has a fixed number of rows")])
def test_what_has_no_rows_of_its_own_is_not_fed_by_rows(spec: str, why: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((8, 2), np.float32), y=np.ones(8, np.float32))
    code, headline = refused(trained(tmp_path, spec), tmp_path / "m.onnx")
    assert code == "AX0513"
    assert why in headline
