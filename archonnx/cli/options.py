"""Options that several verbs share, and reading ``KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer


class DeviceOption(StrEnum):
    """Where to run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Arguments = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="KEY=VALUE", help="An argument of the model, as in `--arg width=64`. Repeatable."),
]
Device = Annotated[DeviceOption, typer.Option("--device", help="Where to run; `auto` takes a GPU if there is one.")]


def key_values(texts: Sequence[str] | None, option: str) -> dict[str, Any]:
    """``["width=64", "bias=false"]`` as a dict. A usage error where there is no ``=``."""
    values: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"`{text}` is not of the form KEY=VALUE", param_hint=option)
        values[key.strip()] = literal(value.strip())
    return values


def literal(text: str) -> Any:
    """A value as the language writes it: a number, ``true``, ``false``, ``none``, a list or dict; else the text."""
    words = {"true": True, "false": False, "none": None}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text[:1] in ("[", "{", '"', "'"):
        import yaml

        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return text
    return text
