"""The harness of the speed benchmarks: what it measures, refuses and makes of figures, without PyTorch."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import re

import pytest

from benchmarks import inference
from benchmarks.cases import CASES, SPELLED, Case, argument, case_named
from benchmarks.measure import Row, Side, check_agreement, measured
from benchmarks.ours import initial, spec_of
from benchmarks.paired import Pairs, spread
from benchmarks.train_step import means, row_of, table
from benchmarks.worker import COMPARED, OURS


def row(name: str, ours: tuple[float, ...], **peers: tuple[float, ...] | str) -> Row:
    sides = {OURS: Side(1.0, 2.0, ours)}
    for peer, given in peers.items():
        sides[peer.replace("_", "-")] = Side(error=given) if isinstance(given, str) else Side(1.0, 2.0, given)
    return Row(name, sides)


def test_a_workload_is_measured_in_a_process_of_its_own() -> None:
    found = measured(CASES["linear"], [OURS], rounds=3, round_seconds=0.01)
    side = found.sides[OURS]
    assert len(side.rounds) == 3 and 0 < side.best < 0.1 and 0 < side.first_step < 60 and not side.error
    assert row_of(json.loads(json.dumps(found.as_json()))) == found


def test_a_ratio_is_of_the_best_rounds_and_of_the_median_pair() -> None:
    found = row("cnn", (1.0, 2.0, 9.0), torch=(4.0, 2.0, 3.0), torch_fused=(8.0, 8.0, 8.0))
    assert found.ratio("torch") == 0.5  # 1 of 2
    assert found.paired("torch") == 1.0  # of 1/4, 2/2, 9/3
    assert found.fastest() == "torch"
    assert found.as_json()["of"]["torch-fused"] == {"best": 0.125, "paired": 0.25}


def test_means_are_geometric_and_of_each_kind_of_workload() -> None:
    rows = [
        row("linear", (1.0,), torch=(4.0,), torch_fused=(4.0,)),
        row("cnn", (2.0,), torch=(4.0,), torch_fused=(1.0,)),
        row("unet", (8.0,), torch=(4.0,), torch_fused=(8.0,)),
    ]
    assert means(rows) == pytest.approx({
        "overhead-bound, of eager": 0.25,
        "compute-bound, of eager": math.sqrt(0.5 * 2),
        "compute-bound, of the fastest": math.sqrt(2 * 2),
        "all, of the fastest": (0.25 * 2 * 2) ** (1 / 3),
    })  # fmt: skip
    assert math.isnan(means(rows[1:])["overhead-bound, of eager"])


def test_what_could_not_run_is_said_and_never_counted() -> None:
    found = row("cnn", (2.0,), torch=(4.0,), torch_fused=(3.0,), torch_compile="InductorError: no compiler")
    assert found.fastest() == "torch-fused"
    shown = table([found])
    assert "compiled: InductorError: no compiler" in shown and "| - |" in shown


def test_other_losses_are_refused() -> None:
    losses = [1.0 / (step + 1) for step in range(COMPARED)]
    other = [*losses[:-1], losses[-1] * 1.01]
    check_agreement("cnn", "torch", {"losses": losses}, {"losses": losses})
    check_agreement("cnn", "torch", {"losses": losses}, {"error": "InductorError"})
    with pytest.raises(ValueError, match=f"step {COMPARED - 1}: the loss is .* of torch"):
        check_agreement("cnn", "torch", {"losses": losses}, {"losses": other})
    with pytest.raises(ValueError, match="the loss is nan"):
        check_agreement("cnn", "torch", {"losses": [math.nan] * COMPARED}, {"losses": losses})
    with pytest.raises(ValueError, match="InductorError"):
        check_agreement("cnn", "torch", {"error": "InductorError"}, {"losses": losses})


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.batch_size < 1000], ids=lambda case: case.name
)
def test_every_workload_is_the_spec_with_its_optimizer(case: Case) -> None:
    text = spec_of(case, case.plain).source.text
    spelled = re.findall(r"minimize .* with (.*)", text)
    assert spelled == [SPELLED[case.optimizer].format(lr=case.lr, beta1=case.beta1)] * len(case.losses)


def test_a_workload_takes_another_optimizer() -> None:
    case = case_named("linear:adamw")
    assert "with adamw(" in spec_of(case).source.text
    assert [array.shape for array in initial(case).values()] == [(10, 1), (1,)]
    for wrong in ("nothing", "linear:nothing"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"workloads are linear.*optimizers sgd, momentum"):
            argument(wrong)


def test_an_exported_model_is_measured_before_and_after_onnxruntime_optimises_it() -> None:
    found = inference.measured(CASES["mlp_norm"], (1, 2, 0.001), peer=False)
    assert 1 <= found.optimised["ours"] <= found.nodes["ours"] <= 6, "three products, two rectifiers and a softmax"
    assert 660_000 * 4 < found.size["ours"] < 680_000 * 4
    assert {batch: [len(rounds) for rounds in one] for batch, one in found.openings.items()} == {1: [2], 32: [2]}
    assert found.pairs(32).ratio > 0
    assert inference.model_of(json.loads(json.dumps(dataclasses.asdict(found)))) == found


def test_a_ratio_is_of_times_within_a_round_and_compares_a_file_with_itself() -> None:
    pairs = Pairs([[[1.0, 2.0, 2.0], [3.0, 3.0, 3.0], [8.0, 4.0, 4.0]], [[9.0, 2.0, 4.0]], [[4.0, 1.0, 3.0]]])
    assert pairs.ratios == [1.0, 3.0, 2.0] and pairs.ratio == 2.0
    assert pairs.alike == [1.0, 2.0, 3.0] and spread(pairs.alike) == "1.00 to 3.00"
    assert pairs.milliseconds == "1e+03 / 1e+03"
