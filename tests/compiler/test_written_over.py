"""What a graph may write over while it runs, decided by hand; that results are the same is in ``test_blockwise``."""

from __future__ import annotations

import pytest

from archonnx.compiler.ir.parse import parse_graph
from archonnx.compiler.written_over import in_place

HEAD = "graph g\ninput W: f32[4]\ninput x: f32[4]\ninput id: i64[4]\n"
VIEW = "%0: f32[2, 2] = reshape(shape=[2, 2]) W\n%1: f32[4] = reshape(shape=[4]) %0\n"
GRADIENT = "%0: f32[4] = mul W, x\n%1: f32[4] = sin %0\n"


@pytest.mark.parametrize(
    ("body", "over"),
    [
        (f"{GRADIENT}%2: f32[4] = sub W, %1\noutput next/W = %2\n", True),
        (f"{GRADIENT}%2: f32[4] = maximum W, %1\noutput next/W = %2\n", False),
        (f"{GRADIENT}%2: f32[4] = maximum x, %1\noutput next/W = %2\n", True),
        (f"{GRADIENT}%2: f32[4] = sub W, %1\n%3: f32[4] = sin W\noutput next/W = %2\noutput y = %3\n", False),
        (f"{GRADIENT}%2: f32[4] = sub W, %1\n%3: f32[4] = sin %2\noutput next/W = %2\noutput y = %3\n", True),
        ("output next/W = x\n", False),
        (f"{VIEW}%2: f32[4] = sin %1\n%3: f32[4] = sub x, %2\noutput next/W = %3\n", True),
        (
            f"{VIEW}%2: f32[4] = sin %1\n%3: f32[4] = sub x, %2\n%4: f32[4] = sin %1\noutput next/W = %3\noutput y = %4\n",
            False,
        ),
    ],
    ids=[
        "an operand",
        "of a maximum",
        "read before",
        "read elsewhere",
        "its new value is read",
        "another input",
        "a view is read before",
        "a view is read elsewhere",
    ],
)
def test_all_that_read_a_tensor_come_before_what_writes_it(body: str, over: bool) -> None:
    assert in_place(parse_graph(HEAD + body), {"W": "next/W"}) == ({"W"} if over else set())


NAMED = """%2: i64[] = constant(0)
%3: i64[4] = broadcast(shape=[4]) %2
%4: i64[] = constant(HIGH)
%5: i64[4] = broadcast(shape=[4]) %4
%6: i64[4] = maximum id, %3
%7: i64[4] = minimum %6, %5
"""


@pytest.mark.parametrize(
    ("gathers", "updates", "over"),
    [
        ("%10: f32[4] = gather x, id", "%11: f32[4] = sub W, x", False),
        ("%10: f32[4] = gather x, id", "%11: f32[4] = sub W, %10", True),
        ("%9: f32[4] = gather x, id\n%10: f32[4] = gather x, id", "%11: f32[4] = sub W, %9", True),
        ("%10: f32[4] = gather x, %7", "%11: f32[4] = sub W, x", True),
        ("%10: f32[4] = gather x, %6", "%11: f32[4] = sub W, x", False),
    ],
    ids=["fails late", "fails before", "would have failed before", "names something", "names too much"],
)
def test_nothing_fails_after_the_first_write(gathers: str, updates: str, over: bool) -> None:
    body = f"{NAMED.replace('HIGH', '3')}{gathers}\n{updates}\noutput next/W = %11\noutput y = %10\n"
    assert in_place(parse_graph(HEAD + body), {"W": "next/W"}) == ({"W"} if over else set())
