"""Sources, splits and batches: what is loaded, how it is shared out, and what is said of bad files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.program import DataSource
from archonnx.compiler.settings import Split
from archonnx.compiler.sources import BUNDLED
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.parts import split
from archonnx.runtime.data.sources import load_source
from tests.support.feeding import usable
from tests.support.programs import WHOLE, examples, linear_regression


def load(kind: str, base: Path, **arguments: Any) -> dict[str, Any]:
    return usable(load_source(DataSource("data", kind, arguments, WHOLE), base))


def refused(code: str, kind: str, base: Path, **arguments: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load(kind, base, **arguments)
    assert {d.code for d in caught.value.diagnostics} == {code}
    assert all(d.span is WHOLE for d in caught.value.diagnostics)
    return "\n".join(f"{d.headline}\n{d.help or ''}" for d in caught.value.diagnostics)


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize("name", BUNDLED)
def test_data_sets_that_scikit_learn_bundles(name: str, tmp_path: Path) -> None:
    fields = load("sklearn", tmp_path, name=name)
    assert fields["data"].ndim == 2 and len(fields["target"]) == len(fields["data"]) == len(fields["index"])
    assert fields["target"].dtype == (np.float64 if name == "diabetes" else np.int64)


def test_other_data_sets_would_be_downloads(tmp_path: Path) -> None:
    assert "did you mean `digits`" in refused("AX0602", "sklearn", tmp_path, name="digit")
    assert "bundled: breast_cancer" in refused("AX0602", "sklearn", tmp_path, name="mnist")


def test_npz_files_of_plain_arrays(tmp_path: Path) -> None:
    data = examples(6)
    np.savez(tmp_path / "a.npz", x=data["x"], y=data["y"])
    loaded = load("npz", tmp_path, path="a.npz")
    np.testing.assert_array_equal(loaded["x"], data["x"])
    assert loaded["index"].tolist() == list(range(6))
    np.savez(tmp_path / "objects.npz", x=np.array([{}, {}], dtype=object))
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "uneven.npz", x=data["x"], y=data["y"][:5])
    np.savez(tmp_path / "scalar.npz", x=data["x"], y=np.float32(1))
    refused("AX0604", "npz", tmp_path, path="objects.npz")
    refused("AX0604", "npz", tmp_path, path="text.npz")
    assert "`x` has 6, `y` has 5" in refused("AX0605", "npz", tmp_path, path="uneven.npz")
    assert "`y` is a single number" in refused("AX0605", "npz", tmp_path, path="scalar.npz")


def test_files_lie_in_the_tree_of_the_spec(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    np.savez(tmp_path / "outside.npz", x=np.zeros(3))
    np.savez(tmp_path / "spec" / "moons.npz", x=np.zeros(3))
    (tmp_path / "spec" / "link.npz").symlink_to(tmp_path / "outside.npz")
    for path in ("../outside.npz", str(tmp_path / "outside.npz"), "link.npz"):
        assert "outside the folder of the spec" in refused("AX0601", "npz", tmp_path / "spec", path=path)
    assert "did you mean `moons.npz`" in refused("AX0601", "npz", tmp_path / "spec", path="moon.npz")


def test_generated_data_come_from_their_graph() -> None:
    source = linear_regression(examples(9)).programs[0].source
    assert source is not None
    np.testing.assert_array_equal(load_source(source, Path()).fields["x"], examples(9)["x"])


# ---------------------------------------------------------------- CSV


def csv(folder: Path, text: str, **arguments: Any) -> dict[str, Any]:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return load("csv", folder, path="t.csv", **arguments)


def bad_csv(folder: Path, content: str | bytes) -> str:
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return refused("AX0603", "csv", folder, path="t.csv")


def test_columns_are_fields_and_numeric_ones_make_the_matrix(tmp_path: Path) -> None:
    text = 'width,height,kind,note\n1,2.5,cat,"a, b"\n3,-4e1,dog,"c"\n\n5,6,cat,a\n'
    fields = csv(tmp_path, text, target="kind")
    assert fields["width"].dtype == np.int64 and fields["height"].dtype == np.float64
    assert fields["target"].tolist() == ["cat", "dog", "cat"] == fields["kind"].tolist()
    assert fields["note"].tolist() == ["a, b", "c", "a"]  # numbered in the order of their texts
    np.testing.assert_array_equal(fields["data"], [[1, 2.5], [3, -40], [5, 6]])
    numeric = csv(tmp_path, text, target="height")
    assert numeric["target"].tolist() == [2.5, -40, 6] and numeric["data"].tolist() == [[1], [3], [5]]
    assert csv(tmp_path, "a;b\n1;2\n", delimiter=";")["b"].tolist() == [2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "t.csv is empty"),
        ("a,b\n", "a header and no rows"),
        ("a,b\n1,2\n3\n4,5,6\n", "t.csv:3: 1 cell where the header names 2"),
        ("a,b\n1,2\n3\n4,5,6\n", "t.csv:4: 3 cells where the header names 2"),
        ("a,a\n1,2\n", "the column `a` is there 2 times"),
        ("1.5,2\n3,4\n", "the first line seems to be a row"),
        ("a\n" + "1\n" * 20 + "l2\n", "`a` holds numbers ('1' in line 2), but 'l2' in line 22"),
        ('a,b\n1,"2\n', "t.csv:2: unexpected end of data"),
        (b"a,b\n\xff\xfe,2\n", "is not UTF-8 text"),
    ],
)
def test_bad_tables_are_told_by_their_lines(content: str | bytes, says: str, tmp_path: Path) -> None:
    assert says in bad_csv(tmp_path, content)


def test_a_target_that_is_no_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("wide,kind\n1,2\n")
    assert "did you mean `kind`" in refused("AX0604", "csv", tmp_path, path="t.csv", target="kin")


# ---------------------------------------------------------------- splits and batches


@given(count=st.integers(20, 300), shares=st.tuples(*[st.integers(1, 9)] * 3), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_fractions_share_every_example_out_once(count: int, shares: tuple[int, ...], seed: int) -> None:
    train, valid, test = (share / sum(shares) for share in shares)
    how = Split(train=train, valid=valid, test=test, seed=seed)
    parts = split(count, how, {})
    assert sorted(np.concatenate([parts.train, parts.valid, parts.test])) == list(range(count))
    for part, share in (("train", train), ("valid", valid), ("test", test)):
        assert abs(len(parts.of(part)) - share * count) <= 1  # type: ignore[arg-type]
    np.testing.assert_array_equal(parts.test, split(count, how, {}).test)


def test_counts_are_taken_as_they_are() -> None:
    parts = split(100, Split(train=50, valid=20, test=5), {})
    assert [len(parts.train), len(parts.valid), len(parts.test)] == [50, 20, 5]
    assert len({*parts.train, *parts.valid, *parts.test}) == 75
    with pytest.raises(SpecError, match="asks for 60 examples, and there are 59"):
        split(59, Split(train=50, valid=10), {})


def test_another_seed_is_another_split() -> None:
    first, second = (split(100, Split(train=0.5, valid=0.5, seed=seed), {}).train for seed in (0, 1))
    assert sorted(first) != sorted(second)


@given(sizes=st.lists(st.integers(10, 60), min_size=2, max_size=4), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_stratified_parts_keep_the_proportions(sizes: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = split(len(labels), Split(train=0.5, valid=0.25, test=0.25, seed=seed, stratify="y"), {"y": labels})
    assert sorted(np.concatenate([parts.train, parts.valid, parts.test])) == list(range(len(labels)))
    for part, share in ((parts.train, 0.5), (parts.valid, 0.25), (parts.test, 0.25)):
        counts = np.bincount(labels[part], minlength=len(sizes))
        assert np.all(np.abs(counts - share * np.array(sizes)) <= 2)


def test_splits_that_cannot_be_made() -> None:
    with pytest.raises(SpecError, match="the test part is empty"):
        split(10, Split(train=0.98, test=0.02), {})
    with pytest.raises(SpecError, match="no field `lable`"):
        split(10, Split(train=0.5, test=0.5, stratify="lable"), {"label": np.zeros(10)})
    with pytest.raises(SpecError, match="cannot stratify by `y`"):
        split(10, Split(train=0.5, test=0.5, stratify="y"), {"y": np.arange(10)})


def test_batches_take_rows_of_what_has_rows() -> None:
    types = {"x": TensorType.of("f32", "N", 2), "A": TensorType.of("f32", 3, 3), "s": TensorType.of("f32")}
    fields = {"x": np.arange(10.0).reshape(5, 2), "A": np.eye(3), "s": np.float32(2)}
    batches = list(Examples(fields, types).batches(np.array([4, 0, 2]), 2))
    assert [rows for rows, _ in batches] == [2, 1]
    assert batches[0][1]["x"].tolist() == [[8, 9], [0, 1]] and batches[1][1]["x"].tolist() == [[4, 5]]
    assert all(batch["A"].shape == (3, 3) and batch["s"] == 2 for _, batch in batches)
    ((rows, everything),) = Examples(fields, types).batches(np.arange(5), "all")
    assert rows == 5 and everything["x"].shape == (5, 2)
