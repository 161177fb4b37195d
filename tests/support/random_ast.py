"""Random well-formed trees: every kind of node, with names, texts and nesting that try the writers of both spellings.

They are well formed, not meaningful: names are never looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from archonnx.grammar import ast
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text.literals import dedent

T = TypeVar("T")
NOWHERE = Span(Source("", ""), 0, 0)

# Statement words are names, too; so are words that YAML would take for something else.
NAMES = [
    "x",
    "h2",
    "logits",
    "Dense",
    "input",
    "loss",
    "data",
    "minimize",
    "over",
    "whole",
    "scan",
    "reversed",
    "emit",
    "state",
    "train",
    "search",
    "fn",
    "update",
    "feed",
    "yes",
    "null",
    "on",
    "e",
    "größe",
    "_",
    "repeat",
    "layers",
]
TEXTS = st.sampled_from(
    ["", "digits", "a: b", '"quoted"', "back\\slash", "# no comment", "two\nlines", "null", "1e3", "ü\u2028"]
)
TEXTS |= st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DOCS = st.sampled_from(
    ["One line.", 'Ends with "quotes"', '"Starts" so', "Two\n  lines,\n\nand more", "  indented\nless", ""]
)
DOCS |= st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=20)

names = st.sampled_from(NAMES)


def node(
    kind: Callable[..., T],
    *parts: st.SearchStrategy[Any],
    **named: st.SearchStrategy[Any],
) -> st.SearchStrategy[T]:
    """Nodes of a kind, with parts drawn from strategies."""
    return st.builds(kind, *parts, **named, span=st.just(NOWHERE))


def some(strategy: st.SearchStrategy[T], least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


# ---------------------------------------------------------------- expressions

name_nodes = node(ast.Name, names)
strings = node(ast.String, TEXTS)
numbers = node(ast.Number, st.integers(0, 2**63) | st.floats(0, allow_infinity=False, allow_nan=False))
leaves = name_nodes | numbers | strings | node(ast.Constant, st.sampled_from([True, False, None]))


def _grow(inner: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[ast.Expr]:
    operators = [
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "@",
        "**",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "not in",
        "and",
        "or",
    ]
    binary = node(ast.Binary, st.sampled_from(operators), inner, inner, op_span=st.just(NOWHERE))
    subscripts = inner | node(ast.Slice, maybe(inner), maybe(inner), maybe(inner)) | node(ast.Dots)
    comprehensions = node(ast.Comprehension, inner, some(name_nodes, 1), inner, maybe(inner))
    return st.one_of(
        binary,
        node(ast.Pipe, inner, inner),
        node(ast.Unary, st.sampled_from(["-", "+", "not"]), inner),
        node(ast.Conditional, inner, inner, inner),
        node(ast.Call, inner, _arguments(inner | comprehensions)),
        node(ast.Index, inner, some(subscripts, 1)),
        node(ast.Attribute, inner, names, name_span=st.just(NOWHERE)),
        node(ast.Tuple, some(inner, 2)),
        node(ast.List, some(inner | node(ast.Dots, maybe(names)))),
        node(
            ast.Dict,
            st.lists(
                st.tuples(strings | node(ast.String, names), inner), max_size=3, unique_by=lambda pair: pair[0].value
            ).map(tuple),
        ),
        comprehensions,
    )


def _arguments(values: st.SearchStrategy[ast.Expr]) -> st.SearchStrategy[tuple[ast.Argument, ...]]:
    by_position, by_name = some(node(ast.Argument, values), most=2), some(node(ast.Argument, values, names), most=2)
    return st.tuples(by_position, by_name).map(lambda both: both[0] + both[1])


exprs: st.SearchStrategy[ast.Expr] = st.recursive(leaves, _grow, max_leaves=8)
small = st.recursive(leaves, _grow, max_leaves=3)

# ---------------------------------------------------------------- types and signatures

tensor_types = node(ast.TensorType, maybe(names), some(small | node(ast.Dots, maybe(names))))
# A list of tensors is not among them: what stands in its brackets is read as an expression, in which `...S` has no place.
words = node(ast.ChoiceType, some(name_nodes | node(ast.Name, st.just("none")), 1))
static_types = node(ast.NamedType, names | st.just("list")) | words
static_types |= node(ast.ListType, static_types | node(ast.ListType, static_types))
types = tensor_types | static_types
unions = types | node(ast.UnionType, some(types, 2))
parameters = some(node(ast.Parameter, names, maybe(unions), maybe(small)))
fields = node(ast.ResultField, maybe(names), types)
results = node(ast.Result, some(node(ast.ResultField, st.none(), types), 1, 1), st.just(False))
results |= node(ast.Result, some(fields, 1), st.just(True))
docs = node(ast.Doc, DOCS.map(lambda text: dedent("\n" + text)).filter(lambda text: '"""' not in text))

# ---------------------------------------------------------------- statements


targets = name_nodes | node(ast.Index, name_nodes, some(small, 1, 2))
updated = name_nodes | node(ast.Attribute, name_nodes, names, name_span=st.just(NOWHERE))
values = some(small, 1)
better = node(ast.Better, names)
SIMPLE = {
    ast.Input: node(ast.Input, names, types),
    ast.Target: node(ast.Target, names, types),
    ast.Output: node(ast.Output, names, maybe(types), exprs),
    ast.Loss: node(ast.Loss, names, exprs),
    ast.Metric: node(ast.Metric, names, maybe(st.just("set")), exprs, maybe(better)),
    ast.Param: node(ast.Param, names, types, st.booleans(), small, some(node(ast.Argument, small, names), most=2)),
    ast.Buffer: node(ast.Buffer, names, types, small),
    ast.State: node(ast.State, names, types, small),
    ast.Update: node(ast.Update, updated, small),
    ast.Feed: node(ast.Feed, names, small, st.booleans()),
    ast.Fit: node(ast.Fit, names, small),
    ast.Data: node(ast.Data, names, small),
    ast.Minimize: node(ast.Minimize, small, maybe(small), small),
    ast.Maximize: node(ast.Maximize, small),
    ast.Return: node(ast.Return, values),
    ast.Emit: node(ast.Emit, values),
    ast.Assert: node(ast.Assert, small, maybe(strings)),
    ast.Draw: node(ast.Draw, names, types, small),
    ast.TypedAssign: node(ast.TypedAssign, names, types, small),
    ast.Assign: node(ast.Assign, some(targets, 1, 2), values),
    ast.ExprStmt: node(ast.ExprStmt, small),
}
simple = st.one_of(*SIMPLE.values())


def _compound(inner: st.SearchStrategy[ast.Stmt]) -> st.SearchStrategy[ast.Stmt]:
    suites = some(inner, 1, 2)
    sliced = some(node(ast.Binding, names, small, st.just(True), maybe(small)), 0, 2)
    carried = some(node(ast.Binding, names, small, st.just(False)), 1, 2)
    bindings = st.tuples(sliced, carried).map(lambda both: both[0] + both[1])
    collects = some(node(ast.Collect, names, maybe(small)), 0, 2)
    here = {"name_span": st.just(NOWHERE)}
    backward = node(ast.Backward, some(names, 1), suites)
    return st.one_of(
        node(ast.For, some(name_nodes, 1, 2), small, suites),
        node(ast.If, some(st.tuples(small, suites), 1, 2), st.just(()) | suites),
        node(ast.Repeat, small, maybe(small), suites),
        node(ast.Every, small, suites),
        node(ast.Together, suites),
        node(ast.Scan, st.booleans(), bindings, collects, suites),
        node(ast.Loop, bindings, maybe(small), suites),
        node(ast.Fn, names, parameters, maybe(results), suites, maybe(backward), maybe(docs), maybe(better), **here),
        node(ast.Block, names, parameters, parameters, results, suites, maybe(docs), **here),
        node(ast.Entry, names, parameters, results, suites, maybe(docs), **here),
    )


stmts: st.SearchStrategy[ast.Stmt] = st.recursive(simple, _compound, max_leaves=4)
bodies = some(stmts, 1, 4)

# ---------------------------------------------------------------- files

_HERE = {"name_span": st.just(NOWHERE)}
chains = node(
    ast.Assign,
    some(name_nodes, 1, 1),
    some(node(ast.Pipe, name_nodes, name_nodes | node(ast.Call, name_nodes, _arguments(small))), 1, 1),
)
model_bodies = st.tuples(
    some(SIMPLE[ast.Input], 0, 2),
    some(SIMPLE[ast.Param], 0, 1),
    some(chains, 0, 2) | some(stmts, 0, 2),
    some(SIMPLE[ast.Output] | SIMPLE[ast.Loss], 1, 2),
).map(lambda parts: sum(parts, ()))
programs = (
    some(
        SIMPLE[ast.Feed]
        | SIMPLE[ast.Fit]
        | SIMPLE[ast.Minimize]
        | SIMPLE[ast.Data]
        | node(ast.Assign, some(name_nodes, 1, 1), some(small, 1, 1)),
        1,
        4,
    )
    | bodies
)
declarations = st.one_of(
    node(ast.Import, strings, some(name_nodes, 1)),
    node(ast.Fn, names, parameters, maybe(results), bodies, st.none(), maybe(docs), maybe(better), **_HERE),
    node(ast.Block, names, parameters, parameters, results, bodies | some(chains, 1), maybe(docs), **_HERE),
    node(ast.Optimizer, names, parameters, parameters, results, bodies, maybe(docs), **_HERE),
    node(ast.Schedule, names, parameters, parameters, maybe(results), bodies, maybe(docs), **_HERE),
    node(ast.Model, names, parameters, model_bodies, maybe(docs), **_HERE),
    node(ast.Train, st.just("") | names, maybe(names), programs, maybe(docs), **_HERE),
    node(ast.Search, programs),
    node(
        ast.For,
        some(name_nodes, 1, 2),
        small,
        some(
            node(ast.Train, names, maybe(names), programs, maybe(docs), **_HERE)
            | node(
                ast.Train, names, names, programs, maybe(docs), some(node(ast.Argument, small, names), 1, 1), **_HERE
            ),
            1,
            1,
        ),
    ),
)
files = node(ast.File, some(declarations, 0, 3))
