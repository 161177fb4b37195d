"""The canonical text of a spec: four spaces a level, lines of 100 where that is possible, one way to write each tree.

    format_file(source)    the text of a ``.arch`` file, formatted; the tree stays the same, comments stay in place
    format_ast(file)       the text of a tree that has none, such as one read from YAML
    format_node(node)      the text of an expression, a type, a statement or a declaration

Lines are broken inside brackets and before ``|>``. One blank line stands between declarations; inside a body, single
blank lines stay where the author put them. It does not sort, rename or align anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from archonnx.grammar import ast
from archonnx.grammar.source import Source
from archonnx.grammar.text.literals import dedent
from archonnx.grammar.text.parser import parse

from .comments import Comments
from .documents import INDENTATION, Broken, Doc, Group, concat, join, lay_out
from .expressions import POSTFIX, PartFormatter
from .expressions import string as string_literal

WIDTH = 100

_SPACED = (ast.Fn, ast.Block, ast.Entry, ast.Train)  # stand apart from their neighbours in a body
_FIELDS = (ast.Input, ast.Target)
_RESULTS = (ast.Output, ast.Loss, ast.Metric)

_Documented: TypeAlias = ast.Fn | ast.Entry | ast.Model | ast.Block | ast.Optimizer | ast.Schedule | ast.Train
_Plain: TypeAlias = ast.For | ast.Repeat | ast.Every | ast.Together | ast.Search | ast.Scan | ast.Loop

_Node = TypeVar("_Node", ast.Binding, ast.Collect)


def format_file(source: Source) -> str:
    """The canonical text of a ``.arch`` file; formatting it again changes nothing.

    Raises:
        SpecError: The syntax is wrong.
    """
    return _Formatter(source).declarations(parse(source).declarations, len(source.text) + 1)


def format_ast(file: ast.File) -> str:
    """The canonical text of a tree. Comments are not part of a tree; blank lines stand where they usually do."""
    return format_declarations(file.declarations)


def format_declarations(suite: ast.Suite) -> str:
    """The canonical text of declarations."""
    return _Formatter(None).declarations(suite, 0)


def format_body(suite: ast.Suite) -> str:
    """The canonical text of statements."""
    return _Formatter(None).statements(suite)


def format_node(node: ast.Expr | ast.Type | ast.Stmt) -> str:
    """The canonical text of an expression or a type (on one line or several), or of a statement (with its newline)."""
    if isinstance(node, ast.Stmt):
        return format_body((node,))
    parts = PartFormatter()
    return lay_out(parts.type(node) if isinstance(node, ast.Type) else parts.value(node), WIDTH)


class _Formatter:
    """Writes lines. ``source`` is the text that the tree was read from, for its comments and blank lines, or None."""

    def __init__(self, source: Source | None) -> None:
        self.source = source
        self.comments = Comments(source or Source("", ""))
        self.parts = PartFormatter(self.comments)
        self.lines: list[str] = []
        self.spaced = False  # whether what is not indented stands apart

    def declarations(self, suite: ast.Suite, limit: int) -> str:
        """The text of declarations, which end before the offset ``limit``."""
        self.spaced = True
        self._suite(suite, 0, limit)
        return self._text()

    def statements(self, suite: ast.Suite) -> str:
        """The text of statements."""
        self._suite(suite, 0, 0)
        return self._text()

    def _text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    # ------------------------------------------------------------ lines

    def _write(self, text: str, indent: int) -> None:
        self.lines.append(" " * indent + text)

    def _blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def _line(self, doc: Doc, indent: int, end: int) -> None:
        """A logical line, after those comments in it (they start before ``end``) that found no place inside it."""
        remarks: list[str] = []
        for comment in self.comments.take(end):
            if comment.own_line or comment.inside:
                self._write(comment.text, indent)
            else:
                remarks.append(comment.text)
        self._write("  ".join([lay_out(doc, WIDTH, indent), *remarks]), indent)

    # ------------------------------------------------------------ bodies

    def _suite(self, suite: ast.Suite, indent: int, limit: int) -> None:
        """The statements of a body, which ends before the offset ``limit``."""
        before: ast.Stmt | None = None
        for i, statement in enumerate(suite):
            self._leading(statement, before, indent)
            after = suite[i + 1].span.start if i + 1 < len(suite) else limit
            self._statement(statement, indent, after)
            before = statement
        column = self._column(suite[0]) if suite else 0
        self._own_lines(limit, indent, column, first=not suite)

    def _column(self, statement: ast.Stmt) -> int:
        return self.comments.source.line_column(statement.span.start)[1] - 1 if self.source else 0

    def _leading(self, statement: ast.Stmt, before: ast.Stmt | None, indent: int) -> None:
        """The blank line and the comments above a statement."""
        if before is not None and self._apart(statement, before, indent):
            self._blank()
        self._own_lines(statement.span.start, indent, 0, first=before is None)
        blank = self.source is not None and self.comments.blank_before(statement.span.start)
        if blank and not self._opens(before):
            self._blank()

    def _opens(self, before: ast.Stmt | None) -> bool:
        """Whether the line to be written is the first of its body."""
        return before is None and not (self.lines and self.lines[-1].lstrip().startswith("#"))

    def _apart(self, statement: ast.Stmt, before: ast.Stmt, indent: int) -> bool:
        """Whether a blank line always stands between two statements."""
        if self.spaced and indent == 0:
            return not (isinstance(statement, ast.Import) and isinstance(before, ast.Import))
        if isinstance(statement, _SPACED) or isinstance(before, _SPACED):
            return True
        if self.source is not None:
            return False
        kinds = (_FIELDS, _RESULTS)
        return any(isinstance(statement, kind) != isinstance(before, kind) for kind in kinds)

    def _own_lines(self, limit: int, indent: int, column: int, *, first: bool = False) -> None:
        """The comments on lines of their own before an offset, as long as they are indented to ``column``."""
        for comment in self.comments.take(limit, lambda comment: comment.column >= column):
            if self.comments.blank_before(comment.start) and not first:
                self._blank()
            self._write(comment.text, indent)
            first = False

    def _body(self, suite: ast.Suite, indent: int, limit: int, doc: ast.Doc | None = None) -> None:
        inner = indent + INDENTATION
        if doc is not None:
            self._own_lines(doc.span.start, inner, 0, first=True)
            remarks = [comment.text for comment in self.comments.take_on_line(doc.span.end, limit)]
            self._write("  ".join([docstring(doc.text, inner), *remarks]), inner)
        self._suite(suite, inner, limit)

    # ------------------------------------------------------------ statements

    def _statement(self, node: ast.Stmt, indent: int, limit: int) -> None:
        match node:
            case ast.Fn():
                self._fn(node, indent, limit)
            case ast.Entry() | ast.Model():
                result = node.result if isinstance(node, ast.Entry) else None
                doc = self.parts.signature([node.parameters], result)
                self._documented(concat(f"{_word(node)} {node.name}", doc), node, indent, limit)
            case ast.Block() | ast.Optimizer() | ast.Schedule():
                doc = self.parts.signature([node.hyperparameters, node.inputs], node.result)
                self._documented(concat(f"{_word(node)} {node.name}", doc), node, indent, limit)
            case ast.Train():
                self._documented(self._train(node), node, indent, limit)
            case ast.If():
                self._if(node, indent, limit)
            case ast.For() | ast.Repeat() | ast.Every() | ast.Together() | ast.Search() | ast.Scan() | ast.Loop():
                self._header(self._opening(node), indent, node.body[0])
                self._body(node.body, indent, limit)
            case _:
                end = self.comments.source.text.find("\n", node.span.end)
                self._line(self._simple(node), indent, end if end >= 0 else len(self.comments.source.text))

    def _simple(self, node: ast.Stmt) -> Doc:
        parts = self.parts
        value, type_ = parts.value, parts.type
        match node:
            case ast.Import():
                names = ", ".join(name.id for name in node.names)
                return f"from {string_literal(node.path.value)} import {names}"
            case ast.Input() | ast.Target():
                return concat(f"{_word(node)} {node.name}: ", type_(node.type))
            case ast.Output():
                typed = "" if node.type is None else concat(": ", type_(node.type))
                return concat(f"output {node.name}", typed, " = ", value(node.value))
            case ast.Loss():
                return concat(f"loss {node.name} = ", value(node.value))
            case ast.Metric():
                over = "" if node.over is None else f" over {node.over}"
                better = "" if node.better is None else f", {node.better.word}"
                return concat(f"metric {node.name}{over} = ", value(node.value), better)
            case ast.Param():
                head = concat(f"param {node.name}: ", type_(node.type), " ~ " if node.drawn else " = ")
                options = [concat(f"{option.name}=", value(option.value)) for option in node.options]
                return join(", ", [concat(head, value(node.value)), *options])
            case ast.Buffer() | ast.State():
                return concat(f"{_word(node)} {node.name}: ", type_(node.type), " = ", value(node.value))
            case ast.Update():
                return concat("update ", parts.expr(node.target, POSTFIX), " = ", value(node.value))
            case ast.Feed():
                return concat(f"feed {'whole ' if node.whole else ''}{node.name} = ", value(node.value))
            case ast.Fit():
                return concat(f"fit {node.name} = ", value(node.value))
            case ast.Data():
                return concat(f"data {node.name} = ", value(node.value))
            case ast.Minimize():
                modules = node.over.items if isinstance(node.over, ast.Tuple) else (node.over,) if node.over else ()
                middle = concat(" over ", parts.values(modules)) if modules else ""
                return concat("minimize ", value(node.loss), middle, " with ", value(node.optimizer))
            case ast.Maximize():
                return concat("maximize ", value(node.value))
            case ast.Return() | ast.Emit():
                return concat(f"{_word(node)} ", parts.values(node.values))
            case ast.Assert():
                message = "" if node.message is None else concat(", ", value(node.message))
                return concat("assert ", value(node.condition), message)
            case ast.Draw():
                return concat(f"{node.name}: ", type_(node.type), " ~ ", value(node.distribution))
            case ast.TypedAssign():
                return concat(f"{node.name}: ", type_(node.type), " = ", value(node.value))
            case ast.Assign():
                return concat(join(", ", map(parts.expr, node.targets)), " = ", parts.values(node.values))
            case ast.ExprStmt():
                return value(node.value)
        raise TypeError(f"{type(node).__name__} is not a statement")

    # ------------------------------------------------------------ statements with bodies

    def _header(self, doc: Doc, indent: int, first: ast.Node) -> None:
        """The line that opens a body; comments on lines of their own before ``first``, below it, belong to the body."""
        own = [
            comment
            for comment in self.comments.waiting
            if comment.start < first.span.start and (comment.inside or not comment.own_line)
        ]
        self._line(concat(doc, ":"), indent, own[0].start + 1 if own else 0)

    def _documented(self, doc: Doc, node: _Documented, indent: int, limit: int) -> None:
        self._header(doc, indent, node.doc or node.body[0])
        self._body(node.body, indent, limit, node.doc)

    def _fn(self, node: ast.Fn, indent: int, limit: int) -> None:
        better = "" if node.better is None else f", {node.better.word}"
        doc = concat(f"fn {node.name}", self.parts.signature([node.parameters], node.result), better)
        backward = node.backward
        self._documented(doc, node, indent, limit if backward is None else backward.span.start)
        if backward is not None:
            self._own_lines(backward.span.start, indent, 0)
            self._header(f"backward({', '.join(backward.parameters)})", indent, backward.body[0])
            self._body(backward.body, indent, limit)

    def _train(self, node: ast.Train) -> Doc:
        """The first line of a program."""
        head = f"train {node.name}" if node.name else "train"
        if node.model is None:
            return head
        if not node.arguments:
            return f"{head} of {node.model}"
        return concat(f"{head} of {node.model}", self.parts.arguments(node.arguments, node.arguments[-1].span.end))

    def _opening(self, node: _Plain) -> Doc:
        """The first line of a statement with a plain body."""
        match node:
            case ast.For():
                return concat(f"for {', '.join(name.id for name in node.targets)} in ", self.parts.value(node.iterable))
            case ast.Repeat():
                end = "" if node.condition is None else concat(" while ", self.parts.value(node.condition))
                return concat("repeat ", self.parts.value(node.count), end)
            case ast.Every():
                return concat("every ", self.parts.value(node.count))
            case ast.Scan():
                word = "scan reversed " if node.reversed else "scan "
                bindings = self._listed(node.bindings, self._binding)
                collects = concat(" -> ", Group(self._listed(node.collects, self._collect))) if node.collects else ""
                return Group(concat(word, bindings, collects))
            case ast.Loop():
                end = "" if node.condition is None else concat(" while ", self.parts.value(node.condition))
                return Group(concat("loop ", self._listed(node.bindings, self._binding), end))
        return _word(node)

    def _listed(self, nodes: Sequence[_Node], build: Callable[[_Node], Doc]) -> Doc:
        """With commas between them: on one line; or in brackets one a line, if there are several."""
        if len(nodes) == 1:
            return build(nodes[0])
        items = [(node.span, partial(build, node)) for node in nodes]
        return self.parts.brackets(Broken("("), items, Broken(")"), grouped=False)

    def _binding(self, node: ast.Binding) -> Doc:
        if not node.each:
            return concat(f"{node.name} = ", self.parts.value(node.value))
        return concat(f"{node.name} in ", self.parts.value(node.value), self._along(node.axis))

    def _collect(self, node: ast.Collect) -> Doc:
        return concat(node.name, self._along(node.axis))

    def _along(self, axis: ast.Expr | None) -> Doc:
        return "" if axis is None else concat(" along ", self.parts.value(axis))

    def _if(self, node: ast.If, indent: int, limit: int) -> None:
        bodies = [body for _, body in node.branches] + [node.otherwise] * bool(node.otherwise)
        for i, body in enumerate(bodies):
            is_else = i == len(node.branches)
            end = self._keyword(body, bodies[i + 1]) if i + 1 < len(bodies) else limit
            condition = None if is_else else node.branches[i][0]
            word = "else" if condition is None else "elif" if i else "if"
            doc = word if condition is None else concat(f"{word} ", self.parts.value(condition))
            self._header(doc, indent, body[0])
            self._body(body, indent, end)
            if i + 1 < len(bodies):
                self._own_lines(end, indent + INDENTATION, 0)

    def _keyword(self, body: ast.Suite, following: ast.Suite) -> int:
        """Where the line of ``elif`` or ``else`` between two bodies starts: the first one that is not a comment."""
        source = self.comments.source
        first = source.line_column(body[-1].span.end)[0] + 1
        last = source.line_column(following[0].span.start)[0]
        for number in range(first, last):
            line = source.line(number).strip()
            if line.startswith(("elif", "else")):
                return source.line_starts[number - 1]
        return following[0].span.start


def _word(node: ast.Stmt) -> str:
    return type(node).__name__.lower()


def docstring(text: str, indentation: int) -> str:
    """A docstring literal whose first line starts at ``indentation``; its quotes have lines of their own if need be."""
    lines = text.split("\n")
    margin = " " * indentation
    rest = [f"{margin}{line}" if line else "" for line in lines[1:]]
    inline = "\n".join([lines[0], *rest])
    end = f"\n{margin}" if text.endswith('"') else ""
    if dedent(inline + end) == text and not inline.startswith("\n"):
        return f'"""{inline}{end}"""'
    return "\n".join(['"""', *(f"{margin}{line}" if line else "" for line in lines), f'{margin}"""'])
