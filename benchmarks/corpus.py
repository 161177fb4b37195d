"""The specs that the fuzzer mutates: the zoo, the library, the examples of the tests and those of the documentation.

The library is mutated in copies of specs that include the declarations they use, so that mistakes in library code are
made inside a model. Every spec is also there in YAML. What this module does not do: mutate anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.grammar.spec import is_yaml, read_tree
from archonnx.grammar.text.outline import outline
from archonnx.grammar.yaml import to_yaml

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/language.md", "docs/diagnostics.md")
FENCE = re.compile(r"^```(?P<kind>arch|yaml)(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
DEEP = frozenset({
    "convnext_tiny", "densenet121", "inception_v1", "mobilenet_v2", "residual_mlp",
    "resnet34", "resnet50", "resnet101", "resnet152", "gpt2_small", "bert_base", "llama2_7b", "vit_b16",
})  # fmt: skip
"""Specs that take a second to elaborate and have nothing that ``resnet18``, ``unet`` and ``translation`` have not."""
WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Base:
    """A text to be mutated, written when it is first asked for; its name ends with its spelling.

    ``wrong``: it contains a mistake before any mutation. ``plain``: the base of which it is another form.
    """

    name: str
    write: Callable[[], str]
    wrong: bool = False
    plain: Base | None = None

    @cached_property
    def text(self) -> str:
        """What is mutated."""
        return self.write()

    @property
    def yaml(self) -> bool:
        """Whether it is in YAML."""
        return is_yaml(self.name)

    @cached_property
    def tree(self) -> ast.File | None:
        """Its tree; None where it shows a mistake of syntax."""
        try:
            return read_tree(Source(self.name, self.text))
        except SpecError:
            return None

    @cached_property
    def whole(self) -> bool:
        """Whether it is not wrong, and declares a model, so that there is something to elaborate."""
        if self.plain is not None:
            return self.plain.whole
        declarations = self.tree.declarations if self.tree is not None and not self.wrong else ()
        return any(isinstance(declaration, ast.Model) for declaration in declarations)


def corpus() -> tuple[Base, ...]:
    """All texts, always in the same order."""
    plain = [*_files(), *_fences()]
    carrying = [
        Base(f"{base.name.removesuffix('.arch')}_and_library.arch", partial(str, text), base.wrong, base)
        for base in plain
        if not base.yaml and (text := _with_library(base.text)) != base.text
    ]
    in_yaml = [
        Base(f"{base.name.removesuffix('.arch')}.yaml", partial(to_yaml, base.tree), base.wrong, base)
        for base in plain
        if not base.yaml and base.tree is not None
    ]
    return (*plain, *carrying, *in_yaml)


@cache
def library_names() -> tuple[str, ...]:
    """Every name that the library declares."""
    return tuple(sorted(_library()))


def _files() -> Iterator[Base]:
    folders = (ROOT / "specs" / "zoo", ROOT / "tests" / "data" / "examples")
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".arch", ".yaml")):
        if path.stem not in DEEP:
            yield Base(path.name, partial(path.read_text, "utf-8"))


def _fences() -> Iterator[Base]:
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            wrong = "error=" in match["info"] or page == "docs/diagnostics.md"
            yield Base(f"{Path(page).stem}_{line}.{match['kind']}", partial(str, match["body"]), wrong)


@cache
def _library() -> dict[str, str]:
    """The text of each declaration of the library."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "specs" / "std").glob("*.arch")):
        source = Source(path.name, path.read_text("utf-8"))
        found |= {item.name: source.text[item.start : item.end].rstrip() + "\n" for item in outline(source)}
    return found


def _with_library(text: str) -> str:
    """A text before which stand the declarations of the library that it uses, and those that these use."""
    library = _library()
    used: dict[str, None] = {}
    waiting = WORD.findall(text)
    own = {item.name for item in outline(Source("own.arch", text))}
    while waiting:
        name = waiting.pop()
        if name in library and name not in used and name not in own:
            used[name] = None
            waiting += WORD.findall(library[name])
    return "\n\n".join([*(library[name] for name in sorted(used)), text])
