"""What a mistake of docs/errors.md is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mistake:
    """One mistake in several languages.

    ``peers`` has the code by peer, of those that have a counterpart; ``arrays`` are fed to ours, by name and shape.
    """

    title: str
    about: str
    spec: str
    peers: Mapping[str, str]
    arrays: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
