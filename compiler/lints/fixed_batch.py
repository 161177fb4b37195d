"""The size of a batch as a number in the types of fields, where any number of examples is meant."""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Diagnostic

from .rules import Sight, lint, warning


@lint("AX0845")
def fixed_batch(sight: Sight) -> Iterator[Diagnostic]:
    """``input x: [32, 64]`` with batches of 32: data of another size does not fit, nor does the last batch."""
    sizes = {program.settings.batch_size for program in sight.model.programs if program.source is not None}
    whole = {name for program in sight.model.programs for name in program.whole}
    fields = [field for name, field in sight.model.fields.items() if name not in whole]
    firsts = {field.type.shape[0].constant if field.type.shape else None for field in fields}
    if len(fields) < 2 or len(sizes) != 1 or firsts != sizes or sight.batch:
        return
    (size,) = sizes
    declared: list[ast.Input | ast.Target] = [*sight.syntax(ast.Input), *sight.syntax(ast.Target)]
    for written in declared:
        if isinstance(written.type, ast.TensorType) and written.type.dims:
            yield warning(
                "AX0845",
                f"the types say that there are {size} examples, as many as in a batch",
                written.type.dims[0].span,
                "the data and the last batch have another number",
                help="a name, `B`, is any number of examples",
            )
            return
