"""The trees of expressions: one function for each rule of ``archonnx.lark`` that is part of one. See ``trees``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Label, Report, Suggestion
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Source, Span

from .literals import read_number, read_string
from .machine import Token

Children: TypeAlias = list[Any]
"""What a rule of the grammar consists of: nodes, groups and tokens, in order."""


class Group(Record):
    """Several nodes that have no node of their own in the tree: a signature, a list of values, a body."""

    span: Span
    items: tuple[Any, ...]
    doc: ast.Doc | None = None


class _Clause(Record):
    """``for targets in iterable if condition``."""

    span: Span
    targets: tuple[ast.Name, ...]
    iterable: ast.Expr
    condition: ast.Expr | None


class ExpressionBuilder:
    """Builds the nodes of one text after another; ``begin`` says which."""

    def begin(self, source: Source, report: Report) -> None:
        """Build nodes over ``source``, and tell ``report`` what is wrong."""
        self.source = source
        self.report = report

    # ------------------------------------------------------------ helpers

    def _span(self, children: Children) -> Span:
        first, last = children[0], children[-1]
        start = first.start if type(first) is Token else first.span.start
        end = last.end if type(last) is Token else last.span.end
        return Span(self.source, start, end)

    def _token(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def _name(self, token: Token) -> ast.Name:
        return ast.Name(str(token), span=self._token(token))

    def _group(self, children: Children, kind: type) -> Group:
        return Group(self._span(children), tuple(child for child in children if isinstance(child, kind)))

    def names(self, children: Children) -> Group:
        return Group(self._span(children), tuple(self._name(child) for child in children[::2]))

    def values(self, children: Children) -> Group:
        return self._group(children, ast.Expr)

    # ------------------------------------------------------------ expressions

    def pipe(self, children: Children) -> ast.Pipe:
        return ast.Pipe(children[0], children[2], span=self._span(children))

    def conditional(self, children: Children) -> ast.Conditional:
        return ast.Conditional(children[0], children[2], children[4], span=self._span(children))

    def binary(self, children: Children) -> ast.Binary:
        left, op, right = children
        return ast.Binary(str(op), left, right, span=self._span(children), op_span=self._token(op))

    def comparison(self, children: Children) -> ast.Binary:
        left, *words = children
        op = [words.pop(0)]
        while type(words[0]) is Token:  # `not in` is an operator of two words
            op.append(words.pop(0))
        right, *rest = words
        first = self._token(op[0]).to(self._token(op[-1]))
        if rest:
            second = self._token(rest[0])
            self.report.error(
                "AX0114",
                "comparisons do not chain",
                second,
                "a second comparison",
                others=[Label(first, "the first one")],
                help=_apart(left, " ".join(op), right, rest),
            )
        return ast.Binary(" ".join(op), left, right, span=self._span([left, right]), op_span=first)

    def unary(self, children: Children) -> ast.Unary:
        return ast.Unary(str(children[0]), children[1], span=self._span(children))

    def call(self, children: Children) -> ast.Call:
        callee, _, *rest = children
        arguments = tuple(child for child in rest if type(child) is not Token)
        named = None
        for argument in arguments:
            if argument.name is not None:
                named = argument
            elif named is not None:
                self.report.error(
                    "AX0119",
                    "an argument without a name follows one with a name",
                    argument.span,
                    others=[Label(named.span, "after this one, every argument needs its name")],
                    help=_decimal(arguments, argument) or "give it its name, or put it before those that have one",
                )
        return ast.Call(callee, arguments, span=self._span(children))

    def positional(self, children: Children) -> ast.Argument:
        return ast.Argument(children[0], span=children[0].span)

    def keyword(self, children: Children) -> ast.Argument:
        return ast.Argument(children[2], str(children[0]), span=self._span(children))

    def generator(self, children: Children) -> ast.Argument:
        span = self._span(children)
        return ast.Argument(self._comprehension(children[0], children[1], span), span=span)

    def index(self, children: Children) -> ast.Index:
        value, *rest = children
        subscripts = tuple(child for child in rest if type(child) is not Token)
        return ast.Index(value, subscripts, span=self._span(children))

    def slice_(self, children: Children) -> ast.Slice:
        parts: list[ast.Expr | None] = [None]
        for child in children:
            if type(child) is Token:
                parts.append(None)
            else:
                parts[-1] = child
        start, stop, step = (*parts, None)[:3]
        return ast.Slice(start, stop, step, span=self._span(children))

    def attribute(self, children: Children) -> ast.Attribute:
        value, _, name = children
        return ast.Attribute(value, str(name), span=self._span(children), name_span=self._token(name))

    def name(self, children: Children) -> ast.Name:
        return self._name(children[0])

    def number(self, children: Children) -> ast.Number:
        span = self._token(children[0])
        return ast.Number(read_number(span, self.report), span=span)

    def string(self, children: Children) -> ast.String:
        span = self._token(children[0])
        return ast.String(read_string(span, self.report), span=span)

    def constant(self, children: Children) -> ast.Constant:
        return ast.Constant(_CONSTANTS[children[0]], span=self._token(children[0]))

    def parenthesised(self, children: Children) -> ast.Expr:
        """The parentheses count in the span of what they hold, so that ``(a + b) * c`` starts at its bracket."""
        values: tuple[ast.Expr, ...] = children[1].items
        span = self._span(children)
        return replace(values[0], span=span) if len(values) == 1 else ast.Tuple(values, span=span)

    def _tuple(self, values: Group) -> ast.Expr:
        first: ast.Expr = values.items[0]
        return first if len(values.items) == 1 else ast.Tuple(values.items, span=values.span)

    def list_literal(self, children: Children) -> ast.List:
        return ast.List(self._group(children, ast.Expr).items, span=self._span(children))

    def list_comprehension(self, children: Children) -> ast.Comprehension:
        return self._comprehension(children[1], children[2], self._span(children))

    def comprehension(self, children: Children) -> _Clause:
        condition = children[5] if len(children) > 4 else None
        return _Clause(self._span(children), children[1].items, children[3], condition)

    def _comprehension(self, element: ast.Expr, clause: _Clause, span: Span) -> ast.Comprehension:
        return ast.Comprehension(element, clause.targets, clause.iterable, clause.condition, span=span)

    def dict_literal(self, children: Children) -> ast.Dict:
        pairs: dict[str, tuple[ast.String, ast.Expr]] = {}
        for key, value in (child.items for child in children if type(child) is not Token):
            if key.value in pairs:
                self.report.error(
                    "AX0120",
                    f"the key `{key.value}` is given twice",
                    key.span,
                    "again here",
                    others=[Label(pairs[key.value][0].span, "first given here")],
                )
            pairs[key.value] = key, value
        return ast.Dict(tuple(pairs.values()), span=self._span(children))

    def pair(self, children: Children) -> Group:
        word, _, value = children
        key = ast.String(str(word), span=self._token(word)) if word.type == "NAME" else self.string([word])
        return Group(self._span(children), (key, value))

    def dots(self, children: Children) -> ast.Dots:
        return ast.Dots(str(children[1]) if len(children) > 1 else None, span=self._span(children))


_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


def first_of(children: Children, kind: type, skip: int = 0) -> Any:
    """The first child of a kind, or None."""
    return next((child for child in children[skip:] if isinstance(child, kind)), None)


EQUAL, ORDERED = ("==", "!="), ("<", "<=", ">", ">=")


def _apart(left: ast.Expr, op: str, right: ast.Expr, rest: Children) -> Suggestion:
    """Help for comparisons in a row: ``a < b and b < c``, or ``(a < b) == (c > d)`` where two truths are compared."""
    operands = [left, right, *(child for child in rest if type(child) is not Token)]
    ops = [op, *(str(child) for child in rest if type(child) is Token)]
    equal = [place for place, one in enumerate(ops) if one in EQUAL]
    plain = len(operands) == len(ops) + 1 and all(one in EQUAL + ORDERED for one in ops)
    sides = (operands[: equal[0] + 1], operands[equal[0] + 1 :]) if len(equal) == 1 else ()
    if plain and sides and max(map(len, sides)) == 2 and not any(one.span.in_brackets for one in operands):
        whole = [side[0].span.to(side[-1].span) for side in sides]
        texts = [f"({span.text})" if len(side) == 2 else span.text for side, span in zip(sides, whole, strict=True)]
        edits = [Edit(span, text) for span, text in zip(whole, texts, strict=True) if span.text != text]
        written = f" {ops[equal[0]]} ".join(texts)
        return Suggestion.at_places(f"put what is compared in brackets: `{written}`", *edits)
    one, two = left.span.to(right.span).text, right.span.to(operands[2].span).text
    behind = Span(left.span.source, right.span.end, operands[-1].span.end)
    return Suggestion.of(f"write `{one} and {two}`", "", f" and {two}", behind)


def _decimal(arguments: Sequence[ast.Argument], given: ast.Argument) -> Suggestion | None:
    """``lr=0,001``, where the comma stands in a number."""
    before = arguments[arguments.index(given) - 1].value
    whole = isinstance(before, ast.Number) and isinstance(given.value, ast.Number)
    if not whole or not (before.span.text.isdigit() and given.span.text.isdigit()):
        return None
    comma = Span(given.span.source, before.span.end, given.span.start)
    number = f"{before.span.text}.{given.span.text}"
    return Suggestion.of(f"a decimal has a point: `{number}`", ",", ".", comma) if comma.text == "," else None
