"""A case is done in this process, as the command line does it, and what happened is judged.

What must hold: the command goes well, and then its outputs are those of the values that the files hold; or it says what
is wrong. It never raises anything else, takes at most 10 s of processor time (and hangs nowhere), and at most 1 GiB
above what the process had before. What it prints is for people: no warning of a library, nothing that acts on a
terminal, and not the file itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np

import archonnx
from archonnx.cli import _run, limits
from archonnx.cli.output import show_report
from archonnx.grammar.diagnostics import SpecError

from . import arrays, pictures, tables, typed, weights  # noqa: F401 - they register what draws cases
from .cases import Case, draw_case
from .setting import Setting

SECONDS, HANGS, BYTES = 10.0, 60.0, 2**30
SPARE = 4 * 2**30
"""A case that takes so much more than it had fails at once, so that the machine does not."""
LONGEST = 20_000
"""Characters that messages may have."""
RAW = re.compile(r"Warning:|Traceback|warnings\.warn|\[[WEF]:onnxruntime|libpng|TIFF[A-Z]\w*:|0x[0-9a-f]{9,}>")
"""What libraries say, and nobody else."""
Answer = Literal["right", "done", "refused"]


class TooSlow(BaseException):
    """A case used up its time. (No ``Exception``: nothing that is examined can catch it.)"""


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        answer: it went well with outputs that were compared, or without; or it was refused.
        problem: what should not have happened, "" if nothing.
        seconds: of the clock.
        bytes: at most, above what the process had.
    """

    answer: Answer
    problem: str = ""
    seconds: float = 0.0
    bytes: int = 0


def examine(case: Case, setting: Setting) -> Outcome:
    """Do a case in a folder of its own."""
    folder, here = Path(tempfile.mkdtemp(dir=setting.root)), Path.cwd()
    try:
        case.write(folder, setting)
        os.chdir(folder)
        return _judged(case, setting, folder)
    finally:
        os.chdir(here)
        shutil.rmtree(folder, ignore_errors=True)


def _judged(case: Case, setting: Setting, folder: Path) -> Outcome:
    arguments = [_placed(argument, setting) for argument in case.arguments]
    begin, before = time.perf_counter(), _memory("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status, out, said = run(arguments)
    seconds, taken = time.perf_counter() - begin, _memory("VmHWM") - before
    answer, problem = _answer(case, setting, folder, status, out, said)
    if not problem and taken > BYTES:
        problem = f"{taken / 2**20:.0f} MiB more than before"
    return Outcome(answer, problem, seconds, taken)


def _placed(argument: str, setting: Setting) -> str:
    return str(setting.path(argument[1:])) if argument.startswith("@") else argument


def _answer(case: Case, setting: Setting, folder: Path, status: Any, out: str, said: str) -> tuple[Answer, str]:
    """What came of it, and what is wrong with that."""
    if isinstance(status, str):
        return "refused", status
    if (raw := RAW.search(said)) is not None:
        return "refused", f"a library speaks: {said[max(0, raw.start() - 80) : raw.end() + 120]!r}"
    if len(said) > LONGEST:
        return "refused", f"{len(said):,} characters are said"
    odd = {letter for letter in said if not letter.isprintable()} - {"\n", "\t", "\udcff"}
    if odd:
        return "refused", f"what is said acts on a terminal: {odd}"
    if status:
        return "refused", "" if (said + out).strip() else "refused without a word"
    if case.refused:
        return "done", "not refused"
    if case.same:
        intact = _printed(setting, case.arguments)
        return "right", "" if out == intact else f"prints {out[:200]!r}, and of the intact run {intact[:200]!r}"
    if case.read is None or not (folder / "out.npz").is_file():
        return "done", ""
    return "right", _untrue(case, setting, folder)


def _untrue(case: Case, setting: Setting, folder: Path) -> str:
    """How outputs differ from those of what the files hold, "" if they do not."""
    assert case.read is not None
    try:
        fields = case.read(folder)
    except Exception as error:  # what another reader refuses must not be taken
        return f"read, and another reader refuses it: {type(error).__name__}: {error}"[:300]
    with np.load(folder / "out.npz") as file:
        outputs = {name: file[name] for name in file.files if "." not in name}
    run = _opened(setting, next(str(a) for a in case.arguments if a in RUNS))
    try:
        wanted = run.predict_fields(fields)
    except SpecError as error:
        return f"read, and these are no fields: {error.diagnostics[0].headline}"
    for name, array in wanted.items():
        if outputs[name].shape != array.shape or not np.allclose(outputs[name], array, rtol=1e-5, atol=1e-6):
            return f"`{name}` is {outputs[name].tolist()}, and should be {array.tolist()}"[:300]
    return ""


RUNS = {"@arrays/run": "arrays/run", "@table/run": "table/run", "@pictures/run": "pictures/run", "run": "table/run"}


@cache
def _opened(setting: Setting, name: str) -> archonnx.Run:
    return archonnx.Run(setting.path(RUNS[name]))


@cache
def _printed(setting: Setting, arguments: tuple[str, ...]) -> str:
    """What a command prints of the intact run."""
    return run([str(setting.path("table/run")) if one == "run" else one for one in arguments])[1]


# ---------------------------------------------------------------- a command


def run(arguments: list[str]) -> tuple[int | str, str, str]:
    """The exit status of a command (what happened instead, where that is a bug), what it wrote to stdout and stderr."""
    out = io.StringIO()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as said,
        _spoken(said),
        contextlib.redirect_stdout(out),
    ):
        try:
            with _limits():
                status: int | str = _status(arguments)
        except TooSlow:
            status = f"more than {SECONDS:g} s"
        except Exception as error:  # anything at all: that is what is looked for
            status = _explained(error)
        said.flush()
        said.seek(0)
        return status, out.getvalue(), said.read()


def _status(arguments: list[str]) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.simplefilter("ignore", ResourceWarning)  # which Python shows to nobody
            with mock.patch.object(limits, "limit"):  # which bounds a process, and this one does many commands
                _run(arguments)
    except SpecError as error:
        show_report(error.report)
        return 1
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


@contextlib.contextmanager
def _spoken(file: Any) -> Iterator[None]:
    """Everything that goes to stderr goes to a file, that of libraries as well."""
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        with contextlib.redirect_stderr(file):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Bounds of time and memory for what is done inside."""

    def stop(*_: object) -> None:
        raise TooSlow

    used = _memory("VmSize")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = [(of, signal.signal(of, stop)) for of in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        for of, handler in before:
            signal.signal(of, handler)


def _memory(of: str) -> int:
    """What the process has, in bytes: ``VmRSS`` now, ``VmHWM`` at most, ``VmSize`` of addresses."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{of}:"):
            return int(line.split()[1]) * 1024
    return 0


def _explained(error: Exception) -> str:
    """The exception and where it was raised: the same for all cases of one mistake."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in f.filename and "archonnx" not in f.name
    ]
    ours = [f for f in frames if "/lib/python" not in f.filename]
    place = f"{Path(ours[-1].filename).name}, in {ours[-1].name}" if ours else "nowhere"
    return f"{type(error).__name__} at {place}: {str(error).partition(chr(10))[0][:160]}"


def kind_of(problem: str) -> str:
    """A problem without its details."""
    return problem.partition(":")[0]


# ---------------------------------------------------------------- many


Found = tuple[int, str, str, Outcome]
"""Number, kind and name of a case, and what came of it."""


def run_chunk(root: Path, numbers: range, seed: int) -> list[Found]:
    """Examine cases in this process, and write down which is under way."""
    setting, found = Setting.opened(root), list[Found]()
    _warm_up(setting)
    for number in numbers:
        kind, case = draw_case(number, seed)
        _under_way(root, numbers).write_text(str(number), encoding="ascii")
        found.append((number, kind, case.name, examine(case, setting)))
    return found


def _warm_up(setting: Setting) -> None:
    """Import what cases need: that takes its time and memory once, and no case's."""
    import pyarrow.parquet  # noqa: F401
    from PIL import Image

    from archonnx import training  # noqa: F401

    Image.init()
    _opened(setting, "@table/run").predict_fields({"x": setting.x})


def reached(root: Path, numbers: range) -> int:
    """The case at which a process died."""
    return int(_under_way(root, numbers).read_text("ascii"))


def _under_way(root: Path, numbers: range) -> Path:
    return root / f"under-way-{numbers.start}"
