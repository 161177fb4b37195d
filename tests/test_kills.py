"""A few killed trainings (``make proof`` has 300), and that what is lost would be seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.kills.killing import SPECS, differences


def test_a_few_kills_lose_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.kills", "--count", "3", "--only"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_last_bit_of_a_weight_and_a_figure_of_the_history_are_seen() -> None:
    weights = np.ones(4, np.float32)
    one = {"w": weights, "history": [{"train": 0.5}], "figures": [float("nan")]}
    assert differences(one, {**one, "w": weights.copy(), "figures": [float("nan")]}) == []
    assert differences(one, {**one, "w": np.nextafter(weights, np.float32(2))}) == ["w differs"]
    assert differences(one, {**one, "history": [{"train": 0.25}]}) == ["history differs"]
    assert differences(one, {"w": weights, "figures": [float("nan")]}) == ["history is in one of them alone"]


def test_what_the_page_names_is_trained() -> None:
    text = "".join(spec.read_text("utf-8") for spec in SPECS)
    words = ("Dropout", "BatchNorm", "cosine_decay", "early_stopping", "over set", "repeat", "start_from", "GRU")
    assert [word for word in (*words, "buckets", "text(", "fresh(", " of Critic") if word not in text] == []
