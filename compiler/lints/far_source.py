"""A source whose file does not lie beside the spec: nothing is downloaded, and nothing elsewhere is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning

ADDRESS = re.compile(r"^\w+://")
ELSEWHERE = re.compile(r"^(?:/|~|[A-Za-z]:[\\/])")


@lint("AX0833")
def far_source(sight: Sight) -> Iterator[Diagnostic]:
    """``csv("https://example.org/flats.csv")``, ``csv("/home/anna/flats.csv")``."""
    for program in sight.model.programs:
        for source in program.sources:
            path = source.arguments.get("path")
            if not isinstance(path, str) or not (ADDRESS.match(path) or ELSEWHERE.match(path)):
                continue
            address = ADDRESS.match(path) is not None
            yield warning(
                "AX0833",
                f'"{path}" is an address, and nothing is downloaded'
                if address
                else f'"{path}" does not lie in the folder of the spec, and nothing else is read',
                source.span,
                "a training without `--data` cannot read it",
                help="download it, and give its path from the folder of the spec"
                if address
                else "copy it beside the spec, and give its path from there",
            )
