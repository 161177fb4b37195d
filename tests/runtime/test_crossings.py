"""Crossings: found from times, remembered for a machine, and followed by the rules."""

from __future__ import annotations

import json
from dataclasses import replace as changed
from pathlib import Path

import pytest

from archonnx.compiler.ir.graph import Graph
from archonnx.compiler.ops.blocks import BlockConv
from archonnx.compiler.ops.reduce import ReduceSum
from archonnx.compiler.passes.crossings import FILE, LARGEST, Crossings, crossings, standard, using
from archonnx.compiler.passes.kernels import for_kernels
from archonnx.grammar.record import replace
from archonnx.runtime.device import tuning
from archonnx.runtime.device.crossing import LADDERS, Ladder, Rung, crossing, measured
from archonnx.runtime.device.session import SessionOptions

OPTIONS = SessionOptions("cpu", 1)


def rungs(*gains: float) -> list[Rung]:
    """Sizes 1, 2, 4... where the product is so many times as fast."""
    return [Rung(2**place, 64, 1.0, gain) for place, gain in enumerate(gains)]


@pytest.mark.parametrize(
    ("gains", "up_to", "since"),
    [
        ((2, 2, 0.5, 0.5), 2, 1),
        ((0.5, 0.5, 3, 3), 8, 4),
        ((2, 0.9, 2, 0.5), 4, 1),  # a rung that was measured badly
        ((0.5, 0.5), 0, LARGEST),
        ((2, 2), 2, 1),
    ],
)
def test_a_crossing_is_where_all_rungs_together_take_least(gains: tuple[float, ...], up_to: int, since: int) -> None:
    assert crossing(rungs(*gains), below=True) == up_to
    assert crossing(rungs(*gains), below=False) == since

    def cost(limit: int) -> float:
        took = 1.0
        for rung in rungs(*gains):
            took *= rung.product if rung.size >= limit else rung.direct
        return took

    assert all(cost(since) <= cost(limit) for limit in (1, 2, 4, 8, LARGEST))


@pytest.mark.parametrize("ladder", LADDERS, ids=lambda ladder: ladder.name)
def test_the_rules_follow_the_crossings_on_the_graphs_of_a_ladder(ladder: Ladder) -> None:
    """With a crossing beyond all sizes the product is taken, with one before them it is not."""
    graph = ladder.graph(ladder.sizes[1], ladder.widths[0])
    always, never = (LARGEST, 0) if ladder.below else (0, LARGEST)

    def as_product(limit: int) -> bool:
        with using(replace(standard(), **{ladder.name: limit})):
            put: Graph = for_kernels(graph, 8)
        return not any(isinstance(node.op, BlockConv | ReduceSum) for node in put.nodes)

    assert as_product(always) and not as_product(never)
    assert crossings() == standard()


def test_the_standard_ones_say_when_and_where() -> None:
    told = json.loads(FILE.read_text("utf-8"))
    assert {"date", "processor", "onnxruntime", "threads"} < told.keys()
    assert Crossings.from_json(told["crossings"]) == standard()


def test_a_machine_is_measured_once_and_a_damaged_cache_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    found, times = replace(standard(), patch_rows=77), []
    monkeypatch.setattr(tuning, "measured", lambda options: (found, times.append(options)))
    assert tuning.tuned(OPTIONS) == tuning.tuned(OPTIONS) == found and len(times) == 1
    place = tuning.place_of(OPTIONS)
    assert place.parent == tmp_path / "new" / "archonnx"
    assert place != tuning.place_of(changed(OPTIONS, threads=2))
    good = json.loads(place.read_text("utf-8"))
    damaged = [
        b"", b"\xff\xfe", b"[]", b"{}", b'{"crossings": 3}', b"[" * 100_000,
        json.dumps({"crossings": good["crossings"] | {"columns": -1}}).encode(),
        json.dumps({"crossings": good["crossings"] | {"columns": True}}).encode(),
        json.dumps({"crossings": good["crossings"] | {"more": 1}}).encode(),
    ]  # fmt: skip
    for number, content in enumerate(damaged, 2):
        place.write_bytes(content)
        assert tuning.tuned(OPTIONS) == found and len(times) == number, content[:80]
    place.unlink()
    place.mkdir()  # nothing can be written there
    assert tuning.tuned(OPTIONS) == found


def test_a_ladder_is_measured() -> None:
    small = changed(LADDERS[-1], sizes=(64, 8192), widths=(16,))
    found, told = measured(OPTIONS, [small])
    assert found.patch_rows == standard().patch_rows and found.sum_elements in (64, 8192, LARGEST)
    assert [rung.size for rung in told["sum_elements"]] == [64, 8192]
    assert all(0 < seconds < 1 for rung in told["sum_elements"] for seconds in (rung.product, rung.direct))
