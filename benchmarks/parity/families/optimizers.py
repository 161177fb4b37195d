"""Optimizers over two hundred steps with random gradients, beside the step by hand in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archonnx.compiler.ir.types import DType
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.compiler.program import TrainStep
from archonnx.compiler.steps import initial_state
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import open_graph
from tests.support.oracles import optimizers as by_hand

from ..analytic import Array
from ..judging import SINGLE, compare
from ..running import FLOATS, OPTIONS
from ..setting import Direct, Outcome, choose, family, normal, number, single

STEPS, SIZE = 200, 6


def _case(rng: np.random.Generator, kind: int) -> tuple[str, by_hand.Rule]:
    """A call, and the same step in NumPy."""
    lr = float(f"{10 ** rng.uniform(-4, -1):.3g}")
    momentum, dampening = number(rng, 0.1, 0.99), number(rng, 0.1, 0.9)
    decay = number(rng, 1e-3, 0.3)
    rho, beta1 = number(rng, 0.5, 0.999), number(rng, 0.1, 0.95)
    beta2 = choose(rng, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, number(rng, 0.2, 0.99))
    eps = choose(rng, 1e-12, 1e-10, 1e-8, 1e-6, 1e-3)
    root, ams = bool(rng.integers(2)), bool(rng.integers(2))
    of_root, of_ams = f"eps_in_root={str(root).lower()}", f"amsgrad={str(ams).lower()}"
    betas = f"{lr}, {beta1}, {beta2}, {eps}"
    cases: list[tuple[str, by_hand.Rule]] = [
        (f"sgd({lr}, {momentum}, nesterov={str(root).lower()})", by_hand.sgd(lr, momentum, root)),
        (f"sgd({lr}, {momentum}, dampening={dampening}, weight_decay={decay})",
         by_hand.sgd(lr, momentum, False, dampening, decay)),
        (f"adagrad({lr}, {eps}, {decay}, {of_root})", by_hand.adagrad(lr, eps, decay, root)),
        (f"rmsprop({lr}, {rho}, {max(eps, 1e-8)}, {momentum}, centred={str(ams).lower()}, {of_root})",
         by_hand.rmsprop(lr, rho, max(eps, 1e-8), momentum, ams, root)),
        (f"adadelta({10 * lr}, {rho}, {max(eps, 1e-8)})", by_hand.adadelta(10 * lr, rho, max(eps, 1e-8))),
        (f"adam({betas}, {of_ams}, {of_root})", by_hand.adam(lr, beta1, beta2, eps, amsgrad=ams, in_root=root)),
        (f"adamw({betas}, {decay})", by_hand.adam(lr, beta1, beta2, eps, weight_decay=decay)),
        (f"nadam({betas})", by_hand.nadam(lr, beta1, beta2, eps)),
        (f"radam({betas})", by_hand.radam(lr, beta1, beta2, eps)),
        (f"adamax({betas})", by_hand.adamax(lr, beta1, beta2, eps)),
        (f"lion({lr}, {beta1}, {min(beta2, 0.999)}, {decay})", by_hand.lion(lr, beta1, min(beta2, 0.999), decay)),
        (f"sgd({lr})", by_hand.sgd(lr)),
    ]  # fmt: skip
    return cases[kind]


def trained(call: str, start: Array, gradients: Sequence[Array], dtype: DType) -> Array:
    """The parameter after each step; the loss is its product with the gradient that is wanted."""
    text = (f"model M():\n    input g: [{SIZE}]\n    param p: [{SIZE}] = 0\n    loss objective = sum(g * p)\n"
            f"\ntrain:\n    minimize objective with {call}\n")  # fmt: skip
    program = elaborate(parse_spec(Source("optimizer.arch", text)), float_type=dtype)
    (step,) = train_steps(program, program.programs[0], None, None)
    assert isinstance(step, TrainStep)
    session = open_graph(step.graph, {}, OPTIONS)
    wanted = {one.name for one in session.handle.get_inputs()}
    names = [one.name for one in session.handle.get_outputs()]
    numbers = FLOATS[dtype]
    state = {"p": start.astype(numbers), **initial_state(step)}
    found = []
    for g in gradients:
        feeds = {name: value for name, value in {**state, "g": g.astype(numbers)}.items() if name in wanted}
        outputs = dict(zip(names, session.handle.run(names, feeds), strict=True))
        state |= {name: outputs[f"next/{name}"] for name in step.carried}
        found.append(np.array(state["p"], np.float64))
    return np.array(found)


def followed(rule: by_hand.Rule, start: Array, gradients: Sequence[Array]) -> Array:
    """The same by hand."""
    p = start
    state: by_hand.State = {}
    found: list[Array] = []
    for t, g in enumerate(gradients, 1):
        p = rule(t, p, g, state, True)
        found.append(p)
    return np.array(found)


def _gradients(rng: np.random.Generator) -> list[Array]:
    """Of every size, steady or changing; some are 0 at first, or now and then."""
    sizes = 10 ** rng.uniform(-4, 2, SIZE)
    steady = rng.normal(size=SIZE) * choose(rng, 0.0, 1.0, 3.0)
    late = np.arange(SIZE) == 0
    return [
        single(sizes * (steady + rng.normal(size=SIZE)) * (t > 20 * late) * (rng.uniform(size=SIZE) > 0.1))
        for t in range(1, STEPS + 1)
    ]


@family("optimizers", seeds=12 * 20, sample=12, units=256)
def optimizer(rng: np.random.Generator, seed: int) -> Direct:
    """Random hyperparameters, beta2 up to 0.99999 and eps down to 1e-12."""
    call, rule = _case(rng, seed % 12)

    def check() -> list[Outcome]:
        start, gradients = normal(rng, SIZE), _gradients(rng)
        with np.errstate(all="ignore"):
            want = followed(rule, start, gradients)
            moves = np.abs(np.diff(want, axis=0, prepend=start[None])).cumsum(0)
            scale = np.maximum.accumulate(np.abs(want)) + moves
            for _ in range(2):
                moved = [g * (1 + SINGLE * rng.uniform(-1, 1, SIZE)) for g in gradients]
                scale = scale + np.abs(followed(rule, start, moved) - want) / SINGLE
        return [
            compare(f"path {dtype}", trained(call, start, gradients, dtype), want, scale, dtype=dtype)
            for dtype in FLOATS
        ]

    return Direct(call, check)
