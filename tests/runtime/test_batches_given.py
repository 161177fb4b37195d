"""Batches that Python makes as they are needed, as a source of a spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx import Batches
from archonnx.compiler.pipeline import parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.data.streamed import Stream, as_batches
from archonnx.runtime.training.observing import Observer

SPEC = """\
model Line():
    input  x: [B, 3]
    target y: [B]
    prediction = (x |> Dropout(0.1) |> Dense(1))[:, 0]
    output value: [B] = prediction
    loss objective = mse(prediction, y)

train:
{train}
    minimize objective with adam(0.05)
"""
ROWS = 40


def spec(train: str = "    epochs = 3") -> Any:
    return parse_spec(Source("line.arch", SPEC.format(train=train)))


def batch(seed: int, rows: int = 8) -> dict[str, Any]:
    x = np.random.default_rng(seed).normal(size=(rows, 3))
    return {"x": x, "y": x.sum(axis=1) + 1}


def epoch(number: int) -> Iterator[Mapping[str, Any]]:
    """Batches of different sizes, others in each epoch, without an end."""
    place = 0
    while True:
        yield batch(1000 * number + place, 4 + place % 3)
        place += 1


def code(error: pytest.ExceptionInfo[SpecError]) -> tuple[str, str]:
    found = error.value.report.diagnostics[0]
    return found.code, found.headline


class Stop(Observer):
    """Interrupts after a pass."""

    def __init__(self, epoch: int, step: int) -> None:
        self._where = epoch, step

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (epoch, step) == self._where:
            raise KeyboardInterrupt


# ---------------------------------------------------------------- as they come


def test_a_list_of_batches_trains_as_their_rows_do() -> None:
    """Without dropout and with the order of the rows, an epoch over a list is an epoch over the rows, to the bit."""
    given = [batch(k) for k in range(5)]
    rows = {name: np.concatenate([one[name] for one in given]) for name in ("x", "y")}
    text = SPEC.replace(" |> Dropout(0.1)", "")
    plain = parse_spec(
        Source("line.arch", text.format(train="    epochs = 3\n    batch_size = 8\n    shuffle = false"))
    )
    one = archonnx.train(plain, device="cpu", sources={"data": given})
    other = archonnx.train(plain, device="cpu", data=rows)
    for path, array in one.parameters.items():
        np.testing.assert_array_equal(array, other.parameters[path])
    assert [line["train"] for line in one.history] == [line["train"] for line in other.history]
    assert one.metrics == other.metrics


def test_a_function_gives_each_epoch_its_batches_and_losses_are_weighed_by_rows() -> None:
    asked: list[int] = []

    def logged(number: int) -> Iterator[Any]:
        asked.append(number)
        return epoch(number)

    run = archonnx.train(spec("    epochs = 60"), device="cpu", sources={"data": Batches(logged, 5)})
    assert asked == [1, *range(1, 61), 1]  # the columns, the epochs, and the measuring at the end
    assert run.metrics["train"]["objective"] < 0.05
    losses = [
        np.square(one["y"] - run.predict({"x": one["x"].astype(np.float32)})["value"])
        for one, _ in zip(epoch(1), range(5), strict=False)
    ]
    assert run.metrics["train"]["objective"] == pytest.approx(np.concatenate(losses).mean(), rel=1e-4)


def test_a_training_goes_on_to_the_bit_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    """Also with rounds of `repeat`, which take batches of their own."""
    repeated = spec("    epochs = 3\n    repeat 2:\n        minimize objective with sgd(0.01)")
    given = {"data": Batches(epoch, 5)}
    whole = archonnx.train(repeated, device="cpu", threads=1, sources=given)
    for number, where in enumerate([(1, 3), (2, 5), (3, 1)]):
        out = tmp_path / str(number)
        archonnx.train(repeated, out, device="cpu", threads=1, sources=given, observer=Stop(*where))
        resumed = archonnx.train(repeated, resume=out, device="cpu", threads=1, sources=given)
        for path, array in whole.parameters.items():
            np.testing.assert_array_equal(array, resumed.parameters[path])
        assert [line["train"] for line in whole.history] == [line["train"] for line in resumed.history]
        assert whole.metrics == resumed.metrics


def test_batches_that_are_not_the_same_again_are_refused_at_a_resumption(tmp_path: Path) -> None:
    class Shuffled:
        """Gives others each time, as a loader that shuffles by a state of its own."""

        rng = np.random.default_rng(0)

        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Iterator[Any]:
            return iter([batch(int(self.rng.integers(10**6))) for _ in range(3)])

    archonnx.train(spec(), tmp_path, device="cpu", sources={"data": Shuffled()}, observer=Stop(2, 1))
    with pytest.raises(SpecError) as error:
        archonnx.train(spec(), resume=tmp_path, device="cpu", sources={"data": Shuffled()})
    assert code(error)[0] == "AX0632"
    archonnx.train(spec(), resume=tmp_path, device="cpu", sources={"data": Shuffled()}, changed_data=True)


def test_tuples_are_in_the_order_of_the_fields() -> None:
    pairs = [(one["x"], one["y"]) for one in map(batch, range(3))]
    one = archonnx.train(spec(), device="cpu", sources={"data": pairs})
    other = archonnx.train(spec(), device="cpu", sources={"data": [batch(k) for k in range(3)]})
    assert one.metrics == other.metrics


def test_feeds_are_of_each_batch() -> None:
    fed = spec(
        "    epochs = 2\n    data = npz('a.npz')\n    feed x = data.raw / 4\n    feed y = data.y".replace("'", '"')
    )
    given = [{"raw": 4 * one["x"], "y": one["y"]} for one in map(batch, range(3))]
    plain = archonnx.train(spec("    epochs = 2"), device="cpu", sources={"data": [batch(k) for k in range(3)]})
    assert archonnx.train(fed, device="cpu", sources={"data": given}).metrics == plain.metrics


BOTH = """\
fn noise(n: int) -> (x: [n, 3], y: [n]):
    x: [n, 3] ~ normal(0, 1)
    return x, sum(x, axis=-1)

model Both():
    input  x: [B, 3]
    target y: [B]
    input  z: [{dim}, 3]
    net = Dense(1)
    loss objective = mse(net(x)[:, 0], y) + mean(net(z) ** 2)

train:
    data here = generate(noise, n=20)
    data there = generate(noise, n=20)
    feed x = here.x
    feed y = here.y
    feed z = there.x
    batch_size = 5
    epochs = 2
    minimize objective with adam()
"""


def both(dim: str = "C") -> Any:
    return parse_spec(Source("both.arch", BOTH.format(dim=dim)))


def test_a_stream_stands_beside_another_source_and_the_other_way_round(tmp_path: Path) -> None:
    for name, sizes in (("there", 7), ("here", 4)):
        given = {name: Batches(lambda number, size=sizes: iter([batch(10 * number + k, size) for k in range(3)]), 3)}
        whole = archonnx.train(both(), device="cpu", threads=1, sources=given)
        out = tmp_path / name
        archonnx.train(both(), out, device="cpu", threads=1, sources=given, observer=Stop(1, 2))
        resumed = archonnx.train(both(), resume=out, device="cpu", threads=1, sources=given)
        assert whole.metrics == resumed.metrics
    with pytest.raises(SpecError) as error:
        archonnx.train(both("B"), device="cpu", sources={"there": [batch(1, 7)]})
    assert code(error) == ("AX0608", "a batch of `there` has 7 examples, and goes with 5 of the first source")


# ---------------------------------------------------------------- reading


def test_a_stream_finds_any_batch() -> None:
    stream = Stream("s", Batches(lambda number: ({"x": [100 * number + k]} for k in range(10)), 10), ())
    asked = [((1,), 3), ((1,), 4), ((2, 0, 0), 0), ((1,), 9), ((1,), 2), ((3,), 0), ((2, 0, 0), 1), ((1,), 3)]
    found = [int(stream.batch(key, place).fields["x"][0]) for key, place in asked]
    assert found == [100 * key[0] + place for key, place in asked]


def test_what_is_data_itself_is_not_taken_for_batches() -> None:
    pandas = pytest.importorskip("pandas")
    networkx = pytest.importorskip("networkx")
    for one in (
        "a.csv",
        Path("a"),
        {"x": [1]},
        np.ones(3),
        pandas.DataFrame({"x": [1]}),
        networkx.path_graph(3),
        None,
        3,
    ):
        assert as_batches(one) is None
    for other in ([{"x": [1]}], list, epoch, Batches([])):
        assert as_batches(other) is not None


def once() -> Iterator[Any]:
    yield batch(0)


TEXTS = [{"x": [[1.0, 2.0, 3.0]], "y": ["a"]}]
GIVEN = {
    "no batch at all": ([], "", "AX0702"),
    "a generator": (Batches(once(), 1), "", "AX0702"),
    "unknown how many": (epoch, "", "AX0702"),
    "no number": (Batches(epoch, 0), "", "AX0702"),
    "too few": (Batches(lambda number: [batch(number)], 2), "", "AX0603"),
    "not an iterable": (Batches(lambda number: 3, 2), "", "AX0608"),
    "one batch": (Batches(lambda number: batch(1), 2), "", "AX0608"),
    "batches that are no mappings": ([3, 4], "", "AX0608"),
    "another number of arrays": ([(np.ones((2, 3)),)], "", "AX0608"),
    "an empty mapping": ([{}], "", "AX0608"),
    "no examples": ([{"x": np.ones((0, 3)), "y": np.ones(0)}], "", "AX0603"),
    "a field is lacking": ([{"x": np.ones((2, 3))}], "", "AX0707"),
    "a field is lacking later": ([batch(0), {"x": np.ones((2, 3))}], "", "AX0607"),
    "a field is new later": ([batch(0), {**batch(1), "z": np.ones(8)}], "", "AX0607"),
    "another kind later": ([batch(0), {"x": np.ones((2, 3)), "y": np.ones(2, np.int64)}], "", "AX0603"),
    "another width": ([{"x": np.ones((2, 4)), "y": np.ones(2)}], "", "AX0708"),
    "another width later": ([batch(0), {"x": np.ones((2, 4)), "y": np.ones(2)}], "", "AX0708"),
    "other numbers of rows": ([{"x": np.ones((2, 3)), "y": np.ones(3)}], "", "AX0605"),
    "texts": (TEXTS, "", "AX0708"),
    "nan": ([{"x": np.full((2, 3), np.nan), "y": np.ones(2)}], "", "AX0631"),
    "nan later": ([batch(0), {"x": np.full((2, 3), np.nan), "y": np.ones(2)}], "", "AX0631"),
    "a split": ([batch(0)], "    split = {train: 0.5, test: 0.5}", "AX0606"),
    "all at once": ([batch(0)], "    batch_size = all", "AX0702"),
    "something fitted": (
        [batch(0)], '    data = npz("a")\n    fit m = mean(data.x, axis=0)\n    feed x = data.x - m', "AX0702",
    ),
    "something learned": ([batch(0)], '    data = npz("a")\n    feed x = standardise(data.x)', "AX0702"),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_what_cannot_be_trained_on_is_told(name: str) -> None:
    given, train, expected = GIVEN[name]
    with pytest.raises(SpecError) as error:
        archonnx.train(spec(train or "    epochs = 2"), device="cpu", sources={"data": given})
    assert code(error)[0] == expected, code(error)
    if "later" in name:
        assert "batch 2 of epoch 1" in str(error.value)


def test_folds_of_batches_are_refused() -> None:
    with pytest.raises(SpecError) as error:
        archonnx.train(spec(), device="cpu", sources={"data": [batch(0)]}, folds=3)
    assert code(error)[0] == "AX0606"


def test_a_run_says_that_its_batches_are_gone(tmp_path: Path) -> None:
    run = archonnx.train(spec(), tmp_path, device="cpu", sources={"data": [batch(0)]})
    with pytest.raises(SpecError) as error:
        archonnx.Run(tmp_path).evaluate("train")
    assert code(error)[0] == "AX0611" and "in memory" in code(error)[1]
    assert run.predict({"x": np.ones((2, 3))})["value"].shape == (2,)
