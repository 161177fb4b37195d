"""Runs two files in turns in one client: ``python timing.py CLIENT FOLDER OPENINGS ROUNDS SECONDS``, beside worker.py.

The folder has ours.onnx and theirs.onnx, ends.json (of each the names of its input and its output) and x.npy. Where
memory happens to lie makes one opened file slower than the same file opened again, for as long as both are open. So all
are opened several times, in another order each time, and theirs is opened twice: how those two differ is what a
difference between the files means nothing below. The last line is a JSON list: of each opening the rounds, and of each
round the seconds that a run took of ours, of theirs, and of theirs again.
"""

import json
import pathlib
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from itertools import cycle, islice, permutations
from typing import Any

import numpy

CLIENTS: Any = import_module("worker").CLIENTS  # a script, which lies beside this one
FILES = {"ours": "ours", "theirs": "theirs", "again": "theirs"}


def seconds(run: Any, feed: Any, count: int) -> float:
    """How long one of so many runs takes."""
    begun = time.perf_counter()
    for _ in range(count):
        run(feed)
    return (time.perf_counter() - begun) / count


def rounds(client: str, place: Any, x: Any, order: Sequence[str], turns: int, length: float) -> list[list[float]]:
    """Open all in this order, and let them run in turns, each so often and for so many seconds."""
    ends = json.loads((place / "ends.json").read_text())
    runs, feeds = {}, {}
    for key in order:
        taken, output = ends[FILES[key]]
        runs[key], feeds[key] = CLIENTS[client][0](place / f"{FILES[key]}.onnx", [output]), {taken: x}
        runs[key](feeds[key])
    count = max(1, round(length / seconds(runs["theirs"], feeds["theirs"], 2)))
    measured = []
    for number in range(turns):
        by_turns = order if number % 2 else order[::-1]
        took = {key: seconds(runs[key], feeds[key], count) for key in by_turns}
        measured.append([took[key] for key in FILES])
    return measured


def main(client: str, folder: str, openings: str, turns: str, length: str) -> None:
    """Measure both."""
    place = pathlib.Path(folder)
    x = numpy.load(place / "x.npy")
    orders = islice(cycle(permutations(FILES)), int(openings))
    print(json.dumps([rounds(client, place, x, order, int(turns), float(length)) for order in orders]))


if __name__ == "__main__":
    main(*sys.argv[1:])
