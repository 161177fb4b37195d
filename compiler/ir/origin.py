"""Where a node of the graph came from: a place in the spec, or something derived from such a node."""

from __future__ import annotations

from dataclasses import dataclass

from archonnx.grammar.source import Span


@dataclass(frozen=True, slots=True)
class Origin:
    """``what`` is in the words of the spec (```param W```, ```softmax```), ``span`` its place.

    ``role`` says how a derived node came about (``"gradient of"``), and is empty for what was written.
    ``path`` is the module in which it stands (``"conv.0"``), empty for the model itself.
    """

    what: str
    span: Span | None = None
    role: str = ""
    path: str = ""

    def derived(self, role: str) -> Origin:
        """The origin of something made from this one; of two roles in a row the outer one is kept."""
        return Origin(self.what, self.span, role, self.path)

    def __str__(self) -> str:
        text = f"{self.role} {self.what}".strip()
        return f"{text} at {self.span}" if self.span is not None else text


UNKNOWN = Origin("the compiler")
