"""The page that follows a training, and logs of TensorBoard: what was told is what they have, and nobody else is let in."""

from __future__ import annotations

import http.client
import json
import math
import struct
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from archonnx.cli.app import app
from archonnx.grammar.diagnostics import SpecError
from archonnx.pictures.live import POINTS, Following, Series, served
from archonnx.runtime.measures.watch import Norms
from archonnx.runtime.training.observers import Several
from archonnx.runtime.training.observing import Epoch, Observer, Outcome

EVIL = "</script><script>alert(1)</script>"


def ask(address: str, path: str | None = None, host: str | None = None) -> tuple[int, str, dict[str, str]]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    connection.request("GET", parts.path if path is None else path, headers={"Host": host or parts.netloc})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body, dict(answer.getheaders())


def told(following: Observer) -> None:
    """A short training."""
    following.program("train", 1, 1)
    following.begin(2, 2)
    for epoch in (1, 2):
        for step in (1, 2):
            following.step(epoch, step, {"loss": 1.0 / (epoch + step)})
        norms = {"dense.W": Norms(0.5 * epoch, 1.0, 0.01)}
        following.epoch(Epoch(epoch, {"loss": 0.5}, {"loss": float("nan")}, 0.1, norms=norms))
    following.note(EVIL)


def test_the_page_has_what_was_told() -> None:
    following = Following("digits")
    with served(following) as address:
        told(following)
        status, body, headers = ask(address, urlsplit(address).path + "state.json")
    state = json.loads(body)
    charts = {chart["title"]: chart["series"] for chart in state["programs"][0]["charts"]}
    assert status == 200 and headers["Cache-Control"] == "no-store"
    assert charts["loss, step by step"] == [
        {"name": "loss", "xs": [0.5, 1.0, 1.5, 2.0], "ys": [1 / 2, 1 / 3, 1 / 3, 1 / 4]}
    ]
    assert charts["loss"] == [
        {"name": "train", "xs": [1, 2], "ys": [0.5, 0.5]},
        {"name": "valid", "xs": [1, 2], "ys": [None, None]},
    ]
    assert charts["norm of the gradient"] == [{"name": "dense.W", "xs": [1, 2], "ys": [0.5, 1.0]}]
    assert state["said"] == "digits: 2 of 2 epochs" and state["notes"] == [EVIL] and not state["ended"]


def test_the_end_is_told() -> None:
    following = Following("x")
    told(following)
    following.end(Outcome(reason="early stopping"))
    following.close()
    state = json.loads(following.record())
    assert state["said"] == "x: early stopping" and state["ended"]


def test_only_who_knows_the_address_is_let_in() -> None:
    with served(Following("x")) as address:
        parts = urlsplit(address)
        assert parts.hostname == "127.0.0.1" and len(parts.path) > 12
        assert ask(address)[0] == 200
        assert ask(address, host=f"localhost:{parts.port}")[0] == 200
        for path in ("/", "/state.json", parts.path + "../", parts.path + "other", "//"):
            assert ask(address, path)[0] == 404, path
        for host in ("evil.example", f"evil.example:{parts.port}", "127.0.0.1", ""):
            assert ask(address, host=host or " ")[0] in (400, 403), host
    with pytest.raises(OSError):
        ask(address)


def test_the_page_runs_its_own_script_alone() -> None:
    with served(Following(EVIL)) as address:
        _, body, _ = ask(address)
    assert body.count("<script") == 1 and EVIL not in body
    policy = body.split('Content-Security-Policy" content="')[1].split('"')[0]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in body and "default-src 'none'" in policy and "unsafe-inline'; script" in policy
    assert "innerHTML" not in body and "http://" not in body.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("count", [1, POINTS, POINTS + 1, 10 * POINTS + 7])
def test_a_series_stays_small_and_even(count: int) -> None:
    series = Series("x")
    for i in range(count):
        series.add(float(i), float(i))
    assert len(series.xs) == len(series.ys) <= POINTS and series.xs[0] == 0.0
    steps = {b - a for a, b in zip(series.xs, series.xs[1:], strict=False)}
    assert len(steps) <= 1 and count - 1 - series.xs[-1] < max(steps, default=1.0)


def test_a_port_that_is_taken_is_a_diagnostic() -> None:
    with served(Following("x")) as address:
        taken = served(Following("y"), urlsplit(address).port or 0)
        with pytest.raises(SpecError, match="cannot be served"), taken:
            pass


def test_several_observers_are_told_alike() -> None:
    one, two = Following("x"), Following("x")
    told(Several([one, two]))
    alone = Following("x")
    told(alone)
    assert one.record() == two.record() == alone.record()
    assert Several([one, two]).now_and_then and not Several([one, Observer()]).now_and_then
    missing = [
        name
        for name in vars(Observer)
        if callable(getattr(Observer, name)) and name[0] != "_" and name not in vars(Several)
    ]
    assert missing == []


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    """What a log holds, read as its format is described: records of a length, a checksum, an event, and a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.iterdir():
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
            at += 12 + length + 4
    return found


def test_logs_have_steps_epochs_and_norms_and_the_verb_writes_them(tmp_path: Path) -> None:
    command = ["train", "xor", "--set", "epochs=3", "--watch", "grads", "--live", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(app, [*command, "--tensorboard", str(tmp_path / "logs")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "follow it at http://127.0.0.1:" in result.output
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text("utf-8").splitlines()]
    found = scalars(tmp_path / "logs")
    for line in history:
        for name, value in line["train"].items():
            assert math.isclose(found[f"train/{name}", line["epoch"]], value, rel_tol=1e-6)
        for path, norms in line["watch"].items():
            assert math.isclose(found[f"gradient/{path}", line["epoch"]], norms["gradient"], rel_tol=1e-6)
    assert len({step for tag, step in found if tag.startswith("step/")}) >= 3
