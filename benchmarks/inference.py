"""``python -m benchmarks.inference``: exported models in onnxruntime, ours beside PyTorch's; writes docs/inference.md.

PyTorch's exporter needs onnxscript beside torch. Both models have the same parameters and must give the same outputs;
then they run in turns. What this module does not do: compare PyTorch's own inference.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime

from . import page
from .cases import CASES, THREADS, Case, argument
from .measure import geomean
from .ours import make_trainer

BATCHES = (1, 32)
ROUNDS, ROUND_SECONDS = 15, 0.1
TOLERANCE = 1e-3
NAMES = ("mlp_small", "mlp_large", "mlp_norm", "cnn", "autoencoder", "separable", "unet", "resnet18", "resnet50",
         "mobilenet_v2", "convnext_tiny", "lstm_small", "gru_small", "transformer", "gpt_small")  # fmt: skip
PACKAGES = ("numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "torch", "onnxscript")
METHOD = f"""\
The nets of the training steps, exported for inference with symbolic batch by `archonnx export` and by
`torch.onnx.export`, with the same parameters and, in float32, the same outputs (within {TOLERANCE:g} of the largest).
Nodes and size are of the file as it was exported, and as onnxruntime's own optimiser writes it. Both run in one process
with {THREADS} threads, in turns, {ROUNDS} rounds of about {ROUND_SECONDS} s each; milliseconds are of the best round,
and a ratio below 1 means that ours is faster (in brackets: the median over rounds of the ratio within a round)."""


@dataclass(frozen=True, slots=True)
class Model:
    """One exported model.

    Attributes:
        nodes: as it was exported.
        optimised: the nodes that onnxruntime's optimiser leaves.
        size: bytes of the file.
        optimised_size: of that which onnxruntime writes.
        rounds: seconds a run by batch size, round by round.
    """

    nodes: int
    optimised: int
    size: int
    optimised_size: int
    rounds: dict[int, list[float]]

    def best(self, batch: int) -> float:
        """Seconds a run in the best round."""
        return min(self.rounds[batch])


class Runner:
    """A model in onnxruntime."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.log_severity_level = 4
        self._written = path.with_suffix(".optimised.onnx")
        options.optimized_model_filepath = str(self._written)
        self._session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._path = path
        self.rounds: dict[int, list[float]] = {}

    def run(self, x: Any) -> Any:
        """The first output."""
        return self._session.run(None, {self._input: x})[0]

    def measure(self, x: Any, count: int) -> None:
        """A round of so many runs."""
        begin = time.perf_counter()
        for _ in range(count):
            self.run(x)
        self.rounds.setdefault(len(x), []).append((time.perf_counter() - begin) / count)

    def result(self) -> Model:
        """All that was seen."""
        files = (self._path, self._written)
        nodes, optimised = (len(onnx.load(file).graph.node) for file in files)
        size, optimised_size = (file.stat().st_size for file in files)
        return Model(nodes, optimised, size, optimised_size, self.rounds)


def examples(case: Case, name: str, count: int) -> Any:
    """So many examples of a field."""
    return np.ascontiguousarray(np.resize(case.batch()[name], (count, *case.batch()[name].shape[1:])))


def measured(
    case: Case, rounds: int = ROUNDS, round_seconds: float = ROUND_SECONDS, *, peer: bool = True
) -> list[Model]:
    """Our model, and PyTorch's.

    Raises:
        ValueError: they give other outputs.
    """
    trainer = make_trainer(case, case.plain)
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "ours.onnx"
        trainer.export(ours)
        name = onnx.load(ours).graph.input[0].name
        runners = [Runner(ours)]
        if peer:
            from .peers.exported import export

            export(case, dict(trainer.parameters), name, Path(folder) / "theirs.onnx")
            runners.append(Runner(Path(folder) / "theirs.onnx"))
        for batch in BATCHES:
            x = examples(case, name, batch)
            outputs = [runner.run(x) for runner in runners]
            for output in outputs[1:]:
                if np.abs(outputs[0] - output).max() > TOLERANCE * np.abs(output).max():
                    raise ValueError(f"{case.name}: the outputs are not those of PyTorch's model")
            begin = time.perf_counter()
            runners[-1].run(x)
            count = max(1, round(round_seconds / (time.perf_counter() - begin)))
            for number in range(rounds):
                for runner in runners if number % 2 else runners[::-1]:
                    runner.measure(x, count)
        return [runner.result() for runner in runners]


def ratio(ours: Model, theirs: Model, batch: int) -> float:
    """Of the best rounds."""
    return ours.best(batch) / theirs.best(batch)


def cells(case: Case, ours: Model, theirs: Model) -> list[str]:
    """A row of the table."""
    row = [
        case.title.partition(", batch")[0],
        f"{ours.nodes} / {theirs.nodes}",
        f"{ours.optimised} / {theirs.optimised}",
    ]
    row.append(f"{ours.optimised_size / 1e6:.2f} / {theirs.optimised_size / 1e6:.2f}")
    for batch in BATCHES:
        paired = median(a / b for a, b in zip(ours.rounds[batch], theirs.rounds[batch], strict=True))
        row.append(f"{ours.best(batch) * 1e3:.3g} / {theirs.best(batch) * 1e3:.3g}")
        row.append(f"{ratio(ours, theirs, batch):.2f} ({paired:.2f})")
    return row


def table(rows: Sequence[tuple[Case, Model, Model]]) -> str:
    """All rows, and the geometric means of their ratios."""
    header = ["archonnx / PyTorch", "nodes", "after onnxruntime", "MB"]
    header += [cell for batch in BATCHES for cell in (f"batch {batch}, ms", "ratio")]
    means = [geomean([ratio(ours, theirs, batch) for _, ours, theirs in rows]) for batch in BATCHES]
    last = ["geometric mean", "", "", "", *(cell for mean in means for cell in ("", f"{mean:.2f}"))]
    return page.table(header, [*(cells(*row) for row in rows), last])


def model_of(stored: dict[str, Any]) -> Model:
    """A model as ``--json`` wrote it."""
    return Model(**{**stored, "rounds": {int(batch): rounds for batch, rounds in stored["rounds"].items()}})


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--only", metavar="NAME", type=argument, action="append", default=[],
                        help="measure this net, and write no page; may be given several times")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all rounds there, after each net")
    parser.add_argument("--from", metavar="FILE", type=Path, dest="stored", action="append", default=[],
                        help="take what --json wrote there; may be given several times")  # fmt: skip
    given = parser.parse_args()
    stored = {one["name"]: [model_of(one[side]) for side in ("archonnx", "torch")]
              for path in given.stored for one in json.loads(path.read_text())}  # fmt: skip
    rows: list[tuple[Case, Model, Model]] = []
    for case in given.only or [CASES[name] for name in NAMES]:
        ours, theirs = stored.get(case.name) or measured(case)
        rows.append((case, ours, theirs))
        print(*cells(*rows[-1]), sep=" | ", flush=True)
        if given.json:
            written = [{"name": c.name, "archonnx": asdict(a), "torch": asdict(b)} for c, a, b in rows]
            given.json.write_text(json.dumps(written, indent=1))
    print(table(rows))
    if not given.only:
        load = f"{page.circumstances(PACKAGES)} The load average after was {os.getloadavg()[0]:.2f}."
        intro = "Written by `python -m benchmarks.inference`."
        print(page.write("inference.md", ["# Inference", intro, METHOD, table(rows), load]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
