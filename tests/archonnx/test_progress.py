"""What people see while a model trains: few lines however many epochs, none of them lost, and a bar on a terminal."""

from __future__ import annotations

import io

import pytest

from archonnx.cli.output import figure
from archonnx.cli.progress import LINES, Lines, progress
from archonnx.runtime.training.observing import Epoch, Observer, Outcome


def follow(observer: Observer, epochs: int, *, stop: int | None = None, best: range = range(0), done: int = 0) -> None:
    """A training that is said to have gone well."""
    observer.begin(epochs, 10, done)
    last = stop or epochs
    for number in range(done + 1, last + 1):
        observer.step(number, 10, {"objective": 1 / number})
        observer.epoch(Epoch(number, {"objective": 1 / number}, {"accuracy": 0.5}, 0.25, number in best))
    observer.end(Outcome())


def shown(epochs: int, **how: object) -> list[int]:
    lines: list[str] = []
    follow(Lines(lines.append), epochs, **how)  # type: ignore[arg-type]
    return [int(line.split()[1].partition("/")[0]) for line in lines if line.startswith("epoch")]


def test_short_trainings_are_shown_whole() -> None:
    assert shown(1) == [1]
    assert shown(LINES) == list(range(1, LINES + 1))
    assert shown(20, stop=7, done=3) == [4, 5, 6, 7]


@pytest.mark.parametrize("epochs", [LINES + 1, 73, 100, 999, 4000, 123_457])
@pytest.mark.parametrize("best", [range(0), range(1, 200_000), range(1, 200_000, 7), range(1, 200_000, 5001)])
def test_long_ones_keep_the_first_and_the_last_and_are_thinned_out(epochs: int, best: range) -> None:
    numbers = shown(epochs, best=best)
    assert numbers[0] == 1 and numbers[-1] == epochs and len(set(numbers)) == len(numbers)
    assert LINES // 4 <= len(numbers) <= LINES
    stopped = shown(epochs, stop=epochs - 5, best=best)
    assert stopped[0] == 1 and stopped[-1] == epochs - 5


def test_a_late_improvement_is_shown_where_it_happens() -> None:
    assert 2019 in shown(4000, best=range(2019, 2020))
    close = shown(4000, best=range(2019, 2040))
    assert 2019 in close and not set(close) & set(range(2020, 2040))


def test_a_line_says_how_it_stands() -> None:
    stream = io.StringIO()
    with progress(stream) as observer:
        observer.program("pretrain", 1, 2)
        follow(observer, 3, best=range(2, 3))
        observer.epoch(Epoch(3, {"objective": 1.25e-5}, {}, 0.0123))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "program pretrain (1 of 2)"
    assert lines[2] == "epoch 2/3  train objective 0.5000  valid accuracy 0.5000  0.25 s  *"
    assert lines[-1] == "epoch 3/3  train objective 1.25e-05  12.3 ms"


def test_figures_of_any_size_stay_short() -> None:
    values = (0.0, 1.25e-5, 0.5, -1234.5, 7.012e25, float("nan"), float("-inf"))
    assert list(map(figure, values)) == ["0.0000", "1.25e-05", "0.5000", "-1234.5000", "7.01e+25", "nan", "-inf"]


def test_a_terminal_shows_a_bar_beneath_the_lines() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress(stream) as observer:
        follow(observer, 4)
    text = stream.getvalue()
    assert text.count("train objective") == 4 and "epoch 1/4" in text and "left" in text
