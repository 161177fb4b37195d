"""N-grams of characters with Witten-Bell smoothing, ``python -m benchmarks.ngrams``: what a model of a text must beat.

Order n foretells a character from the n - 1 before it. With c(h, x) the count of x after h in the train part, c(h)
their sum and t(h) the number of different x after h (Witten and Bell 1991; Chen and Goodman 1998, 2.4):

    p(x | h) = (c(h, x) + t(h) p(x | h')) / (c(h) + t(h))        h': h without its first character
    p(x)     = (c(x) + t / v) / (c + t)                          v: size of the alphabet

A history that the train part does not have says nothing: p(x | h) = p(x | h'). The alphabet is the characters of the
train part and one for all that it lacks. ``--run RUN`` prints beside them what a trained model needs for the same
characters. What this module does not do: learn anything of the test part.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log2
from pathlib import Path

import numpy as np

import archonnx

from .topics_text import FOLDER, TEXT

ORDERS = range(1, 7)
HELD_OUT = 0.1
"""The last part of the text, on which is measured."""
CONTEXT = 128
"""How many characters a model looks at."""
UNKNOWN = None
"""What every character is that the train part lacks."""

Symbols = Sequence[str | None]


def main() -> int:
    """Print the bits per character of each order."""
    parser = argparse.ArgumentParser(description="Witten-Bell n-grams on the last tenth of a text.")
    parser.add_argument("file", nargs="?", type=Path, default=FOLDER / TEXT, help="a text; that of the zoo if left out")
    parser.add_argument("--run", type=Path, help="a run directory of a model of the same text")
    given = parser.parse_args()
    path: Path = given.file
    text = path.read_text("utf-8")
    for line in table(text, path.name):
        print(line)
    if given.run is not None:
        run = archonnx.Run(given.run)
        print(f"{run.name} {bits_of(run, text, held_from(len(text))):.4f} bits")
    return 0


def bits_of(run: archonnx.Run, text: str, start: int, context: int = CONTEXT) -> float:
    """The mean of -log2 p of the characters from ``start`` on, each foretold once from at least half a context.

    Args:
        run: of a model whose output ``probs`` [B, T, vocab] is of the character after each.
        text: all of it.
        start: where the part begins that is held out.
        context: how many characters the model looks at.
    """
    assert run.texts is not None
    half, numbers = context // 2, run.texts.numbers(text)
    firsts = np.arange(start - half - 1, len(numbers) - half - 1, half)
    padded = np.concatenate([numbers, np.zeros(context, np.int64)])  # what comes later changes nothing before it
    windows = padded[firsts[:, None] + np.arange(context)]
    probs = run.predict_fields({"ids": windows}, batch_size=64)["probs"][:, -half:]
    at = firsts[:, None] + 1 + half + np.arange(half)
    there = at < len(numbers)
    p = np.take_along_axis(probs, padded[at][..., None], axis=2)[..., 0]
    return float(-np.log2(p[there].astype(np.float64)).mean())


def table(text: str, name: str) -> list[str]:
    """The figures of a text, a line for each order."""
    cut = held_from(len(text))
    bits = {order: bits_per_character(text[:cut], text[cut:], order) for order in ORDERS}
    best = min(bits, key=bits.__getitem__)
    head = f"{name}: {cut:,} characters learned from, {len(text) - cut:,} held out"
    return [head, *(f"order {order}  {b:.4f} bits{'  best' if order == best else ''}" for order, b in bits.items())]


def held_from(count: int) -> int:
    """Where the part begins that is held out."""
    return round(count * (1 - HELD_OUT))


def bits_per_character(train: str, test: str, order: int) -> float:
    """The mean of -log2 p over the test part. It comes after the train part: its first histories reach back there."""
    alphabet = set(train)
    model = WittenBell([*train], order)
    symbols: Symbols = [*train[len(train) - (order - 1) :], *(c if c in alphabet else UNKNOWN for c in test)]
    start = len(symbols) - len(test)
    total = sum(
        -log2(model.probability(symbols[max(i - order + 1, 0) : i], symbols[i])) for i in range(start, len(symbols))
    )
    return total / len(test)


class WittenBell:
    """Counts of a text, and what they foretell.

    Args:
        train: the symbols to learn from.
        order: how many symbols an n-gram has.
    """

    def __init__(self, train: Symbols, order: int) -> None:
        self.order, self.size = order, len(set(train)) + 1
        self._after: dict[tuple[str | None, ...], Counter[str | None]] = defaultdict(Counter)
        for i, symbol in enumerate(train):
            for length in range(min(order - 1, i) + 1):
                self._after[tuple(train[i - length : i])][symbol] += 1
        self._seen = {history: sum(counts.values()) for history, counts in self._after.items()}

    def probability(self, history: Symbols, symbol: str | None) -> float:
        """p of a symbol after a history, of which the last ``order - 1`` symbols count."""
        p = 1 / self.size
        reach = min(self.order - 1, len(history))
        for length in range(reach + 1):
            known = tuple(history[len(history) - length :])
            counts = self._after.get(known)
            if counts is None:
                break  # and no longer one is known
            p = (counts[symbol] + len(counts) * p) / (self._seen[known] + len(counts))
        return p


if __name__ == "__main__":
    sys.exit(main())
