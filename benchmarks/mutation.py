"""Mutations of specs: of their tokens, of their syntax trees, of the nodes of YAML, and now and then of characters.

The same generator state gives the same text, on every machine. What this module does not do: say whether the
result has a meaning; most results should not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import yaml

from archonnx.grammar import ast
from archonnx.grammar.format import format_ast
from archonnx.grammar.record import fields, replace
from archonnx.grammar.text.words import FORMS, RESERVED

from .corpus import Base, library_names

TOKEN = re.compile(
    r'"""(?:[^"]|"(?!""))*"""|"[^"\n]*"|\#[^\n]*|[^\W\d]\w*|\d+(?:\.\d+)?(?:e[+-]?\d+)?'
    r"|\*\*|//|\|>|->|==|!=|<=|>=|\.\.\.|\n[ ]*|[ \t]+|."
)
NUMBERS = (
    "0",
    "1",
    "2",
    "3",
    "-1",
    "5",
    "7",
    "10",
    "64",
    "1000",
    "1000000",
    "2147483648",
    "9223372036854775808",
    "1" + "0" * 30,
    "0.5",
    "1e-3",
    "1e300",
    "1.0",
    "1e999",
)
OPERATORS = ("+", "-", "*", "/", "//", "%", "@", "**", "==", "!=", "<", "<=", ">", ">=", "in", "and", "or")
SCALARS = ("", "~", "true", "0", "-1", "1e9", "[B, 8]", "x", "none", "{}", "[]", "relu", "Dense(3)", "a: b", "?", "*a")
PIECES = ('"', "'", "\t", "\n", "(", ")", "[", "]", "{", "}", ":", ",", "\\", "\x00", "\u00e9", "\u202e", "...", "|>")
TEXT = "tag:yaml.org,2002:str"
_FIXED = (ast.String, ast.Slice, ast.Dots, ast.Tuple, ast.Import)
"""Nodes that stand only where the grammar has a place for them."""
Rebuilt = dict[int, Any]
"""New nodes by the identity of those whose place they take."""


def mutate(base: Base, donor: Base, random: Random) -> str:
    """A text made of ``base`` by one to three mutations of one sort; trees may get parts of ``donor``."""
    times = random.choice((1, 1, 1, 2, 3))
    chance = random.random()
    text = base.text
    if chance < 0.8 and not base.yaml and base.tree is not None:
        tree = base.tree
        for _ in range(times):
            tree = _tree(tree, donor.tree or tree, random)
        return format_ast(tree)
    change = _characters if chance > 0.97 else _yaml_nodes if chance < 0.75 and base.yaml else _tokens
    for _ in range(times):
        text = change(text, random)
    return text


def _characters(text: str, random: Random) -> str:
    start = random.randrange(len(text) + 1)
    end = min(len(text), start + random.choice((0, 0, 1, 2, 20)))
    return text[:start] + random.choice(PIECES) + text[end:]


# ---------------------------------------------------------------- tokens


def _kind(token: str) -> str:
    if token[0].isalpha() or token[0] == "_":
        return "name"
    if token[0].isdigit():
        return "number"
    return "space" if token.isspace() or token[0] == "#" else "mark"


def _tokens(text: str, random: Random) -> str:
    """Change one token. Most changes keep its kind, so that more than the parser sees them."""
    tokens = TOKEN.findall(text)
    places = [i for i, token in enumerate(tokens) if _kind(token) != "space"]
    if not places:
        return _characters(text, random)
    favoured = [i for i in places if _kind(tokens[i]) != "mark"]
    at = random.choice(favoured if favoured and random.random() < 0.8 else places)
    kind = _kind(tokens[at])
    alike = [i for i in places if _kind(tokens[i]) == kind]
    match random.choices(("rename", "swap", "delete", "duplicate", "insert"), (8, 3, 1, 1, 1))[0]:
        case "rename":
            tokens[at] = _other(tokens[at], kind, [tokens[i] for i in alike], random)
        case "swap":
            other = random.choice(alike)
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case "delete":
            tokens[at] = ""
        case "duplicate":
            tokens[at] += random.choice(("", " ")) + tokens[at]
        case "insert":
            tokens[at] += f" {random.choice([tokens[i] for i in places])}"
    return "".join(tokens)


def _other(token: str, kind: str, alike: Sequence[str], random: Random) -> str:
    if kind == "number":
        return random.choice((*NUMBERS, *(str(int(token) + d) for d in (-1, 1) if token.isdigit())))
    if kind == "mark":
        return random.choice(OPERATORS if token in OPERATORS else (random.choice(alike), random.choice(PIECES)))
    keyword = random.choice(sorted({*FORMS, *RESERVED}))
    words = (random.choice(alike), random.choice(library_names()), keyword, _misspelt(token, random))
    return random.choices(words, (6, 2, 1, 2))[0]


def _misspelt(word: str, random: Random) -> str:
    at = random.randrange(len(word))
    return word[:at] + random.choice(("", word[at] * 2, "e", "x1")) + word[at + 1 :] or "x"


# ---------------------------------------------------------------- trees


def nodes(tree: Any) -> Iterator[ast.Node]:
    """Every node of a tree, from the top, except those that nothing else can replace."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from nodes(item)
    elif isinstance(tree, ast.Node) and not isinstance(tree, ast.Import):
        yield tree
        loop = isinstance(tree, ast.For | ast.Comprehension)
        for field in fields(tree):
            if not (loop and field.name == "targets"):
                yield from nodes(getattr(tree, field.name))


def rebuild(tree: Any, new: Rebuilt) -> Any:
    """The tree with nodes replaced by others; parts in which nothing changes are shared."""
    if id(tree) in new:
        return new[id(tree)]
    if isinstance(tree, tuple):
        items = tuple(rebuild(item, new) for item in tree)
        return items if any(a is not b for a, b in zip(items, tree, strict=True)) else tree
    if not isinstance(tree, ast.Node):
        return tree
    changes = {}
    for field in fields(tree):
        old = getattr(tree, field.name)
        if (value := rebuild(old, new)) is not old:
            changes[field.name] = value
    return replace(tree, **changes) if changes else tree


def _tree(tree: ast.File, donor: ast.File, random: Random) -> ast.File:
    """Change one place of a tree: an expression, a list of parts (statements, arguments, dims), or a leaf."""
    change: Callable[..., Rebuilt] = random.choice((_graft, _exchange, _leaf, _leaf, _list, _list, _wrap))
    changed: ast.File = rebuild(tree, change(tree, donor, random))
    return changed


def _graft(tree: ast.File, donor: ast.File, random: Random) -> Rebuilt:
    """An expression, type or statement becomes another one of the same kind, perhaps of another spec."""
    here = list(nodes(tree))
    there = list(nodes(donor)) if random.random() < 0.5 else here
    kind = random.choice((ast.Expr, ast.Expr, ast.Expr, ast.Type, ast.Stmt))
    old, new = _pick(here, kind, random), _pick(there, kind, random)
    return {id(old): new} if old is not None and new is not None else {}


def _exchange(tree: ast.File, donor: ast.File, random: Random) -> Rebuilt:
    here = list(nodes(tree))
    kind = random.choice((ast.Expr, ast.Type, ast.Parameter, ast.Argument))
    one, other = _pick(here, kind, random), _pick(here, kind, random)
    return {id(one): other, id(other): one} if one is not None and other is not None else {}


def _pick(found: Sequence[ast.Node], kind: type[ast.Node], random: Random) -> ast.Node | None:
    fitting = [node for node in found if isinstance(node, kind) and not isinstance(node, _FIXED)]
    return random.choice(fitting) if fitting else None


def _leaf(tree: ast.File, donor: ast.File, random: Random) -> Rebuilt:
    """A name, number, constant or operator becomes another one."""
    here = [node for node in nodes(tree) if isinstance(node, ast.Name | ast.Number | ast.Constant | ast.Binary)]
    names = sorted({node.id for node in here if isinstance(node, ast.Name)})
    if not here:
        return {}
    old = random.choice(here)
    new: ast.Node
    match old:
        case ast.Name(word):
            choices = (random.choice(names), random.choice(library_names()), _misspelt(word, random))
            new = replace(old, id=random.choice(choices))
        case ast.Number(value):
            wild = random.choice((0, 1, 2, 3, 17, 10**6, 2**31, 2**63, 0.5, 1e-3, 1e300))
            new = replace(old, value=random.choice((value + 1, value * 2, wild)))
        case ast.Binary():
            new = replace(old, op=random.choice(OPERATORS))
        case _:
            new = ast.Constant(random.choice((True, False, None)), span=old.span)
    return {id(old): new}


def _list(tree: ast.File, donor: ast.File, random: Random) -> Rebuilt:
    """In a list of nodes, one is left out, repeated, or exchanged with another."""
    lists = [
        value
        for node in nodes(tree)
        for field in fields(node)
        if isinstance(value := getattr(node, field.name), tuple) and value and isinstance(value[0], ast.Node)
    ]
    if not lists:
        return {}
    old = random.choice(lists)
    items = list(old)
    at = random.randrange(len(items))
    match random.choice(("delete", "repeat", "exchange")):
        case "delete" if len(items) > 1:
            del items[at]
        case "exchange" if len(items) > 1:
            other = random.randrange(len(items))
            items[at], items[other] = items[other], items[at]
        case _:
            items.insert(random.randrange(len(items) + 1), items[at])
    return {id(old): tuple(items)}


def _wrap(tree: ast.File, donor: ast.File, random: Random) -> Rebuilt:
    """An expression becomes part of a greater one."""
    here = list(nodes(tree))
    old, part = _pick(here, ast.Expr, random), _pick(here, ast.Expr, random)
    if not isinstance(old, ast.Expr) or not isinstance(part, ast.Expr):
        return {}
    span = old.span
    name = ast.Name(random.choice(library_names()), span=span)
    wrapped = random.choice(
        (
            ast.Call(name, (ast.Argument(old, span=span),), span=span),
            ast.Binary(random.choice(OPERATORS), old, part, span=span, op_span=span),
            ast.Unary(random.choice(("-", "not")), old, span=span),
            ast.Index(old, (ast.Number(random.choice((0, 1, -1, 5)), span=span),), span=span),
            ast.Pipe(old, name, span=span),
            ast.List((old, part), span=span),
            ast.Conditional(old, part, old, span=span),
        )
    )
    return {id(old): wrapped}


# ---------------------------------------------------------------- YAML


def _yaml_nodes(text: str, random: Random) -> str:
    """Change one entry of a mapping or one item of a sequence, and write the document anew."""
    try:
        document = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return _tokens(text, random)
    places = [(node, at) for node in _collections(document) for at in range(len(node.value))]
    if not places:
        return _tokens(text, random)
    holder, at = random.choice(places)
    match random.choices(("change", "delete", "repeat", "exchange", "key"), (10, 2, 1, 2, 2))[0]:
        case "delete":
            del holder.value[at]
        case "repeat":
            holder.value.insert(at, holder.value[at])
        case "exchange":
            other = random.randrange(len(holder.value))
            holder.value[at], holder.value[other] = holder.value[other], holder.value[at]
        case "key" if isinstance(holder, yaml.MappingNode):
            _set(holder, at, 0, _other_node(holder.value[at][0], places, random))
        case _:
            _set(holder, at, 1, _other_node(_get(holder, at), places, random))
    written: str = yaml.serialize(document, Dumper=yaml.SafeDumper, allow_unicode=True, width=10**6)
    return written


def _collections(node: yaml.Node | None, around: frozenset[int] = frozenset()) -> Iterator[yaml.CollectionNode]:
    """The mappings and sequences of a document. An alias may stand inside what it names."""
    if isinstance(node, yaml.CollectionNode) and id(node) not in around:
        yield node
        for at in range(len(node.value)):
            yield from _collections(_get(node, at), around | {id(node)})


def _get(holder: yaml.CollectionNode, at: int) -> yaml.Node:
    found: yaml.Node = holder.value[at][1] if isinstance(holder, yaml.MappingNode) else holder.value[at]
    return found


def _set(holder: yaml.CollectionNode, at: int, part: int, node: yaml.Node) -> None:
    if isinstance(holder, yaml.MappingNode):
        pair = list(holder.value[at])
        pair[part] = node
        holder.value[at] = tuple(pair)
    else:
        holder.value[at] = node


def _other_node(node: yaml.Node, places: Sequence[tuple[yaml.CollectionNode, int]], random: Random) -> yaml.Node:
    match random.choices(("inside", "scalar", "elsewhere", "list", "entry"), (16, 2, 3, 1, 1))[0]:
        case "inside" if isinstance(node, yaml.ScalarNode) and node.value:
            return yaml.ScalarNode(node.tag, _tokens(node.value, random), style=node.style)
        case "elsewhere":
            return _get(*random.choice(places))
        case "list":
            return yaml.SequenceNode("tag:yaml.org,2002:seq", [node])
        case "entry":
            return yaml.MappingNode("tag:yaml.org,2002:map", [(yaml.ScalarNode(TEXT, random.choice(SCALARS)), node)])
    return yaml.ScalarNode(TEXT, random.choice(SCALARS))
