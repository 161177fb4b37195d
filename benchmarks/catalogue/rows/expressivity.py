"""Parameters and linear regions of a net, and universal approximation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import archonnx
from archonnx.compiler.pipeline import elaborate
from archonnx.grammar.record import replace
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..training import SEEDS, train

ROW = Row(
    "1.3",
    "Parameter count, linear regions, universal approximation",
    "002 1.4, 1.6, 1.7; 003 3.2",
    ("function_fit", "folding"),
)
POINTS = 200_001
"""Of the line on which pieces are counted."""
NOISE = 1e-9
"""Slopes are sums of products of doubles; a joint changes them by more."""


def formula(inputs: int, width: int, depth: int, outputs: int) -> int:
    """The parameters of a net: a first layer, ``depth - 1`` inner ones, a last one."""
    inner = (depth - 1) * (width * width + width)
    return inputs * width + width + inner + width * outputs + outputs


@ROW.fact("parameters are D_in D + D + (K - 1)(D D + D) + D D_out + D_out by `archonnx show`, for 20 random nets")
def parameters() -> Measured:
    rng = np.random.default_rng(0)
    agree = 0
    for _ in range(20):
        inputs, width, depth, outputs = map(int, rng.integers((1, 1, 1, 1), (40, 80, 7, 20)))
        shown = archonnx.show("function_fit", inputs=inputs, width=width, depth=depth, outputs=outputs)
        agree += shown.total.parameters == formula(inputs, width, depth, outputs)
    return Measured(f"{agree} of 20", agree == 20)


@ROW.fact("D = 3, K = 1 and a single input and output make 10 parameters (22 as printed in general, 10 as simplified)")
def small() -> Measured:
    found = archonnx.show("function_fit", width=3).total.parameters
    return Measured(str(found), found == 10 == 3 * 3 + 1)


def trainer(spec: str, **arguments: Any) -> Trainer:
    """A spec in doubles, as it starts."""
    model = elaborate(archonnx.load(spec, dtype="f64", **arguments))
    return Trainer(replace(model, programs=()), batch_size=POINTS, options=SessionOptions("cpu"))


def joints(net: Trainer, low: float, high: float) -> int:
    """At how many places of an interval the slope of a net's output changes, by its second differences.

    A joint between two points of the line shows at one or both of them: a run of neighbours is one joint.
    """
    x = np.linspace(low, high, POINTS)
    f = net.predict({"x": x[:, None]})["f"][:, 0]
    bent = np.abs(np.diff(f, 2)) * (POINTS - 1) / (high - low) > NOISE * max(1.0, float(np.abs(f).max()))
    return int(bent[0]) + int(np.count_nonzero(bent[1:] & ~bent[:-1]))


def regions(net: Trainer, low: float, high: float) -> int:
    """How many linear pieces a net's output has, all of whose joints lie in an interval."""
    return joints(net, low, high) + 1


def scattered(rng: np.random.Generator, width: int, depth: int) -> Trainer:
    """A random relu net on a line; the joints of its first layer lie in [-1, 1]."""
    net = trainer("function_fit", width=width, depth=depth, activation="relu")
    for path, start in net.parameters.items():
        net.parameters[path] = rng.normal(size=start.shape)
    slopes, offsets = list(net.parameters)[:2]
    net.parameters[offsets] = -net.parameters[slopes][0] * rng.uniform(-1, 1, width)
    return net


@ROW.fact("a relu net of one input and D units is linear in D + 1 pieces, for random ones with D from 1 to 12")
def shallow() -> Measured:
    rng = np.random.default_rng(1)
    found = {width: regions(scattered(rng, width, 1), -1.1, 1.1) for width in range(1, 13)}
    reached = sum(count == width + 1 for width, count in found.items())
    return Measured(f"{reached} of 12 have D + 1", reached == 12)


@ROW.fact("K layers of D units reach (D + 1)^K pieces: 16, 64 and 256 for D = 3, 125 for D = 4, 216 for D = 5")
def deep() -> Measured:
    sizes = ((3, 2), (3, 3), (3, 4), (4, 3), (5, 3))
    found = [regions(trainer("folding", width=width, depth=depth), -1, 2) for width, depth in sizes]
    most = [(width + 1) ** depth for width, depth in sizes]
    return Measured(", ".join(map(str, found)), found == most)


@ROW.fact("none of 12 random nets of K = 2 or 3 layers has more than (D + 1)^K pieces")
def random_deep() -> Measured:
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(12):
        width, depth = int(rng.integers(2, 9)), int(rng.integers(2, 4))
        shares.append(regions(scattered(rng, width, depth), -50, 50) / (width + 1) ** depth)
    return Measured(f"at most {max(shares):.0%} of it", max(shares) <= 1)


@ROW.fact(
    "one hidden layer of 48 tanh units comes within 0.01 of a function on [-1, 1], also between the examples (3 seeds)",
    slow=True,
)
def approximation() -> Measured:
    x: NDArray[np.float64] = np.linspace(-1, 1, 5001)
    curve = np.sin(2 * np.pi * x) * (1 + x / 2)
    errors = []
    for seed in SEEDS:
        net = train("function_fit", seed=seed)[-1].trainer
        f = net.predict({"x": x[:, None].astype(np.float32)})["f"][:, 0].astype(np.float64)
        errors.append(float(np.abs(f - curve).max()))
    return Measured(f"{max(errors):.1e}", max(errors) <= 1e-2)
