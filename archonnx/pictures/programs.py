"""What trains a model, in its drawing: where the data comes from, and which statement follows which loss.

What this module does not do: say how the steps are made (``compiler.steps`` does).
"""

from __future__ import annotations

from archonnx.compiler.program import DataSource, ModelProgram, TrainProgram, TrainStep
from archonnx.grammar.source import Span

from .outline import Box, Edge, Item, Outline, said_of, short


def add_programs(model: ModelProgram, outline: Outline) -> None:
    """Put the sources and statements of every ``train`` block around what they train."""
    fields = {part.label: part for part in outline.root.parts if isinstance(part, Item) and part.kind == "field"}
    losses = {part.label: part for part in outline.root.parts if isinstance(part, Item) and part.kind == "loss"}
    sources: dict[object, Item] = {}
    sheet = Box("", parts=[outline.root])
    for program in model.programs:
        for source in program.sources:
            key = (source.span, source.kind)
            if key not in sources:
                sources[key] = _source(source)
                sheet.parts.insert(len(sources) - 1, sources[key])
            _feed(program, source, sources[key], fields, outline)
        statements = [_step(model, step) for step in program.steps or () if not step.asks]
        box = Box(f"train {program.name}".strip(), (_settings(program),), path=program.name)
        for step, item in zip([s for s in program.steps or () if not s.asks], statements, strict=True):
            box.parts.append(item)
            for loss in step.minimized:
                if loss in losses:
                    outline.edges.append(Edge(losses[loss], item, "", loose=True))
        if box.parts:
            sheet.parts.append(box)
    if len(sheet.parts) > 1:
        outline.root = sheet


def _source(source: DataSource) -> Item:
    return Item("source", short(source.span.text), (), said_of(source.span))


def _feed(program: TrainProgram, source: DataSource, item: Item, fields: dict[str, Item], outline: Outline) -> None:
    for name, field in fields.items():
        feed = program.feeds.get(name)
        reads = feed.source == source.name if feed is not None else source == program.source
        if not reads or any(edge.source is item and edge.target is field for edge in outline.edges):
            continue
        outline.edges.append(Edge(item, field, "", loose=True))
        if feed is not None:
            field.title = said_of(feed.statement.span)


def _settings(program: TrainProgram) -> str:
    settings = program.settings
    size = settings.batch_size
    return f"{settings.epochs} epochs, " + ("one batch" if size == "all" else f"batches of {size}")


def _step(model: ModelProgram, step: TrainStep) -> Item:
    place = _place(step)
    changed = [path for path in step.carried if path in model.parameters and not model.parameters[path].buffer]
    size = sum(model.parameters[path].size for path in changed)
    whole = size == model.parameter_count
    tops = list(dict.fromkeys(path.partition(".")[0] for path in changed))
    what = "all of it" if whole else ", ".join(tops)
    details = (short(f"trains {what}: {size:,} numbers"),) if changed else ()
    label = f"minimize {', '.join(step.minimized)}" if step.minimized else step.name
    return Item("step", short(place.text if place is not None else label), details, said_of(place) if place else "")


def _place(step: TrainStep) -> Span | None:
    """Where the statement stands: that of the nodes which it made itself."""
    kind = step.name.partition(".")[0]
    return next((node.origin.place for node in step.graph.nodes if node.origin.what.strip("`") == kind), None)
