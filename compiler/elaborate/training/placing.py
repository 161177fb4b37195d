"""Which source each feed of a program reads, and which source makes its epochs, where a program has several.

What this module does not do: evaluate feeds (``feeds`` does, for the columns of one source at a time).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from archonnx.compiler.elaborate.core.dependence import walk
from archonnx.compiler.program import DATA, DataSource, Feed, Fit
from archonnx.compiler.settings import TrainSettings
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report, did_you_mean, fail
from archonnx.grammar.record import replace

from .block import ProgramBlock

Waiting = TypeVar("Waiting", Feed, Fit)


def in_order(block: ProgramBlock, settings: TrainSettings, report: Report) -> tuple[DataSource, ...]:
    """The sources of a program, that of its epochs first; those that feed nothing (``stores``) come last."""
    only_read = stores(block)
    names = [name for name in block.sources if name not in only_read]
    for key, given in (("epoch_of", [settings.epoch_of] if settings.epoch_of else []), ("batches", settings.batches)):
        for name in given:
            if name in only_read:
                headline = f"`{key}`: `{name}` feeds no field, other sources are made of it"
                report.error("AX0702", headline, block.spans.get(key), help=f"there are {', '.join(names)}")
            elif name not in names:
                known = did_you_mean(name, names) or (f"it has {', '.join(names)}" if names else "it has none")
                report.error("AX0702", f"`{key}`: the program has no source `{name}`", block.spans.get(key), help=known)
    first = settings.epoch_of if settings.epoch_of in names else next(iter(names), None)
    ordered = [*sorted(names, key=lambda name: name != first), *only_read]
    return tuple(block.sources[name] for name in ordered)


def stores(block: ProgramBlock) -> tuple[str, ...]:
    """Sources of which others are made, and that no feed names: they feed nothing."""
    read = {reading.source for source in block.sources.values() for reading in source.reads}
    if not read:
        return ()
    named = {
        node.id
        for feed in block.feeds.values()
        for node in walk(feed.statement.value)
        if isinstance(node, ast.Name) and node.id not in feed.names
    }
    return tuple(name for name in block.sources if name in read - named)


def placed(block: ProgramBlock, first: DataSource | None, report: Report) -> tuple[dict[str, Feed], dict[str, Fit]]:
    """The feeds and fits of a program, each with the source that it reads: the first one where it names none."""
    fits: dict[str, Fit] = {}
    for name, fit in block.fits.items():
        with report.collecting():
            fits[name] = _placed(fit, block, fits, first)
    feeds: dict[str, Feed] = {}
    for name, feed in block.feeds.items():
        with report.collecting():
            feeds[name] = _placed(feed, block, fits, first)
    return feeds, fits


def _placed(waiting: Waiting, block: ProgramBlock, fits: Mapping[str, Fit], first: DataSource | None) -> Waiting:
    """One of them with its source; SpecError if it reads two."""
    found: dict[str, ast.Name] = {}
    for node in walk(waiting.statement.value):
        if isinstance(node, ast.Name) and node.id not in waiting.names:
            source = fits[node.id].source if node.id in fits else node.id
            if source in block.sources:
                found.setdefault(source, node)
    if len(found) > 1:
        (one, at), (other, where) = list(found.items())[:2]
        what = "fed" if isinstance(waiting, Feed) else "fitted"
        fail(
            "AX0714",
            f"`{waiting.statement.name}` is {what} from two sources, `{one}` and `{other}`",
            where.span,
            others=[Label(at.span, f"of `{one}`")],
            help="rows of two sources do not belong together: feed a field from each, and combine them in the model",
        )
    source = next(iter(found), first.name if first is not None else DATA)
    return replace(waiting, source=source)
