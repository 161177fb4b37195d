"""Names that are not known where they stand, though they are elsewhere: below, in other tools, in other dims."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.foreign import forms, idiom, prefixes
from archonnx.grammar.source import Span
from archonnx.grammar.text.words import is_name

from .rewrites import stages
from .sight import Advice, Sight, assigned, expressions, proposes, replaced, statements, whole_line


def _unknown(sight: Sight) -> ast.Name | None:
    """The name of the place."""
    node = sight.path[-1] if sight.path else None
    return node if isinstance(node, ast.Name) and node.span == sight.span else None


TRUTHS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
"""What YAML 1.1 takes for truth values."""


@proposes("AX0201")
def _as_yaml_has_it(sight: Sight) -> Iterator[str]:
    """``bias: no``, and ``name: "hello"``, whose quotes are those of YAML."""
    place, text = sight.span, sight.file.span.source.text
    if not sight.yaml:
        return
    if place.text.lower() in TRUTHS:
        ours = TRUTHS[place.text.lower()]
        yield Suggestion.of(f"write `{ours}`", place.text, ours, place)
    quotes = text[max(place.start - 1, 0) : place.start], text[place.end : place.end + 1]
    if quotes in (('"', '"'), ("'", "'")):
        written = f"'\"{place.text}\"'"
        words = f"YAML's quotes do not count, and a text has its own: `{written}`"
        yield Suggestion.of(words, "", written, Span(place.source, place.start - 1, place.end + 1))


@proposes("AX0201")
def _in_an_entry(sight: Sight) -> Iterator[str]:
    """A name of the model's body that depends on its inputs."""
    entry, model = sight.innermost(ast.Entry), sight.innermost(ast.Model)
    name = _unknown(sight)
    if entry is None or model is None or name is None:
        return
    if any(isinstance(n, ast.Input | ast.Target) and n.name == name.id for n in statements(model)) or assigned(
        sight.file, name.id
    ):
        words = "an entry has no inputs of the model, nor what depends on them"
        yield f"{words}: make `{name.id}` a parameter of the entry"


@proposes("AX0201")
def _below(sight: Sight) -> Iterator[str]:
    """A name that a later line of the same body binds: the line that uses it is moved behind it."""
    name = _unknown(sight)
    bodies = [node.body for node in sight.path if isinstance(node, ast.Model | ast.Block | ast.Fn)]
    if name is None or not bodies or sight.yaml:
        return
    body = bodies[-1]
    user = next((node for node in sight.path if node in body), None)
    if user is None or entry_of(sight):
        return
    for later in body[body.index(user) + 1 :]:
        binds = [target.span.text for target in later.targets] if isinstance(later, ast.Assign) else [_name(later)]
        if name.id not in binds:
            continue
        line, place = whole_line(user.span), whole_line(later.span)
        moved = line.text if line.text.endswith("\n") else f"{line.text}\n"
        behind = "" if place.text.endswith("\n") else "\n"
        edits = (Edit(line, ""), Edit(_end(place), f"{behind}{moved}"))
        yield Suggestion.at_places(f"`{name.id}` is made below: move this line behind it", *edits)
        yield f"`{name.id}` is made below: move this line behind it"
        return


def entry_of(sight: Sight) -> bool:
    """Whether the place is inside an entry, which sees other names."""
    return sight.innermost(ast.Entry) is not None


def _name(node: ast.Stmt) -> str:
    return str(getattr(node, "name", ""))


def _end(place: Span) -> Span:
    return Span(place.source, place.end, place.end)


@proposes("AX0201")
def _dims(sight: Sight) -> Iterator[str]:
    """A size that nothing binds, in a type: the dims of the inputs, that of the same axis first."""
    name, type_ = _unknown(sight), sight.innermost(ast.TensorType)
    if name is None or not isinstance(type_, ast.TensorType) or name not in type_.dims:
        return
    axis = type_.dims.index(name)
    shapes = [n.type.dims for n in statements(sight.file) if isinstance(n, ast.Input) and hasattr(n.type, "dims")]
    same = [dims[axis].span.text for dims in shapes if axis < len(dims) and isinstance(dims[axis], ast.Name)]
    other = [dim.id for dims in shapes for dim in dims if isinstance(dim, ast.Name)]
    for dim in dict.fromkeys([*same, *other]):
        yield replaced("a size is a number, or a name that an input has", name, dim)


@proposes("AX0201")
def _size_of_the_entry(sight: Sight) -> Iterator[str]:
    """The size of a model's input in an entry, which has sizes of its own."""
    entry, name = sight.innermost(ast.Entry), _unknown(sight)
    types = [n.type for n in statements(sight.file) if isinstance(n, ast.Input) and isinstance(n.type, ast.TensorType)]
    if name is None or not isinstance(entry, ast.Entry) or name.id not in {d.span.text for t in types for d in t.dims}:
        return
    own = [one.name for one in entry.parameters if isinstance(one.type, ast.NamedType) and one.type.name == "dim"]
    shaped = [one.type for one in entry.parameters if isinstance(one.type, ast.TensorType)]
    own += [dim.id for type_ in shaped for dim in type_.dims if isinstance(dim, ast.Name)]
    for dim in dict.fromkeys(own):
        everywhere = [Edit(n.span, dim) for n in expressions(entry) if isinstance(n, ast.Name) and n.id == name.id]
        yield Suggestion.at_places(f"an entry has sizes of its own: `{dim}`", *everywhere)
    yield f"an entry has sizes of its own, and not those of the inputs: make `{name.id}: dim` one of its arguments"


DRAWN = {
    "Categorical": ("categorical", ("i64[B]", "i64[B, T]")),
    "Bernoulli": ("bernoulli", ()),
    "Normal": ("normal", ()),
    "Uniform": ("uniform", ()),
}
"""Classes of distributions elsewhere, what is drawn from here, and types that such draws have."""


@proposes("AX0201")
def _sampled(sight: Sight) -> Iterator[str]:
    """``a = Categorical(p).sample()``: a draw is a statement, which says the type of what is drawn."""
    made = sight.innermost(ast.Assign)
    value = made.values[0] if isinstance(made, ast.Assign) and len(made.values) == len(made.targets) == 1 else None
    way = value.callee if isinstance(value, ast.Call) else None
    if not isinstance(made, ast.Assign) or not isinstance(way, ast.Attribute) or not isinstance(way.value, ast.Call):
        return
    name = way.value.callee.span.text.rpartition(".")[2]
    if name not in DRAWN or way.name not in ("sample", "rsample") or sight.yaml:
        return
    here, types = DRAWN[name]
    given = ", ".join(one.span.text for one in way.value.arguments)
    shapes = [n.type for n in statements(sight.file) if isinstance(n, ast.Input | ast.Draw)]
    own = types or tuple(one.span.text[one.span.text.index("[") :] for one in shapes if isinstance(one, ast.TensorType))
    lines = [f"{made.targets[0].span.text}: {type_} ~ {here}({given})" for type_ in dict.fromkeys((*own, "[B]"))]
    for line in lines:
        yield replaced(f"a draw is a statement: `{line}`", made, line)
    yield Advice(f"a draw is a statement, with the type of what is drawn: `{lines[0]}`")


@proposes("AX0201")
def _advised(sight: Sight) -> Iterator[str]:
    """What other tools have and has no counterpart, and names of modules, which stand before no name here."""
    name = _unknown(sight)
    if name is None:
        return
    parent = sight.parent(name)
    attribute = parent.name if isinstance(parent, ast.Attribute) else None
    say = idiom(attribute or name.id)
    if name.id in prefixes() and attribute is not None:
        known = [one.partition("(")[0] for form in forms("calls").get(attribute, ()) for one in form.ours]
        ours = next((one for one in known if is_name(one)), None)
        behind = f"`{attribute}` is `{ours}`" if ours is not None else f"is there `{attribute}`?"
        yield Advice(say or f"nothing stands before a name here, and nothing is imported: {behind}")
    elif say is not None and attribute is None:
        yield Advice(say)


@proposes("AX0201")
def _loss_by_name(sight: Sight) -> Iterator[str]:
    """``losses: {objective: categorical_crossentropy}``: what it is of is said too."""
    name, statement = _unknown(sight), sight.innermost(ast.Loss, ast.Metric)
    if name is None or not isinstance(statement, ast.Loss | ast.Metric) or statement.value.span != name.span:
        return
    for form in forms("calls").get(name.id, ())[:1]:
        yield Advice(f"what it is of is said too, as in `{form.ours[0]}`")


@proposes("AX0201")
def _added_layers(sight: Sight) -> Iterator[str]:
    """``net = Sequential()``, and ``net.add(Dense(16))`` in the lines behind it."""
    made = sight.innermost(ast.Assign)
    if not isinstance(made, ast.Assign) or len(made.targets) != 1 or sight.yaml:
        return
    call, own = made.values[0], made.targets[0].span.text
    if not isinstance(call, ast.Call) or call.callee.span.text.rpartition(".")[2] != "Sequential" or call.arguments:
        return
    gone, layers = [], []
    for node in statements(sight.file):
        if not isinstance(node, ast.ExprStmt) or not isinstance(node.value, ast.Call) or len(node.value.arguments) != 1:
            continue
        callee = node.value.callee
        if isinstance(callee, ast.Attribute) and callee.name in ("add", "append") and callee.value.span.text == own:
            layers.append(node.value.arguments[0].value)
            gone.append(Edit(whole_line(node.span), ""))
    if layers:
        listed = f"[{', '.join(stage for layer in layers for stage in stages(layer))}]"
        yield Suggestion.at_places(f"a list is applied in order: `{own} = {listed}`", Edit(call.span, listed), *gone)
