"""What a wrong command line is told: the command that was probably meant, beside what is wrong with this one.

Options of other tools, settings given as options, files without their option, and verbs that were left out. What this
module does not do: change what is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

SPECS = (".arch", ".yaml", ".yml")
RATES = ("lr", "learning-rate", "learning_rate", "rate")
OTHER_OPTIONS = {
    "gpu": "--device cuda", "cuda": "--device cuda", "cpu": "--device cpu", "fp16": "--precision f16",
    "half": "--precision f16", "float16": "--precision f16", "bf16": "--precision bf16", "amp": "--precision bf16",
    "mixed-precision": "--precision bf16", "autocast": "--precision bf16",
    "checkpoint": "--resume RUN", "ckpt": "--resume RUN",
    "output-dir": "--out DIRECTORY", "output": "--out FILE", "save": "--out FILE", "out": "-o FILE",
    "workers": "--threads N", "num-threads": "--threads N", "split": "--on valid", "csv": "--input FILE",
    "file": "--input FILE", "dataset": "--data FILE", "dynamic": "--batch 1", "cv": "--folds 5", "k": "--folds 5",
    "params": "--arg NAME=VALUE", "config": "--set NAME=VALUE",
}  # fmt: skip
"""Options of other tools, and what they are here; only those that a verb has are told of."""
VALUES = {
    "gpu": "cuda", "cuda:0": "cuda", "gpu:0": "cuda", "fp16": "f16", "float16": "f16", "half": "f16", "fp32": "f32",
    "bfloat16": "bf16", "bf16-mixed": "bf16", "bf16-true": "bf16", "mixed": "bf16", "mixed_bfloat16": "bf16",
    "32": "f32", "16": "f16", "16-mixed": "f16", "mixed_float16": "f16",
    "float32": "f32", "validation": "valid", "val": "valid", "dev": "valid", "training": "train", "testing": "test",
    "onnxruntime": "ort", "gradients": "grads", "any": "portable", "openvino": "portable", "tensorrt": "portable",
}  # fmt: skip
"""Words of other tools for what is chosen from."""
SETTING_WORDS = {"max_epochs": "epochs", "num_epochs": "epochs", "n_epochs": "epochs", "epoch": "epochs",
                 "batch": "batch_size", "bs": "batch_size", "patience": "early_stopping.patience"}  # fmt: skip
OTHER_VERBS = {
    "fit": "train", "run": "train", "learn": "train", "evaluate": "eval", "test": "eval", "score": "eval",
    "validate": "check", "lint": "check", "verify": "check", "infer": "predict", "inference": "predict",
    "summary": "show", "format": "fmt", "init": "new", "tune": "search",
}  # fmt: skip
"""Verbs of other tools."""
OTHER_HALF = {"f16": "bf16", "bf16": "f16"}
"""Sixteen bits are those of bf16 in training, where f16 would need losses to be scaled, and of f16 in exports."""
OF_A_VERB = {
    ("train", "--precision f16"): "--precision bf16",
    ("export", "--precision bf16"): "--precision f16",
}
"""What it is in a verb that has it otherwise."""
CLOSE = 0.75
"""How alike an option must be to be offered."""


class Command(TyperCommand):
    """A verb whose usage errors say what was probably meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The same, with more to say where it fails."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # a usage error's class is click's or, in later versions, typer's own
            if hasattr(error, "format_message"):
                explain(error, self, given, ctx.parent.command if ctx.parent is not None else None)
            raise


class Group(TyperGroup):
    """All verbs; a spec in place of one is told the verb."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The same, with more to say where there is no such verb."""
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            if hasattr(error, "message") and args and args[0] in OTHER_VERBS:
                meant = " ".join([OTHER_VERBS[args[0]], *args[1:]])
                error.message = f"No such command '{args[0]}'. It is `archonnx {meant}`."
            elif hasattr(error, "message") and len(args) > 1 and Path(args[1]).is_dir():
                meant = " ".join(["call", args[1], args[0], *_as_settings(args[2:])])
                error.message = f"No such command '{args[0]}'. An entry is called: `archonnx {meant}`."
            elif hasattr(error, "message") and args and args[0].endswith(SPECS):
                error.message = f"A verb stands first: `archonnx check {args[0]}`, `archonnx train {args[0]}`."
            raise


def _as_settings(given: Sequence[str]) -> list[str]:
    """``--prompt "It was"`` as an argument of an entry."""
    found: list[str] = []
    for text in given:
        if text.startswith("--"):
            found.append(f"--set {text[2:]}")
        elif found and "=" not in found[-1]:
            found[-1] += f"={shlex.quote(text)}"
    return found


def explain(error: Any, verb: Any, given: Sequence[str], group: Any) -> None:
    """Add to a usage error what was probably meant."""
    own = {name: p for p in verb.params for name in getattr(p, "opts", ())}
    option = getattr(error, "option_name", None)
    text = _readable(str(error.message or error.format_message()))
    if option is not None:
        say = _option(str(option), own, given, verb.name, group)
        close = get_close_matches(str(option), getattr(error, "possibilities", None) or (), 3, CLOSE)
        error.possibilities = None if say is not None else close or None
    elif "extra argument" in text:
        say = _extra(given, own, verb.name, text)
    elif text.startswith("Missing option"):
        say = _missing(given, verb.name)
    else:
        say = _value(text)
    whole = text if say is None else f"{text.rstrip('.')}. {say}"
    if error.message:
        error.message = whole
    else:  # it is made of the parameter that is missing
        error.format_message = lambda: whole


def _readable(text: str) -> str:
    """A message of the library that reads options, in words for people."""
    text = text.replace("Value error, ", "").replace("Input should be a valid integer, ", "a whole number is needed: ")
    text = text.replace("unable to parse string as an integer", "this is none")
    return text.replace("Input should be", "it must be")


def _option(option: str, own: Mapping[str, Any], given: Sequence[str], verb: str, group: Any) -> str | None:
    """What is said of an option that a verb does not have."""
    bare = option.lstrip("-")
    value = _value_of(option, given)
    name = SETTING_WORDS.get(bare.replace("-", "_"), bare.replace("-", "_"))
    if f"--{bare.replace('_', '-')}" in own:
        return f"It is spelt `--{bare.replace('_', '-')}`."
    if "--set" in own and verb == "call":
        return f"An argument of an entry is given by `--set {bare}={value or 'VALUE'}`."
    if "--set" in own and bare in RATES:
        return (
            "The rate stands in the spec, `minimize LOSS with adam(lr=rate)`; "
            f"as an argument of the model it is given by `--arg rate={value or '0.01'}`."
        )
    if "--set" in own and name.partition(".")[0] in _settings():
        return f"A setting is given by `--set {name}={value or 'VALUE'}`."
    other = OTHER_OPTIONS.get(bare.lower().replace("_", "-"))
    if other is not None and other.split()[0] in own:
        return f"It is `{OF_A_VERB.get((verb, other), other)}` here."
    having = [one for one, command in getattr(group, "commands", {}).items() if option in _options_of(command)]
    if having and len(having) <= 6:
        verbs = ", ".join(f"`{one}`" for one in having)
        return f"It is an option of {verbs}."
    return None


def _settings() -> Sequence[str]:
    from archonnx.compiler.settings import TrainSettings

    return tuple(TrainSettings.model_fields)


def _options_of(command: Any) -> set[str]:
    return {name for p in command.params for name in getattr(p, "opts", ())}


def _value_of(option: str, given: Sequence[str]) -> str | None:
    """What is given for an option."""
    for place, text in enumerate(given):
        if text.startswith(f"{option}="):
            return text.partition("=")[2]
        if text == option and place + 1 < len(given) and not given[place + 1].startswith("-"):
            return given[place + 1]
    return None


def _extra(given: Sequence[str], own: Mapping[str, Any], verb: str, text: str) -> str | None:
    """What is said of an argument too many."""
    match = re.search(r"arguments?(?:\(s\))? \((\S+)(?: (\S+))?.*\)$", text.rstrip("."))
    extra = match[1] if match is not None else ""
    before = given[given.index(extra) - 1] if extra in given and given.index(extra) else ""
    option = given[given.index(extra) - 2] if extra in given and given.index(extra) > 1 else ""
    if option in ("--set", "--arg") and "=" not in before:
        value = (match[2] or "VALUE") if match is not None and extra == "=" else extra.removeprefix("=")
        return f"It is one word: `{option} {before}={value}`."
    if option in ("--set", "--arg") and before.endswith("="):
        return f"It is one word: `{option} {before}{extra}`."
    if verb == "call" and "=" in extra:
        return f"An argument of an entry is given by `--set {extra}`."
    if verb == "predict" and "--input" in own:
        return f"Data is given by `--input {extra}`."
    if verb in ("export", "compile") and "-o" in own:
        return f"What is written is named by `-o {extra}`."
    if verb == "eval":
        return f"Other data is given by `--data {extra}`."
    if verb == "train":
        return f"A directory for the run is given by `--out {extra}`, data by `--data {extra}`."
    return None


def _missing(given: Sequence[str], verb: str) -> str | None:
    """What is said of an output that has no name."""
    files = [one for one in given if not one.startswith("-")]
    if verb not in ("export", "compile") or not files:
        return None
    stem = re.sub(r"[.](arch|ya?ml)$", "", files[0].rstrip("/")).rpartition("/")[2]
    end = "" if verb == "compile" else ".onnx"
    named = [one for one in files[1:] if not end or one.endswith((end, ".ort"))]
    name = named[0] if named and end else f"{stem}{end}" if end else f"build/{stem}"
    return f"Name what is written: `archonnx {verb} {files[0]} -o {name}`."


def _value(text: str) -> str | None:
    """What is said of a word that is not among those that are chosen from."""
    match = re.search(r"'([^']*)' is not one of (.*?)\.?$", text)
    if match is None:
        return None
    known = re.findall(r"'([^']*)'", match[2])
    meant = VALUES.get(match[1].lower())
    if match[1].lower() == "int8":
        return "Eight bits are made of the exported file by onnxruntime's `quantize_static`."
    if meant not in known:
        meant = OTHER_HALF.get(meant or "")
    if meant not in known:
        meant = next(iter(get_close_matches(match[1].lower(), known, 1)), None)
    return f"Did you mean `{meant}`?" if meant in known else None
