"""The table of op cases: for every registered op, inputs on which all that the op claims is put to the test.

Each family of ops has its own file ``op_cases_FAMILY.py`` with a tuple ``CASES``; this module gathers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np

from archonnx.compiler.ir.dims import Dim
from archonnx.compiler.ir.op import Op
from archonnx.compiler.ir.types import Array, DType, TensorType


@dataclass(frozen=True)
class Arg:
    """One input: its type (``B`` is the symbolic dim) and the range from which its elements are drawn.

    Floats are uniform on ``[low, high)``, integers on ``low, ..., high - 1``. ``values`` are taken as they stand.
    """

    dtype: str
    dims: tuple[int | str | Dim, ...]
    low: float = -2.0
    high: float = 2.0
    values: tuple[float, ...] | None = None

    @property
    def type(self) -> TensorType:
        """Its type, with symbolic dims."""
        return TensorType.of(self.dtype, *self.dims)

    def draw(self, generator: np.random.Generator, sizes: Mapping[str, int], dtype: DType) -> Array:
        """An array of it with these sizes of symbolic dims."""
        shape = tuple(dim.evaluate(sizes) for dim in self.type.shape)
        if self.values is not None:
            return np.resize(np.asarray(self.values), shape).astype(dtype.numpy)
        if dtype is DType.bool:
            return generator.integers(0, 2, shape).astype(bool)
        if dtype.is_float:
            return generator.uniform(self.low, self.high, shape).astype(dtype.numpy)
        return generator.integers(int(self.low), int(self.high), shape).astype(dtype.numpy)


def arg(
    dtype: str, *dims: int | str | Dim, low: float = -2.0, high: float = 2.0, values: tuple[float, ...] | None = None
) -> Arg:
    """``arg("f32", "B", 3, low=0)``."""
    return Arg(dtype, dims, low, high, values)


@dataclass(frozen=True)
class Case:
    """An op and its inputs."""

    op: Op
    inputs: tuple[Arg, ...] = ()
    smooth: bool = True
    """Whether the second derivative is checked as well (piecewise linear ops have nothing to show there)."""
    gradient: bool = True
    """Whether the gradient with respect to float inputs is checked."""
    runtime: bool = True
    """Whether the op is compared with onnxruntime on the CPU (which lacks some kernels)."""
    machine: bool = False
    """Whether the form for onnxruntime alone depends on the machine, so that only the portable one is compared."""
    tolerance: float = 1e-5
    """Of the comparison with onnxruntime, relative and absolute."""
    sizes: tuple[int, int] = (2, 5)
    """The sizes given to ``B``."""
    label: str = field(default="", compare=False)

    def __str__(self) -> str:
        types = ", ".join(str(a.type) for a in self.inputs)
        return f"{self.op} on {types}" + (f" ({self.label})" if self.label else "")


def cases() -> list[Case]:
    """All cases of all families."""
    families = sorted(path.stem for path in Path(__file__).parent.glob("op_cases_*.py"))
    return [case for family in families for case in import_module(f"tests.support.{family}").CASES]
