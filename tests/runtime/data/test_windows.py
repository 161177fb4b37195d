"""Windows of a series: each is a stretch of rows and what comes after it, and none reaches where it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archonnx
from archonnx.cli.checking import check_specs
from archonnx.compiler.program import DataSource
from archonnx.compiler.settings import Split
from archonnx.compiler.sources import WindowsSource, source_arguments
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.arrays import from_arrays
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.loaders.windows import windows
from archonnx.runtime.data.parts import PARTS, split
from archonnx.runtime.data.sharing_out import share_out
from archonnx.runtime.data.sources import load_source
from archonnx.runtime.training.observing import Observer
from tests.support.programs import WHOLE


def arguments_of(length: int, rows: Any = None, **arguments: Any) -> dict[str, Any]:
    report = Report()
    rows = rows or {"kind": "csv", "arguments": {"path": "t.csv", "target": None}}
    found = source_arguments("windows", [rows, length], arguments, WHOLE, report)
    report.finish()
    assert found is not None
    return found


def load(
    folder: Path, text: str, length: int, *, target: str | None = None, how: Any = None, **arguments: Any
) -> Loaded:
    (folder / "t.csv").write_text(text)
    rows = {"kind": "csv", "arguments": {"path": "t.csv", "target": target}}
    source = DataSource("data", "windows", arguments_of(length, rows, **arguments), WHOLE)
    return load_source(source, folder, **(how or {}))


def refused(folder: Path, text: str, length: int, **arguments: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load(folder, text, length, **arguments)
    return "\n".join(f"{d.headline}\n{d.help or ''}" for d in caught.value.diagnostics)


def days(*numbers: int, value: str = "1") -> str:
    return "day,v\n" + "".join(f"2024-01-{number:02d},{value}\n" for number in numbers)


# ---------------------------------------------------------------- what a window holds


@given(
    rows=st.integers(1, 30),
    length=st.integers(1, 8),
    horizon=st.integers(0, 4),
    stride=st.integers(1, 5),
    targets=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_a_window_is_a_stretch_and_what_comes_after_it(
    rows: int, length: int, horizon: int, stride: int, targets: bool
) -> None:
    series = from_arrays({"x": np.arange(rows), "name": [f"r{i}" for i in range(rows)]})
    how = WindowsSource(**arguments_of(length, horizon=horizon, stride=stride))
    after = horizon if targets else 0
    starts = [at for at in range(0, rows, stride) if at + length + after <= rows]
    if not starts:
        with pytest.raises(SpecError, match=f"and there are {rows} in a row"):
            windows(series, how, targets=targets)
        return
    found = windows(series, how, targets=targets).fields
    assert found["x"].tolist() == [list(range(at, at + length)) for at in starts]
    assert found["name"].tolist() == [f"r{at + length - 1}" for at in starts]
    if after:
        assert found["x_next"].tolist() == [list(range(at + length, at + length + after)) for at in starts]
        np.testing.assert_array_equal(found["data_next"][..., 0], found["x_next"])
    assert ("x_next" in found) == ("data_next" in found) == bool(after)
    np.testing.assert_array_equal(found["data"][..., 0], found["x"])


def test_columns_of_a_table_move_together(tmp_path: Path) -> None:
    text = "co2,day,wind,site\n" + "".join(f"{i},2024-01-{i:02d},{i / 2},s{i}\n" for i in range(1, 8))
    loaded = load(tmp_path, text, 3, horizon=2, time="day", target="co2")
    assert loaded.columns_of["data"] == ("co2", "wind")
    assert loaded.fields["data"].shape == (3, 3, 2) and loaded.fields["data_next"].shape == (3, 2, 2)
    np.testing.assert_array_equal(loaded.fields["data"][1], [[2, 1], [3, 1.5], [4, 2]])
    np.testing.assert_array_equal(loaded.fields["target"], [[4, 5], [5, 6], [6, 7]])
    assert loaded.fields["site"].tolist() == ["s3", "s4", "s5"]
    assert loaded.fields["day"].astype(str).tolist()[0] == "2024-01-03T00:00:00"
    assert loaded.lines is not None and loaded.lines.tolist() == [4, 5, 6]
    assert loaded.fields["index"].tolist() == [0, 1, 2] and loaded.where == "t.csv"
    assert loaded.kinds.items() >= {"co2": "int", "day": "date", "wind": "float", "site": "text"}.items()
    assert loaded.target == "co2_next"


def test_the_end_of_a_series_is_foretold_from_the_users_own_file(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "new.csv").write_text("wind,co2\n1,5\n2,6\n3,7\n")
    how = {"given": tmp_path / "new.csv", "targets": False, "kinds": {"co2": "float", "wind": "int"}}
    loaded = load(tmp_path / "spec", "co2,wind\n1.5,2\n", 2, target="co2", how=how)
    np.testing.assert_array_equal(loaded.fields["co2"], [[5, 6], [6, 7]])
    assert loaded.kinds == {"wind": "int", "co2": "float", "data": "float"} and loaded.where == "new.csv"
    assert not {"target", "co2_next", "data_next"} & loaded.fields.keys()


def test_the_matrix_has_the_columns_of_the_training_in_their_order(tmp_path: Path) -> None:
    first = load(tmp_path, "a,b\n1,2\n3,4\n", 1, target=None)
    assert first.settled == {"columns": ["a", "b"]}
    how = {"settled": first.settled}
    again = load(tmp_path, "c,b,a\n9,2,1\n9,4,3\n", 1, how=how)
    np.testing.assert_array_equal(again.fields["data"], first.fields["data"])
    less = load(tmp_path, "c,b\n9,2\n9,4\n", 1, how=how)
    assert "data" not in less.fields and "`a` is one of them, which is not there" in less.problems["data"].headline
    odd = load(tmp_path, "b,a\n9,2\n9,x\n7,1\n", 1, how=how)
    assert odd.problems["data"] is odd.problems["a"]


# ---------------------------------------------------------------- where no window reaches


@pytest.mark.parametrize(
    ("times", "step"),
    [
        ([f"2024-{month:02d}-01" for month in range(1, 7)], "1 month"),
        ([f"{year}-02-28" for year in range(2019, 2025)], "12 months"),
        (["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"], "1 month"),
        ([f"2024-03-31T{hour:02d}:00" for hour in range(6)], "1 hour"),
        ([f"2024-03-{day:02d}" for day in range(1, 13, 2)], "2 days"),
        ([str(2 * n) for n in range(6)], "2"),
        ([str(n / 10) for n in range(1, 7)], "0.1"),
    ],
)
def test_times_of_one_step(times: list[str], step: str, tmp_path: Path) -> None:
    text = "t,v\n" + "".join(f"{time},1\n" for time in times)
    assert len(load(tmp_path, text, 3, time="t").fields["v"]) == 3
    gap = "t,v\n" + "".join(f"{time},1\n" for time in times[:3] + times[4:])
    said = refused(tmp_path, gap, 2, time="t")
    assert "t.csv:5: `t` is" in said and f"where the usual step is {step}\n" in said and "gaps=split" in said


def test_a_gap_ends_a_stretch_where_that_is_asked_for(tmp_path: Path) -> None:
    text = days(1, 2, 3, 4, 6, 8, 9, 10)
    loaded = load(tmp_path, text, 2, time="day", gaps="split")
    assert [day[-2:] for day in loaded.fields["day"].astype("M8[D]").astype(str)] == ["02", "03", "09"]
    assert loaded.notes[-1].endswith("1 stretches of 1 rows in all are shorter than a window and left out")
    assert "a window takes 4 + 1 rows, and there are 4 in a row" in refused(tmp_path, text, 4, time="day", gaps="split")


def test_rows_are_in_the_order_of_time(tmp_path: Path) -> None:
    for gaps in ("refuse", "split"):
        said = refused(tmp_path, days(1, 3, 2, 4), 1, time="day", gaps=gaps)
        assert "t.csv:4: `day` is 2024-01-02 after 2024-01-03, and rows are in the order of time" in said
    assert "`day` is 2024-01-01 after 2024-01-01" in refused(tmp_path, days(1, 1), 1, time="day")
    assert "t.csv:3: `day` has no value" in refused(tmp_path, "day,v\n2024-01-01,1\n,2\n", 1, time="day")


def test_series_in_one_file_are_told_apart(tmp_path: Path) -> None:
    text = "day,site,v\n" + "".join(
        f"2024-01-{d:02d},{s},{10 * i + d}\n" for d in range(1, 5) for i, s in enumerate("ba")
    )
    assert "`by=COLUMN` tells several series apart" in refused(tmp_path, text, 2, time="day")
    loaded = load(tmp_path, text, 2, time="day", by="site")
    assert loaded.fields["v"].tolist() == [[1, 2], [2, 3], [11, 12], [12, 13]]
    assert loaded.fields["v_next"].tolist() == [[3], [4], [13], [14]]
    assert loaded.fields["site"].tolist() == ["b", "b", "a", "a"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("v\n1\n2\n", {"length": 2}, "a window takes 2 + 1 rows, and there are 2 in a row"),
        ("v,v_next\n1,1\n2,2\n3,3\n", {"length": 1}, "`v_next` is a column, and what comes after the windows of `v`"),
        ("day,v\n1,2\n", {"length": 1, "time": "dya"}, "did you mean `day`"),
        ("day,v\n1,2\n", {"length": 1, "by": "site"}, "`by` names `site`, which is not a column of t.csv"),
        ("day,v\nMon,2\nTue,3\n", {"length": 1, "time": "day"}, "`day` holds text values"),
        ("day,v\nMon,2\n7,3\n", {"length": 1, "time": "day"}, "`day` holds numbers"),
    ],
)
def test_series_that_have_no_windows(text: str, arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    assert says in refused(tmp_path, text, **arguments)


def test_windows_that_would_be_absurdly_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archonnx.runtime.data.loaders.windows.MAX_VALUES", 100)
    text = "v\n" + "1\n" * 20
    assert "a larger `stride` makes fewer of them" in refused(tmp_path, text, 5)
    assert len(load(tmp_path, text, 5, stride=3).fields["v"]) == 5


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('windows(csv("t.csv"))', "say how many rows a window has: `length=24`, or `context=128`"),
        ('windows(csv("t.csv"), length=0)', "`length`"),
        ('windows("t.csv", length=2)', 'a source is needed, as in `windows(csv("co2.csv"), length=24)`'),
        ('windows(cvs("t.csv"), length=2)', "there is no data source `cvs`"),
        ('windows(csv("t.csv", delim=";"), length=2)', "there is no setting `delim`"),
        ('windows(csv("t.csv"), length=2, gaps=skip)', "`gaps`"),
        ('csv(csv("t.csv"))', "`path`"),
    ],
)
def test_a_source_over_a_source_is_checked_with_the_spec(source: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_text(SPEC.replace("SOURCE", source))
    with pytest.raises(SpecError) as caught:
        archonnx.compile(tmp_path / "m.arch")
    assert says in "\n".join(f"{d.headline} {d.help}" for d in caught.value.diagnostics)
    assert all(d.code != "AX0201" for d in caught.value.diagnostics)


SPEC = """
fn line(n: int) -> (v: [n]):
    return float(arange(n)) / n

model Next():
    input  past: [B, 3]
    target next: [B]
    param w: [3] = 0
    guess = past @ w
    output foretold: [B] = guess
    loss   l = mse(guess, next)

train:
    data = SOURCE
    feed past = data.v
    feed next = data.v_next[:, 0]
    epochs = 1
    batch_size = all
    minimize l with sgd(lr=0.3)
"""


@pytest.mark.parametrize(
    ("source", "stride"),
    [("windows(generate(line, n=20), length=3)", 1), ('windows(csv("t.csv"), 3, time=t, stride=2)', 2)],
)
def test_a_model_is_trained_on_windows(source: str, stride: int, tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_text(SPEC.replace("SOURCE", source))
    (tmp_path / "t.csv").write_text("t,v\n" + "".join(f"{t},{t / 20}\n" for t in range(20)))
    run = archonnx.train(tmp_path / "m.arch", tmp_path / "run", device="cpu")
    series = np.arange(20) / 20
    past = np.lib.stride_tricks.sliding_window_view(series, 3)[:17:stride]
    step = 0.3 * 2 * (past * series[3::stride, None]).mean(axis=0)  # the first one, from 0
    np.testing.assert_allclose(next(iter(run.parameters.values())), step, rtol=1e-5)


def test_a_run_foretells_what_comes_after_the_end(tmp_path: Path) -> None:
    (tmp_path / "m.arch").write_text(SPEC.replace("SOURCE", 'windows(csv("t.csv"), 3, time=t)'))
    (tmp_path / "t.csv").write_text("t,v\n" + "".join(f"{t},{t / 20}\n" for t in range(20)))
    run = archonnx.train(tmp_path / "m.arch", tmp_path / "run", device="cpu")
    (tmp_path / "new.csv").write_text("v,t\n" + "".join(f"{t / 20},{t}\n" for t in range(7, 12)))
    rows = {"t": list(range(7, 12)), "v": [t / 20 for t in range(7, 12)]}
    w = next(iter(run.parameters.values()))
    past = np.array([[7, 8, 9], [8, 9, 10], [9, 10, 11]]) / 20
    for new in (tmp_path / "new.csv", rows):
        np.testing.assert_allclose(run.predict(new)["foretold"], past @ w, rtol=1e-5)
    measured = run.measure(data=tmp_path / "new.csv")
    assert measured.figures["l"] == pytest.approx(np.mean((past[:2] @ w - [0.5, 0.55]) ** 2), rel=1e-4)


# ---------------------------------------------------------------- parts of windows


def rows_of(loaded: Loaded, part: Any) -> set[int]:
    """The rows of the series that the windows of a part are made of, where the series is its own row numbers."""
    both = (loaded.fields["v"][part], loaded.fields.get("v_next", np.zeros((len(loaded.fields["v"]), 0)))[part])
    return {int(row) for windows_of in both for row in windows_of.ravel()}


@given(
    rows=st.integers(10, 60),
    length=st.integers(1, 5),
    horizon=st.integers(0, 3),
    stride=st.integers(1, 4),
    series=st.integers(1, 3),
    fold=st.none() | st.integers(1, 3),
)
@settings(max_examples=80, deadline=None)
def test_by_order_no_part_has_rows_of_a_later_one(
    rows: int, length: int, horizon: int, stride: int, series: int, fold: int | None
) -> None:
    table = from_arrays({"v": np.arange(rows, dtype=np.int64), "who": np.arange(rows) % series})
    how = WindowsSource.model_validate(arguments_of(length, horizon=horizon, stride=stride, by="who"))
    how_split = Split(train=0.5, valid=0.25, test=0.25, by="order", fold=None if fold is None else (fold, 3))
    try:
        loaded = windows(table, how)
        count = len(loaded.fields["v"])
        parts, note = share_out(count, how_split, loaded, {})
    except SpecError as error:
        assert {d.code for d in error.diagnostics} <= {"AX0604", "AX0606"}
        return
    held = {name: rows_of(loaded, parts.of(name)) for name in PARTS}
    assert not held["train"] & (held["valid"] | held["test"]) and not held["valid"] & held["test"]
    whole = split(count, how_split, loaded.fields, moments=loaded.moments)
    for place, name in enumerate(PARTS):  # nothing is left out for another reason
        later = rows_of(loaded, np.concatenate([np.arange(0), *(whole.of(after) for after in PARTS[place + 1 :])]))
        kept = [n for n in whole.of(name).tolist() if not later & rows_of(loaded, [n])]
        assert parts.of(name).tolist() == kept
    left = count - sum(len(parts.of(name)) for name in PARTS)
    assert note is not None and (f"{left} example" in note) == bool(left)


def test_parts_by_order_have_a_gap_of_one_window_less_a_row(tmp_path: Path) -> None:
    loaded = load(tmp_path, "v\n" + "\n".join(map(str, range(43))), 3)
    parts, note = share_out(40, Split(train=20, valid=10, test=10, by="order"), loaded, {})
    assert parts.train.tolist() == [*range(17)] and parts.valid.tolist() == [*range(20, 27)]
    assert note == "split by order: train 17, valid 7, test 10; 6 examples left out, with rows of a later part"
    with pytest.raises(SpecError, match="the train part is empty: each of its 3 examples has rows of a later part"):
        share_out(40, Split(train=3, test=37, by="order"), loaded, {})
    apart = load(tmp_path, "v\n" + "\n".join(map(str, range(43))), 3, stride=4)
    parts, note = share_out(10, Split(train=0.5, test=0.5, by="order"), apart, {})
    assert len(parts.train) == 5 and note == "split by order: train 5, test 5"


@pytest.mark.parametrize("time", ["day", None])
@pytest.mark.parametrize("interleaved", [True, False])
def test_by_order_several_series_are_shared_out_by_time(time: str | None, interleaved: bool, tmp_path: Path) -> None:
    """However they stand in the file; without a time it is the order of the file, and people are told what that does."""
    lines = [(day, site, f"2024-01-{day:02d},{site},{day}\n") for site in "ba" for day in range(1, 21)]
    text = "day,site,v\n" + "".join(line for *_, line in (sorted(lines) if interleaved else lines))
    loaded = load(tmp_path, text, 2, by="site", **({"time": time} if time else {}))
    parts, note = share_out(36, Split(train=0.5, test=0.5, by="order"), loaded, {})
    last = {name: loaded.fields["v_next"][parts.of(name), 0] for name in ("train", "test")}
    by_time = time is not None or interleaved
    assert bool(last["train"].max() < last["test"].min()) is by_time
    assert {*loaded.fields["site"][parts.test].tolist()} == ({"a", "b"} if by_time else {"a"})
    assert note is not None and ("the series stand one after the other" in note) is not by_time
    if by_time:
        folded, _ = share_out(36, Split(train=0.5, test=0.5, by="order", fold=(2, 2)), loaded, {})
        assert loaded.fields["v"][folded.train].max() < loaded.fields["v"][folded.valid].min()


def test_windows_of_windows_share_the_rows_of_those(tmp_path: Path) -> None:
    series = from_arrays({"v": np.arange(20.0)})
    inner = windows(series, WindowsSource.model_validate(arguments_of(3, horizon=0)))
    outer = windows(inner, WindowsSource.model_validate(arguments_of(4, horizon=0, stride=2)))
    assert outer.spans is not None
    values = outer.fields["v"].reshape(len(outer.fields["v"]), -1)
    np.testing.assert_array_equal(outer.spans, np.stack([values.min(axis=1), values.max(axis=1) + 1], axis=1))


@pytest.mark.parametrize("rule", ["", ", stratify: data.high", ", group: data.day", ", column: data.part"])
def test_people_are_told_of_windows_that_overlap(rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else shares windows out; the number is that of the windows of which a row is in the test part."""
    parts = ["train"] * 25 + ["test"] * 15
    lines = [f"{n},{n // 20},d{n // 2},{part}" for n, part in enumerate(parts)]
    (tmp_path / "t.csv").write_text("\n".join(["v,high,day,part", *lines]) + "\n")
    sizes = "" if "column" in rule else "train: 0.8, test: 0.2"
    text = SPEC.replace("SOURCE", 'windows(csv("t.csv", kinds={high: text}), length=3)')
    (tmp_path / "m.arch").write_text(
        text.replace("    epochs", f"    split = {{{(sizes + rule).strip(', ')}}}\n    epochs")
    )
    notes: list[str] = []

    class Notes(Observer):
        def opening(self, line: str) -> None:
            notes.append(line)

    run = archonnx.train(tmp_path / "m.arch", tmp_path / "run", device="cpu", observer=Notes())
    taken = {row for n in run.rows("test").tolist() for row in range(n, n + 4)}
    shared = sum(bool(taken & {*range(n, n + 4)}) for n in run.rows("train").tolist())
    said = f"{shared} of the {len(run.rows('train'))} examples of the train part have rows of the test part"
    assert shared and any(f"windows overlap: {said}" in note for note in notes)
    notes.clear()
    assert check_specs([str(tmp_path / "m.arch")], {}, data=True) and said in capsys.readouterr().out
