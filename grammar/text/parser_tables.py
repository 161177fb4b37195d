"""The tables of the parser: ``archonnx.tables``, generated from ``archonnx.lark`` and shipped with the package.

Lark reads the grammar and works out the tables, which takes ten times as long as reading them. So they are read where
they fit, that is, where they were written from this grammar; otherwise they are worked out. No cache is ever written
elsewhere. ``python -m archonnx.grammar.text.parser_tables`` writes the file anew; a test says when that is due.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .machine import Shape, Tables

if TYPE_CHECKING:
    import lark

GRAMMAR = Path(__file__).with_name("archonnx.lark")
TABLES = Path(__file__).with_name("archonnx.tables")
STARTS = ("file", "declaration", "body", "expression", "annotation", "union")


def read_tables() -> Tables:
    """The tables of the grammar."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    try:
        stored: dict[str, Any] = json.loads(TABLES.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = {}
    tables: Tables | None = stored.get("tables")
    return tables if tables is not None and stored.get("grammar") == grammar else worked_out(grammar)


def tables_text() -> str:
    """What ``archonnx.tables`` should hold; the same on every run and machine."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    stored = {"grammar": grammar, "tables": worked_out(grammar)}
    return json.dumps(stored, separators=(",", ":"), ensure_ascii=False) + "\n"


def worked_out(grammar: str) -> Tables:
    """The tables of a grammar, by lark."""
    made = lark_parser(grammar)
    numbers, states = _in_order(made.parser.parser._parse_table)
    rules = sorted({action for row in states for action in row.values() if not isinstance(action, int)}, key=_rule_key)
    number_of = {rule: ~number for number, rule in enumerate(rules)}
    rows = [
        {symbol: action if isinstance(action, int) else number_of[action] for symbol, action in row.items()}
        for row in states
    ]
    distinct = {json.dumps(row): row for row in rows}
    at = {text: number for number, text in enumerate(distinct)}
    table = made.parser.parser._parse_table
    return Tables(
        terminals=_terminals(made),
        ignored=sorted(made.ignore_tokens),
        rules=[_shape(rule) for rule in rules],
        rows=list(distinct.values()),
        states=[at[json.dumps(row)] for row in rows],
        starts={start: numbers[table.start_states[start]] for start in STARTS},
        ends={start: numbers[table.end_states[start]] for start in STARTS},
    )


def lark_parser(grammar: str, **options: Any) -> lark.Lark:
    """Lark's own parser of a grammar."""
    from lark import Lark

    return Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=list(STARTS),
        keep_all_tokens=True,
        maybe_placeholders=False,
        **options,
    )


def _in_order(table: Any) -> tuple[dict[Any, int], list[dict[str, Any]]]:
    """The numbers of states, in the order in which they are reached, and what each does with a symbol.

    Lark's own order hangs on the addresses of its objects.
    """
    from lark.parsers.lalr_analysis import Shift

    order = [table.start_states[start] for start in STARTS]
    numbers = {state: number for number, state in enumerate(order)}
    for state in order:
        for _, (action, argument) in sorted(table.states[state].items()):
            if action is Shift and argument not in numbers:
                numbers[argument] = len(order)
                order.append(argument)
    rows = [
        {
            symbol: numbers[argument] if action is Shift else argument
            for symbol, (action, argument) in sorted(table.states[state].items())
        }
        for state in order
    ]
    return numbers, rows


def _rule_key(rule: Any) -> tuple[str, int, str]:
    return rule.origin.name, rule.order, str(rule)


def _shape(rule: Any) -> Shape:
    """How lark makes the node of a rule; rules that begin with ``_`` have none."""
    inlined = [n for n, part in enumerate(rule.expansion) if not part.is_term and part.name.startswith("_")]
    single = bool(rule.options.expand1) and not rule.alias
    stands_for_it = single and len(rule.expansion) == 1 and not inlined
    unnamed = rule.origin.name.startswith("_") or stands_for_it
    return Shape(
        origin=rule.origin.name,
        size=len(rule.expansion),
        inlined=inlined,
        call=rule.alias or ("" if unnamed else str(rule.origin.name)),
        single=single,
    )


def _terminals(made: lark.Lark) -> list[tuple[str, str]]:
    """Names and patterns in the order in which lark tries them.

    A text that two terminals of one priority match, a string and a regular expression, would be the string's; the order
    does not say so, and no grammar with such terminals is taken.
    """
    import re

    from lark.lexer import _create_unless

    root: Any = made.parser.lexer.root_lexer
    create_unless: Any = _create_unless
    kept, special = create_unless(root.terminals, root.g_regex_flags, re, False)
    if kept != root.terminals or special:
        raise ValueError(f"special cases of other terminals: {', '.join(sorted(special))}")
    return [(terminal.name, terminal.pattern.to_regexp()) for terminal in root.terminals]


if __name__ == "__main__":
    TABLES.write_text(tables_text(), encoding="utf-8")
