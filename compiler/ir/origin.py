"""Where a node of the graph came from: a place in the spec, or something derived from such a node."""

from __future__ import annotations

from typing import Any, Protocol

from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span


class Owner(Protocol):
    """A module, which knows its path once all its siblings are known."""

    @property
    def path(self) -> str:
        """``"encoder.layers.0"``, empty for the model itself."""


class OwnerPath(Record):
    """What a pickled or copied origin knows of its owner."""

    path: str


class Origin(Record):
    """``what`` is in the words of the spec (```param W```, ```softmax```), ``span`` its place.

    ``role`` says how a derived node came about (``"gradient of"``), and is empty for what was written.
    ``owner`` is the module in which it stands. Where ``span`` lies in the library, ``use`` is the place of the spec
    that uses it, and ``used`` what it uses there.
    """

    what: str
    span: Span | None = None
    role: str = ""
    owner: Owner | None = None
    use: Span | None = None
    used: str = ""

    @property
    def path(self) -> str:
        """The path of its module (``"conv.0"``), empty for the model itself."""
        return self.owner.path if self.owner is not None else ""

    @property
    def place(self) -> Span | None:
        """Where the author of the spec should look."""
        return self.use or self.span

    @property
    def subject(self) -> str:
        """What stands at ``place``."""
        return self.used if self.use is not None else self.what

    def __getstate__(self) -> tuple[Any, ...]:
        """The fields, with the owner's path in place of the owner, which holds all that the elaborator knew of it."""
        owner = None if self.owner is None else OwnerPath(self.owner.path)
        return self.what, self.span, self.role, owner, self.use, self.used

    def derived(self, role: str) -> Origin:
        """The origin of something made from this one; of two roles in a row the outer one is kept."""
        return replace(self, role=role)

    def __repr__(self) -> str:
        return f"<origin: {self}>"

    def __str__(self) -> str:
        text = f"{self.role} {self.what}".strip()
        return f"{text} at {self.span}" if self.span is not None else text


UNKNOWN = Origin("the compiler")
