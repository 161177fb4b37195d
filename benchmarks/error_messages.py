"""Writes docs/errors.md: what archonnx, PyTorch, Keras and ONNX say about the same mistakes.

``python -m benchmarks.error_messages`` runs torch and keras beside archonnx; where they are not installed it writes our
part alone, and keeps theirs. Every snippet runs in a process of its
own; of a traceback, the page shows the part below the last frame, which is the peer's own message.

What this module does not do: judge. Our own part of the page is checked by a test; that of the peers is as old as the
date on the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from archonnx.compiler.checking import warnings
from archonnx.compiler.lints.levels import Levels
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.grammar.diagnostics import Report, SpecError, render_report
from archonnx.grammar.source import Source

from . import page
from .mistake import Mistake
from .mistakes import MISTAKES, PEERS, PRELUDES

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"
LINES = 12
"""Lines that are shown of a message at most."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
METHOD = """\
Thirty mistakes that people often ask about, in four tools, with the complete messages. Of a Python traceback, the page
shows the lines below the last frame (at most 12, `[...]` where some are left out) and not the frames, most of which lie
inside the library. A model in ONNX, where a mistake has a counterpart there, is checked by `onnx.checker` with shape
inference, and then opened and run by onnxruntime. archonnx reports its errors and warnings before anything runs, except
where arrays are given to a `Trainer`. Ludwig was not run: it is not installed."""


def ours(mistake: Mistake) -> str:
    """What archonnx says."""
    spec = parse_spec(Source("net.arch", mistake.spec))
    try:
        model = elaborate(spec)
        for program in model.programs:
            train_steps(model, program, 1, 1)
        if mistake.arrays:
            _feed(mistake)
    except SpecError as error:
        return render_report(error.report)
    found = warnings(model, Levels())
    if found:
        return render_report(Report(found))
    raise AssertionError(f"nothing is found: {mistake.title}")


def _feed(mistake: Mistake) -> None:
    from archonnx import Trainer

    spec = parse_spec(Source("net.arch", mistake.spec))
    trainer = Trainer(spec, batch_size=32, device="cpu")
    trainer.step(
        {name: np.zeros(shape, np.float32 if len(shape) > 1 else np.int64) for name, shape in mistake.arrays.items()}
    )


def theirs(mistake: Mistake, peer: str) -> str:
    """What a peer says: its message, or what is printed where it says nothing."""
    code = f"{PRELUDES[peer]}\n{mistake.peers[peer]}"
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONWARNINGS": "default"}
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    printed = result.stdout.strip()
    if result.returncode == 0:
        said = _trimmed(_warnings(result.stderr))
        return "\n".join(filter(None, (said, printed, "(no error)")))
    return _trimmed(_message(result.stderr))


def _message(traceback: str) -> str:
    """What stands under the last frame of a traceback."""
    last = traceback.rpartition("Traceback (most recent call last):\n")[2].splitlines()
    start = next(i for i, line in enumerate(last) if line and not line.startswith(" "))
    return "\n".join(last[start:])


def _warnings(text: str) -> str:
    """Warnings, without the paths of the files that they come from."""
    found = re.findall(r"^\S+:\d+: (\w*Warning: .*)$", text, re.MULTILINE)
    return "\n".join(line for line in found if "Deprecat" not in line)


def _trimmed(text: str) -> str:
    lines = [line.rstrip() for line in _COLOUR.sub("", text).strip().splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 1], "[...]"])


def our_part(mistake: Mistake) -> str:
    """The part of the page that a test compares."""
    about = f"{mistake.about}\n\n" if mistake.about else ""
    return f"## {mistake.title}\n\n{about}**archonnx**\n\n```arch\n{mistake.spec}```\n\n```text\n{ours(mistake)}\n```\n"


def section(mistake: Mistake) -> str:
    """A mistake, and what all of them say."""
    parts = [our_part(mistake)]
    for peer, name in PEERS.items():
        if peer not in mistake.peers:
            continue
        print(f"{mistake.title}: {name}", flush=True)
        parts.append(f"**{name}**\n\n```python\n{mistake.peers[peer]}```\n\n```text\n{theirs(mistake, peer)}\n```\n")
    return "\n".join(parts).rstrip()


def our_parts_anew(text: str) -> str:
    """The page with what archonnx says today; what the others say is that of an earlier run."""
    for mistake in MISTAKES:
        start = text.index(f"## {mistake.title}\n")
        end = min(at for name in PEERS.values() if (at := text.find(f"\n**{name}**", start)) >= 0)
        text = text[:start] + our_part(mistake) + text[end:]
    return text


def main() -> int:
    """Run everything, and write the page."""
    missing = [name for name in ("torch", "keras") if find_spec(name) is None]
    if missing:
        print(f"{' and '.join(missing)} not installed: what the others say stays, as it is dated on the page")
        PAGE.write_text(our_parts_anew(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    with ThreadPoolExecutor(2) as pool:  # each peer is a process of its own
        sections = list(pool.map(section, MISTAKES))
    packages = ("torch", "keras", "onnx", "onnxruntime-gpu", "onnxruntime")
    parts = [
        "# Error messages",
        "Written by `python -m benchmarks.error_messages`.",
        METHOD,
        *sections,
        page.circumstances(packages),
    ]
    print(page.write("errors.md", parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
