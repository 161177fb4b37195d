"""Edits for mistakes of people who know other tools, found by where a diagnostic points: a rule for each kind.

A rule looks at the nodes around the place and proposes; whatever is proposed is tried (``trial``) before anybody reads
it. What this module does not do: know the names of other tools (``grammar.foreign`` does).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic, Edit, Suggestion
from archonnx.grammar.foreign import section
from archonnx.grammar.record import Record, fields, replace
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import is_name

from .rewrites import rewritten, text

MANY = 40
"""Diagnostics for which edits are proposed at most."""
_SHAPE = re.compile(r"^(\w+)\[([^\]]*)\]")


class Sight(Record):
    """A diagnostic, the file, and the nodes around the place from the file inwards."""

    diagnostic: Diagnostic
    file: ast.File
    path: tuple[ast.Node, ...]
    span: Span

    def innermost(self, kind: type[ast.Node]) -> ast.Node | None:
        """The narrowest node of a kind around the place."""
        return next((node for node in reversed(self.path) if isinstance(node, kind)), None)


Rule = Callable[[Sight], Iterator[str]]
RULES: list[tuple[frozenset[str], Rule]] = []
"""Rules, each with the codes of the diagnostics that it looks at, in order. One that gives a text that is not a
suggestion has words to say where no suggestion helps."""


def proposes(*codes: str) -> Callable[[Rule], Rule]:
    """Register a rule."""

    def register(rule: Rule) -> Rule:
        RULES.append((frozenset(codes), rule))
        return rule

    return register


def proposed(diagnostics: Sequence[Diagnostic], file: ast.File) -> list[Diagnostic]:
    """The diagnostics with what the rules propose before their own suggestions."""
    return [_with_proposals(d, file) for d in diagnostics[:MANY]] + list(diagnostics[MANY:])


def _with_proposals(diagnostic: Diagnostic, file: ast.File) -> Diagnostic:
    span = diagnostic.span
    if span is None or span.source is not file.span.source:
        return diagnostic
    sight = Sight(diagnostic, file, tuple(_path(file, span)), span)
    found = [one for codes, rule in RULES if diagnostic.code in codes for one in rule(sight)]
    own = diagnostic.help
    edits = [one for one in found if isinstance(one, Suggestion)]
    if isinstance(own, Suggestion):
        edits = [own, *edits] if diagnostic.code == "AX0202" else [*edits, own]
    words = next((one for one in (*found, own) if one is not None and not isinstance(one, Suggestion)), None)
    if not edits:
        return replace(diagnostic, help=words)
    words = next((edit.otherwise for edit in edits if edit.otherwise is not None), words)
    return replace(diagnostic, help=edits[0].or_else(words, *edits[1:]))


def _path(node: ast.Node, span: Span) -> Iterator[ast.Node]:
    """The nodes around a place, from the outside inwards."""
    inner: ast.Node | None = node
    while inner is not None:
        yield inner
        inner = next((child for child in _children(inner) if _around(child.span, span)), None)


def _around(outer: Span, inner: Span) -> bool:
    return outer.source is inner.source and outer.start <= inner.start and outer.end >= inner.end


def _children(node: ast.Node) -> Iterator[ast.Node]:
    for f in fields(node):
        value = getattr(node, f.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, ast.Node):
                yield item
            elif isinstance(item, tuple):
                yield from (inner for inner in item if isinstance(inner, ast.Node))


# ---------------------------------------------------------------- calls of other tools


CALLS = (
    "AX0201", "AX0202", "AX0203", "AX0205", "AX0206", "AX0208", "AX0301", "AX0306", "AX0308", "AX0309", "AX0315",
    "AX0319", "AX0322",
)  # fmt: skip
"""What is said where a call is written as another tool has it."""


@proposes(*CALLS)
def _other_tools(sight: Sight) -> Iterator[str]:
    """The call around the place, or the name with its module, as it is written here."""
    parents = dict(zip(sight.path[1:], sight.path, strict=False))
    targets = {node.name for node in _walk(sight.file) if isinstance(node, ast.Target)}
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
    found = [one for one in rewritten(node) if one != node.span.text]
    found.sort(key=lambda one: not any(one.endswith(f", {target})") for target in targets))
    for one in found:
        if "|>" in one and isinstance(parent, ast.Call) and parent.callee is node:
            given = ", ".join(text(argument.value) for argument in parent.arguments)
            yield _written(parent, f"({given} |> {one})")
        elif " " in one and "|>" not in one and _needs_brackets(node, parent) and _loose(one):
            yield _written(node, f"({one})")
        else:
            yield _written(node, one)


def _written(node: ast.Expr, replacement: str) -> Suggestion:
    theirs, _, behind = node.span.text.partition("(")
    ours, _, same = replacement.partition("(")
    if behind == same and is_name(theirs) and is_name(ours):
        return Suggestion.of(f"did you mean `{ours}`?", node.span.text, replacement, node.span)
    return Suggestion.of(f"write `{replacement}`", node.span.text, replacement, node.span)


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


def _walk(node: ast.Node) -> Iterator[ast.Node]:
    yield node
    for child in _children(node):
        if not isinstance(child, ast.Expr):
            yield from _walk(child)


@proposes("AX0211", "AX0212", "AX0201", "AX0206")
def _idioms(sight: Sight) -> Iterator[str]:
    """A line that has no counterpart here: what to do instead, which is to delete it or to bind a name."""
    statement = sight.innermost(ast.ExprStmt)
    if not isinstance(statement, ast.ExprStmt) or not isinstance(statement.value, ast.Call):
        return
    call = statement.value
    name = call.callee.name if isinstance(call.callee, ast.Attribute) else getattr(call.callee, "id", None)
    say = section("idioms").get(name or "")
    if say is None:
        return
    if name in ("append", "extend") and isinstance(call.callee, ast.Attribute) and len(call.arguments) == 1:
        own, value = call.callee.value.span.text, text(call.arguments[0].value)
        line = f"{own} = {own} + {f'[{value}]' if name == 'append' else value}"
        yield Suggestion.of(f"a list is made anew: `{line}`", "", line, statement.span)
        return
    words = say.format(self="outs", value="x")
    yield Suggestion.of(words, "", "", _line(statement.span), otherwise=words)


def _line(span: Span) -> Span:
    """The lines of a statement, with the end of the last."""
    whole = span.source.text
    end = whole.find("\n", span.end)
    return Span(span.source, whole.rfind("\n", 0, span.start) + 1, len(whole) if end < 0 else end + 1)


@proposes("AX0201")
def _comment(sight: Sight) -> Iterator[str]:
    """``x  // doubled``, which was read as a quotient."""
    binary = sight.innermost(ast.Binary)
    if isinstance(binary, ast.Binary) and binary.op == "//" and _around(binary.right.span, sight.span):
        yield Suggestion.of("a comment begins with `#`", "//", "#", binary.op_span)


# ---------------------------------------------------------------- forms of the language


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
    given = next((a for a in call.arguments if _around(a.span, sight.span) and a.name is None), None)
    if given is not None and call.callee.id[:1].isupper():
        rest = ", ".join(a.span.text for a in call.arguments if a is not given)
        yield _written(call, f"{call.callee.id}({rest})({given.value.span.text})")


@proposes("AX0301", "AX0305")
def _transposed(sight: Sight) -> Iterator[str]:
    """``q @ k`` of two tensors whose last axes are the same kind: the second one transposed."""
    product = next((n for n in reversed(sight.path) if isinstance(n, ast.Binary) and n.op == "@"), None)
    if product is None:
        return
    operand = product.right
    label = next((one.text for one in sight.diagnostic.labels if one.span == operand.span), "")
    match = _SHAPE.match(label)
    rank = match[2].count(",") + 1 if match is not None else 0
    if rank >= 3:
        written = f"transpose({operand.span.text}, {[*range(rank - 2), rank - 1, rank - 2]})"
        yield _written(operand, written)
        yield f"`@` multiplies the last two axes: `{written}` swaps those on the right"


# ---------------------------------------------------------------- labels of losses


PAIRED = {"cross_entropy": ("soft_cross_entropy",), "nll": (), "accuracy": (), "top_k_accuracy": ()}
"""What takes scores and labels, and what takes the same scores and a distribution."""


@proposes("AX0303", "AX0308")
def _labels(sight: Sight) -> Iterator[str]:
    """Scores or labels that are of another kind than a loss or a metric takes."""
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and _callee(n) in PAIRED), None)
    if not isinstance(call, ast.Call) or len(call.arguments) < 2:
        return
    first, second = (argument.value for argument in call.arguments[:2])
    given = next((e for e in (first, second) if _around(e.span, sight.span)), None)
    shapes = {label.span: label.text for label in sight.diagnostic.labels}
    if given is None:
        return
    chosen = _assigned(sight.file, given.id) if isinstance(given, ast.Name) else given
    if isinstance(chosen, ast.Call) and _callee(chosen) == "argmax" and chosen.arguments:
        yield _replaced("leave `argmax` out", chosen, chosen.arguments[0].value.span.text)
    edits = (Edit(first.span, second.span.text), Edit(second.span, first.span.text))
    yield Suggestion.at_places("the arguments look swapped", *edits)
    if shapes.get(second.span, "").endswith(", 1]") or ", 1]" in shapes.get(second.span, ""):
        if _callee(call) == "cross_entropy" and given is second and not shapes[second.span].startswith("i"):
            pair = f"({first.span.text}, {second.span.text})"
            yield _replaced(f"yes or no is judged by `bce{pair}`, or `bce_logits{pair}` of logits", call, f"bce{pair}")
            return
        yield _replaced("take the axis of size 1 away", second, f"{second.span.text}[:, 0]")
        return
    if given is second:
        for other in PAIRED[_callee(call) or ""]:
            whole = f"{other}({', '.join(a.span.text for a in call.arguments)})"
            yield _replaced(f"a distribution over the classes is judged by `{other}`", call, whole)
        yield _replaced("the number of the class is the place of its 1", second, f"argmax({second.span.text})")


def _replaced(words: str, node: ast.Expr, replacement: str) -> Suggestion:
    return Suggestion.of(f"{words}: `{replacement}`" if "`" not in words else words, "", replacement, node.span)


def _assigned(file: ast.File, name: str) -> ast.Expr | None:
    """What a name stands for, where one statement says it."""
    found = [
        value
        for node in _walk(file)
        if isinstance(node, ast.Assign) and len(node.targets) == len(node.values)
        for target, value in zip(node.targets, node.values, strict=True)
        if isinstance(target, ast.Name) and target.id == name
    ]
    return found[0] if len(found) == 1 else None


# ---------------------------------------------------------------- axes


@proposes("AX0322", "AX0315")
def _channels_last(sight: Sight) -> Iterator[str]:
    """Images or series whose last axis is that of the channels."""
    for node in _walk(sight.file):
        if not isinstance(node, ast.Input) or not isinstance(node.type, ast.TensorType) or len(node.type.dims) < 3:
            continue
        first, *between, last = node.type.dims
        small = isinstance(last, ast.Number) and isinstance(last.value, int) and last.value <= 4
        large = all(not isinstance(size, ast.Number) or size.value > 4 for size in between)
        if small and large:
            dims = ", ".join(size.span.text for size in (first, last, *between))
            place = first.span.to(last.span)
            words = f"channels are axis 1: where the data has them there, declare `{node.name}` as [{dims}]"
            yield Suggestion.of(words, "", dims, place)


@proposes("AX0315")
def _open_size(sight: Sight) -> Iterator[str]:
    """An axis of any length where parameters need a number."""
    stages = [node.stage for node in reversed(sight.path) if isinstance(node, ast.Pipe)]
    flat = next((stage for stage in stages if isinstance(stage, ast.Name) and stage.id == "flatten"), None)
    if flat is not None:
        yield Suggestion.of(
            "an axis of any length is averaged and not flattened: `mean(axis=1)`", "", "mean(axis=1)", flat.span
        )
        yield "an axis of any length is averaged and not flattened: `mean(x, axis=1)`"
    elif any(f"`{name}`" in sight.diagnostic.headline for name in ("Conv", "BatchNorm", "MaxPool", "ChannelNorm")):
        place = Span(sight.span.source, sight.span.end, sight.span.end)
        yield Suggestion.of("channels are axis 1: swap the axes first", "", " |> transpose([0, 2, 1])", place)
        yield "channels are axis 1: `transpose(x, [0, 2, 1])` swaps the last two axes"


@proposes("AX0201")
def _in_an_entry(sight: Sight) -> Iterator[str]:
    """A name of the model's body that depends on its inputs."""
    entry, model = sight.innermost(ast.Entry), sight.innermost(ast.Model)
    name = sight.path[-1]
    if entry is None or model is None or not isinstance(name, ast.Name):
        return
    if any(isinstance(n, ast.Input | ast.Target) and n.name == name.id for n in _walk(model)) or _assigned(
        sight.file, name.id
    ):
        words = "an entry has no inputs of the model, nor what depends on them"
        yield f"{words}: make `{name.id}` a parameter of the entry"


def _callee(call: ast.Call) -> str | None:
    return call.callee.id if isinstance(call.callee, ast.Name) else None
