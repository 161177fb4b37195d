"""Many of a thing: what is done once for parameters of one type is right for each, and twice as many cost twice."""

from __future__ import annotations

import numpy as np
import pytest

from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.graph import needed
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import WORK, Budget
from archonnx.grammar.diagnostics import Report, SpecError, make_error
from archonnx.grammar.source import Source, Span
from tests.support.elaborated import model, numbers, program, run_steps, train_step

NAMES = "abc"
SLOPES = {"a": 1.0, "b": -2.0, "c": 0.5}
NOISY = """
optimizer noisy(lr: float = 0.1)(p: [...S], g: [...S], t: i64[]) -> [...S]:
    z ~ normal(0, 1)
    return p - lr * g + 0 * p + zeros_like(p) + z
"""


@pytest.mark.parametrize(
    "optimizer", ["sgd(lr=0.1, momentum=0.9)", "adam(lr=0.01)", "adamw(lr=0.01, weight_decay=0.1)"]
)
def test_parameters_of_one_type_have_updates_and_states_of_their_own(optimizer: str) -> None:
    """Three parameters of one type change as each does where it is the only one."""

    def after(names: str) -> dict[str, np.ndarray]:
        body = "\n".join([*(f"param {n}: [3] = 0" for n in names), "u = mean(x)"])
        losses = " + ".join(f"{SLOPES[n]} * sum({n} ** 2 + {n})" for n in names)
        text = model(f"{body}\nloss l = {losses} + 0 * u", after=f"\ntrain:\n    minimize l with {optimizer}\n")
        start = {n: numbers(3, seed=ord(n)) for n in names}
        return run_steps(train_step(program(text)), start, {**start, "x": numbers(2, 4)}, 4)[-1]

    together = after(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(together[name], after(name)[name])


def test_an_optimizer_that_draws_draws_for_each_parameter() -> None:
    text = model(
        "param a: [3] = 0\nparam b: [3] = 0\nloss l = sum(a) + sum(b) + mean(x)",
        before=NOISY.replace("z ~ normal(0, 1)\n", "z: [...S] ~ normal(0, 1)\n"),
        after="\ntrain:\n    minimize l with noisy\n",
    )
    start = {"a": np.zeros(3, np.float32), "b": np.zeros(3, np.float32)}
    last = run_steps(train_step(program(text)), start, {**start, "x": numbers(2, 4), "seed": 3, "step": 0}, 1)[-1]
    assert not np.array_equal(last["a"], last["b"])


def work(text: str) -> int:
    """What the check of a spec costs; its findings do not matter."""
    own = Budget(10 * WORK)
    try:
        with bounded(own):
            elaborate(parse_spec(Source("spec.arch", text)), simplify=False)
    except SpecError:
        pass
    return 10 * WORK - own.left


MANY = {
    "layers": lambda n: model(f"for i in range({n}):\n    x = x |> Dense(4)\noutput y = x"),
    "parameters": lambda n: model("\n".join(f"param p{i}: [3] = 0" for i in range(n)) + "\noutput y = x"),
    "statements": lambda n: model("\n".join(f"h{i} = x + {i}" for i in range(n)) + "\noutput y = x"),
    "outputs": lambda n: model("\n".join(f"output y{i} = x + {i}" for i in range(n))),
    "entries": lambda n: model(
        "output y = x\n" + "\n".join(f"entry e{i}(z: [R, 4]) -> [R, 4]:\n        return z + {i}" for i in range(n))
    ),
    "updates": lambda n: model(
        f"for i in range({n}):\n    x = x |> Dense(4)\nloss l = mean(x)", after="\ntrain:\n    minimize l with adam\n"
    ),
    "errors": lambda n: model("\n".join(f"h{i} = x @ [1]" for i in range(n)) + "\noutput y = x"),
    "misspelt names": lambda n: model("\n".join(f"h{i} = soft_maxx{i}(x)" for i in range(n)) + "\noutput y = x"),
    "equal findings": lambda n: model(f"for i in range({n}):\n    h = nothing(x)\noutput y = x"),
}


@pytest.mark.parametrize("what", MANY)
def test_twice_as_many_cost_at_most_about_twice_as_much(what: str) -> None:
    few, many = (work(MANY[what](n)) for n in (20, 40))
    assert few > 0
    assert many < 2.5 * few


def test_a_report_keeps_what_somebody_may_read() -> None:
    source = Source("a.arch", "x" * 5000)
    report = Report()
    for turn in range(2):
        for at in range(2_000):
            report.add(make_error("AX0201", "the same words", Span(source, at, at + 1)))
            report.add_at_place(make_error("AX0201", f"other words {turn}", Span(source, at, at + 1)))
    assert [d.span.start for d in report.diagnostics if d.span] == list(range(100))


def test_what_is_behind_a_value_is_what_it_needs() -> None:
    """Also after nodes were taken out, as a loop does with those of its body."""
    builder = Builder()
    with builder.active():
        values = [Value(TensorType.of("f32", 3), "x")]
        for number in range(30):
            values.append(values[number // 2] + values[number])
            if number == 20:
                assert builder.behind(values[5:6]) == needed(builder.nodes, values[5:6])
                del builder.nodes[17:], values[18:]
                values += [values[3] * values[4] for _ in range(8)]
        for value in values:
            assert builder.behind([value]) == needed(builder.nodes, [value])
