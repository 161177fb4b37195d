"""Where a gradient ends before it reaches what it was asked for, against what the specs are written to stop at."""

from __future__ import annotations

import pytest

from archonnx.compiler.autodiff import gradient_ends
from archonnx.compiler.ir.builder import Builder
from archonnx.grammar.diagnostics import SpecError
from tests.support.elaborated import model, program

ENDS = {
    "mean(round(w * x))": ["`round`"],
    "mean(floor(exp(w * x)) * ceil(w))": ["`floor`", "`ceil`"],
    "mean(float(w > 0))": ["`>`"],
    "mean(where(w > 0, x, 2 * x))": ["`>`"],
    "mean(stop_gradient(w) * x)": ["`stop_gradient`"],
    "mean(float(i64(w)))": ["`i64`"],
    "float(argmax(w * x))": ["`argmax`"],
    "mean(x[argmax(w)] * x)": ["`argmax`"],
    "mean(sign(w) + float(not (w > 1)))": ["`sign`", "`>`"],
    "mean(round(round(w)))": ["`round`"],
    "mean(w + round(w))": ["`round`"],
    "mean(w * x)": [],
    "mean(x)": [],
}


@pytest.mark.parametrize("loss", ENDS)
def test_gradients_end_where_nothing_is_passed_on(loss: str) -> None:
    of = program(model(f"param w: [4] = 0.5\nloss l = {loss}", "x: [4]"))
    graph = of.training.graph
    builder = Builder()
    builder.nodes = list(graph.nodes)
    parameters = [value for name, value in graph.inputs.items() if name == "w"]
    ends = gradient_ends(builder, graph.outputs["l"], parameters)
    assert [node.origin.what for node in ends] == ENDS[loss]


@pytest.mark.parametrize("loss", [loss for loss, ends in ENDS.items() if ends and "w + round" not in loss])
def test_a_loss_without_a_gradient_is_told_with_the_places(loss: str) -> None:
    text = model(f"param w: [4] = 0.5\nloss l = {loss}", "x: [4]", after="train:\n    minimize l with sgd()\n")
    with pytest.raises(SpecError) as caught:
        program(text)
    (found,) = caught.value.diagnostics
    assert found.code == "AX0405" and all(end in found.headline for end in ENDS[loss])
    assert len([label for label in found.labels if not label.primary]) == len(ENDS[loss])
