"""What may stand where somebody types in a spec in YAML: keys by the keys around, and names where values are."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from archonnx.grammar.yaml.reading.sections import FILE_KEYS, MODEL_KEYS
from archonnx.lsp.library import library_names, library_signature, setting_parts, settings, source_names
from archonnx.lsp.names import Scope
from archonnx.lsp.yaml_place import Keys, keys_at

from .items import BOUND, LIBRARY, WORDS, Items, Kind, fits, typed

PROGRAM = ("name", "of", "data", "feed", "fit", "steps")
STEPS = ("minimize", "with", "over", "update", "repeat", "every", "together", "steps")
LAYERS = ("as", "from", "repeat", "layers", "for", "in", "branches", "join")
DECLARATION = ("doc", "args", "inputs", "returns", "layers", "body", "return", "params", "buffers", "asserts")
SECTIONS = ("fns", "blocks", "optimizers", "schedules", "entries", "methods")


class YamlItems(Items):
    """The items at a place of a spec in YAML."""

    def items(self) -> Iterator[types.CompletionItem]:
        """All that may stand here."""
        if self.context.inside == "comment":
            return
        keys = keys_at(self.document.text, self.context.word_at)
        inner = keys.path[1:]
        if keys.path[:1] == ("train",):
            yield from self._program(Keys(inner, keys.in_key))
        elif not keys.path:
            yield from self._keys(FILE_KEYS)
        elif "layers" in keys.path and keys.in_key:
            yield from self._keys(LAYERS)
            yield from self._callables()
        elif keys.path[0] in SECTIONS and len(keys.path) == 2 and keys.in_key:
            yield from self._keys(DECLARATION)
        elif keys.path[0] in (*MODEL_KEYS, *SECTIONS) and not keys.in_key:
            yield from self.names()

    @property
    def _train(self) -> Scope | None:
        return next((one for one in self.document.names.scopes if one.kind == "train"), None)

    def _program(self, keys: Keys) -> Iterator[types.CompletionItem]:
        program, path = self._train, keys.path
        if not path:
            yield from self._keys(PROGRAM)
            for one in settings().values():
                yield self.item(one.name, Kind.Property, BOUND, detail=typed(one), text=f"{one.name}: ")
        elif path == ("data",) and keys.in_key:
            yield from self._keys(source_names())
        elif path == ("feed",) and keys.in_key:
            yield from self.fields(program, ("input", "target")) if program is not None else ()
        elif path[0] == "steps" and keys.in_key:
            yield from self._keys(STEPS)
        elif path[0] in settings():
            parts = setting_parts(path[0])
            if keys.in_key and len(path) == 1:
                yield from self._keys(tuple(parts))
            known = parts.get(path[-1]) if len(path) > 1 else settings()[path[0]]
            for word in known.words if known is not None and not keys.in_key else ():
                yield self.item(word, Kind.EnumMember, WORDS)
        elif not keys.in_key:
            if path[-1:] == ("minimize",) and program is not None:
                yield from self.fields(program, ("loss",))
            yield from self.names()

    def _keys(self, names: tuple[str, ...]) -> Iterator[types.CompletionItem]:
        for name in names:
            yield self.item(name, Kind.Property, WORDS, text=f"{name}: ")

    def _callables(self) -> Iterator[types.CompletionItem]:
        """What a layer may be."""
        yield from self.bound()
        for name in library_names():
            if fits(self.context.word, name) and library_signature(name) is not None:
                yield self.item(name, Kind.Class, LIBRARY, data={"library": name})
