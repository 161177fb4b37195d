"""Calls as other tools write them, arguments that stand elsewhere there, and lines that have no counterpart here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.elaborate.core.foreign import RELATIVES
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.foreign import called_here, idiom, section
from archonnx.grammar.source import Span

from .rewrites import bare, rewritten, text
from .sight import Advice, Sight, callee, instead, proposes, replaced, statements, whole_line

CALLS = (
    "AX0201", "AX0202", "AX0203", "AX0205", "AX0206", "AX0208", "AX0301", "AX0306", "AX0308", "AX0309", "AX0315",
    "AX0319", "AX0322",
)  # fmt: skip
"""What is said where a call is written as another tool has it."""


@proposes(*CALLS)
def _other_tools(sight: Sight) -> Iterator[str]:
    """The call around the place, or the name with its module, as it is written here."""
    parents = dict(zip(sight.path[1:], sight.path, strict=False))
    targets = {node.name for node in statements(sight.file) if isinstance(node, ast.Target)}
    seen = 0
    for node in reversed(sight.path):
        if not isinstance(node, ast.Call | ast.Attribute | ast.Name):
            continue
        parent = parents.get(node)
        if isinstance(parent, ast.Call) and parent.callee is node:
            yield from _in_place_of(parent, parents.get(parent), targets)
        yield from _in_place_of(node, parent, targets)
        seen += isinstance(node, ast.Call)
        if seen == 2:
            return


def _in_place_of(node: ast.Expr, parent: ast.Node | None, targets: set[str]) -> Iterator[Suggestion]:
    found = [one for one in (*rewritten(node), *_with_a_stage(node)) if one != node.span.text]
    found.sort(key=lambda one: not any(one.endswith(f", {target})") for target in targets))
    for one in found:
        if "|>" in one and isinstance(parent, ast.Call) and parent.callee is node:
            given = ", ".join(text(argument.value) for argument in parent.arguments)
            yield instead(parent, f"({given} |> {one})")
        elif " " in one and "|>" not in one and _needs_brackets(node, parent) and _loose(one):
            yield instead(node, f"({one})")
        else:
            yield instead(node, one)


ACTIVATIONS = ("activation", "act", "nonlinearity", "non_linearity", "act_fn", "activation_fn", "act_layer")


def _with_a_stage(node: ast.Expr) -> Iterator[str]:
    """A layer that is given its activation: that is a stage of its own."""
    if not isinstance(node, ast.Call):
        return
    given = next((a for a in node.arguments if a.name in ACTIVATIONS), None)
    if given is not None:
        yield f"{text(node.callee)}({_without(node, given)}) |> {bare(given.value)}"


def _without(call: ast.Call, left_out: ast.Argument) -> str:
    """The arguments of a call but one."""
    kept = (a for a in call.arguments if a is not left_out)
    return ", ".join(f"{a.name}={text(a.value)}" if a.name else text(a.value) for a in kept)


def _loose(written: str) -> bool:
    """Whether a text has an operator outside of brackets."""
    depth = 0
    for character in written:
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in "+-*/@":
            return True
    return False


def _needs_brackets(node: ast.Expr, parent: ast.Node | None) -> bool:
    return isinstance(parent, ast.Binary | ast.Unary | ast.Attribute | ast.Index) or (
        isinstance(parent, ast.Call) and parent.callee is node
    )


# ---------------------------------------------------------------- arguments


@proposes("AX0202")
def _other_arguments(sight: Sight) -> Iterator[str]:
    """Arguments that have no counterpart and none to be missed, and those of a callee beside this one."""
    found = sight.argument
    if found is None or sight.yaml:
        return
    call, given = found
    say = section("dropped").get(given.name or "")
    if say is not None:
        rest = _without(call, given)
        yield Suggestion.of(say, "", f"{call.callee.span.text}({rest})", call.span, otherwise=say)
    say = section("penalties").get(given.name or "")
    if say is not None and not any(
        f"`{own}`" in str(sight.diagnostic.help) for own in called_here(given.name or "", "arguments")
    ):
        yield Advice(say)
    relative = RELATIVES.get((call.callee.span.text, given.name or ""))
    if relative is not None:
        yield Suggestion.of(
            f"`{relative}` has it, as in `{relative}({given.span.text})`", "", relative, call.callee.span
        )


@proposes("AX0303", "AX0306", "AX0205", "AX0208", "AX0319")
def _swapped(sight: Sight) -> Iterator[str]:
    """An argument that stands where another should."""
    found = sight.argument
    if found is None or found[1].name is not None:
        return
    call, given = found
    for other in call.arguments:
        if other is not given and other.name is None:
            first, second = sorted((given, other), key=lambda a: a.span.start)
            edits = (Edit(first.span, second.span.text), Edit(second.span, first.span.text))
            yield Suggestion.at_places("the arguments look swapped", *edits)


@proposes("AX0319")
def _percent(sight: Sight) -> Iterator[str]:
    """``Dropout(20)``: a share of 1."""
    for node in reversed(sight.path):
        if isinstance(node, ast.Call):
            for given in node.arguments:
                if isinstance(given.value, ast.Number) and 1 < given.value.value <= 100:
                    yield replaced("a share is a number up to 1", given.value, f"{given.value.value / 100:g}")
            return


_COMMA = re.compile(r"(?<![\w.])(\d+),(\d+)(?![\w.])")


@proposes("AX0205", "AX0306", "AX0319", "AX0203", "AX0202")
def _decimal_comma(sight: Sight) -> Iterator[str]:
    """``Dropout(0,5)``."""
    call = sight.innermost(ast.Call)
    if call is None:
        return
    match = _COMMA.search(call.span.text)
    if match is not None:
        at = call.span.start + match.end(1)
        words = f"a decimal has a point: `{match[1]}.{match[2]}`"
        yield Suggestion.of(words, ",", ".", Span(call.span.source, at, at + 1))


@proposes("AX0306")
def _number(sight: Sight) -> Iterator[str]:
    """A number as a text, a quotient where an integer is needed, a percentage."""
    node = sight.path[-1]
    found = sight.argument
    node = found[1].value if found is not None else node
    if isinstance(node, ast.String):
        value = node.value.replace(",", ".")
        if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value):
            yield replaced("a number stands without quotes", node, value)
    elif isinstance(node, ast.Binary) and node.op == "/":
        yield replaced("a quotient of integers is written `//`", node, _floor(node))
    elif isinstance(node, ast.Number) and isinstance(node.value, float) and node.value == int(node.value):
        yield replaced("an integer has no point", node, str(int(node.value)))


@proposes("AX0306", late=True)
def _size_of_the_input(sight: Sight) -> Iterator[str]:
    """``GCN(20, 64)``, where the first number is the size of the input."""
    found = sight.argument
    if found is None or "takes a bool, not the int" not in sight.diagnostic.headline or sight.yaml:
        return
    call, given = found
    if call.callee.span.text[:1].isupper() and call.arguments[1:2] == (given,) and call.arguments[0].name is None:
        words = "the size of the input is known"
        written = f"{call.callee.span.text}({_without(call, call.arguments[0])})"
        yield Suggestion.of(f"{words}: `{written}`", "", written, call.span)
        yield from _with_a_graph(sight, call, written)


def _with_a_graph(sight: Sight, call: ast.Call, layer: str) -> Iterator[str]:
    """``GCNConv(20, 64)(x, source, target)``, where the ends of the edges are given one by one."""
    outer = sight.parent(call)
    given = outer.arguments if isinstance(outer, ast.Call) and outer.callee is call else ()
    if isinstance(outer, ast.Call) and len(given) in (2, 3):
        ends = f"{given[1].span.text}, {given[-1].span.text}"
        nodes = f"shape_of({given[0].span.text})[0]"
        known = [
            one for one in statements(sight.file) if isinstance(one, ast.Assign) and callee(one.values[0]) == "edges"
        ]
        for graph in (*(one.targets[0].span.text for one in known), f"edges({ends}, {nodes})"):
            written = f"{layer}({given[0].span.text}, {graph})"
            yield Suggestion.of(
                f"the size of the input is known, and edges are a graph: `{written}`", "", written, outer.span
            )


@proposes("AX0306")
def _rate_of_a_step(sight: Sight) -> Iterator[str]:
    """``p - lr * g`` in an optimizer, whose rate is a schedule."""
    optimizer, node = sight.innermost(ast.Optimizer), sight.path[-1]
    if not isinstance(optimizer, ast.Optimizer) or not isinstance(node, ast.Name) or not optimizer.inputs:
        return
    if "this is schedule" in sight.diagnostic.headline:
        written = f"{node.id}({optimizer.inputs[-1].name})"
        yield replaced(f"a schedule gives the rate of a step: `{written}`", node, written)


def _floor(node: ast.Binary) -> str:
    return f"{node.left.span.text} // {node.right.span.text}"


@proposes("AX0203")
def _needed(sight: Sight) -> Iterator[str]:
    """What a block needs was not given."""
    needed = re.search(r"needs `(\w+)`", sight.diagnostic.headline)
    name = next((node.span.text for node in reversed(sight.path) if isinstance(node, ast.Name)), None)
    if needed is not None and name is not None:
        yield (
            f"give it, as in `{name}: {{{needed[1]}: ...}}`"
            if sight.yaml
            else f"give it, as in `{name}({needed[1]}=...)`"
        )


# ---------------------------------------------------------------- lines


@proposes("AX0211", "AX0212", "AX0201", "AX0206")
def _idioms(sight: Sight) -> Iterator[str]:
    """A line that has no counterpart here: what to do instead, which is to delete it or to bind a name."""
    statement = sight.innermost(ast.ExprStmt)
    if not isinstance(statement, ast.ExprStmt) or not isinstance(statement.value, ast.Call):
        return
    call = statement.value
    name = call.callee.name if isinstance(call.callee, ast.Attribute) else getattr(call.callee, "id", None)
    words = idiom(name or "")
    if words is None:
        return
    if name in ("append", "extend") and isinstance(call.callee, ast.Attribute) and len(call.arguments) == 1:
        own, value = call.callee.value.span.text, text(call.arguments[0].value)
        line = f"{own} = {own} + {f'[{value}]' if name == 'append' else value}"
        yield Suggestion.of(f"a list is made anew: `{line}`", "", line, statement.span)
        return
    yield Suggestion.of(words, "", "", whole_line(statement.span), otherwise=words)
