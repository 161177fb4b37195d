"""What the compiler hands to whoever runs a model: plain, immutable descriptions, which pickle.

Graphs here keep their symbolic dims; ``bind`` fixes them. Nothing in this module computes: ``gradients``, ``trace``,
``steps`` and ``pipeline`` make further graphs of what is described here.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from archonnx.grammar import ast
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Span

from .directions import Direction
from .ir.dims import Dim
from .ir.graph import Graph
from .ir.origin import UNKNOWN, Origin
from .ir.types import DType, TensorType
from .ir.value import Value
from .plan import Plan
from .set_metrics import SET_FUNCTIONS
from .spec import Spec

if TYPE_CHECKING:
    from .settings import TrainSettings

SEED, STEP = "seed", "step"
"""Names of the i64[] graph inputs of graphs that draw: the run's seed, and the count of executed statements."""
EVALUATION_STEP = 0
"""The ``step`` of graphs that draw outside training: validation draws the same each time."""
LARGEST = 2**33
"""Elements that a tensor may have, its symbolic dims left out."""
PRODUCER = "archonnx"
"""What exported models say of who made them."""
WATCH = "watch/squares"
"""Output of a training step that is watched: f64[3, P], for each of its ``watched`` parameters the sums of squares of
its gradient (before any clipping), of the parameter, and of what the step adds to it."""
CONDITION = "condition"
"""Output of the step that says whether a ``repeat`` goes on."""
NEXT = "next/"
"""A carried tensor is the graph input ``name`` and the graph output ``next/name``."""
GATHERED = "gathered/"
"""Where gradients of several batches make one update, ``gathered/minimize.0/PATH`` carries their mean so far, and
``gathered/minimize.0``, i64[], the number of its rows; two steps share them."""
TOTAL, PER_EPOCH = "steps of the training", "steps of an epoch"
"""Dims that stand for ``steps`` and ``steps_per_epoch`` until the data is known; no name of a spec is like them."""


def is_length(value: object) -> bool:
    """Whether this is a number of training steps that is left open: an int, once the data is known."""
    return isinstance(value, Dim) and bool(value.symbols()) and value.symbols() <= {TOTAL, PER_EPOCH}


class Assumption(Record):
    """An ``assert`` that could not be decided: ``left OP right`` holds at every call, or ``message`` tells.

    Compilation relies on it; the runtime checks it, and exported models record it in their metadata.
    """

    op: str
    left: Dim
    right: Dim
    message: str
    span: Span | None = None

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it holds for these sizes of the dims."""
        return bool(_COMPARE[self.op](self.left.evaluate(sizes), self.right.evaluate(sizes)))

    def symbols(self) -> set[str]:
        """Names of the dims it speaks of."""
        return {*self.left.symbols(), *self.right.symbols()}

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right}"


_COMPARE = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Field(Record):
    """An ``input`` or ``target`` of a model."""

    name: str
    type: TensorType
    target: bool = False
    origin: Origin = UNKNOWN


class Parameter(Record):
    """A trained tensor, or a buffer. ``initial`` is a graph from ``seed: i64[]`` (if it draws) to ``value``."""

    path: str
    type: TensorType
    initial: Graph
    trainable: bool = True
    decay: bool = True
    buffer: bool = False
    """State that ``update`` changes in training, not an optimizer."""
    origin: Origin = UNKNOWN

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; the dims of a parameter are always integers."""
        shape = self.type.static_shape
        assert shape is not None
        return shape

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


class NamedTensor(Record):
    """A tensor that the spec gives a name.

    Attributes:
        name: as the spec calls it: inside blocks after the path of the module, inside fns after their names.
        kind: input, target, param, buffer, output, loss, metric, module (what one gave) or value.
        value: in the graph.
        span: where the name is given, which may be in the library.
        place: the line of the model (or entry) that leads there.
        inner: whether it is inside a block or fn that the model calls; parameters never are.
    """

    name: str
    kind: str
    value: Value
    span: Span
    place: Span
    inner: bool


class Computation(Record):
    """All that a model computes in one mode: in training, in use, or in one of its entries.

    Attributes:
        graph: every node, needed or not; the results are its outputs (in training the losses by name, and
            ``next/PATH`` for buffers that are updated).
        fields: those of its inputs that are fields of the model (or arguments of the entry).
        names: what the spec calls its tensors, in program order.
    """

    graph: Graph
    fields: tuple[str, ...]
    names: tuple[NamedTensor, ...]

    def __repr__(self) -> str:
        return f"<computation `{self.graph.name}`: {len(self.graph.nodes)} nodes, {len(self.names)} names>"


class Scheduled(Record):
    """A schedule of a learning rate, as it is configured.

    Attributes:
        name: its name.
        numbers: its arguments that are numbers; numbers of steps may be open.
        declared: the names of its parameters, in order.
    """

    name: str
    numbers: Mapping[str, float | Dim]
    declared: tuple[str, ...]

    def at(self, argument: str, total: int, per_epoch: int) -> float | None:
        """An argument, where the training has so many steps, and an epoch so many."""
        number = self.numbers.get(argument)
        return number.evaluate({TOTAL: total, PER_EPOCH: per_epoch}) if isinstance(number, Dim) else number


class Followed(Record):
    """With which optimizer a loss is minimised.

    Attributes:
        optimizer: its name.
        rate: the largest learning rate, where it is a number or a schedule says its largest by name.
        span: where the optimizer stands.
        schedules: the schedule of its rate, and those that are the ``rate`` of others.
        over: whether the statement says which parameters change.
    """

    optimizer: str
    rate: float | None
    span: Span
    schedules: tuple[Scheduled, ...] = ()
    over: bool = False


class TrainStep(Record):
    """One statement that trains: a ``minimize``, a ``together`` of several, or an ``update``, in one graph.

    The condition of a ``repeat`` is one as well (``asks``): it carries nothing, and gives ``CONDITION``, bool[]. Where
    several batches make one update, a statement that minimises is two steps: one gathers the gradients of a batch, the
    other, which reads no batch, updates by their mean (``GATHERED``).

    Graph inputs: fields of the batch by name, ``carried`` tensors by name, and ``seed``/``step`` if it draws.
    Graph outputs: ``losses`` by name (their values before the update), and ``next/NAME`` for each carried tensor.
    Parameters that the step reads but does not change are inputs only (``constants``).
    """

    name: str
    minimized: tuple[str, ...]
    """The losses whose gradients it follows; ``losses`` may name others that are reported along."""
    graph: Graph
    fields: tuple[str, ...]
    carried: Mapping[str, TensorType]
    constants: Mapping[str, TensorType]
    losses: tuple[str, ...]
    initial: Mapping[str, Graph]
    """For each carried tensor that is not a parameter (optimizer state) a graph without inputs that gives its starting
    ``value``."""
    gradients: Mapping[str, Value] = {}
    """The gradients that it follows, by path of the parameter, before any clipping: values of the graph."""
    gathers: Mapping[str, Value] = {}
    """The gradients of a batch that it adds to means, by the names under which it carries those, likewise."""
    watched: tuple[str, ...] = ()
    """Paths of the parameters that the output ``WATCH`` is about."""
    rates: Mapping[str, Graph] = {}
    """Where learning rates are inputs, among ``constants``: by the name of the input, what the spec says of it, as a
    graph from the step ``t``, counted from 1, to the ``value``."""
    followed: tuple[Followed, ...] = ()
    """How each of ``minimized`` is."""

    asks: bool = False
    """Whether it is a condition, which changes nothing."""
    rows: str | None = None
    """Of a step that gathers gradients the dim that says how much a batch counts; all count alike if it has none."""

    @property
    def draws(self) -> bool:
        """Whether the graph takes ``seed`` and ``step``."""
        return SEED in self.graph.inputs

    def __repr__(self) -> str:
        return f"<training step `{self.name}`: {len(self.graph.nodes)} nodes, carries {len(self.carried)} tensors>"


DATA = "data"
"""The name of a source that the spec gives none."""


class Reading(Record):
    """A field of another source of which a source is made: ``name`` is the input of its graph."""

    name: str
    source: str
    field: str


class DataSource(Record):
    """``data [NAME] = KIND(...)``. A ``generate`` source has a graph (input ``seed``) whose outputs are the fields.

    ``reads`` are the fields of other sources that the graph takes, ``assumptions`` what must hold of their sizes, and
    ``fresh`` says that it is drawn anew each epoch.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any]
    span: Span
    graph: Graph | None = None
    reads: tuple[Reading, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    fresh: bool = False


class Feed(Record):
    """``feed NAME = expr``, evaluated once the fields of the data are known.

    ``names`` are the variables of the loops around it, and ``source`` is the name of the source that it reads.
    """

    statement: ast.Feed
    names: Mapping[str, Any]
    source: str = DATA


class Fit(Record):
    """``fit NAME = expr``, likewise."""

    statement: ast.Fit
    names: Mapping[str, Any]
    source: str = DATA


class TrainProgram(Record):
    """A ``train`` block."""

    name: str
    settings: TrainSettings
    source: DataSource | None
    feeds: Mapping[str, Feed]
    """How fields of the model are made of those of the data; a field that is not here has the same name in both."""
    steps: tuple[TrainStep, ...] | None
    """The statements, in order, for any number of steps (the dims ``TOTAL`` and ``PER_EPOCH``); None where something
    in them is decided by that number, so that it must be known (``pipeline.train_steps``)."""
    plan: Plan = ()
    """In which order a pass runs them."""
    span: Span | None = None
    fits: Mapping[str, Fit] = {}
    """What is learned from the data of the train part."""
    given: tuple[ast.Argument, ...] = ()
    """Arguments of the model that the data decides."""
    whole: frozenset[str] = frozenset()
    """Fields that every batch gets as they are: their first axis does not count examples."""
    others: tuple[DataSource, ...] = ()
    """Sources besides the one whose examples are counted in epochs."""
    beside: bool = False
    """Whether this is the part of a program that reads one of its ``others``."""
    stores: frozenset[str] = frozenset()
    """Those of ``others`` that feed nothing by their own name: other sources are made of them."""

    @property
    def data(self) -> str:
        """The name under which it reads its data."""
        return self.source.name if self.source is not None else DATA

    @property
    def sources(self) -> tuple[DataSource, ...]:
        """All of them, that of the epochs first."""
        return ((self.source,) if self.source is not None else ()) + self.others

    def reading(self, source: DataSource) -> TrainProgram:
        """The same program as one with a single source: its feeds, and what is fitted to it."""
        feeds = {name: feed for name, feed in self.feeds.items() if feed.source == source.name}
        fits = {name: fit for name, fit in self.fits.items() if fit.source == source.name}
        whole = self.whole & feeds.keys()
        beside = self.beside or source != self.source
        return replace(self, source=source, others=(), feeds=feeds, fits=fits, whole=whole, beside=beside)

    def __repr__(self) -> str:
        return f"<train program `{self.name or 'train'}`: {len(self.steps or ())} steps>"


class Choice(Record):
    """One of these values."""

    values: tuple[Any, ...]


class Between(Record):
    """A number from ``low`` to ``high``, both included; ``log`` draws it evenly on a logarithmic scale."""

    low: float
    high: float
    log: bool = False
    integer: bool = False


class SearchSpace(Record):
    """A ``search`` block: what is varied, and which figure is to become large (or small).

    Attributes:
        arguments: what the model's arguments are drawn from, by name.
        settings: likewise for the settings of the train programs.
        goal: a part and a loss or metric, as in ``valid.accuracy``.
        maximise: whether it should be large.
        trials: how many trainings there are at most.
        span: where the block stands.
    """

    arguments: Mapping[str, Choice | Between]
    settings: Mapping[str, Choice | Between]
    goal: str
    maximise: bool
    trials: int
    span: Span | None = None


class SetMetric(Record):
    """``metric NAME over set``: a function of ``SET_FUNCTIONS``, computed once over the examples of a part.

    ``arguments`` are the outputs of the graph ``evaluate`` that are gathered for it, prediction and target;
    ``options`` what the function was told besides.
    """

    function: str
    arguments: tuple[str, ...]
    options: Mapping[str, str | float] = {}


class Application(Record):
    """A module was applied, and gave these tensors (of ``infer``, ``evaluate`` or an entry)."""

    path: str
    results: tuple[Value, ...]


class ModelProgram(Record):
    """A model, elaborated.

    ``infer`` computes the outputs from the inputs they use; ``evaluate`` the losses and metrics (not ``training``),
    and the arguments of those over a set. Every graph takes parameters as inputs, by path.
    """

    name: str
    spec: Spec
    """What was elaborated."""
    arguments: Mapping[str, Any]
    """The values of the model's arguments, as ``train`` blocks read them."""
    fields: Mapping[str, Field]
    parameters: Mapping[str, Parameter]
    infer: Graph
    evaluate: Graph
    losses: tuple[str, ...]
    metrics: tuple[str, ...]
    use: Computation
    """What ``infer`` and ``evaluate`` are parts of."""
    training: Computation
    """The same in training mode: what the losses need, differentiated by ``gradients.gradient_graph``."""
    programs: tuple[TrainProgram, ...] = ()
    entries: Mapping[str, Graph] = {}
    entry_computations: Mapping[str, Computation] = {}
    assumptions: tuple[Assumption, ...] = ()
    entry_assumptions: Mapping[str, tuple[Assumption, ...]] = {}
    """By entry: the dims of an entry are its own."""
    set_metrics: Mapping[str, SetMetric] = {}
    """Metrics that are computed over a set; tables are among them, and not among ``metrics``, which are numbers."""
    directions: Mapping[str, Direction] = {}
    """Which values of a loss or metric are good, of those of which it is known."""
    search: SearchSpace | None = None
    modules: Mapping[str, str] = {}
    """The name of every module's block, by path; owners come before what they own."""
    applications: tuple[Application, ...] = ()
    float_type: DType = DType.f32
    """What a dtype left out stood for."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Those over a set that are tables, not numbers."""
        return tuple(name for name, over in self.set_metrics.items() if SET_FUNCTIONS[over.function].table)

    @property
    def parameter_count(self) -> int:
        """How many numbers its parameters hold; buffers, such as running statistics, are left out."""
        return sum(parameter.size for parameter in self.parameters.values() if not parameter.buffer)

    def __repr__(self) -> str:
        return f"<model `{self.name}`: {len(self.parameters)} parameters with {self.parameter_count:,} numbers>"
