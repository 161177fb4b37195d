"""Every spec of the zoo: short, told in its docstring, the same after ``fmt`` and in YAML; it trains and exports."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import archonnx
from archonnx.compiler.checking import examined
from archonnx.compiler.lints.finding import findings
from archonnx.compiler.lints.levels import Levels
from archonnx.compiler.pipeline import elaborate
from archonnx.grammar import ast
from archonnx.grammar.format import format_file
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.text.parser import parse
from archonnx.grammar.yaml import parse_yaml, to_yaml
from benchmarks.catalogue.rows import transformers
from benchmarks.catalogue.rows.published_networks import COUNTS, SLOW
from tests.support.dump import dump

ZOO = sorted((Path(__file__).parents[1] / "specs/zoo").glob("*/*.arch"))
MAX_LINES = 80
MAX_TRAINED = 200_000
"""Numbers in the parameters of the nets that are trained here, for an epoch."""
FEWER = {
    "adding": {"split.train": 1600, "split.valid": 100},
    **{name: {"split.train": 300, "split.test": 50} for name in ("dates", "dates_attention")},
}
"""Settings of those whose steps take long."""
SMALLER = {
    "maml": {"count": 128},
    "reptile": {"count": 40},
    **{name: {"count": 48, "classes": 36} for name in ("siamese", "prototypical", "memory")},
}
"""Arguments of those that generate much, with which they generate little."""


def source(path: Path) -> Source:
    return Source(path.name, path.read_text("utf-8"))


@pytest.fixture(params=ZOO, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


LONG = {"dates", "dates_attention", "translation", "sunspots", "planar_flow", "resnet101", "resnet152", "bert_base",
        "digits_srgan"}  # fmt: skip
"""Those whose training, or elaboration, takes a proof's time; others of their kinds are trained always."""
TRAINED = [pytest.param(one, id=one.stem, marks=[pytest.mark.proof] * (one.stem in LONG)) for one in ZOO]


def test_form(path: Path):
    text = source(path).text
    assert text.count("\n") <= MAX_LINES
    tree = read_tree(source(path))
    assert dump(parse(Source(path.name, format_file(source(path))))) == dump(tree)
    models = [item for item in tree.declarations if isinstance(item, ast.Model)]
    assert models and all(model.doc is not None for model in models)
    assert dump(parse_yaml(Source("spec.yaml", to_yaml(tree)))) == dump(tree)


@pytest.mark.parametrize("name", ["dates", "dates_attention"])
def test_what_takes_a_proofs_time_to_train_is_checked_within_its_budget(name: str):
    (path,) = [one for one in ZOO if one.stem == name]
    assert examined(source(path), path, {}, Levels()) == []


@pytest.mark.parametrize("path", TRAINED)
def test_it_trains_and_exports(path: Path, tmp_path: Path):
    if MAX_TRAINED < COUNTS.get(path.stem, 0) <= SLOW or path.stem in transformers.QUICK:
        return  # rows 2.2 and 3.6 of the catalogue elaborate it
    if "statsmodels(" in source(path).text:
        pytest.importorskip("statsmodels")
    spec = archonnx.load(path, **SMALLER.get(path.stem, {}))
    model = elaborate(spec)
    assert not findings(model), "what comes with archonnx is what was meant"
    if model.parameter_count > MAX_TRAINED or not model.programs:
        return  # elaborated, so that all is checked
    run = archonnx.train(spec, tmp_path / "run", settings={"epochs": 1, **FEWER.get(path.stem, {})})
    assert run.history and all(np.isfinite(value) for value in run.metrics["train"].values())
    assert (tmp_path / "run/model.onnx").exists() == bool(model.infer.outputs)
    for name in model.entries:
        assert all(np.isfinite(array).all() for array in alone(tmp_path / f"run/entries/{name}.onnx"))


def alone(path: Path) -> list[Any]:
    """What a file gives in onnxruntime alone, for sizes of 2, whole numbers of 1 and other numbers of 0.5."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {}
    for one in session.get_inputs():
        shape = [size if isinstance(size, int) else 2 for size in one.shape]
        whole = one.type == "tensor(int64)"
        given[one.name] = np.full(shape, (1 if shape else 2) if whole else 0.5, np.int64 if whole else np.float32)
    return session.run(None, given)
