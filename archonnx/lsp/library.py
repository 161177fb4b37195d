"""What is known of names that come with archonnx: signatures, words, and where each stands.

Declarations of the library are in the language, as a file's own are; functions of the language are in Python and stand
nowhere; settings and data sources are classes, whose fields say what they are in a docstring below each. What this
module does not do: know of any document.
"""

from __future__ import annotations

import ast as python
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from archonnx.compiler.elaborate.builtin.table import builtins
from archonnx.compiler.elaborate.core.suites import bound_names
from archonnx.compiler.elaborate.core.values import Builtin
from archonnx.compiler.elaborate.files.library import SPECS, library_texts
from archonnx.compiler.settings import Settings, Split, TrainSettings
from archonnx.compiler.sources import FRESH, GENERATE, SOURCES
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.record import Record
from archonnx.grammar.source import Source, Span

_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)
SIGNATURES = ("parameters", "hyperparameters", "inputs")


class Taken(Record):
    """A parameter: its name, how it is written in a signature, and the words that it may be."""

    name: str
    label: str
    words: tuple[str, ...] = ()
    doc: str = ""


class Signature(Record):
    """What can be called: ``groups`` are its argument lists, of which a block has two.

    ``doc`` is Markdown; ``place`` is where it is declared, if it is.
    """

    name: str
    kind: str
    groups: tuple[tuple[Taken, ...], ...]
    result: str = ""
    doc: str = ""
    place: Span | None = None

    @property
    def label(self) -> str:
        """The signature on one line."""
        groups = "".join(f"({', '.join(taken.label for taken in group)})" for group in self.groups)
        return f"{self.kind} {self.name}{groups}" + (f" -> {self.result}" if self.result else "")


@cache
def library_names() -> Mapping[str, object]:
    """All names of the library and of the language."""
    return {**dict.fromkeys(library_texts()), **builtins()}


@cache
def library_signature(name: str) -> Signature | None:
    """What the library, or the language, has under a name, if it can be called."""
    texts = library_texts()
    if name in texts:
        try:
            declaration = texts[name].declaration
        except SpecError:
            return None
        assert isinstance(declaration, ast.Declaration)
        return declared(declaration)
    found = builtins().get(name)
    if isinstance(found, Builtin):
        group = tuple(Taken(p.name, _shown_default(p)) for p in found.parameters if p.kind != "sizes")
        return Signature(name, "fn", (group,), doc=markdown(found.doc))
    return None


def library_place(name: str) -> Span | None:
    """Where the library declares a name; of a function that is in Python, where that is."""
    signature = library_signature(name)
    if signature is not None and signature.place is not None:
        return signature.place
    found = builtins().get(name)
    return _python_place(found.call) if isinstance(found, Builtin) else None


@cache
def _python_place(function: Any) -> Span | None:
    try:
        path, (lines, number) = inspect.getsourcefile(function), inspect.getsourcelines(function)
    except (OSError, TypeError):
        return None
    if path is None or not lines:
        return None
    source = Source(path, Path(path).read_text("utf-8"))
    start = source.line_starts[number - 1]
    return Span(source, start, start + len(lines[0].rstrip()))


def member_place(block: str, name: str) -> Span | None:
    """Where a block of the library binds what may be read of its modules."""
    if library_signature(block) is None or block not in library_texts():
        return None
    body: ast.Suite = getattr(library_texts()[block].declaration, "body", ())
    return next((one.span for one in body if name in bound_names(one)), None)


def _shown_default(parameter: Any) -> str:
    if parameter.required:
        return f"{parameter.name}: {parameter.kind}"
    default = parameter.default
    shown = "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    return f"{parameter.name}: {parameter.kind} = {shown}"


def declared(declaration: ast.Declaration) -> Signature:
    """The signature of a declaration, of the library or of a file."""
    groups = tuple(
        tuple(Taken(p.name, _one_line(p.span.text), _words(p)) for p in getattr(declaration, key))
        for key in SIGNATURES
        if hasattr(declaration, key)
    )
    result, doc = getattr(declaration, "result", None), getattr(declaration, "doc", None)
    return Signature(
        declaration.name,
        type(declaration).__name__.lower(),
        groups,
        _one_line(result.span.text) if result is not None else "",
        markdown(doc.text) if doc is not None else "",
        declaration.name_span,
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _words(parameter: ast.Parameter) -> tuple[str, ...]:
    types = parameter.type.types if isinstance(parameter.type, ast.UnionType) else (parameter.type,)
    words = [word.id for one in types if isinstance(one, ast.ChoiceType) for word in one.words]
    if isinstance(parameter.default, ast.Constant) and isinstance(parameter.default.value, bool):
        words += ["true", "false"]
    return tuple(words)


def markdown(text: str) -> str:
    """A docstring as Markdown; its examples are a block of code."""
    lines: list[str] = []
    inside = False
    for line in inspect.cleandoc(text).replace("``", "`").split("\n"):
        example = line.lstrip().startswith(">>>")
        if example != inside:
            lines += ["```arch" if example else "```"] if example or inside else []
            inside = example
        lines.append(line.lstrip().removeprefix(">>> ") if example else line)
    return "\n".join([*lines, "```"] if inside else lines)


def path_of(source: Source) -> Path | None:
    """The file of a source of the library, or of a function in Python."""
    if source.library:
        return SPECS / source.name
    return Path(source.name) if source.name.endswith(".py") else None


# ---------------------------------------------------------------- settings and data sources


class Setting(Record):
    """A setting, or an argument of a data source: its type, its default (``""`` for none), words that it may be."""

    name: str
    type: str
    default: str
    doc: str = ""
    words: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    """The keys, where it is a dict."""


@cache
def settings() -> Mapping[str, Setting]:
    """What a ``train`` block may set."""
    return {one.name: one for one in _fields_of(TrainSettings)}


@cache
def setting_parts(name: str) -> Mapping[str, Setting]:
    """The keys of a setting that is a dict."""
    kind = _nested(TrainSettings.model_fields[name].annotation) if name in TrainSettings.model_fields else None
    return {one.name: one for one in _fields_of(kind)} if kind is not None else {}


@cache
def source_signature(name: str) -> Signature | None:
    """What a data source takes."""
    if name in (GENERATE, FRESH):
        doc = {
            GENERATE: "A fn of the spec draws the examples: `data = generate(FN, n=1000)`.",
            FRESH: "Another source, drawn anew in each epoch.",
        }[name]
        return Signature(name, "source", ((Taken("of", "of: fn" if name == GENERATE else "of: source"),),), doc=doc)
    if name not in SOURCES:
        return None
    group = tuple(
        Taken(one.name, f"{one.name}: {one.type}" + (f" = {one.default}" if one.default else ""), one.words, one.doc)
        for one in _fields_of(SOURCES[name])
    )
    return Signature(name, "source", (group,), doc=markdown(inspect.getdoc(SOURCES[name]) or ""))


def source_names() -> tuple[str, ...]:
    """The kinds of data sources."""
    return (*SOURCES, GENERATE, FRESH)


def _nested(annotation: Any) -> type[Settings] | None:
    kinds = [annotation, *getattr(annotation, "__args__", ())]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)), None)


def _fields_of(kind: type[Settings]) -> Iterator[Setting]:
    docs = {name: doc for one in kind.__mro__[::-1] if issubclass(one, Settings) for name, doc in _docs(one).items()}
    for name, field in kind.model_fields.items():
        nested = _nested(field.annotation)
        default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
        words = tuple(_literals(field.annotation))
        parts = tuple(nested.model_fields) if nested is not None else ()
        yield Setting(name, _type_name(field.annotation), default, docs.get(name, ""), words, parts)


def _docs(kind: type) -> dict[str, str]:
    """What a class says of its fields: in its docstring, or below each, where Python keeps none of it."""
    try:
        body = python.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body[0]
    except (OSError, SyntaxError):
        return {}
    assert isinstance(body, python.ClassDef)
    found = dict(_ATTRIBUTE.findall(inspect.getdoc(kind) or ""))
    for statement, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, python.AnnAssign) and isinstance(statement.target, python.Name):
            text = below.value if isinstance(below, python.Expr) else None
            if isinstance(text, python.Constant) and isinstance(text.value, str):
                found[statement.target.id] = markdown(text.value)
    return found


def _literals(annotation: Any) -> Iterator[str]:
    """The words of ``Literal``s in a type; true and false of a bool."""
    if annotation is bool:
        yield from ("true", "false")
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, str):
            yield argument
        else:
            yield from _literals(argument)


def _type_name(annotation: Any) -> str:
    """A type in the words of the language."""
    if annotation is type(None):
        return "none"
    if isinstance(annotation, str):
        return annotation
    arguments, origin = get_args(annotation), get_origin(annotation) or annotation
    if origin is Annotated:
        return _type_name(arguments[0])
    name = getattr(origin, "__name__", str(origin))
    if name in ("Union", "UnionType", "Literal"):
        return " | ".join(dict.fromkeys(_type_name(argument) for argument in arguments))
    if name in ("list", "tuple"):
        return f"list[{_type_name(arguments[0])}]" if arguments else "list"
    nested = isinstance(origin, type) and issubclass(origin, Settings)
    return "dict" if nested or name in ("Mapping", "dict") else {"str": "text"}.get(name, name)


def _default(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case Split():
            return "{train: 1.0}"
        case Settings():
            return ""
        case str():
            return f'"{value}"' if not value.isidentifier() else value
    return "{}" if value == {} else str(value)
