"""``remat``: what a gradient reads is computed again in place of being kept, and nothing else changes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from archonnx.compiler.ir.types import Array
from archonnx.compiler.ops.remat import After, RematEdge
from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.program import ModelProgram
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer
from tests.support.elaborated import program

CPU = SessionOptions(device="cpu", threads=1)
BLOCKS = """
block Norm(w: int)(x: [B, w]) -> [B, w]:
    norm = BatchNorm()
    return x + (x |> norm |> Dense(2 * w) |> gelu |> Dropout(0.3) |> Dense(w))

block Mixed(w: int)(x: [B, w], y: [B, w]) -> ([B, w], total: []):
    h = tanh(x |> Dense(w)) * y
    return h, mean(h ** 2)

block Steps(w: int)(x: [B, w]) -> [B, w]:
    param U: [w, w] ~ normal(0, 0.3)
    scan i in range(12), h = zeros([B, w]):
        h = tanh(x * f32(i + 1) + h @ U)
    return h

fn squared(x: [B, w], scale: f32[]) -> [B, w]:
    return scale * x * sigmoid(x)
"""
FORMS = {
    "a block of norms and draws": "a, b = REMAT(Norm(4)), REMAT(Norm(4))\n    p = x |> a |> b |> Dense(1)",
    "a list": "net = REMAT([Dense(6), tanh, Dropout(0.5), Dense(4)])\n    p = x |> net |> Dense(1)",
    "one in another": "net = REMAT([REMAT(Norm(4)), tanh, REMAT(Norm(4))])\n    p = x |> net |> net |> Dense(1)",
    "several results": "h, total = REMAT(Mixed(4))(x, exp(x))\n    p = REMAT(tanh)(h |> Dense(1))\n    q = total",
    "a fn and what is around it": "w = exp(x)\n    param s: [] = 0.5\n    p = REMAT(squared)(w, s) * w |> Dense(1)",
    "frozen inside": "net = Norm(4)\n    still, moving = REMAT(frozen(net)), REMAT(net)\n    p = x |> still |> moving |> Dense(1)",
    "a loop inside": "a, b = REMAT(Steps(4)), REMAT(Steps(4))\n    p = x |> a |> b |> Dense(1)",
}
REST = """    target y: [B, 1]
    loss objective = mse(p, y)

train:
    minimize objective with adam(lr=0.01)
"""


def spec(form: str, how: str = "remat") -> ModelProgram:
    return program(f"{BLOCKS}\nmodel M():\n    input x: [B, 4]\n    {form}\n{REST}".replace("REMAT", how))


def stepped(model: ModelProgram, steps: int = 3) -> tuple[list[Any], dict[str, Array]]:
    trainer, draw = Trainer(model, options=CPU, seed=3), np.random.default_rng(0)
    batches = [{"x": draw.normal(size=(8, 4)), "y": draw.normal(size=(8, 1))} for _ in range(steps)]
    losses = [trainer.step({name: a.astype(np.float32) for name, a in batch.items()}) for batch in batches]
    return losses, trainer.runner.tensors()


def counts(model: ModelProgram) -> Counter[str]:
    return Counter(node.op.name for node in train_steps(model, model.programs[-1])[0].graph.nodes)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_steps_are_the_same_and_what_they_read_is_computed_again(form: str) -> None:
    """All that is carried: parameters, what the optimizer keeps, statistics."""
    again, kept = spec(form), spec(form, "")
    (losses, tensors), (expected, others) = stepped(again), stepped(kept)
    assert [loss["objective"] for loss in losses] == pytest.approx([loss["objective"] for loss in expected], rel=1e-6)
    for name, array in tensors.items():
        np.testing.assert_allclose(array, others[name], rtol=1e-5, atol=1e-7, err_msg=name)
    assert counts(again)[After.name] >= 1 and counts(again)[RematEdge.name] == 0
    assert counts(again).total() > counts(kept).total() and set(counts(again)) - {After.name} <= set(counts(kept))


def test_gradients_read_nothing_that_was_computed_in_a_region_before_them() -> None:
    """What lives across the middle of a chain of blocks: one value of each block, however many a block has."""

    def across(model: ModelProgram) -> int:
        nodes = train_steps(model, model.programs[-1])[0].graph.nodes
        middle = next(place for place, node in enumerate(nodes) if node.origin.role.startswith("gradient"))
        computed = [node for node in nodes[:middle] if node.op.name != "broadcast"]
        made = {value for node in computed for value in node.outputs if value.rank == 2}
        return len(made & {value for node in nodes[middle:] for value in node.inputs if "B" in value.type.symbols()})

    chain = "blocks = [REMAT(Norm(4)) for i in range(5)]\n    p = x |> blocks |> Dense(1)"
    assert across(spec(chain, "")) >= 5 * 3
    assert across(spec(chain)) <= 5 + 2


def test_in_a_scan_all_steps_are_computed_again() -> None:
    body = (
        "cell = Dense(4)\n    scan i in range(12), h = x:\n        h = x + REMAT(cell)(tanh(h))\n    p = h |> Dense(1)"
    )
    again, kept = stepped(spec(body)), stepped(spec(body, ""))
    for name, array in again[1].items():
        np.testing.assert_allclose(array, kept[1][name], rtol=1e-5, atol=1e-7, err_msg=name)
    (step,) = train_steps(spec(body), spec(body).programs[-1])
    scans = [node.op for node in step.graph.nodes if node.op.name == "scan"]
    assert scans and all(getattr(scan, "recompute", False) for scan in scans[:1])


def test_outside_training_it_is_what_it_is_of_and_keeps_its_name() -> None:
    again, kept = (spec("net = REMAT(Norm(4))\n    output p = x |> net |> Dense(1)", how) for how in ("remat", ""))
    assert str(again.infer) == str(kept.infer) and list(again.parameters) == list(kept.parameters)
    assert "net.dense.0.W" in again.parameters
    trained = program(
        f"{BLOCKS}\nmodel M():\n    input x: [B, 4]\n    net, other = remat(Norm(4)), remat(Norm(4))\n"
        f"    z = copy(net)\n    p = x |> net |> other |> z |> Dense(1)\n    q = sum(vec(net)) + mean(net.norm.scale)\n{REST}"
        "    minimize objective over net with sgd(lr=0.1)\n    update other = map(tanh, net)\n"
    )
    assert {path.partition(".")[0] for path in (trained.programs[0].steps or ())[1].carried} >= {"net"}


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(SpecError) as error:
        spec("p = REMAT(3)(x) |> Dense(1)")
    assert error.value.diagnostics[0].code == "AX0306"
