"""What models take for indices, read off their graphs: which fields, how many places, and what is no longer certain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archonnx.compiler.pipeline import SPECS
from archonnx.compiler.ranges import field_ranges, model_ranges
from tests.support.elaborated import model, program

INPUTS = "x: [B, 4]; k: i64[B]; t: i64[B, T]; p: i64[B, 3]"
USES = {
    "Embedding": ("k |> Embedding(6, 2)", {"k": "6"}),
    "gather along an axis": ("gather(x, k, axis=1)", {"k": "4"}),
    "an index": ("x[:, k]", {"k": "4"}),
    "take_along_axis": ("take_along_axis(x, p, axis=1)", {"p": "4"}),
    "one_hot": ("one_hot(k, 9)", {"k": "9"}),
    "scatter_add": ("scatter_add(zeros([8]), k, x[:, 0])", {"k": "8"}),
    "a loss": ("nll(x, k)", {"k": "4"}),
    "a metric": ("accuracy(x, k)", {"k": "4"}),
    "rows of another field": ("x[p]", {"p": "B"}),
    "reshaped": ("reshape(t, [B * T]) |> Embedding(5, 1)", {"t": "5"}),
    "transposed, and a new axis": ("transpose(t)[none] |> Embedding(5, 1)", {"t": "5"}),
    "cast": ("i64(i32(k)) |> Embedding(5, 1)", {"k": "5"}),
    "put together": ("concat([k[:, none], t], axis=1) |> Embedding(5, 1)", {"k": "5", "t": "5"}),
    "stacked": ("stack([k, k], axis=1) |> Embedding(5, 1)", {"k": "5"}),
    "padded": ("pad(t, [[0, 0], [1, 0]]) |> Embedding(5, 1)", {"t": "5"}),
    "reversed": ("flip(t, axis=1) |> Embedding(5, 1)", {"t": "5"}),
    "two uses": ("(k |> Embedding(7, 1)) + (k |> Embedding(5, 1))", {"k": "5 7"}),
    "through a block": ("k |> [Embedding(7, 3), Dense(2)]", {"k": "7"}),
}
NONE = {
    "what is not negative": "max(k, 0) |> Embedding(5, 1)",
    "what is chosen": "where(k >= 0, k, 0) |> Embedding(5, 1)",
    "arithmetic": "(k - 1) |> Embedding(5, 1)",
    "a remainder": "(k % 5) |> Embedding(5, 1)",
    "floats between": "i64(float(k)) |> Embedding(5, 1)",
    "a part of what was put together": "concat([k[:, none], t], axis=1)[:, 1:3] |> Embedding(5, 1)",
    "no index": "float(k)",
    "a masked loss": "where(k >= 0, cross_entropy(x, k, reduce=none), 0.0)",
    "a masked loss, weighted": "mean(where(k >= 0, 2 * nll(x, k, reduce=none) + 1, 0.0))",
}


def ranges_of(expression: str) -> dict[str, str]:
    of = program(model(f"assert T >= 3\noutput y = {expression}", INPUTS))
    found: dict[str, list[str]] = {}
    for r in model_ranges(of):
        assert r.span is not None and r.span.source.name == "spec.arch"
        found.setdefault(r.field, []).append(str(r.count))
    return {name: " ".join(sorted(counts)) for name, counts in found.items()}


@pytest.mark.parametrize("use", USES)
def test_a_field_that_flows_into_an_index_has_as_many_numbers_as_there_are_places(use: str) -> None:
    expression, expected = USES[use]
    assert ranges_of(expression) == expected


@pytest.mark.parametrize("use", NONE)
def test_of_what_is_computed_or_masked_nothing_is_said(use: str) -> None:
    assert ranges_of(NONE[use]) == {}


def test_a_masked_loss_does_not_excuse_another_use() -> None:
    assert ranges_of("mean(where(k >= 0, nll(x, k, reduce=none), 0.0)) + nll(x, k)") == {"k": "4"}


def test_columns_have_ranges_of_their_own() -> None:
    of = program(model("output y = (p[:, 0] |> Embedding(5, 1)) + (p[:, 2] |> Embedding(9, 1))", INPUTS))
    found = {str(r.count): r.selection for r in model_ranges(of)}
    assert found.keys() == {"5", "9"} and all(selection is not None for selection in found.values())
    of = program(
        model("a, b, c = split(p, 3, axis=1)\noutput y = (b |> Embedding(5, 1)) + float(a * c)[..., none]", INPUTS)
    )
    assert [str(r.count) for r in model_ranges(of)] == ["5"]


def labelled() -> list[tuple[str, list[str]]]:
    """The fns of the library that take labels of classes, and their tensors in order."""
    found = []
    for path in sorted(Path(SPECS / "std").glob("*.arch")):
        for name, parameters in re.findall(r"^fn (\w+)\(([^)]*(?:\[[^)]*)?)\)", path.read_text(), re.MULTILINE):
            names = [p.partition(":")[0].strip() for p in re.split(r",\s*(?![^\[]*\])", parameters)]
            if "label" in names and "classes" not in names:  # others are told
                found.append((name, names))
    return found


def test_there_are_such_fns() -> None:
    assert {"cross_entropy", "nll", "multiclass_focal", "multiclass_hinge", "of_class", "accuracy"} <= {
        name for name, _ in labelled()
    }


@pytest.mark.parametrize(("name", "names"), labelled(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_fn_of_the_library_that_takes_labels_says_how_many_classes_there_are(name: str, names: list[str]) -> None:
    given = ", ".join("k" if parameter == "label" else "x" for parameter in names[: names.index("label") + 1])
    assert ranges_of(f"{name}({given})") == {"k": "4"}


def test_gradients_take_what_the_loss_takes() -> None:
    of = program(
        model("loss l = nll(x |> Dense(5), k)", "x: [B, 4]; k: i64[B]", after="train:\n    minimize l with sgd()\n")
    )
    (step,) = of.programs[0].steps or ()
    assert [(r.field, str(r.count)) for r in field_ranges(step.graph, step.fields)] == [("k", "5")]
