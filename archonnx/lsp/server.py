"""The loop of the language server, on pygls: each question goes to a feature, with the document as it is now.

Positions are in UTF-16 units, which every editor can do, and a change brings the whole text. What this module does not
do: answer anything itself.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Generator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.uris import to_fs_path

from .background import Checker
from .checking import Checked
from .document import Document, Workspace
from .features import completion, editing, hints, hover, navigation, renaming, signature, tokens
from .features.diagnostics import diagnostics

SWITCH = 0.001
"""Seconds after which a check lets an answer go first."""
CHECKED = "$/archonnx/checked"
"""What clients are told when all is found of a text; those that do not know it pass over it."""


class Protocol(LanguageServerProtocol):
    """The protocol with positions in UTF-16 units, whatever else a client can do."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer the first request."""
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = None
        return (yield from super().lsp_initialize(params))


class Server(LanguageServer):
    """The server, with the documents that are open."""

    def __init__(self) -> None:
        super().__init__(
            "archonnx",
            version("archonnx"),
            text_document_sync_kind=types.TextDocumentSyncKind.Full,
            protocol_cls=Protocol,
        )
        self.specs = Workspace()
        self.checker = Checker(self._told, self._failed, self.specs.opened)

    def document(self, uri: str) -> Document:
        """The document of a URI; an empty one where it is not open."""
        return self.specs.documents.get(uri) or Document(uri, "", _path(uri))

    def place(self, params: Any) -> tuple[Workspace, Document, int]:
        """The document and the offset that a request is about."""
        document = self.document(params.text_document.uri)
        return self.specs, document, document.lines.offset(params.position)

    def changed(self, document: Document, pause: float | None = None) -> None:
        """Take note of a text, and check it and what imports it."""
        self.specs.documents[document.uri] = document
        self.checker.ask(document, *(() if pause is None else (pause,)))
        for other in self.specs.documents.values():
            if other is not document and self._imports(other, document):
                self.checker.ask(other)

    def _imports(self, other: Document, document: Document) -> bool:
        paths = {one.path for one in other.names.file.bound.values() if one.kind == "import"}
        return any(self.specs.imported(other, path) is document for path in paths if path is not None)

    def _told(self, uri: str, checked: Checked) -> None:
        document = self.specs.documents.get(uri)
        if document is None or document.text != checked.text:
            return
        found = self.specs.documents[uri] = document.judged(checked)
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, diagnostics(found)))
        if checked.done:
            self.protocol.notify(CHECKED, {"uri": uri})
        asked = self.client_capabilities.workspace
        if asked is not None and asked.inlay_hint is not None and asked.inlay_hint.refresh_support:
            self.workspace_inlay_hint_refresh(None)

    def _failed(self, error: Exception) -> None:
        """Tell of a bug where people look for it, and go on."""
        text = "".join(traceback.format_exception(error))
        self.window_log_message(types.LogMessageParams(types.MessageType.Error, f"a bug of archonnx:\n{text}"))


def _path(uri: str) -> Path | None:
    path = to_fs_path(uri) if uri.startswith("file:") else None
    return Path(path) if path else None


def make_server() -> Server:
    """A server that answers all that it can."""
    server = Server()
    _documents(server)
    _questions(server)
    _changes(server)
    return server


def _documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def _open(params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        server.changed(Document(item.uri, item.text, _path(item.uri)), pause=0)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def _change(params: types.DidChangeTextDocumentParams) -> None:
        text = params.content_changes[-1].text
        server.changed(server.document(params.text_document.uri).changed(text))

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def _close(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.checker.forget(uri)
        server.specs.documents.pop(uri, None)
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))


def _questions(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def _hover(params: types.HoverParams) -> types.Hover | None:
        return hover.hover(*server.place(params))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions([".", "(", '"'], resolve_provider=True))
    def _completion(params: types.CompletionParams) -> types.CompletionList:
        return completion.completion(*server.place(params))

    @server.feature(types.COMPLETION_ITEM_RESOLVE)
    def _resolve(item: types.CompletionItem) -> types.CompletionItem:
        return completion.resolve(server.specs, item)

    @server.feature(types.TEXT_DOCUMENT_SIGNATURE_HELP, types.SignatureHelpOptions(["(", ","], [")"]))
    def _signature(params: types.SignatureHelpParams) -> types.SignatureHelp | None:
        return signature.signature_help(*server.place(params))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def _definition(params: types.DefinitionParams) -> list[types.Location]:
        return navigation.definition(*server.place(params))

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def _references(params: types.ReferenceParams) -> list[types.Location]:
        return navigation.references(*server.place(params), declaration=params.context.include_declaration)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def _highlights(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
        return navigation.highlights(*server.place(params)[1:])

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def _outline(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        return navigation.outline(server.document(params.text_document.uri))

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def _hints(params: types.InlayHintParams) -> list[types.InlayHint]:
        document = server.document(params.text_document.uri)
        return hints.hints(document, *_offsets(document, params.range))

    legend = types.SemanticTokensLegend(list(tokens.TYPES), list(tokens.MODIFIERS))

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, legend)
    def _tokens(params: types.SemanticTokensParams) -> types.SemanticTokens:
        return types.SemanticTokens(tokens.tokens(server.document(params.text_document.uri)))


def _changes(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def _format(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        document = server.document(params.text_document.uri)
        return await asyncio.to_thread(editing.formatting, document)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions([types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]),
    )
    def _actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.document(params.text_document.uri)
        return editing.code_actions(document, *_offsets(document, params.range))

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def _renamable(params: types.PrepareRenameParams) -> types.Range | None:
        return renaming.renamable(*server.place(params)[1:])

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    async def _rename(params: types.RenameParams) -> types.WorkspaceEdit:
        found = renaming.rename(*server.place(params), params.new_name)
        if isinstance(found, renaming.Refused):
            raise JsonRpcException(found.reason, types.LSPErrorCodes.RequestFailed)
        await _still_right(server, found, params.new_name)
        return renaming.workspace_edit(found, params.new_name)


async def _still_right(server: Server, change: renaming.Change, name: str) -> None:
    """Check what a new name makes of each text that was right before; refused where it is wrong then."""
    for of, places in change:
        known = of.checked
        if known is None or known.text != of.text or any(one.severity == "error" for one in known.diagnostics):
            continue
        after = await server.checker.run(of.changed(renaming.edited(of.text, places, name)))
        wrong = next((one for one in after.diagnostics if one.severity == "error"), None)
        if wrong is not None:
            raise JsonRpcException(f"with this name: {wrong.headline}", types.LSPErrorCodes.RequestFailed)


def _offsets(document: Document, place: types.Range) -> tuple[int, int]:
    return document.lines.offset(place.start), document.lines.offset(place.end)


def serve() -> None:
    """Talk over standard input and output until the client ends it. What is printed on the way goes to errors."""
    sys.setswitchinterval(SWITCH)
    talk = partial(make_server().start_io, sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout = sys.stderr
    talk()
