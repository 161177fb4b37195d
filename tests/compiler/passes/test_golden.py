"""Golden pages: graphs before and after the standard passes, with the rules that fired."""

from __future__ import annotations

from typing import Any

from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.ir.verify import verify
from archonnx.compiler.passes.manager import Pipeline, standard_passes
from archonnx.compiler.passes.rewrite import Rewrite
from tests.support.golden import GOLDEN, Case, Golden, golden_cases, read_cases


def optimised(text: str) -> tuple[set[str], str]:
    """The names of the rules that fired, and the graph after the standard passes."""
    graph = parse_graph(text)
    verify(graph)
    passes = standard_passes()
    result = Pipeline(passes, verify=True).run(graph)
    return {name for step in rewrites(passes) for name in step.fired}, print_graph(result)


def rewrites(passes: Any) -> list[Rewrite]:
    return [step for step in passes if isinstance(step, Rewrite)]


@golden_cases("passes/*.md")
def test_graph(case: Case, golden: Golden) -> None:
    fired, text = optimised(case.source)
    golden(case, f"rules: {', '.join(sorted(fired)) or 'none'}\n{text}")


def test_every_rule_has_a_case() -> None:
    cases = [case for path in GOLDEN.glob("passes/*.md") for case in read_cases(path)]
    fired = set().union(*(optimised(case.source)[0] for case in cases))
    assert fired == {rule.name for step in rewrites(standard_passes()) for rule in step.rules}
