"""The tree, bottom up: one function for each rule of ``archonnx.lark``, from the children of a node to the node.

The machine calls them while it parses, so that no parse tree is ever kept. What the grammar lets pass and the language
does not (a chained comparison, an odd target) goes to the report, and the parse goes on. Nothing is looked up or
computed.
"""

from __future__ import annotations

from typing import Any

from archonnx.grammar import ast
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span

from .expressions import Children, ExpressionBuilder, Group, first_of
from .literals import dedent
from .machine import Token
from .targets import bound_instead
from .types import type_of


class TreeBuilder(ExpressionBuilder):
    """Adds types, signatures, statements and declarations to expressions."""

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
        types = [child for child in children if isinstance(child, ast.Type)]
        return ast.UnionType(tuple(types), span=self._span(children)) if len(types) > 1 else types[0]

    # ------------------------------------------------------------ declarations

    def import_(self, children: Children) -> ast.Import:
        path = self.string([children[1]])
        names = tuple(self._name(child) for child in children[3:] if child.type == "NAME")
        return ast.Import(path, names, span=self._span([children[0], names[-1]]))

    def fn(self, children: Children) -> ast.Fn:
        name, signature, suite = children[1], children[2], first_of(children, Group, skip=3)
        return ast.Fn(
            str(name),
            signature.items,
            first_of(children, ast.Result),
            suite.items,
            first_of(children, ast.Backward),
            suite.doc,
            first_of(children, ast.Better),
            span=self._span(children),
            name_span=self._token(name),
        )

    def better(self, children: Children) -> ast.Better:
        return ast.Better(str(children[-1]), span=self._token(children[-1]))

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
            "result": first_of(children, ast.Result),
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
        arguments = tuple(child for child in rest if type(child) is not Token)
        words = [child for child in rest if type(child) is Token and child.type in ("NAME", "OF")]
        name = words[0] if words and words[0].type == "NAME" else None
        model = words[-1] if words and words[-1] is not name else None
        return ast.Train(
            str(name or ""),
            None if model is None else str(model),
            suite.items,
            suite.doc,
            arguments,
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

    def signature(self, children: Children) -> Group:
        return self._group(children, ast.Parameter)

    def parameter(self, children: Children) -> ast.Parameter:
        return ast.Parameter(
            str(children[0]), first_of(children, ast.Type), first_of(children, ast.Expr), span=self._span(children)
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
        arguments = None if named and len(children) == 1 else self._group(children, ast.Expr).items
        return type_of(str(children[0]) if named else None, arguments, self._span(children), self.report)

    def suite(self, children: Children) -> Group:
        statements = tuple(child for child in children if type(child) is not Token)
        return Group(self._span([statements[0], statements[-1]]), statements)

    def documented(self, children: Children) -> Group:
        token = next((token for token in children[:3] if type(token) is Token and token.type == "_DOC"), None)
        doc = None if token is None else ast.Doc(dedent(token[3:-3]), span=self._token(token))
        return replace(self.suite(children), doc=doc)

    # ------------------------------------------------------------ statements

    def input_(self, children: Children) -> ast.Input:
        return ast.Input(str(children[1]), children[3], span=self._span(children))

    def target(self, children: Children) -> ast.Target:
        return ast.Target(str(children[1]), children[3], span=self._span(children))

    def output(self, children: Children) -> ast.Output:
        return ast.Output(str(children[1]), first_of(children, ast.Type), children[-1], span=self._span(children))

    def loss(self, children: Children) -> ast.Loss:
        return ast.Loss(str(children[1]), children[-1], span=self._span(children))

    def metric(self, children: Children) -> ast.Metric:
        better = first_of(children, ast.Better)
        rest = children if better is None else children[:-1]
        over = str(rest[3]) if len(rest) > 4 else None
        return ast.Metric(str(rest[1]), over, rest[-1], better, span=self._span(children))

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

    def fit(self, children: Children) -> ast.Fit:
        return ast.Fit(str(children[1]), children[3], span=self._span(children))

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
                help=bound_instead(target),
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
        condition = children[3] if type(children[2]) is Token and children[2].type == "WHILE" else None
        return ast.Repeat(children[1], condition, children[-1].items, span=self._span(children))

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
        return ast.Loop(bindings, first_of(children, ast.Expr), children[-1].items, span=self._span(children))

    def each(self, children: Children) -> ast.Binding:
        axis = children[4] if len(children) > 3 else None
        return ast.Binding(str(children[0]), children[2], True, axis, span=self._span(children))

    def carried(self, children: Children) -> ast.Binding:
        return ast.Binding(str(children[0]), children[2], False, span=self._span(children))

    def collect(self, children: Children) -> ast.Collect:
        axis = children[2] if len(children) > 1 else None
        return ast.Collect(str(children[0]), axis, span=self._span(children))

    def values(self, children: Children) -> Group:
        return self._group(children, ast.Expr)
