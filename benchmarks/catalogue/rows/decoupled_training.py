"""Training without back-propagation through the whole net: feedback alignment, direct feedback, synthetic gradients.

The toy to beat is a net whose hidden layers stay as they were drawn, under a readout that is trained. Back-propagation
in the same net is printed beside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import archonnx

from ..facts import Measured, Row
from ..training import in_f64, listed, mean_of, tested

ROW = Row(
    "6.1",
    "Feedback alignment, direct feedback, synthetic gradients, decoupled interfaces",
    "000; 001",
    ("feedback_alignment", "direct_feedback", "synthetic_gradients", "hundred_layers"),
)
RNG = np.random.default_rng(0)
BATCH = {"x": RNG.uniform(size=(5, 64)), "label": np.array([0, 3, 5, 5, 9])}


def _error(logits: Any) -> Any:
    """Softmax minus the label, one row for each example."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True) - np.eye(10)[BATCH["label"]]


@ROW.fact("feedback alignment: what a layer is told is B^T of the layer above instead of W^T, as by hand in float64")
def by_hand() -> Measured:
    """All gradients of a net of two hidden layers, the way back through the fixed matrices."""
    of = in_f64("feedback_alignment", len(BATCH["label"]), depth=2)
    found, w = of.gradients(BATCH), of.parameters
    hs = [BATCH["x"]]
    for k in range(2):
        hs.append(np.tanh(hs[-1] @ w[f"layer.{k}.W"] + w[f"layer.{k}.b"]))
    delta = _error(hs[-1] @ w["layer.2.W"] + w["layer.2.b"]) / len(hs[0])
    worst = 0.0
    for k in (2, 1, 0):
        worst = max(worst, float(abs(found[f"layer.{k}.W"] - hs[k].T @ delta).max()))
        delta = delta @ w[f"layer.{k}.back"] * (1 - hs[k] ** 2)
    return Measured(f"{worst:.0e}", worst < 1e-12)


@ROW.fact("direct feedback: every layer moves by lr h^T (e B_k * f'), as by hand in float64")
def direct_by_hand() -> Measured:
    """One step of all layers at once."""
    of = in_f64("direct_feedback", len(BATCH["label"]), depth=3, lr=0.1)
    w, depth = {path: np.array(value) for path, value in of.parameters.items()}, 3
    hs = [BATCH["x"]]
    for k in range(depth):
        hs.append(np.tanh(hs[-1] @ w[f"layers.{k}.W"] + w[f"layers.{k}.b"]))
    e = _error(hs[-1] @ w["readout.W"] + w["readout.b"])
    of.step(BATCH)
    worst = 0.0
    for k in range(depth):
        told = e @ w["feedback"][k] * (1 - hs[k + 1] ** 2)
        expected = w[f"layers.{k}.W"] - 0.1 * hs[k].T @ told / len(e)
        worst = max(worst, float(abs(of.parameters[f"layers.{k}.W"] - expected).max()))
    return Measured(f"{worst:.0e}", worst < 1e-12)


@ROW.fact(
    "four hidden layers of width 20 on digits, 60 epochs: feedback alignment and direct feedback reach 0.93, and 0.15 "
    "more than the same layers left as they were drawn; mean of three seeds",
    slow=True,
)
def aligned() -> Measured:
    """Back-propagation by the rate of each."""
    fa, true = tested("feedback_alignment"), tested("feedback_alignment", random=False)
    direct, frozen = tested("direct_feedback"), tested("direct_feedback", rule="frozen")
    shown = (
        f"alignment {listed('accuracy', fa)}; direct {listed('accuracy', direct)}; "
        f"frozen {mean_of('accuracy', frozen):.3f}, "
        f"back-propagation {mean_of('accuracy', true):.3f}"
    )
    least = max(0.93, mean_of("accuracy", frozen) + 0.15)
    return Measured(shown, min(mean_of("accuracy", fa), mean_of("accuracy", direct)) >= least)


@ROW.fact(
    "direct feedback aligns: the cosine of the first layer's step and its true gradient, near 0 at the start, is above "
    "0.3 after training, in the mean of three seeds",
    slow=True,
)
def alignment() -> Measured:
    """In the test part. Where nothing but the readout is trained, they stay strangers."""
    direct, frozen = tested("direct_feedback"), tested("direct_feedback", rule="frozen")
    before, after = mean_of("alignment", frozen), mean_of("alignment", direct)
    return Measured(f"{listed('alignment', direct)}; frozen {before:.3f}", after > 0.3 and abs(before) < 0.1)


@ROW.fact(
    "synthetic gradients from h and the label (conditional) beat those from h alone, by 0.02 on digits, and a first "
    "module left as it was drawn, by 0.05; the cosine with the true gradient is above 0.4; mean of three seeds",
    slow=True,
)
def conditional() -> Measured:
    """Two modules of three and two layers of width 32."""
    labelled = tested("synthetic_gradients")
    plain = tested("synthetic_gradients", conditional=False)
    frozen = tested("synthetic_gradients", learned=False)
    ours, without, drawn = (mean_of("accuracy", one) for one in (labelled, plain, frozen))
    cosine = mean_of("cosine", labelled)
    shown = (
        f"{listed('accuracy', labelled)} (cosine {cosine:.2f}); plain {without:.3f} ({mean_of('cosine', plain):.2f}); "
    )
    return Measured(f"{shown}frozen {drawn:.3f}", ours >= without + 0.02 and ours >= drawn + 0.05 and cosine > 0.4)


@ROW.fact(
    "a hundred layers in two modules with synthetic inputs and gradients reach 0.90 on digits, 0.05 above the same "
    "with the first fifty layers left as they were drawn; cosine above 0.4; mean of three seeds",
    slow=True,
)
def hundred_layers() -> Measured:
    """The net is judged as it is used: M1, then M2, without what foretells."""
    ours, frozen = tested("hundred_layers"), tested("hundred_layers", learned=False)
    accuracy, drawn, cosine = mean_of("accuracy", ours), mean_of("accuracy", frozen), mean_of("cosine", ours)
    return Measured(
        f"{listed('accuracy', ours)} (cosine {cosine:.2f}); frozen {drawn:.3f}",
        accuracy >= max(0.90, drawn + 0.05) and cosine > 0.4,
    )


@ROW.fact(
    "its modules are separate ONNX graphs: M1's step takes no weight of M2, M2's none of M1, and the exported net none "
    "of what foretells"
)
def separate() -> Measured:
    """The inputs of the graphs, which take parameters by their names."""
    graphs = archonnx.compile(archonnx.load("hundred_layers", depth=2)).graphs

    def reads(name: str) -> set[str]:
        inputs = (value.name for value in graphs[name].graph.input if "/" not in value.name)
        return {path.split(".")[0] for path in inputs} - {"x", "label", "seed", "step"}

    found = {name: reads(name) for name in ("train_step", "train_step.1", "infer")}
    wanted = [{"enter", "M1", "M51"}, {"M2", "leave", "I50"}, {"enter", "M1", "M2", "leave"}]
    shown = "; ".join(f"{name} takes {', '.join(sorted(paths))}" for name, paths in found.items())
    return Measured(shown, list(found.values()) == wanted)
