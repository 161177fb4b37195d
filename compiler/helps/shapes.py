"""Shapes and dtypes that do not meet: which of them is to change, and how."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.foreign import called_here
from archonnx.grammar.source import Span

from .misread import number_of
from .sight import Sight, around, assigned, callee, expressions, instead, proposes, replaced, statements

_SHAPE = re.compile(r"^(\w+)\[([^\]]*)\]")


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
        order = [*range(rank - 2), rank - 1, rank - 2]
        written = f"transpose({operand.span.text}, {order})"
        yield instead(operand, written)
        if isinstance(operand, ast.Call) and callee(operand) == "transpose" and operand.arguments:
            yield instead(operand, f"transpose({operand.arguments[0].value.span.text}, {order})")
        yield f"`@` multiplies the last two axes: `{written}` swaps those on the right"


# ---------------------------------------------------------------- dtypes


FLOATS = ("f32", "f64", "f16", "bf16")


def declaration(sight: Sight, name: str) -> tuple[ast.Input | ast.Target | ast.Param, ast.TensorType] | None:
    """The statement that declares an input, a target or a parameter, if the file has one of this name, and its type."""
    kinds = (ast.Input, ast.Target, ast.Param)
    found = [node for node in statements(sight.file) if isinstance(node, kinds) and node.name == name]
    type_ = found[0].type if len(found) == 1 else None
    return (found[0], type_) if isinstance(type_, ast.TensorType) else None


@proposes("AX0303")
def _declared_dtype(sight: Sight) -> Iterator[str]:
    """An input that is declared without a dtype, so of floats, where integers are needed."""
    needed = re.search(r"is (i64|bool), and this is f\d+", sight.diagnostic.headline)
    node = sight.path[-1]
    declared = declaration(sight, node.id) if isinstance(node, ast.Name) else None
    if needed is None or declared is None or isinstance(declared[0], ast.Param) or sight.yaml:
        return
    statement, type_ = declared
    call = sight.innermost(ast.Call)
    if callee(call) in PAIRED and (len(type_.dims) > 1 or number_of(sight, statement.name)):
        return  # a row for each class, or a number that is no class
    written = f"{needed[1]}{type_.span.text[type_.span.text.index('[') :]}"
    yield replaced(f"declare it so: `{statement.name}: {written}`", type_, written)


@proposes("AX0209", "AX0208")
def _other_dtype(sight: Sight) -> Iterator[str]:
    """``float32[B, 8]``."""
    type_ = sight.innermost(ast.TensorType)
    if isinstance(type_, ast.TensorType) and type_.dtype is not None:
        shape = type_.span.text[type_.span.text.index("[") :]
        for dtype in called_here(type_.dtype):
            yield replaced("the dtype is called so here", type_, f"{dtype}{shape}")
        if type_.dtype.lower() in ("float", "tensor", "double", "array", "ndarray"):
            yield replaced("floats need no dtype", type_, shape)


@proposes("AX0303")
def _converted(sight: Sight) -> Iterator[str]:
    """What is not of floats beside what is: ``x * (x > 0)``."""
    types = [(one.span, match[1]) for one in sight.diagnostic.labels if (match := _SHAPE.match(one.text))]
    if not any(dtype in FLOATS for _, dtype in types):
        return
    for span, dtype in types:
        if dtype not in FLOATS and span.source is sight.span.source:
            text = f"float({span.text})"
            yield Suggestion.of(f"numbers are made of it by `{text}`", "", text, span)


# ---------------------------------------------------------------- shapes


@proposes("AX0308", "AX0302", "AX0304", "AX0305", "AX0307", "AX0329")
def _column(sight: Sight) -> Iterator[str]:
    """[B, 1] beside [B]: the axis of size 1 is taken away."""
    known = [(node, type_) for node in operands(sight) if (type_ := sight.type_of(node)) is not None]
    for node, (_, dims) in known:
        if len(dims) > 1 and dims[-1] == "1" and any(other == dims[:-1] for _, (_, other) in known):
            whole = isinstance(node, ast.Name | ast.Call | ast.Index) or node.span.in_brackets
            own = node.span.text if whole else f"({node.span.text})"
            places = ", ".join([*":" * (len(dims) - 1), "0"])
            yield replaced("take the axis of size 1 away", node, f"{own}[{places}]")


def operands(sight: Sight) -> list[ast.Expr]:
    """Expressions that the labels of a diagnostic point at."""
    statement = sight.innermost(ast.Stmt)
    found = [] if statement is None else [n for n in expressions(statement) if isinstance(n, ast.Expr)]
    spans = dict.fromkeys(label.span for label in sight.diagnostic.labels)
    firsts = (next((n for n in found if n.span == span), None) for span in spans)
    return [node for node in firsts if node is not None]


@proposes("AX0302", "AX0304")
def _widths(sight: Sight) -> Iterator[str]:
    """Two operands of other widths, of which one is a parameter: its declaration."""
    known = [(node, type_[1]) for node in operands(sight) if (type_ := sight.type_of(node)) is not None]
    if len(known) != 2 or sight.yaml:
        return
    for (node, own), (_, other) in (known, known[::-1]):
        declared = declaration(sight, node.id) if isinstance(node, ast.Name) else None
        if not own or not other or own[-1] == other[-1] or not other[-1].isdigit():
            continue
        if declared is not None and isinstance(declared[0], ast.Param):
            yield replaced(f"declare `{declared[0].name}` with {other[-1]} there", declared[1].dims[-1], other[-1])


@proposes("AX0307")
def _as_declared(sight: Sight) -> Iterator[str]:
    """What is computed is of another type than what is declared."""
    node = sight.innermost(ast.Output, ast.TypedAssign)
    if not isinstance(node, ast.Output | ast.TypedAssign) or not isinstance(node.type, ast.TensorType) or sight.yaml:
        return
    found = sight.type_of(node.value)
    if found is None:
        return
    _, dims = found
    wanted = node.type.dims
    if len(dims) == len(wanted) + 1 and dims[-1] == "1" and [one.span.text for one in wanted] == dims[:-1]:
        whole = isinstance(node.value, ast.Name | ast.Call | ast.Index) or node.value.span.in_brackets
        own = node.value.span.text if whole else f"({node.value.span.text})"
        taken = f"{own}[{', '.join([*':' * len(wanted), '0'])}]"
        yield replaced("take the axis of size 1 away", node.value, taken)
    if node.type.dtype in ("i64", "i32") and len(wanted) == len(dims) - 1:
        yield replaced("the place of the largest number", node.value, f"argmax({node.value.span.text}, axis=-1)")
    if len(wanted) == 2 and len(dims) > 2:
        first: ast.Expr = node.value
        while isinstance(first, ast.Pipe) and isinstance(first.value, ast.Pipe):
            first = first.value
        if isinstance(first, ast.Pipe):
            yield replaced("put all axes but the first in one", first.value, f"{first.value.span.text} |> flatten")


REDUCED = ("argmax", "argmin", "sum", "mean", "max", "min", "prod", "std", "var", "norm", "median", "logsumexp")


@proposes("AX0305", "AX0307")
def _other_axis(sight: Sight) -> Iterator[str]:
    """``best: i64[B, T] = argmax(logits, axis=1)``, which takes another axis away than what is declared lacks."""
    node = sight.innermost(ast.Output, ast.TypedAssign)
    value = node.value if isinstance(node, ast.Output | ast.TypedAssign) else None
    if isinstance(value, ast.Name):
        value = assigned(sight.file, value.id)
    if not isinstance(value, ast.Call) or callee(value) not in REDUCED:
        return
    given = next((argument.value for argument in value.arguments if argument.name == "axis"), None)
    if given is None or re.fullmatch(r"-?\d", given.span.text) is None:
        return
    for axis in ("-1", "1", "2"):
        if axis != given.span.text:
            yield replaced(f"what is declared has that axis: `axis={axis}` takes another", given, axis)


@proposes("AX0305")
def _nodes_of_the_examples(sight: Sight) -> Iterator[str]:
    """All nodes of a graph, [N, c], for examples that are numbers of nodes: ``node: i64[B]``."""
    sizes = re.search(r"axis 0(?: of `\w+`)?, which is (\w+), equals (\w+)$", sight.diagnostic.headline)
    statement = sight.innermost(ast.Output, ast.Loss, ast.Metric)
    if sizes is None or not isinstance(statement, ast.Output | ast.Loss | ast.Metric) or sight.yaml:
        return
    given = [node for node in statements(sight.file) if isinstance(node, ast.Input)]
    numbers = [
        one.name
        for one in given
        if isinstance(one.type, ast.TensorType) and one.type.dtype == "i64" and len(one.type.dims) == 1
        if one.type.dims[0].span.text in sizes.groups()
    ]
    names = dict.fromkeys(node.id for node in expressions(statement.value) if isinstance(node, ast.Name))
    for made in filter(None, (assigned(sight.file, name) for name in names)):
        whole = isinstance(made, ast.Name | ast.Call | ast.Index) or made.span.in_brackets
        for name in numbers:
            taken = f"{made.span.text}[{name}]" if whole else f"({made.span.text})[{name}]"
            yield replaced("those of the examples are taken", made, taken)


@proposes("AX0324")
def _left_over(sight: Sight) -> Iterator[str]:
    """A shape that does not hold as many numbers: its last size is what is left over."""
    for node in reversed(sight.path):
        if isinstance(node, ast.List) and node.items and not any(item.span.text == "-1" for item in node.items):
            last = node.items[-1]
            yield replaced("what is left over is -1", last, "-1")
            return


@proposes("AX0318")
def _last_place(sight: Sight) -> Iterator[str]:
    """An index right behind the end."""
    found = re.search(r"index (\d+) is outside axis \d+, of size (\d+)", sight.diagnostic.headline)
    if found is not None and found[1] == found[2]:
        node = sight.path[-1]
        yield replaced(f"places begin at 0: the last one is `{int(found[2]) - 1}`, or `-1`", node, "-1")


@proposes("AX0308")
def _order(sight: Sight) -> Iterator[str]:
    """``transpose(k)`` of more than two axes: the last two are swapped."""
    axes = re.search(r"`transpose` of a tensor with (\d+) axes needs their order", sight.diagnostic.headline)
    calls = [node for node in expressions(sight.file) if isinstance(node, ast.Call) and callee(node) == "transpose"]
    for call in calls:
        if (axes is not None and around(call.span, sight.span)) or around(sight.span, call.span):
            rank = int(axes[1]) if axes is not None else 0
            if rank >= 3 and len(call.arguments) == 1:
                order = [*range(rank - 2), rank - 1, rank - 2]
                yield replaced("swap the last two axes", call, f"transpose({call.arguments[0].span.text}, {order})")


@proposes("AX0306")
def _one_of_several(sight: Sight) -> Iterator[str]:
    """All that a recurrent layer gives, where one of it is meant."""
    written = re.search(r"take one of them: `(.+)`$", str(sight.diagnostic.help))
    node = sight.innermost(ast.Expr)
    if written is None or node is None or node.span != sight.span or sight.yaml:
        return
    first = replaced("take one of them", node, written[1])
    last = replaced("or the last one", node, f"{written[1].rpartition('.')[0]}.h")
    yield first.or_else(str(sight.diagnostic.help), last, several=True)


@proposes("AX0308", "AX0305", "AX0302", "AX0805")
def _picked(sight: Sight) -> Iterator[str]:
    """``q[action]``, which picks examples, where the number of each example was meant."""
    integers = {
        node.name
        for node in statements(sight.file)
        if isinstance(node, ast.Input | ast.Target)
        and isinstance(node.type, ast.TensorType)
        and node.type.dtype == "i64"
    }
    for node in expressions(sight.file):
        if not isinstance(node, ast.Index) or not isinstance(node.subscripts[-1], ast.Name):
            continue
        *before, last = node.subscripts
        if last.span.text in integers and all(isinstance(one, ast.Slice) for one in before):
            yield replaced("that of each example", node, f"of_class({node.value.span.text}, {last.span.text})")


@proposes("AX0308")
def _sequence(sight: Sight) -> Iterator[str]:
    """A table for a recurrent layer: each row is a sequence of numbers."""
    node = next((one for one in reversed(sight.path) if isinstance(one, ast.Expr)), None)
    if node is None or "has 3 axes, and this has 2" not in sight.diagnostic.headline:
        return
    own = node.span.text if isinstance(node, ast.Name) else f"({node.span.text})"
    yield replaced("a row is a sequence of single numbers", node, f"{own}[:, :, none]")


@proposes("AX0319")
def _image(sight: Sight) -> Iterator[str]:
    """Rows of pixels for a convolution."""
    note = next((one for one in sight.diagnostic.notes if "called at" in one), "")
    width = re.search(r"with c = (\d+)", note)
    call = sight.innermost(ast.Call)
    if width is None or call is None or "needs an axis" not in sight.diagnostic.headline:
        return
    side = math.isqrt(int(width[1]))
    if side * side == int(width[1]):
        yield replaced("make images of the rows", call, f"reshape([-1, 1, {side}, {side}]) |> {call.span.text}")


# ---------------------------------------------------------------- labels of losses


PAIRED = {"cross_entropy": ("soft_cross_entropy",), "nll": (), "accuracy": (), "top_k_accuracy": ()}
"""What takes scores and labels, and what takes the same scores and a distribution."""


@proposes("AX0303", "AX0308")
def _labels(sight: Sight) -> Iterator[str]:
    """Scores or labels that are of another kind than a loss or a metric takes."""
    call = next((n for n in reversed(sight.path) if isinstance(n, ast.Call) and callee(n) in PAIRED), None)
    if not isinstance(call, ast.Call) or len(call.arguments) < 2:
        return
    first, second = (argument.value for argument in call.arguments[:2])
    given = next((e for e in (first, second) if around(e.span, sight.span)), None)
    shapes = {label.span: label.text for label in sight.diagnostic.labels}
    if given is None:
        return
    chosen = assigned(sight.file, given.id) if isinstance(given, ast.Name) else given
    if isinstance(chosen, ast.Call) and callee(chosen) == "argmax" and chosen.arguments:
        yield replaced("leave `argmax` out", chosen, chosen.arguments[0].value.span.text)
    edits = (Edit(first.span, second.span.text), Edit(second.span, first.span.text))
    yield Suggestion.at_places("the arguments look swapped", *edits)
    if shapes.get(second.span, "").endswith(", 1]") or ", 1]" in shapes.get(second.span, ""):
        if callee(call) == "cross_entropy" and given is second and not shapes[second.span].startswith("i"):
            pair = f"({first.span.text}, {second.span.text})"
            yield replaced(f"yes or no is judged by `bce{pair}`, or `bce_logits{pair}` of logits", call, f"bce{pair}")
            return
        yield replaced("take the axis of size 1 away", second, f"{second.span.text}[:, 0]")
        return
    if given is second:
        distribution = assigned(sight.file, second.id) if isinstance(second, ast.Name) else second
        if isinstance(distribution, ast.Call) and callee(distribution) == "one_hot" and distribution.arguments:
            number = distribution.arguments[0].value.span.text
            yield replaced(f"`{callee(call)}` takes the number of the class", second, number)
        for other in PAIRED[callee(call) or ""]:
            whole = f"{other}({', '.join(a.span.text for a in call.arguments)})"
            yield replaced(f"a distribution over the classes is judged by `{other}`", call, whole)
        if re.search(r"\[\w+\]", shapes.get(second.span, "")) is None:
            yield replaced("the number of the class is the place of its 1", second, f"argmax({second.span.text})")


# ---------------------------------------------------------------- axes


@proposes("AX0322", "AX0315")
def _channels_last(sight: Sight) -> Iterator[str]:
    """Images or series whose last axis is that of the channels."""
    for node in statements(sight.file):
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
