"""Records, with frozen dataclasses as the oracle."""

from __future__ import annotations

import copy
import math
import subprocess
import sys
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archonnx.grammar.record import REQUIRED, Record, field, fields, replace
from tests.support.copies import DEEP_WAYS, WAYS


class Node(Record):
    span: int = field(compare=False, repr=False, kw_only=True)


class Leaf(Node):
    kind: ClassVar[str] = "leaf"
    value: object


class Pair(Node):
    left: object
    right: object = None
    note: str = field(default="", compare=False)


class Empty(Record):
    pass


class Identity(Record, eq=False):
    value: int


@dataclass(frozen=True, slots=True)
class DataNode:
    span: int = dataclass_field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class DataLeaf(DataNode):
    kind: ClassVar[str] = "leaf"
    value: object


@dataclass(frozen=True, slots=True)
class DataPair(DataNode):
    left: object
    right: object = None
    note: str = dataclass_field(default="", compare=False)


TWINS: dict[type, type] = {Leaf: DataLeaf, Pair: DataPair}
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, math.nan, "a", ""])


def records(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    spans, values = st.integers(0, 3), SCALARS | children | st.tuples(children, children)
    return st.builds(Leaf, values, span=spans) | st.builds(Pair, values, values, st.sampled_from(["", "n"]), span=spans)


TREES = st.recursive(st.builds(Leaf, SCALARS, span=st.integers(0, 3)), records, max_leaves=6)


def twin(value: Any) -> Any:
    """The same tree of dataclasses."""
    if isinstance(value, tuple):
        return tuple(map(twin, value))
    if not isinstance(value, Record):
        return value
    return TWINS[type(value)](**{f.name: twin(getattr(value, f.name)) for f in fields(value)})


@given(TREES, TREES)
def test_equality_hash_and_text_are_those_of_dataclasses(a: Record, b: Record) -> None:
    assert (a == b) == (twin(a) == twin(b))
    assert repr(a) == repr(twin(a)).replace("Data", "")
    if a == b:
        assert hash(a) == hash(b)
    assert a != twin(a)


def test_records_of_two_classes_differ() -> None:
    class Other(Node):
        value: object

    assert Leaf(1, span=0) != Other(1, span=0)
    assert Identity(1) != Identity(1)
    assert len({Identity(1), Identity(1)}) == 2
    assert Empty() == Empty()


@pytest.mark.parametrize(
    "arguments, named",
    [
        ((), {"span": 0}),
        ((1,), {}),
        ((1, 2), {"span": 0}),
        ((1,), {"span": 0, "other": 1}),
        ((1,), {"span": 0, "value": 1}),
    ],
)
def test_wrong_arguments_are_refused_as_by_a_function(arguments: tuple[int, ...], named: dict[str, int]) -> None:
    for cls in (Leaf, DataLeaf):
        with pytest.raises(TypeError, match=r"Leaf\.__init__\(\)"):
            cls(*arguments, **named)


def test_a_constructor_is_compiled_for_each_class_whichever_is_first() -> None:
    class Base(Record):
        a: int = 1

    class Derived(Base):
        b: int = 2

    assert (Base().a, Derived().a, Derived().b) == (1, 1, 2)
    assert Base(5).a == 5
    assert repr(Derived(3, b=4)).endswith("Derived(a=3, b=4)")


def test_a_field_declared_again_keeps_its_place() -> None:
    class Base(Record):
        a: int = 1
        b: int = 2

    class Derived(Base):
        a: int = 10

    assert (Derived().a, Derived().b) == (10, 2)
    assert Derived.__match_args__ == ("a", "b")


def test_records_do_not_change_and_hold_nothing_else() -> None:
    leaf = Leaf(1, span=0)
    for change in (lambda: setattr(leaf, "value", 2), lambda: setattr(leaf, "more", 2), lambda: delattr(leaf, "value")):
        with pytest.raises(AttributeError):
            change()
    assert leaf.value == 1
    assert not hasattr(leaf, "__dict__")


def test_patterns_match_by_position() -> None:
    match Pair(1, 2, span=0):
        case Pair(left, right, note):
            assert (left, right, note) == (1, 2, "")
        case _:
            raise AssertionError


def test_fields_and_replace() -> None:
    assert [f.name for f in fields(Pair)] == ["span", "left", "right", "note"]
    assert [f.default for f in fields(Pair)] == [REQUIRED, REQUIRED, None, ""]
    assert fields(Pair(1, span=0)) is fields(Pair)
    pair = replace(Pair(1, 2, "n", span=3), left=5)
    assert (pair.left, pair.right, pair.note, pair.span) == (5, 2, "n", 3)
    with pytest.raises(TypeError):
        replace(pair, other=1)


@given(TREES)
def test_copies_are_those_of_dataclasses(tree: Record) -> None:
    for way in WAYS:
        again = way(tree)
        assert type(again) is type(tree) and repr(twin(again)) == repr(way(twin(tree))) == repr(twin(tree))
        assert [getattr(again, f.name) for f in fields(tree) if not f.compare] == [
            getattr(tree, f.name) for f in fields(tree) if not f.compare
        ]


def test_what_is_shared_stays_shared_and_what_is_known_by_identity_is_a_new_one() -> None:
    value = Identity(1)
    for way in DEEP_WAYS:
        (left, right), other = way((Leaf((value, value), span=0).value, Identity(1)))
        assert left is right and left is not value and left != other and left.value == 1


def test_a_record_in_a_cycle_is_pickled() -> None:
    children: list[object] = []
    parent = Identity(children)  # type: ignore[arg-type]
    children.append(parent)
    for way in DEEP_WAYS:
        again = way(parent)
        assert again.value[0] is again


def test_copy_replace_knows_records() -> None:
    """`copy.replace` (Python 3.13) asks for this method."""
    pair = Pair(1, 2, "n", span=3)
    assert pair.__replace__(left=5) == replace(pair, left=5)
    if hasattr(copy, "replace"):
        assert copy.replace(pair, left=5) == replace(pair, left=5)


def test_declaring_records_compiles_nothing() -> None:
    """That is what they are for: classes that are not used cost no compilation."""
    program = (
        "import builtins, sys\n"
        "from archonnx.grammar import record\n"
        "compiled = []\n"
        "record.exec = lambda *a: (compiled.append(a), builtins.exec(*a))\n"
        "from archonnx.grammar import ast\n"
        "assert not compiled\n"
        "ast.Dots(span=None), ast.Dots(span=None)\n"
        "assert len(compiled) == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
