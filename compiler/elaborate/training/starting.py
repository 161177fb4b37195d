"""Reading `start_from`: an earlier program or parts of it, or weights of other runs, with the paths they are for.

What this module does not do: open a run (the runtime does, when the training starts).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.static import is_whole
from archonnx.compiler.elaborate.core.values import describe
from archonnx.compiler.settings import Transfer
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Report, did_you_mean, fail
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
    """A program's name, perhaps with the path of a part of it, or the weights of runs; None if it has neither form.

    ``run("a")``, ``[run("a"), run("b").head]`` and ``{trunk: run("a").encoder}`` are weights of runs, or of programs
    where a name stands in place of ``run("a")``, and ``member[k - 1]`` is an earlier program that a ``for`` numbered,
    ``member.0``. Where the name of a program ends and the path begins, ``resolved_start`` says.
    """
    match expr:
        case ast.Dict():
            return [_weights(frame, item, key.value) for key, item in expr.items]
        case ast.List():
            return [_weights(frame, item, None) for item in expr.items]
        case _ if _is_run(expr):
            return [_weights(frame, expr, None)]
        case _:
            return None if isinstance(expr, ast.Name) else _chain(frame, expr)


def resolved_start(
    start: str | tuple[Transfer, ...], earlier: Mapping[str, str], model: str, span: Span, report: Report
) -> str | tuple[Transfer, ...]:
    """What ``start_from`` says, with the names of programs apart from the paths of their parts.

    Args:
        start: as it was read.
        earlier: the programs of the file that stand before this one, with their models.
        model: that of this program.
        span: of the setting, for a name that is not one of an earlier program.
        report: takes that.
    """
    if isinstance(start, str):
        program, path = _divided(start, earlier, span, report)
        return program if not path and earlier.get(program, model) == model else (Transfer(program=program, path=path),)
    return tuple(_resolved(one, earlier, span, report) for one in start)


def _resolved(one: Transfer, earlier: Mapping[str, str], span: Span, report: Report) -> Transfer:
    if one.program is None:
        return one
    program, path = _divided(one.program, earlier, span, report)
    return one.model_copy(update={"program": program, "path": path})


def _divided(chain: str, earlier: Mapping[str, str], span: Span, report: Report) -> tuple[str, str]:
    """``member.0.blocks.1`` as a program and a path, where ``member.0`` is an earlier program."""
    names = chain.split(".")
    for count in range(len(names), 0, -1):
        if (program := ".".join(names[:count])) and program in earlier:
            return program, ".".join(names[count:])
    known = [name for name in earlier if name]
    worded = all(name.isidentifier() or name.isdigit() for name in names)
    run = f'run("{names[0]}").{".".join(names[1:])}' if worded and len(names) > 1 else f'run("{chain}")'
    ways = [
        *([f"earlier ones: {', '.join(known)}"] if known else []),
        f"weights of a run: `start_from = {run}`",
    ]
    meant = did_you_mean(names[0] if worded else chain, known) or "; ".join(ways)
    report.error("AX0709", f"`start_from` names no earlier train program: `{chain}`", span, help=meant)
    return chain, ""


def _is_run(expr: ast.Expr) -> bool:
    """Whether an expression is ``run(...)``, or names a part of it."""
    while isinstance(expr, ast.Attribute | ast.Index):
        expr = expr.value
    return isinstance(expr, ast.Call) and isinstance(expr.callee, ast.Name) and expr.callee.id == "run"


def _weights(frame: Frame, expr: ast.Expr, into: str | None) -> Transfer:
    """``run("../pretrain").blocks[0]``: the run, and the path of a part of it; or a program in place of the run."""
    if not _is_run(expr):
        chain = _chain(frame, expr)
        if chain is None:
            fail("AX0709", "`start_from` takes the name of a program, or weights of runs", expr.span, help=FORMS)
        return Transfer(program=chain, into=into)
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


def _chain(frame: Frame, expr: ast.Expr) -> str | None:
    """``member[k - 1].net``: an earlier program that a ``for`` numbered, and a part of it: ``member.0.net``.

    None if there is more to it than words and static numbers, or if it begins with a name of the block.
    """
    match expr:
        case ast.Name(id=name):
            return name if name not in frame.locals else None
        case ast.Attribute(value=value, name=name):
            outer = _chain(frame, value)
            return f"{outer}.{name}" if outer is not None else None
        case ast.Index(value=value, subscripts=(subscript,)):
            outer = _chain(frame, value)
            number = frame.evaluate(subscript) if outer is not None else None
            return f"{outer}.{number}" if is_whole(number) else None
        case _:
            return None
