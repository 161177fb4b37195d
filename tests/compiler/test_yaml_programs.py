"""A spec in YAML is the same program as in the text language: same parameters, same graphs, same steps."""

from __future__ import annotations

from archonnx.compiler.ir.text import print_graph
from archonnx.compiler.pipeline import elaborate, parse_spec
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
    for x, y in zip(first.steps(100, 10), second.steps(100, 10), strict=True):
        assert print_graph(x.graph, origins=False) == print_graph(y.graph, origins=False)
