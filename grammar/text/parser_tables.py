"""The parser and its tables: ``archonnx.tables``, generated from ``archonnx.lark`` and shipped with the package.

Building the tables takes ten times as long as reading them, so they are read where they fit, that is, where they were
written from this grammar by this version of lark; otherwise they are built. No cache is ever written elsewhere.
``python -m archonnx.grammar.text.parser_tables`` writes the file anew; a test says when that is due.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lark import PostLex
from lark.lexer import TerminalDef
from lark.parsers.lalr_analysis import Shift

from .indentation import Layout
from .lexing import SharedLexer

GRAMMAR = Path(__file__).with_name("archonnx.lark")
TABLES = Path(__file__).with_name("archonnx.tables")
PLUGINS = {"ContextualLexer": SharedLexer}
STARTS = ("file", "declaration", "body", "expression", "annotation", "union")


def make_parser(builder: object, layout: PostLex) -> lark.Lark:
    """A parser that calls ``builder`` for every rule, with ``layout`` between its lexer and itself."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    stored = _read(grammar)
    if stored is None:
        return build_parser(grammar, builder, layout)
    load: Any = lark.Lark._load_from_dict
    parser: lark.Lark = load(**stored, transformer=builder, postlex=layout, _plugins=PLUGINS)
    return parser


def build_parser(grammar: str, builder: object | None, layout: PostLex) -> lark.Lark:
    """The same parser, from the text of the grammar."""
    options: dict[str, Any] = {"transformer": builder, "postlex": layout, "_plugins": PLUGINS}
    return lark.Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=list(STARTS),
        keep_all_tokens=True,
        maybe_placeholders=False,
        **options,
    )


def tables_text() -> str:
    """What ``archonnx.tables`` should hold; the same on every run and machine."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    parser = build_parser(grammar, None, Layout())
    _number_states(parser.parser.parser._parse_table)
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    data["options"] |= {"postlex": None, "transformer": None, "_plugins": {}}
    stored = {"lark": lark.__version__, "grammar": grammar, "data": data, "memo": memo}
    return json.dumps(stored, separators=(",", ":"), ensure_ascii=False) + "\n"


def _number_states(table: Any) -> None:
    """Number the states in the order in which they are reached; lark's order hangs on the addresses of its objects."""
    order = [table.start_states[start] for start in STARTS]
    numbers = {state: number for number, state in enumerate(order)}
    for state in order:
        for _, (action, argument) in sorted(table.states[state].items()):
            if action is Shift and argument not in numbers:
                numbers[argument] = len(order)
                order.append(argument)

    def renumber(action: Any, argument: Any) -> tuple[Any, Any]:
        return (action, numbers[argument]) if action is Shift else (action, argument)

    table.states = {
        numbers[state]: {symbol: renumber(*action) for symbol, action in sorted(table.states[state].items())}
        for state in order
    }
    table.start_states = {start: numbers[table.start_states[start]] for start in STARTS}
    table.end_states = {start: numbers[table.end_states[start]] for start in STARTS}


def _read(grammar: str) -> dict[str, Any] | None:
    """The stored tables, or None where they are not those of this grammar and this lark."""
    try:
        stored: dict[str, Any] = json.loads(TABLES.read_text(encoding="utf-8"))
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
