"""Which of the models of a file is meant, and whose programs its ``train`` blocks are.

What this module does not do: elaborate them (``pipeline`` does), or train several (``archonnx.several_models`` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.record import Record, replace

from .spec import Spec


class ProgramModels(Record):
    """Whose programs the ``train`` blocks of a file are.

    Attributes:
        meant: the model whose programs are wanted.
        default: that of a block that names none.
        several: whether the programs of the file train several models, so that a ``for`` around them knows no argument.
    """

    meant: str
    default: str
    several: bool = False

    def of(self, block: ast.Train) -> str:
        """The model that a block trains."""
        return block.model or self.default


class Stage(Record):
    """Programs of one model that follow each other in a file: what one run trains."""

    model: str
    programs: tuple[str, ...]


def train_blocks(declarations: Sequence[ast.Stmt]) -> Iterator[ast.Train]:
    """Each ``train`` block as it is written, those inside a ``for`` once."""
    for declaration in declarations:
        if isinstance(declaration, ast.Train):
            yield declaration
        elif isinstance(declaration, ast.For):
            yield from train_blocks(declaration.body)


def meant_model(spec: Spec) -> ast.Model:
    """The model that is meant: the one that is asked for, the only one, or that of the first block that names one."""
    models = {d.name: d for d in spec.file.declarations if isinstance(d, ast.Model)}
    blocks = list(train_blocks(spec.file.declarations))
    for block in blocks:
        if block.model is not None and block.model not in models:
            known = did_you_mean(block.model, models)
            fail("AX0201", f"there is no model `{block.model}`", block.name_span, help=known)
    if not models:
        fail("AX0219", f"{spec.source.name} declares no model", None, help="a spec needs `model NAME():` and its body")
    if spec.model is not None and spec.model not in models:
        has = did_you_mean(spec.model, models) or f"it has {', '.join(models)}"
        fail("AX0201", f"{spec.source.name} has no model `{spec.model}`", None, help=has)
    named = next((block.model for block in blocks if block.model is not None), None)
    if spec.model is None and named is None and len(models) > 1:
        fail(
            "AX0001",
            "not built yet: choosing among several models of a file",
            list(models.values())[1].name_span,
            help="say which one is trained: `train of NAME:`",
        )
    return models[spec.model or named or next(iter(models))]


def program_models(spec: Spec) -> ProgramModels:
    """Whose programs the blocks of a file are; one that names no model trains that of the first that names one."""
    meant = meant_model(spec).name
    blocks = list(train_blocks(spec.file.declarations))
    default = next((block.model for block in blocks if block.model is not None), meant)
    return ProgramModels(meant, default, len({block.model or default for block in blocks}) > 1)


def spec_of(spec: Spec, model: str) -> Spec:
    """The spec with one of its trained models meant, and with the arguments that are for it.

    ``width=64`` is for the only model that takes ``width``, or for the one that is asked for, ``Judge.width=64`` for
    the model ``Judge``. SpecError if an argument is for none, or if several take it.
    """
    taken = {d.name: [p.name for p in d.parameters] for d in spec.file.declarations if isinstance(d, ast.Model)}
    trained = trained_models(spec)
    own: dict[str, Any] = {}
    for key, value in spec.arguments.items():
        owner, dot, name = key.rpartition(".")
        takers = [owner] if dot else [spec.model] if spec.model else [one for one in trained if key in taken[one]]
        if len(takers) > 1:
            ways = f"say which: {' or '.join(f'`{one}.{key}`' for one in takers)}"
            fail("AX0635", f"{' and '.join(takers)} take an argument `{key}`", None, help=ways)
        if not takers or takers[0] not in trained or name not in taken[takers[0]]:
            known = [f"{one}.{parameter}" for one in trained for parameter in taken[one]]
            has = did_you_mean(key, known) or (f"they have {', '.join(known)}" if known else "they have none")
            fail("AX0202", f"the models of {spec.source.name} have no argument `{key}`", None, help=has)
        if takers[0] == model:
            own[name] = value
    return replace(spec, model=model, arguments=own)


def trained_models(spec: Spec) -> list[str]:
    """The models that the programs of a file train, in order; the one that is meant where there are no programs."""
    models = program_models(spec)
    blocks = list(train_blocks(spec.file.declarations))
    return list(dict.fromkeys(models.of(block) for block in blocks)) or [models.meant]


def specs_of_models(spec: Spec) -> list[Spec]:
    """The spec once for each model that it trains; as it is where that is one."""
    return [spec_of(spec, model) for model in trained_models(spec)] if program_models(spec).several else [spec]
