"""Parameters of blocks, optimizers and fns by the names of other tools: for messages about a name that is not taken.

What has a name of its own here is in the tables of ``grammar.foreign``; what has none is here. No name of this table
is ever read as another: it is suggested, and the spec says what it means.
"""

from __future__ import annotations

from collections.abc import Sequence

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Suggestion, did_you_mean
from archonnx.grammar.foreign import called_here
from archonnx.grammar.text.words import is_name

PAIRS: dict[str, tuple[str, str]] = {"betas": ("beta1", "beta2")}
"""One foreign name for two parameters."""

RELATIVES: dict[tuple[str, str], str] = {("adam", "weight_decay"): "adamw"}
"""A callee, a parameter that it lacks, and the callee beside it that has the parameter."""

_MEASURED = "leave it out: the size of the input is known"
ADVICE: dict[str, str] = {
    "activation": "an activation is a stage of its own, as in `{callee}(...) |> {value}`",
    "in_channels": _MEASURED,
    "in_features": _MEASURED,
    "input_dim": _MEASURED,
    "input_size": _MEASURED,
    "input_shape": _MEASURED,
    "num_features": _MEASURED,
    "d_model": _MEASURED,
    "embed_dim": _MEASURED,
    "key_dim": "leave it out: each head has its part of the width of the input",
    "num_layers": "a layer is one: another one follows it, on what the first gives at each step, `.hs`",
    "padding_mode": "zeros stand at the ends; `concat` or `flip` make others before the layer, with `padding=valid`",
    "batch_first": "leave it out: examples are always the first axis",
    "norm_first": "`norm=pre` normalises before each part, `norm=post` after each sum",
}
"""What to write in place of a parameter that a block does not have under any name."""


def other_name(what: str, argument: ast.Argument, names: Sequence[str], needed: Sequence[str] = ()) -> str | None:
    """Help for an argument whose name is not among the ``names`` of the parameters; None if there are none.

    Args:
        what: the callee, as messages name it: ``block `Conv```.
        needed: names of parameters that have no default and were not given: where there is one, it may be meant.
    """
    name = argument.name or ""
    kind, callee = what.split(" ", 1)[0], what.split("`")[1] if "`" in what else what
    known_ones = f"its parameters are {', '.join(names)}" if names else None
    known = next((ours for ours in called_here(name, "arguments") if ours in names), None)
    if known is not None:
        return Suggestion.of(f"did you mean `{known}`?", name, known, otherwise=known_ones)
    pair = PAIRS.get(name, ())
    if pair and set(pair) <= set(names):
        return f"it is given as {' and '.join(f'`{one}`' for one in pair)}"
    relative = RELATIVES.get((callee, name))
    if relative is not None:
        return f"`{relative}` has it, as in `{relative}({name}={argument.value.span.text})`"
    if kind == "block" and name in ADVICE:
        return ADVICE[name].format(callee=callee, value=_activation(argument.value))
    near = did_you_mean(name, names)
    if near is None and len(needed) == 1:
        return Suggestion.of(f"it needs `{needed[0]}`: is that meant?", name, needed[0])
    return near or known_ones


def _activation(value: ast.Expr) -> str:
    """What an activation would be called after a pipe: a name that stands there, in quotes or not, else an example."""
    word = value.value if isinstance(value, ast.String) else value.span.text
    return word if is_name(word) else "relu"
