"""What layers do in training alone: statistics of batches, dropout, noise, augmentation.

A buffer takes in what a layer gives in a training step, and is read after it. Draws are compared with what they may be
and how often; statistics with NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.compiler.program import SEED, STEP, TrainStep
from archonnx.compiler.steps import initial_state
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import open_graph

from ..analytic import Array
from ..judging import FAR, compare
from ..running import FLOATS, OPTIONS
from ..setting import Direct, Outcome, Setting, choose, family, normal, number, single
from .draws import shift_of

SPEC = """\
block Seen(shape: list)(x: [...S]) -> [...S]:
    buffer seen: [...shape] = 0
    if training:
        update seen = x
    return x

model M():
    input x: {shape}
    param p: [] = 0
    {module}
    y = {call}
    s = Seen(shape_of(y))
    loss objective = 0 * sum(s(y)) + p

train:
    minimize objective with sgd(lr=0.1)
"""


def step_of(call: str, x: Array, dtype: DType, seed: int = 0, steps: int = 1, module: str = "") -> dict[str, Array]:
    """The carried tensors after some training steps on x: ``s.seen`` is what the call gave in the last of them."""
    module = f"m = {module}" if module else "pass_on = 0"
    text = SPEC.format(shape=list(x.shape), call=call, module=module)
    program = elaborate(parse_spec(Source("training.arch", text)), float_type=dtype)
    (step,) = train_steps(program, program.programs[0], None, None)
    assert isinstance(step, TrainStep)
    session = open_graph(step.graph, {}, OPTIONS)
    wanted = {one.name for one in session.handle.get_inputs()}
    names = [one.name for one in session.handle.get_outputs()]
    numbers = FLOATS[dtype]
    state: dict[str, Any] = {"x": x.astype(numbers), SEED: np.array(seed), **initial_state(step)}
    for path, parameter in program.parameters.items():
        filled = 1.0 if path.endswith(("scale", "variance")) else 0.0
        state[path] = np.full(parameter.shape, filled, numbers)
    for number_of_step in range(steps):
        state[STEP] = np.array(number_of_step)
        outputs = dict(zip(names, session.handle.run(names, {k: state[k] for k in wanted}), strict=True))
        state |= {name: outputs[f"next/{name}"] for name in step.carried}
    return state


@family("batch statistics", seeds=30, sample=3)
def statistics(rng: np.random.Generator, seed: int) -> Direct:
    """BatchNorm in training: what it gives, and the running mean and variance after some steps."""
    c, momentum, steps = int(rng.integers(1, 4)), number(rng, 0.05, 0.9), int(rng.integers(1, 4))
    shape = (int(rng.integers(2, 5)), c, *(int(n) for n in rng.integers(1, 4, rng.integers(0, 3))))
    x = single(normal(rng, *shape) + choose(rng, 0.0, 5.0, 100.0))
    axes = (0, *range(2, x.ndim))

    def check() -> list[Outcome]:
        mean, variance, count = x.mean(axes), x.var(axes), x.size / c
        kept = (1 - momentum) ** steps
        channel = (slice(None), *[None] * (x.ndim - 2))
        wanted = {
            "s.seen": (x - mean[channel]) / np.sqrt(variance[channel] + 1e-5),
            "m.running_mean": (1 - kept) * mean,
            "m.running_variance": kept + (1 - kept) * variance * count / max(count - 1, 1),
        }
        found = []
        for dtype in FLOATS:
            state = step_of("m(x)", x, dtype, steps=steps, module=f"BatchNorm(momentum={momentum})")
            offset = np.abs(x).max() / math.sqrt(float(variance.min()) + 1e-5)
            for name, want in wanted.items():
                scale = np.abs(want) + np.abs(want).max() + (offset if name == "s.seen" else offset * 1e-3)
                found.append(compare(f"{name} {dtype}", state[name], want, scale, dtype=dtype))
        return found

    return Direct(f"BatchNorm(momentum={momentum}) of {list(shape)}, {steps} steps", check)


def _share(name: str, hits: Array, p: float) -> Outcome:
    """How often something came up, in sixths of what chance allows."""
    allowed = 6 * math.sqrt(p * (1 - p) / hits.size) + 1e-9
    return Outcome(name, abs(float(hits.mean()) - p) / allowed, f"{hits.mean():.4g} for {p}")


def _exactly(name: str, holds: Any) -> Outcome:
    return Outcome(name, 0.0 if bool(np.all(holds)) else FAR)


def _dropout(rng: np.random.Generator, kind: int) -> tuple[str, Callable[[int], list[Outcome]]]:
    """Dropout of elements, channels and examples: kept and scaled, or 0, at the right rate."""
    rate = number(rng, 0.05, 0.9)
    name = ("Dropout", "SpatialDropout", "DropPath")[kind]
    scale = choose(rng, "inverted", "test_time")
    x = single(rng.uniform(1, 2, (200, 50, 2)))
    call = f"{name}({rate}, scale={scale})(x)"

    def check(seed: int) -> list[Outcome]:
        y = step_of(call, x, DType.f32, seed)["s.seen"]
        kept = y != 0
        factor = 1 / (1 - rate) if scale == "inverted" else 1.0
        places = [kept, kept.all(-1), kept.all((-2, -1))][kind]
        whole = [True, kept.all(-1) == kept.any(-1), kept.all((-2, -1)) == kept.any((-2, -1))][kind]
        near = np.abs(y - factor * x * kept) <= 1e-6 * np.abs(factor * x)
        return [_exactly("kept and scaled", near), _exactly("as one", whole), _share("rate", places, 1 - rate)]

    return call, check


def _noise(rng: np.random.Generator, kind: int) -> tuple[str, Callable[[int], list[Outcome]]]:
    """Normal noise: its deviation, and that it has no mean."""
    std = number(rng, 0.05, 2)
    x = normal(rng, 100, 100) if kind < 2 else np.ones((1, 3))
    # parameters are 0 here, so that three weights and a bias add up to noise of twice the deviation
    call = (f"GaussianNoise({std})(x)", f"noisy(x, {std})", f"0 * m(x) + weight_noise(m, {std / 2})(x)")[kind]

    def check(seed: int) -> list[Outcome]:
        y = step_of(call, x, DType.f32, seed, module="Dense(10000)" if kind == 2 else "")["s.seen"]
        z = (y - (x if kind < 2 else 0)) / std
        return [
            Outcome("mean", abs(float(z.mean())) / (6 / math.sqrt(z.size)), f"{z.mean():.3g}"),
            Outcome("variance", abs(float(z.var()) - 1) / (6 * math.sqrt(2 / z.size)), f"{z.var():.4g}"),
        ]

    return call, check


def _images(rng: np.random.Generator, kind: int) -> tuple[str, Callable[[int], list[Outcome]]]:
    """Flips, shifts, crops and cuts: every image is one of those that may come out."""
    most, size = int(rng.integers(1, 3)), int(rng.integers(2, 5))
    padding, p = int(rng.integers(0, 2)), number(rng, 0.2, 0.8)
    x = normal(rng, 64, 1, 5, 5)
    call = (f"RandomFlip({p})(x)", f"RandomShift({most})(x)", f"RandomCrop({size}, padding={padding})(x)",
            f"Cutout({size})(x)")[kind]  # fmt: skip

    def may() -> list[Array]:
        if kind == 0:
            return [x, x[..., ::-1]]
        if kind == 1:
            return [shift_of(x, i, j) for i in range(-most, most + 1) for j in range(-most, most + 1)]
        if kind == 2:
            wide = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
            places = range(5 + 2 * padding - size + 1)
            return [wide[:, :, i : i + size, j : j + size] for i in places for j in places]
        cuts = []
        for i in range(5):
            for j in range(5):
                one = x.copy()
                low = size // 2
                one[:, :, max(i - low, 0) : max(i - low + size, 0), max(j - low, 0) : max(j - low + size, 0)] = 0
                cuts.append(one)
        return cuts

    def check(seed: int) -> list[Outcome]:
        y = step_of(call, x, DType.f32, seed)["s.seen"]
        fits = np.array([[np.allclose(y[b], one[b], atol=1e-6) for one in may()] for b in range(len(x))])
        found = [_exactly("one of those that may be", fits.any(1))]
        if kind == 0:
            found.append(_share("flips", fits[:, 1], p))
        else:
            found.append(_exactly("many of them occur", fits.any(0).mean() > 0.5))
        return found

    return call, check


def _mixed(rng: np.random.Generator, kind: int) -> tuple[str, Callable[[int], list[Outcome]]]:
    """mixup: one share for each example, between 0 and 1, of an example and its partner."""
    alpha = number(rng, 0.1, 1)
    x = normal(rng, 400, 3)
    call = f"mixup(x, x[:, 0], {alpha}).x"

    def check(seed: int) -> list[Outcome]:
        y = step_of(call, x, DType.f32, seed)["s.seen"]
        other = x[::-1]
        gap = np.where(np.abs(x - other) < 1e-2, np.nan, x - other)
        share = (y - other) / gap
        spread = np.nanmax(share, 1) - np.nanmin(share, 1)
        of_all = np.nanmedian(share, 1)
        inside = (of_all > -1e-3) & (of_all < 1 + 1e-3)
        variance = 1 / (4 * (2 * alpha + 1))
        return [
            _exactly("one share an example", spread < 1e-3),
            _exactly("a share", inside),
            Outcome("mean share", abs(float(of_all.mean()) - 0.5) / (6 * math.sqrt(variance / len(x))), ""),
            Outcome("variance of shares", abs(float(of_all.var()) - variance) / (6 * variance / math.sqrt(len(x))), ""),
        ]

    return call, check


KINDS: tuple[tuple[Callable[[np.random.Generator, int], tuple[str, Callable[[int], list[Outcome]]]], int], ...] = (
    *((_dropout, kind) for kind in range(3)),
    *((_noise, kind) for kind in range(3)),
    *((_images, kind) for kind in range(4)),
    (_mixed, 0),
)


@family("draws in training", seeds=6 * len(KINDS), sample=len(KINDS), units=1)
def drawn_in_training(rng: np.random.Generator, seed: int) -> Direct:
    """Dropout, noise and augmentation as a training step sees them."""
    make, kind = KINDS[seed % len(KINDS)]
    call, check = make(rng, kind)
    return Direct(call, lambda: check(seed))


@family("the same in use", seeds=2 * 8, sample=4)
def in_use(rng: np.random.Generator, seed: int) -> Setting:
    """Outside training these layers leave their input as it is, or scale it."""
    rate = number(rng, 0.1, 0.9)
    x = normal(rng, 3, 2, 4, 4)
    cases: list[tuple[str, float]] = [
        (f"Dropout({rate})($x)", 1.0),
        (f"Dropout({rate}, scale=test_time)($x)", 1 - rate),
        (f"SpatialDropout({rate})($x)", 1.0),
        (f"DropPath({rate})($x)", 1.0),
        (f"GaussianNoise({rate})($x)", 1.0),
        ("RandomFlip()($x)", 1.0),
        ("RandomShift(2)($x)", 1.0),
        ("Cutout(2)($x)", 1.0),
    ]
    call, factor = cases[seed % len(cases)]
    return Setting(call, {"x": x}, lambda v: factor * v["x"], elementwise=True)
