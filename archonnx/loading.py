"""Reading a spec: ``load``. What this module does not do: check it (``compile`` and ``train`` do)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from archonnx.compiler import pipeline
from archonnx.compiler.spec import Spec
from archonnx.grammar.record import replace

SpecLike = str | Path | Spec


def load(spec: str | Path, *, dtype: Literal["f32", "f64"] = "f32", model: str | None = None, **arguments: Any) -> Spec:
    """Read a spec: a file, or a name from the zoo; SpecError if it is wrong.

    Args:
        spec: a file, or a name from the zoo.
        dtype: the model's float type, which a dtype left out in the spec stands for.
        model: which is meant, of a file that has several; the one that is trained first unless given.
        arguments: those of its model.

    Examples:
        >>> import archonnx
        >>> load("digits_cnn", width=64).name
        'digits_cnn'
        >>> archonnx.compile(load("digits_cnn", dtype="f64")).parameters["dense.W"].dtype
        'f64'
    """
    found = pipeline.load(spec, dtype=dtype, **arguments)
    return found if model is None else replace(found, model=model)


def as_spec(spec: SpecLike) -> Spec:
    """A spec that ``load`` gave, or the one of that name."""
    return spec if isinstance(spec, Spec) else pipeline.load(spec)
