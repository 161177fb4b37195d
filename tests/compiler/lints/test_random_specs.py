"""How often lints fire where nothing is wrong: on random specs as people write them, never."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from archonnx.compiler.lints.finding import findings
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.source import Source
from tests.support.random_specs import random_spec

COUNT = 24
MANY = 700


def told(numbers: range) -> Counter[str]:
    """How often each lint fires on the specs of these numbers."""
    count: Counter[str] = Counter()
    for number in numbers:
        spec = parse_spec(Source(f"{number}.arch", random_spec(Random(number))))
        count.update({finding.code for finding in findings(elaborate(spec, simplify=False))})
    return count


def test_nothing_is_told_of_what_is_meant() -> None:
    assert told(range(COUNT)) == {}


@pytest.mark.proof
def test_nothing_is_told_of_many() -> None:
    assert told(range(COUNT, MANY)) == {}
