"""A spec in YAML is the same program as in the text language: same parameters, same graphs, same steps."""

from __future__ import annotations

from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.grammar.source import Source
from tests.support.both_spellings import ARCH, YAML


def test_the_example_of_the_language_page_is_the_same_program_as_in_text() -> None:
    one, two = (elaborate(parse_spec(Source(name, text))) for name, text in (("d.arch", ARCH), ("d.yaml", YAML)))
    assert one.name == two.name and list(one.fields) == list(two.fields)
    assert {path: p.type for path, p in one.parameters.items()} == {path: p.type for path, p in two.parameters.items()}
    for a, b in ((one.infer, two.infer), (one.evaluate, two.evaluate)):
        assert print_graph(a, origins=False) == print_graph(b, origins=False)
    (first,), (second,) = one.programs, two.programs
    assert first.settings == second.settings
    assert first.source is not None and second.source is not None
    assert (first.source.kind, first.source.arguments) == (second.source.kind, second.source.arguments)
    steps = (train_steps(of, of.programs[0], 100, 10) for of in (one, two))
    for x, y in zip(*steps, strict=True):
        assert print_graph(x.graph, origins=False) == print_graph(y.graph, origins=False)


def test_several_values_are_handed_on_as_arguments() -> None:
    """`from: [a, b]` gives a fn its first arguments and a block its inputs."""
    text = """
fns: {weighted: {inputs: {x: [B], y: [B], w: float}, returns: [B], return: x + w * y}}
blocks: {Sum: {args: {w: 1.0}, inputs: {x: [B], y: [B]}, returns: [B], return: w * x + y}}
model: M
inputs: {a: [B], b: [B]}
layers: [{weighted: 2, from: [a, b], as: c}, {Sum: 3, from: [a, c], as: d}]
outputs: {d: d}
"""
    expected = """
fn weighted(x: [B], y: [B], w: float) -> [B]:
    return x + w * y
block Sum(w: float = 1.0)(x: [B], y: [B]) -> [B]:
    return w * x + y
model M():
    input a: [B]
    input b: [B]
    c = weighted(a, b, 2)
    output d = Sum(3)(a, c)
"""
    one, two = (elaborate(parse_spec(Source(name, t))) for name, t in (("m.yaml", text), ("m.arch", expected)))
    assert print_graph(one.infer, origins=False) == print_graph(two.infer, origins=False)
