"""Reading `start_from`: the name of an earlier program, or weights of other runs with the paths that they are for.

What this module does not do: open a run (the runtime does, when the training starts).
"""

from __future__ import annotations

from pathlib import PurePath

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import is_whole
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.settings import Transfer
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.source import Span

FORMS = 'weights of a run: `start_from = run("../pretrain")`, and of a part of it: `run("../pretrain").encoder`'


def dotted(expr: ast.Expr) -> str | None:
    """``valid.objective`` as a text; None if there is more to an expression than words."""
    if isinstance(expr, ast.Name):
        return expr.id
    if isinstance(expr, ast.Attribute) and (outer := dotted(expr.value)) is not None:
        return f"{outer}.{expr.name}"
    return None


def read_start(frame: Frame, expr: ast.Expr) -> str | list[Transfer] | None:
    """A program's name, or the weights of runs; None if it has neither form.

    ``run("a")``, ``[run("a"), run("b").head]`` and ``{trunk: run("a").encoder}`` are weights of runs, and
    ``member[k - 1]`` is an earlier program that a ``for`` numbered, ``member.0``.
    """
    match expr:
        case ast.Dict():
            return [_weights(frame, item, key.value) for key, item in expr.items]
        case ast.List():
            return [_weights(frame, item, None) for item in expr.items]
        case _ if _is_run(expr):
            return [_weights(frame, expr, None)]
        case _:
            return _member(frame, expr)


def _is_run(expr: ast.Expr) -> bool:
    """Whether an expression is ``run(...)``, or names a part of it."""
    while isinstance(expr, ast.Attribute | ast.Index):
        expr = expr.value
    return isinstance(expr, ast.Call) and isinstance(expr.callee, ast.Name) and expr.callee.id == "run"


def _weights(frame: Frame, expr: ast.Expr, into: str | None) -> Transfer:
    """``run("../pretrain").blocks[0]``: the run, and the path of a part of it."""
    if not _is_run(expr):
        fail("AX0709", "`start_from` takes the name of a program, or weights of runs", expr.span, help=FORMS)
    names: list[str] = []
    while not isinstance(expr, ast.Call):
        if isinstance(expr, ast.Attribute):
            names.append(expr.name)
            expr = expr.value
        else:
            assert isinstance(expr, ast.Index)
            names.append(str(_number(frame, expr)))
            expr = expr.value
    return Transfer(run=_path(frame, expr), path=".".join(reversed(names)), into=into)


def _number(frame: Frame, expr: ast.Index) -> int:
    number = frame.evaluate(expr.subscripts[0]) if len(expr.subscripts) == 1 else None
    if not is_whole(number):
        fail("AX0709", "a part of a run is named by words and numbers, as in `.blocks[0]`", expr.span, help=FORMS)
    return number


def _path(frame: Frame, call: ast.Call) -> str:
    """The path of a run directory, as it is written: from the folder of the spec."""
    if len(call.arguments) != 1 or call.arguments[0].name is not None:
        fail("AX0709", "`run` takes the path of a run directory", call.span, help=FORMS)
    path = frame.evaluate(call.arguments[0].value)
    if not isinstance(path, str) or not path:
        fail("AX0709", f"`run` takes the path of a run directory, not {describe(path)}", call.span, help=FORMS)
    _check_relative(path, call.arguments[0].span)
    return path


def _check_relative(path: str, span: Span) -> None:
    if PurePath(path).is_absolute():
        fail(
            "AX0709",
            f"`{path}` is a path of this machine",
            span,
            help="give it from the folder of the spec, as in `../pretrain`, or at the command line: `--from PATH`",
        )


def _member(frame: Frame, expr: ast.Expr) -> str | None:
    """``member[k - 1]``: the name of an earlier program that a ``for`` numbered, ``member.0``."""
    if not isinstance(expr, ast.Index) or len(expr.subscripts) != 1:
        return None
    outer = dotted(expr.value) or _member(frame, expr.value)
    number = frame.evaluate(expr.subscripts[0])
    if outer is None or outer in frame.locals or not is_whole(number):
        return None
    return f"{outer}.{number}"
