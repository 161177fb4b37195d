"""The YAML spelling: the same trees as in the text language, places in the YAML text, round trips, bounded time."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.diagnostics.catalogue import catalogue
from archonnx.grammar.diagnostics.render import render
from archonnx.grammar.format import format_ast
from archonnx.grammar.record import fields
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.text.parser import parse
from archonnx.grammar.yaml import parse_yaml, to_yaml
from archonnx.grammar.yaml.reading import files as yaml_files
from tests.support.both_spellings import ARCH, YAML
from tests.support.random_ast import NAMES, files

ROOT = Path(__file__).parents[2]
CHAINS = {"breast_cancer_logistic", "diabetes_linear", "digits_cnn", "digits_mlp", "xor"}
"""Specs of the zoo that are chains of layers: all of YAML's short forms, and no text of the language."""
SPECS = sorted([*(ROOT / "tests/data/examples").glob("*.arch"), *(ROOT / "specs").rglob("*.arch")])

PIPED = """\
    logits = image
        |> Conv(filters=width, kernel=3, padding=same)
        |> relu
        |> MaxPool(2)
        |> Conv(filters=2 * width, kernel=3, padding=same)
        |> relu
        |> MaxPool(2)
        |> flatten
        |> Dropout(0.25)
        |> Dense(classes)
    output probs = softmax(logits)
"""


def read(text: str) -> ast.File:
    return parse_yaml(Source("t.yaml", text))


def tree(text: str) -> ast.File:
    return parse(Source("t.arch", text))


def model(text: str) -> ast.File:
    """The tree of a model whose sections are given."""
    return read(f"model: M\n{text}")


def body(text: str) -> ast.Suite:
    (node,) = tree(text).declarations
    assert isinstance(node, ast.Model)
    return node.body


def codes(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(text)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


# ---------------------------------------------------------------- the same trees


def test_the_example_of_the_language_page_is_this_text() -> None:
    """The chain is one pipe; `filters` is given by name; what the YAML leaves out (docstring, type) is missing."""
    start, end = ARCH.index("    x = image"), ARCH.index("    loss")
    text = f"{ARCH[:start]}{PIPED}{ARCH[end:]}"
    assert read(YAML) == tree(text.replace('    """A small convolutional classifier for 8x8 grey digits."""\n', ""))


SECTIONS = {
    "args: {a: 1, b: 0.5, c: true, d: '\"x\"', e: relu, f: fn, g: {type: int}, h: {}, i: [1, 2], j: 1e-3, k: -2}": (
        'model M(a: int = 1, b: float = 0.5, c: bool = true, d: string = "x", e=relu, f: fn, g: int, h, i=[1, 2], '
        "j: float = 1e-3, k: int = -2):\n    BODY"
    ),
    "args: {a: {type: 'choice[x, y] | int', default: 2}, b: {type: int | list}}": "model M(a: choice[x, y] | int = 2, b: int | list):\n    BODY",
    "args: {a: {type: 'choice[x, y]', default: x}, b: 'list[int]', c: none, d: {default: int}}": "model M(a: choice[x, y] = x, b: list[int], c=none, d=int):\n    BODY",
    "inputs: {x: [B, 3], y: f32, z: '[...S, n // 2]'}": "model M():\n    input x: [B, 3]\n    input y: f32\n    input z: [...S, n // 2]\n    BODY",
    "params:\n  W: {type: '[n, m]', init: glorot(), decay: false}\n  b: {type: [n], value: 0}": "model M():\n    param W: [n, m] ~ glorot(), decay=false\n    param b: [n] = 0\n    BODY",
    "buffers: {n: {type: 'i64[]', value: 0}}\nasserts: [T > 1, n == 2]": "model M():\n    assert T > 1\n    assert n == 2\n    buffer n: i64[] = 0\n    BODY",
    "asserts: {T > 1: '\"too {T}\"'}": 'model M():\n    assert T > 1, "too {T}"\n    BODY',
    "metrics: {far: {value: 'f(a)', better: smaller}}\noutputs: {p: {type: [B], value: y}}": "model M():\n    BODY\n    output p: [B] = y\n    metric far = f(a), smaller",
    "metrics: {auc: {over: set, value: 'roc(a, b)'}}\noutputs: {p: {type: [B], value: y}}": "model M():\n    BODY\n    output p: [B] = y\n    metric auc over set = roc(a, b)",
    "methods:\n  f: {inputs: {x: [n], k: {type: int, default: 2}}, returns: [n], return: k * x}": "model M():\n    BODY\n    fn f(x: [n], k: int = 2) -> [n]:\n        return k * x",
    "entries:\n  e:\n    doc: Some.\n    inputs: {n: dim}\n    returns: {x: '[n, 2]', y: [n]}\n    return: [g(n), n]": 'model M():\n    BODY\n    entry e(n: dim) -> (x: [n, 2], y: [n]):\n        """Some."""\n'
    "        return g(n), n",
    "doc: |\n  One line.\n\n  Another.": 'model M():\n    """One line.\n\n    Another."""\n    BODY',
}


@pytest.mark.parametrize("text", SECTIONS)
def test_sections_of_a_model(text: str) -> None:
    expected = tree(SECTIONS[text].replace("BODY", "y = x"))
    assert model(f"{text}\nbody: y = x\n") == expected
    assert model(f"body: y = x\n{text}\n") == expected  # the order of keys means nothing


LAYERS = {
    "[relu, {Dense: 3, as: y}]": "y = x |> relu |> Dense(3)",
    "['f(2)', {relu: , as: y}]": "y = x |> f(2) |> relu",
    "[{f: [1, 'g(2)'], as: y}, {f: {a: 1, b: [1, 2]}, as: z}]": "y = x |> f(1, g(2))\n    z = y |> f(a=1, b=[1, 2])",
    "[{f: 1, as: a}, {g: 2, from: x, as: b}, {add: , from: [a, b], as: y}]": "a = x |> f(1)\n    b = x |> g(2)\n    y = (a, b) |> add",
    "[{einsum: '\"b t, t d -> b d\"', as: y}]": 'y = x |> einsum("b t, t d -> b d")',
    "[relu, {repeat: 4, layers: [tanh, {Dense: 2}]}, {f: , as: y}]": "_ = x |> relu\n    for _i in range(4):\n        _ = _ |> tanh |> Dense(2)\n    y = _ |> f",
    "[{for: 'c, d', in: [[1, 2]], layers: [{Conv: [c, d]}], as: y}]": "_ = x\n    for c, d in [[1, 2]]:\n        _ = _ |> Conv(c, d)\n    y = _",
    "[relu, {branches: {a: [f, g], b: []}, join: a + b}, {h: , as: y}]": "_ = x |> relu\n    a = _ |> f |> g\n    b = _\n    y = a + b |> h",
    "[{branches: {a: [{repeat: 2, layers: [f]}], b: [g]}, join: 'concat([a, b])', as: y}]": "_1 = x\n    for _i in range(2):\n        _1 = _1 |> f\n    a = _1\n    b = x |> g\n    y = concat([a, b])",
}


@pytest.mark.parametrize("text", LAYERS)
def test_layers(text: str) -> None:
    assert model(f"inputs: {{x: [B]}}\nlayers: {text}") == tree(f"model M():\n    input x: [B]\n    {LAYERS[text]}\n")


def test_a_long_chain_is_cut() -> None:
    found = model(f"inputs: {{x: [B]}}\nlayers: [{'relu, ' * 99} {{relu: , as: y}}]")
    assert parse(Source("t.arch", format_ast(found))) == found
    assert format_ast(found).count("relu") == 100 and format_ast(found).count("_ = ") == 2


PROGRAMS = {
    "data: {csv: {path: a b.csv, target: y, header: true, skip: 2, names: [a, '1']}}": 'data = csv(path="a b.csv", target="y", header=true, skip=2, names=["a", "1"])',
    "data: {npz: '1'}": 'data = npz("1")',
    "data: 'gymnasium(\"CartPole-v1\", policy=act)'": 'data = gymnasium("CartPole-v1", policy=act)',
    "data: {generate: {f: two_moons, n: 20}}": "data = generate(f=two_moons, n=20)",
    "sources: {real: {images: dir}}\nfeed_whole: {A: data.A}": 'data real = images("dir")\n    feed whole A = data.A',
    "batch_size: all\nsplit: {train: 0.5, by: [a, b]}": "batch_size = all\n    split = {train: 0.5, by: [a, b]}",
    "name: pretrain\nof: M\nsteps:\n- {minimize: l, over: [G, net.D], with: sgd()}\n- {update: a.b, to: 2 * a.b}": "minimize l over G, net.D with sgd()\n    update a.b = 2 * a.b",
    "steps:\n- {repeat: 2, steps: [{every: 3, steps: [{minimize: l, with: sgd}]}]}\n- {together: [{body: y = 1}]}": "repeat 2:\n        every 3:\n            minimize l with sgd\n    together:\n        y = 1",
    "body: |\n  for k in ks:\n    clip = k\nepochs: 3": "for k in ks:\n        clip = k\n    epochs = 3",
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_programs(text: str) -> None:
    header = "train pretrain of M" if "pretrain" in text else "train"
    indented = text.replace("\n", "\n  ")
    assert read(f"train:\n  {indented}") == tree(f"{header}:\n    {PROGRAMS[text]}\n")


def test_several_programs_a_search_imports_and_declarations() -> None:
    text = """
imports: {blocks.arch: [A, B], c.arch: C}
declarations: |
  fn f(x: [n]) -> [n]:
      return x
  backward(dy):
      return dy
optimizers:
  plain: {args: {lr: 0.1}, inputs: {p: "[...S]", g: "[...S]"}, returns: "[...S]", return: p - lr * g}
schedules:
  flat: {args: {v: {type: float}}, inputs: {t: "i64[]"}, return: v}
blocks:
  Twice: {inputs: {x: "[B, n]"}, returns: "[B, n]", layers: [{Dense: 2}, relu]}
train:
  - {name: a, epochs: 1}
  - {name: b, start_from: a}
search: {lr: "loguniform(1e-4, 1e-1)", maximize: valid.accuracy, trials: 4}
"""
    assert read(text) == tree("""
from "blocks.arch" import A, B
from "c.arch" import C
fn f(x: [n]) -> [n]:
    return x
backward(dy):
    return dy
optimizer plain(lr: float = 0.1)(p: [...S], g: [...S]) -> [...S]:
    return p - lr * g
schedule flat(v: float)(t: i64[]):
    return v
block Twice()(x: [B, n]) -> [B, n]:
    return x |> Dense(2) |> relu
train a:
    epochs = 1
train b:
    start_from = a
search:
    lr = loguniform(1e-4, 1e-1)
    maximize valid.accuracy
    trials = 4
""")


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "1e-3", "0x1", "2001-01-01", "y", "Null_", "12:30:45"])
def test_yaml_has_no_types_of_its_own(word: str) -> None:
    """A scalar means what it means in the text language, be that an error."""

    def result(name: str, text: str) -> object:
        try:
            return read_tree(Source(name, text)).declarations
        except SpecError as error:
            return [diagnostic.code for diagnostic in error.diagnostics]

    quoted = result("t.yaml", f"train: {{a: '{word}'}}")
    assert result("t.yaml", f"train: {{a: {word}}}") == quoted == result("t.arch", f"train:\n    a = {word}\n")


@pytest.mark.parametrize("word", ["~", "null", "NULL", ""])
def test_nothing_is_no_value(word: str) -> None:
    assert codes(f"train: {{a: {word}}}") == ["AX0128"]


# ---------------------------------------------------------------- places


STYLES = ["{}", "'{}'", '"{}"', "|\n    {}", ">-\n    {}", '"{}\\\n    "', "'{}\n    '", '"\\u0020\\t{}"', "&anchor {}"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("value", ["cross_entropy(logits, label)", 'f("größe", it)', "a\n      + bb\n      - c"])
def test_spans_point_into_the_yaml(style: str, value: str) -> None:
    if style[:1] in "'\"" and '"' in value:
        value = value.replace('"', '\\"') if style[0] == '"' else value
    text = f"model: M\nlosses:\n  l: {style.format(value)}\n"
    (node,) = read(text).declarations
    names = [n for n in nodes(node) if isinstance(n, ast.Name)]
    assert len(names) >= 2
    for name in names:
        assert name.span.source.text == text and name.span.text == name.id


def nodes(tree: object) -> list[ast.Node]:
    if isinstance(tree, tuple):
        return [node for item in tree for node in nodes(item)]
    if not isinstance(tree, ast.Node):
        return []
    return [tree, *(node for field in fields(tree) for node in nodes(getattr(tree, field.name)))]


def test_an_error_inside_a_quoted_scalar_is_shown_at_its_place() -> None:
    text = 'model: M\nlosses: {l: "f(\\"a\\", b c)"}\n'
    with pytest.raises(SpecError) as caught:
        read(text)
    span = caught.value.diagnostics[0].span
    assert span is not None and (span.text, span.start) == ("c", text.index("c)"))


def test_every_node_of_a_file_is_inside_it() -> None:
    for node in nodes(read(YAML)):
        assert node.span.source.text == YAML and 0 <= node.span.start < node.span.end <= len(YAML)


def test_all_mistakes_are_told_at_once() -> None:
    found = codes("model: M\nmodle: N\ninputs: {x: [B}\n")
    assert found == ["AX0124"]  # what is not YAML cannot be read on
    found = codes("model: M\nmodle: N\ninputs: {x: '[B', y: 3 4}\nlosses: {l: 1 +}\ntrain: {a: b c, a: 1}\n")
    assert sorted(found) == ["AX0101", "AX0101", "AX0101", "AX0109", "AX0120", "AX0127"]


# ---------------------------------------------------------------- round trips


CHAINS = {"digits_cnn", "digits_mlp", "breast_cancer_logistic", "diabetes_linear", "lenet5", "xor"}
"""Specs of the zoo that need no text of the language in YAML: their models are chains of layers."""


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_specs_go_to_yaml_and_back(path: Path) -> None:
    file = parse(Source(path.name, path.read_text(encoding="utf-8")))
    text = to_yaml(file)
    assert read(text) == file
    assert to_yaml(read(text)) == text
    if path.stem in CHAINS:
        assert "declarations:" not in text and "body:" not in text.partition("model:")[2]


@settings(deadline=None, max_examples=30)
@given(files)
def test_any_tree_goes_to_yaml_and_back(file: ast.File) -> None:
    file = parse(Source("t.arch", format_ast(file)))
    text = to_yaml(file)
    assert read(text) == file
    assert parse(Source("t.arch", format_ast(read(text)))) == file


# ---------------------------------------------------------------- any text, in bounded time


PIECES = [
    *(f"{key}: " for key in yaml_files.FILE_KEYS),
    "relu",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "? ",
    "\n",
    "\n  ",
    "\n    ",
    "'",
    '"',
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "!!int ",
    "!t ",
    "<<: ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "# c\n",
    "\\",
    "\t",
    "\x00",
    "\x85",
    "~",
    "null",
    "1e-3",
    "f(x, 1)",
    '"[B, 4]"',
    "repeat",
    "branches",
    "as",
    "from",
    "type",
    "value",
    "minimize",
    "with",
    "steps",
    "\\U00110000",
    "\\ud800",
    "é",
    "\u2028",
    *NAMES,
]


def check_any(text: str) -> None:
    try:
        read(text)
    except SpecError as error:
        for diagnostic in error.diagnostics:
            assert diagnostic.code in catalogue() and diagnostic.headline
            for label in diagnostic.labels:
                assert 0 <= label.span.start <= label.span.end <= len(text)
            render(diagnostic)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example('a: "\\U00110000"')
@example('model: M\nbody: "\\ud800"')
@example("%YAML 1.9999999999999999999\n---\na: 1")
@example("model: M\nlosses: {l: 'a\n\n  b', m: \"c\\\n  d\"}")
def test_any_pieces_of_yaml(text: str) -> None:
    check_any(text)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_characters(text: str) -> None:
    check_any(text)


@settings(deadline=None)
@given(data=st.data())
def test_the_example_with_a_part_cut_out_or_put_in(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(YAML)))
    end = data.draw(st.integers(start, min(start + 20, len(YAML))))
    check_any(YAML[:start] + data.draw(st.sampled_from(["", *PIECES])) + YAML[end:])


BOMB = "a: &a0 [x, x]\n" + "".join(f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
CHAIN = "a: &a0 [x]\n" + "".join(f"b{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 500))
HOSTILE = {
    "bomb": (BOMB, "AX0125"),
    "chain": (CHAIN, "AX0115"),
    "self": ("model: &a [*a]", "AX0125"),
    "brackets": ("model: " + "[" * 50_000, "AX0115"),
    "dashes": ("- " * 50_000, "AX0115"),
    "nested": ("\n".join(f"{' ' * i}a:" for i in range(400)), "AX0115"),
    "many": ("model: M\nargs:\n" + "".join(f"  a{i}: 1 1\n" for i in range(9_000)), "AX0101"),
    "keys": ("".join(f"a{i}: 1\n" for i in range(9_000)), "AX0127"),
    "long": ("a: " + "x" * 200_000, "AX0116"),
    "blanks": ('model: M\nlosses: {l: "\\t' + " " * 100_000 + '+"}', "AX0101"),
    "repeated": (
        f"model: M\nx: &a '{'(' * 5_000}'\nlosses: {{{', '.join(f'l{i}: *a' for i in range(9_000))}}}",
        "AX0125",
    ),
    "layers": ("model: M\nlayers:\n" + "- 1 1\n" * 9_000, "AX0101"),
    "commas": ("model: M\nlosses: {" + "a, " * 9_000 + "}", "AX0120"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end_soon_with_their_code(name: str) -> None:
    text, code = HOSTILE[name]
    started = time.perf_counter()
    assert code in codes(text)
    assert time.perf_counter() - started < 10


def test_the_names_of_sections_are_documented() -> None:
    assert yaml_files.__doc__ is not None
    assert set(yaml_files.FILE_KEYS) <= set(re.findall(r"\w+", yaml_files.__doc__))
