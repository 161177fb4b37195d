"""Forms of the language that are written in another one: lists, draws, pipes, applications."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .sight import Advice, Sight, around, assigned, indentation, instead, proposes, replaced, statements, whole_line


@proposes("AX0203")
def _drawn(sight: Sight) -> Iterator[str]:
    """``param W: [2, 3] = glorot_uniform()``."""
    param = sight.innermost(ast.Param)
    if isinstance(param, ast.Param) and param.type is not None:
        source, start = param.span.source, param.type.span.end
        at = source.text.find("=", start, param.value.span.start)
        if at >= 0:
            yield Suggestion.of("an initialiser is drawn from: write `~`", "=", "~", Span(source, at, at + 1))


@proposes("AX0306", "AX0208")
def _list_for_tuple(sight: Sight) -> Iterator[str]:
    """``kernel=(3, 3)``."""
    node = sight.path[-1] if sight.path else None
    node = next((one for one in reversed(sight.path) if isinstance(one, ast.Tuple)), node)
    if isinstance(node, ast.Tuple) and node.span.text.startswith("("):
        written = f"[{', '.join(item.span.text for item in node.items)}]"
        yield Suggestion.of(f"write a list: `{written}`", node.span.text, written, node.span)


@proposes("AX0306")
def _spread(sight: Sight) -> Iterator[str]:
    """``betas`` as a list: the numbers one by one."""
    node = sight.innermost(ast.List)
    if isinstance(node, ast.List) and node.span == sight.span and len(node.items) > 1:
        written = ", ".join(item.span.text for item in node.items)
        yield Suggestion.of(f"give them one by one: `{written}`", "", written, node.span)


@proposes("AX0316")
def _pipe_in_sum(sight: Sight) -> Iterator[str]:
    """``x |> Dense(4) + x``, where the sum is the stage."""
    for pipe in reversed(sight.path):
        if isinstance(pipe, ast.Pipe) and isinstance(pipe.stage, ast.Binary):
            stage: ast.Expr = pipe.stage
            while isinstance(stage, ast.Binary):
                stage = stage.left
            edits = [
                Edit(Span(pipe.span.source, pipe.span.start, pipe.span.start), "("),
                Edit(Span(pipe.span.source, stage.span.end, stage.span.end), ")"),
            ]
            yield Suggestion.at_places("`|>` binds loosest: put what it gives in brackets", *edits)
            return


@proposes("AX0306", "AX0202", "AX0205")
def _applied(sight: Sight) -> Iterator[str]:
    """``Dense(32, x)``: a block is made of its own arguments, and applied to tensors behind them."""
    call = sight.innermost(ast.Call)
    if not isinstance(call, ast.Call) or not isinstance(call.callee, ast.Name) or len(call.arguments) < 2:
        return
    given = next((a for a in call.arguments if around(a.span, sight.span) and a.name is None), None)
    if given is not None and call.callee.id[:1].isupper():
        rest = ", ".join(a.span.text for a in call.arguments if a is not given)
        yield instead(call, f"{call.callee.id}({rest})({given.value.span.text})")


@proposes("AX0201")
def _comment(sight: Sight) -> Iterator[str]:
    """``x  // doubled``, which was read as a quotient."""
    binary = sight.innermost(ast.Binary)
    if isinstance(binary, ast.Binary) and binary.op == "//" and around(binary.right.span, sight.span):
        yield Suggestion.of("a comment begins with `#`", "//", "#", binary.op_span)


@proposes("AX0211")
def _compared(sight: Sight) -> Iterator[str]:
    """``h == x |> Dense(4)`` or ``h <- x``, a comparison where a name was to be bound."""
    statement = sight.innermost(ast.ExprStmt)
    value = statement.value if isinstance(statement, ast.ExprStmt) else None
    first = value.value if isinstance(value, ast.Pipe) else value
    while isinstance(first, ast.Pipe):
        first = first.value
    if isinstance(first, ast.Binary) and isinstance(first.left, ast.Name) and first.op in ("==", "<"):
        source, start, name = first.span.source, first.op_span.start, first.left.id
        arrow = source.text[start : start + 2]
        if arrow in ("==", "<-"):
            yield Suggestion.of(f"a name is bound by `=`: `{name} = ...`", arrow, "=", Span(source, start, start + 2))
    elif isinstance(statement, ast.ExprStmt) and isinstance(first, ast.Name) and isinstance(value, ast.Pipe):
        place = Span(statement.span.source, statement.span.start, statement.span.start)
        yield Suggestion.of(f"bind what it gives: `{first.id} = {first.id} |> ...`", "", f"{first.id} = ", place)


@proposes("AX0117")
def _self(sight: Sight) -> Iterator[str]:
    """``self.W = Dense(4)``."""
    text = sight.span.text
    if text.startswith("self."):
        name = text.removeprefix("self.")
        yield f"a block keeps its layers by name alone: `{name} = ...`, and `{name}(x)` applies it; it has no `self`"


@proposes("AX0306")
def _layer_not_applied(sight: Sight) -> Iterator[str]:
    """``h = Dense(4)`` where what it makes of the input was meant."""
    node = sight.path[-1]
    if not isinstance(node, ast.Name) or "module" not in sight.diagnostic.headline:
        return
    made = assigned(sight.file, node.id)
    inputs = [one.name for one in statements(sight.file) if isinstance(one, ast.Input)]
    if made is not None and not sight.yaml:
        for name in inputs[:2]:
            yield replaced("a layer is applied to something", made, f"{name} |> {made.span.text}")
    yield f"a layer is applied to something: `{node.id}(x)`, or `x |> {node.id}`"


@proposes("AX0316", "AX0306")
def _repeated(sight: Sight) -> Iterator[str]:
    """``[Dense(64)] * 3``: layers of their own, each made anew."""
    for node in reversed(sight.path):
        if not isinstance(node, ast.Binary) or node.op != "*":
            continue
        for listed, count in ((node.left, node.right), (node.right, node.left)):
            if isinstance(listed, ast.List) and listed.items:
                items = ", ".join(item.span.text for item in listed.items)
                many = f"[{items} for _ in range({count.span.text})]"
                each = items if len(listed.items) == 1 else f"[{items}]"
                written = many if len(listed.items) == 1 else f"[{each} for _ in range({count.span.text})]"
                yield replaced("a list is not repeated; layers of their own are made", node, written)
                yield Advice(f"a list is not repeated; layers of their own are made by `{written}`")


@proposes("AX0333")
def _along(sight: Sight) -> Iterator[str]:
    """The axis of a scan."""
    shown = re.search(r"`(.+ along \d+)`", str(sight.diagnostic.help))
    if shown is not None and not sight.yaml:
        words = str(sight.diagnostic.help)
        yield Suggestion.of(words, "", shown[1], sight.span, otherwise=words)


@proposes("AX0228")
def _emitted(sight: Sight) -> Iterator[str]:
    """A scan that gives its states as they are after each step."""
    scan = sight.innermost(ast.Scan)
    if not isinstance(scan, ast.Scan) or sight.yaml or "emits nothing" not in sight.diagnostic.headline:
        return
    last = scan.body[-1].span
    for state in re.findall(r"(\w+)\s*=", scan.span.text.split("->")[0])[:1]:
        added = f"{indentation(last)}emit {state}\n"
        end = whole_line(last).end
        yield Suggestion.of(f"end the body with `emit {state}`", "", added, Span(last.source, end, end))


@proposes("AX0711")
def _choices(sight: Sight) -> Iterator[str]:
    """``width = [16, 32]`` in a search."""
    node = next((one for one in reversed(sight.path) if isinstance(one, ast.List | ast.Tuple)), None)
    if isinstance(node, ast.List | ast.Tuple) and node.items:
        yield replaced("one of several", node, f"choice({', '.join(item.span.text for item in node.items)})")


@proposes("AX0303", "AX0308")
def _graph(sight: Sight) -> Iterator[str]:
    """Pairs of nodes, as PyTorch Geometric has them, where a graph is taken."""
    given = {node.name: node.type for node in statements(sight.file) if isinstance(node, ast.Input)}
    for call in (node for node in reversed(sight.path) if isinstance(node, ast.Call)):
        for argument in call.arguments:
            type_ = given.get(argument.value.span.text)
            if not isinstance(type_, ast.TensorType) or type_.dtype != "i64" or len(type_.dims) != 2:
                continue
            if type_.dims[0].span.text == "2":
                own, nodes = argument.value.span.text, call.arguments[0].value.span.text
                counts = [dims[0].span.text for dims in (getattr(given.get(nodes), "dims", ()),) if dims]
                for count in counts:
                    made = f"edges({own}[0], {own}[1], {count})"
                    yield replaced("a graph is made of the ends of its edges", argument.value, made)
                yield Advice(f"a graph is made of the ends of its edges: `edges({own}[0], {own}[1], 34)` of 34 nodes")
