"""Learning from few examples and in another domain: meta-learning, few-shot nets, gradient reversal.

A class or task of a test part was never seen in training. A baseline has the same data; where it is trained, it has
the same net and as many steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archonnx.runtime.training.trainer import Trainer

from ..facts import Measured, Row
from ..training import in_f64, listed, mean_of, tested

ROW = Row(
    "6.4",
    "Few examples and other domains: MAML, Reptile, siamese and prototypical nets, a memory, gradient reversal",
    "004 24, 26, 29",
    ("maml", "reptile", "signs", "siamese", "prototypical", "memory", "dann"),
)
TASKS = 3


@ROW.fact(
    "the gradient of MAML's loss in float64, second derivatives and all, is that of central differences to 1e-6; "
    "without them it is another one by a tenth of its length or more"
)
def second_order() -> Measured:
    """Three tasks, two inner steps at a rate that makes the second order matter."""
    rng = np.random.default_rng(0)
    batch = {name: rng.normal(size=(TASKS, 10, 1)) for name in ("xs", "ys", "xq", "yq")}

    def trainer(first_order: bool) -> Trainer:
        return in_f64("maml", TASKS, alpha=0.1, inner=2, first_order=first_order)

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
    ours, joint = tested("maml"), tested("maml", joint=True)
    shown = listed("tuned", ours, 2)
    return Measured(
        f"{shown}; joint {mean_of('tuned', joint):.2f}, untuned {mean_of('untuned', joint):.2f}",
        mean_of("tuned", ours) <= mean_of("tuned", joint) / 3,
    )


@ROW.fact(
    "Reptile, after ten steps: at most a third of the error of one net for all tasks that was tuned by the same steps; "
    "held out, mean of three seeds",
    slow=True,
)
def reptile() -> Measured:
    """The inner rate is 0.01 for both."""
    ours, joint = tested("reptile"), tested("maml", joint=True, inner=10)
    shown = listed("tuned", ours, 2)
    return Measured(
        f"{shown}; joint {mean_of('tuned', joint):.2f}", mean_of("tuned", ours) <= mean_of("tuned", joint) / 3
    )


def _beside_pixels(spec: str, least: float, margin: float, **arguments: Any) -> Measured:
    found = tested(spec, **arguments)
    shown = listed("accuracy", found)
    ours, pixels = mean_of("accuracy", found), mean_of("by_pixels", found)
    return Measured(f"{shown}; pixels {pixels:.3f}", ours >= least and ours >= pixels + margin)


@ROW.fact(
    "a siamese net names one of five drawn signs from one picture of each, of classes never seen: 0.80 or more, and "
    "0.2 above the nearest picture by pixels; mean of three seeds",
    slow=True,
)
def siamese() -> Measured:
    """1,000 tasks of 80 classes, 15,000 pictures."""
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
    found = tested("memory")
    first, second, last = (mean_of(name, found) for name in ("first", "second", "last"))
    pixels = mean_of("second_by_pixels", found)
    shown = f"first {first:.3f}, second {second:.3f}, fourth {last:.3f}; second by pixels {pixels:.3f}"
    return Measured(shown, second >= pixels + 0.2 and last > second and first <= 0.48)


@ROW.fact(
    "gradient reversal: trained on labels of one domain, 0.15 better in the domain that is turned than the same net "
    "without it; mean of three seeds",
    slow=True,
)
def adapted() -> Measured:
    """1,000 points of each domain to train with, 1,000 others to test."""
    ours, without = tested("dann"), tested("dann", weight=0.0)
    shown = listed("abroad", ours)
    return Measured(
        f"{shown} (at home {mean_of('at_home', ours):.3f}); without {mean_of('abroad', without):.3f}",
        mean_of("abroad", ours) >= mean_of("abroad", without) + 0.15,
    )


@ROW.fact(
    "what the features learn of the domains is -weight times its gradient, and the classifier of domains is not turned"
)
def reversal() -> Measured:
    """The gradients of the domains' loss with weight -1, which turns nothing round, and with 0.3."""
    rng = np.random.default_rng(0)
    batch = {"source": rng.normal(size=(8, 2)), "wild": rng.normal(size=(8, 2))}
    batch |= {"label": np.zeros(8, np.int64), "truth": np.zeros(8, np.int64)}
    plain, turned = (in_f64("dann", 8, weight=weight).gradients(batch, "domains") for weight in (-1.0, 0.3))
    factors = {"features": -0.3, "domain": 1.0}
    worst = max(
        float(abs(turned[path] - np.multiply(factors[path.split(".")[0]], gradient)).max())
        for path, gradient in plain.items()
        if path.split(".")[0] in factors
    )
    return Measured(f"{worst:.0e}", worst < 1e-12)
