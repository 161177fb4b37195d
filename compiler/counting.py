"""What a model is made of, counted by module: parameters, arithmetic, memory.

Operations are counted on a graph as the spec says it, before any pass: what is shared by several outputs counts once,
a module that is applied twice counts twice, its parameters once. Counts are polynomials in the dims that are open.
How a formula is counted is told by its op (``Op.arithmetic``). What this module does not do: measure time, or draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archonnx.grammar.diagnostics import did_you_mean, fail

from .ir.dims import ZERO, Dim
from .ir.graph import Graph, Node
from .ir.op import Trait
from .ir.types import TensorType
from .ir.walk import all_values, walk
from .program import ModelProgram, Parameter

ITSELF = "itself"
"""The row of what a module with modules inside does between them."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Figures of a part of a model.

    Attributes:
        parameters: numbers in its parameters; ``untrained`` of them no optimizer changes.
        buffers: numbers in its buffers.
        multiplications: divisions are among them.
        additions: subtractions are among them.
        parameter_bytes: what parameters and buffers take.
        activation_bytes: what all results of its operations take, views not counted: what training may have to keep.
    """

    parameters: int = 0
    untrained: int = 0
    buffers: int = 0
    multiplications: Dim = ZERO
    additions: Dim = ZERO
    parameter_bytes: int = 0
    activation_bytes: Dim = ZERO

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.parameters + other.parameters,
            self.untrained + other.untrained,
            self.buffers + other.buffers,
            self.multiplications + other.multiplications,
            self.additions + other.additions,
            self.parameter_bytes + other.parameter_bytes,
            self.activation_bytes + other.activation_bytes,
        )

    def at(self, dims: Mapping[str, Dim]) -> Counts:
        """The figures with names of dims replaced."""
        return Counts(
            self.parameters,
            self.untrained,
            self.buffers,
            self.multiplications.substitute(dims),
            self.additions.substitute(dims),
            self.parameter_bytes,
            self.activation_bytes.substitute(dims),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A module and all inside it.

    Attributes:
        path: as in the paths of its parameters.
        label: its path from its owner on; ``itself`` for what a module does between those that it owns.
        block: the name of its block.
        depth: how many modules it is inside of.
        uses: how often it is applied in the graph.
        outputs: types of what its first application gives.
        counts: its figures, with those of the modules inside.
    """

    path: str
    label: str
    block: str
    depth: int
    uses: int
    outputs: tuple[TensorType, ...]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Count:
    """A model, counted.

    Attributes:
        rows: its modules in order of construction, owners before what they own.
        total: of the whole model.
        outputs: types of what the graph gives, by name.
        dims: sizes that were given to dims, or 1 for the dim that counts examples.
        example: that dim, where the figures are for one example.
        unread: numbers in parameters that this graph does not read.
    """

    rows: tuple[Row, ...]
    total: Counts
    outputs: Mapping[str, TensorType]
    dims: Mapping[str, int]
    example: str | None
    unread: int


@dataclass(slots=True)
class _Module:
    block: str
    own: Counts = field(default_factory=Counts)
    inside: Counts = field(default_factory=Counts)
    parts: list[str] = field(default_factory=list)
    uses: int = 0
    outputs: tuple[TensorType, ...] = ()


def count(model: ModelProgram, name: str = "infer", dims: Mapping[str, int] | None = None) -> Count:
    """Count a model's parameters, and the operations of one of its graphs.

    Where the dim that counts examples has no size in ``dims`` and all figures are linear in it, they are those of one
    example.

    Args:
        model: what to count.
        name: ``infer``, ``evaluate`` or an entry.
        dims: sizes of open dims.
    """
    graph = _graph(model, name)
    sizes = dict(dims or {})
    _check_dims(model, graph, name, sizes)
    modules = {path: _Module(block) for path, block in {"": model.name, **model.modules}.items()}
    for path in model.modules:
        modules[_owner(path, modules)].parts.append(path)
    known = {symbol: Dim.of(size) for symbol, size in sizes.items()}
    try:
        for node, times in walk(graph):
            modules[node.origin.path].own += _of_node(node, known, times.substitute(known))
        for parameter in model.parameters.values():
            modules[parameter.origin.path].own += _of_parameter(parameter)
        _note_applications(model, graph, modules, known)
        total = _add_up("", modules)
    except OverflowError:
        symbols = sorted(graph.symbols() - sizes.keys())
        given = ",".join(f"{symbol}=16" for symbol in symbols)
        fail("AX0512", f"the counts of `{name}` have too many terms", None, help=f"give sizes: `--dims {given}`")
    example = _example(model, graph, total, sizes)
    if example is not None:
        sizes[example] = 1
        known = {example: Dim.of(1)}
        total = total.at(known)
        for module in modules.values():
            module.own, module.inside = module.own.at(known), module.inside.at(known)
    read = {path for path in graph.inputs if path in model.parameters}
    unread = sum(p.type.size.constant or 0 for path, p in model.parameters.items() if path not in read and not p.buffer)
    fixed = {symbol: Dim.of(size) for symbol, size in sizes.items() if symbol != example}
    outputs = {output: value.type.substitute(fixed) for output, value in graph.outputs.items()}
    return Count(tuple(_rows("", modules, 0)), total, outputs, sizes, example, unread)


def _graph(model: ModelProgram, name: str) -> Graph:
    graphs = {**model.entries, "infer": model.infer, "evaluate": model.evaluate}
    if name not in graphs:
        known = ["infer", "evaluate", *model.entries]
        fail(
            "AX0501",
            f"{model.name} has no graph `{name}` to count",
            None,
            help=did_you_mean(name, known) or f"it has {', '.join(known)}",
        )
    return graphs[name]


def _check_dims(model: ModelProgram, graph: Graph, name: str, sizes: Mapping[str, int]) -> None:
    """The dims are there, and no tensor gets a negative size."""
    known = {symbol for value in graph.values() for symbol in value.type.symbols()}
    for symbol, size in sizes.items():
        if symbol not in known:
            listed = f"open dims: {', '.join(sorted(known))}" if known else "all its sizes are known"
            fail("AX0512", f"`{name}` has no dim `{symbol}`", None, help=did_you_mean(symbol, known) or listed)
        if not isinstance(size, int) or size < 1:
            fail("AX0512", f"a size is a positive integer, not {symbol} = {size!r}", None)
    chosen = ", ".join(f"{symbol} = {size}" for symbol, size in sizes.items())
    for assumption in (*model.assumptions, *model.entry_assumptions.get(name, ())):
        if assumption.symbols() <= sizes.keys() and not assumption.holds(sizes):
            fail("AX0617", f"{assumption.message} ({chosen})", assumption.span)
    fixed = {symbol: Dim.of(size) for symbol, size in sizes.items()}
    for value in graph.values() if sizes else ():
        bounds = [dim.substitute(fixed).constant for dim in value.shape]
        if any(bound is not None and bound < 0 for bound in bounds):
            shown = value.type.substitute(fixed)
            fail("AX0512", f"with {chosen}, this tensor would be {shown}", value.origin.place, help="take larger sizes")


def _owner(path: str, modules: Mapping[str, object]) -> str:
    """The path of the module that owns the one at this path: labels may hold dots."""
    while path:
        path = path.rpartition(".")[0]
        if path in modules:
            break
    return path


def _of_node(node: Node, known: Mapping[str, Dim], times: Dim) -> Counts:
    inputs = [value.type.substitute(known) for value in node.inputs]
    results = [value.type.substitute(known) for value in node.outputs]
    arithmetic = node.op.arithmetic(inputs, results)
    return Counts(
        multiplications=arithmetic.multiplications * times,
        additions=arithmetic.additions * times,
        activation_bytes=_kept(node, results) * times,
    )


def _kept(node: Node, results: list[TensorType]) -> Dim:
    if not node.inputs or Trait.VIEW in node.op.traits or node.op.bodies():
        return ZERO
    return sum((type_.size * type_.dtype.numpy.itemsize for type_ in results), ZERO)


def _of_parameter(parameter: Parameter) -> Counts:
    size = parameter.type.size.constant or 0
    taken = size * parameter.type.dtype.numpy.itemsize
    if parameter.buffer:
        return Counts(buffers=size, parameter_bytes=taken)
    return Counts(size, 0 if parameter.trainable else size, parameter_bytes=taken)


def _note_applications(
    model: ModelProgram, graph: Graph, modules: Mapping[str, _Module], known: Mapping[str, Dim]
) -> None:
    """How often each module is applied in this graph, and what it gives at first."""
    live = set(all_values(graph))
    for application in model.applications:
        if not live.isdisjoint(application.results):
            module = modules[application.path]
            module.uses += 1
            module.outputs = module.outputs or tuple(value.type.substitute(known) for value in application.results)


def _add_up(path: str, modules: Mapping[str, _Module]) -> Counts:
    module = modules[path]
    module.inside = sum((_add_up(part, modules) for part in module.parts), module.own)
    return module.inside


def _example(model: ModelProgram, graph: Graph, total: Counts, sizes: Mapping[str, int]) -> str | None:
    """The dim that counts examples: on first axes alone, without a size yet, and with all figures linear in it."""
    types = [*(v.type for v in graph.outputs.values()), *(f.type for f in model.fields.values())]
    symbol = next((s for t in types if t.rank and (s := t.shape[0].symbol) is not None), None)
    figures = (total.multiplications, total.additions, total.activation_bytes)
    if symbol is None or symbol in sizes or any(symbol in dim.symbols() for t in types for dim in t.shape[1:]):
        return None
    if not all(_linear(figure, symbol) for figure in figures):
        return None
    return symbol


def _linear(figure: Dim, symbol: str) -> bool:
    for monomial, _ in figure.terms:
        for factor, power in monomial:
            if factor == symbol:
                if power > 1:
                    return False
            elif not isinstance(factor, str) and symbol in factor.left.symbols() | factor.right.symbols():
                return False
    return True


def _rows(path: str, modules: Mapping[str, _Module], depth: int) -> Iterator[Row]:
    """The rows of the modules inside the one at this path."""
    for part in modules[path].parts:
        module = modules[part]
        label = part.removeprefix(path).removeprefix(".")
        yield Row(part, label, module.block, depth, module.uses, module.outputs, module.inside)
        yield from _rows(part, modules, depth + 1)
    if modules[path].own != Counts() and (modules[path].parts or not path):
        yield Row(path, ITSELF, "", depth, 0, (), modules[path].own)
