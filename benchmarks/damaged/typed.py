"""What is typed behind each verb: options that are odd, missing, twice, of another verb, or far too large."""

from __future__ import annotations

from pathlib import Path
from random import Random

from .cases import Case, draws
from .setting import Setting

VALUES = ("", " ", "0", "-1", "1_000", "9223372036854775808", "1e999", "nan", "inf", "-inf", "1.5", "true", "none",
          "[", "[1, 2]", "{}",
          "{a: 1}", "[" * 3000, "x" * 5000, "\udcff", "\u202eabc", "é", "٣", "../..", "/", ".", "-", "--",
          "/dev/null", "/dev/full",
          "&a [*a]", "!!python/object:os.system x", "2020-01-01", "0x10", "1:30", "'", '"x"', "=", "a=b", "9" * 5000,
          "~", "*", "%s", "{0}",
          "\n", "\t", "\x1b[31m", "1,2", "a.b.c", "__class__", "None", "yes", "1e3")  # fmt: skip
"""What may stand for a value."""
KEYS = ("epochs", "batch_size", "split.test", "split", "seed", "shuffle", "width", "n", "by", "v", "B", "", "x",
        "lr", "objective", "a.b",
        "split.by", "clip_norm", "early_stopping", "buckets", "checkpoint", "start_from", "batches", "drop_last",
        "recompute")  # fmt: skip
PATHS = ("@table/run", "@table/spec.arch", "@table", "@table/run/run.json", "@table/run/model.onnx",
         "@table/table.csv", "nowhere",
         "file", "folder", "", ".", "/dev/null", "digits_cnn", "xor", "pipe", "@arrays/run", "\udcff", "x" * 5000,
         "loop", "a\nb")  # fmt: skip
VERBS: dict[str, tuple[str, ...]] = {
    "predict": ("--input", "--fields", "--keep", "--out", "--seed", "--device"),
    "eval": ("--on", "--data", "--changed-data!", "--device"),
    "call": ("--set=", "--input", "--out", "--seed"),
    "export": (
        "-o",
        "--graph",
        "--target",
        "--opset",
        "--raw!",
        "--arg=",
        "--dtype",
        "--batch-size",
        "--steps",
        "--model",
    ),
    "compile": (
        "-o",
        "--batch-size",
        "--steps",
        "--seed",
        "--opset",
        "--arg=",
        "--dtype",
        "--verify!",
        "--steps-per-epoch",
    ),
    "show": ("--arg=", "--dims=", "--depth", "--graph", "--dtype", "--format", "--model"),
    "train": (
        "--out",
        "--set=",
        "--arg=",
        "--program",
        "--resume",
        "--from",
        "--seed",
        "--dtype",
        "--data",
        "--threads",
    ),
    "trace": (
        "--input",
        "--graph",
        "--loss",
        "--only",
        "--parameters",
        "--seed",
        "--examples",
        "--dtype",
        "--elements",
        "--precision",
        "--width",
    ),
    "gradcheck": ("--input", "--loss", "--directions", "--parameters", "--seed", "--examples", "--dtype"),
    "check": ("--arg=", "--dtype", "--data!", "--format"),
    "convert": ("--to", "--force!"),
    "new": ("--kind", "--yaml!"),
    "fmt": ("--check!", "--diff!", "--stdout!"),
    "explain": (),
    "std": (),
}
"""Options by verb: those that end in = take KEY=VALUE, those that end in ! no value."""
NEEDED = {"export": ("-o", "new.onnx"), "compile": ("-o", "new"), "train": ("--set", "epochs=1", "--threads", "1")}


@draws("arguments")
def command(random: Random) -> Case:
    """A verb with odd options."""
    verb = random.choice([*VERBS])
    arguments = [
        verb,
        *(
            random.choice(PATHS[:2]) if random.random() < 0.7 else random.choice(PATHS)
            for _ in range(1 if random.random() < 0.9 else random.choice([0, 2]))
        ),
    ]
    if verb == "call" and random.random() < 0.8:
        arguments.append("scaled")
    options = VERBS[verb] or ("--help",)
    for option in random.choices(options, k=random.choice([0, 1, 1, 2, 3])):
        arguments += _option(option, random)
    needed = NEEDED.get(verb, ())
    if needed and needed[0] not in arguments and random.random() < 0.9:
        arguments += needed
    if verb == "train" and "--out" not in arguments:
        arguments += ["--out", "new"]
    if verb == "train" and any(one.startswith("epochs=") and one != "epochs=1" for one in arguments):
        arguments += ["--set", "epochs=1"]  # a training of a billion epochs is a right answer, and takes its time

    def write(folder: Path, setting: Setting) -> None:
        setting.write_table(folder)
        (folder / "file").write_text("x", encoding="utf-8")
        (folder / "folder").mkdir()
        (folder / "loop").symlink_to("loop")

    return Case(f"arguments of {verb}", tuple(arguments), write)


def _option(option: str, random: Random) -> list[str]:
    name, kind = (option[:-1], option[-1]) if option[-1] in "=!" else (option, "")
    value = random.choice(VALUES if random.random() < 0.7 else PATHS)
    if kind == "!":
        return [name]
    if kind == "=":
        return [name, f"{random.choice(KEYS)}{random.choice(['=', '=', '=', '', '=='])}{value}"]
    if name in ("--input", "--fields", "--data", "--from") and random.random() < 0.5:
        return [name, f"{random.choice(['x', 'v', 'a', '', 'data', 'nothing'])}={value}"]
    return [name, value]
