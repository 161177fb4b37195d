"""Settings are checked one by one, with what is wrong told at its place in the spec."""

from __future__ import annotations

from typing import Any

import pytest

from archonnx.compiler.settings import EarlyStopping, Split, TrainSettings, read_settings
from archonnx.compiler.sources import SOURCES, source_arguments
from archonnx.grammar.diagnostics import Diagnostic, Report
from archonnx.grammar.source import Source, Span
from archonnx.grammar.yaml.reading.programs import OF_A_PROGRAM


def test_yaml_knows_which_keys_stand_below_train() -> None:
    assert set(TrainSettings.model_fields) <= set(OF_A_PROGRAM)


TEXT = Source("t.arch", "epochs = 0\nsplit = {train: 2.5}\n")
EPOCHS, SPLIT, TRAIN = Span(TEXT, 0, 10), Span(TEXT, 11, 31), Span(TEXT, 20, 30)


def findings(values: dict[str, Any], spans: dict[str, Span] | None = None) -> list[Diagnostic]:
    report = Report()
    assert (read_settings(values, spans or {}, report) is None) == report.failed
    return report.diagnostics


def test_good_settings_are_read_and_the_others_have_defaults() -> None:
    report = Report()
    read = read_settings(
        {
            "epochs": 3,
            "batch_size": "all",
            "split": {"train": 0.75, "valid": 0.25},
            "early_stopping": {"monitor": "valid.objective"},
        },
        {},
        report,
    )
    assert read == TrainSettings(
        epochs=3,
        batch_size="all",
        split=Split(train=0.75, valid=0.25),
        early_stopping=EarlyStopping(monitor="valid.objective", patience=5),
    )
    assert not report.diagnostics


@pytest.mark.parametrize(
    ("values", "code", "says"),
    [
        ({"epoch": 3}, "AX0701", "did you mean `epochs`"),
        ({"split": {"train": 0.8, "vald": 0.2}}, "AX0701", "did you mean `valid`"),
        ({"epochs": 0}, "AX0702", "`epochs`: should be greater than or equal to 1"),
        ({"epochs": True}, "AX0702", "a number is needed"),
        ({"epochs": "3"}, "AX0702", "a number is needed"),
        ({"epochs": 2.5}, "AX0702", "a valid integer"),
        ({"batch_size": "some"}, "AX0702", "or `all`"),
        ({"batch_size": 0}, "AX0702", "or `all`"),
        ({"split": 0.5}, "AX0702", "a dictionary is needed"),
        ({"split": {"train": 0.8, "valid": 0.1}}, "AX0702", "the fractions sum to 0.9"),
        ({"split": {"train": 0.8, "valid": -0.2, "test": 0.4}}, "AX0702", "`split.valid`"),
        ({"early_stopping": {}}, "AX0702", "`early_stopping.monitor` is not given"),
        ({"early_stopping": {"monitor": "objective"}}, "AX0702", "as in `valid.objective`"),
        ({"early_stopping": {"monitor": "valid.a", "mode": "least"}}, "AX0702", "'min' or 'max'"),
        ({"clip_norm": 0}, "AX0702", "greater than 0"),
    ],
)
def test_wrong_settings(values: dict[str, Any], code: str, says: str) -> None:
    (finding,) = findings(values)
    assert finding.code == code and says in f"{finding.headline} {finding.help}"


def test_every_mistake_is_told_at_its_place_the_finest_that_is_known() -> None:
    values = {"epochs": 0, "split": {"train": "much", "tset": 0.2}, "seed": -1}
    spans = {"epochs": EPOCHS, "split": SPLIT, "split.train": TRAIN}
    found = {d.headline.split("`")[1]: d.span for d in findings(values, spans)}
    assert found == {"epochs": EPOCHS, "split.train": TRAIN, "split.tset": SPLIT, "seed": None}


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ({"train": 1}, False),
        ({"train": 1, "valid": 0}, False),
        ({"train": 0.5, "valid": 0.5}, False),
        ({"train": 10, "valid": 5}, True),
        ({"train": 1, "valid": 1}, True),
    ],
)
def test_sizes_are_counts_where_they_are_integers_above_one_in_all(sizes: dict[str, Any], counts: bool) -> None:
    assert Split(**sizes).counts is counts


def test_arguments_of_sources_go_by_place_or_name() -> None:
    report = Report()
    assert source_arguments("parquet", ["a.parquet"], {"target": "y"}, None, report) == {
        "path": "a.parquet",
        "target": "y",
        "columns": None,
    }
    assert (source_arguments("csv", ["a.csv", "y", ";"], {}, None, report) or {}).items() >= {
        "path": "a.csv",
        "target": "y",
        "delimiter": ";",
        "decimal": ".",
    }.items()
    assert source_arguments("sklearn", ["digits"], {}, None, report) == {"name": "digits"}
    assert not report.diagnostics


@pytest.mark.parametrize(
    ("kind", "positional", "named", "code", "says"),
    [
        ("cvs", ["a"], {}, "AX0705", "did you mean `csv`"),
        ("sklearn", ["digit"], {}, "AX0702", "did you mean `digits`"),
        ("npz", [], {}, "AX0702", "`path` is not given"),
        ("csv", ["a"], {"tagret": "y"}, "AX0701", "did you mean `target`"),
        ("npz", ["a", "b"], {}, "AX0702", "`whole`: should be a valid list"),
        ("sklearn", ["digits", "b"], {}, "AX0702", "nothing more"),
    ],
)
def test_wrong_arguments_of_sources(
    kind: str,
    positional: list[Any],
    named: dict[str, Any],
    code: str,
    says: str,
) -> None:
    report = Report()
    assert source_arguments(kind, positional, named, EPOCHS, report) is None
    (finding,) = report.diagnostics
    assert finding.code == code and finding.span is EPOCHS and says in f"{finding.headline} {finding.help}"
    assert "generate" not in SOURCES
