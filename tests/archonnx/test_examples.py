"""The hard programs of ``data/examples``: each learns what it is for, and its entries run in plain onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_moons

import archonnx
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.device.session import SessionOptions
from archonnx.runtime.export.models import inference_model
from archonnx.runtime.training.trainer import Trainer
from tests.support.onnx_run import run_onnx

EXAMPLES = Path(__file__).parents[1] / "data/examples"
CPU = SessionOptions(device="cpu", threads=1)


def trainer(name: str, after: str = "", arguments: Mapping[str, Any] | None = None, **options: Any) -> Trainer:
    """An example, with a ``train`` block if it has none."""
    text = (EXAMPLES / f"{name}.arch").read_text("utf-8") + after
    spec = parse_spec(Source(f"{name}.arch", text), **(arguments or {}))
    return Trainer(elaborate(spec), options=CPU, **options)


def exported(of: Trainer, entry: str | None = None, **inputs: Any) -> dict[str, Array]:
    """An entry (or the outputs) with the trained parameters, in plain onnxruntime; it equals the trainer's own."""
    seed = np.array(5, np.int64)
    model = inference_model(of.model, dict(of.parameters), entry=entry)
    needs_seed = "seed" in {i.name for i in model.graph.input}
    results = run_onnx(model, {**inputs, **({"seed": seed} if needs_seed else {})})
    own = of.call(entry, seed=5, **inputs) if entry is not None else of.predict(inputs)
    for name, array in own.items():
        np.testing.assert_allclose(results[name], array, rtol=1e-3, atol=1e-4)
    return results


@pytest.mark.proof
def test_a_gan_finds_the_ring() -> None:
    """Samples come to lie on the circle of radius 1, all around it, and mostly at the eight places of the data."""
    of, rng = trainer("gan"), np.random.default_rng(0)
    angles = np.arange(8) * np.pi / 4
    modes = np.stack([np.cos(angles), np.sin(angles)], 1)

    def batch() -> dict[str, Array]:
        return {"x": (modes[rng.integers(0, 8, 256)] + rng.normal(0, 0.05, (256, 2))).astype(np.float32)}

    def shares(samples: Array) -> tuple[float, Array]:
        """The share of samples near the circle, and for each place the share of samples near it."""
        on_ring = np.abs(np.linalg.norm(samples, axis=1) - 1) < 0.2
        near = np.linalg.norm(samples[:, None] - modes, axis=2) < 0.25
        return float(on_ring.mean()), near.mean(0)

    assert shares(of.call("sample", n=1000)["sample"])[0] < 0.5
    for _ in range(2500):
        of.step(batch(), batch)
    on_ring, near = shares(exported(of, "sample", n=np.array(1000))["sample"])
    assert on_ring > 0.9 and near.min() > 0.03 and near.sum() > 0.6
    a, b = np.zeros(8, np.float32), np.ones(8, np.float32)
    path = exported(of, "interpolate", a=a, b=b, n=np.array(7))["interpolate"]
    ends = [exported(of, "interpolate", a=end, b=end, n=np.array(2))["interpolate"][0] for end in (a, b)]
    np.testing.assert_allclose(path[[0, -1]], ends, rtol=1e-4, atol=1e-5)


THERE_AND_BACK = """
    entry there_and_back(y: [R, 2]) -> [R, 2]:
        for c in couplings:
            y, log_det = c(y)
        for c in reversed(couplings):
            y = c.inverse(y)
        return y
"""


def test_a_flow_learns_a_density_and_inverts() -> None:
    of = trainer("flow", THERE_AND_BACK + "\ntrain:\n    minimize nll with adam(lr=2e-3)\n")
    x = make_moons(2000, noise=0.05, random_state=0)[0].astype(np.float32)
    x = (x - x.mean(0)) / x.std(0)
    first = of.evaluate({"x": x})["nll"]
    rng = np.random.default_rng(0)
    for _ in range(400):
        of.step({"x": x[rng.integers(0, len(x), 256)]})
    last = of.evaluate({"x": x})["nll"]
    assert last < first - 0.5 and last < 2.4  # 2.84 is the entropy of the normal that fits best
    samples = exported(of, "sample", n=np.array(400))["sample"]
    near = np.sqrt(((samples[:, None] - x[None]) ** 2).sum(2)).min(1)
    assert np.median(near) < 0.15
    np.testing.assert_allclose(exported(of, "there_and_back", y=x)["there_and_back"], x, atol=1e-3)
    grid = np.stack(np.meshgrid(*[np.linspace(-4, 4, 161)] * 2), -1).reshape(-1, 2).astype(np.float32)
    mass = np.exp(exported(of, x=grid)["log_prob"].astype(np.float64)).sum() * 0.05**2
    assert abs(mass - 1) < 0.05  # a density: it sums to one


@pytest.mark.proof
def test_capsules_read_digits() -> None:
    of = trainer("capsule", "\ntrain:\n    minimize margin with adam(lr=3e-3)\n")
    digits = load_digits()
    image, label = (digits.images[:, None] / 16).astype(np.float32), digits.target
    held = {"image": image[1500:], "label": label[1500:]}
    first, rng = of.evaluate(held), np.random.default_rng(0)
    for _ in range(100):
        rows = rng.integers(0, 1500, 64)
        of.step({"image": image[rows], "label": label[rows]})
    last = of.evaluate(held)
    assert last["margin"] < first["margin"] / 3 and last["accuracy"] > 0.8
    lengths = exported(of, image=held["image"])["probs"]
    assert lengths.max() < 1 and (lengths.argmax(1) == held["label"]).mean() == pytest.approx(last["accuracy"])


def communities() -> dict[str, Array]:
    """Two cliques of 17 joined by an edge; the sides of all nodes, and which are known."""
    sides = (np.arange(34) >= 17).astype(np.int64)
    friends = (sides[:, None] == sides[None, :]).astype(np.float32) - np.eye(34, dtype=np.float32)
    friends[16, 17] = friends[17, 16] = 1
    return {"A": friends, "club": sides, "known": np.isin(np.arange(34), [0, 33])}


def graph_network(w: Mapping[str, Array], adjacency: Array) -> Array:
    """The logits of the graph network in NumPy."""
    degree = adjacency.sum(1)
    laplacian = np.eye(34) - adjacency / np.sqrt(degree[:, None] * degree[None, :])
    h: Array = np.eye(34)
    for layer in ("graph_conv.0", "graph_conv.1"):
        h = (
            h @ w[f"{layer}.dense.0.W"]
            + w[f"{layer}.dense.0.b"]
            + laplacian @ (h @ w[f"{layer}.dense.1.W"] + laplacian @ h @ w[f"{layer}.dense.2.W"])
        )
        h = np.tanh(h) if layer == "graph_conv.0" else h
    return h


def test_a_graph_network_learns_the_known_nodes() -> None:
    of, data = trainer("gcn", "\ntrain:\n    minimize objective with adam(lr=0.03)\n"), communities()
    logits = graph_network(of.parameters, data["A"])
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(34), data["club"]]
    measured = of.evaluate(data)
    assert measured["objective"] == pytest.approx(expected[[0, 33]].mean(), rel=1e-4)
    assert measured["accuracy"] == pytest.approx((logits.argmax(1) == data["club"]).mean())
    unknown = {**data, "club": np.where(data["known"], data["club"], 1 - data["club"])}
    for path, gradient in of.gradients(data).items():
        np.testing.assert_array_equal(gradient, of.gradients(unknown)[path])
    for _ in range(60):
        of.step({**data, "known": np.ones(34, bool)})
    assert of.evaluate(data)["accuracy"] == 1
    probs = exported(of, A=data["A"])["probs"]
    np.testing.assert_array_equal(probs.argmax(1), data["club"])


def test_a_graph_of_another_size_is_refused() -> None:
    of, data = trainer("gcn"), communities()
    with pytest.raises(SpecError):
        of.predict({"A": data["A"][:30, :30]})


def test_a_language_model_goes_on_with_what_it_has_seen() -> None:
    """With its cache and one token at a time it says what all tokens at once say, and that is the rule it learned."""
    of = trainer(
        "gpt", "\ntrain:\n    minimize objective with adam(lr=3e-3)\n", arguments={"d": 32, "depth": 2, "vocab": 16}
    )
    rng = np.random.default_rng(0)
    for _ in range(150):
        start = rng.integers(0, 16, (16, 1))
        ids = (start + 3 * np.arange(25)) % 16
        loss = of.step({"ids": ids[:, :-1], "next": ids[:, 1:]})["objective"]
    assert loss < 0.2
    prompt = (5 + 3 * np.arange(6))[None] % 16
    cold = np.array(1e-3, np.float32)
    said = exported(of, "generate", prompt=prompt, new=np.array(12), temperature=cold)["generate"]
    np.testing.assert_array_equal(said[0], (5 + 3 * np.arange(18)) % 16)
    slowly = prompt
    for _ in range(12):
        best = of.predict({"ids": slowly})["probs"][:, -1].argmax(-1)
        slowly = np.concatenate([slowly, best[:, None]], 1)
    np.testing.assert_array_equal(said, slowly)


def test_a_diffusion_model_finds_the_moons() -> None:
    of, rng = trainer("ddpm", "\ntrain:\n    minimize simple with adam(lr=2e-3)\n"), np.random.default_rng(0)
    moons, _ = make_moons(2000, noise=0.05, random_state=0)
    moons = ((moons - moons.mean(0)) / moons.std(0)).astype(np.float32)

    def far() -> float:
        """The mean distance of samples from the nearest point of the data."""
        samples = exported(of, "sample", n=np.array(200))["sample"]
        return float(np.linalg.norm(samples[:, None] - moons[None], axis=2).min(1).mean())

    before = far()
    for _ in range(800):
        of.step({"x0": moons[rng.integers(0, 2000, 128)]})
    assert far() < 0.2 and before > 0.5


def test_meta_learning_learns_to_learn() -> None:
    """After training, one step on ten points of a new sinusoid is worth more than before."""
    of, rng = trainer("maml"), np.random.default_rng(0)

    def tasks(count: int) -> dict[str, Array]:
        amplitude, phase = rng.uniform(0.1, 5, (count, 1, 1)), rng.uniform(0, np.pi, (count, 1, 1))
        xs, xq = rng.uniform(-5, 5, (2, count, 10, 1))
        drawn = {"xs": xs, "ys": amplitude * np.sin(xs - phase), "xq": xq, "yq": amplitude * np.sin(xq - phase)}
        return {name: array.astype(np.float32) for name, array in drawn.items()}

    test = tasks(200)
    before = of.evaluate(test)["meta"]
    for _ in range(600):
        of.step(tasks(4))
    assert of.evaluate(test)["meta"] < 0.8 * before


def test_a_boltzmann_machine_reconstructs_digits() -> None:
    of = trainer("rbm")
    images = (load_digits().data > 7).astype(np.float32)
    before = of.evaluate({"v": images})["reconstruction"]
    for epoch in range(4):
        order = np.random.default_rng(epoch).permutation(len(images))
        for start in range(0, len(images) - 63, 64):
            of.step({"v": images[order[start : start + 64]]})
    assert of.evaluate({"v": images})["reconstruction"] < 0.6 * before
    sampled = exported(of, "sample", v0=images[:5], sweeps=np.array(3))["sample"]
    assert sampled.shape == (5, 64) and set(np.unique(sampled)) <= {0.0, 1.0}


def test_digits_are_read_while_two_domains_come_to_be_alike(tmp_path: Path) -> None:
    """Domain adaptation by gradient reversal, whose domains are two sources. (The file's other model waits.)"""
    run = archonnx.train(EXAMPLES / "dann.arch", tmp_path / "run", settings={"epochs": 2}, device="cpu")
    first, second = (line["train"]["total"] for line in run.history)
    assert second < 0.8 * first
    digits = load_digits()
    read = run.predict({"wild": (digits.data / 16).astype(np.float32)})["probs"].argmax(axis=1)
    assert np.mean(read == digits.target) > 0.7
