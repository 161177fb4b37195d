"""Several sources of one program: which fields each feeds, what settings mean for it, and how their batches go
together.

What this module does not do: load or feed (``preparing`` does, source by source).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archonnx.compiler.program import ModelProgram, TrainProgram
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar.diagnostics import Report, did_you_mean, fail
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.beside import Beside, BesideFirst
from archonnx.runtime.data.parts import PARTS, RULES, Parts

from .streaming import StreamBeside, StreamedExamples


def shared_out(model: ModelProgram, program: TrainProgram, held: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """The fields of a model that each source feeds: by a feed, or by a field of their name.

    Args:
        model: whose fields.
        program: says what is fed.
        held: the names of what each source has.
    """
    found: dict[str, list[str]] = {name: [] for name in held}
    by_name = [name for name in held if name not in program.stores]
    report = Report()
    for name in model.fields:
        feed = program.feeds.get(name)
        having = [feed.source] if feed is not None else [source for source in by_name if name in held[source]]
        with report.collecting():
            if len(having) > 1:
                fail(
                    "AX0714",
                    f"`{name}` is in two sources, `{having[0]}` and `{having[1]}`, and no feed says which is meant",
                    program.span,
                    help=f"add `feed {name} = {having[0]}.{name}`",
                )
            if not having:
                names = [f"{source}.{field}" for source in by_name for field in held[source]]
                close = did_you_mean(name, sorted({field for source in by_name for field in held[source]}))
                fail(
                    "AX0707",
                    f"nothing feeds `{name}`",
                    program.span,
                    help=f"add `feed {name} = ...`; there are {', '.join(names)}",
                    notes=[f"no source has `{name}`; {close}"] if close else (),
                )
            found[having[0]].append(name)
    report.finish()
    unread = [source for source in by_name if not found[source]]
    if unread:
        at = next(source.span for source in program.sources if source.name == unread[0])
        fail(
            "AX0707",
            f"the source `{unread[0]}` feeds no field of {model.name}",
            at,
            help="feed one from it, or leave the source out",
        )
    return found


def settings_of(
    settings: TrainSettings,
    part: ModelProgram,
    program: TrainProgram,
    held: Collection[str] | None,
    sources: Collection[str],
) -> TrainSettings:
    """What the settings mean for one source: a split goes by a field where the source has it, else by chance.

    Args:
        settings: of the whole program.
        part: the model with the fields that the source feeds.
        program: the part of the program that reads it.
        held: the names of what it has; None where it has the parts of other sources.
        sources: the names of all sources of the program.
    """
    changes: dict[str, object] = {}
    named = {*(held or ()), *part.fields, *(f"{program.data}.{name}" for name in held or ())}
    by = [by for rule in RULES if (by := getattr(settings.split, rule)) is not None and by not in named]
    if by and (program.beside or held is None or by[0].partition(".")[0] in {*sources} - {program.data}):
        changes["split"] = settings.split.model_copy(update=dict.fromkeys(RULES))
    if program.beside:
        changes["buckets"] = None
    elif settings.buckets is not None and settings.buckets.by not in part.fields:
        fail(
            "AX0702",
            f"`buckets.by` is `{settings.buckets.by}`, which `{program.data}` does not feed",
            program.span,
            help="batches are made of examples of the source that makes the epochs (`epoch_of`)",
        )
    return settings.model_copy(update=changes) if changes else settings


def besides(
    program: TrainProgram, first: Examples, other: Examples, parts: Parts, settings: TrainSettings
) -> BesideFirst:
    """Another source, as batches of the first one take its examples: as many, if one dim counts both.

    Args:
        program: the part of the program that reads it.
        first: the examples of the first source.
        other: its examples.
        parts: which of them train.
        settings: of the whole program.
    """
    name = program.data
    shared = other.symbol is not None and other.symbol == first.symbol
    if isinstance(other, StreamedExamples):
        if name in settings.batches:
            fail("AX0702", f"`batches.{name}`: the source comes in batches, whose size is their own", program.span)
        return StreamBeside(name, other, shared=shared)
    own = settings.batches.get(name, settings.batch_size)
    if shared and name in settings.batches:
        fail(
            "AX0702",
            f"`batches.{name}` is {settings.batches[name]}, and {other.symbol} counts the examples of both sources",
            program.span,
            help="give the dim another name in the fields that this source feeds",
        )
    return Beside(name, other, parts, None if shared else own, settings.seed if settings.shuffle else None)


def check_parts_of_others(program: TrainProgram, parts: Parts, others: Mapping[str, Parts]) -> None:
    """SpecError where a part has examples of the first source, and none of another one."""
    for name, other in others.items():
        for part in PARTS:
            if len(parts.of(part)) and not len(other.of(part)):
                fail(
                    "AX0606",
                    f"the {part} part has examples of `{program.data}`, and none of `{name}`",
                    program.span,
                    help="each part needs some of every source: give larger fractions",
                )
