"""Options that several verbs share, and reading ``KEY=VALUE``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archonnx.runtime.paths import kind_at

if TYPE_CHECKING:
    import yaml

    from archonnx.compiler.spec import Spec


DEEPEST = 50
"""So deeply may a list of lists be nested."""
LONGEST_INTEGER = 4300
"""Digits of an integer that Python reads."""
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE)


MAX_SEED = 2**63 - 1
"""A seed is an i64 in graphs."""


class DeviceOption(StrEnum):
    """Where to run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Target(StrEnum):
    """Which operators may be used."""

    portable = "portable"
    onnx = "onnx"
    ort = "ort"
    exact = "exact"


class Precision(StrEnum):
    """In what a graph computes."""

    f32 = "f32"
    f16 = "f16"
    f16_io = "f16-io"


class StepPrecision(StrEnum):
    """In what the products of a training step are computed."""

    f32 = "f32"
    bf16 = "bf16"


class FileFormat(StrEnum):
    """What a file is."""

    onnx = "onnx"
    ort = "ort"


Arguments = Annotated[
    list[str] | None,
    typer.Option("--arg", metavar="KEY=VALUE", help="An argument of the model, as in `--arg width=64`. Repeatable."),
]
TargetOption = Annotated[
    Target,
    typer.Option(
        "--target",
        help="`portable`: ai.onnx operators that any client runs; `onnx`: those that onnxruntime runs fast; `ort`: "
        "also its own; `exact`: the nodes that a training on this machine runs, to the bit.",
    ),
]
BatchSize = Annotated[
    int | None, typer.Option("--batch-size", min=1, help="Fix the number of rows in the training steps.")
]
Batch = Annotated[
    int | None, typer.Option("--batch", min=1, help="Fix it in every graph but the entries, for clients that ask so.")
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=1, help="Passes over the statements, for schedules; those of a RUN are known."),
]
StepsPerEpoch = Annotated[int | None, typer.Option("--steps-per-epoch", min=1, help="Likewise.")]
RateInput = Annotated[
    bool, typer.Option("--rate-input", help="Learning rates are inputs of the training steps, in place of schedules.")
]
Opset = Annotated[int, typer.Option("--opset", help="Version of the ai.onnx operators: 13 to 26.")]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="`f16`: weights and most values in 16 bits, sums and statistics in 32; `f16-io`: inputs and outputs too.",
    ),
]
Format = Annotated[
    FileFormat, typer.Option("--format", help="`ort`: onnxruntime's own, for builds of it that read no ONNX; NAME.ort.")
]
ModelName = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Which of several models; else the one trained first.")
]
FloatType = Annotated[
    str | None,
    typer.Option("--dtype", metavar="f32|f64", help="The model's float type, used by types without a dtype."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="NAME=VALUE",
        help="An input or target: `x=[[1, 2]]`, or `x=FILE` with a .npy or .json file; or a FILE alone, .npz or .csv, "
        "that has several. Repeatable.",
    ),
]
ParametersFrom = Annotated[
    Path | None,
    typer.Option("--parameters", metavar="RUN|FILE", help="Trained ones: a run directory, or a .safetensors file."),
]
SpecOrRun = Annotated[
    str, typer.Argument(metavar="SPEC|RUN", help="A file, a name from the zoo, or a run, with its parameters.")
]
Device = Annotated[DeviceOption, typer.Option("--device", help="Where to run; `auto` takes a GPU if there is one.")]


def read_spec(of: str | Spec, arguments: Mapping[str, Any], dtype: str | None = None, model: str | None = None) -> Spec:
    """A spec, by its name or read already, with the arguments, the float type and the model of the command line."""
    from archonnx.compiler.pipeline import float_type, load
    from archonnx.grammar.record import replace

    spec = replace(load(of) if isinstance(of, str) else of, arguments=dict(arguments), model=model)
    return spec if dtype is None else replace(spec, float_type=float_type(dtype))


def is_run(what: str) -> bool:
    """Whether what is named is a run directory; what cannot be a name of a file is none."""
    return kind_at(Path(what) / "run.json")[0] == "file"


def spec_or_run(what: str, arguments: dict[str, object], dtype: str | None, model: str | None) -> Spec:
    """A spec as it is asked for; that of a run as it was trained, but for what is asked otherwise."""
    if not is_run(what):
        return read_spec(what, arguments, dtype, model)
    from archonnx.compiler.pipeline import float_type
    from archonnx.grammar.record import replace
    from archonnx.runtime.folders.run import Run

    spec = Run(what).spec()
    floats = spec.float_type if dtype is None else float_type(dtype)
    return replace(spec, arguments={**spec.arguments, **arguments}, float_type=floats)


def key_values(texts: Sequence[str] | None, option: str, as_texts: Collection[str] = ()) -> dict[str, Any]:
    """``["width=64", "bias=false"]`` as a dict. A usage error where there is no ``=``.

    The values of ``as_texts`` are the texts as they are, with the blanks around them, unless they are quoted or a list.
    """
    values: dict[str, Any] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"`{text}` is not of the form KEY=VALUE", param_hint=option)
        read = literal(value.strip())
        whole = key.strip() in as_texts and (not isinstance(read, list | str) or value.strip() == read)
        values[key.strip()] = value if whole else read
    return values


def literal(text: str) -> Any:
    """A value as the language writes it: a number, ``true``, ``false``, ``none``, a list or dict; else the text."""
    if text[:1] not in ("[", "{", '"', "'"):
        return _scalar(text)
    import yaml

    try:
        return _value(yaml.compose(text, yaml.SafeLoader)) if _plain(text) else text
    except (yaml.YAMLError, ValueError):
        return text


def _plain(text: str) -> bool:
    """Whether a value has neither tags nor aliases, and is not nested too deeply."""
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            return False
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return False
    return True


def _scalar(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text in words:
        return words[text]
    if _NUMBER.fullmatch(text) is not None:  # 1_000 and digits of other scripts are texts, as in a spec
        whole = text.lstrip("+-").isdigit() and len(text) <= LONGEST_INTEGER
        return int(text) if whole else float(text)
    return text


def _value(node: yaml.Node | None) -> Any:
    """What a node means: lists and dicts of what would be meant outside of them; ValueError where that is nothing."""
    import yaml

    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        pairs = [(_value(key), _value(value)) for key, value in node.value]
        if not all(isinstance(key, str) for key, _ in pairs) or len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node.value) if node.style is None else node.value
