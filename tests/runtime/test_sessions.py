"""What onnxruntime makes of our graphs does not depend on the optimisers that are left out."""

from __future__ import annotations

import pytest

from archonnx.compiler.pipeline import elaborate, load, train_steps
from archonnx.runtime.device import session
from archonnx.runtime.device.session import SessionOptions, for_machine, left_of

CPU = SessionOptions(device="cpu", threads=1)


@pytest.mark.parametrize(
    ("spec", "dims"),
    [
        ("vae", {"B": 2}),
        *(
            pytest.param(name, dims, marks=pytest.mark.proof)
            for name, dims in (
                ("digits_cnn", {"B": 4}),
                ("co2_transformer", {"B": 4}),
                ("spelled_digits", {"B": 2}),
                ("resnet18", {"B": 2}),
            )
        ),
    ],
)
def test_the_optimisers_that_are_left_out_find_nothing(
    spec: str, dims: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = elaborate(load(spec))
    (step, *_) = train_steps(model, model.programs[0], 100, 100)
    for graph in (step.graph, model.infer):
        left, kept = for_machine(graph, dims, CPU), []
        for out in (session.REDUNDANT, ["CommonSubexpressionElimination"]):
            monkeypatch.setattr(session, "REDUNDANT", out)
            kept.append([(node.op_type, *node.input, *node.output) for node in left_of(left).graph.node])
        assert kept[0] == kept[1] and len(kept[0]) > 5
        monkeypatch.undo()
