"""Row 2.2: published convolutional networks, with the number of parameters that is known of each."""

from __future__ import annotations

from functools import cache, partial

import numpy as np

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram
from archonnx.runtime.session import Options
from archonnx.runtime.trainer import Trainer

from .facts import Measured, Row

COUNTS = {
    "lenet5": 61_706,
    "alexnet": 61_100_840,
    "vgg16": 138_357_544,
    "inception_v1": 6_998_552,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "densenet121": 7_978_856,
    "mobilenet_v2": 3_504_872,
    "convnext_tiny": 28_589_128,
    "unet": 31_030_658,
}
"""Parameters of each network; running statistics are none."""
ROW = Row("2.2", "Published convolutional networks", "002 4; 003 7; 004 14, 21", tuple(COUNTS))


@cache
def elaborated(name: str) -> ModelProgram:
    """A network of the zoo."""
    return elaborate(load(name))


def _count(name: str, expected: int) -> Measured:
    count = elaborated(name).parameter_count
    return Measured(f"{count:,}", count == expected)


def _infers(name: str) -> Measured:
    """One image of the size of the paper, by the initial parameters, in onnxruntime."""
    model = elaborated(name)
    shape = model.infer.inputs["image"].type.substitute({"B": Dim.of(1)}).static_shape
    image = np.random.default_rng(0).random(shape or (), np.float32)
    trainer = Trainer(model, options=Options(device="cpu"), batch_size=1)
    (values,) = trainer.predict({"image": image}).values()
    sums = values.sum(axis=-1)
    good = bool(np.isfinite(values).all() and np.abs(sums - 1).max() < 1e-4)
    return Measured(f"{' x '.join(map(str, values.shape))}", good)


for name, count in COUNTS.items():
    ROW.fact(f"{name} has {count:,} parameters")(partial(_count, name, count))
for name in COUNTS:
    ROW.fact(f"{name} gives probabilities for an image of the paper's size", slow=name != "lenet5")(
        partial(_infers, name)
    )
