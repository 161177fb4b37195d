"""What is printed for people, whoever wrote it: names and texts of files are shown, and never act on a terminal."""

from __future__ import annotations

import sys


def harmless(text: str, kept: str = "\n\t") -> str:
    r"""The text with a replacement for each character that is not shown, but acts: colours, bells, the direction.

    >>> harmless("run\x1b[31m\tof\x07")
    'run\ufffd[31m\tof\ufffd'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in kept else "\ufffd" for c in text)


def say(text: str) -> None:
    """Lines for people, on stderr."""
    print(harmless(text, "\n"), file=sys.stderr, flush=True)


def tell(text: str = "") -> None:
    """A result for people, on stdout."""
    print(harmless(text), flush=True)
