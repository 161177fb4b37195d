"""Starting with the weights of another run: all that fits, or a part that is named and must fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import archonnx
from archonnx.cli.app import app
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.settings import Transfer
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.transfer import start_from, transfer_of

POINTS = """

fn points(n: int) -> (x: [n, 6]):
    x: [n, 6] ~ normal(0, 1)
    return x
"""
BASE = f"""model Base():
    input x: [B, 6]
    encoder = MLP([5, 4])
    norm = BatchNorm()
    head = Dense(3)
    output y: [B, 3] = head(norm(encoder(x)))
    loss objective = mean(y ** 2)

train:
    data = generate(points, n=12)
    epochs = 2
    minimize objective with sgd(lr=0.1)
{POINTS}"""
FINE = f"""model Fine():
    input x: [B, 6]
    encoder = MLP([5, 4])
    norm = BatchNorm()
    head = Dense(2)
    extra = Dense(1)
    output y: [B, 1] = extra(head(norm(encoder(x))))
    loss objective = mean(y ** 2)

train:
    data = generate(points, n=12)
    epochs = 1
    start_from = START
    freeze = [encoder, norm, head, extra]
    update extra.b = extra.b + 1
{POINTS}"""
"""A training that leaves what it started with, but for `extra.b`."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("transfer")
    (folder / "base.arch").write_text(BASE)
    return archonnx.train(folder / "base.arch", folder / "runs" / "base", device="cpu")


class Notes(Observer):
    """What people are told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def opening(self, line: str) -> None:
        self.lines.append(line)


def spec(base: Run, start: str | None, text: str = FINE) -> Path:
    """A spec in a folder beside the one of the runs."""
    folder = base.path.parent.parent / "specs"
    folder.mkdir(exist_ok=True)
    path = folder / f"s{len(list(folder.iterdir()))}.arch"
    path.write_text(text.replace("START", start) if start else text.replace("    start_from = START\n", ""))
    return path


def tuned(base: Run, start: str | None, **options: Any) -> tuple[Run, list[str]]:
    path, notes = spec(base, start), Notes()
    return archonnx.train(path, path.with_suffix(""), device="cpu", observer=notes, **options), [
        line for line in notes.lines if not line.startswith("warning ")
    ]


def test_the_whole_of_a_run_gives_what_fits(base: Run) -> None:
    run, notes = tuned(base, 'run("../runs/base")')
    fresh = archonnx.Trainer(run.spec(), device="cpu").parameters
    fits = [path for path in base.parameters if path.startswith(("encoder", "norm"))]
    assert any("mean" in path for path in fits), "a running statistic is among them"
    for path, array in run.parameters.items():
        expected = base.parameters[path] if path in fits else fresh[path] + (path == "extra.b")
        np.testing.assert_array_equal(array, expected)
        if path in fits:
            assert path.endswith("beta") or not np.array_equal(array, fresh[path])
    assert notes == [
        f"weights of ../runs/base: {len(fits)} of {len(base.parameters)} taken",
        f"  taken: {', '.join(fits)}",
        "  left: head.W (f32[4, 3] there, f32[4, 2] here), head.b (f32[3] there, f32[2] here)",
        "fresh: head.W, head.b, extra.W, extra.b",
    ]
    kept = run.record["programs"][0]["started_from"]
    assert kept["fresh"] == ["head.W", "head.b", "extra.W", "extra.b"]
    assert kept["sources"][0]["taken"] == {path: path for path in fits} and kept["sources"][0]["run"] == "../runs/base"
    assert list(kept["sources"][0]["left"]) == ["head.W", "head.b"]


@pytest.mark.parametrize(
    "start",
    ['run("../runs/base").encoder', '{encoder: run("../runs/base").encoder}', '[run("../runs/base").encoder]'],
)
def test_a_part_of_a_run(base: Run, start: str) -> None:
    run, notes = tuned(base, start)
    for path, array in run.parameters.items():
        same = path in base.parameters and np.array_equal(array, base.parameters[path])
        assert same == path.startswith("encoder") or path.endswith((".beta", ".b", ".gamma"))
    assert run.record["programs"][0]["started_from"]["fresh"] == [p for p in run.parameters if "encoder" not in p]
    assert "norm" in notes[2] and "not asked for" in notes[2]


def test_a_layer_of_a_list_is_named_by_its_number(base: Run) -> None:
    (first,) = [path for path in base.parameters if path.startswith("encoder") and path.endswith("0.W")][:1]
    outer = first.removesuffix(".0.W").removeprefix("encoder.")
    start = f'run("../runs/base").encoder.{outer}[0]' if outer != first else 'run("../runs/base").encoder[0]'
    run, _ = tuned(base, start)
    (source,) = run.record["programs"][0]["started_from"]["sources"]
    assert [path for path in source["taken"] if path.endswith("W")] == [first]


def test_at_the_command_line_and_in_python_paths_are_the_users(base: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(base.path.parent)
    path = spec(base, None)
    out = path.with_suffix("")
    arguments = ["train", str(path), "--out", str(out), "--device", "cpu", "--from", "base", "--from", "base:norm"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    run = Run(out)
    for name in ("encoder", "norm"):
        for parameter in (p for p in base.parameters if p.startswith(name)):
            np.testing.assert_array_equal(run.parameters[parameter], base.parameters[parameter])
    assert [s["path"] for s in run.record["programs"][0]["started_from"]["sources"]] == ["", "norm"]
    other, _ = tuned(base, 'run("nowhere")', start_from=base)  # what is asked for counts, not what is written
    np.testing.assert_array_equal(other.parameters[parameter], base.parameters[parameter])


def test_one_module_goes_into_another(base: Run) -> None:
    text = FINE.replace("encoder = MLP", "trunk = MLP").replace("encoder", "trunk")
    path = spec(base, None, text)
    run = archonnx.train(path, path.with_suffix(""), device="cpu", start_from=f"{base.path}:encoder=trunk")
    for name, array in run.parameters.items():
        if name.startswith("trunk"):
            np.testing.assert_array_equal(array, base.parameters[name.replace("trunk", "encoder")])


def test_the_forms_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    here = f"{tmp_path}/"
    assert transfer_of("x") == Transfer(run=f"{here}x")
    assert transfer_of("x:a.b") == Transfer(run=f"{here}x", path="a.b")
    assert transfer_of("x:a.b=c") == Transfer(run=f"{here}x", path="a.b", into="c")
    assert transfer_of("x:=c") == Transfer(run=f"{here}x", into="c")
    assert transfer_of("a:b") == Transfer(run=f"{here}a:b")


# ---------------------------------------------------------------- shapes, dtypes, names


def weights(tmp_path: Path, **arrays: Any) -> Path:
    save_file(
        {name.replace("__", "."): np.asarray(array) for name, array in arrays.items()}, tmp_path / "w.safetensors"
    )
    return tmp_path / "w.safetensors"


MODEL = """model M():
    input x: [B, 2]
    a = Dense(3)
    b = Dense(1)
    buffer seen: i64[] = 0
    output y = b(a(x))
"""


def taken(tmp_path: Path, transfer: str, *, dtype: Any = "f32", **arrays: Any) -> Any:
    (tmp_path / "m.arch").write_text(MODEL)
    file = weights(tmp_path, **arrays)
    model = elaborate(load(tmp_path / "m.arch", dtype=dtype))
    return start_from([transfer_of(f"{file}{transfer}")], Path(), model, None)


A, BIAS = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.zeros(3, np.float32)


def test_floats_are_converted_with_a_note_and_nothing_else_is(tmp_path: Path) -> None:
    start = taken(tmp_path, "", a__W=A.astype(np.float64) / 3, a__b=BIAS, seen=np.float32(3))
    assert start.parameters["a.W"].dtype == np.float32 and list(start.parameters) == ["a.W", "a.b"]
    np.testing.assert_array_equal(start.parameters["a.W"], (A.astype(np.float64) / 3).astype(np.float32))
    assert "  converted from f64: a.W" in start.lines()
    assert start.sources[0].left == {"seen": "f32[] there, i64[] here"}
    wide = taken(tmp_path, "", dtype="f64", a__W=A)
    assert wide.parameters["a.W"].dtype == np.float64 and wide.sources[0].converted == {"a.W": "f32"}
    with pytest.raises(SpecError, match="with values beyond f32"):
        taken(tmp_path, ":a", a__W=A.astype(np.float64) * 1e300, a__b=BIAS)


@pytest.mark.parametrize(
    ("transfer", "arrays", "says"),
    [
        (":a", {"a__W": A.T, "a__b": BIAS}, r"`a` of .* does not fit `a` of M.*`a\.W`: f32\[3, 2\] there, f32\[2, 3\]"),
        (":a", {"a__W": A}, r"`a\.b`: nothing there for it"),
        (":a", {"a__W": A, "a__b": BIAS, "a__g": BIAS}, r"`a\.g`: not here"),
        (":a=b", {"a__W": A, "a__b": BIAS}, r"f32\[2, 3\] there, f32\[3, 1\] here"),
        (":a=ab", {"a__W": A, "a__b": BIAS}, r"there is no `ab\.W` here"),
        (":c", {"a__W": A}, r"has no parameters at `c`.*it has a"),
        (":enc", {"encode__W": A}, "did you mean `encode`"),
        ("", {"first__W": A}, r"no parameter of .* has the path and the shape .*there: first; here: seen, a, b"),
        ("", {"a__W": A.T}, r"`a\.W`: f32\[3, 2\] there"),
        ("", {"sen": np.int64(0)}, r"`sen` there is like `seen` here.*w\.safetensors:sen=seen"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, transfer: str, arrays: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=rf"(?s)AX0628.*{says}"):
        taken(tmp_path, transfer, **arrays)


def test_a_path_is_one_of_whole_names(tmp_path: Path) -> None:
    """`a` is not the beginning of `ab`."""
    start = taken(tmp_path, ":a", a__W=A, a__b=BIAS, ab__W=A)
    assert list(start.parameters) == ["a.W", "a.b"] and start.sources[0].left == {"ab.W": "not asked for"}


def test_many_names_are_told_shortly(tmp_path: Path) -> None:
    arrays = {f"layer{n}__W": A for n in range(100)}
    start = taken(tmp_path, "", a__W=A, **arrays)
    assert max(map(len, start.lines())) < 400 and len(start.sources[0].left) == 100


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ('run("../runs/none")', "AX0611.*there is no run directory"),
        ('run("../runs")', "AX0611.*is not a run directory.*it holds several runs: base"),
        ('"../runs/base"', r"AX0709.*names no earlier train program.*run\(\"../runs/base\"\)"),
        ("runs", r"AX0709.*names no earlier train program: `runs`"),
        ("run()", "AX0709.*takes the path of a run"),
        ("run(3)", "AX0709.*not the int 3"),
        ('run("a", "b")', "AX0709.*takes the path of a run"),
        ('run("/runs/base")', "AX0709.*is a path of this machine"),
        ('run("a").x[0.5]', "AX0709.*words and numbers"),
        ("[other]", "AX0709.*names no earlier train program: `other`"),
        ("{encoder: 3}", "AX0709.*takes the name of a program"),
        ('run("../runs/base").head', "AX0628.*`head` of ../runs/base does not fit `head` of Fine"),
    ],
)
def test_a_start_that_is_none(base: Run, start: str, says: str) -> None:
    with pytest.raises(SpecError, match=f"(?s){says}"):
        tuned(base, start)


# ---------------------------------------------------------------- with programs, and taken up again


def test_programs_that_start_from_an_earlier_one_take_nothing(base: Run) -> None:
    text = BASE.replace("train:", "train first:").replace("lr=0.1", "lr=0.0") + BASE[
        BASE.index("train:") : BASE.index("    minimize")
    ].replace("train:", "train second:\n    start_from = first")
    text += "    minimize objective with sgd(lr=0.0)\n"
    path, notes = spec(base, None, text), Notes()
    run = archonnx.train(path, path.with_suffix(""), device="cpu", start_from=base.path, observer=notes)
    assert sum("taken:" in line for line in notes.lines) == 1
    assert ["started_from" in record for record in run.record["programs"]] == [True, False]
    np.testing.assert_array_equal(run.parameters["head.W"], base.parameters["head.W"])


def test_a_training_that_goes_on_remembers_where_it_began(base: Run) -> None:
    run, _ = tuned(base, 'run("../runs/base").encoder')
    began, before = run.record["programs"][0]["started_from"], run.parameters["extra.b"]
    spec = run.path.with_suffix(".arch")
    longer = archonnx.train(spec, resume=run.path, settings={"epochs": 2}, device="cpu")
    assert longer.record["programs"][0]["started_from"] == json.loads(json.dumps(began))
    assert longer.parameters["extra.b"] == before + 1
    with pytest.raises(SpecError, match=r"AX0618.*takes none of another run"):
        archonnx.train(spec, resume=run.path, start_from=base.path)


def test_a_trainer_takes_parameters(base: Run) -> None:
    trainer = archonnx.Trainer(base.spec(), device="cpu", parameters=base.parameters)
    for path, array in base.parameters.items():
        np.testing.assert_array_equal(trainer.parameters[path], array)
    with pytest.raises(SpecError, match=r"no parameter `heed\.W`"):
        archonnx.Trainer(base.spec(), device="cpu", parameters={"heed.W": 0})
