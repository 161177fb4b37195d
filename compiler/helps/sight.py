"""What a rule of helps looks at: a diagnostic, the nodes around its place, and how an edit is written.

What this module does not do: propose anything (``calls``, ``forms``, ``names``, ``shapes`` and ``programs`` do).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Edit, Suggestion
from archonnx.grammar.record import Record, fields
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import is_name

_SHAPE = re.compile(r"^(?:(\w+)|\.\.\.\w+ was fixed as )\[([^\]]*)\]")


class Sight(Record):
    """A diagnostic, the file, and the nodes around the place from the file inwards."""

    diagnostic: Diagnostic
    file: ast.File
    path: tuple[ast.Node, ...]
    span: Span

    @property
    def yaml(self) -> bool:
        """Whether the file is spelt in YAML, where a line of the language cannot stand."""
        return in_yaml(self.file.span)

    def innermost(self, *kinds: type[ast.Node]) -> ast.Node | None:
        """The narrowest node of some kinds around the place."""
        return next((node for node in reversed(self.path) if isinstance(node, kinds)), None)

    @property
    def argument(self) -> tuple[ast.Call, ast.Argument] | None:
        """The innermost call around the place, and the argument of the place."""
        call = self.innermost(ast.Call)
        given = call.arguments if isinstance(call, ast.Call) else ()
        found = next((one for one in given if around(one.span, self.span)), None)
        return (call, found) if isinstance(call, ast.Call) and found is not None else None

    def parent(self, node: ast.Node) -> ast.Node | None:
        """The node around one of the path."""
        return dict(zip(self.path[1:], self.path, strict=False)).get(node)

    def type_of(self, node: ast.Node) -> tuple[str, list[str]] | None:
        """The dtype and the dims that the diagnostic tells of a node; None if it tells nothing of it."""
        for label in self.diagnostic.labels:
            match = _SHAPE.match(label.text)
            if label.span == node.span and match is not None:
                return match[1] or "", [dim.strip() for dim in match[2].split(",") if dim.strip()]
        return None


class Advice(str):
    """Words that are certain: no word of the language that looks alike is offered beside them."""

    __slots__ = ()


Rule = Callable[[Sight], Iterator[str]]
RULES: list[tuple[frozenset[str], Rule]] = []
"""Rules, each with the codes of the diagnostics that it looks at, in order. One that gives a text that is not a
suggestion has words to say where no suggestion helps."""


LATE: list[tuple[frozenset[str], Rule]] = []
"""The same, whose edits are tried after those of the others: they fit more, and so mean less."""


def proposes(*codes: str, late: bool = False) -> Callable[[Rule], Rule]:
    """Register a rule."""

    def register(rule: Rule) -> Rule:
        (LATE if late else RULES).append((frozenset(codes), rule))
        return rule

    return register


# ---------------------------------------------------------------- trees


def path_to(node: ast.Node, span: Span) -> Iterator[ast.Node]:
    """The nodes around a place, from the outside inwards."""
    if in_yaml(span):
        yield from _deep(node, span)
        return
    inner: ast.Node | None = node
    while inner is not None:
        yield inner
        inner = next((child for child in children(inner) if around(child.span, span)), None)


def in_yaml(span: Span) -> bool:
    """Whether a place is in a file that is spelt in YAML."""
    return span.source.name.endswith((".yaml", ".yml"))


def _deep(node: ast.Node, span: Span) -> list[ast.Node]:
    """The same where a statement stands in several places, as those of a chain of layers do: to the narrowest node."""
    best: list[ast.Node] = [node]
    stack: list[list[ast.Node]] = [[node]]
    while stack:
        path = stack.pop()
        inner = path[-1].span
        if around(inner, span) and len(path) > 1 and inner.end - inner.start <= best[-1].span.end - best[-1].span.start:
            best = path
        stack.extend([*path, child] for child in reversed(list(children(path[-1]))))
    return best


def around(outer: Span, inner: Span) -> bool:
    """Whether a place holds another."""
    return outer.source is inner.source and outer.start <= inner.start and outer.end >= inner.end


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes right below one."""
    for f in fields(node):
        yield from _nodes(getattr(node, f.name))


def _nodes(value: object) -> Iterator[ast.Node]:
    """A node, or those of a tuple: branches of an `if` are pairs of a condition and a body."""
    if isinstance(value, ast.Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def statements(node: ast.Node) -> Iterator[ast.Node]:
    """A node and all below it but expressions."""
    yield node
    for child in children(node):
        if not isinstance(child, ast.Expr):
            yield from statements(child)


def expressions(node: ast.Node) -> Iterator[ast.Node]:
    """A node and all below it."""
    yield node
    for child in children(node):
        yield from expressions(child)


def assigned(file: ast.Node, name: str) -> ast.Expr | None:
    """What a name stands for, where one statement says it."""
    found = [
        value
        for node in statements(file)
        if isinstance(node, ast.Assign) and len(node.targets) == len(node.values)
        for target, value in zip(node.targets, node.values, strict=True)
        if isinstance(target, ast.Name) and target.id == name
    ]
    return found[0] if len(found) == 1 else None


def callee(node: ast.Node | None) -> str | None:
    """The name that is called, if a name is."""
    return node.callee.id if isinstance(node, ast.Call) and isinstance(node.callee, ast.Name) else None


# ---------------------------------------------------------------- edits


def whole_line(span: Span) -> Span:
    """The lines of a statement, with the end of the last."""
    whole = span.source.text
    end = whole.find("\n", span.end)
    return Span(span.source, whole.rfind("\n", 0, span.start) + 1, len(whole) if end < 0 else end + 1)


def indentation(span: Span) -> str:
    """The blanks before the line of a place."""
    first = whole_line(span).text
    return first[: len(first) - len(first.lstrip(" "))]


def before(span: Span, text: str) -> Edit:
    """A line of its own before that of a place."""
    start = whole_line(span).start
    return Edit(Span(span.source, start, start), f"{indentation(span)}{text}\n")


def inserted(span: Span, at: int, text: str) -> Edit:
    """A text put in."""
    return Edit(Span(span.source, at, at), text)


def instead(node: ast.Expr, replacement: str) -> Suggestion:
    """Write another text in place of an expression."""
    if in_yaml(node.span) and ":" in node.span.text:
        replacement = _layer(node.span, replacement)
    theirs, _, behind = node.span.text.partition("(")
    ours, _, same = replacement.partition("(")
    if behind == same and is_name(theirs) and is_name(ours):
        return Suggestion.of(f"did you mean `{ours}`?", node.span.text, replacement, node.span)
    return Suggestion.of(f"write `{replacement}`", node.span.text, replacement, node.span)


_CALL = re.compile(r"([\w.]+)\((.*)\)")
_ARGUMENT = re.compile(r"(?:[^,()\[\]{}]|\([^()]*\)|\[[^\[\]]*\])+")


def _layer(span: Span, replacement: str) -> str:
    """A chain of calls as layers of a list in YAML."""
    line = whole_line(span).text.strip()
    stages = [_item(stage) for stage in replacement.strip("()" if replacement.startswith("(") else "").split(" |> ")]
    own_line = line.startswith("- ") and line[2:].strip() == span.text.strip()
    return f"\n{indentation(span)}- ".join(stages) if own_line else stages[0] if len(stages) == 1 else replacement


def _item(call: str) -> str:
    """``Dense(10)`` as ``Dense: 10``; other calls stand in quotes."""
    match = _CALL.fullmatch(call)
    if match is None:
        return call
    given = [one.strip() for one in _ARGUMENT.findall(match[2])]
    named = [re.fullmatch(r"(\w+)\s*=\s*(.*)", one) for one in given]
    if not given:
        return match[1]
    if not any(named):
        return f"{match[1]}: {given[0] if len(given) == 1 else f'[{chr(44).join(given)}]'}"
    if all(named):
        return f"{match[1]}: {{{', '.join(f'{one[1]}: {one[2]}' for one in named if one is not None)}}}"
    return f'"{call}"'


def replaced(words: str, node: ast.Node, replacement: str) -> Suggestion:
    """The same with words of its own; the text is told if the words do not tell one."""
    return Suggestion.of(f"{words}: `{replacement}`" if "`" not in words else words, "", replacement, node.span)
