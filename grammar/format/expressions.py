"""Expressions, types and signatures as documents that can be laid out: parentheses only where precedence needs them.

Comments inside brackets and between the stages of a pipe go back to the item that they stood at. The module
``statements`` writes statements and whole files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

from archonnx.grammar import ast
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.words import is_name

from .comments import Comment, Comments
from .documents import HARD, LINE, SOFT, Broken, Doc, Group, Nest, Remark, concat, join

# How tightly a form binds, loosest first.
PIPE, CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, POWER, POSTFIX, ATOM = range(12)

Item: TypeAlias = tuple[Span, Callable[[], Doc]]
"""Something in brackets: where it was written, and how to make its document, after the comments above it."""

_BINARY = {
    "or": OR,
    "and": AND,
    **dict.fromkeys(["==", "!=", "<", "<=", ">", ">=", "in", "not in"], COMPARISON),
    "+": SUM,
    "-": SUM,
    **dict.fromkeys(["*", "/", "//", "%", "@"], PRODUCT),
    "**": POWER,
}
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def string(value: str) -> str:
    """A string literal."""
    return '"' + "".join(_escape(character) for character in value) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() or character > "\uffff" else f"\\u{ord(character):04x}"


def number(node: ast.Number) -> str:
    """A number as it was written (``1e-3``, ``0.50``), if its text is known; else its shortest form."""
    text = node.span.text.strip("() \n")
    if _NUMBER.fullmatch(text) and ast.Number(int(text) if text.isdigit() else float(text), span=node.span) == node:
        return text
    return re.sub(r"e([-+])0*", lambda match: "e" + match[1].strip("+"), repr(node.value))


def precedence(node: ast.Expr) -> int:
    """How tightly the form of a node binds."""
    match node:
        case ast.Pipe():
            return PIPE
        case ast.Conditional():
            return CHOICE
        case ast.Binary():
            return _BINARY[node.op]
        case ast.Unary():
            return NOT if node.op == "not" else SIGN
        case ast.Call() | ast.Index() | ast.Attribute():
            return POSTFIX
    return ATOM


class PartFormatter:
    """Builds documents; ``comments`` are those of the text that the nodes come from."""

    def __init__(self, comments: Comments | None = None) -> None:
        self.comments = comments or Comments(Source("", ""))

    # ------------------------------------------------------------ comments

    def _above(self, offset: int) -> list[Doc]:
        """The waiting comments before an offset, each on a line of its own."""
        return [part for comment in self.comments.take(offset) for part in (comment.text, HARD)]

    def _beside(self, start: int, end: int | None) -> list[Doc]:
        """The waiting comments after an item, on its line and inside its brackets, which end at ``end``."""
        return [_remark(comment) for comment in self.comments.take_on_line(start, end)]

    def _between(self, offset: int) -> list[Doc]:
        """The waiting comments before an operator: beside the operand above, or on lines of their own."""
        return [
            part
            for comment in self.comments.take(offset)
            for part in ((HARD, comment.text) if comment.own_line else (_remark(comment),))
        ]

    # ------------------------------------------------------------ expressions

    def value(self, node: ast.Expr) -> Doc:
        """An expression outside of brackets: it is put into parentheses where only that lets it be broken."""
        if isinstance(node, ast.Pipe):
            return self._pipe(node)
        content = self.expr(node)
        if not CHOICE <= precedence(node) < POSTFIX:
            return content
        return Group(concat(Broken("("), Nest(concat(SOFT, content)), SOFT, Broken(")")))

    def values(self, nodes: Sequence[ast.Expr]) -> Doc:
        """Expressions with commas between them, outside of brackets."""
        return join(", ", map(self.value, nodes))

    def expr(self, node: ast.Expr, level: int = PIPE) -> Doc:
        """An expression inside brackets, in parentheses if it binds less tightly than ``level``."""
        if precedence(node) < level:
            return Group(concat("(", Nest(concat(SOFT, self.expr(node))), SOFT, ")"))
        match node:
            case ast.Pipe():
                return self._pipe(node)
            case ast.Conditional():
                return Group(
                    join(
                        LINE,
                        [
                            self.expr(node.then, OR),
                            concat("if ", self.expr(node.condition, OR)),
                            concat("else ", self.expr(node.otherwise, CHOICE)),
                        ],
                    )
                )
            case ast.Binary():
                return self._binary(node)
            case ast.Unary():
                sign = "not " if node.op == "not" else node.op
                return concat(sign, self.expr(node.operand, precedence(node)))
            case ast.Call():
                return concat(self.expr(node.callee, POSTFIX), self.arguments(node.arguments, node.span.end))
            case ast.Index():
                subscripts = self.brackets("[", self._items(node.subscripts), "]", node.span.end)
                return concat(self._receiver(node.value), subscripts)
            case ast.Attribute():
                return concat(self._receiver(node.value), f".{node.name}")
            case ast.Comprehension():
                return Group(concat("[", Nest(concat(SOFT, self._clauses(node))), SOFT, "]"))
            case ast.List():
                return self.brackets("[", self._items(node.items), "]", node.span.end, fill=_is_table(node.items))
            case ast.Tuple():
                return self.brackets("(", self._items(node.items), ")", node.span.end)
            case ast.Dict():
                return self._dict(node)
            case ast.Slice():
                return self._slice(node)
        return _atom(node)

    def _receiver(self, node: ast.Expr) -> Doc:
        return concat("(", self.expr(node), ")") if isinstance(node, ast.Number) else self.expr(node, POSTFIX)

    def _pipe(self, node: ast.Pipe) -> Doc:
        stages: list[ast.Expr] = []
        value: ast.Expr = node
        while isinstance(value, ast.Pipe):
            stages.append(value.stage)
            value = value.value
        first = self.value(value)
        rest = [concat(*self._between(stage.span.start), LINE, "|> ", self._stage(stage)) for stage in reversed(stages)]
        return Group(concat(first, Nest(concat(*rest))))

    def _stage(self, node: ast.Expr) -> Doc:
        return self.value(node) if precedence(node) > PIPE else self.expr(node, CHOICE)

    def _binary(self, node: ast.Binary) -> Doc:
        """A chain of operators of one level, broken before each of them."""
        level = precedence(node)
        if node.op == "**":
            return concat(self.expr(node.left, POSTFIX), " ** ", self.expr(node.right, SIGN))
        if level == COMPARISON:
            left = self.expr(node.left, SUM)
            between = self._between(node.right.span.start)
            return Group(concat(left, *between, LINE, f"{node.op} ", self.expr(node.right, SUM)))
        rest: list[tuple[str, ast.Expr]] = []
        first: ast.Expr = node
        while isinstance(first, ast.Binary) and precedence(first) == level:
            rest.append((first.op, first.right))
            first = first.left
        parts = [self.expr(first, level + 1)]
        for op, operand in reversed(rest):
            parts += [*self._between(operand.span.start), LINE, f"{op} ", self.expr(operand, level + 1)]
        return Group(concat(*parts))

    def arguments(self, arguments: tuple[ast.Argument, ...], end: int) -> Doc:
        """Arguments in their brackets, which end before the offset ``end``."""
        if len(arguments) == 1 and arguments[0].name is None:
            (only,) = arguments
            if isinstance(only.value, ast.Comprehension):
                return Group(concat("(", Nest(concat(SOFT, self._clauses(only.value))), SOFT, ")"))
            if isinstance(only.value, ast.List | ast.Dict) and not self._comment_before(only.span):
                return concat("(", self.expr(only.value), ")")
        items = [(argument.span, partial(self._argument, argument)) for argument in arguments]
        return self.brackets("(", items, ")", end)

    def _comment_before(self, span: Span) -> bool:
        waiting = self.comments.waiting
        return bool(waiting) and waiting[-1].start < span.start

    def _clauses(self, node: ast.Comprehension) -> Doc:
        names = ", ".join(name.id for name in node.targets)
        parts = [self.expr(node.element), concat(f"for {names} in ", self.expr(node.iterable, OR))]
        if node.condition is not None:
            parts.append(concat("if ", self.expr(node.condition, OR)))
        return join(LINE, parts)

    def _dict(self, node: ast.Dict) -> Doc:
        items = [(key.span.to(value.span), partial(self._pair, key, value)) for key, value in node.items]
        return self.brackets("{", items, "}", node.span.end)

    def _pair(self, key: ast.String, value: ast.Expr) -> Doc:
        word = key.value if is_name(key.value) else string(key.value)
        return concat(f"{word}: ", self._operand(value))

    def _slice(self, node: ast.Slice) -> Doc:
        start, stop, step = (None if part is None else self.expr(part) for part in (node.start, node.stop, node.step))
        tail = [] if step is None else [":", step]
        return concat(start or "", ":", stop or "", *tail)

    def _items(self, nodes: Iterable[ast.Expr]) -> list[Item]:
        return [(node.span, partial(self._operand, node)) for node in nodes]

    def _operand(self, node: ast.Expr) -> Doc:
        """An expression inside brackets that stands on lines of its own: those after the first are indented."""
        content = self.expr(node)
        return Nest(content) if CHOICE <= precedence(node) < POSTFIX else content

    def _argument(self, node: ast.Argument) -> Doc:
        """``value`` or ``name=value``, inside brackets."""
        value = self._operand(node.value)
        return value if node.name is None else concat(f"{node.name}=", value)

    def brackets(
        self,
        opener: Doc,
        items: Sequence[Item],
        closer: Doc,
        end: int | None = None,
        *,
        fill: bool = False,
        grouped: bool = True,
    ) -> Doc:
        """Items in brackets: on one line, or one a line, or as many on a line as there is room for (``fill``)."""
        if not items:
            return concat(opener, closer)
        parts: list[Doc] = [SOFT]
        for i, (span, build) in enumerate(items):
            item = concat(*self._above(span.start), build())
            if i > 0:
                item = Group(concat(LINE, item)) if fill else concat(LINE, item)
            parts += [item, "," if i + 1 < len(items) else Broken(","), *self._beside(span.end, end)]
        if end is not None:
            parts += [part for comment in self.comments.take(end) for part in (HARD, comment.text)]
        content = concat(opener, Nest(concat(*parts)), SOFT, closer)
        return Group(content) if grouped else content

    # ------------------------------------------------------------ types and signatures

    def type(self, node: ast.Type) -> Doc:
        """``f32[B, n]``, ``[n]``, ``int``, ``choice[a, b] | int``."""
        match node:
            case ast.TensorType():
                return concat(node.dtype or "", self.brackets("[", self._items(node.dims), "]", node.span.end))
            case ast.ListType():
                items = [(node.items.span, partial(self.type, node.items))]
                return concat("list", self.brackets("[", items, "]", node.span.end))
            case ast.ChoiceType():
                return concat("choice", self.brackets("[", self._items(node.words), "]", node.span.end))
            case ast.UnionType(types=(first, *others)):
                return concat(self.type(first), *(part for other in others for part in (" | ", self.type(other))))
            case ast.NamedType():
                return node.name
        raise TypeError(f"{type(node).__name__} is not a type")

    def _parameter(self, node: ast.Parameter) -> Doc:
        if node.type is None:
            return node.name if node.default is None else concat(f"{node.name}=", self.expr(node.default))
        typed = concat(f"{node.name}: ", self.type(node.type))
        return typed if node.default is None else concat(typed, " = ", self.expr(node.default))

    def signature(self, lists: Sequence[Sequence[ast.Parameter]], result: ast.Result | None) -> Doc:
        """Lists of parameters, and the result; what is too long is broken at the last list of parameters first."""
        parts: list[Doc] = []
        for i, nodes in enumerate(lists):
            items = [(node.span, partial(self._parameter, node)) for node in nodes]
            parts.append(self.brackets("(", items, ")", grouped=i + 1 < len(lists)))
        return Group(concat(*parts, *([] if result is None else [" -> ", self._result(result)])))

    def _result(self, node: ast.Result) -> Doc:
        if not node.parenthesised:
            return self.type(node.fields[0].type)
        items = [(field.span, partial(self._field, field)) for field in node.fields]
        return self.brackets("(", items, ")", node.span.end)

    def _field(self, node: ast.ResultField) -> Doc:
        return self.type(node.type) if node.name is None else concat(f"{node.name}: ", self.type(node.type))


def _remark(comment: Comment) -> Doc:
    return Remark(comment.text)


def _is_table(nodes: Sequence[ast.Expr]) -> bool:
    """Whether a list is so plain that its lines may be filled."""
    plain = (node.operand if isinstance(node, ast.Unary) else node for node in nodes)
    return all(isinstance(node, ast.Number | ast.Constant | ast.Name | ast.String) for node in plain)


def _atom(node: ast.Expr) -> str:
    match node:
        case ast.Name():
            return node.id
        case ast.Number():
            return number(node)
        case ast.String():
            return string(node.value)
        case ast.Constant():
            return {True: "true", False: "false", None: "none"}[node.value]
        case ast.Dots():
            return f"...{node.name or ''}"
    raise TypeError(f"{type(node).__name__} is not an expression")
