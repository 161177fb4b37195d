"""What trains a model, in its drawing: where the data comes from, and which statement follows which loss.

What this module does not do: say how the steps are made (``compiler.steps`` does).
"""

from __future__ import annotations

from collections.abc import Iterator

from archonnx.compiler.pipeline import train_steps
from archonnx.compiler.plan import Do, Every, Plan, Repeat
from archonnx.compiler.program import DataSource, ModelProgram, TrainProgram, TrainStep
from archonnx.grammar.source import Span

from .outline import Box, Edge, Item, Outline, said_of, short

ANY_LENGTH = 1000, 100
"""Passes of a training and of an epoch, where its statements depend on them: no picture shows what they decide."""


def add_programs(model: ModelProgram, outline: Outline) -> None:
    """Put the sources and statements of every ``train`` block around what they train; equal sources are one."""
    fields = {part.label: part for part in outline.root.parts if isinstance(part, Item) and part.kind == "field"}
    losses = {part.label: part for part in outline.root.parts if isinstance(part, Item) and part.kind == "loss"}
    sources: dict[object, Item] = {}
    sheet = Box("", parts=[outline.root])
    for program in model.programs:
        for source in program.sources:
            key = (source.kind, source.span.text)
            if key not in sources:
                sources[key] = _source(source)
                sheet.parts.insert(len(sources) - 1, sources[key])
            _feed(program, source, sources[key], fields, outline)
        box = Box(f"train {program.name}".strip(), (_settings(program),), path=program.name)
        for step, often in _statements(model, program):
            item = _step(model, step, often)
            box.parts.append(item)
            for loss in step.minimized:
                if loss in losses:
                    outline.edges.append(Edge(losses[loss], item, "", loose=True))
        if box.parts:
            sheet.parts.append(box)
    if len(sheet.parts) > 1:
        outline.root = sheet


def _statements(model: ModelProgram, program: TrainProgram) -> Iterator[tuple[TrainStep, str]]:
    """The statements in their order, and how often a pass runs each; what gathers for one is a part of it."""

    def follow(plan: Plan, often: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        for item in plan:
            match item:
                case Do(index):
                    yield index, ", ".join(often)
                case Repeat(count, body, condition):
                    most = "" if condition is None else "up to "
                    yield from follow(body, (*often, f"{most}{count} times a pass"))
                case Every(count, body):
                    yield from follow(body, (*often, f"once in {count} passes"))

    steps = program.steps or train_steps(model, program, *ANY_LENGTH)
    yield from ((steps[index], often) for index, often in follow(program.plan, ()))


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
    batches = "one batch" if size == "all" else f"batches of {size}"
    gathered = f", {settings.accumulate} of them an update" if settings.accumulate > 1 else ""
    return f"{settings.epochs} epochs, {batches}{gathered}"


def _step(model: ModelProgram, step: TrainStep, often: str) -> Item:
    place = _place(step)
    changed = [path for path in step.carried if path in model.parameters and not model.parameters[path].buffer]
    size = sum(model.parameters[path].size for path in changed)
    whole = size == model.parameter_count
    tops = list(dict.fromkeys(path.partition(".")[0] for path in changed))
    what = "all of it" if whole else ", ".join(tops)
    said = f"minimize {', '.join(step.minimized)}" if step.minimized else step.name
    if place is not None:
        said = " ".join(place.text.split())
    label, by, how = said.partition(" with ") if step.minimized else (said, "", "")
    trained = f"trains {what}: {size:,} numbers" if changed else ""
    details = filter(None, [f"{by.lstrip()}{how}", trained, often])
    return Item("step", short(label), tuple(map(short, details)), said_of(place) if place else "")


def _place(step: TrainStep) -> Span | None:
    """Where the statement stands: that of the nodes which it made itself."""
    kind = step.name.partition(".")[0]
    return next((node.origin.place for node in step.graph.nodes if node.origin.what.strip("`") == kind), None)
