"""What a check may cost: whatever a spec asks for, the work is counted, counted alike, and ends in one finding.

The budgets here are small, so that a test is quick; what is compared is the work that was counted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from archonnx.compiler.elaborate.core.static import TEXT, shown
from archonnx.compiler.ir.dims import MAX_SIZE, Dim
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar import budget
from archonnx.grammar.bounded import bounded
from archonnx.grammar.budget import Budget, Cost, OverBudget, hold, spend
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from tests.support.elaborated import codes, model

WORK, BYTES = 300_000, 24 * 2**20


def checked(text: str, work: int = WORK, size: int = BYTES) -> tuple[Budget, list[Any], float]:
    """What a check of a spec spends and finds, and its processor time."""
    own, begin = Budget(work, size), time.process_time()
    try:
        with bounded(own):
            elaborate(parse_spec(Source("spec.arch", text)), simplify=False)
    except SpecError as error:
        return own, error.diagnostics, time.process_time() - begin
    return own, [], time.process_time() - begin


def repeated(step: str, times: int, first: str = "") -> str:
    """A model that runs a statement again and again."""
    lines = [*first.split("; "), f"for i in range({times}):", *(f"    {line}" for line in step.split("; "))]
    return model("\n".join([*filter(None, lines), "output y = x"]))


HOSTILE = {
    "a long loop": (repeated("k = i * 2", 20_000), "expressions and statements"),
    "a loop of layers": (repeated("x = x |> Dense(4)", 9_000), "modules and their parameters"),
    "sizes": (repeated("d = (d * d + B + i) // (d + 3)", 1_000, "d = B"), "out of range"),
    "sizes under another": (repeated("e = (B - i) ** 9 % (B + i + 7)", 5_000), "arithmetic on sizes"),
    "lists in lists": (repeated("a = [a, a]", 60, "a = [1]"), "items"),
    "dicts in dicts": (repeated("a = {one: a, two: [a]}", 60, "a = {one: 1}"), "items"),
    "pairs of pairs": (repeated("a = zip(a, reversed(a))", 60, "a = [1, 2]"), "items"),
    "lists beside each other": (repeated("b = a[1:]", 5_000, "a = [0] * 600000"), "items"),
    "a list of tensors that grows in front": (repeated("h = h + x; a = [h] + a", 400, "a = []; h = x"), "items"),
    "lists compared": (repeated("b = a == c", 5_000, "a = [[1, 2]] * 90000; c = a + []"), "items"),
    "lists of sizes compared": (repeated("b = a == c", 5_000, "a = [B] * 9000; c = a + []"), "items"),
    "a constant": (repeated("x = x + sum(tensor(a))", 500, "a = [0.5] * 200000"), "constants"),
    "points on a line": (repeated("x = x + sum(linspace(0, 1, 300000))", 500), "constants"),
    "parts": (model("a = split(x, 4000000)\noutput y = x", "x: [B, 4000000]"), "nodes of the graph"),
    "axes": (model("output y = sum(reshape(x, [1] * 900 + [-1]))"), "901 axes"),
    "gradients of gradients": (repeated("y = sum(grad(y, x) ** 2)", 40, "y = sum(tanh(x) * x)"), "gradients"),
    "facts": (
        model("".join(f"assert B * {k} >= T + {k * k}\n" for k in range(2, 90)) + "output y = x", "x: [B, T]"),
        "sizes",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_asked_for_is_counted_and_ends_in_one_finding(what: str) -> None:
    text, words = HOSTILE[what]
    own, found, seconds = checked(text)
    assert len(found) == 1 and found[0].code in ("AX0215", "AX0229", "AX0311", "AX0327")
    assert words in f"{found[0].headline}"
    used = WORK - max(0, own.left)
    assert seconds < 1.0 + 12e-6 * used, "work that takes this long counts for more"


def test_the_finding_shows_the_statement_that_took_most() -> None:
    lines = ["small = [i for i in range(50)]", "for i in range(60000):", "    d = (B + i) % (i + 3)", "output y = x"]
    own, (found,), _ = checked(model("\n".join(lines)))
    assert found.code == "AX0229" and found.span.text == "d = (B + i) % (i + 3)"
    assert found.labels[0].text.endswith("% of the work is done here") and found.help is not None
    assert own.left < 0


def test_work_in_the_library_is_that_of_the_statement_that_asks_for_it() -> None:
    text = model("for i in range(9000):\n    h = x |> MLP([4, 4, 4])\noutput y = x")
    _, (found,), _ = checked(text)
    assert found.span.text == "h = x |> MLP([4, 4, 4])" and not found.span.source.library


def test_the_same_spec_costs_the_same() -> None:
    text = model("d = B * 2\nfor i in range(20):\n    x = x |> Dense(4) |> relu\nloss l = mean(x)") + (
        '\ntrain:\n    data = sklearn("iris")\n    feed x = data.data\n    minimize l with adam\n'
    )
    first, second = (checked(text)[0] for _ in range(2))
    assert first.totals() == second.totals() and sum(first.totals().values()) == WORK - first.left > 0


@pytest.mark.parametrize(
    "op", ["max(d - 1, T + i)", "min(d * 3 - 5, T + i)", "(d % 7) // 3 + T", "(2 * d + i) // 3 % (T + 5)"]
)
def test_sizes_inside_sizes_cost_a_polynomial(op: str) -> None:
    """Twice as many cost at most nine times as much (a cube and something); they cost 2 ** n once."""
    spent = [
        checked(model(f"d = B\nfor i in range({n}):\n    d = {op}\noutput y = zeros([d])", "x: [B, T]"), 10**9)[0]
        for n in (20, 40)
    ]
    work = [10**9 - one.left for one in spent]
    assert work[1] < 9 * work[0] and work[1] < 2_000_000


def test_a_dim_has_a_largest_size_and_largest_coefficients() -> None:
    d = Dim.of("B")
    with pytest.raises(OverflowError, match="too long"):
        for _ in range(30):
            d = (d * 2 + 1) // (d + 3)
            assert d.size <= MAX_SIZE
    with pytest.raises(OverflowError, match="coefficient"):
        (Dim.of("B") * 3) ** 100_000


def test_what_is_stated_again_and_again_is_cheap() -> None:
    """A hundred facts of which none helps: each pair was tried once."""
    facts = "".join(f"assert B >= T + {k}\n" for k in range(100))
    own, found, _ = checked(model(f"{facts}output y = x[:, B:]", "x: [B, T]"), 10**9)
    assert [one.code for one in found] == ["AX0317"] and 10**9 - own.left < 3_000_000


def test_equality_of_dicts_knows_of_sizes() -> None:
    assert codes(model("assert {a: [B]} == {a: [B + 0]}\noutput y = x")) == []
    assert codes(model("assert {a: [B]} == {a: [B + 1]}\noutput y = x")) == ["AX0319"]
    assert codes(model("assert {a: B} == {b: B}\noutput y = x")) == ["AX0319"]


def test_messages_show_as_much_as_can_be_read() -> None:
    assert shown([1, [2, {"a": 3}]]) == "[1, [2, {a: 3}]]"
    long = [[k] * 100 for k in range(10_000)]
    assert len(shown(long)) == TEXT + 3 and shown(long).endswith("...")


def test_one_budget_counts_whatever_is_inside() -> None:
    spend(Cost.dims, 10**12)  # nobody counts here
    with bounded(Budget(100, 100)) as own:
        with bounded() as inner:
            assert inner is own
            spend(Cost.dims, 60)
        with pytest.raises(OverBudget):
            hold(Cost.items, 101)
        with pytest.raises(OverBudget):
            spend(Cost.dims, 60)
    assert budget.current() is None


def test_memory_that_is_not_there_is_a_finding_too() -> None:
    with pytest.raises(SpecError) as caught, bounded():
        raise MemoryError
    assert [d.code for d in caught.value.diagnostics] == ["AX0229"]


def test_what_nobody_counts_is_ended_by_the_clock() -> None:
    program = (
        "from archonnx.cli import limits; limits.SECONDS = 0.2; limits.limit()\n"
        "from archonnx.grammar.bounded import bounded; from archonnx.grammar.budget import at_statement\n"
        "from archonnx.grammar.source import Source, Span\n"
        "with bounded(), at_statement(Span(Source('a.arch', 'x = y'), 0, 5)):\n"
        "    while True: pass\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "AX0229" in result.stderr and "a.arch:1:1" in result.stderr and "100 % of the work" in result.stderr


def test_a_process_that_takes_long_to_end_is_not_ended_by_its_clock() -> None:
    program = (
        "import sys\nfrom archonnx.cli.limits import limit\n"
        "class Late:\n    def __del__(self):\n        sum(range(10_000_000))\n"
        "limit()\nsys.late = Late()\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_the_clock_waits_for_work_that_is_counted_and_for_what_follows() -> None:
    program = (
        "from archonnx.cli import limits; limits.SECONDS = 0.1; limits.limit()\n"
        "from archonnx.grammar.bounded import bounded; from archonnx.grammar.budget import Cost, spend\n"
        "import time\n"
        "with bounded():\n"
        "    spend(Cost.nodes, 150_000)\n"
        "    while time.process_time() < 0.4: pass\n"
        "while time.process_time() < 0.5: pass\n"
        "print('done')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert result.stdout == "done\n"


@pytest.mark.parametrize(
    ("given", "times"), [("", 1), ("1", 1), ("7", 7), ("99999", 1000), ("0", 1), ("-2", 1), ("x", 1)]
)
def test_a_spec_that_is_trusted_may_take_more(monkeypatch: pytest.MonkeyPatch, given: str, times: int) -> None:
    monkeypatch.setenv("ARCHONNX_WORK", given)
    assert (Budget().left, Budget().room) == (budget.WORK * times, budget.BYTES * times)
    with bounded():
        spend(Cost.dims, budget.WORK * times)
    with pytest.raises(SpecError) as caught, bounded():
        spend(Cost.dims, budget.WORK * times + 1)
    assert "`ARCHONNX_WORK=10`" in caught.value.diagnostics[0].notes[0]


def test_a_list_that_grows_at_its_end_costs_its_new_items() -> None:
    def work(steps: int) -> int:
        own, found, _ = checked(repeated("h = h + x; a = a + [h]", steps, "a = []; h = x"), 10 * WORK, 10 * BYTES)
        assert not found
        return 10 * WORK - own.left

    assert work(800) - work(600) < 1.5 * (work(400) - work(200))
