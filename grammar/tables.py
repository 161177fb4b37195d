"""The parser and its tables: ``archonnx.tables``, generated from ``archonnx.lark`` and shipped with the package.

Building the tables takes ten times as long as reading them, so they are read where they fit, that is, where they were
written from this grammar by this version of lark; otherwise they are built. No cache is ever written elsewhere.
``python -m archonnx.grammar.tables`` writes the file anew; a test says when that is due.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

GRAMMAR = Path(__file__).with_name("archonnx.lark")
TABLES = Path(__file__).with_name("archonnx.tables")
STARTS = ("file", "declaration", "body", "expression", "annotation")


def make_parser(builder: object, layout: lark.lark.PostLex) -> lark.Lark:
    """A parser that calls ``builder`` for every rule, with ``layout`` between its lexer and itself."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    stored = _read(grammar)
    if stored is None:
        return _build(grammar, builder, layout)
    parser: lark.Lark = lark.Lark._load_from_dict(**stored, transformer=builder, postlex=layout)
    return parser


def tables_text() -> str:
    """What ``archonnx.tables`` should hold."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    from .layout import Layout

    data, memo = _build(grammar, None, Layout()).memo_serialize([TerminalDef, Rule])
    for option in ("postlex", "transformer"):
        data["options"][option] = None
    stored = {"lark": lark.__version__, "grammar": grammar, "data": data, "memo": memo}
    return json.dumps(stored, separators=(",", ":"), ensure_ascii=False, default=sorted) + "\n"


def _build(grammar: str, builder: object | None, layout: lark.lark.PostLex) -> lark.Lark:
    return lark.Lark(
        grammar, parser="lalr", lexer="contextual", start=list(STARTS), transformer=builder,  # type: ignore[arg-type]
        postlex=layout, keep_all_tokens=True, maybe_placeholders=False,
    )


def _read(grammar: str) -> dict[str, Any] | None:
    """The stored tables, or None where they are not those of this grammar and this lark."""
    try:
        stored = json.loads(TABLES.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if stored.pop("lark", None) != lark.__version__ or stored.pop("grammar", None) != grammar:
        return None
    # JSON has no integer keys, and lark looks up states and memoised objects by integer.
    table = stored["data"]["parser"]["parser"]
    table["states"] = {int(state): actions for state, actions in table["states"].items()}
    stored["memo"] = {int(key): value for key, value in stored["memo"].items()}
    return stored


if __name__ == "__main__":
    TABLES.write_text(tables_text(), encoding="utf-8")
