"""Codes 00xx: what can be said at any stage."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0001",
        "not-built-yet",
        "this part of the language is not built yet",
        "The spec is well formed and means something, but this version of archonnx cannot compile it yet. It is "
        "refused as a whole rather than compiled to something else.",
        "Rewrite the spec without the construct, or use a later version.",
    ),
    Code(
        "AX0002",
        "internal-error",
        "archonnx itself is wrong",
        "The compiler came to a state that it should never reach. Nothing is wrong with the spec, or what is wrong "
        "with it should have been told in another way.",
        "Please report it, with the spec and the whole message. Rewriting the part of the spec that is shown may avoid "
        "it.",
    ),
)
