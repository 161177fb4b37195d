"""Which room may import which: the layers of the project, read off every import there is.

Imports inside functions and those for type checkers count like any other. ``make check`` runs this file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("specs", "grammar", "compiler", "runtime")
"""Folders that are packages of ``archonnx``."""
OUTSIDE = ("tests", "benchmarks", "docs")
"""What may import everything, and what nothing of the project imports."""
LAYERS = """
specs grammar.record
grammar.source grammar.foreign
grammar.budget grammar.uncollected
grammar.ast grammar.diagnostics
grammar.bounded
grammar.text
grammar.format
grammar.yaml
grammar.spec
compiler.directions compiler.opset compiler.plan
compiler.errors compiler.set_metrics compiler.settings compiler.tokens
compiler.sources
compiler.ir compiler.older
compiler.ops compiler.interpret compiler.feeding
compiler.autodiff compiler.spec
compiler.models
compiler.loops
compiler.passes
compiler.program
compiler.written_over compiler.combining compiler.gradients compiler.remat compiler.counting compiler.ranges compiler.rectified
compiler.elaborate.core compiler.marks
compiler.elaborate.meaning
compiler.elaborate.builtin compiler.elaborate.model
compiler.elaborate.files compiler.elaborate.training
compiler.blockwise compiler.helps compiler.lints compiler.lowering compiler.raw compiler.rows compiler.splitting compiler.trace compiler.steps
compiler.portability
compiler.apart compiler.joining compiler.looked_up compiler.mixed compiler.turned
compiler.onnx_export compiler.pipeline
compiler.checking
runtime.aside runtime.interrupt runtime.shared_memory
runtime.checksums runtime.disk runtime.pieces runtime.extras runtime.assumptions runtime.columns runtime.html runtime.paths runtime.seeds
runtime.ranks
runtime.mpi
runtime.files
runtime.staging
runtime.reserving
runtime.measures runtime.data
runtime.device
runtime.training
runtime.export runtime.insight
runtime.folders
archonnx.lsp
archonnx
"""
"""From the bottom up: a module imports its own room and those of lower lines; rooms of one line do not see each other."""


def modules() -> dict[str, Path]:
    """Every module of the project by its name, ``archonnx.`` left out; the front door is ``archonnx``."""
    found = {}
    for top in (*FOLDERS, "archonnx"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def named(module: str) -> str | None:
    """The module of the project that an absolute name stands for."""
    inner = module.removeprefix("archonnx.")
    if inner.partition(".")[0] in FOLDERS:
        return inner if inner in MODULES else None
    return module if module in MODULES else None


class Imports(dict[str, dict[str, int]]):
    """What each module imports, with the lines; a module is read when it is first asked for."""

    def __missing__(self, module: str) -> dict[str, int]:
        found = self[module] = dict(imported(module))
        return found


def imported(module: str) -> Iterator[tuple[str, int]]:
    """The modules that a module imports, with the lines; a name that is imported from a package may be a module."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((found, node.lineno) for alias in node.names if (found := named(alias.name)))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*outer, *([base] if base else [])])
            for alias in node.names:
                found = named(f"{base}.{alias.name}") or named(base)
                if found is not None and found != module:
                    yield found, node.lineno


IMPORTS = Imports()
LEVELS = {room: level for level, line in enumerate(LAYERS.split("\n")) for room in line.split()}


def room(module: str) -> str:
    """The room of a module: the longest name in the list of layers that it begins with."""
    parts = module.split(".")
    return next(name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in (*LEVELS, *FOLDERS))


DOORS = {*FOLDERS, "compiler.elaborate"}
"""Packages that hold rooms and nothing else: their ``__init__`` imports nothing of the project."""


def test_every_module_is_in_a_room() -> None:
    assert [m for m in MODULES if m not in DOORS and room(m) not in LEVELS] == []
    assert [name for name in LEVELS if not any(m == name or m.startswith(f"{name}.") for m in MODULES)] == []


def test_doors_import_nothing() -> None:
    assert {door: IMPORTS[door] for door in DOORS if IMPORTS[door]} == {}


def test_a_module_imports_its_own_room_and_those_below() -> None:
    wrong = [
        f"{MODULES[module].relative_to(ROOT)}:{line} imports {other}"
        for module in MODULES
        if module not in DOORS
        for other, line in IMPORTS[module].items()
        if other not in DOORS and room(other) != room(module) and LEVELS[room(other)] >= LEVELS[room(module)]
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert list(circles()) == []


LATE = {
    ("compiler.elaborate.training.step", "compiler.passes.manager"),  # a check of a spec loads no passes
    ("grammar.spec", "grammar.yaml"),  # nor does a spec in the language load what reads YAML
    ("compiler.elaborate.training.search", "grammar.format"),  # only a search over fns writes an expression
    ("compiler.program", "compiler.settings"),  # for its types alone: what is handed over does not need pydantic
}
"""The only imports of the grammar and the compiler that are not at the top: each costs time where it is not needed."""


def test_modules_of_grammar_and_compiler_are_imported_at_the_top() -> None:
    inside = {
        (module, other)
        for module in MODULES
        if module.partition(".")[0] in ("grammar", "compiler")
        for other, line in IMPORTS[module].items()
        if MODULES[module].read_text("utf-8").split("\n")[line - 1].startswith(" ")
    }
    assert inside == LATE


def circles() -> Iterator[list[str]]:
    """Groups of modules of which each reaches each."""
    reached = {module: reachable(module) for module in MODULES}
    seen: set[str] = set()
    for module in MODULES:
        group = sorted(other for other in reached[module] if module in reached[other])
        if group and module not in seen:
            seen.update(group)
            yield group


def reachable(module: str) -> set[str]:
    """What a module imports, directly or not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        fresh = IMPORTS[waiting.pop()].keys() - found
        found |= fresh
        waiting += fresh
    return found


def test_what_the_docstring_of_a_room_lists_is_there() -> None:
    gone = {}
    for module, path in MODULES.items():
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" if path.name == "__init__.py" else ""
        listed = re.findall(r"^    (\w+)  +\S", docstring, re.MULTILINE)
        lost = [name for name in listed if f"{module}.{name}" not in MODULES]
        if lost and lost != listed:  # else it is a list of something else
            gone[module] = lost
    assert gone == {}


def test_nothing_imports_tests_or_benchmarks() -> None:
    texts = {path: path.read_text("utf-8") for path in MODULES.values()}
    assert [
        str(p) for p, text in texts.items() for top in OUTSIDE if f"from {top}" in text or f"import {top}" in text
    ] == []
