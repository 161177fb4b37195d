"""What is measured on a part is measured of the part: on onnxruntime too, and for every size of a batch."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.runtime.data.batches import Examples
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.measuring import Measured, measure
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

TEXT = """
model M():
    input x: [B, 5, 3]
    input centres: [K, 3]
    target tag: i64[B, 5]
    param p: [] = 0.5
    known = tag >= 0
    logits = x @ transpose(centres) + p
    loss objective = masked_mean(cross_entropy(logits, max(tag, 0), reduce=none), known)
    metric hits = masked_mean(float(argmax(logits) == tag), known)
    metric total = sum(x)
    metric least = min(x)
    metric root = sqrt(mean(x ** 2)) / float(B) + 0.1 * p ** 2
    metric itself = p
    metric found over set = matthews_corrcoef(argmax(logits[:, 0]), tag[:, 0])
"""
SETTINGS = "\ntrain:\n    minimize objective with sgd()\n"
FIGURES = {"objective", "hits", "total", "least", "root", "itself", "found"}


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    tags = rng.integers(0, 4, (23, 5))
    return {
        "x": rng.normal(size=(23, 5, 3)).astype(np.float32),
        "centres": rng.normal(size=(4, 3)).astype(np.float32),
        "tag": np.where(rng.uniform(size=(23, 5)) < np.linspace(0, 1, 23)[:, None], tags, -1),
    }


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(program(TEXT + SETTINGS), options=SessionOptions(device="cpu", threads=1))


def measured(trainer: Trainer, data: dict[str, np.ndarray], size: int | str, rows: range = range(23)) -> Measured:
    examples = Examples(data, {name: field.type for name, field in trainer.model.fields.items()})
    settings = trainer.model.programs[0].settings.model_copy(update={"batch_size": size})
    return measure(trainer, examples, np.array(rows), settings)


@pytest.mark.parametrize("size", [1, 4, 7, "all"])
def test_figures_do_not_depend_on_the_batch_size(
    trainer: Trainer, data: dict[str, np.ndarray], size: int | str
) -> None:
    found = measured(trainer, data, size)
    assert set(found.figures) == FIGURES and not found.undefined
    assert dict(found.figures) == pytest.approx(trainer.evaluate(data), rel=1e-5, abs=1e-5), "the batch is the part"


def test_a_mask_that_holds_nowhere_in_a_batch_spoils_nothing(trainer: Trainer, data: dict[str, np.ndarray]) -> None:
    assert (data["tag"][0] == -1).all()
    first, rest = (measured(trainer, data, 1, rows) for rows in (range(23), range(1, 23)))
    assert first.figures["objective"] == pytest.approx(rest.figures["objective"])
    assert measured(trainer, data, 1, range(1)).figures["objective"] == 0
