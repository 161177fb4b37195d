"""What a drawing of a model shows: boxes in boxes, the items in them, and what goes from one to another.

An outline is made of the graph that computes all outputs, losses and metrics of a model, or of one entry: an item for
each module at the depth that is shown, one for each formula between them, one for each field and result; beside it what
trains the model. What this module does not do: say where anything stands on paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from archonnx.compiler.ir.graph import Graph, needed
from archonnx.compiler.ir.origin import Origin
from archonnx.compiler.ir.types import DType, TensorType
from archonnx.compiler.program import SEED, STEP, ModelProgram, Parameter
from archonnx.grammar.diagnostics import did_you_mean, fail
from archonnx.grammar.source import Span

READABLE = 45
"""Items that a picture may have where nobody says how deep it goes."""
LONGEST = 56
"""Characters of a line of an item."""


@dataclass(eq=False, slots=True)
class Item:
    """A thing with a frame of its own.

    Attributes:
        kind: ``field``, ``module``, ``formula``, ``result``, ``loss``, ``metric``, ``source`` or ``step``.
        label: what it is called.
        details: further lines, in small letters.
        title: what is shown when somebody points at it: the line of the spec.
        repeat: how many of its kind follow each other where one is drawn.
        shared: whether all of these are one module.
    """

    kind: str
    label: str
    details: tuple[str, ...] = ()
    title: str = ""
    repeat: int = 1
    shared: bool = False
    path: str = ""


@dataclass(eq=False, slots=True)
class Box:
    """A module with modules inside, a loop, or what repeats itself; the outermost is the model."""

    label: str
    details: tuple[str, ...] = ()
    title: str = ""
    parts: list[Item | Box] = field(default_factory=list)
    repeat: int = 1
    shared: bool = False
    path: str = ""

    def items(self) -> Iterator[Item]:
        """All items inside, in order."""
        for part in self.parts:
            if isinstance(part, Item):
                yield part
            else:
                yield from part.items()


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor that goes from one item to another, and its type; what is no tensor is ``loose``."""

    source: Item
    target: Item
    label: str
    loose: bool = False


@dataclass(slots=True)
class Outline:
    """A drawing without places. ``notes`` are said beneath it."""

    title: str
    root: Box
    edges: list[Edge]
    notes: list[str] = field(default_factory=list)


def short(text: str, longest: int = LONGEST) -> str:
    """A text in one line, cut where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def said(origin: Origin) -> str:
    """Where something stands in the spec, and the line that is there."""
    place = origin.place
    return "" if place is None else said_of(place)


def said_of(place: Span) -> str:
    """A place and the line that is there."""
    line, _ = place.source.line_column(place.start)
    lines = place.source.text.splitlines()
    return f"{place}\n{short(lines[line - 1], 160) if line <= len(lines) else ''}"


def type_text(type_: TensorType, usual: DType) -> str:
    """A type as an edge shows it: the dims alone for the usual dtype, nothing for one number."""
    dims = ", ".join(str(dim) for dim in type_.shape)
    if type_.dtype is not usual:
        return str(type_)
    return f"[{dims}]" if type_.shape else ""


def shown_graph(model: ModelProgram, name: str | None) -> Graph:
    """The graph that is drawn: all that ``infer`` and ``evaluate`` compute, one of them, or an entry."""
    if name is None:
        whole = model.use.graph
        outputs = {**model.evaluate.outputs, **model.infer.outputs}
        made = set(whole.values())
        outputs = {key: value for key, value in outputs.items() if value in made}
        nodes = tuple(needed(whole.nodes, outputs.values()))
        read = {value for node in nodes for value in node.inputs} | set(outputs.values())
        inputs = {key: value for key, value in whole.inputs.items() if value in read}
        if nodes or not model.entries:
            return Graph("model", inputs, nodes, outputs)
        name = next(iter(model.entries))
    graphs = {"infer": model.infer, "evaluate": model.evaluate, **model.entries}
    if name not in graphs:
        help = did_you_mean(name, graphs) or f"it has {', '.join(graphs)}"
        fail("AX0512", f"the model has no graph `{name}`", None, help=help)
    return graphs[name]


def numbers(parameters: list[Parameter]) -> str:
    """How many numbers parameters hold, for people."""
    size = sum(parameter.size for parameter in parameters)
    return "" if not size else "1 parameter" if size == 1 else f"{size:,} parameters"


def is_input_of_draws(name: str) -> bool:
    """Whether an input of a graph is what its draws start from."""
    return name in (SEED, STEP)
