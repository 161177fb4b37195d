"""ONNX's own recurrent layers. No spec makes them: exported inference graphs have them in place of scans that are them,
and training steps beside small ones.

What this module does not do: tell which scans are (``passes.recurrences`` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from archonnx.compiler.ir.dims import ONE
from archonnx.compiler.ir.op import Emitter, Op, TypeProblem, register
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ops.slicing import backwards

Kind = Literal["lstm", "gru", "rnn"]
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Gates, in ONNX's order: i, o, f, c; z, r, h."""


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@register
class Recurrent(Op):
    """An LSTM, GRU or RNN layer of one direction, as ONNX has it.

    Inputs: ``x: [T, B, m]``, the weights of the gates ``w: [1, gates * n, m]`` and ``r: [1, gates * n, n]``, the biases
    ``b: [1, 2 * gates * n]`` (those of ``w``, then those of ``r``), and where it does not start from 0 the states
    ``[1, B, n]``: ``h``, and ``c`` of an LSTM; last, of one with ``peepholes``, ``p: [1, 3 * n]`` for i, o and f.
    Results: ``h`` at all steps, ``[T, 1, B, n]``, and the last states.
    """

    wide: ClassVar[bool] = True
    not_differentiable: ClassVar[str | None] = "it stands in graphs that are exported or run alone"
    kind: Kind = "lstm"
    reverse: bool = False
    started: bool = False
    peepholes: bool = False
    reset_after: bool = True
    """Of a GRU, whether the reset gate acts on the product of the state."""
    activation: Literal["Tanh", "Relu"] = "Tanh"
    """Of an RNN."""

    @property
    def states(self) -> int:
        """How many tensors it carries."""
        return 2 if self.kind == "lstm" else 1

    def infer(self, x: TensorType, w: TensorType, r: TensorType, b: TensorType, *rest: TensorType) -> Any:
        steps, batch, _ = x.shape
        n = r.shape[2]
        if w.shape[1] != n * GATES[self.kind] or len(rest) != self.states * self.started + self.peepholes:
            raise TypeProblem("AX0302", f"a layer of {n} units has weights {w}")
        state = x.with_shape((ONE, batch, n))
        return (x.with_shape((steps, ONE, batch, n)), *([state] * self.states))

    def evaluate(self, x: Any, w: Any, r: Any, b: Any, *rest: Any) -> Any:
        (w,), (r,), n = w, r, r.shape[2]
        bw, br = np.split(b[0], 2)
        states = [s[0] for s in rest[: self.states]] if self.started else [np.zeros((x.shape[1], n), x.dtype)] * 2
        peep = np.split(rest[-1][0], 3) if self.peepholes else [np.zeros(n, x.dtype)] * 3
        hs = np.zeros((len(x), 1, x.shape[1], n), x.dtype)
        for t in reversed(range(len(x))) if self.reverse else range(len(x)):
            states = self._step(x[t] @ w.T + bw, states, r, br, peep)
            hs[t, 0] = states[0]
        return (hs, *(state[None] for state in states[: self.states]))

    def _step(self, a: Any, states: Sequence[Any], r: Any, br: Any, peep: Sequence[Any]) -> list[Any]:
        h = states[0]
        if self.kind == "rnn":
            a = a + h @ r.T + br
            return [np.tanh(a) if self.activation == "Tanh" else np.maximum(a, 0)]
        if self.kind == "lstm":
            i, o, f, g = np.split(a + h @ r.T + br, 4, -1)
            c = _sigmoid(f + peep[2] * states[1]) * states[1] + _sigmoid(i + peep[0] * states[1]) * np.tanh(g)
            return [_sigmoid(o + peep[1] * c) * np.tanh(c), c]
        xz, xr, xk = np.split(a, 3, -1)
        (rz, rr, rk), (bz, bg, bk) = np.split(r, 3), np.split(br, 3)
        z, g = _sigmoid(xz + h @ rz.T + bz), _sigmoid(xr + h @ rr.T + bg)
        k = np.tanh(xk + (g * (h @ rk.T + bk) if self.reset_after else (g * h) @ rk.T + bk))
        return [(1 - z) * k + z * h]

    def lower(
        self, emit: Emitter, inputs: Sequence[str], types: Sequence[TensorType], results: Sequence[TensorType]
    ) -> list[str]:
        """One node; for graphs that run everywhere a sequence is turned, since tract passes over a direction."""
        states = list(inputs[4 : 4 + self.states]) if self.started else [""] * self.states
        turned = self.reverse and emit.everywhere
        x = backwards(emit, inputs[0], 0) if turned else inputs[0]
        given = [x, *inputs[1:4], "", *states, *([inputs[-1]] if self.peepholes else [])]
        while not given[-1]:
            given.pop()
        hs, *last = emit.nodes(
            self.kind.upper(),
            *given,
            outputs=1 + self.states,
            hidden_size=types[2].shape[2],
            direction="reverse" if self.reverse and not turned else None,
            linear_before_reset=self.reset_after if self.kind == "gru" else None,
            activations=[self.activation] if self.kind == "rnn" and self.activation != "Tanh" else None,
        )
        return [_turned_back(emit, hs) if turned else hs, *last]


def _turned_back(emit: Emitter, hs: str) -> str:
    """The states in opposite order. MNN dies where a slice reads a layer's four axes, and takes three."""
    direction = emit.constant([1])
    return emit.node("Unsqueeze", backwards(emit, emit.node("Squeeze", hs, direction), 0), direction)
