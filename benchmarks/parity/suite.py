"""Running families: their settings in batches, on several processes, and what was found, family by family.

What this module does not do: print, or write pages.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from math import isfinite

import numpy as np

from archonnx.compiler.elaborate.files.library import library_texts
from archonnx.compiler.ir.types import DType

from . import families  # noqa: F401  entering them
from .conventions import CONVENTIONS, Convention, absolute
from .judging import job, outcomes
from .running import run
from .setting import FAMILIES, Direct, Family, Outcome, Setting

BATCH = 24
"""Settings in one model: enough that a session for each of them is not what takes the time."""
BOTH = (DType.f32, DType.f64)
ORACLE = 32
"""In float64 the oracle is rounded as well, and its way may be longer: so many times the units are allowed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An outcome that is beyond rounding, and the seed that shows it again."""

    family: str
    seed: int
    shown: str
    outcome: Outcome
    convention: Convention | None = None

    def __str__(self) -> str:
        units = f"{self.outcome.units:.3g} units" if isfinite(self.outcome.units) else "not finite, or other"
        again = f"--family '{self.family}' --seed {self.seed}"
        return f"{self.outcome.what}: {units}: {self.shown}: {self.outcome.note} ({again})"


@dataclass(slots=True)
class Found:
    """What a family gave.

    Attributes:
        settings: how many were tried.
        checks: how many values and gradients were compared.
        worst: the largest error that is within what the family allows, in units of rounding.
        where: the setting of that error.
        unavailable: how many had no kernel in float64.
    """

    family: str
    settings: int = 0
    checks: int = 0
    worst: float = 0.0
    where: str = ""
    unavailable: int = 0
    failures: list[Failure] = field(default_factory=list)

    def join(self, other: Found) -> None:
        """Add what another part of the same family gave."""
        self.settings += other.settings
        self.checks += other.checks
        self.unavailable += other.unavailable
        self.failures += other.failures
        if other.worst > self.worst:
            self.worst, self.where = other.worst, other.where

    @property
    def unstated(self) -> list[Failure]:
        """Those that no stated convention explains."""
        return [failure for failure in self.failures if failure.convention is None]


def sampled(name: str) -> Found:
    """What the tests try of a family."""
    of = FAMILIES[name]
    return examine(name, range(of.sample), BOTH if of.double else BOTH[:1])


def chunks(names: Iterable[str], seeds: Callable[[str], Sequence[int]]) -> list[tuple[str, list[int]]]:
    """The work in pieces of one batch."""
    pieces = []
    for name in names:
        wanted = list(seeds(name))
        pieces += [(name, wanted[i : i + BATCH]) for i in range(0, len(wanted), BATCH)]
    return pieces


def explore(pieces: Sequence[tuple[str, list[int]]], processes: int = 1) -> Iterator[Found]:
    """What each piece gave, as it is done."""
    if processes == 1:
        for name, seeds in pieces:
            yield examine(name, seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(examine, name, seeds) for name, seeds in pieces]):
            yield done.result()


def examine(name: str, seeds: Sequence[int], dtypes: Sequence[DType] = BOTH) -> Found:
    """Some settings of a family."""
    found = Found(name, settings=len(seeds))
    for seed, shown, outcome, allowed in _compared(name, seeds, dtypes):
        _enter(found, seed, shown, outcome, allowed)
    return found


def compared(name: str, seed: int) -> list[tuple[Outcome, float]]:
    """All that is compared in one setting, each with the units that are allowed."""
    return [(outcome, allowed) for _, _, outcome, allowed in _compared(name, [seed])]


def _compared(
    name: str, seeds: Sequence[int], dtypes: Sequence[DType] = BOTH
) -> Iterator[tuple[int, str, Outcome, float]]:
    """By seed: the expression, an outcome, and the units that are allowed."""
    warnings.simplefilter("ignore", RuntimeWarning)  # oracles divide by zero where that is the question
    of = FAMILIES[name]
    settings = [(seed, of.setting(seed)) for seed in seeds]
    expressions = [(seed, one) for seed, one in settings if isinstance(one, Setting)]
    jobs = [job(one, np.random.default_rng(seed)) for seed, one in expressions]
    for dtype in dtypes:
        more = ORACLE if dtype is DType.f64 else 1
        for (seed, setting), posed, result in zip(expressions, jobs, run(jobs, dtype), strict=True):
            for outcome in outcomes(posed, result, dtype, np.random.default_rng(seed), absolute(name, setting.shown)):
                yield seed, setting.shown, outcome, _allowed(of, setting) * more
    for seed, one in settings:
        if isinstance(one, Direct):
            for outcome in one.check():
                yield seed, one.shown, outcome, _allowed(of, one)


def _allowed(of: Family, one: Setting | Direct) -> float:
    return of.units if one.units is None else one.units


def _enter(found: Found, seed: int, shown: str, outcome: Outcome, units: float) -> None:
    if outcome.skipped:
        found.unavailable += 1
        return
    found.checks += 1
    if outcome.units > units:
        convention = stated(found.family, shown, outcome)
        found.failures.append(Failure(found.family, seed, shown, outcome, convention))
    elif outcome.units > found.worst:
        found.worst, found.where = outcome.units, f"{outcome.what}, seed {seed}"


def stated(name: str, shown: str, outcome: Outcome) -> Convention | None:
    """The convention of docs/numbers.md that explains an outcome."""
    return next((one for one in CONVENTIONS if one.fits(name, shown, outcome.what)), None)


# ---------------------------------------------------------------- what is covered


@cache
def declarations() -> dict[str, str]:
    """Every declaration of the library, with its file."""
    return {name: file.removeprefix("std/") for file, names in library_texts().by_file().items() for name in names}


def named(name: str, seeds: int) -> set[str]:
    """The declarations of the library that the first settings of a family use, as many as its sample at least."""
    of = FAMILIES[name]
    words: set[str] = set()
    for seed in range(min(max(seeds, of.sample), of.seeds)):
        words |= set(re.findall(r"[A-Za-z_]\w*", of.setting(seed).shown))
    return words & set(declarations())


SIZES = "arithmetic of sizes, without tensors: the layers that use it are compared"
PART_OF_SCHEDULES = "part of schedules, each of which is compared at every step"
PART_OF_GAMMA = "part of `lgamma` and `digamma`, which are compared"
NOT_COMPARED = {
    "per_axis": SIZES,
    "padding_pairs": SIZES,
    "transposed_pairs": SIZES,
    "pooling_pairs": SIZES,
    "end_of_ceil": SIZES,
    "output_size": SIZES,
    "scaled": SIZES,
    "count_over": SIZES,
    "VectorQuantiser": "a codebook that moves as it is trained: test_std_codebooks compares its steps with NumPy",
    "reduced": "what `reduce` says of a loss: every loss is compared in its three ways",
    "root": "where `eps` stands in an optimizer: compared with both of `eps_in_root`",
    "per_channel": "the shape of a bias or a scale: convolutions and norms are compared",
    "dropped": "what the three kinds of dropout do",
    "correction": "a mean's correction: the optimizers that use it are compared",
    "averaged_length": "part of `radam`, which is compared",
    "since_start": PART_OF_SCHEDULES,
    "still_ahead": PART_OF_SCHEDULES,
    "falling_cosine": PART_OF_SCHEDULES,
    "log_cosh_of": "`log_cosh` of a difference, which is compared",
    "huber_of": "`huber` of a difference, which is compared",
    "lambert_tanh": "part of `tanhshrink`, which is compared",
    "spread": "what a column is divided by: `standardise` and the other scales are compared",
    "near_two": PART_OF_GAMMA,
    "zeta_less_one": PART_OF_GAMMA,
    "edge_list": "the parts of `edges`, checked",
    "resized": SIZES,
    "episode_rows": "draws, of which test_fresh_sources shows what they are and that they are even",
    "edges_reached": "part of `quantile_buckets` and `width_buckets`, which are compared",
    "check_mask": "refuses masks of other sizes, and gives back those that fit: attention with masks is compared",
    "each_expert": "initial weights of `MixtureOfExperts`: drawn, one matrix after the other",
    "recurrence": "what all recurrent layers are made of, which are compared",
    "at_step": "what padding does in recurrent layers, which are compared with unequal lengths",
    "check_lengths": "refuses lengths of other sizes, and gives back those that fit",
    "first_state": "what recurrent layers start from: they are compared with and without it",
    "first_states": "the same for layers with several states",
    "gates": "initial weights of `LSTM` and `GRU`: drawn, one gate after the other",
    "part_filled": "the initial bias of `LSTM`",
    "rate_of_each": "the rates of `LeakyIntegrator` and `Reservoir`, which are compared",
    "starts": "the same for several layers",
    "each_beam": "rows of the states of `beam_search`, which is compared",
    "of_rows": "rows of the states of `beam_search`, which is compared",
    "start_vector": "where power iteration begins, which its result does not depend on",
}
"""Declarations that no family names, with the reason."""
LONG = "long"
"""How the names of families begin whose settings are so large that they are not made to see what they use."""


def uncovered() -> list[str]:
    """Declarations of the library that no family names, and that are not excused."""
    covered = {word for name in FAMILIES if not name.startswith(LONG) for word in named(name, 30)}
    return [name for name in declarations() if name not in covered and name not in NOT_COMPARED]
