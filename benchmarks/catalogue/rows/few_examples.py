"""Learning from few examples and in another domain: meta-learning, few-shot nets, gradient reversal.

A class or task of a test part was never seen in training: each row of the generated data has its own. A baseline has
the same data; where it is trained, it has the same net and as many steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean
from typing import Any

import numpy as np

import archonnx
from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..training import SEEDS, train

ROW = Row(
    "6.4",
    "Few examples and other domains: MAML, Reptile, siamese and prototypical nets, a memory, gradient reversal",
    "004 24, 26, 29",
    ("maml", "reptile", "signs", "siamese", "prototypical", "memory", "dann"),
)
TASKS = 3


@cache
def _tested(spec: str, **options: Any) -> tuple[Mapping[str, float], ...]:
    """The figures of the test part, by seed."""
    return tuple(train(spec, seed=seed, **options)[-1].metrics["test"] for seed in SEEDS)


def _of(figure: str, tested: Sequence[Mapping[str, float]]) -> float:
    return fmean(one[figure] for one in tested)


@ROW.fact(
    "the gradient of MAML's loss in float64, second derivatives and all, is that of central differences to 1e-6; "
    "without them it is another one by a tenth of its length or more"
)
def second_order() -> Measured:
    """Three tasks, two inner steps at a rate that makes the second order matter."""
    rng = np.random.default_rng(0)
    batch = {name: rng.normal(size=(TASKS, 10, 1)) for name in ("xs", "ys", "xq", "yq")}

    def trainer(first_order: bool) -> Trainer:
        spec = archonnx.load("maml", alpha=0.1, inner=2, first_order=first_order)
        return Trainer(elaborate(spec, float_type=DType.f64), options=SessionOptions("cpu"), batch_size=TASKS)

    of = trainer(False)
    full, first = of.gradients(batch, "meta"), trainer(True).gradients(batch, "meta")
    worst, step = 0.0, 1e-6
    for path, gradient in full.items():
        for at in list(np.ndindex(gradient.shape))[:: max(1, gradient.size // 8)]:
            start, losses = np.array(of.parameters[path], np.float64), []
            for sign in (1, -1):
                moved = start.copy()
                moved[at] += sign * step
                of.parameters[path] = moved
                losses.append(of.evaluate(batch)["meta"])
            of.parameters[path] = start
            worst = max(worst, abs((losses[0] - losses[1]) / (2 * step) - float(gradient[at])))
    a, b = (np.concatenate([g[path].ravel() for path in full]) for g in (full, first))
    apart = float(np.linalg.norm(a - b) / np.linalg.norm(a))
    return Measured(f"gap {worst:.0e}; first order {apart:.2f} away", worst < 1e-6 and apart > 0.1)


@ROW.fact(
    "MAML, after one step on ten points of a new sine wave: at most a third of the error of one net for all tasks that "
    "was tuned by the same step; held out, mean of three seeds",
    slow=True,
)
def maml() -> Measured:
    """Finn et al. 2017 have the same net, rate and points."""
    ours, joint = _tested("maml"), _tested("maml", joint=True)
    shown = ", ".join(f"{one['tuned']:.2f}" for one in ours)
    return Measured(
        f"{shown}; joint {_of('tuned', joint):.2f}, untuned {_of('untuned', joint):.2f}",
        _of("tuned", ours) <= _of("tuned", joint) / 3,
    )


@ROW.fact(
    "Reptile, after ten steps: at most a third of the error of one net for all tasks that was tuned by the same steps; "
    "held out, mean of three seeds",
    slow=True,
)
def reptile() -> Measured:
    """The inner rate is 0.01 for both."""
    ours, joint = _tested("reptile"), _tested("maml", joint=True, inner=10)
    shown = ", ".join(f"{one['tuned']:.2f}" for one in ours)
    return Measured(f"{shown}; joint {_of('tuned', joint):.2f}", _of("tuned", ours) <= _of("tuned", joint) / 3)


def _beside_pixels(spec: str, least: float, margin: float, **arguments: Any) -> Measured:
    tested = _tested(spec, **arguments)
    shown = ", ".join(f"{one['accuracy']:.3f}" for one in tested)
    ours, pixels = _of("accuracy", tested), _of("by_pixels", tested)
    return Measured(f"{shown}; pixels {pixels:.3f}", ours >= least and ours >= pixels + margin)


@ROW.fact(
    "a siamese net names one of five drawn signs from one picture of each, of classes never seen: 0.80 or more, and "
    "0.2 above the nearest picture by pixels; mean of three seeds",
    slow=True,
)
def siamese() -> Measured:
    """200 episodes, 3,000 pictures."""
    return _beside_pixels("siamese", 0.80, 0.2)


@ROW.fact("prototypical nets likewise, from one picture of each: 0.80 or more, and 0.2 above pixels", slow=True)
def one_shot() -> Measured:
    """Likewise."""
    return _beside_pixels("prototypical", 0.80, 0.2)


@ROW.fact("and from five pictures of each: 0.90 or more, and 0.1 above the nearest of all by pixels", slow=True)
def five_shots() -> Measured:
    """Likewise."""
    return _beside_pixels("prototypical", 0.90, 0.1, shots=5)


@ROW.fact(
    "a net with a memory of an episode's pairs names the second sign of a class, 0.2 above the nearest earlier picture "
    "by pixels, and the fourth better than the second; the first no better than a guess can be, 0.457; three seeds",
    slow=True,
)
def memory() -> Measured:
    """Who knows that a sign is new guesses among the labels left: (1/5 + 1/4 + 1/3 + 1/2 + 1) / 5 in the mean."""
    tested = _tested("memory")
    first, second, last = (_of(name, tested) for name in ("first", "second", "last"))
    pixels = _of("second_by_pixels", tested)
    shown = f"first {first:.3f}, second {second:.3f}, fourth {last:.3f}; second by pixels {pixels:.3f}"
    return Measured(shown, second >= pixels + 0.2 and last > second and first <= 0.48)


@ROW.fact(
    "gradient reversal: trained on labels of one domain, 0.15 better in the domain that is turned than the same net "
    "without it; mean of three seeds",
    slow=True,
)
def adapted() -> Measured:
    """1,000 points of each domain to train with, 1,000 others to test."""
    ours, without = _tested("dann"), _tested("dann", weight=0.0)
    shown = ", ".join(f"{one['abroad']:.3f}" for one in ours)
    return Measured(
        f"{shown} (at home {_of('at_home', ours):.3f}); without {_of('abroad', without):.3f}",
        _of("abroad", ours) >= _of("abroad", without) + 0.15,
    )


@ROW.fact(
    "what the features learn of the domains is -weight times its gradient, and the classifier of domains is not turned"
)
def reversal() -> Measured:
    """The gradients of the domains' loss with weight -1, which turns nothing round, and with 0.3."""
    rng = np.random.default_rng(0)
    batch = {"source": rng.normal(size=(8, 2)), "wild": rng.normal(size=(8, 2))}
    batch |= {"label": np.zeros(8, np.int64), "truth": np.zeros(8, np.int64)}
    plain, turned = (
        Trainer(
            elaborate(archonnx.load("dann", weight=weight), float_type=DType.f64), options=SessionOptions("cpu")
        ).gradients(batch, "domains")
        for weight in (-1.0, 0.3)
    )
    factors = {"features": -0.3, "domain": 1.0}
    worst = max(
        float(abs(turned[path] - np.multiply(factors[path.split(".")[0]], gradient)).max())
        for path, gradient in plain.items()
        if path.split(".")[0] in factors
    )
    return Measured(f"{worst:.0e}", worst < 1e-12)
