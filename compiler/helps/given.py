"""Edits for what a call was probably not meant to be given: arguments the other way round, masks, steps, spreads.

What this module does not do: find anything (the rules in ``compiler.lints`` do).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion
from archonnx.grammar.source import Span

from .loops import along_one
from .sight import Sight, expressions, inserted, proposes, statements
from .warned import as_told, with_word


@proposes("AX0835")
def _swapped(sight: Sight) -> Iterator[str]:
    """The arguments the other way round."""
    call = sight.innermost(ast.Call)
    if isinstance(call, ast.Call) and len(call.arguments) >= 2:
        first, second = (argument.value for argument in call.arguments[:2])
        yield as_told(sight, Edit(first.span, second.span.text), Edit(second.span, first.span.text))


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
        yield as_told(sight, added if own is None else Edit(own.value.span, "true"))


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


@proposes("AX0832")
def _along_the_steps(sight: Sight) -> Iterator[str]:
    """``along 1``, with states that begin with an axis for the examples in place of one for the steps."""
    scan = sight.innermost(ast.Scan)
    batch = re.search(r"of size (\w+),", sight.diagnostic.headline)
    if not isinstance(scan, ast.Scan) or batch is None or sight.yaml:
        return
    source, header = scan.span.source, Span(scan.span.source, scan.span.start, scan.body[0].span.start)
    edits = along_one(scan)
    for match in re.finditer(r"=\s*(?:zeros|ones)\(\[(\w+)(?=[,\]])", header.text):
        edits.append(Edit(Span(source, header.start + match.start(1), header.start + match.end(1)), batch[1]))
    if edits:
        yield as_told(sight, *edits)


@proposes("AX0801", "AX0861")
def _in_place_of(sight: Sight) -> Iterator[str]:
    """What the help says to write, in place of what it names or of the place."""
    written = re.match(r"write `(.+?)`(?: in place of `(.+)`)?$", str(sight.diagnostic.help))
    if written is not None:
        yield from with_word(sight, re.escape(written[2] or sight.span.text), written[1])


@proposes("AX0862")
def _masked_scores(sight: Sight) -> Iterator[str]:
    """Another number for what is hidden, or the scores first."""
    call = sight.innermost(ast.Call)
    if not isinstance(call, ast.Call) or call.span != sight.span or len(call.arguments) != 3:
        return
    _, first, second = (one.span for one in call.arguments)
    zero = next((one for one in (first, second) if one.text in ("0", "0.0")), None)
    if zero is not None:
        yield as_told(sight, Edit(zero, "-1e9"))
    else:
        yield as_told(sight, Edit(first, second.text), Edit(second, first.text))
