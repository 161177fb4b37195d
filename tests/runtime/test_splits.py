"""Which example is in which part, and in which order: by chance, by order, by classes, by groups, by a column, by folds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archonnx
from archonnx.compiler.settings import Split, TrainSettings
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.groups import assign
from archonnx.runtime.data.parts import PARTS, Parts, split
from archonnx.runtime.data.sharing_out import described
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.observing import Observer
from tests.support.runs import as_before_checksums, reseal


def rows(parts: Parts) -> list[list[int]]:
    return [parts.of(name).tolist() for name in PARTS]


def together(parts: Parts) -> list[int]:
    joined: list[int] = np.concatenate([parts.of(name) for name in PARTS]).tolist()
    return joined


def everything(parts: Parts) -> list[int]:
    return sorted(together(parts))


# ---------------------------------------------------------------- order


@given(count=st.integers(20, 200), shares=st.tuples(*[st.integers(1, 9)] * 3), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_by_order_the_parts_are_pieces_one_after_the_other(count: int, shares: tuple[int, int, int], seed: int) -> None:
    train, valid, test = (share / sum(shares) for share in shares)
    parts = split(count, Split(train=train, valid=valid, test=test, by="order", seed=seed), {})
    assert together(parts) == list(range(count))
    drawn = split(count, Split(train=train, valid=valid, test=test, seed=seed), {})
    assert list(map(len, rows(parts))) == list(map(len, rows(drawn)))


def test_counts_by_order_begin_at_the_first_example_and_leave_out_the_last_ones() -> None:
    assert rows(split(10, Split(train=4, valid=2, test=1, by="order"), {})) == [[0, 1, 2, 3], [4, 5], [6]]


def test_without_shuffling_a_split_is_by_order_unless_it_says_otherwise() -> None:
    shares: dict[str, Any] = {"train": 0.5, "valid": 0.25, "test": 0.25}
    assert together(split(20, Split(**shares), {}, shuffle=False)) == list(range(20))
    labels = {"y": np.arange(20) % 2}
    for rule in ({"by": "random"}, {"stratify": "y"}):
        drawn, kept = (split(20, Split(**shares, **rule), labels, shuffle=shuffle) for shuffle in (True, False))
        assert rows(kept) == [sorted(part) for part in rows(drawn)] != rows(drawn)


def test_a_random_split_is_that_of_its_seed_for_good() -> None:
    """Figures of runs that were made long ago can be measured again."""
    shares: dict[str, Any] = {"train": 0.5, "valid": 0.25, "test": 0.25, "seed": 3}
    assert rows(split(8, Split(**shares), {})) == [[6, 7, 2, 1], [4, 5], [3, 0]]
    labels = {"y": np.array([0, 1] * 6)}
    by_classes = split(12, Split(**shares, stratify="y"), labels)
    assert rows(by_classes) == [[11, 8, 6, 10, 9, 3], [2, 1, 7], [0, 5, 4]]


# ---------------------------------------------------------------- groups


@given(
    sizes=st.lists(st.integers(1, 12), min_size=4, max_size=30),
    shares=st.tuples(*[st.integers(1, 9)] * 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_groups_stay_together_and_sizes_are_as_near_as_they_allow(
    sizes: list[int], shares: tuple[int, int, int], seed: int
) -> None:
    users = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    wanted = dict(zip(PARTS, (share / sum(shares) for share in shares), strict=True))
    count = len(users)
    if any(round(share * count) == 0 for share in wanted.values()):
        return
    how = Split(**wanted, seed=seed, group="user")
    parts = split(count, how, {"user": users})
    assert everything(parts) == list(range(count))
    assert rows(parts) == [sorted(part) for part in rows(split(count, how, {"user": users}, shuffle=False))]
    groups = [set(users[parts.of(name)].tolist()) for name in PARTS]
    assert all(groups) and sum(map(len, groups)) == len(set.union(*groups)) == len(sizes)
    for name, share in wanted.items():
        assert abs(len(parts.of(name)) - share * count) <= max(sizes) + 1


@given(
    sizes=st.lists(st.integers(1, 30), min_size=3, max_size=9),
    shares=st.tuples(*[st.integers(1, 9)] * 2),
    left=st.integers(0, 9),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_no_exchange_of_groups_brings_sizes_nearer(
    sizes: list[int], shares: tuple[int, int], left: int, seed: int
) -> None:
    total, spare = sum(sizes), left * sum(sizes) // 20
    first = (total - spare) * shares[0] // sum(shares)
    needs = [first, total - spare - first, spare]
    place = assign(np.array(sizes), needs[:2], seed, left=spare)

    def squares(place: np.ndarray) -> float:
        return float(np.sum((np.bincount(place, weights=sizes, minlength=3) - needs) ** 2))

    assert {0, 1} <= set(place.tolist())
    for one, other in itertools.combinations(range(len(sizes)), 2):
        swapped = place.copy()
        swapped[[one, other]] = place[[other, one]]
        assert squares(swapped) >= squares(place)
    for one, to in itertools.product(range(len(sizes)), range(3)):
        moved = place.copy()
        moved[one] = to
        assert squares(moved) >= squares(place) or np.sum(place == place[one]) == 1


def test_groups_of_one_size_give_sizes_as_they_are_asked_for_and_the_seed_draws_which() -> None:
    users = {"user": np.array([f"u{n}" for n in range(20)] * 3, object)}
    shares: dict[str, Any] = {"train": 0.7, "valid": 0.15, "test": 0.15, "group": "user"}
    first, second = (split(60, Split(**shares, seed=seed), users) for seed in (0, 1))
    assert [len(part) for part in rows(first)] == [len(part) for part in rows(second)] == [42, 9, 9]
    assert rows(first) != rows(second)
    note = described(first, Split(**shares), users, shuffle=True)
    assert note == "split by group `user`: train 42 (14 groups), valid 9 (3 groups), test 9 (3 groups)"


def test_counts_by_groups_leave_groups_out() -> None:
    users = {"user": np.repeat(np.arange(10), 5)}
    parts = split(50, Split(train=20, test=10, group="user"), users)
    assert [len(part) for part in rows(parts)] == [20, 0, 10]
    assert len(set(users["user"][everything(parts)].tolist())) == 6


def test_no_bin_stays_empty_while_there_are_groups_for_it() -> None:
    place = assign(np.array([20] * 5), [98, 2], 0)
    assert sorted(np.bincount(place).tolist()) == [1, 4] and place.tolist().count(1) == 1
    with pytest.raises(SpecError, match="2 groups, and the parts are train, valid, test"):
        how = Split(train=0.6, valid=0.2, test=0.2, group="user")
        split(10, how, {"user": np.arange(10) % 2})


# ---------------------------------------------------------------- a column


def test_a_column_says_the_parts() -> None:
    texts = np.array(["test", "train", "val", "train", "validation", "valid", "train"], object)
    for how in (Split(column="part"), Split(column="data.part")):
        parts = split(7, how, {"part": texts, "data.part": texts})
        assert rows(parts) == [[1, 3, 6], [2, 4, 5], [0]]
    assert rows(split(2, Split(column="part"), {"part": np.array(["train", "test"])})) == [[0], [], [1]]
    assert described(parts, how, {}, shuffle=True) == "split by column `data.part`: train 3, valid 3, test 1"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["train", "trian", "test"], 'example 1 has "trian", which is not a part'),
        (["train", "", "test"], "example 1 has no value"),
        (["test", "valid"], "no example has `train`"),
        ([0, 1, 2], "it has numbers"),
        ([["train"], ["test"]], "need a value each"),
    ],
)
def test_a_column_that_says_something_else(values: list[Any], says: str) -> None:
    array = np.array(values, object if isinstance(values[0], str) else None)
    with pytest.raises(SpecError, match=says):
        split(len(values), Split(column="part"), {"part": array})


@pytest.mark.parametrize("rule", ["stratify", "group"])
def test_a_value_that_is_missing_belongs_to_no_class_and_no_group(rule: str) -> None:
    for values in (np.array([1.0, 2.0, np.nan, 1.0]), np.array(["a", "b", "", "a"], object)):
        how = Split(**{"train": 0.5, "test": 0.5, rule: "v"})  # type: ignore[arg-type]
        with pytest.raises(SpecError, match=f"cannot {rule} by `v`: example 2 has no value"):
            split(4, how, {"v": values})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"by": "order", "stratify": "y"}, "`stratify` and `by: order` exclude each other"),
        ({"by": "order", "group": "y"}, "`group` and `by: order` exclude each other"),
        ({"column": "y", "by": "random"}, "`column` and `by: random` exclude each other"),
        ({"stratify": "y", "group": "z"}, "`stratify` and `group` exclude each other"),
        ({"column": "y", "group": "z"}, "`group` and `column` exclude each other"),
        ({"column": "y", "train": 0.8, "test": 0.2}, "so `train` is not given"),
        ({"column": "y", "test": 20}, "so `test` is not given"),
        ({"by": "time"}, "should be 'order' or 'random'"),
        ({"fold": [3, 2]}, "as in"),
        ({"fold": [1, 1]}, "as in"),
    ],
)
def test_rules_that_contradict_each_other(values: dict[str, Any], says: str) -> None:
    report = Report()
    TrainSettings().changed({f"split.{name}": value for name, value in values.items()}, report)
    (found,) = report.diagnostics
    assert found.code == "AX0702" and says in found.headline


# ---------------------------------------------------------------- folds

RULES: dict[str, dict[str, Any]] = {
    "random": {},
    "order": {"by": "order"},
    "stratify": {"stratify": "y"},
    "group": {"group": "user"},
}


@pytest.mark.parametrize("rule", RULES)
@given(count=st.integers(60, 150), folds=st.integers(2, 6), seed=st.integers(0, 50), tested=st.booleans())
@settings(max_examples=15, deadline=None)
def test_folds_validate_every_example_that_is_not_tested_once(
    rule: str, count: int, folds: int, seed: int, tested: bool
) -> None:
    fields = {"y": np.arange(count) % 3, "user": np.arange(count) // 3}
    sizes = {"train": 0.6, "valid": 0.15, "test": 0.25} if tested else {}
    whole = Split(**sizes, seed=seed, **RULES[rule])
    parts = [split(count, whole.model_copy(update={"fold": (number, folds)}), fields) for number in range(1, folds + 1)]
    test = split(count, whole, fields).test
    for one in parts:
        assert everything(one) == list(range(count))
        assert sorted(one.test.tolist()) == sorted(test.tolist())
        assert abs(len(one.valid) - (count - len(test)) / folds) <= (3 if rule in ("group", "stratify") else 1)
        if rule == "group":
            users = [set(fields["user"][one.of(name)].tolist()) for name in PARTS]
            assert not users[0] & users[1] and not users[1] & users[2]
        if rule == "order":
            assert np.all(np.diff(one.valid) == 1)
        if rule == "stratify":
            assert np.ptp(np.bincount(fields["y"][one.valid])) <= 2
    validated = np.concatenate([one.valid for one in parts])
    assert sorted(validated.tolist()) == sorted(set(range(count)) - set(test.tolist()))


def test_folds_that_cannot_be_made() -> None:
    fields = {"y": np.array([0, 0, 0, 0, 0, 0, 1, 1]), "user": np.arange(8) // 4}
    for how, says in (
        (Split(fold=(1, 9)), "8 examples cannot be cut into 9 folds"),
        (Split(fold=(1, 3), stratify="y"), "1 has 2 of the examples, and there are 3 folds"),
        (Split(fold=(1, 3), group="user"), "2 groups, and 3 folds"),
    ):
        with pytest.raises(SpecError, match=says):
            split(8, how, fields)


# ---------------------------------------------------------------- in a training

LAST = """model Last():
    input x: [B]
    param p: [] = 0
    output seen: [] = p
    loss   objective = sum((p - x) ** 2)
    metric oldest = min(x)
    metric newest = max(x)

train:
    data = csv("t.csv")
    feed x = data.t / 100
    batch_size = 1
    shuffle = false
    epochs = 2
    minimize objective with sgd(lr=0.5)
"""
"""A step of this size leaves the parameter at the example that was seen last."""


class Notes(Observer):
    """What people are told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def opening(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    part = ["train"] * 25 + ["test"] * 5
    lines = [f"{n},u{n // 3},{part[n % 30]}" for n in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["t,user,part", *lines]) + "\n")
    return tmp_path


def trained(folder: Path, split: str = "", **changes: Any) -> tuple[Run, list[str]]:
    notes = Notes()
    (folder / "last.arch").write_text(LAST.replace("    epochs", f"    {split}\n    epochs" if split else "    epochs"))
    out = folder / f"run{len(list(folder.iterdir()))}"
    return archonnx.train(folder / "last.arch", out, device="cpu", observer=notes, settings=changes), notes.lines


def test_the_last_step_sees_the_last_row_of_the_file(folder: Path) -> None:
    run, notes = trained(folder)
    assert run.parameters["p"] == np.float32(0.59) and not notes
    run, notes = trained(folder, "split = {train: 0.5, valid: 0.25, test: 0.25}")
    assert run.parameters["p"] == np.float32(0.29)
    assert notes == ["split by order, since `shuffle = false`: train 30, valid 15, test 15"]
    assert [run.rows(part).tolist() for part in PARTS] == [[*range(30)], [*range(30, 45)], [*range(45, 60)]]
    run, notes = trained(folder, "split = {train: 0.5, test: 0.5}", **{"split.by": "order", "shuffle": True})
    assert run.rows("train").tolist() == [*range(30)] and notes == ["split by order: train 30, test 30"]


@pytest.mark.parametrize("column", ["column: data.part", "column: part", 'column: "part"'])
def test_a_column_of_the_file_says_the_parts(folder: Path, column: str) -> None:
    run, _ = trained(folder, f"split = {{{column}}}")
    assert run.rows("test").tolist() == [n for n in range(60) if n % 30 >= 25] and not len(run.rows("valid"))
    assert run.parameters["p"] == np.float32(0.54)  # the last of those that train


def test_a_row_that_says_no_part_is_told_by_its_line(folder: Path) -> None:
    text = (folder / "t.csv").read_text().replace("7,u2,train\n", "7,u2,trian\n", 1)
    (folder / "t.csv").write_text(text)
    with pytest.raises(SpecError, match=r'(?s)line 9 of t\.csv has "trian".*did you mean `train`'):
        trained(folder, "split = {column: data.part}")


@pytest.mark.parametrize("group", ["data.user", "user"])
def test_rows_of_a_user_are_in_one_part(folder: Path, group: str) -> None:
    run, (note,) = trained(folder, f"split = {{train: 0.6, valid: 0.2, test: 0.2, group: {group}}}")
    users = [set((run.rows(part) // 3).tolist()) for part in PARTS]
    assert [len(group) for group in users] == [12, 4, 4] and len(set.union(*users)) == 20
    assert note == f"split by group `{group}`: train 36 (12 groups), valid 12 (4 groups), test 12 (4 groups)"


def test_a_run_keeps_its_rows(folder: Path) -> None:
    """They are measured again as they are, whatever the rule would give today; a run without them draws them again."""
    run, _ = trained(folder, "split = {train: 0.5, test: 0.5, by: random}")
    before, kept = run.evaluate("test"), run.rows("test")
    assert before == run.metrics["test"] and kept.dtype == np.int64
    np.savez(run.path / "rows.npz", train=np.arange(10), valid=np.arange(0), test=np.array([20, 30]))
    reseal(run.path)
    assert Run(run.path).evaluate("test")["oldest"] == pytest.approx(0.2)
    (run.path / "rows.npz").unlink()
    reseal(run.path)
    assert Run(run.path).evaluate("test") == before and Run(run.path).rows("test").tolist() == kept.tolist()
    with pytest.raises(SpecError, match="there is no part `tset`"):
        Run(run.path).rows("tset")  # type: ignore[arg-type]


def test_a_run_of_before_there_were_rules_was_drawn(folder: Path) -> None:
    """Such a run keeps no rows, and `shuffle = false` said nothing of its parts then."""
    run, _ = trained(folder, "split = {train: 0.5, test: 0.5, by: random}")
    kept = run.rows("test").tolist()
    (run.path / "rows.npz").unlink()

    def before(record: dict[str, Any]) -> None:
        record["path"] = str(folder / "last.arch")
        for rule in ("by", "group", "column", "fold"):
            del record["settings"]["split"][rule]

    as_before_checksums(run.path, before)
    assert not run.settings.shuffle and Run(run.path).rows("test").tolist() == kept


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None])
def test_rows_that_are_damaged_are_told(folder: Path, content: bytes | None) -> None:
    run, _ = trained(folder, "split = {train: 0.5, test: 0.5}")
    file = run.path / "rows.npz"
    if content is None:
        np.savez(file, train=np.arange(3.0), valid=np.arange(3), test=np.arange(3))
    else:
        file.write_bytes(content)
    with pytest.raises(SpecError, match=r"rows\.npz is damaged"):
        Run(run.path).evaluate("test")


def test_rows_that_the_data_no_longer_has(folder: Path) -> None:
    """Nobody measures other rows by accident, and nobody can ask for rows that are not there."""
    run, _ = trained(folder, "split = {train: 0.5, test: 0.5}")
    lines = (folder / "t.csv").read_text().splitlines()
    (folder / "t.csv").write_text("\n".join(lines[:41]) + "\n")
    with pytest.raises(SpecError, match=r"(?s)AX0632.*40 rows, and there were 60"):
        Run(run.path).evaluate("test")
    gone = "AX0606.*the data has 40 examples, and the parts that were kept go up to example 59"
    with pytest.raises(SpecError, match=f"(?s){gone}"):
        Run(run.path).measure("test", changed_data=True)
