"""What a case is, and how one is drawn: the same seed and number give the same case on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .setting import Setting

SEED = 12
Write = Callable[[Path, Setting], None]
Reader = Callable[[Path], Mapping[str, Any]]
"""Gives the fields of a model that a file holds, by another way of reading it than archonnx has."""


@dataclass(frozen=True)
class Case:
    """A command, and the files that it is given.

    Attributes:
        name: what is damaged, and how.
        arguments: of the command line, which is run in the folder of the case; ``@NAME`` stands for a path of the
            setting.
        write: writes the files into that folder.
        read: the fields that the outputs must be those of, if the command goes well and writes ``out.npz``.
        same: whether what it prints must be what it prints of the intact run, if it goes well.
        refused: whether it may not go well, whatever it gives.
    """

    name: str
    arguments: tuple[str, ...]
    write: Write = lambda folder, setting: None
    read: Reader | None = None
    same: bool = False
    refused: bool = False


Draw = Callable[[Random], Case]
DRAWS: dict[str, list[tuple[int, Draw]]] = {}
"""What draws a case of a kind, each with its weight among those of the kind."""
KINDS = {"arrays": 24, "tables": 24, "pictures": 8, "weights": 10, "runs": 20, "arguments": 14}
"""How many of a hundred cases are of each kind."""


def draws(kind: str, weight: int = 1) -> Callable[[Draw], Draw]:
    """Register what draws cases of a kind."""

    def register(draw: Draw) -> Draw:
        DRAWS.setdefault(kind, []).append((weight, draw))
        return draw

    return register


def draw_case(number: int, seed: int = SEED) -> tuple[str, Case]:
    """The kind of a case, and the case."""
    random = Random(f"{seed}/{number}")
    kind = random.choices([*KINDS], [*KINDS.values()])[0]
    weights, ways = zip(*DRAWS[kind], strict=True)
    return kind, random.choices(ways, weights)[0](random)
