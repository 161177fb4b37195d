"""The families of the suite, a module for each part of the library. Importing this package enters all of them."""

from . import (
    activations,
    data,
    draws,
    elementwise,
    layers,
    linalg,
    losses,
    networks,
    norms,
    optimizers,
    reductions,
    schedules,
    tensors,
    training,
    windows,
)

__all__ = [
    "activations",
    "data",
    "draws",
    "elementwise",
    "layers",
    "linalg",
    "losses",
    "networks",
    "norms",
    "optimizers",
    "reductions",
    "schedules",
    "tensors",
    "training",
    "windows",
]
