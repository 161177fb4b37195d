"""What keeping the state takes of a step's time.

What this module does not do: compare whole trainings, whose times differ by more than that from one to the next.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.settings import Checkpoint
from archonnx.runtime.checksums import STATE_FILE
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.folders.resume import Request, save_state
from archonnx.runtime.training.keeping import Keeper
from archonnx.runtime.training.observing import Observer, StopTraining
from archonnx.runtime.training.programs import State, run_programs

COSTLY = ("xor", "digits_mlp", "digits_cnn", "char_gpt")
"""Models whose steps take from microseconds to a quarter of a second."""
STEPS, SECONDS = 2000, 6.0
"""A training ends after so many steps or seconds."""
LOOKS = 100_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a step, of a look at the clock, and of writing a state, of so many bytes."""

    name: str
    numbers: int
    step: float
    look: float
    state: float
    size: int

    @property
    def ratio(self) -> float:
        """A step's time with all of it by that without: each minute of steps takes as much longer as a state does."""
        return (1 + self.look / self.step) * (1 + self.state / 60)

    def row(self) -> list[str]:
        """For the table."""
        shown = (f"{1e6 * self.step:,.0f} µs", f"{1e9 * self.look:.0f} ns", f"{1e3 * self.state:.1f} ms")
        return [self.name, f"{self.numbers:,}", *shown, f"{self.size:,}", f"{self.ratio:.4f}"]


class _Timing(Observer):
    """The moments at which steps ended."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        self.moments.append(time.perf_counter())
        if len(self.moments) >= STEPS or self.moments[-1] - self.moments[0] > SECONDS:
            raise StopTraining


def cost(name: str) -> Cost:
    """Train a model of the zoo for a while."""
    spec, timing, states = load(name), _Timing(), list[State]()
    model, options = elaborate(spec), SessionOptions("cpu", threads=1)
    keeper = Keeper[State](states.append)
    base = spec.path.parent if spec.path is not None else Path.cwd()
    run_programs(
        model, base, options=options, observer=timing, keeper=keeper, measured=False, changes={"epochs": 10_000}
    )
    keeper.keep()
    step = statistics.median(b - a for a, b in zip(timing.moments, timing.moments[1:], strict=False))
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            save_state(Path(folder), states[-1], Request({}, {}, None))
            times.append(time.perf_counter() - started)
        size = (Path(folder) / STATE_FILE).stat().st_size
    return Cost(name, model.parameter_count, step, _look(), statistics.median(times), size)


def _look() -> float:
    keeper = Keeper[State](lambda state: None)
    keeper.watch(Checkpoint(), lambda: None)
    started = time.perf_counter()
    for _ in range(LOOKS):
        keeper.stepped()
        keeper.due()
    return (time.perf_counter() - started) / LOOKS
