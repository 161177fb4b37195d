"""A training that is no longer finite stops, and tells the place of the spec that made it so."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import parse_spec, train_steps
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.files import load_with_metadata
from archonnx.runtime.folders.resume import METADATA_KEY
from archonnx.runtime.training.nonfinite import find_cause

SPEC = """\
fn rows() -> (x: [n, 2], y: [n, 1]):
    x = tensor({data})
    y = tensor([[1.0], [2.0], [0.0], [1.0]])
    n = 4
    return x, y

{extra}
model M():
    input  x: [B, 2]
    target y: [B, 1]
    param w: [2, 1] = {start}
    z = x @ w
    loss objective = {loss}

train:
    data = generate(rows)
    epochs = 400
    batch_size = {batch}
    shuffle = false
    {program}
"""
PLAIN = "[[1.0, 2.0], [2.0, 1.0], [0.5, 0.5], [1.0, 0.0]]"
SGD = "minimize objective with sgd(lr=0.01)"


def train(text: str, **more: Any) -> None:
    with TemporaryDirectory() as folder:
        archonnx.train(parse_spec(Source("m.arch", text)), Path(folder) / "run", device="cpu", **more)


def stopped(
    loss: str, *, data: str = PLAIN, start: str = "1", program: str = SGD, extra: str = "", batch: int = 2
) -> tuple[Diagnostic, str]:
    """The diagnostic of a training, and the text at which it points."""
    text = SPEC.format(loss=loss, data=data, start=start, program=program, extra=extra, batch=batch)
    with pytest.raises(SpecError) as caught:
        train(text)
    (found,) = caught.value.diagnostics
    assert found.code == "AX0610"
    assert found.span is not None
    return found, found.span.text


def test_log_of_zero() -> None:
    found, place = stopped("mean(log(z))", data="[[1.0, 2.0], [2.0, 1.0], [0.5, 0.5], [0.0, 0.0]]")
    assert place == "log(z)"
    assert found.headline == "training stopped at epoch 1, step 2: log(0) is -inf"
    assert "so the loss `objective` is -inf" in found.notes
    assert "element [1, 0] of f32[2, 1]; 1 of its 2 elements are not finite" in found.notes
    assert found.help is not None and "log(x + 1e-7)" in found.help


def test_what_is_left_is_told(tmp_path: Path) -> None:
    found, _ = stopped("mean(log(z))", start="0")
    assert found.notes[-1] == "nothing was saved: no step was done"
    text = SPEC.format(loss="mean(sqrt(z))", data=PLAIN, start="1", program=SGD.replace("0.01", "1"), extra="", batch=2)
    with pytest.raises(SpecError, match=f"`--resume {tmp_path / 'run'}` continues from there"):
        archonnx.train(parse_spec(Source("m.arch", text)), tmp_path / "run")


@pytest.mark.parametrize(
    ("program", "start", "passes"),
    [
        ("minimize objective with sgd(lr=1.0)", 1, 4),
        ("repeat 2:\n        minimize objective with sgd(lr=1.0)", 1, 2),  # the first statement of a pass fails
        ("repeat 2:\n        minimize objective with sgd(lr=1.0)", 0, 1),  # the second one
    ],
)
def test_the_state_before_is_kept_within_the_first_minute(
    program: str, start: int, passes: int, tmp_path: Path
) -> None:
    """Each statement takes 1 from w, whose logarithm ends below -2.5; what is kept is the state before that pass."""
    loss = "sum(w) + 0.0 * sum(log(w + 2.5))"
    text = SPEC.format(loss=loss, data=PLAIN, start=start, program=program, extra="", batch=2)
    out = tmp_path / "run"
    with pytest.raises(SpecError, match=f"(?s)AX0610.*`--resume {out}` continues") as caught:
        archonnx.train(parse_spec(Source("m.arch", text.replace("z = x @ w", "z = x @ (0.0 * w)"))), out)
    assert "is kept in" in str(caught.value)
    statements = passes * (2 if "repeat" in program else 1)
    tensors, metadata = load_with_metadata(out / STATE_FILE)
    assert tensors["now/w"].tolist() == [[start - statements], [start - statements]]
    numbers = json.loads(metadata[METADATA_KEY])["numbers"]
    assert (numbers["executed"], numbers["passes"]) == (statements, passes)
    assert (len(numbers["history"]), numbers["position"]["passes"]) == divmod(passes, 2)


def test_overflow_of_an_exponential() -> None:
    found, place = stopped("mean(exp(z * 30))")
    assert (place, found.headline) == ("exp(z * 30)", "training stopped at epoch 1, step 1: exp(90) is inf")
    assert found.help is not None and "softmax" in found.help


def test_division_by_zero_even_where_it_gives_no_number() -> None:
    found, place = stopped("mean(y / (z - z))", batch=4)
    assert place == "y / (z - z)"
    assert re.search("epoch 1, step 1: (0 / 0 is nan|[12] / 0 is inf)$", found.headline)
    assert found.help is not None and "divisor" in found.help


def test_square_root_of_zero_in_the_backward_pass_spoils_no_loss_but_the_parameters() -> None:
    """The loss of the step is finite, and that of the next one is not: the step before is found."""
    data = "[[1.0, 2.0], [2.0, 1.0], [0.5, 0.5], [0.0, 0.0]]"
    found, place = stopped("mean(sqrt(z))", data=data)
    assert place == "sqrt(z)"
    assert found.headline == "training stopped at epoch 1, step 2: in the gradient of `sqrt`, 0.5 / 0 is inf"
    assert any("so this step would have made `w` " in note for note in found.notes)
    assert found.help is not None and "derivative" in found.help


def test_a_step_too_long_diverges_and_the_help_is_about_its_length() -> None:
    found, _ = stopped("mse(z, y)", program="minimize objective with sgd(lr=100.0)")
    assert found.help is not None and "learning rate" in found.help
    assert any(note.startswith("`w` has grown to ") for note in found.notes)


def test_what_overflows_before_anything_has_grown_is_no_matter_of_the_learning_rate() -> None:
    """A net so deep that its first forward pass overflows: a smaller step changes nothing of that."""
    body = "z = x @ w\n    for i in range(60):\n        z = z |> Dense(8, init=normal(0, 3.0))"
    text = SPEC.format(loss="mse(z[:, :1], y)", data=PLAIN, start="1", program=SGD, extra="", batch=2)
    with pytest.raises(SpecError) as caught:
        train(text.replace("z = x @ w", body))
    (found,) = caught.value.diagnostics
    assert found.help is not None and "he_normal" in found.help and "learning rate" not in found.help


def test_what_another_statement_let_grow_is_named() -> None:
    """The loss of the first statement overflows by a parameter that the second one changes."""
    program = "minimize objective over head with sgd(lr=0.01)\n    minimize other over body with sgd(lr=1e30)"
    text = SPEC.format(loss="mse(head(body(x)), y)", data=PLAIN, start="1", program=program, extra="", batch=2)
    text = text.replace(
        "    param w: [2, 1] = 1\n    z = x @ w\n", "    body = Dense(2, init=ones)\n    head = Dense(1)\n"
    )
    text = text.replace("\n\ntrain:", "\n    loss other = mean(body(x) ** 2)\n\ntrain:")
    with pytest.raises(SpecError) as caught:
        train(text)
    (found,) = caught.value.diagnostics
    assert any(note.startswith("`body.") and "has grown to" in note for note in found.notes)
    assert found.help is not None and "learning rate" in found.help


def test_the_last_step_of_a_training_is_looked_at_too() -> None:
    """No later loss would tell."""
    data = "[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]"
    text = SPEC.format(loss="mean(sqrt(z))", data=data, start="1", program=SGD, extra="", batch=4)
    with pytest.raises(SpecError, match="gradient of `sqrt`"):
        train(text, settings={"epochs": 1})


def test_what_the_library_made_points_at_its_use() -> None:
    extra = "fn entropy(p: [...S]) -> [...S]:\n    return -p * log(p)\n"
    data = "[[0.0, 0.0], [2.0, 1.0], [0.5, 0.5], [1.0, 0.0]]"
    found, place = stopped("mean(entropy(z))", data=data, extra=extra)
    assert place == "log(p)", "a fn of the spec itself is shown where it is written"
    found, place = stopped("mse(z * 1e30, y)")
    assert place == "mse(z * 1e30, y)"
    assert len(found.labels) == 2 and found.labels[1].span.source.name == "std/losses.arch"


def test_numbers_missing_in_the_data_are_told_by_field_and_example() -> None:
    data = "[[1.0, 2.0], [2.0, 1.0], [0.5, 0.5], [1.0, 0.0]]"
    text = SPEC.format(loss="mse(z, y)", data=data, start="1", program=SGD, extra="", batch=4)
    text = text.replace("shuffle = false", "feed x = where(data.x > 1.5, data.x / 0.0, data.x)\n    shuffle = false")
    with pytest.raises(SpecError) as caught:
        train(text)
    (found,) = caught.value.diagnostics
    assert found.headline == "training stopped at epoch 1, step 1: `x` is inf in example 0 of the data"
    assert found.span is not None and found.span.text.startswith("input  x")
    assert any("2 of the 4 examples" in note for note in found.notes)


def test_infinities_that_are_meant_are_not_blamed() -> None:
    """A mask of -inf is fine until a row has nothing else."""
    mask = "where(x > 0.0, x * sum(w), -inf)"
    found, place = stopped(f"mean(softmax({mask}))", data="[[1.0, 0.0], [2.0, 1.0], [0.0, 0.0], [1.0, 0.0]]", batch=4)
    assert place == f"softmax({mask})"
    assert "epoch 1, step 1: a result of `softmax` is nan" in found.headline
    assert "2 of its 8 elements are not finite" in found.notes[1]
    assert found.help is not None and "mask" in found.help


def test_several_statements_and_fresh_batches_are_run_again() -> None:
    program = (
        "repeat 3:\n        minimize objective with sgd(lr=0.01)\n"
        "    every 2:\n        minimize objective with adam(lr=0.01)"
    )
    data = "[[1.0, 2.0], [2.0, 1.0], [0.5, 0.5], [0.0, 0.0]]"
    found, place = stopped("mean(sqrt(z))", data=data, program=program)
    assert place == "sqrt(z)" and "0.5 / 0 is inf" in found.headline


def test_draws_are_the_same_when_a_step_is_run_again() -> None:
    """A rare draw spoils the loss; what is told must be that draw."""
    extra = "block Rare()(x: [...S]) -> [...S]:\n    m: [...S] ~ bernoulli(0.99)\n    return log(m) + x\n"
    found, place = stopped("mean(z |> Rare())", extra=extra)
    assert place == "log(m)" and "log(0) is -inf" in found.headline


def test_a_sound_graph_has_no_source() -> None:
    from archonnx.compiler.ir.bind import bind
    from archonnx.compiler.passes.manager import optimise
    from archonnx.compiler.pipeline import elaborate

    text = SPEC.format(loss="mean(log(z))", data=PLAIN, start="1", program=SGD, extra="", batch=2)
    model = elaborate(parse_spec(Source("m.arch", text)))
    graph = optimise(bind(train_steps(model, model.programs[0], None, None)[0].graph, {"B": 2}))
    arrays = {"x": np.ones((2, 2), np.float32), "y": np.ones((2, 1), np.float32), "w": np.ones((2, 1), np.float32)}
    arrays["minimize.0/t"] = np.array(0)
    inputs = {name: arrays[name] for name in graph.inputs}
    assert find_cause(graph, inputs, SessionOptions("cpu")) is None
    inputs["w"] = np.zeros((2, 1), np.float32)
    cause = find_cause(graph, inputs, SessionOptions("cpu"))
    assert cause is not None and cause.node is not None and cause.node.op.name == "log"
    assert math.isinf(cause.became.item())
