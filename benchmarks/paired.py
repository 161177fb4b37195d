"""Two exported files of a net, ours and PyTorch's, run in turns: what both inference pages measure by.

Both files are of nets with the same parameters, after a step of training, so that no statistic is one that a net
begins with; the batch is symbolic, and the outputs are the same within a thousandth. ``clients/timing.py`` opens and
runs them. What this module does not do: write pages.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime

from .cases import THREADS, Case
from .ours import make_trainer

TOLERANCE = 1e-3
OPENINGS, ROUNDS, SECONDS = 12, 6, 0.08
"""How often both are opened; then how often each has its turn, and for how long."""
TIMING = Path(__file__).parent / "clients" / "timing.py"


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds a run of ours, of theirs and of theirs again, by openings and rounds."""

    openings: Sequence[Sequence[Sequence[float]]]

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return median(self.ratios)

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, of each opening."""
        return [median(2 * ours / (theirs + again) for ours, theirs, again in rounds) for rounds in self.openings]

    @property
    def alike(self) -> list[float]:
        """Theirs by theirs, of each opening."""
        return [median(again / theirs for _, theirs, again in rounds) for rounds in self.openings]

    @property
    def milliseconds(self) -> str:
        """Of the best rounds of both."""
        sides = zip(*((a, min(b, c)) for rounds in self.openings for a, b, c in rounds), strict=True)
        return " / ".join(f"{min(side) * 1e3:.3g}" for side in sides)


def method(openings: int = OPENINGS, rounds: int = ROUNDS, seconds: float = SECONDS) -> str:
    """In words, for pages."""
    return f"""\
Both files are opened in one process, {openings} times, in every order, PyTorch's file twice at a time, and all run in
turns with {THREADS} threads, {rounds} rounds of about {seconds:g} s each. Milliseconds are of the best round. The ratio
is the median over openings of the median over an opening's rounds, of times within a round; below 1 ours is faster.
Where memory happens to lie makes one opened file some percent slower than the same file opened again: how PyTorch's
file compares with itself stands beside it (the smallest and the largest of the openings), and a difference below that
means nothing."""


def spread(ratios: Sequence[float]) -> str:
    """The smallest and the largest."""
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def examples(case: Case, name: str, count: int) -> Any:
    """So many examples of a field."""
    return np.ascontiguousarray(np.resize(case.batch()[name], (count, *case.batch()[name].shape[1:])))


def write(case: Case, folder: Path, *, peer: bool = True) -> str:
    """Write ``ours.onnx`` and ``theirs.onnx``, a copy of ours without ``peer``; the name of the field that they take.

    Raises:
        ValueError: they give other outputs.
    """
    trainer = make_trainer(case, case.plain)
    trainer.step(case.batch())
    paths = {key: folder / f"{key}.onnx" for key in ("ours", "theirs")}
    trainer.export(paths["ours"], target="portable")
    field: str = onnx.load(paths["ours"]).graph.input[0].name
    if peer:
        from .peers.exported import export

        export(case, dict(trainer.parameters), field, paths["theirs"])
    else:
        shutil.copy(paths["ours"], paths["theirs"])
    x, outputs, ends = examples(case, field, 2), [], {}
    for key, path in paths.items():
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        ends[key] = [session.get_inputs()[0].name, session.get_outputs()[0].name]
        outputs.append(session.run(None, {ends[key][0]: x})[0])
    if np.abs(outputs[0] - outputs[1]).max() > TOLERANCE * np.abs(outputs[1]).max():
        raise ValueError(f"{case.name}: the outputs are not those of PyTorch's model")
    (folder / "ends.json").write_text(json.dumps(ends))
    return field


def nodes(folder: Path) -> Mapping[str, int]:
    """How many each file has."""
    return {key: len(onnx.load(folder / f"{key}.onnx").graph.node) for key in ("ours", "theirs")}


def measure(
    folder: Path,
    x: Any,
    client: str = "onnxruntime",
    python: str = sys.executable,
    how: tuple[int, int, float] = (OPENINGS, ROUNDS, SECONDS),
) -> Pairs:
    """Run the files of a folder on some examples in a client.

    Args:
        folder: what ``write`` wrote.
        x: the examples.
        client: as ``clients/worker.py`` calls it.
        python: the interpreter that has it.
        how: openings, rounds, and seconds that a turn takes.
    """
    np.save(folder / "x.npy", x)
    command = [python, str(TIMING), client, str(folder), *map(str, how)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Pairs(json.loads(done.stdout.splitlines()[-1]))
