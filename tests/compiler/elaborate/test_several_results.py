"""Several results where one is needed: the message says how to take one."""

from __future__ import annotations

import pytest

from tests.support.elaborated import findings, model


@pytest.mark.parametrize(
    ("use", "way"),
    [
        ("r[:, -1]", "take one of them: `r.hs`\nor the last one: `r.h`"),
        ("relu(r)", "take one of them: `r.hs`\nor the last one: `r.h`"),
        ("split(x, 2)[0]", "take them apart: `a, b = split(x, 2)`"),
    ],
)
def test_several_results_where_one_is_needed(use: str, way: str) -> None:
    (found,) = findings(model(f"r = LSTM(4)(x)\noutput y = {use}", "x: [B, T, 6]"))
    assert (found.code, found.help) == ("AX0306", way)
