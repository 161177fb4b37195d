"""The tree, bottom up: one function for each rule of ``archonnx.lark``, from the children of a node to the node.

Lark calls them while it parses, so that no parse tree is ever kept. What the grammar lets pass and the language does
not (a chained comparison, an odd target) goes to the report, and the parse goes on. Nothing is looked up or computed.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from lark import Token

from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Label, Report
from archonnx.grammar.record import Record, replace
from archonnx.grammar.source import Source, Span

from .layout import bounds
from .literals import dedent, read_number, read_string

Children: TypeAlias = list[Any]


class _Group(Record):
    """Several nodes that have no node of their own in the tree: a signature, a list of values, a body."""

    span: Span
    items: tuple[Any, ...]
    doc: ast.Doc | None = None


class _Clause(Record):
    """``for targets in iterable if condition``."""

    span: Span
    targets: tuple[ast.Name, ...]
    iterable: ast.Expr
    condition: ast.Expr | None


class Builder:
    """Builds the nodes of one text after another; ``begin`` says which."""

    def begin(self, source: Source, report: Report) -> None:
        """Build nodes over ``source``, and tell ``report`` what is wrong."""
        self.source = source
        self.report = report

    # ------------------------------------------------------------ helpers

    def _span(self, children: Children) -> Span:
        first, last = children[0], children[-1]
        start = bounds(first)[0] if type(first) is Token else first.span.start
        end = bounds(last)[1] if type(last) is Token else last.span.end
        return Span(self.source, start, end)

    def _token(self, token: Token) -> Span:
        return Span(self.source, *bounds(token))

    def _name(self, token: Token) -> ast.Name:
        return ast.Name(str(token), span=self._token(token))

    # ------------------------------------------------------------ texts

    def file(self, children: Children) -> ast.File:
        nodes = [child for child in children if type(child) is not Token]
        return ast.File(tuple(nodes), span=Span(self.source, 0, len(self.source.text)))

    def declaration(self, children: Children) -> ast.Stmt:
        node: ast.Stmt = children[-1]
        return node

    def body(self, children: Children) -> ast.Suite:
        return self.suite(children).items

    def expression(self, children: Children) -> ast.Expr:
        node: ast.Expr = children[0]
        return node

    def annotation(self, children: Children) -> ast.Type:
        node: ast.Type = children[0]
        return node

    def union(self, children: Children) -> ast.Type:
        first, *others = [child for child in children if isinstance(child, ast.Type)]
        return ast.Type(first.name, first.dims, tuple(others), span=self._span(children)) if others else first

    # ------------------------------------------------------------ declarations

    def import_(self, children: Children) -> ast.Import:
        path = self.string([children[1]])
        names = tuple(self._name(child) for child in children[3:] if child.type == "NAME")
        return ast.Import(path, names, span=self._span([children[0], names[-1]]))

    def fn(self, children: Children) -> ast.Fn:
        name, signature, suite = children[1], children[2], _first(children, _Group, skip=3)
        return ast.Fn(
            str(name),
            signature.items,
            _first(children, ast.Result),
            suite.items,
            _first(children, ast.Backward),
            suite.doc,
            span=self._span(children),
            name_span=self._token(name),
        )

    def backward(self, children: Children) -> ast.Backward:
        names, suite = children[2], children[5]
        return ast.Backward(tuple(name.id for name in names.items), suite.items, span=self._span(children))

    def block(self, children: Children) -> ast.Block:
        return ast.Block(**self._two_lists(children))

    def optimizer(self, children: Children) -> ast.Optimizer:
        return ast.Optimizer(**self._two_lists(children))

    def schedule(self, children: Children) -> ast.Schedule:
        return ast.Schedule(**self._two_lists(children))

    def _two_lists(self, children: Children) -> dict[str, Any]:
        """The fields of what has hyperparameters and inputs."""
        _, name, hyperparameters, inputs, *_, suite = children
        return {
            "name": str(name),
            "hyperparameters": hyperparameters.items,
            "inputs": inputs.items,
            "result": _first(children, ast.Result),
            "body": suite.items,
            "doc": suite.doc,
            "span": self._span(children),
            "name_span": self._token(name),
        }

    def model(self, children: Children) -> ast.Model:
        _, name, signature, _, suite = children
        return ast.Model(
            str(name), signature.items, suite.items, suite.doc, span=self._span(children), name_span=self._token(name)
        )

    def train(self, children: Children) -> ast.Train:
        word, *rest, _, suite = children
        name = rest[0] if rest and rest[0].type == "NAME" else None
        model = rest[-1] if rest and rest[-1] is not name else None
        return ast.Train(
            str(name or ""),
            None if model is None else str(model),
            suite.items,
            suite.doc,
            span=self._span(children),
            name_span=self._token(word if name is None else name),
        )

    def search(self, children: Children) -> ast.Search:
        return ast.Search(children[-1].items, span=self._span(children))

    def entry(self, children: Children) -> ast.Entry:
        _, name, signature, _, result, _, suite = children
        return ast.Entry(
            str(name),
            signature.items,
            result,
            suite.items,
            suite.doc,
            span=self._span(children),
            name_span=self._token(name),
        )

    def signature(self, children: Children) -> _Group:
        return self._group(children, ast.Parameter)

    def parameter(self, children: Children) -> ast.Parameter:
        return ast.Parameter(
            str(children[0]), _first(children, ast.Type), _first(children, ast.Expr), span=self._span(children)
        )

    def result(self, children: Children) -> ast.Result:
        if isinstance(children[0], ast.Type):
            field = ast.ResultField(None, children[0], span=children[0].span)
            return ast.Result((field,), False, span=field.span)
        fields = self._group(children, ast.ResultField)
        return ast.Result(fields.items, True, span=fields.span)

    def result_field(self, children: Children) -> ast.ResultField:
        name = str(children[0]) if len(children) > 1 else None
        return ast.ResultField(name, children[-1], span=self._span(children))

    def type_(self, children: Children) -> ast.Type:
        named = children[0].type == "NAME"
        dims = None if named and len(children) == 1 else self._group(children, ast.Expr).items
        return ast.Type(str(children[0]) if named else None, dims, span=self._span(children))

    def dots(self, children: Children) -> ast.Dots:
        return ast.Dots(str(children[1]) if len(children) > 1 else None, span=self._span(children))

    def suite(self, children: Children) -> _Group:
        statements = tuple(child for child in children if type(child) is not Token)
        return _Group(self._span([statements[0], statements[-1]]), statements)

    def documented(self, children: Children) -> _Group:
        token = next((token for token in children[:3] if type(token) is Token and token.type == "_DOC"), None)
        doc = None if token is None else ast.Doc(dedent(token[3:-3]), span=self._token(token))
        return replace(self.suite(children), doc=doc)

    def _group(self, children: Children, kind: type) -> _Group:
        return _Group(self._span(children), tuple(child for child in children if isinstance(child, kind)))

    # ------------------------------------------------------------ statements

    def input_(self, children: Children) -> ast.Input:
        return ast.Input(str(children[1]), children[3], span=self._span(children))

    def target(self, children: Children) -> ast.Target:
        return ast.Target(str(children[1]), children[3], span=self._span(children))

    def output(self, children: Children) -> ast.Output:
        return ast.Output(str(children[1]), _first(children, ast.Type), children[-1], span=self._span(children))

    def loss(self, children: Children) -> ast.Loss:
        return ast.Loss(str(children[1]), children[-1], span=self._span(children))

    def metric(self, children: Children) -> ast.Metric:
        over = str(children[3]) if len(children) > 4 else None
        return ast.Metric(str(children[1]), over, children[-1], span=self._span(children))

    def param(self, children: Children) -> ast.Param:
        _, name, _, type_, sign, value, *rest = children
        options = tuple(child for child in rest if type(child) is not Token)
        return ast.Param(str(name), type_, sign == "~", value, options, span=self._span(children))

    def option(self, children: Children) -> ast.Argument:
        return ast.Argument(children[2], str(children[0]), span=self._span(children))

    def buffer(self, children: Children) -> ast.Buffer:
        return ast.Buffer(str(children[1]), children[3], children[5], span=self._span(children))

    def state(self, children: Children) -> ast.State:
        return ast.State(str(children[1]), children[3], children[5], span=self._span(children))

    def update(self, children: Children) -> ast.Update:
        return ast.Update(children[1], children[3], span=self._span(children))

    def feed(self, children: Children) -> ast.Feed:
        return ast.Feed(str(children[-3]), children[-1], len(children) > 4, span=self._span(children))

    def data(self, children: Children) -> ast.Data:
        return ast.Data(str(children[1]), children[3], span=self._span(children))

    def minimize(self, children: Children) -> ast.Minimize:
        over = self._tuple(children[3]) if len(children) > 4 else None
        return ast.Minimize(children[1], over, children[-1], span=self._span(children))

    def maximize(self, children: Children) -> ast.Maximize:
        return ast.Maximize(children[1], span=self._span(children))

    def return_(self, children: Children) -> ast.Return:
        return ast.Return(children[1].items, span=self._span(children))

    def emit(self, children: Children) -> ast.Emit:
        return ast.Emit(children[1].items, span=self._span(children))

    def assert_(self, children: Children) -> ast.Assert:
        message = children[3] if len(children) > 2 else None
        return ast.Assert(children[1], message, span=self._span(children))

    def draw(self, children: Children) -> ast.Draw:
        return ast.Draw(str(children[0]), children[2], children[4], span=self._span(children))

    def typed_assign(self, children: Children) -> ast.TypedAssign:
        return ast.TypedAssign(str(children[0]), children[2], children[4], span=self._span(children))

    def assign(self, children: Children) -> ast.Assign:
        targets, _, values = children
        for target in targets.items:
            self._check_target(target)
        return ast.Assign(targets.items, values.items, span=self._span(children))

    def _check_target(self, target: ast.Expr) -> None:
        root = target
        while isinstance(root, ast.Index):
            root = root.value
        if not isinstance(root, ast.Name):
            self.report.error(
                "AX0117",
                "only a name, or an item of a named list, can stand left of `=`",
                target.span,
                help="write `a, b = f(x)` without brackets" if isinstance(target, ast.Tuple | ast.List) else None,
            )

    def expr_stmt(self, children: Children) -> ast.ExprStmt:
        return ast.ExprStmt(children[0], span=children[0].span)

    def for_(self, children: Children) -> ast.For:
        _, names, _, iterable, _, suite = children
        return ast.For(names.items, iterable, suite.items, span=self._span(children))

    def if_(self, children: Children) -> ast.If:
        branches = []
        otherwise: ast.Suite = ()
        for i, child in enumerate(children):
            if type(child) is Token and child.type in ("IF", "ELIF"):
                branches.append((children[i + 1], children[i + 3].items))
            elif type(child) is Token and child.type == "ELSE":
                otherwise = children[i + 2].items
        return ast.If(tuple(branches), otherwise, span=self._span(children))

    def repeat(self, children: Children) -> ast.Repeat:
        return ast.Repeat(children[1], children[3].items, span=self._span(children))

    def every(self, children: Children) -> ast.Every:
        return ast.Every(children[1], children[3].items, span=self._span(children))

    def together(self, children: Children) -> ast.Together:
        return ast.Together(children[2].items, span=self._span(children))

    def scan(self, children: Children) -> ast.Scan:
        backwards = children[1].type == "REVERSED" if type(children[1]) is Token else False
        bindings = self._group(children, ast.Binding).items
        collects = self._group(children, ast.Collect).items
        return ast.Scan(backwards, bindings, collects, children[-1].items, span=self._span(children))

    def loop(self, children: Children) -> ast.Loop:
        bindings = self._group(children, ast.Binding).items
        return ast.Loop(bindings, _first(children, ast.Expr), children[-1].items, span=self._span(children))

    def each(self, children: Children) -> ast.Binding:
        axis = children[4] if len(children) > 3 else None
        return ast.Binding(str(children[0]), children[2], True, axis, span=self._span(children))

    def carried(self, children: Children) -> ast.Binding:
        return ast.Binding(str(children[0]), children[2], False, span=self._span(children))

    def collect(self, children: Children) -> ast.Collect:
        axis = children[2] if len(children) > 1 else None
        return ast.Collect(str(children[0]), axis, span=self._span(children))

    def names(self, children: Children) -> _Group:
        return _Group(self._span(children), tuple(self._name(child) for child in children[::2]))

    def values(self, children: Children) -> _Group:
        return self._group(children, ast.Expr)

    # ------------------------------------------------------------ expressions

    def pipe(self, children: Children) -> ast.Pipe:
        return ast.Pipe(children[0], children[2], span=self._span(children))

    def conditional(self, children: Children) -> ast.Conditional:
        return ast.Conditional(children[0], children[2], children[4], span=self._span(children))

    def binary(self, children: Children) -> ast.Binary:
        left, op, right = children
        return ast.Binary(str(op), left, right, span=self._span(children), op_span=self._token(op))

    def comparison(self, children: Children) -> ast.Binary:
        left, op, right, *rest = children
        if rest:
            first, second = self._token(op), self._token(rest[0])
            one, two = self._span([left, right]).text, self._span([right, rest[1]]).text
            self.report.error(
                "AX0114",
                "comparisons do not chain",
                second,
                "a second comparison",
                others=[Label(first, "the first one")],
                help=f"write `{one} and {two}`",
            )
        return self.binary([left, op, right])

    def unary(self, children: Children) -> ast.Unary:
        return ast.Unary(str(children[0]), children[1], span=self._span(children))

    def call(self, children: Children) -> ast.Call:
        callee, _, *rest = children
        arguments = tuple(child for child in rest if type(child) is not Token)
        named = None
        for argument in arguments:
            if argument.name is not None:
                named = argument
            elif named is not None:
                self.report.error(
                    "AX0119",
                    "an argument without a name follows one with a name",
                    argument.span,
                    others=[Label(named.span, "after this one, every argument needs its name")],
                )
        return ast.Call(callee, arguments, span=self._span(children))

    def positional(self, children: Children) -> ast.Argument:
        return ast.Argument(children[0], span=children[0].span)

    def keyword(self, children: Children) -> ast.Argument:
        return ast.Argument(children[2], str(children[0]), span=self._span(children))

    def generator(self, children: Children) -> ast.Argument:
        span = self._span(children)
        return ast.Argument(self._comprehension(children[0], children[1], span), span=span)

    def index(self, children: Children) -> ast.Index:
        value, *rest = children
        subscripts = tuple(child for child in rest if type(child) is not Token)
        return ast.Index(value, subscripts, span=self._span(children))

    def slice_(self, children: Children) -> ast.Slice:
        parts: list[ast.Expr | None] = [None]
        for child in children:
            if type(child) is Token:
                parts.append(None)
            else:
                parts[-1] = child
        start, stop, step = (*parts, None)[:3]
        return ast.Slice(start, stop, step, span=self._span(children))

    def attribute(self, children: Children) -> ast.Attribute:
        value, _, name = children
        return ast.Attribute(value, str(name), span=self._span(children), name_span=self._token(name))

    def name(self, children: Children) -> ast.Name:
        return self._name(children[0])

    def number(self, children: Children) -> ast.Number:
        span = self._token(children[0])
        return ast.Number(read_number(span, self.report), span=span)

    def string(self, children: Children) -> ast.String:
        span = self._token(children[0])
        return ast.String(read_string(span, self.report), span=span)

    def constant(self, children: Children) -> ast.Constant:
        return ast.Constant(_CONSTANTS[children[0]], span=self._token(children[0]))

    def parenthesised(self, children: Children) -> ast.Expr:
        """The parentheses count in the span of what they hold, so that ``(a + b) * c`` starts at its bracket."""
        values: tuple[ast.Expr, ...] = children[1].items
        span = self._span(children)
        return replace(values[0], span=span) if len(values) == 1 else ast.Tuple(values, span=span)

    def _tuple(self, values: _Group) -> ast.Expr:
        first: ast.Expr = values.items[0]
        return first if len(values.items) == 1 else ast.Tuple(values.items, span=values.span)

    def list_literal(self, children: Children) -> ast.List:
        return ast.List(self._group(children, ast.Expr).items, span=self._span(children))

    def list_comprehension(self, children: Children) -> ast.Comprehension:
        return self._comprehension(children[1], children[2], self._span(children))

    def comprehension(self, children: Children) -> _Clause:
        condition = children[5] if len(children) > 4 else None
        return _Clause(self._span(children), children[1].items, children[3], condition)

    def _comprehension(self, element: ast.Expr, clause: _Clause, span: Span) -> ast.Comprehension:
        return ast.Comprehension(element, clause.targets, clause.iterable, clause.condition, span=span)

    def dict_literal(self, children: Children) -> ast.Dict:
        pairs: dict[str, tuple[ast.String, ast.Expr]] = {}
        for key, value in (child.items for child in children if type(child) is not Token):
            if key.value in pairs:
                self.report.error(
                    "AX0120",
                    f"the key `{key.value}` is given twice",
                    key.span,
                    "again here",
                    others=[Label(pairs[key.value][0].span, "first given here")],
                )
            pairs[key.value] = key, value
        return ast.Dict(tuple(pairs.values()), span=self._span(children))

    def pair(self, children: Children) -> _Group:
        word, _, value = children
        key = ast.String(str(word), span=self._token(word)) if word.type == "NAME" else self.string([word])
        return _Group(self._span(children), (key, value))


_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


def _first(children: Children, kind: type, skip: int = 0) -> Any:
    """The first child of a kind, or None."""
    return next((child for child in children[skip:] if isinstance(child, kind)), None)
