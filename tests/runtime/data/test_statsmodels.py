"""The data sets that come with statsmodels, as columns."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.program import DataSource
from archonnx.compiler.sources import SERIES, source_arguments
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.sources import load_source
from tests.support.programs import WHOLE

OWN = Path(__file__).parents[3] / "specs/zoo/data"


def load(name: str, folder: Path = OWN) -> Loaded:
    return load_source(DataSource("data", "statsmodels", {"name": name}, WHOLE), folder)


def test_a_series_with_its_dates() -> None:
    pytest.importorskip("statsmodels")
    loaded = load("co2")
    assert loaded.kinds == {"date": "date", "co2": "float"} and len(loaded.fields["co2"]) == 2284
    rows = [line.split(",") for line in (OWN / "co2.csv").read_text().splitlines()[1:]]  # those that have a value
    there = ~np.isnan(loaded.fields["co2"])
    assert loaded.fields["co2"][there].tolist() == [float(value) for _, value in rows]
    assert loaded.fields["date"][there].astype("datetime64[D]").astype(str).tolist() == [day for day, _ in rows]


def test_a_table_with_its_target() -> None:
    pytest.importorskip("statsmodels")
    loaded = load("sunspots")
    assert loaded.matrix == ("YEAR",) and loaded.target == "SUNACTIVITY" and loaded.where == 'statsmodels("sunspots")'
    assert loaded.fields["YEAR"][[0, -1]].tolist() == [1700, 2008] and loaded.fields["target"][0] == 5


@pytest.mark.parametrize("name", SERIES)
def test_every_data_set_is_read(name: str) -> None:
    pytest.importorskip("statsmodels")
    assert len(load(name).fields["index"]) > 5


def test_there_is_no_other() -> None:
    pytest.importorskip("statsmodels")
    from statsmodels import datasets

    folder = Path(str(datasets.__file__)).parent
    assert {*SERIES} <= {path.name for path in folder.iterdir()}
    report = Report()
    assert source_arguments("statsmodels", ["sunspot"], {}, WHOLE, report) is None
    assert "did you mean `sunspots`" in report.diagnostics[0].headline
    with pytest.raises(SpecError, match="statsmodels bundles no data set `sun`"):
        load("sun")


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("statsmodels."):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr("archonnx.runtime.data.loaders.statsmodels.import_module", without)
    with pytest.raises(SpecError, match="AX0619") as caught:
        load("co2")
    assert "archonnx[series]" in str(caught.value.diagnostics[0].help)
