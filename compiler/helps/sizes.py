"""Two sizes that do not meet, of which one is written elsewhere: as an argument of a layer, in a type, as a default.

Each number of the spec that is one of the two, and that is a size, is proposed to be the other: those that made what
does not meet come first. What this module does not do: try them (``trial`` does), or change what data there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Suggestion

from .shapes import declaration, operands
from .sight import Sight, around, callee, children, expressions, path_to, proposes, replaced, statements

MANY = 6
"""Numbers that are proposed to be others at most: each is tried by a check."""
LONGEST = 48
"""Letters of what is told around a number."""
NOT_SIZES = {"axis", "axes", "along", "stride", "dilation", "padding", "rate", "seed", "groups", "kernel", "heads"}
"""Arguments whose numbers are no sizes of what comes out."""
SHAPED = {"zeros", "ones", "full", "reshape", "normal", "uniform", "broadcast", "expand"}
"""Functions whose lists are shapes."""

_TYPE = re.compile(r"\w*\[([^\]`]*)\]")
_AXIS = re.compile(r"axis -?\d+|`[^`]*`|f\d+|i\d+|@\w+")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


@proposes("AX0301", "AX0302", "AX0304", "AX0305", "AX0307", "AX0308", "AX0324", "AX0331", late=True)
def _set_elsewhere(sight: Sight) -> Iterator[str]:
    """``Dense(768)`` for what is declared as [B, 784]; a state of 32 numbers that a layer of 64 makes."""
    pair = _pair(sight.diagnostic.headline)
    if pair is None:
        return
    for node in islice(_near_first(sight, pair), MANY):
        other = pair[1] if node.span.text == pair[0] else pair[0]
        yield _made_alike(sight, node, other)


@proposes("AX0302", "AX0304", late=True)
def _a_layer(sight: Sight) -> Iterator[str]:
    """Two operands of other widths: a layer that makes them alike."""
    known = [(node, type_[1]) for node in operands(sight) if (type_ := sight.type_of(node)) is not None]
    if len(known) != 2 or sight.yaml:
        return
    for (node, own), (_, other) in (known, known[::-1]):
        if not isinstance(node, ast.Name) or len(own) < 2 or own[:-1] != other[:-1] or not other[-1].isdigit():
            continue
        declared = declaration(sight, node.id)
        if own[-1] != other[-1] and (declared is None or not isinstance(declared[0], ast.Param | ast.Target)):
            yield replaced("a layer makes both alike", node, f"Dense({other[-1]})({node.id})")


@proposes("AX0307", late=True)
def _declared_otherwise(sight: Sight) -> Iterator[str]:
    """What is computed is meant, and not what is declared."""
    node = sight.innermost(ast.Output, ast.TypedAssign)
    if not isinstance(node, ast.Output | ast.TypedAssign) or node.type is None or sight.yaml:
        return
    found = sight.type_of(node.value)
    wanted = node.type.dims if isinstance(node.type, ast.TensorType) else ()
    named = any(
        isinstance(one, ast.Name) and own.isdigit() for one, own in zip(wanted, found[1] if found else (), strict=False)
    )
    if found is not None and not named:
        written = f"{'' if found[0] == 'f32' else found[0]}[{', '.join(found[1])}]"
        yield replaced(f"declare what it is: `{written}`", node.type, written)


_UNEVEN = re.compile(
    r"(\d+)\D* (?:is not a multiple of|do not make|do not divide into groups of|do not divide evenly into) (\d+)"
)


@proposes("AX0319", late=True)
def _multiple(sight: Sight) -> Iterator[str]:
    """A width of 30 for 4 heads: the next number that is shared out evenly."""
    found = _UNEVEN.search(sight.diagnostic.headline)
    if found is None or found[2] == "0":
        return
    width, parts = int(found[1]), int(found[2])
    for node in islice(_near_first(sight, (found[1], found[1])), MANY // 2):
        for size in (width + parts - width % parts, width - width % parts):
            if size > 0:
                yield _made_alike(sight, node, str(size))
    following = f"{width + parts - width % parts} is the next multiple of {parts}"
    shares = [str(n) for n in range(2, min(width, 1024)) if width % n == 0]
    some = ", ".join([*shares[:3], *shares[3:][-3:]])
    yield f"{width} is shared out evenly by {some}; {following}" if shares else following


def _pair(headline: str) -> tuple[str, str] | None:
    """The two sizes of which a message tells."""
    types = [[dim.strip() for dim in dims.split(",")] for dims in _TYPE.findall(headline)]
    if len(types) == 2 and len(types[0]) == len(types[1]):
        pairs = [(a, b) for a, b in zip(*types, strict=True) if a != b]
    else:
        numbers = list(dict.fromkeys(_NUMBER.findall(_TYPE.sub("", _AXIS.sub("", headline)))))
        pairs = [(numbers[0], numbers[1])] if len(numbers) == 2 else []
    return pairs[0] if len(pairs) == 1 and all(size.isdigit() for size in pairs[0]) else None


def _made_alike(sight: Sight, node: ast.Node, size: str) -> Suggestion:
    """A number that becomes another; the layer that it belongs to is told, where it is short."""
    path = list(path_to(sight.file, node.span))
    named = _argument_of(path, size)
    around_it = [one for one in path if isinstance(one, ast.Call | ast.Param | ast.Assign | ast.Parameter)]
    whole = next((one.span for one in reversed(around_it) if len(one.span.text) <= LONGEST), node.span)
    start = node.span.start - whole.start
    text = f"{whole.text[:start]}{named or size}{whole.text[start + len(node.span.text) :]}"
    return replaced(f"the sizes meet with `{text}`", node, named or size)


def _argument_of(path: list[ast.Node], size: str) -> str | None:
    """The argument of the model or block around that is this number, if it is not the number itself."""
    declared = [dim.span.text for one in path if isinstance(one, ast.Block | ast.Model) for dim in _written(one)]
    if size in declared:
        return None  # it is to be this number, whatever an argument is today
    for node in path:
        given: tuple[ast.Parameter, ...] = ()
        if isinstance(node, ast.Block | ast.Model):
            given = node.hyperparameters if isinstance(node, ast.Block) else node.parameters
        for one in given:
            if one.default is not None and one.default.span.text == size and not around(one.span, path[-1].span):
                return one.name
    return None


def _written(node: ast.Node) -> Iterator[ast.Expr]:
    """The dims of all types that are declared in a block or model."""
    for one in (node, *children(node)):
        yield from one.dims if isinstance(one, ast.TensorType) else ()
        if one is not node and not isinstance(one, ast.Expr | ast.TensorType):
            yield from _written(one)


# ---------------------------------------------------------------- numbers that are sizes


def _near_first(sight: Sight, pair: tuple[str, str]) -> Iterator[ast.Node]:
    """Numbers of the spec that are one of two sizes, by how near they are to what does not meet.

    Those of the statements that made it come first, the last of them before the others; then what stands nearest.
    """
    made = made_by(sight)
    found = [
        (made.get(statement, len(made)), abs(sight.span.start - node.span.start), node)
        for statement in statements(sight.file)
        if isinstance(statement, ast.Stmt | ast.Model | ast.Block) and not isinstance(statement, ast.Input | ast.Target)
        for node in _sizes(statement)
        if node.span.text in pair
    ]
    seen: set[int] = set()
    for _, _, node in sorted(found, key=lambda one: (one[0], one[1])):
        if node.span.start not in seen:
            seen.add(node.span.start)
            yield node


def made_by(sight: Sight) -> dict[ast.Node, int]:
    """The statements that made what stands at the place, each with the number of statements between."""
    by_name: dict[str, list[ast.Node]] = {}
    for statement in statements(sight.file):
        for name in _given(statement):
            by_name.setdefault(name, []).append(statement)
    own = sight.innermost(ast.Stmt)
    depth: dict[ast.Node, int] = {} if own is None else {own: 0}
    waiting = [] if own is None else [own]
    while waiting:
        statement = waiting.pop(0)
        for node in _own_expressions(statement):
            for maker in by_name.get(node.id, ()) if isinstance(node, ast.Name) else ():
                if maker not in depth:
                    depth[maker] = depth[statement] + 1
                    waiting.append(maker)
    return depth


def _given(statement: ast.Node) -> Iterator[str]:
    """The names that a statement gives a value."""
    if isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.TypedAssign | ast.Output | ast.Param | ast.Buffer):
        yield statement.name


def _own_expressions(statement: ast.Node) -> Iterator[ast.Node]:
    """The expressions of a statement, and not those of statements in it."""
    for child in children(statement):
        if isinstance(child, ast.Expr):
            yield from expressions(child)
        elif not isinstance(child, ast.Stmt):
            yield from _own_expressions(child)


def _sizes(statement: ast.Node) -> Iterator[ast.Node]:
    """The numbers of a statement that are sizes."""
    if isinstance(statement, ast.Assign):
        yield from (value for value in statement.values if _is_number(value))
    for node in _own_expressions(statement):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
    for child in children(statement):
        if isinstance(child, ast.TensorType) and isinstance(statement, ast.Param | ast.Buffer | ast.State):
            yield from (dim for dim in child.dims if _is_number(dim))
        elif isinstance(child, ast.Parameter) and child.default is not None and _is_number(child.default):
            yield child.default


def _of_call(call: ast.Call) -> Iterator[ast.Node]:
    """Sizes among the arguments of a layer, or in the shape that a function takes."""
    name = callee(call) or ""
    for argument in call.arguments:
        if argument.name in NOT_SIZES:
            continue
        if name[:1].isupper() and _is_number(argument.value):
            yield argument.value
        elif (name in SHAPED or name[:1].isupper()) and isinstance(argument.value, ast.List):
            yield from (item for item in argument.value.items if _is_number(item))


def _is_number(node: ast.Node) -> bool:
    return isinstance(node, ast.Number) and isinstance(node.value, int)
