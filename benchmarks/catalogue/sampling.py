"""Entries that sample, run as everybody runs them: exported, in plain onnxruntime, with the seed as an input.

What this module does not do: claim anything (``rows`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.models import inference_model
from archonnx.runtime.training.trainer import Trainer

from .recurrence import spec


def started(name: str, parameters: Mapping[str, Any] | None = None, *, seed: int = 0, **arguments: Any) -> Trainer:
    """A spec of the zoo before its training, or with parameters that are given."""
    model = spec(name, **arguments)
    given = {path: np.asarray(value, np.float32) for path, value in (parameters or {}).items()}
    return Trainer(model, options=SessionOptions("cpu"), batch_size=512, total=1, seed=seed, parameters=given)


def plain(trainer: Trainer, entry: str, **inputs: Any) -> dict[str, Any]:
    """What the exported entry gives for inputs (a seed among them, if it draws) in a session of onnxruntime alone."""
    import onnxruntime as ort

    weights = {path: trainer.parameters[path] for path in trainer.parameters}
    session = ort.InferenceSession(inference_model(trainer.model, weights, entry=entry).SerializeToString())
    types = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(bool)": np.bool_}
    given: dict[str, Any] = {one.name: np.asarray(inputs[one.name], types[one.type]) for one in session.get_inputs()}
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, given), strict=True))


def differences(trainer: Trainer, calls: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Entries whose export does not give what a call gives, to the bit, or gives the same for another seed."""
    wrong = []
    for entry, inputs in calls:
        ours, other = (trainer.call(entry, seed=seed, **inputs) for seed in (3, 4))
        found = plain(trainer, entry, seed=3, **inputs)
        same = all(np.array_equal(found[name], value) for name, value in ours.items())
        if not same or all(np.array_equal(ours[name], other[name]) for name in ours):
            wrong.append(entry)
    return wrong


def states(n: int) -> Any:
    """All states of n units that are 0 or 1, ``[2^n, n]``."""
    return np.array(list(product((0.0, 1.0), repeat=n)))
