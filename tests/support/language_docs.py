"""The examples of docs/language.md, each a fenced block of one of these kinds:

    arch                a complete spec, which compiles, with every step of its programs
    arch error=AX0301   a spec that is refused with this code alone
    arch file=NAME      either of them, saved as NAME for other examples; a file without a model is there to be imported
    values              statements, and lines ``EXPRESSION  # VALUE``, or ``EXPRESSION  # error AX0311``
    yaml [same=NAME]    a spec in YAML, which compiles; with ``same``, its tree is that of the saved file
    python              code that finds the saved files in its folder

A ``text`` block after a refused spec is the report, after ``python`` what it prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.elaborate.core.build import SEED, STEP, Build
from archonnx.compiler.elaborate.core.frame import Frame
from archonnx.compiler.elaborate.core.values import Choice, Module
from archonnx.compiler.elaborate.files.library import library
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.graph import Graph, needed
from archonnx.compiler.ir.value import Value
from archonnx.compiler.lints.finding import findings
from archonnx.compiler.pipeline import elaborate, parse_spec, train_steps
from archonnx.compiler.spec import Spec
from archonnx.grammar.diagnostics import Report, SpecError
from archonnx.grammar.source import Source, Span
from archonnx.grammar.text import parser
from tests.support import elaborated

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"(\w+)=(\S+)")
CHECKED = re.compile(r"(?P<expression>.*\S) +# (?P<value>.+)")
KINDS = ("arch", "values", "yaml", "python", "text", "sh")


@dataclass(frozen=True)
class Example:
    """A fenced block; ``shown`` is the ``text`` block after it, if there is one."""

    line: int
    kind: str
    options: dict[str, str]
    body: str
    shown: str | None

    def __str__(self) -> str:
        return f"line {self.line}"

    @property
    def file(self) -> str:
        return self.options.get("file", f"example.{self.kind}")

    def spec(self, folder: Path) -> Spec:
        return parse_spec(Source(self.file, self.body), path=folder / self.file)


def examples(page: str) -> list[Example]:
    """All fenced blocks of a page."""
    found = [(page.count("\n", 0, m.start()) + 1, m["info"], m["body"]) for m in FENCE.finditer(page)]
    return [
        Example(line, info.partition(" ")[0], dict(OPTION.findall(info)), body, after if after_info == "text" else None)
        for (line, info, body), (_, after_info, after) in pairwise([*found, (0, "", "")])
    ]


def compile_all(spec: Spec) -> None:
    """Everything of a spec, with the steps of its programs. SpecError if something is wrong."""
    model = elaborate(spec)
    assert not findings(model), "an example shows what is meant"
    for made in model.programs:
        train_steps(model, made, 1, 1)


# ---------------------------------------------------------------- values


def checked_values(block: str) -> Iterator[tuple[str, str, str]]:
    """Expression, expected and actual value of each line of a ``values`` block that has one.

    Nothing is in training: parameters have their initial values, and draws are made with the seed 0. A line
    ``minimize objective with OPTIMIZER`` has as its value what two steps make of a parameter p = 1 whose gradient is 1.
    """
    span = Span(Source("values", ""), 0, 0)
    build = Build(Report(), Module(None, {}, None, None, span))
    frame = Frame.top(build, library(), "fn")
    with build.builder.active():
        for line in filter(None, block.splitlines()):
            found = CHECKED.fullmatch(line)
            if found is None:
                (statement,) = parser.parse_body(Source("values", line))
                frame.execute(statement)
            elif found["expression"].startswith("minimize "):
                yield found["expression"], found["value"], _two_steps(found["expression"])
            else:
                yield found["expression"], found["value"], _value_or_code(frame, found["expression"])


def _two_steps(minimize: str) -> str:
    """What a statement of a ``train`` block makes of p = 1, where the objective is p, in two steps."""
    body = "param p: [] = 1\nloss objective = p * mean(x)"
    spec = elaborated.model(body, "x: [B]", after=f"\ntrain:\n    {minimize}\n")
    step = elaborated.train_step(elaborated.program(spec))
    after = elaborated.run_steps(step, {"p": np.float32(1)}, {"x": np.ones(1, np.float32)}, 2)
    return "p: " + ", ".join(_numbers(values["p"]) for values in after)


def _value_or_code(frame: Frame, text: str) -> str:
    try:
        return _shown(frame, frame.evaluate(parser.parse_expression(Source("values", text))))
    except SpecError as error:
        return "error " + ", ".join(d.code for d in (error.diagnostics or frame.build.report.diagnostics))


def _shown(frame: Frame, value: Any) -> str:
    match value:
        case bool() | None:
            return str(value).lower()
        case str():
            return f'"{value}"'
        case Choice() | int():
            return str(value)
        case float():
            return f"{value:.6g}" if value % 1 else f"{value:.1f}"
        case list():
            return f"[{', '.join(_shown(frame, item) for item in value)}]"
        case Value():
            nodes = needed(frame.build.builder.nodes, [value])
            graph = Graph("value", {}, tuple(nodes), {"value": value})
            return f"{value.type}: {_numbers(interpret(graph, {}, known=_known(frame.build))['value'])}"
    return type(value).__name__.lower()


def _known(build: Build) -> dict[Value, Any]:
    """The initial values of all parameters, and the seed of all draws."""
    known = {
        value: interpret(graph, dict.fromkeys(graph.inputs, 0))["value"]
        for slot, value in build.parameters.items()
        for graph in [slot.initial(slot.path)]
    }
    return known | {value: np.int64(0) for name, value in build.inputs.items() if name in (SEED, STEP)}


def _numbers(array: Any) -> str:
    if np.ndim(array):
        return f"[{', '.join(_numbers(part) for part in array)}]"
    return str(array).lower() if array.dtype == bool else f"{array:.4g}"
