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


def _do(sight: Sight, *edits: Edit) -> Suggestion:
    """What the help says, done."""
    words = sight.diagnostic.help
    return Suggestion.at_places(str(words), *edits, otherwise=None if words is None else str(words))


def _word(sight: Sight, old: str, new: str) -> Iterator[Suggestion]:
    """Another text in place of the first such text of the place."""
    match = re.search(old, sight.span.text)
    if match is not None:
        start = sight.span.start + match.start()
        yield _do(sight, Edit(Span(sight.span.source, start, start + len(match[0])), match.expand(new)))


@proposes("AX0801")
def _scores(sight: Sight) -> Iterator[str]:
    """The stage that makes something else of the scores goes away, or the loss is the one that takes them."""
    instead = re.match(r"`(\w+)` takes such numbers", str(sight.diagnostic.help))
    used = re.match(r"`(\w+)`", sight.diagnostic.headline)
    if instead is not None and used is not None:
        yield from _word(sight, rf"\b{used[1]}\b", instead[1])
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
        yield _do(sight, Edit(Span(source, at, at + len("softmax")), "log_softmax"), *again)
    elif str(sight.diagnostic.help).startswith("put ") and around is not None:
        before = around.value
        if isinstance(before, ast.Pipe):
            yield _do(sight, Edit(before.stage.span, node.span.text), Edit(node.span, before.stage.span.text))
    elif around is not None:
        again = _outputs(sight, node, around, f"{{}} |> {node.span.text}")
        yield _do(sight, Edit(Span(source, around.value.span.end, node.span.end), ""), *again)
    elif isinstance(node, ast.Call) and node.arguments and node.arguments[0].name is None:
        again = _outputs(sight, node, None, f"{node.callee.span.text}({{}})")
        yield _do(sight, Edit(node.span, node.arguments[0].value.span.text), *again)


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
        yield from _word(sight, r"axis\s*=\s*0", f"axis={axis[1]}")


@proposes("AX0804")
def _axis_of_all(sight: Sight) -> Iterator[str]:
    """An axis for what runs over all numbers."""
    axis = re.search(r"`axis=(\d+)`", str(sight.diagnostic.help))
    if axis is not None and "stands beside" in sight.diagnostic.headline and sight.span.text.endswith(")"):
        yield _do(sight, inserted(sight.span, sight.span.end - 1, f", axis={axis[1]}"))


@proposes("AX0803")
def _follows(sight: Sight) -> Iterator[str]:
    """A copy follows what it is of, behind what is minimised."""
    line = re.search(r"`(update .*)`", str(sight.diagnostic.help))
    steps = [one for one in statements(sight.file) if isinstance(one, ast.Minimize)]
    if line is not None and steps and not sight.yaml:
        last = steps[-1].span
        yield _do(sight, inserted(last, whole_line(last).end, f"{indentation(last)}{line[1]}\n"))


@proposes("AX0835")
def _swapped(sight: Sight) -> Iterator[str]:
    """The arguments the other way round."""
    call = sight.innermost(ast.Call)
    if isinstance(call, ast.Call) and len(call.arguments) >= 2:
        first, second = (argument.value for argument in call.arguments[:2])
        yield _do(sight, Edit(first.span, second.span.text), Edit(second.span, first.span.text))


@proposes("AX0837")
def _mask(sight: Sight) -> Iterator[str]:
    """A mask along the last axis; a number far below all others for what is masked."""
    node = sight.path[-1]
    if isinstance(node, ast.Binary) and node.op == "*":
        for scores, mask in ((node.left, node.right), (node.right, node.left)):
            if isinstance(mask, ast.Call) and mask.callee.span.text in ("float", "f32") and len(mask.arguments) == 1:
                written = f"where({mask.arguments[0].value.span.text}, {scores.span.text}, -1e9)"
                yield Suggestion.of(f"what is masked is far below all others: `{written}`", "", written, node.span)
    call = sight.innermost(ast.Call)
    given = call.arguments[0].value if isinstance(call, ast.Call) and call.arguments else None
    if isinstance(given, ast.Index) and all(one.span.text in (":", "none") for one in given.subscripts):
        first, *others = (one.span.text for one in given.subscripts)
        written = f"{given.value.span.text}[{', '.join([first, *sorted(others, reverse=True)])}]"
        yield Suggestion.of(f"a mask of what is weighed lies along the last axis: `{written}`", "", written, given.span)


@proposes("AX0839")
def _from_zero(sight: Sight) -> Iterator[str]:
    """The draw that the note tells of, one lower."""
    for node in expressions(sight.file):
        if isinstance(node, ast.Call) and node.callee.span.text == "randint" and len(node.arguments) == 2:
            low, high = (argument.value for argument in node.arguments)
            match = re.fullmatch(r"(.+?)\s*\+\s*1", high.span.text)
            if low.span.text == "1" and match is not None:
                written = f"randint(0, {match[1]})"
                yield Suggestion.of(f"places begin at 0: `{written}`", "", written, node.span)


@proposes("AX0848")
def _causal(sight: Sight) -> Iterator[str]:
    """The argument that hides what comes later."""
    call = sight.innermost(ast.Call)
    if isinstance(call, ast.Call):
        own = next((one for one in call.arguments if one.name == "causal"), None)
        added = inserted(call.span, call.span.end - 1, ", causal=true")
        yield _do(sight, added if own is None else Edit(own.value.span, "true"))


@proposes("AX0838")
def _steps(sight: Sight) -> Iterator[str]:
    """A row as a sequence of numbers, in place of a sequence of one row."""
    for node in expressions(sight.innermost(ast.Stmt) or sight.file):
        if isinstance(node, ast.Index) and [one.span.text for one in node.subscripts] in (
            [":", "none"],
            [":", "none", ":"],
        ):
            written = f"{node.value.span.text}[:, :, none]"
            yield Suggestion.of(f"a row is a sequence of single numbers: `{written}`", "", written, node.span)


@proposes("AX0801")
def _deviation(sight: Sight) -> Iterator[str]:
    """What is called a logarithm of a variance becomes a standard deviation; a score of a draw a probability."""
    call = sight.innermost(ast.Call)
    if not isinstance(call, ast.Call):
        return
    if "standard deviation" in sight.diagnostic.headline and len(call.arguments) >= 2:
        given = call.arguments[1].value
        text = given.span.text
        positive = rf"exp\((?:\S+ \* )?{re.escape(text)}\)"
        made = [one for one in statements(sight.file) if isinstance(one, ast.Assign) and len(one.values) == 1]
        named = (one.targets[0].span.text for one in made if re.fullmatch(positive, one.values[0].span.text))
        written = next(named, f"exp(0.5 * {text})" if "log" in text.lower() else f"softplus({text})")
        yield Suggestion.of(f"a standard deviation is above 0: `{written}`", "", written, given.span)
    elif str(sight.diagnostic.help).startswith("apply `sigmoid`") and call.arguments:
        given = call.arguments[0].value
        written = f"sigmoid({given.span.text})"
        yield Suggestion.of(f"a probability is between 0 and 1: `{written}`", "", written, given.span)


@proposes("AX0804")
def _of_one_score(sight: Sight) -> Iterator[str]:
    """The function of one score that the help names."""
    if "`sigmoid`" in str(sight.diagnostic.help):
        yield from _word(sight, r"^softmax\b", "sigmoid")


@proposes("AX0834")
def _not_trained_on(sight: Sight) -> Iterator[str]:
    """The part that is held back."""
    yield from _word(sight, r"\btrain\.", "valid.")


@proposes("AX0826")
def _all_examples(sight: Sight) -> Iterator[str]:
    """The index of one example goes away."""
    node = sight.innermost(ast.Index)
    if isinstance(node, ast.Index) and node.span == sight.span and str(sight.diagnostic.help).startswith("leave "):
        yield _do(sight, Edit(Span(node.span.source, node.value.span.end, node.span.end), ""))


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
        yield _do(sight, Edit(place.span, f"axis={axis[1]}"))


@proposes("AX0831")
def _filters(sight: Sight) -> Iterator[str]:
    """The call that the help shows."""
    written = re.search(r"`(Conv\(.*\))`", str(sight.diagnostic.help))
    if written is not None and not sight.yaml:
        yield _do(sight, Edit(sight.span, written[1]))


_ALONG = re.compile(r"\balong 0\b")


@proposes("AX0832")
def _along_the_steps(sight: Sight) -> Iterator[str]:
    """``along 1``, with states that begin with an axis for the examples in place of one for the steps."""
    scan = sight.innermost(ast.Scan)
    batch = re.search(r"of size (\w+),", sight.diagnostic.headline)
    if not isinstance(scan, ast.Scan) or batch is None or sight.yaml:
        return
    source, header = scan.span.source, Span(scan.span.source, scan.span.start, scan.body[0].span.start)
    starts = [(header.start + match.start(), header.start + match.end()) for match in _ALONG.finditer(header.text)]
    edits = [Edit(Span(source, start, end), "along 1") for start, end in starts]
    for match in re.finditer(r"=\s*(?:zeros|ones)\(\[(\w+)(?=[,\]])", header.text):
        edits.append(Edit(Span(source, header.start + match.start(1), header.start + match.end(1)), batch[1]))
    if edits:
        yield _do(sight, *edits)


@proposes("AX0809")
def _one_class(sight: Sight) -> Iterator[str]:
    yield from _word(sight, r"\b(?:log_)?softmax\b(?:\(axis=-?\d\))?", "sigmoid")


@proposes("AX0810")
def _minus(sight: Sight) -> Iterator[str]:
    if not str(sight.diagnostic.help).startswith("a distance"):
        yield from _word(sight, r"^-\s*", "")
        return
    both = sight.innermost(ast.Binary)
    if isinstance(both, ast.Binary) and both.op == "-":
        yield _do(sight, Edit(both.op_span, "+"))


@proposes("AX0801", "AX0861")
def _in_place_of(sight: Sight) -> Iterator[str]:
    """What the help says to write, in place of what it names or of the place."""
    written = re.match(r"write `(.+?)`(?: in place of `(.+)`)?$", str(sight.diagnostic.help))
    if written is not None:
        yield from _word(sight, re.escape(written[2] or sight.span.text), written[1])


@proposes("AX0862")
def _masked_scores(sight: Sight) -> Iterator[str]:
    """Another number for what is hidden, or the scores first."""
    call = sight.innermost(ast.Call)
    if not isinstance(call, ast.Call) or call.span != sight.span or len(call.arguments) != 3:
        return
    _, first, second = (one.span for one in call.arguments)
    zero = next((one for one in (first, second) if one.text in ("0", "0.0")), None)
    if zero is not None:
        yield _do(sight, Edit(zero, "-1e9"))
    else:
        yield _do(sight, Edit(first, second.text), Edit(second, first.text))


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
    yield _do(sight, added, Edit(steps[0].loss.span, "total"))


@proposes("AX0821")
def _rate(sight: Sight) -> Iterator[str]:
    """The rate that the help begins with."""
    rate = re.search(r"lr=([\w.-]+)\)", str(sight.diagnostic.help))
    call = next((one for one in expressions(sight.file) if isinstance(one, ast.Call) and one.span == sight.span), None)
    if rate is None or call is None:
        return
    own = next((a for i, a in enumerate(call.arguments) if a.name == "lr" or (i == 0 and a.name is None)), None)
    if own is not None:
        yield _do(sight, Edit(own.value.span, rate[1]))


@proposes("AX0820")
def _patience(sight: Sight) -> Iterator[str]:
    """As many epochs as the help says."""
    epochs = re.search(r"`epochs = (\d+)`", str(sight.diagnostic.help))
    for one in statements(sight.file):
        if epochs is not None and isinstance(one, ast.Assign) and one.targets[0].span.text == "epochs":
            yield _do(sight, Edit(one.values[0].span, epochs[1]))


@proposes("AX0825")
def _stratified(sight: Sight) -> Iterator[str]:
    """Parts with their share of each class, in place of parts in the order of the data."""
    named = re.search(r"`(stratify: \w+)`", str(sight.diagnostic.help))
    if named is not None:
        yield from _word(sight, r"by\s*:\s*order", named[1])


@proposes("AX0827")
def _at_random(sight: Sight) -> Iterator[str]:
    """A parameter that starts at random."""
    param = sight.innermost(ast.Param)
    if isinstance(param, ast.Param) and not param.drawn:
        start = param.type.span.end
        yield _do(sight, Edit(Span(param.span.source, start, param.value.span.end), " ~ glorot_uniform()"))


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
                    yield _do(sight, Edit(one.span, written[1]))
                    return


@proposes("AX0813", "AX0807")
def _stage_before(sight: Sight) -> Iterator[str]:
    """A stage in front of the layer of the place."""
    stage = re.search(r"`\|> (\w+)`", str(sight.diagnostic.help))
    stages = (one for one in reversed(sight.path) if isinstance(one, ast.Pipe) and one.stage.span == sight.span)
    pipe = next(stages, None)
    if stage is not None and pipe is not None and not sight.yaml:
        yield _do(sight, inserted(pipe.span, pipe.stage.span.start, f"{stage[1]} |> "))


@proposes("AX0828")
def _spread(sight: Sight) -> Iterator[str]:
    """The argument by its name."""
    written = re.search(r"`(\w+\(.*\))`", str(sight.diagnostic.help))
    if written is not None and sight.span.text.partition("(")[0] == written[1].partition("(")[0]:
        yield _do(sight, Edit(sight.span, written[1]))


@proposes("AX0840")
def _of_epochs(sight: Sight) -> Iterator[str]:
    """The number of steps that the help names."""
    written = re.search(r"it is `(.+)`$", str(sight.diagnostic.help))
    if written is not None and sight.span.text.isdigit():
        yield _do(sight, Edit(sight.span, written[1]))


@proposes("AX0841")
def _warmup_first(sight: Sight) -> Iterator[str]:
    """The two numbers the other way round, or a tenth of all steps."""
    swapped = re.search(r"all steps: `(.+), (.+)`$", str(sight.diagnostic.help))
    call = next((node for node in reversed(sight.path) if isinstance(node, ast.Call) and node.span != sight.span), None)
    if not isinstance(call, ast.Call):
        return
    places = [one.value.span for one in call.arguments if swapped is not None and one.value.span.text == swapped[1]]
    if swapped is None:
        yield _do(sight, Edit(sight.span, "steps // 10"))
    elif len(places) == 1:
        yield _do(sight, Edit(sight.span, swapped[1]), Edit(places[0], swapped[2]))


@proposes("AX0842")
def _what_comes_after(sight: Sight) -> Iterator[str]:
    """The column that the help names, with all that it has; a column of a stack or a sum goes away."""
    column = re.search(r"window is `(.+)`$", str(sight.diagnostic.help))
    if column is not None:
        index = next((one for one in sight.path if isinstance(one, ast.Index)), None)
        yield _do(sight, Edit(index.span if index is not None else sight.span, column[1]))


@proposes("AX0843")
def _in_order(sight: Sight) -> Iterator[str]:
    """The parts one after the other."""
    if sight.span.text.endswith("}"):
        text = re.sub(r",\s*(by|stratify)\s*:\s*\w+", "", sight.span.text)
        yield _do(sight, Edit(sight.span, f"{text[:-1].rstrip()}, by: order}}"))


@proposes("AX0844")
def _over_the_rest(sight: Sight) -> Iterator[str]:
    """The modules that the help names."""
    modules = re.search(r" over (.+)`$", str(sight.diagnostic.help))
    if modules is not None and not sight.yaml:
        yield _do(sight, inserted(sight.span, sight.span.end, f" over {modules[1]}"))


@proposes("AX0845")
def _any_batch(sight: Sight) -> Iterator[str]:
    """The first axis of all types that begin with this number."""
    types = [one for one in walk(sight.file) if isinstance(one, ast.TensorType) and one.dims]
    places = [one.dims[0].span for one in types if one.dims[0].span.text == sight.span.text]
    yield _do(sight, *(Edit(place, "B") for place in dict.fromkeys(places)))


@proposes("AX0846", "AX0847")
def _scaled(sight: Sight) -> Iterator[str]:
    """The feed as the help writes it."""
    written = re.search(r"`([^`]+)`$", str(sight.diagnostic.help))
    if written is not None:
        yield _do(sight, Edit(sight.span, written[1]))
