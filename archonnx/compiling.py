"""Compiling a spec to ONNX graphs in memory: ``compile``. What this module does not do: write files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from archonnx.compiler.opset import OPSET
from archonnx.compiler.pipeline import elaborate
from archonnx.runtime.export.artifacts import GraphOptions, as_onnx, graphs_of

from .loading import SpecLike, as_spec

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter's shape and the name of its dtype (``"f32"``). A ``buffer`` is state that ``update`` changes."""

    shape: tuple[int, ...]
    dtype: str
    trainable: bool
    buffer: bool = False


class Graphs(Mapping[str, "onnx.ModelProto"]):
    """ONNX models by name, each made when it is first asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], onnx.ModelProto]]) -> None:
        self._makers = makers
        self._made: dict[str, onnx.ModelProto] = {}

    def __getitem__(self, name: str) -> onnx.ModelProto:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __repr__(self) -> str:
        return f"<ONNX graphs {', '.join(list(self)[:8])}{', ...' if len(self) > 8 else ''}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (dict(self),)


def _made(models: Mapping[str, onnx.ModelProto]) -> Graphs:
    """Models that are there already: all that a pickle holds."""
    return Graphs({name: partial(models.__getitem__, name) for name in models})


@dataclass(frozen=True, slots=True, repr=False)
class Compiled:
    """A compiled spec.

    Attributes:
        graphs: ``infer``, ``evaluate``, every entry by its name, ``gradients`` (``gradients.LOSS`` for losses after the
            first), ``train_step`` (``train_step.1`` for the second statement, ``train_step.PROGRAM`` for a ``train``
            block with a name).
        parameters: by path, in order of construction; buffers too.
    """

    name: str
    graphs: Mapping[str, onnx.ModelProto]
    parameters: Mapping[str, ParameterInfo]

    def __repr__(self) -> str:
        return f"<Compiled {self.name}: {len(self.parameters)} parameters, {self.graphs!r}>"


def compile(
    spec: SpecLike,
    batch_size: int | None = None,
    *,
    target: Literal["portable", "onnx", "ort", "exact"] = "portable",
    program: str | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
    opset: int = OPSET,
) -> Compiled:
    """Compile a spec to ONNX graphs, all of which take the parameters as inputs, by path.

    Args:
        spec: a file, a name from the zoo, or what ``load`` gave.
        batch_size: fixes the number of examples in the training step; symbolic otherwise.
        target: ``portable`` keeps to ai.onnx operators in forms that any client computes, ``onnx`` to those that
            onnxruntime computes fastest, ``ort`` may use its own,
            ``exact`` has the nodes that a training on this machine runs, so that results are the same to the bit.
        program: the ``train`` block whose statements are compiled; those of all unless given.
        steps: number of passes over the statements, for schedules that need it.
        steps_per_epoch: likewise.
        opset: version of the ai.onnx operators.
    """
    model = elaborate(as_spec(spec))
    options = GraphOptions(target, opset, batch_size, steps, steps_per_epoch, program)
    return Compiled(
        model.name,
        Graphs({one.name: partial(as_onnx, one, model, options) for one in graphs_of(model, options)}),
        {
            path: ParameterInfo(p.shape, str(p.type.dtype), p.trainable, p.buffer)
            for path, p in model.parameters.items()
        },
    )
