"""Calls as other tools write them, and the same in the language: by the tables of ``grammar.foreign``.

    nn.Conv2d(1, 8, 3)                  Conv(8, kernel=3)
    Dense(10, activation="relu")        Dense(10) |> relu
    nn.MSELoss()(p, y)                  mse(p, y)
    x.reshape(-1, 64)                   reshape(x, [-1, 64])
    torch.exp(x)                        exp(x): what follows a module's name may be called the same here

Arguments are bound by their order there, and stand where the row puts them; those that are not given are left out. What
this module does not do: find out whether the result compiles (``trial`` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from archonnx.grammar import ast
from archonnx.grammar.foreign import Form, called_here, forms, prefixes
from archonnx.grammar.source import Source
from archonnx.grammar.text.parser import parse_expression
from archonnx.grammar.text.words import is_name

_TIGHT = (ast.Name, ast.Number, ast.String, ast.Constant, ast.Call, ast.Index, ast.Attribute, ast.List)
MOST = 4
"""So many rewritten texts of one call."""


class _Missing(Exception):  # noqa: N818 - it is caught here
    """An argument is needed that was not given."""


def rewritten(node: ast.Expr, *, method: bool = True) -> list[str]:
    """Texts of the language for a call, or a name behind that of a module; empty where nothing of it is known.

    Args:
        node: a call or an attribute.
        method: whether what stands before a dot may be a tensor.
    """
    return list(dict.fromkeys(_texts(node, method)))[:MOST]


def _texts(node: ast.Expr, method: bool) -> Iterator[str]:
    call = node if isinstance(node, ast.Call) else None
    callee = call.callee if call is not None else node
    arguments = call.arguments if call is not None else ()
    if isinstance(callee, ast.Call) and call is not None:
        named = dotted(callee.callee)
        for form in _rows(*named) if named is not None else ():
            if form.applied is not None:
                yield from _filled(form, callee.arguments, (form.applied, arguments))
        return
    named = dotted(callee)
    if named is not None:
        prefix, name = named
        for form in _rows(prefix, name):
            if form.applied is None or call is None:
                yield from _filled(form, arguments, bare=call is None)
            elif not arguments:
                yield from _filled(form, (), bare=True)
        here = called_here(name) or ((name,) if prefix else ())
        yield from (
            f"{one}({_listed(arguments)})" if arguments or (prefix and call is not None) else one for one in here
        )
    elif method and isinstance(callee, ast.Attribute):
        own = text(callee.value)
        for form in forms("methods").get(callee.name, ()):
            if (form.parameters is None) == (call is None):
                yield from _filled(form, arguments, own=own, tight=isinstance(callee.value, _TIGHT))
        if call is not None:
            yield f"{callee.name}({', '.join(filter(None, (own, _listed(arguments))))})"


def dotted(expr: ast.Expr) -> tuple[str, str] | None:
    """The modules before a name, and the name, where these are words that stand before names elsewhere."""
    parts: list[str] = []
    while isinstance(expr, ast.Attribute):
        parts.append(expr.name)
        expr = expr.value
    if not isinstance(expr, ast.Name):
        return None
    names = [expr.id, *reversed(parts)]
    if any(name not in prefixes() for name in names[:-1]):
        return None
    return ".".join(names[:-1]), names[-1]


def _rows(prefix: str, name: str) -> Sequence[Form]:
    """The rows of a name: those of its module first."""
    found = forms("calls").get(name, ())
    last = prefix.rpartition(".")[2]
    return sorted(found, key=lambda form: form.prefix.rpartition(".")[2] != last)


def text(expr: ast.Expr) -> str:
    """The text of an argument, in which what is known of other tools is rewritten."""
    if isinstance(expr, ast.Tuple):
        return f"[{', '.join(map(text, expr.items))}]"
    if isinstance(expr, ast.Call | ast.Attribute):
        named = dotted(expr.callee if isinstance(expr, ast.Call) else expr)
        if named is not None and (named[0] or (isinstance(expr, ast.Call) and _only_there(named[1]))):
            found = rewritten(expr, method=False)
            if found:
                return found[0]
        method = expr.callee if isinstance(expr, ast.Call) else expr
        if named is None and isinstance(method, ast.Attribute) and method.name in forms("methods"):
            found = rewritten(expr)
            if found:
                return found[0]
    if isinstance(expr, ast.Call):
        return f"{text(expr.callee)}({_listed(expr.arguments)})"
    return expr.span.text


def _only_there(name: str) -> bool:
    """Whether a name is one of other tools alone, as far as its row says."""
    return any(name not in ours for form in forms("calls").get(name, ()) for ours in form.ours)


def _listed(arguments: Sequence[ast.Argument]) -> str:
    return ", ".join(f"{a.name}={text(a.value)}" if a.name else text(a.value) for a in arguments)


# ---------------------------------------------------------------- rows


_Applied = tuple[Sequence[str], Sequence[ast.Argument]]


def _filled(
    form: Form,
    arguments: Sequence[ast.Argument],
    applied: _Applied | None = None,
    *,
    own: str | None = None,
    tight: bool = True,
    bare: bool = False,
) -> Iterator[str]:
    """What a row makes of arguments; nothing where they are not those of the row."""
    given = _bound(form.parameters or (), arguments)
    more = _bound(*applied) if applied is not None else {}
    if given is None or more is None:
        return
    known = {name.lstrip("*"): None for name in (*(form.parameters or ()), *(form.applied or ()))}
    values: dict[str, _Value | None] = {**known, **given, **more}
    if own is not None:
        values["self"] = (own, tight, None)
    for ours in form.ours:
        try:
            made = _render(_template(ours), values)
            made = made.removesuffix("()") if bare else made
        except _Missing:
            continue
        yield f"({made})" if ours.startswith("(") and "|>" in made else made


_Value = tuple[str, bool, str | None]
"""The text of an argument, whether it needs no brackets, and the word that it is, if it is one."""


def _bound(parameters: Sequence[str], arguments: Sequence[ast.Argument]) -> dict[str, _Value] | None:
    """Arguments by the names of their parameters; None where there are others."""
    bound: dict[str, _Value] = {}
    positional = [a.value for a in arguments if a.name is None]
    for number, parameter in enumerate(parameters):
        if parameter.startswith("*"):
            rest = positional[number:]
            items = rest[0].items if len(rest) == 1 and isinstance(rest[0], ast.List | ast.Tuple) else rest
            if rest:
                listed = ", ".join(stage for item in items for stage in stages(item))
                bound[parameter[1:]] = (listed, True, None)
            positional = positional[:number]
        elif number < len(positional):
            bound[parameter] = _value(positional[number])
    if len(positional) > len(parameters):
        return None
    for argument in arguments:
        if argument.name is None:
            continue
        if argument.name not in parameters or argument.name in bound:
            return None
        bound[argument.name] = _value(argument.value)
    return bound


def _value(expr: ast.Expr) -> _Value:
    word = expr.value if isinstance(expr, ast.String) and is_name(expr.value) else None
    if isinstance(expr, ast.Name):
        word = expr.id
    elif isinstance(expr, ast.Attribute) and (named := dotted(expr)) is not None:
        word = named[1]
    written = text(expr)
    return written, isinstance(expr, _TIGHT) and "|>" not in written, word


def stages(expr: ast.Expr) -> list[str]:
    """The stages that a layer of another tool becomes: itself, and its activation behind it."""
    found = [one for one in rewritten(expr, method=False) if "|>" in one]
    return (found[0] if found else text(expr)).split(" |> ")


def bare(expr: ast.Expr) -> str:
    """The text of an activation that is given as an argument, as a word, a string or a call."""
    word = expr.value if isinstance(expr, ast.String) and is_name(expr.value) else None
    if word is None:
        return text(expr)
    return next(iter(called_here(word)), None) or next(iter(_texts(ast.Name(word, span=expr.span), False)), word)


@cache
def _template(ours: str) -> ast.Expr:
    return parse_expression(Source("", ours))


def _render(node: ast.Expr | ast.Dots, values: Mapping[str, _Value | None]) -> str:
    """The text of a template; _Missing where something stands in it that was not given."""
    match node:
        case ast.Name(id=name):
            return _given(name, values)[0] if name in values else name
        case ast.Call(callee=callee, arguments=arguments):
            return _call(callee, arguments, values)
        case ast.Pipe(value=value, stage=stage):
            try:
                return f"{_render(value, values)} |> {_word(stage, values)}"
            except _Missing:
                if isinstance(stage, ast.Name) and values.get(stage.id, ()) is None:
                    return _render(value, values)
                raise
        case ast.Binary(op=op, left=left, right=right):
            return f"{_tight(left, values)} {op} {_tight(right, values)}"
        case ast.List(items=items):
            return f"[{', '.join(_render(item, values) for item in items)}]"
        case ast.Attribute(value=value, name=name):
            return f"{_render(value, values)}.{name}"
        case ast.Index(value=value, subscripts=subscripts):
            return f"{_tight(value, values)}[{', '.join(_render(item, values) for item in subscripts)}]"
    return node.span.text


def _given(name: str, values: Mapping[str, _Value | None]) -> _Value:
    value = values[name]
    if value is None:
        raise _Missing
    return value


def _call(callee: ast.Expr, arguments: Sequence[ast.Argument], values: Mapping[str, _Value | None]) -> str:
    shown: list[str] = []
    for argument in arguments:
        try:
            value = _render(argument.value, values)
        except _Missing:
            continue
        shown.append(f"{argument.name}={value}" if argument.name else value)
    return f"{_word(callee, values)}({', '.join(shown)})"


def _word(node: ast.Expr, values: Mapping[str, _Value | None]) -> str:
    """What is called: where that is an argument, the word that it is, as it is called here."""
    if not isinstance(node, ast.Name) or node.id not in values:
        return _render(node, values)
    written, _, word = _given(node.id, values)
    if word is None:
        return written
    return next(iter(called_here(word)), None) or next(iter(_texts(ast.Name(word, span=node.span), False)), word)


def _tight(node: ast.Expr, values: Mapping[str, _Value | None]) -> str:
    """The same as an operand."""
    if isinstance(node, ast.Name) and node.id in values:
        written, tight, _ = _given(node.id, values)
        return written if tight else f"({written})"
    return _render(node, values) if isinstance(node, _TIGHT) else f"({_render(node, values)})"
