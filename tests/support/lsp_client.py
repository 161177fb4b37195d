"""A client of the language server over standard input and output, for tests that ask it as an editor does."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from archonnx.lsp.server import CHECKED

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds after which an answer is missed."""


class Editor:
    """An editor with one server: every question waits for its answer."""

    def __init__(self, folder: Path, command: tuple[str, ...] = (sys.executable, "-m", "archonnx", "lsp")) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.client: Any = LanguageClient("tests", "1")
        self.published: dict[str, list[types.Diagnostic]] = {}
        self.logged: list[str] = []
        self._waiting: dict[str, Future[None]] = {}
        self._versions: dict[str, int] = {}
        self._listen()
        self.wait(self.client.start_io(*command))
        self.capabilities: types.ServerCapabilities = self.wait(self._initialize()).capabilities

    def _listen(self) -> None:
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self._published(params))
        self.client.feature(CHECKED)(lambda params: self._checked(params.uri))
        self.client.feature(types.WINDOW_LOG_MESSAGE)(lambda params: self._logged(params))

    def _published(self, params: types.PublishDiagnosticsParams) -> None:
        self.published[params.uri] = list(params.diagnostics)

    def _checked(self, uri: str) -> None:
        if (waiting := self._waiting.pop(uri, None)) is not None:
            waiting.set_result(None)

    def _logged(self, params: types.LogMessageParams) -> None:
        self.logged.append(params.message)

    async def _initialize(self) -> types.InitializeResult:
        general = types.GeneralClientCapabilities(position_encodings=["utf-8", "utf-16"])  # as Neovim and Helix offer
        params = types.InitializeParams(
            capabilities=types.ClientCapabilities(general=general), root_uri=self.folder.as_uri()
        )
        result: types.InitializeResult = await self.client.initialize_async(params)
        self.client.initialized(types.InitializedParams())
        return result

    def wait(self, question: Coroutine[Any, Any, T]) -> T:
        """The answer to a question."""
        return asyncio.run_coroutine_threadsafe(question, self.loop).result(PATIENCE)

    def tell(self, call: Any, params: Any) -> None:
        """Send a notification."""

        async def send() -> None:
            call(params)

        self.wait(send())

    def uri(self, name: str) -> str:
        """The URI of a file of the folder."""
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str) -> list[types.Diagnostic]:
        """Open a document, or put another text in its place; what is found in it at last."""
        waiting = self.next_findings(name)
        self.change(name, text)
        return waiting()

    def next_findings(self, name: str) -> Callable[[], list[types.Diagnostic]]:
        """From now on, what is found in a document next: a function that waits for it."""
        uri = self.uri(name)
        waiting = self._waiting[uri] = Future()

        def wait() -> list[types.Diagnostic]:
            waiting.result(PATIENCE)
            return self.published[uri]

        return wait

    def change(self, name: str, text: str) -> None:
        """The same without waiting."""
        uri = self.uri(name)
        version = self._versions[uri] = self._versions.get(uri, 0) + 1
        if version == 1:
            item = types.TextDocumentItem(uri, "archonnx", version, text)
            self.tell(self.client.text_document_did_open, types.DidOpenTextDocumentParams(item))
        else:
            changes = [types.TextDocumentContentChangeWholeDocument(text)]
            document = types.VersionedTextDocumentIdentifier(version, uri)
            self.tell(self.client.text_document_did_change, types.DidChangeTextDocumentParams(document, changes))

    def ask(self, method: str, params: Any) -> Any:
        """The answer of a method of the client, such as ``text_document_hover``."""
        return self.wait(getattr(self.client, f"{method}_async")(params))

    def close(self) -> None:
        """End the server as an editor does, and everything here."""
        self.wait(self.client.shutdown_async(None))
        self.tell(self.client.exit, None)
        self.wait(self.client.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
