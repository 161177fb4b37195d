"""Edits for what was probably not meant: each does what the words of the warning say.

What this module does not do: find anything (the rules in ``compiler.lints`` do).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeGuard

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .sight import Sight, expressions, indentation, inserted, path_to, proposes, statements, whole_line

_PLACE = re.compile(r"stands at .*:(\d+):(\d+)$")


def as_told(sight: Sight, *edits: Edit) -> Suggestion:
    """What the help says, done."""
    words = sight.diagnostic.help
    return Suggestion.at_places(str(words), *edits, otherwise=None if words is None else str(words))


def with_word(sight: Sight, old: str, new: str) -> Iterator[Suggestion]:
    """Another text in place of the first such text of the place."""
    match = re.search(old, sight.span.text)
    if match is not None:
        start = sight.span.start + match.start()
        yield as_told(sight, Edit(Span(sight.span.source, start, start + len(match[0])), match.expand(new)))


@proposes("AX0801")
def _scores(sight: Sight) -> Iterator[str]:
    """The stage that makes something else of the scores goes away, or the loss is the one that takes them."""
    instead = re.match(r"`(\w+)` takes such numbers", str(sight.diagnostic.help))
    used = re.match(r"`(\w+)`", sight.diagnostic.headline)
    if instead is not None and used is not None:
        yield from with_word(sight, rf"\b{used[1]}\b", instead[1])
        return
    place = next((match for note in sight.diagnostic.notes if (match := _PLACE.search(note))), None)
    if place is None:
        return
    source = sight.span.source
    lines = source.text.split("\n")
    at = sum(len(line) + 1 for line in lines[: int(place[1]) - 1]) + int(place[2]) - 1
    path = list(path_to(sight.file, Span(source, at, at + 1)))
    node = next((one for one in path if isinstance(one, ast.Expr) and one.span.start == at), None)
    around = next((one for one in reversed(path) if isinstance(one, ast.Pipe) and one.stage is node), None)
    if node is None:
        return
    given = next((one for one in path if isinstance(one, ast.Output)), None)
    if given is not None:
        yield from _before_the_output(sight, given, node, around)
    elif str(sight.diagnostic.help).startswith("write `log_softmax`"):
        again = _outputs(sight, node, around, "exp({})")
        yield as_told(sight, Edit(Span(source, at, at + len("softmax")), "log_softmax"), *again)
    elif str(sight.diagnostic.help).startswith("put ") and around is not None:
        before = around.value
        if isinstance(before, ast.Pipe):
            yield as_told(sight, Edit(before.stage.span, node.span.text), Edit(node.span, before.stage.span.text))
    elif around is not None:
        again = _outputs(sight, node, around, f"{{}} |> {node.span.text}")
        yield as_told(sight, Edit(Span(source, around.value.span.end, node.span.end), ""), *again)
    elif isinstance(node, ast.Call) and node.arguments and node.arguments[0].name is None:
        again = _outputs(sight, node, None, f"{node.callee.span.text}({{}})")
        yield as_told(sight, Edit(node.span, node.arguments[0].value.span.text), *again)


def _before_the_output(sight: Sight, given: ast.Output, node: ast.Expr, pipe: ast.Pipe | None) -> Iterator[Suggestion]:
    """What an output gives stays as it is: the loss takes what the output is made of."""
    inner = pipe.value if pipe is not None else node.arguments[0].value if _has_one(node) else None
    if inner is None or given.value not in (node, pipe):
        return
    text = inner.span.text if isinstance(inner, ast.Name) else f"({inner.span.text})"
    for name in expressions(sight.innermost(ast.Call) or sight.file):
        if isinstance(name, ast.Name) and name.id == given.name:
            yield Suggestion.of(f"give it what `{given.name}` is made of: `{text}`", "", text, name.span)


def _has_one(node: ast.Expr) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and len(node.arguments) >= 1 and node.arguments[0].name is None


def _outputs(sight: Sight, node: ast.Expr, pipe: ast.Pipe | None, form: str) -> list[Edit]:
    """Outputs that are the value as it was keep it: they do themselves what is left out."""
    if node.span.text.startswith("relu"):
        return []
    made = [
        one.targets[0].span.text
        for one in statements(sight.file)
        if isinstance(one, ast.Assign) and len(one.values) == 1 and one.values[0] in (node, pipe)
    ]
    given = (one for one in statements(sight.file) if isinstance(one, ast.Output))
    return [Edit(one.value.span, form.format(one.value.span.text)) for one in given if one.value.span.text in made]


@proposes("AX0804", "AX0826")
def _axis(sight: Sight) -> Iterator[str]:
    """The axis that the help names."""
    axis = re.search(r"`axis=(\d+)`", str(sight.diagnostic.help))
    if axis is not None:
        yield from with_word(sight, r"axis\s*=\s*0", f"axis={axis[1]}")


@proposes("AX0804")
def _axis_of_all(sight: Sight) -> Iterator[str]:
    """An axis for what runs over all numbers."""
    axis = re.search(r"`axis=(\d+)`", str(sight.diagnostic.help))
    if axis is not None and "stands beside" in sight.diagnostic.headline and sight.span.text.endswith(")"):
        yield as_told(sight, inserted(sight.span, sight.span.end - 1, f", axis={axis[1]}"))


@proposes("AX0803")
def _follows(sight: Sight) -> Iterator[str]:
    """A copy follows what it is of, behind what is minimised."""
    line = re.search(r"`(update .*)`", str(sight.diagnostic.help))
    steps = [one for one in statements(sight.file) if isinstance(one, ast.Minimize)]
    if line is not None and steps and not sight.yaml:
        last = steps[-1].span
        yield as_told(sight, inserted(last, whole_line(last).end, f"{indentation(last)}{line[1]}\n"))


@proposes("AX0804")
def _of_one_score(sight: Sight) -> Iterator[str]:
    """The function of one score that the help names."""
    if "`sigmoid`" in str(sight.diagnostic.help):
        yield from with_word(sight, r"^softmax\b", "sigmoid")


@proposes("AX0834")
def _not_trained_on(sight: Sight) -> Iterator[str]:
    """The part that is held back."""
    yield from with_word(sight, r"\btrain\.", "valid.")


@proposes("AX0826")
def _all_examples(sight: Sight) -> Iterator[str]:
    """The index of one example goes away."""
    node = sight.innermost(ast.Index)
    if isinstance(node, ast.Index) and node.span == sight.span and str(sight.diagnostic.help).startswith("leave "):
        yield as_told(sight, Edit(Span(node.span.source, node.value.span.end, node.span.end), ""))


@proposes("AX0829", "AX0830")
def _axis_of_the_help(sight: Sight) -> Iterator[str]:
    """The axis that the help names, in place of the one that is written."""
    axis = re.search(r"`axis=(-?\d+)`", str(sight.diagnostic.help))
    call = sight.innermost(ast.Call)
    if axis is None or not isinstance(call, ast.Call) or not call.arguments:
        return
    own = next((one for one in call.arguments if one.name == "axis"), None)
    place = own or next((one for one in call.arguments[1:] if isinstance(one.value, ast.Number | ast.Unary)), None)
    if place is not None:
        yield as_told(sight, Edit(place.span, f"axis={axis[1]}"))


@proposes("AX0831")
def _filters(sight: Sight) -> Iterator[str]:
    """The call that the help shows."""
    written = re.search(r"`(Conv\(.*\))`", str(sight.diagnostic.help))
    if written is not None and not sight.yaml:
        yield as_told(sight, Edit(sight.span, written[1]))


@proposes("AX0809")
def _one_class(sight: Sight) -> Iterator[str]:
    yield from with_word(sight, r"\b(?:log_)?softmax\b(?:\(axis=-?\d\))?", "sigmoid")


@proposes("AX0810")
def _minus(sight: Sight) -> Iterator[str]:
    if not str(sight.diagnostic.help).startswith("a distance"):
        yield from with_word(sight, r"^-\s*", "")
        return
    both = sight.innermost(ast.Binary)
    if isinstance(both, ast.Binary) and both.op == "-":
        yield as_told(sight, Edit(both.op_span, "+"))


@proposes("AX0811")
def _penalty(sight: Sight) -> Iterator[str]:
    """One loss of both, which is minimised."""
    line = re.search(r"`(loss total = (\w+) \+ \w+)`", str(sight.diagnostic.help))
    steps = [one for one in statements(sight.file) if isinstance(one, ast.Minimize)]
    losses = [one for one in statements(sight.file) if isinstance(one, ast.Loss)]
    if line is None or sight.yaml or len(steps) != 1 or any(one.name == "total" for one in losses):
        return
    last = losses[-1].span
    added = inserted(last, whole_line(last).end, f"{indentation(last)}{line[1]}\n")
    yield as_told(sight, added, Edit(steps[0].loss.span, "total"))


@proposes("AX0821")
def _rate(sight: Sight) -> Iterator[str]:
    """The rate that the help begins with."""
    rate = re.search(r"lr=([\w.-]+)\)", str(sight.diagnostic.help))
    call = next((one for one in expressions(sight.file) if isinstance(one, ast.Call) and one.span == sight.span), None)
    if rate is None or call is None:
        return
    own = next((a for i, a in enumerate(call.arguments) if a.name == "lr" or (i == 0 and a.name is None)), None)
    if own is not None:
        yield as_told(sight, Edit(own.value.span, rate[1]))


@proposes("AX0820")
def _patience(sight: Sight) -> Iterator[str]:
    """As many epochs as the help says."""
    epochs = re.search(r"`epochs = (\d+)`", str(sight.diagnostic.help))
    for one in statements(sight.file):
        if epochs is not None and isinstance(one, ast.Assign) and one.targets[0].span.text == "epochs":
            yield as_told(sight, Edit(one.values[0].span, epochs[1]))


@proposes("AX0825")
def _stratified(sight: Sight) -> Iterator[str]:
    """Parts with their share of each class, in place of parts in the order of the data."""
    named = re.search(r"`(stratify: \w+)`", str(sight.diagnostic.help))
    if named is not None:
        yield from with_word(sight, r"by\s*:\s*order", named[1])


@proposes("AX0827")
def _at_random(sight: Sight) -> Iterator[str]:
    """A parameter that starts at random."""
    param = sight.innermost(ast.Param)
    if isinstance(param, ast.Param) and not param.drawn:
        start = param.type.span.end
        yield as_told(sight, Edit(Span(param.span.source, start, param.value.span.end), " ~ glorot_uniform()"))


@proposes("AX0812")
def _channels(sight: Sight) -> Iterator[str]:
    """The field with its channels in front."""
    written = re.search(r"`(transpose\((\w+), .*\)|(\w+)\[:, none\])`", str(sight.diagnostic.help))
    if written is None:
        return
    name = written[2] or written[3]
    for node in sight.path:
        if isinstance(node, ast.Stmt):
            for one in expressions(node):
                if isinstance(one, ast.Name) and one.id == name:
                    yield as_told(sight, Edit(one.span, written[1]))
                    return


@proposes("AX0813", "AX0807")
def _stage_before(sight: Sight) -> Iterator[str]:
    """A stage in front of the layer of the place."""
    stage = re.search(r"`\|> (\w+)`", str(sight.diagnostic.help))
    stages = (one for one in reversed(sight.path) if isinstance(one, ast.Pipe) and one.stage.span == sight.span)
    pipe = next(stages, None)
    if stage is not None and pipe is not None and not sight.yaml:
        yield as_told(sight, inserted(pipe.span, pipe.stage.span.start, f"{stage[1]} |> "))


@proposes("AX0828")
def _spread(sight: Sight) -> Iterator[str]:
    """The argument by its name."""
    written = re.search(r"`(\w+\(.*\))`", str(sight.diagnostic.help))
    if written is not None and sight.span.text.partition("(")[0] == written[1].partition("(")[0]:
        yield as_told(sight, Edit(sight.span, written[1]))


@proposes("AX0840")
def _of_epochs(sight: Sight) -> Iterator[str]:
    """The number of steps that the help names."""
    written = re.search(r"it is `(.+)`$", str(sight.diagnostic.help))
    if written is not None and sight.span.text.isdigit():
        yield as_told(sight, Edit(sight.span, written[1]))


@proposes("AX0841")
def _warmup_first(sight: Sight) -> Iterator[str]:
    """The two numbers the other way round, or a tenth of all steps."""
    swapped = re.search(r"all steps: `(.+), (.+)`$", str(sight.diagnostic.help))
    call = next((node for node in reversed(sight.path) if isinstance(node, ast.Call) and node.span != sight.span), None)
    if not isinstance(call, ast.Call):
        return
    places = [one.value.span for one in call.arguments if swapped is not None and one.value.span.text == swapped[1]]
    if swapped is None:
        yield as_told(sight, Edit(sight.span, "steps // 10"))
    elif len(places) == 1:
        yield as_told(sight, Edit(sight.span, swapped[1]), Edit(places[0], swapped[2]))


@proposes("AX0842")
def _what_comes_after(sight: Sight) -> Iterator[str]:
    """The column that the help names, with all that it has; a column of a stack or a sum goes away."""
    column = re.search(r"window is `(.+)`$", str(sight.diagnostic.help))
    if column is not None:
        index = next((one for one in sight.path if isinstance(one, ast.Index)), None)
        yield as_told(sight, Edit(index.span if index is not None else sight.span, column[1]))


@proposes("AX0843")
def _in_order(sight: Sight) -> Iterator[str]:
    """The parts one after the other."""
    if sight.span.text.endswith("}"):
        text = re.sub(r",\s*(by|stratify)\s*:\s*\w+", "", sight.span.text)
        yield as_told(sight, Edit(sight.span, f"{text[:-1].rstrip()}, by: order}}"))


@proposes("AX0844")
def _over_the_rest(sight: Sight) -> Iterator[str]:
    """The modules that the help names."""
    modules = re.search(r" over (.+)`$", str(sight.diagnostic.help))
    if modules is not None and not sight.yaml:
        yield as_told(sight, inserted(sight.span, sight.span.end, f" over {modules[1]}"))


@proposes("AX0845")
def _any_batch(sight: Sight) -> Iterator[str]:
    """The first axis of all types that begin with this number."""
    types = [one for one in walk(sight.file) if isinstance(one, ast.TensorType) and one.dims]
    places = [one.dims[0].span for one in types if one.dims[0].span.text == sight.span.text]
    yield as_told(sight, *(Edit(place, "B") for place in dict.fromkeys(places)))


@proposes("AX0846", "AX0847")
def _scaled(sight: Sight) -> Iterator[str]:
    """The feed as the help writes it."""
    written = re.search(r"`([^`]+)`$", str(sight.diagnostic.help))
    if written is not None:
        yield as_told(sight, Edit(sight.span, written[1]))
