"""What is there twice is told: of examples that test how many train as well, byte by byte."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archonnx.compiler.feeding import Encoding
from archonnx.runtime.data.alike import OFTEN, nearly_known, seen_in_training
from archonnx.runtime.data.arrays import from_arrays
from archonnx.runtime.data.parts import Parts


@given(
    drawn=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=4, max_size=40),
    wide=st.sampled_from((1, 300)),
)
def test_examples_that_train_and_test_are_counted(drawn: list[tuple[int, int]], wide: int) -> None:
    """As Python counts rows that are equal in every field; wide rows differ in their middle alone."""
    image = np.zeros((len(drawn), wide), np.float32)
    image[:, wide // 2] = [one for one, _ in drawn]
    fields = {"image": image, "label": np.array([other for _, other in drawn])}
    rows = np.arange(len(drawn))
    half = len(drawn) // 2
    parts = Parts(rows[:half], rows[:0], rows[half:])
    expected = sum(row in drawn[:half] for row in drawn[half:])
    note = seen_in_training(fields, parts)
    assert (note is not None) is (expected > OFTEN * (len(drawn) - half))
    if note is not None:
        assert re.findall(r"^(\d+) of the (\d+) examples? of the test part", note) == [
            (str(expected), str(len(drawn) - half))
        ]


def test_unknown_texts_that_look_like_known_ones_are_told() -> None:
    rows = from_arrays({"c": np.array(["Z\u00fcrich", "Zu\u0308rich", "ulm ", "Bern", ""], object)}, where="t.csv")
    known = Encoding("c", ("Ulm", "Z\u00fcrich"), unknown=True)
    assert [*nearly_known([known], rows)] == [
        't.csv: `c` has "Zu\\u0308rich", which counts as unknown: the train part has "Z\\u00fcrich" (1 more is like that)'
    ]
    assert [*nearly_known([Encoding("c", ("Rome",), unknown=True)], rows)] == []
    assert [*nearly_known([Encoding("c", known.keys)], rows)] == []  # what is not known is refused there
