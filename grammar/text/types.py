"""The types of declarations as they are parsed: a name and what stands in brackets behind it give a tree of their kind.

What this module does not do: know the names of dtypes and of static types (elaboration does).
"""

from __future__ import annotations

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report
from archonnx.grammar.source import Span


def type_of(name: str | None, arguments: tuple[ast.Expr, ...] | None, span: Span, report: Report) -> ast.Type:
    """A type; what is wrong in its brackets is reported.

    Args:
        name: what stands in front of the brackets.
        arguments: what stands in them, None where there are none.
        span: the whole of it.
        report: where mistakes go.
    """
    if name == "choice":
        words = tuple(word for argument in arguments or () for word in _words(argument, report))
        if not arguments:
            report.error("AX0209", "`choice` lists its words", span, help="write them: `choice[small, large]`")
        return ast.ChoiceType(words, span=span)
    if name == "list" and arguments is not None:
        if len(arguments) != 1:
            report.error("AX0209", "a list has items of one type", span, help="`list` alone takes any")
        items = [_item(argument, report) for argument in arguments[:1]]
        return ast.ListType(items[0], span=span) if items else ast.NamedType(name, span=span)
    if name is not None and arguments is None:
        return ast.NamedType(name, span=span)
    return ast.TensorType(name, arguments or (), span=span)


def _words(argument: ast.Expr, report: Report) -> tuple[ast.Name, ...]:
    if isinstance(argument, ast.Name):
        return (argument,)
    if isinstance(argument, ast.Constant) and argument.value is None:
        return (ast.Name("none", span=argument.span),)
    report.error("AX0209", f"a choice lists words, and `{argument.span.text}` is not one", argument.span)
    return ()


def _item(argument: ast.Expr, report: Report) -> ast.Type:
    """The type of a list's items, which was read as an expression."""
    match argument:
        case ast.Name(id=name):
            return type_of(name, None, argument.span, report)
        case ast.Index(value=ast.Name(id=name), subscripts=arguments):
            return type_of(name, arguments, argument.span, report)
        case ast.List(items=dims):
            return type_of(None, dims, argument.span, report)
    report.error("AX0209", f"a list has items of one type, and `{argument.span.text}` is not a type", argument.span)
    return ast.NamedType(argument.span.text, span=argument.span)
