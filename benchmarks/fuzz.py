"""Mutated specs (``python -m benchmarks.fuzz``): whatever is written, the answer is a model or a diagnostic.

Each case is read, elaborated and differentiated, as ``archonnx check`` does it. What must hold: no exception but
``SpecError``; every place that a finding shows lies in its file; every code is in the catalogue; every finding can be
shown in all styles; and a case takes at most 5 s of processor time and 1 GiB. Cases are numbered: the same seed and
number give the same text on every machine. A case that fails is cut down to a few lines and saved in tests/data/fuzz,
where a test keeps looking at it.

What this module does not do: say whether a finding is the right one (the golden pages and the language tests do).
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random

from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.diagnostics.catalogue import catalogue
from archonnx.grammar.diagnostics.render import render
from archonnx.grammar.source import Source

from . import page
from .corpus import Base, corpus
from .mutation import mutate

SEED = 20
SECONDS, BYTES = 5.0, 2**30
CHUNK = 50
"""Cases that a worker takes at once."""
WHOLE = 0.97
"""Share of the cases that are made from a text that has a model in it, and no mistake."""
SAVED = Path(__file__).parents[1] / "tests" / "data" / "fuzz"
WRONG = "made from a text that shows a mistake"
STAGES = ("compiled", "shapes and later", "names", "not built yet", "syntax", WRONG)
"""How far a case came: the stage of the latest finding. Only the first two reached the shape checker. Texts that had
a mistake before are counted apart, since how far they come says nothing."""


class TooSlow(BaseException):
    """A case used up its time. (No ``Exception``: nothing that is examined can catch it.)"""


@dataclass(frozen=True)
class Outcome:
    """The outcome for a text: how far it got, its findings' codes, and what should never have happened, or ""."""

    stage: str
    codes: tuple[str, ...] = ()
    problem: str = ""
    seconds: float = 0.0


@dataclass
class Tally:
    """The sum of many outcomes."""

    seconds: float = 0.0
    stages: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)
    slowest: float = 0.0

    @property
    def cases(self) -> int:
        """How many."""
        return self.stages.total()

    @property
    def reached(self) -> float:
        """The share that came to the shape checker."""
        return (self.stages["compiled"] + self.stages["shapes and later"]) / max(1, self.cases)

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one."""
        self.stages[outcome.stage] += 1
        self.codes.update(outcome.codes)
        self.slowest = max(self.slowest, outcome.seconds)
        if outcome.problem:
            self.problems[number] = outcome.problem


# ---------------------------------------------------------------- one case


_corpus = cache(corpus)


@cache
def _whole() -> tuple[Base, ...]:
    return tuple(base for base in _corpus() if base.whole)


@dataclass(frozen=True)
class Case:
    """A text, and whether what it was made from was wrong already."""

    source: Source
    wrong: bool


def make_case(number: int, seed: int = SEED) -> Case:
    """The text of a case."""
    random = Random(f"{seed}/{number}")
    base, donor = random.choice(_whole() if random.random() < WHOLE else _corpus()), random.choice(_corpus())
    text = base.text
    while text == base.text:
        text = mutate(base, donor, random)
    return Case(Source(base.name, text), base.wrong)


def examine(source: Source) -> Outcome:
    """Read a text, elaborate it, build its training steps, and look at what is found."""
    begin = time.process_time()
    try:
        with _time_limit():
            stage, codes, problem = _examine(source)
    except TooSlow:
        stage, codes, problem = "compiled", (), f"more than {SECONDS:g} s of processor time"
    except Exception as error:  # anything at all: that is what is looked for
        stage, codes, problem = "compiled", (), _explained(error)
    return Outcome(stage, codes, problem, time.process_time() - begin)


def _examine(source: Source) -> tuple[str, tuple[str, ...], str]:
    try:
        model = elaborate(parse_spec(source))
        for program in model.programs:
            train_steps(model, program, 100, 10)
    except SpecError as error:
        problem = "" if error.diagnostics else "an empty report"
        for diagnostic in error.diagnostics:
            problem = problem or _flaw(diagnostic)
        codes = tuple(sorted({diagnostic.code for diagnostic in error.diagnostics}))
        return _stage(codes), codes, problem
    return "compiled", (), ""


def _stage(codes: Iterable[str]) -> str:
    found = {code[:4] for code in codes}
    if found & {"AX03", "AX04", "AX05", "AX06", "AX07"}:
        return "shapes and later"
    if "AX02" in found:
        return "names"
    return "syntax" if "AX01" in found else "not built yet"


def _flaw(diagnostic: Diagnostic) -> str:
    """What is wrong with a diagnostic, or ""."""
    if diagnostic.code not in catalogue():
        return f"the code {diagnostic.code} is not in the catalogue"
    for label in diagnostic.labels:
        if not 0 <= label.span.start <= label.span.end <= len(label.span.source.text):
            return f"{diagnostic.code} points outside its file"
    full, concise = render(diagnostic), render(diagnostic, "concise")
    if not (full + concise).replace("\n", "").isprintable():
        return f"{diagnostic.code} shows characters that act on a terminal"
    json.loads(render(diagnostic, "json"))
    return "" if render(diagnostic, color=True) else f"{diagnostic.code} shows nothing"


def _explained(error: Exception) -> str:
    """The exception and where it was raised: the same for all cases of one mistake."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f"{Path(frames[-1].filename).name}, in {frames[-1].name}" if frames else "nowhere"
    text = str(error).partition("\n")[0][:160]
    return f"{type(error).__name__} at {place}: {text}"


def kind_of(problem: str) -> str:
    """A problem without its details."""
    return problem.partition(":")[0]


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# ---------------------------------------------------------------- many


def _start_worker() -> None:
    """Warm up, then let this process have 1 GiB more than it has now."""
    examine(Source("warm.arch", _corpus()[0].text))
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))


def run_here(numbers: Iterable[int], seed: int = SEED) -> list[tuple[int, Outcome]]:
    """Examine cases in this process, with no limit of memory."""
    outcomes = []
    for number in numbers:
        case = make_case(number, seed)
        outcome = examine(case.source)
        outcomes.append((number, replace(outcome, stage=WRONG) if case.wrong else outcome))
    return outcomes


def run(
    cases: int, *, seed: int = SEED, processes: int = 2, first: int = 0, progress: Callable[[Tally], None] | None = None
) -> Tally:
    """Examine cases ``first`` and on, in several processes."""
    begin, tally = time.perf_counter(), Tally()
    chunks = [range(start, min(start + CHUNK, first + cases)) for start in range(first, first + cases, CHUNK)]
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker) as pool:
        waiting = {pool.submit(run_here, chunk, seed): chunk for chunk in chunks}
        for done in as_completed(waiting):
            try:
                outcomes = done.result()
            except BrokenProcessPool:  # no Python exception: the process itself died
                chunk = waiting[done]
                outcomes = [(chunk.start, Outcome("compiled", (), f"a worker died in cases {chunk.start} and on"))]
            for number, outcome in outcomes:
                tally.add(number, outcome)
            tally.seconds = time.perf_counter() - begin
            if progress is not None:
                progress(tally)
    return tally


def shrunk(source: Source, problem: str) -> Source:
    """A smaller text with the same kind of problem: blocks of lines are left out while it stays."""
    lines = source.text.splitlines(keepends=True)
    size = max(1, len(lines) // 2)
    while size:
        at = 0
        while at < len(lines):
            fewer = lines[:at] + lines[at + size :]
            if kind_of(examine(Source(source.name, "".join(fewer))).problem) == kind_of(problem):
                lines = fewer
            else:
                at += size
        size //= 2
    return Source(source.name, "".join(lines))


def save(tally: Tally, seed: int = SEED) -> list[Path]:
    """Write one small text for each kind of problem to tests/data/fuzz."""
    written = []
    for kind in dict.fromkeys(map(kind_of, tally.problems.values())):
        number = next(n for n, problem in sorted(tally.problems.items()) if kind_of(problem) == kind)
        small = shrunk(make_case(number, seed).source, tally.problems[number])
        SAVED.mkdir(parents=True, exist_ok=True)
        path = SAVED / f"case_{seed}_{number}{Path(small.name).suffix}"
        path.write_text(small.text, encoding="utf-8")
        written.append(path)
    return written


# ---------------------------------------------------------------- telling


def section(tally: Tally, seed: int = SEED) -> list[str]:
    """Paragraphs and a table for docs/proof.md."""
    rows = [[stage, f"{tally.stages[stage]:,}", f"{tally.stages[stage] / max(1, tally.cases):.1%}"] for stage in STAGES]
    found = Counter(map(kind_of, tally.problems.values()))
    worst = "; ".join(f"{kind} ({count})" for kind, count in found.most_common()) or "none"
    return [
        "## Mutated specs",
        f"{tally.cases:,} mutated specs and YAML files (seed {seed}), made from the zoo, the library, the examples and "
        "the documentation by changes of tokens, of syntax trees and of YAML nodes. Each is read, elaborated and "
        "differentiated, and every finding is shown in all styles. It fails if there is an exception other than a "
        f"report, a place outside its file, more than {SECONDS:g} s of processor time or more than 1 GiB.",
        page.table(["how far it came", "cases", "share"], rows),
        f"**{tally.reached:.1%} reached the shape checker**: they compiled, or have a finding of shapes, gradients, "
        "settings or data. (A case with findings of names alone is not counted, although its other statements "
        f"were checked.) {len(tally.codes)} of the {len(catalogue())} codes occurred. "
        f"The slowest case took {tally.slowest:.1f} s; all took {tally.seconds / 60:.0f} minutes.",
        f"Failures: {worst}.",
    ]


def show(tally: Tally) -> None:
    """A line of progress, now and then."""
    if tally.cases % 1000 < CHUNK:
        print(
            f"{tally.cases:,} cases, {tally.reached:.1%} reached the shape checker, {len(tally.problems)} problems, "
            f"{tally.cases / tally.seconds:.0f} a second",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine cases, print the findings, and save the failures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="save a small text for each kind of problem")
    options = parser.parse_args(arguments)
    tally = run(options.cases, seed=options.seed, processes=options.processes, first=options.first, progress=show)
    print("\n\n".join(section(tally, options.seed)))
    for number, problem in sorted(tally.problems.items()):
        print(f"case {number} ({make_case(number, options.seed).source.name}): {problem}")
    for path in save(tally, options.seed) if options.save else ():
        print(f"saved {path}")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
