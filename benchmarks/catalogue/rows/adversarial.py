"""Adversarial nets: modes, what a discriminator learns, digits, classes, latent space and super-resolution."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import archonnx
from archonnx.runtime.training.observing import Observer

from ..facts import Measured, Row
from ..images import digits, fid, measured, reader, trained
from ..training import train, trainer_of

ROW = Row(
    "5.3", "Generative adversarial networks", "001, generative adversarial networks",
    ("gan", "wgan_gp", "optimal_discriminator", "digits_dcgan", "digits_cgan", "digits_srgan"),
)  # fmt: skip
LABELS = np.arange(1000) % 10


def _modes(spec: str, **options: Any) -> int:
    """How many of the eight Gaussians, of deviation 0.05, have at least a hundredth of 4,000 samples within 0.2."""
    angle = 2 * np.pi * np.arange(8) / 8
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    samples = train(spec, **options)[-1].trainer.call("sample", n=4000, seed=3)["sample"]
    return int(measured("modes_covered(x, y, 0.2).modes", x=samples, y=centres))


@ROW.fact(
    "a ring of eight Gaussians: where G has eight turns to one of D, at a high rate, it keeps 2 of 8 at most", slow=True
)
def collapse() -> Measured:
    """The form that does not saturate; ten epochs."""
    found = _modes("gan", turns=[1, 8], rate=1e-3, settings={"epochs": 10})
    return Measured(f"{found} of 8", found <= 2)


@ROW.fact(
    "cured, it covers all 8: two turns of D to one of G, in either form, and WGAN with a gradient penalty", slow=True
)
def cured() -> Measured:
    """Each by itself is a cure."""
    found = {
        "minimax": _modes("gan", form="minimax"),
        "non-saturating": _modes("gan"),
        "WGAN-GP": _modes("wgan_gp"),
    }
    return Measured(", ".join(f"{name} {count}" for name, count in found.items()), set(found.values()) == {8})


@ROW.fact("the gradient of the gradient penalty is 2 w (1 - 1/|w|) for a linear critic w x: off by at most 1e-5")
def penalty() -> Measured:
    """The slope is w, so the penalty is (|w| - 1)^2."""
    text = (
        "model P():\n    input x: [B, 3]\n    D = Dense(1, bias=false)\n    slope = norm(grad(sum(D(x)), x), axis=-1)\n"
        "    loss objective = mean((slope - 1) ** 2)\n"
    )
    trainer = trainer_of(text)
    w = trainer.parameters["D.W"].astype(np.float64)
    found = trainer.gradients({"x": np.ones((4, 3), np.float32)})["D.W"]
    off = float(np.abs(found - 2 * w * (1 - 1 / np.linalg.norm(w))).max())
    return Measured(f"off by {off:.1g}", off < 1e-5)


@ROW.fact(
    "by the logit of D, minimax has the slope -D and the other form -(1 - D): where D is sure of a sample, 0 and -1"
)
def saturation() -> Measured:
    """At D = sigmoid(-8), of a sample that D is sure of, and at 1/2."""
    text = (
        "model S():\n    input a: [B]\n    output first = grad(-sum(bce_logits(a, 0, reduce=none)), a)\n"
        "    output second = grad(sum(bce_logits(a, 1, reduce=none)), a)\n"
    )
    a = np.array([-8, 0], np.float32)
    found, said = trainer_of(text).predict({"a": a}), 1 / (1 + np.exp(8 * np.array([1.0, 0])))
    off = max(float(np.abs(found["first"] + said).max()), float(np.abs(found["second"] + 1 - said).max()))
    shown = ", ".join(f"{x:.4f} and {y:.4f}" for x, y in zip(found["first"], found["second"], strict=True))
    return Measured(shown, off < 1e-6)


@ROW.fact(
    "while G stands still, D becomes p_data / (p_data + p_g): within 0.02 in the mean over data and samples", slow=True
)
def optimum() -> Measured:
    """On a line, where both densities are known; the points are drawn by NumPy."""
    rng = np.random.default_rng(0)
    right = rng.random(2000) < 2 / 3
    data = np.where(right, rng.normal(1, 1, 2000), rng.normal(-2, 0.5, 2000))
    x = np.concatenate([data, rng.normal(0, 1.5, 2000)])[:, None].astype(np.float32)
    found: Any = trained("optimal_discriminator").predict({"x": x})
    apart = np.abs(found["found"] - found["optimal"])
    spread = f"the optimum goes from {found['optimal'].min():.2f} to {found['optimal'].max():.2f}"
    return Measured(f"{apart.mean():.4f}; {spread}", float(apart.mean()) < 0.02)


ASKED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "DCGAN": ("digits_dcgan", {"n": 1000}),
    "conditional GAN": ("digits_cgan", {"label": LABELS}),
    "DDPM": ("digits_ddpm", {"label": LABELS, "guidance": np.float32(0)}),
}
"""What draws digits, and what it is asked for."""


@cache
def _digits(name: str) -> Any:
    """A thousand samples of a net."""
    spec, asked = ASKED[name]
    return trained(spec).call("sample", seed=1, **asked)["sample"]


@ROW.fact(
    "digits: FID on features of a digits net is below a tenth of that of noise; beside it that of `digits_ddpm`",
    slow=True,
)
def distances() -> Measured:
    """And that of one half of the digits and the other."""
    x, _ = digits()
    noise = np.random.default_rng(0).uniform(-1, 1, (1000, 1, 8, 8)).astype(np.float32)
    found = {name: fid(_digits(name), x) for name in ASKED}
    real, bad = fid(x[:900], x[900:]), fid(noise, x)
    shown = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
    return Measured(f"{shown}; half and half {real:.1f}, noise {bad:.1f}", max(found.values()) < bad / 10)


@ROW.fact("a digits net reads the class that the conditional GAN was asked for: over 0.9", slow=True)
def classes() -> Measured:
    """A hundred of each class."""
    says = reader().says(_digits("conditional GAN"))
    each = [np.mean(says[label == LABELS] == label) for label in range(10)]
    return Measured(
        f"{np.mean(says == LABELS):.3f}, each class at least {min(each):.2f}", np.mean(says == LABELS) > 0.9
    )


@ROW.picture(
    "digits_gan",
    "Row by row: digits of the data; two rows by `digits_dcgan`; two by `digits_cgan`, which was asked for 0 to 9; and "
    "what `digits_dcgan` draws on the line from one z to another.",
)
def drawn() -> Any:
    """Six rows of ten, ink is black."""
    z = np.random.default_rng(7).normal(size=(2, 16)).astype(np.float32)
    line = trained("digits_dcgan").call("interpolate", a=z[0], b=z[1], n=10)["interpolate"]
    parts = [digits()[0][:10], _digits("DCGAN")[:20], _digits("conditional GAN")[:20], line]
    return (1 - np.concatenate(parts).reshape(6, 10, 8, 8)) / 2


@ROW.fact(
    "on the line between two z the drawn digit changes smoothly: no step of 40 makes a third of the way", slow=True
)
def interpolation() -> Measured:
    """A hundred pairs; the ends are G(a) and G(b)."""
    trainer = trained("digits_dcgan")
    z = np.random.default_rng(0).normal(size=(100, 2, 16)).astype(np.float32)
    largest, apart = 0.0, 0.0
    for a, b in z:
        line: Any = trainer.call("interpolate", a=a, b=b, n=41)["interpolate"]
        ends: Any = trainer.call("draw", z=np.stack([a, b]))["draw"]
        steps = np.sqrt(((line[1:] - line[:-1]) ** 2).sum(axis=(1, 2, 3)))
        largest = max(largest, float(steps.max() / np.linalg.norm(ends[1] - ends[0])))
        apart = max(apart, float(np.abs(line[[0, -1]] - ends).max()))
    return Measured(f"{largest:.2f} of the way at most; ends off by {apart:.1g}", largest < 1 / 3 and apart < 1e-5)


@ROW.fact(
    "arithmetic on z: what bold ones of a class have and thin ones have not, added to thin ones of another class, "
    "gives more ink in over 0.9, and leaves the class in over 0.85; all 90 pairs",
    slow=True,
)
def arithmetic() -> Measured:
    """combine(a, b, c): a and b are means of 20 of 400 by their ink, c are the 50 thinnest."""
    trainer, z = trained("digits_cgan"), np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    drawn = [trainer.call("draw", z=z, label=np.full(400, label))["draw"] for label in range(10)]
    order = [np.argsort(images.mean(axis=(1, 2, 3))) for images in drawn]
    bolder, kept = [], []
    for one in range(10):
        bold, thin = z[order[one][-20:]].mean(axis=0), z[order[one][:20]].mean(axis=0)
        for other in set(range(10)) - {one}:
            least = order[other][:50]
            made = trainer.call("combine", a=bold, b=thin, c=z[least], label=np.full(50, other))["combine"]
            bolder.append(np.mean(made.mean(axis=(1, 2, 3)) > drawn[other][least].mean(axis=(1, 2, 3))))
            kept.append(np.mean(reader().says(made) == other))
    more, same = float(np.mean(bolder)), float(np.mean(kept))
    return Measured(f"more ink {more:.3f}, class {same:.3f}", more > 0.9 and same > 0.85)


@ROW.fact("digits of 4x4 at 8x8: over 1 dB better than bicubic on digits that were held out", slow=True)
def super_resolution() -> Measured:
    """PSNR of the fifth of the digits that trained nothing; bicubic as in PyTorch and ONNX."""
    found = train("digits_srgan")[-1].metrics["test"]
    ours, bicubic = found["psnr"], found["psnr_of_bicubic"]
    return Measured(f"{ours:.2f} dB, bicubic {bicubic:.2f} dB", ours > bicubic + 1)


class _Cut(Observer):
    """Interrupts in the second epoch."""

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """After each pass."""
        if (epoch, step) == (2, 5):
            raise KeyboardInterrupt


@ROW.fact(
    "a DCGAN that is cut in an epoch and resumed ends with the parameters of one that was not, to the bit", slow=True
)
def resumed() -> Measured:
    """Three epochs; batch statistics, two optimizers, draws and the order of examples all go on."""
    options: dict[str, Any] = {"settings": {"epochs": 3}, "device": "cpu", "threads": 1}
    with tempfile.TemporaryDirectory() as folder:
        whole = archonnx.train("digits_dcgan", Path(folder) / "whole", **options)
        cut = archonnx.train("digits_dcgan", Path(folder) / "cut", observer=_Cut(), **options)
        stopped = cut.record["stopped"]
        again = archonnx.train("digits_dcgan", None, resume=cut.path, device="cpu", threads=1)
        same = [np.array_equal(array, again.parameters[path]) for path, array in whole.parameters.items()]
    return Measured(f"{stopped}, then {sum(same)} of {len(same)} arrays equal", all(same) and stopped == "interrupted")
