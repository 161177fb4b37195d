"""A page that follows a training: curves by step and epoch, norms of gradients and dead units where they are watched.

It is served on the loopback address alone, under a path that nobody guesses, to whoever asks for it by that address;
nothing can be told to it. What this module does not do: keep anything after the training (``history.jsonl`` does).
"""

from __future__ import annotations

import json
import math
import secrets
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from archonnx.grammar.diagnostics import fail
from archonnx.runtime.html import STYLE, Html, element, page
from archonnx.runtime.measures.watch import Norms, dead_shares
from archonnx.runtime.training.observing import Epoch, Observer, Outcome

HOST = "127.0.0.1"
POINTS = 800
"""A series that is longer loses every second point."""
NORMS = 8
"""Parameters whose gradients are drawn: those with the largest norms at first."""
NOTES = 20
SCRIPT = Path(__file__).with_name("live.js")
LOOK = (
    STYLE + "svg{font:11px system-ui,sans-serif}svg text{fill:var(--ink)}svg .name{font-weight:600;font-size:12px}"
    "svg .tick{font-size:10px}svg .grid{stroke:var(--rim)}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr))}"
    "#notes{color:var(--faint);white-space:pre-wrap;font-size:.85rem}"
)


@dataclass(slots=True)
class Series:
    """A line that grows: no more than ``POINTS`` points, evenly spaced over all that there were."""

    name: str
    xs: list[float] = field(default_factory=list)
    ys: list[float | None] = field(default_factory=list)
    stride: int = 1
    seen: int = 0

    def add(self, x: float, y: float) -> None:
        """A further point."""
        if self.seen % self.stride == 0:
            self.xs.append(x)
            self.ys.append(y if math.isfinite(y) else None)
        self.seen += 1
        if len(self.xs) > POINTS:
            self.xs, self.ys, self.stride = self.xs[::2], self.ys[::2], 2 * self.stride

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"name": self.name, "xs": self.xs, "ys": self.ys}


@dataclass(slots=True)
class _Program:
    name: str
    charts: dict[str, dict[str, Series]] = field(default_factory=dict)
    epochs: int = 0
    per_epoch: int = 1

    def add(self, chart: str, line: str, x: float, y: float) -> None:
        self.charts.setdefault(chart, {}).setdefault(line, Series(line)).add(x, y)

    def record(self) -> dict[str, Any]:
        charts = [
            {"title": title, "series": [line.record() for line in lines.values()]}
            for title, lines in self.charts.items()
        ]
        return {"name": self.name, "charts": charts}


class Following(Observer):
    """What is known of a training so far. It may be read while the training goes on."""

    now_and_then = True

    def __init__(self, title: str) -> None:
        self.title = title
        self._lock = threading.Lock()
        self._programs: list[_Program] = []
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._said = title
        self._ended = False

    def program(self, name: str, number: int, count: int) -> None:
        with self._lock:
            self._programs.append(_Program(name))

    def opening(self, line: str) -> None:
        self.note(line)

    def begin(self, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        with self._lock:
            now = self._now
            now.epochs, now.per_epoch = epochs, max(steps_per_epoch, 1)

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        with self._lock:
            now = self._now
            at = epoch - 1 + step / now.per_epoch
            for name, value in losses.items():
                now.add(f"{name}, step by step", name, at, value)
            self._said = f"{self.title}: epoch {epoch} of {now.epochs}, step {step} of {now.per_epoch}"

    def epoch(self, record: Epoch) -> None:
        with self._lock:
            now = self._now
            for part, values in (("train", record.train), ("valid", record.valid)):
                for name, value in values.items():
                    now.add(name, part, record.number, value)
            for path, norms in self._drawn(record.norms).items():
                now.add("norm of the gradient", path, record.number, norms.gradient)
            for layer, share in dead_shares(record.dead).items():
                now.add("share of dead units", layer, record.number, share)
            self._said = f"{self.title}: {record.number} of {now.epochs} epochs"

    def note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)

    def end(self, outcome: Outcome) -> None:
        with self._lock:
            self._said = f"{self.title}: {outcome.reason}"

    def close(self) -> None:
        """Nothing more comes."""
        with self._lock:
            self._ended = True

    def record(self) -> str:
        """All of it as JSON."""
        with self._lock:
            known = {
                "said": self._said,
                "notes": list(self._notes),
                "programs": [program.record() for program in self._programs],
                "ended": self._ended,
            }
            return json.dumps(known)

    @property
    def _now(self) -> _Program:
        if not self._programs:
            self._programs.append(_Program("train"))
        return self._programs[-1]

    def _drawn(self, norms: Mapping[str, Norms]) -> dict[str, Norms]:
        known = self._now.charts.get("norm of the gradient")
        chosen = known or sorted(norms, key=lambda path: -norms[path].gradient)[:NORMS]
        return {path: norms[path] for path in chosen if path in norms}


@contextmanager
def served(following: Following, port: int = 0) -> Iterator[str]:
    """Serve the page of a training while the body runs; its address.

    Args:
        following: what is known of the training.
        port: where to listen; a free one if 0.
    """
    token, nonce = secrets.token_urlsafe(12), secrets.token_urlsafe(12)
    content = _page(following.title, nonce).encode()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.headers.get("Host") not in {f"{HOST}:{bound}", f"localhost:{bound}"}:
                self.send_error(403)
            elif self.path == f"/{token}/":
                self._give("text/html; charset=utf-8", content)
            elif self.path == f"/{token}/state.json":
                self._give("application/json", following.record().encode())
            else:
                self.send_error(404)

        def _give(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Who asks for the page is not told."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        fail("AX0616", f"the page cannot be served at {HOST}:{port}: {error}", None, help="leave the port out")
    server.daemon_threads = True
    bound = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{bound}/{token}/"
    finally:
        following.close()
        server.shutdown()
        server.server_close()
        thread.join()


def _page(title: str, nonce: str) -> str:
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'"
    script = Html(f'<script nonce="{nonce}">{SCRIPT.read_text("utf-8")}</script>')
    gone = Html('<p id="gone" hidden>The training has ended, or was ended. This is the last that was told.</p>')
    return page(
        title,
        element("h1", title),
        element("p", "", id="said"),
        gone,
        element("div", "", id="charts"),
        element("p", "", id="notes"),
        script,
        policy=policy,
        style=LOOK,
    )
