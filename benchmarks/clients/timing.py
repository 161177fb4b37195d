"""Runs two files in turns in one client: ``python timing.py CLIENT FOLDER``, beside worker.py.

The folder has ours.onnx and theirs.onnx, ends.json (of each the names of its input and its output) and x.npy. The last
line is a JSON list: for each round the seconds that a run of either took.
"""

import json
import pathlib
import sys
import time
from importlib import import_module
from typing import Any

import numpy

CLIENTS: Any = import_module("worker").CLIENTS  # a script, which lies beside this one
ROUNDS, SECONDS = 15, 0.3


def main(client: str, folder: str) -> None:
    """Measure both."""
    place = pathlib.Path(folder)
    x, ends = numpy.load(place / "x.npy"), json.loads((place / "ends.json").read_text())
    runs = {key: CLIENTS[client][0](place / f"{key}.onnx", [output]) for key, (_, output) in ends.items()}
    feeds = {key: {taken: x} for key, (taken, _) in ends.items()}
    for key, run in runs.items():
        run(feeds[key])
    begun = time.perf_counter()
    runs["theirs"](feeds["theirs"])
    count = max(1, round(SECONDS / (time.perf_counter() - begun)))
    rounds = []
    for number in range(ROUNDS):
        taken = {}
        for key in list(runs)[:: 1 if number % 2 else -1]:
            begun = time.perf_counter()
            for _ in range(count):
                runs[key](feeds[key])
            taken[key] = (time.perf_counter() - begun) / count
        rounds.append([taken["ours"], taken["theirs"]])
    print(json.dumps(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
