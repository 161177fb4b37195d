"""Which values of a loss or metric are good: the metric says it, or the fn of which it is a call, and nobody guesses."""

from __future__ import annotations

from pathlib import Path

import pytest

import archonnx
from archonnx.cli.checking import check_specs
from archonnx.compiler.elaborate.files.library import library_texts
from archonnx.compiler.pipeline import parse_spec
from archonnx.compiler.set_metrics import SET_FUNCTIONS
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.runtime.training.observing import Observer
from tests.support.elaborated import codes, program

MODEL = """
fn gap(a: [B], b: [B]) -> [], smaller:
    return max(abs(a - b))

fn closeness(a: [B], b: [B]) -> [], larger:
    return 1 / gap(a, b)

fn unsaid(a: [B], b: [B]) -> []:
    return mean(a * b)

fn passed_on(a: [B], b: [B]) -> []:
    return mae(a, b)

model M():
    input x: [B, 2]
    target y: [B]
    target label: i64[B]
    value = (x |> Dense(1))[:, 0]
    error = mse(value, y)
    loss l = mean(value * y)
"""
KNOWN = {
    "l": "smaller",
    "mae(value, y)": "smaller",
    "error": "smaller",
    "value |> mae(y)": "smaller",
    "accuracy(x, label)": "larger",
    "gap(value, y)": "smaller",
    "closeness(value, y)": "larger",
    "passed_on(value, y)": "smaller",
    "unsaid(value, y), larger": "larger",
    "closeness(value, y), smaller": "smaller",
    "1 - accuracy(x, label), smaller": "smaller",
}
UNKNOWN = ["unsaid(value, y)", "1 - accuracy(x, label)", "mae(value, y) + mae(y, value)", "sqrt(error)", "min(value)"]
TRAIN = """
fn points(n: int) -> (x: [n, 2], y: [n], label: i64[n]):
    x: [n, 2] ~ normal(0, 1)
    return x, x[:, 0], i64(x[:, 0] > 0)

train:
    data = generate(points, n=40)
    split = {train: 20, valid: 20}
    epochs = 3
    minimize l with sgd(lr=0.01)
    early_stopping = {monitor: valid.m, patience: 2MODE}
"""


def spec(expression: str, mode: str = "") -> str:
    return MODEL + f"    metric m = {expression}\n" + TRAIN.replace("MODE", f", mode: {mode}" if mode else "")


@pytest.mark.parametrize("expression", KNOWN)
def test_a_metric_that_says_it_or_whose_fn_does_can_be_watched(expression: str) -> None:
    assert program(spec(expression)).directions["m"] == KNOWN[expression]


@pytest.mark.parametrize("expression", UNKNOWN)
def test_of_any_other_expression_nobody_knows_and_mode_is_asked_for(expression: str) -> None:
    assert codes(spec(expression)) == ["AX0713"]
    assert codes(spec(expression, "min")) == []
    assert "m" not in program(spec(expression, "max")).directions


def test_losses_of_the_library_are_good_if_small_and_its_metrics_if_large() -> None:
    library = library_texts()
    said = {name: library[name].declaration.better for name in library if hasattr(library[name].declaration, "better")}
    words = {name: better.word for name, better in said.items() if better is not None}
    files = library.by_file()
    reduced = {name for name in files["std/losses.arch"] if "reduce: choice" in library.text(name).split('"""')[0]}
    divergences = {name for name in files["std/densities.arch"] if name.startswith("kl_")}
    small = (reduced - {"reduced"}) | divergences | {"mmd", "frechet"}
    assert {name for name, word in words.items() if word == "smaller"} == small
    assert [name for name, word in words.items() if word == "larger"] == files["std/metrics.arch"]


@pytest.mark.parametrize("function", [name for name, of in SET_FUNCTIONS.items() if not of.table])
def test_functions_of_a_set_know_it_and_their_metrics_may_say_otherwise(function: str) -> None:
    prediction = {"perplexity": "softmax(x)", "log_loss": "softmax(x)"}.get(function)
    numbers = SET_FUNCTIONS[function].target == "numbers"
    given = prediction or ("value" if SET_FUNCTIONS[function].prediction != "classes" else "value > 0")
    call = f"{function}({given}, {'y' if numbers else 'label'})"
    text = MODEL + f"    metric m over set = {call}\n    metric other over set = {call}, smaller\n"
    directions = program(text).directions
    assert directions["m"] == SET_FUNCTIONS[function].better and directions["other"] == "smaller"


def test_the_word_is_one_of_two() -> None:
    assert codes(MODEL + "    metric m = mae(value, y), smaler\n") == ["AX0208"]
    assert codes(MODEL.replace("[], larger:", "[], good:") + "    metric m = closeness(value, y)\n") == ["AX0208"]


class Lines(Observer):
    """Keeps what early stopping watches."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def watches(self, what: str) -> None:
        self.seen.append(what)


def watched(text: str, out: Path, **more: object) -> str:
    lines = Lines()
    archonnx.train(parse_spec(Source("m.arch", text)), out, device="cpu", observer=lines, **more)  # type: ignore[arg-type]
    (seen,) = lines.seen
    return seen


def test_the_start_of_a_training_says_which_way_it_goes(tmp_path: Path) -> None:
    assert watched(spec("gap(value, y)"), tmp_path / "a") == "valid.m, smaller is better, patience 2"
    told = watched(spec("gap(value, y)", "max"), tmp_path / "b")
    assert told == "valid.m, larger is better, as `mode` says (otherwise smaller would be), patience 2"
    with pytest.raises(SpecError, match="nothing says which of its values are good"):
        other = spec("gap(value, y)") + "\n"
        text = other.replace("    metric m", "    metric w = min(value)\n    metric m")
        watched(text, tmp_path / "c", settings={"early_stopping.monitor": "valid.w"})
    assert not (tmp_path / "c").exists()


def test_check_tells_what_goes_against_the_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.arch"
    path.write_text(spec("mae(value, y)", "max") + "\nsearch:\n    epochs = choice(1, 2)\n    maximize valid.m\n")
    assert check_specs([str(path)], {})
    told = " ".join(capsys.readouterr().err.split())
    assert "`mode: max` keeps the worst epoch: of `valid.m`, smaller is better" in told
    assert "`maximize valid.m` keeps the worst trial: of `valid.m`, smaller is better" in told
    path.write_text(spec("mae(value, y)", "min") + "\nsearch:\n    epochs = choice(1, 2)\n    maximize -valid.m\n")
    assert check_specs([str(path)], {})
    assert "AX0819" not in capsys.readouterr().err
