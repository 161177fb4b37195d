"""How long the command line takes to start: medians of fresh processes. ``python -m benchmarks.startup``

The commands run in turns, so that other work of the machine affects all alike. ``python`` and ``numpy`` are lower
bounds: no command here can be faster.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median

PROCESSES = 10
COMMANDS: Mapping[str, Sequence[str]] = {
    "python": ["-c", "pass"],
    "numpy": ["-c", "import numpy"],
    "import archonnx": ["-c", "import archonnx"],
    "archonnx --version": ["-m", "archonnx", "--version"],
    "archonnx --help": ["-m", "archonnx", "--help"],
    "archonnx check digits_cnn": ["-m", "archonnx", "check", "digits_cnn"],
    "archonnx check digits_cnn --format json": ["-m", "archonnx", "check", "digits_cnn", "--format", "json"],
}


def milliseconds(processes: int = PROCESSES) -> dict[str, list[float]]:
    """How long each process of each command took."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(processes):
        for name, arguments in COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            times[name].append(1000 * (time.perf_counter() - begin))
    return times


def main() -> None:
    """Print a line for each command."""
    print(f"{'ms':42}{'median':>8}{'least':>8}")
    for name, times in milliseconds().items():
        print(f"{name:42}{median(times):8.0f}{min(times):8.0f}")


if __name__ == "__main__":
    main()
