"""Applications of modules that are alike are elaborated once: what comes out is what each by itself gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Module
from archonnx.compiler.elaborate.meaning import modules
from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.program import Computation, ModelProgram
from tests.support import elaborated

TRAIN = "\ntrain:\n    minimize objective with sgd(lr=0.1)\n"
RESIDUAL = """
block Residual(units: int)(x: [B, n]) -> [B, n]:
    inner = x |> Dense(units) |> BatchNorm() |> relu |> Dense(n)
    return x + inner
"""
ALIKE = {
    "layers": ("", "for _ in range(4):\n    x = x |> Dense(4) |> tanh\nloss objective = p * mean(x)"),
    "blocks": (RESIDUAL, "for units in [3, 3, 5, 3]:\n    x = x |> Residual(units)\nloss objective = p * mean(x)"),
    "lines": (RESIDUAL, "a = x |> Residual(3)\nb = a |> Residual(3)\nloss objective = p * mean(b) + mean(a)"),
    "made before": (RESIDUAL, "stages = [Residual(3) for _ in range(3)]\nloss objective = p * mean(x |> stages)"),
    "attention": (
        "",
        'y = rearrange(x, "b (t d) -> b t d", t=2)\nfor _ in range(3):\n'
        "    y = y |> MultiHeadAttention(2, causal=true) |> LayerNorm()\nloss objective = p * mean(y)",
    ),
}
NOT_ALIKE = {
    "numbers that are given": (
        "block Times()(x: [B, n], k = 1.0) -> [B, n]:\n    return x * k\n",
        "a = Times()(x, 2.0)\nb = Times()(a, 3.0)\nloss objective = p * mean(b)",
    ),
    "frozen by a program": (
        RESIDUAL,
        "one = Residual(3)\ntwo = Residual(3)\nloss objective = p * mean(x |> one |> two)",
    ),
    "draws": ("", "for _ in range(3):\n    x = x |> Dropout(0.5)\nloss objective = p * mean(x)"),
    "a number that is in the body": (
        "block More()(x: []) -> []:\n    return x + 2.0\n",
        "a = More()(2.0)\nb = More()(mean(x))\nloss objective = p * a * b",
    ),
    "gradients": (
        "block Slope()(y: [], x: [B, n]) -> [B, n]:\n    return grad(y, x)\n",
        "a = Slope()(sum(x * x), x)\nb = Slope()(sum(x * x * x), x)\nloss objective = p * mean(a * b)",
    ),
    "initial values of what is given": (
        "block From()(x: [B, n], start: [n]) -> [B, n]:\n    param W: [n] = start\n    return x * W\n",
        "a = From()(x, tensor([1.0, 2.0, 3.0, 4.0]) * 2.0)\nb = From()(a, tensor([5.0, 6.0, 7.0, 8.0]) * 2.0)\n"
        "loss objective = p * mean(b)",
    ),
    "known positions": (
        "block At()(x: [B, n], at: i64[1]) -> [B, 1]:\n    return gather(x, at, axis=1)\n",
        "a = At()(x, tensor([-1]))\nb = At()(x, tensor([0]) + 1)\nloss objective = p * mean(a + b)",
    ),
    "one module twice": (
        RESIDUAL,
        "one = Residual(3)\nother = Residual(3)\nloss objective = p * mean(x |> one |> other |> one |> other)",
    ),
    "frozen": (
        RESIDUAL,
        "one = Residual(3)\ntwo = Residual(3)\nthree = frozen(one)\nloss objective = p * mean(x |> one |> two |> three)",
    ),
    "copies": (
        "",
        "one = Dense(4)\ny = x |> one |> Dense(4)\ntwo = copy(one)\nloss objective = p * mean(y |> two |> Dense(4))",
    ),
    "a module as argument": (
        "block Around(inner: module)(x: [B, n]) -> [B, n]:\n    return x + inner(x)\n",
        "one = Dense(4)\ntwo = Dense(4)\nloss objective = p * mean(x |> Around(one) |> Around(two))",
    ),
    "facts": (
        "block First(n: dim)(x: [B, k]) -> [B, k]:\n    assert B >= n\n    return x\n",
        "for _ in range(3):\n    x = x |> First(2)\nloss objective = p * mean(x)",
    ),
}


def told(program: ModelProgram) -> list[str]:
    """All that a program says: graphs with names, places and modules, where parameters start, what tensors are called."""
    found = [repr((program.modules, program.assumptions, program.directions))]
    for computation in (program.use, program.training):
        found += [*of_graph(computation.graph), *names(computation)]
    for path, parameter in program.parameters.items():
        found += [
            f"{path} {parameter.type} {parameter.trainable} {parameter.origin.path}",
            *of_graph(parameter.initial),
        ]
    for step in program.programs[0].steps or ():
        found += of_graph(step.graph)
    return [*found, *(f"{one.path} {[value.origin.path for value in one.results]}" for one in program.applications)]


def of_graph(graph: Graph) -> list[str]:
    """The text of a graph, and of each of its values the name and the module."""
    places = [(value.name, value.origin.path, str(value.origin), value.origin.use) for value in graph.values()]
    return [
        print_graph(graph),
        *map(str, places),
        *(str((n.origin.path, n.origin.use, n.origin.used)) for n in graph.nodes),
    ]


def names(computation: Computation) -> list[str]:
    """What the spec calls its tensors, and which these are."""
    numbers = {value: number for number, value in enumerate(computation.graph.values())}
    return [f"{one.name} {one.kind} {one.place} {one.inner} {numbers.get(one.value)}" for one in computation.names]


Run = Callable[[], Any]


@pytest.mark.parametrize("case", [*ALIKE, *NOT_ALIKE])
def test_what_is_repeated_is_what_each_by_itself_gives(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, body = (ALIKE | NOT_ALIKE)[case]
    program = TRAIN.replace("train:", "train:\n    freeze = [two]") if case == "frozen by a program" else TRAIN
    spec = elaborated.model(f"param p: [] = 1\n{body}", before=before, after=program)
    runs = counted(monkeypatch)
    repeated, fewer = told(elaborated.program(spec)), len(runs)
    monkeypatch.setattr(modules, "once_for_all", lambda inner, module, run: runs.append(module) or run())
    assert told(elaborated.program(spec)) == repeated
    assert case in NOT_ALIKE or fewer < len(runs) - fewer


def test_the_thousandth_layer_is_elaborated_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = counted(monkeypatch)
    body = "for _ in range(1000):\n    x = x |> Dense(4)\nloss objective = mean(x)"
    program = elaborated.program(elaborated.model(body))
    assert len(program.parameters) == 2000 and list(program.parameters)[-1] == "dense.999.b"
    assert len(runs) == 4  # as it is used, and as it is trained; what the first is given has a type that is written


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Module]:
    """The modules whose bodies are run from here on."""
    runs: list[Module] = []
    real = modules.once_for_all

    def once_for_all(inner: Frame, module: Module, run: Run) -> Any:
        return real(inner, module, lambda: runs.append(module) or run())

    monkeypatch.setattr(modules, "once_for_all", once_for_all)
    return runs
