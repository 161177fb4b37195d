"""``python -m benchmarks.generate``: tokens a second of a GPT that writes, beside PyTorch.

It writes docs/generation_speed.md. Both sides keep the keys and values of all tokens before. First they must write the
same tokens; then each side works in a process of its own, in turns. What this module does not do: measure training
(``benchmarks`` does).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from archonnx.compiler.pipeline import elaborate, load
from archonnx.grammar.record import replace
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.training.trainer import Trainer

from . import page

THREADS = 1
"""One row at a time is little work; and what else a machine does disturbs one thread least."""
VOCABULARY, CONTEXT, DEPTH, HEADS = 256, 256, 4, 4
PROMPT, NEW = 16, 240
WIDTHS = (128, 256)
ROUNDS = 7
SIDES = ("archonnx", "torch")
PACKAGES = ("numpy", "onnxruntime-gpu", "onnxruntime", "torch")

METHOD = f"""\
`gpt` of the zoo with {DEPTH} layers, {HEADS} heads, a context of {CONTEXT} and {VOCABULARY} tokens goes on from a
prompt of {PROMPT} tokens for {NEW} more, one row at a time, in float32 with {THREADS} thread, greedily. Both sides
keep keys and values: archonnx inside one ONNX Loop, PyTorch eagerly in buffers that are made once, with its fused
attention over the part that is filled, in inference mode. Both wrote the same tokens before anything was timed. Each
side has its own process; they work in turns, {ROUNDS} rounds, and the best counts. A ratio above 1 means that archonnx
is faster."""


def trainer_of(d: int) -> Trainer:
    """The model of the zoo, with its initial parameters."""
    spec = load("gpt", vocab=VOCABULARY, context=CONTEXT, depth=DEPTH, heads=HEADS, d=d)
    return Trainer(replace(elaborate(spec), programs=()), seed=1, options=SessionOptions(device="cpu", threads=THREADS))


def prompt() -> Any:
    """Always the same."""
    return np.random.default_rng(0).integers(0, VOCABULARY, (1, PROMPT))


def ours(d: int) -> Callable[[], Any]:
    """What writes with archonnx."""
    trainer = trainer_of(d)
    given = {"prompt": prompt(), "new": NEW, "temperature": 0.0, "top_k": VOCABULARY, "top_p": 1.0}
    return lambda: trainer.call("generate", **given)["generate"]


def theirs(d: int) -> Callable[[], Any]:
    """What writes with PyTorch."""
    import torch

    from .peers.gpt import GPT, written

    torch.set_num_threads(THREADS)
    net = GPT(VOCABULARY, CONTEXT, d, DEPTH, HEADS)
    net.assign({_name(path): array for path, array in trainer_of(d).parameters.items()})
    ids = torch.from_numpy(prompt())
    return lambda: written(net, ids, NEW).numpy()


def _name(path: str) -> str:
    """The path that a parameter has in the specs of the benchmarks."""
    first, _, rest = path.partition(".")
    known = {"embed": "embedding", "place": "learned_positions", "decoder": "transformer_encoder"}
    return f"{known[first]}.{rest}"


def serve(side: str, d: int) -> None:
    """Write once for each line of the input, and answer by the seconds that it took."""
    write = (ours if side == "archonnx" else theirs)(d)
    write()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        write()
        print(time.perf_counter() - begin, flush=True)


def seconds(d: int) -> dict[str, float]:
    """The best time of each side."""
    workers = {
        side: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.generate", "--serve", side, str(d)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for side in SIDES
    }
    best = dict.fromkeys(SIDES, float("inf"))
    try:
        for worker in workers.values():
            assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
        for _ in range(ROUNDS):
            for side, worker in workers.items():
                assert worker.stdin is not None and worker.stdout is not None
                worker.stdin.write("\n")
                worker.stdin.flush()
                best[side] = min(best[side], float(worker.stdout.readline()))
    finally:
        for worker in workers.values():
            worker.terminate()
            worker.wait()
    return best


def main() -> int:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]))
        return 0
    rows = []
    for d in WIDTHS:
        np.testing.assert_array_equal(ours(d)(), theirs(d)())
        best = seconds(d)
        rates = [NEW / best[side] for side in SIDES]
        rows.append([f"d{d}, {DEPTH} layers", *(f"{rate:,.0f}" for rate in rates), f"{rates[0] / rates[1]:.2f}"])
        print(*rows[-1], sep=" | ", flush=True)
    table = page.table(["tokens a second", "archonnx", "PyTorch", "ratio"], rows)
    intro = "Written by `python -m benchmarks.generate`."
    load = f"{page.circumstances(PACKAGES)} The load average after was {os.getloadavg()[0]:.2f}."
    print(page.write("generation_speed.md", ["# Writing", intro, METHOD, table, load]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
