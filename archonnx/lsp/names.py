"""Which names of a file mean the same: every name with its symbol, and the scopes in which symbols stand.

A body of a declaration is a scope; those of `for`, `if`, `scan` and `loop` are parts of the one around. A name means
what the innermost scope around binds it to; in a `train` block after that what the model calls so, and at last what the
file declares, imports, or finds in the library. What this module does not do: read other files, or know types; where an
attribute is taken of is told by whoever knows (``owners``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from archonnx.grammar import ast

from .mentions import BINDS, OPENS, PARTS, Mention
from .pieces import Piece

MEMBERS = ("param", "buffer", "fn", "block", "entry", "variable", "result")
"""What may be read of a module, or of results, as an attribute."""
NO_CALL = frozenset({"input", "target", "output", "loss", "metric", "dim", "param", "buffer", "state", "fit", "data"})
"""What is passed over where something is called: it cannot be."""


@dataclass(eq=False, slots=True)
class Symbol:
    """What a name means.

    Attributes:
        name: as it is written.
        kind: ``input``, ``variable``, ``block``, ``parameter``, ``dim``, ``import``, ``column``, ``library`` ...
        scope: where it is bound; None for what comes from elsewhere.
        piece: the statement that binds it first.
        path: of an import, the file as it is written.
    """

    name: str
    kind: str
    scope: Scope | None = field(default=None, repr=False)
    piece: Piece | None = field(default=None, repr=False)
    path: str | None = None


@dataclass(eq=False, slots=True)
class Scope:
    """The names of a body. ``kind`` is that of its declaration (``file`` for the whole), ``piece`` its statement."""

    kind: str
    piece: Piece | None = None
    outer: Scope | None = field(default=None, repr=False)
    bound: dict[str, Symbol] = field(default_factory=dict, repr=False)
    results: dict[str, Symbol] = field(default_factory=dict, repr=False)
    settings: dict[str, Symbol] = field(default_factory=dict, repr=False)
    model: Scope | None = field(default=None, repr=False)
    """Of a ``train`` or ``search`` block: the scope of its model."""

    def around(self) -> Iterator[Scope]:
        """This scope and those around it, and the model's of a program."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            if scope.model is not None:
                yield scope.model
            scope = scope.outer


@dataclass(eq=False, slots=True)
class Occurrence:
    """A name at ``start:end`` of the text. ``symbol`` is None where nothing is known of it."""

    start: int
    end: int
    mention: Mention
    symbol: Symbol | None
    scope: Scope = field(repr=False)
    piece: Piece = field(repr=False)

    @property
    def binds(self) -> bool:
        """Whether it is bound here."""
        return self.mention.role in (BINDS, "result", "import", "setting")


Owners = Callable[[int, int], str | None]
"""The name of the declaration whose module or results stand at ``start:end``, if that is known."""


def _unknown(start: int, end: int) -> str | None:
    return None


class Names:
    """The names of a file."""

    def __init__(self, top: list[Piece], library: Mapping[str, object], owners: Owners = _unknown) -> None:
        self.file = Scope("file")
        self.scopes: list[Scope] = [self.file]
        self.programs: dict[str, Symbol] = {}
        self._library: dict[str, Symbol] = {}
        self._columns: dict[tuple[str, str], Symbol] = {}
        self._known, self._owners = library, owners
        self._found: list[tuple[Piece, Scope, Mention]] = []
        self._of_piece: dict[int, Scope] = {}
        self._model: Scope | None = None
        for piece in top:
            self._enter(piece, self.file)
        self._connect()
        self._bind_dims()
        self.all = sorted(map(self._resolved, self._found), key=lambda one: (one.start, one.end))
        self._starts = [one.start for one in self.all]
        self._by_symbol: dict[int, list[Occurrence]] = {}
        for one in self.all:
            if one.symbol is not None:
                self._by_symbol.setdefault(id(one.symbol), []).append(one)

    def at(self, offset: int) -> Occurrence | None:
        """The name at an offset, or ending there."""
        last = bisect_right(self._starts, offset)
        near = [one for one in self.all[max(0, last - 4) : last] if one.start <= offset <= one.end]
        return min(near, key=lambda one: (offset == one.end, one.end - one.start), default=None)

    def of(self, symbol: Symbol) -> list[Occurrence]:
        """Everywhere that a symbol is named, in the order of the text."""
        return self._by_symbol.get(id(symbol), [])

    def scope_of(self, piece: Piece | None) -> Scope:
        """The scope of the body in which a statement stands, or which it opens."""
        while piece is not None:
            if (scope := self._of_piece.get(id(piece))) is not None:
                return scope
            piece = piece.parent
        return self.file

    def members(self, scope: Scope) -> dict[str, Symbol]:
        """What may be read of a module, or of the results, of a declaration."""
        found = {name: one for name, one in scope.bound.items() if one.kind in MEMBERS}
        return {**found, **scope.results}

    # ------------------------------------------------------------ binding

    def _enter(self, piece: Piece, scope: Scope) -> None:
        inner = scope
        if isinstance(piece.tree, OPENS):
            inner = Scope(type(piece.tree).__name__.lower(), piece, scope)
            self.scopes.append(inner)
            self._of_piece[id(piece)] = inner
        for mention in piece.mentions:
            own = inner if mention.inner or isinstance(piece.tree, ast.Train) else scope
            if mention.role == BINDS and own.kind in ("train", "search") and isinstance(piece.tree, ast.Assign):
                mention = Mention(mention.start, mention.end, mention.name, "setting", "setting")
            self._found.append((piece, own, mention))
            self._bind(mention, own, piece)
        for child in piece.children:
            self._enter(child, inner)

    def _bind(self, mention: Mention, scope: Scope, piece: Piece) -> None:
        name = mention.name
        if mention.role == BINDS and mention.kind == "train":
            self.programs.setdefault(name, Symbol(name, "train", self.file, piece))
        elif mention.role == BINDS:
            scope.bound.setdefault(name, Symbol(name, mention.kind, scope, piece))
        elif mention.role == "result":
            scope.results.setdefault(name, Symbol(name, "result", scope, piece))
        elif mention.role == "import":
            scope.bound.setdefault(name, Symbol(name, "import", scope, piece, mention.of))

    def _connect(self) -> None:
        """Say of which model programs are."""
        models = {s.piece.tree.name: s for s in self.scopes if s.piece and isinstance(s.piece.tree, ast.Model)}
        self._model = next(iter(models.values()), None)
        for scope in self.scopes:
            tree = scope.piece.tree if scope.piece is not None else None
            if isinstance(tree, ast.Train):
                scope.model = models.get(tree.model or "") or self._model
            elif isinstance(tree, ast.Search):
                scope.model = self._model

    def _bind_dims(self) -> None:
        """Let what a type names, and nothing binds, be a dim of its declaration."""
        for piece, scope, mention in self._found:
            if mention.role == "dim" and self._look_up(mention.name, scope) is None:
                own = scope
                while own.kind not in ("fn", "block", "entry", "model", "optimizer", "schedule", "file"):
                    own = own.outer or self.file
                own.bound.setdefault(mention.name, Symbol(mention.name, "dim", own, piece))

    # ------------------------------------------------------------ resolving

    def _look_up(self, name: str, scope: Scope, without: frozenset[str] = frozenset()) -> Symbol | None:
        for one in scope.around():
            if (found := one.bound.get(name)) is not None and found.kind not in without:
                return found
        if scope.kind in ("train", "search"):
            if name in self.programs:
                return self.programs[name]
            if name == "data":
                return scope.settings.setdefault(name, Symbol(name, "setting", scope))
        if scope is self.file and self._model is not None and name in self._model.bound:  # in a `for` around programs
            return self._model.bound[name]
        if name in self._known:
            return self._library.setdefault(name, Symbol(name, "library"))
        return None

    def _resolved(self, found: tuple[Piece, Scope, Mention]) -> Occurrence:
        piece, scope, mention = found
        start, end = piece.base + mention.start, piece.base + mention.end
        return Occurrence(start, end, mention, self._symbol(piece, scope, mention), scope, piece)

    def _symbol(self, piece: Piece, scope: Scope, mention: Mention) -> Symbol | None:
        name = mention.name
        match mention.role:
            case "attribute":
                return self._attribute(piece, scope, mention)
            case "keyword":
                return self._keyword(scope, mention)
            case "result":
                return scope.results.get(name)
            case "setting":
                return self._setting(scope, piece, name)
            case "field":
                return scope.model.bound.get(name) if scope.model is not None else None
            case "key":
                return None
            case role if role == BINDS and mention.kind == "train":
                return self.programs.get(name)
            case role if role == BINDS or role == "import":
                return scope.bound.get(name)
            case "call":
                return self._look_up(name, scope, NO_CALL) or self._look_up(name, scope)
        return self._look_up(name, scope)

    def _setting(self, scope: Scope, piece: Piece, name: str) -> Symbol:
        own = scope.model.bound.get(name) if scope.kind == "search" and scope.model is not None else None
        return own or scope.settings.setdefault(name, Symbol(name, "setting", scope, piece))

    def _keyword(self, scope: Scope, mention: Mention) -> Symbol | None:
        """The parameter of what is called, if this file declares it."""
        called = self._look_up(mention.of, scope) if mention.of is not None else None
        if called is None or called.piece is None or called.kind == "import":
            return None
        inner = self._of_piece.get(id(called.piece))
        found = inner.bound.get(mention.name) if inner is not None else None
        return found if found is not None and found.kind == "parameter" else None

    def _attribute(self, piece: Piece, scope: Scope, mention: Mention) -> Symbol | None:
        name, program = mention.name, next((s for s in scope.around() if s.kind in ("train", "search")), None)
        if program is not None and mention.of in PARTS and program.model is not None:
            return program.model.bound.get(name)
        of = self._look_up(mention.of, scope) if mention.of is not None else None
        if program is not None and mention.of is not None and (mention.of == "data" or (of and of.kind == "data")):
            return self._columns.setdefault((mention.of, name), Symbol(name, "column", program, piece, mention.of))
        if mention.at is None:
            return None
        owner = self._owners(piece.base + mention.at[0], piece.base + mention.at[1])
        if owner is not None:
            owning = self.file.bound.get(owner)
            inner = self._of_piece.get(id(owning.piece)) if owning is not None and owning.piece is not None else None
            return self.members(inner).get(name) if inner is not None else None
        having = [found for one in self.scopes if one.kind != "file" and (found := self.members(one).get(name))]
        return having[0] if len(having) == 1 else None
