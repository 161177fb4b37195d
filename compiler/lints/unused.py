"""Inputs and parameters on which nothing depends that anybody asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic
from archonnx.grammar.foreign import idiom

from .padding_seen import length_field
from .rules import Sight, lint, modules_of, numbers_of, warning


@lint("AX0802")
def unused(sight: Sight) -> Iterator[Diagnostic]:
    """A field, a parameter or a layer that no output, loss, metric, entry or step reads."""
    model = sight.model
    if not any(graph.outputs for graph in sight.results) or any(program.steps is None for program in model.programs):
        return  # what the steps read is known once the data is
    splits = [program.settings.split for program in model.programs]
    read = sight.read.union(*({split.stratify, split.group, split.column} - {None} for split in splits))
    lengths = length_field(sight)
    for name, field in model.fields.items():
        if name not in read:
            kind = "target" if field.target else "input"
            yield warning(
                "AX0802",
                f"nothing reads the {kind} `{name}`",
                field.origin.place,
                "no output, loss or metric depends on it",
                help=f"tell the layers of it, `lengths={name}`" if name == lengths else "leave it out, or use it",
            )
    yield from _constants(sight)
    yield from _draws(sight)
    idle = [p for path, p in model.parameters.items() if path not in sight.read]
    for name, place, parameters in modules_of(sight, idle):
        yield warning(
            "AX0802",
            f"nothing reads {name}: {numbers_of(parameters)}, of no use",
            place,
            "no output, loss or metric depends on this",
            help="use its result, or leave it out",
        )


def _draws(sight: Sight) -> Iterator[Diagnostic]:
    """``z: [B, k] ~ normal(mu, sigma)`` in a model that reads ``mu`` where ``z`` was meant."""
    read = {name.id for name in sight.syntax(ast.Name)}
    for model in sight.syntax(ast.Model):
        for node in model.body:
            if isinstance(node, ast.Draw) and node.name not in read:
                yield warning(
                    "AX0802",
                    f"nothing reads the draw `{node.name}`",
                    node.span,
                    "drawn, and that is all",
                    help=f"use `{node.name}` where it was meant, or leave it out",
                )


def _constants(sight: Sight) -> Iterator[Diagnostic]:
    """Texts and lists that are written out in a model, named and never read: `metrics = ["accuracy"]`."""
    times = Counter(name.id for name in sight.syntax(ast.Name))
    for model in sight.syntax(ast.Model):
        for node in model.body:
            if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                continue
            target, written = node.targets[0], isinstance(node.values[0], ast.List | ast.String | ast.Dict)
            if written and isinstance(target, ast.Name) and times[target.id] == 1:
                say = idiom(target.id) or "use it, or leave it out"
                yield warning("AX0802", f"nothing reads `{target.id}`", node.span, "named, and that is all", help=say)
