"""Names that are given by ``--arg`` and ``--set``, looked at before anything is compiled: each in the other's place.

What this module does not do: check values (the compiler and the settings do).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archonnx.compiler.spec import Spec

RATES = ("lr", "learning_rate", "rate")
IN_THE_SPEC = "the spec says it, `adam(lr=...)`; as an argument of the model, `adam(lr=rate)`, it is `--arg rate=0.01`"


def check_given(spec: Spec, arguments: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """SpecError for an argument that is a setting, or a setting that is an argument or stands in the spec."""
    from archonnx.compiler.settings import TrainSettings
    from archonnx.grammar import ast
    from archonnx.grammar.diagnostics import fail

    models = [one for one in spec.file.declarations if isinstance(one, ast.Model)]
    taken = [p.name for model in models for p in model.parameters]
    settings = TrainSettings.model_fields
    for key, value in arguments.items():
        name = key.rpartition(".")[2]
        if name not in taken and key.partition(".")[0] in settings:
            said = f"`{key}` is a setting of the training, and not an argument of the model"
            fail("AX0202", said, None, help=f"give it as `--set {key}={_shown(value)}`")
    for key, value in changes.items():
        if key.partition(".")[0] in settings:
            continue
        if key in taken:
            said = f"`{key}` is an argument of the model, and not a setting of the training"
            fail("AX0701", said, None, help=f"give it as `--arg {key}={_shown(value)}`")
        if key in RATES:
            rates = [name for name in taken if name in (*RATES, "rate")]
            way = f"give it as `--arg {rates[0]}={_shown(value)}`" if rates else IN_THE_SPEC
            fail("AX0701", f"there is no setting `{key}`: the optimizer takes it", None, help=way)


def _shown(value: Any) -> str:
    return {True: "true", False: "false", None: "none"}.get(value, str(value)) if not isinstance(value, str) else value
