"""``check --data``: what a training would refuse is refused, and what it makes of its data is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from archonnx.cli.checking import check_specs, fix_first
from archonnx.cli.verbs.train import _sources

SPEC = """
model Rent(cities: int):
    input  city: i64[B]
    input  size: [B]
    target price: [B]
    value = (concat([city |> Embedding(cities, 2), size[:, none]], axis=1) |> Dense(1))[:, 0]
    output estimate: [B] = value
    loss   objective = mse(value, price)

train of Rent(cities=size(towns)):
    data = csv("rents.csv", target="price")
    fit towns = vocabulary(data.town, unknown=true)
    fit mid = mean(data.size)
    feed city = index(data.town, towns)
    feed size = fill(data.size, mid) / mid
    split = {train: 4, test: 2, by: order}
    epochs = 1
    minimize objective with sgd(lr=0.1)
"""
ROWS = ["town,size,price", "Ulm,50,1", "Rom,,2", "Ulm,70,3", "Bern,60,4", "Genf,80,5", "Rom,90,6"]


def checked(folder: Path, rows: list[str], capsys: pytest.CaptureFixture[str], spec: str = SPEC) -> tuple[bool, str]:
    (folder / "rent.arch").write_text(spec)
    (folder / "rents.csv").write_text("\n".join(rows) + "\n")
    good = check_specs([str(folder / "rent.arch")], {}, data=True)
    captured = capsys.readouterr()
    return good, captured.out + captured.err


def test_what_the_data_decides_and_teaches_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, text = checked(tmp_path, ROWS, capsys)
    assert good
    assert "decided by the data: cities = 4" in text  # Bern, Rom, Ulm of the train part, and the unknown
    assert "rents.csv: 6 rows, 3 columns" in text
    assert "1 gap" in text
    assert re.search(
        r"mid \(of size\) +60\n", text
    )  # of 50, 70 and 60: the gap is left out, the test part is not looked at
    assert re.search(r'values of town +3: "Bern", "Rom", "Ulm"\n', text)
    assert "parts: train 4, test 2" in text


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("Ulm,wide,7", "'wide'"),
        ("Ulm,40", "rents.csv:8: 2 cells where the header names 3"),
        ("Ulm,40,", "rents.csv:8: `price` has no value"),
    ],
)
def test_what_a_training_refuses_is_refused(
    row: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, text = checked(tmp_path, [*ROWS, row], capsys)
    assert not good
    assert says in text


@pytest.mark.parametrize(
    ("change", "rows"),
    [(("data.size, mid", "data.sise, mid"), ROWS), (("", ""), [row.replace(",", ";") for row in ROWS])],
    ids=["a column misspelt", "semicolons"],
)
def test_edits_are_tried_on_what_decides_the_model(
    change: tuple[str, str], rows: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = SPEC.replace(*change)
    checked(tmp_path, rows, capsys, wrong)
    path = str(tmp_path / "rent.arch")
    assert not check_specs([path], {}, "json", data=True)
    assert '"replacement"' in capsys.readouterr().out
    fix_first([path], {}, ((), ()), None, yes=True, data=True)
    assert check_specs([path], {}, data=True)


def test_without_its_data_an_argument_without_a_default_is_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rent.arch").write_text(SPEC)
    assert not check_specs([str(tmp_path / "rent.arch")], {})
    assert "`cities` of model `Rent` is decided by the data" in capsys.readouterr().err
    assert check_specs([str(tmp_path / "rent.arch")], {"cities": 7})


def test_only_arguments_of_the_model_are_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, text = checked(tmp_path, ROWS, capsys, SPEC.replace("cities=size", "citys=size"))
    assert not good
    assert "did you mean `cities`?" in text


@pytest.mark.parametrize(
    ("text", "path"),
    [("a.csv", "a.csv"), ("../x.csv", "../x.csv"), ("data=../x.csv", "../x.csv"), ("data=a=b.csv", "a=b.csv")],
)
def test_the_source_of_a_spec_is_given_with_or_without_its_name(text: str, path: str) -> None:
    assert _sources([text]) == {"data": Path(path)}


def test_sources_are_given_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sources(["here=a.csv", "b.csv"]) == {"here": Path("a.csv"), "data": Path("b.csv")}
    with pytest.raises(typer.BadParameter, match="`here` is given twice"):
        _sources(["here=a.csv", "here=b.csv"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "date=x.csv").write_text("a\n1\n")
    assert _sources(["date=x.csv"]) == {"data": Path("date=x.csv")}  # a file that is called so


def test_an_argument_is_decided_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, text = checked(tmp_path, ROWS, capsys, SPEC.replace("size(towns)", "size(towns), cities=9"))
    assert not good
    assert "error[AX0205]: `cities` is given twice" in text
    assert "first here" in text


def test_classes_that_differ_in_capitals_or_spaces_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = checked(tmp_path, [*ROWS[:3], *(row.replace("Ulm", "ulm") for row in ROWS[3:])], capsys)
    assert 'note: values of `town` differ only in capitals or spaces, and count as different: "Ulm", "ulm"' in text
    assert "differ only" not in checked(tmp_path, ROWS, capsys)[1]


def test_classes_that_look_the_same_are_written_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alike = [ROWS[0], "M\u00fcnster,50,1", "Mu\u0308nster,60,2", *ROWS[2:]]
    _, text = checked(tmp_path, alike, capsys)
    assert 'what is not seen, and count as different: "Mu\\u0308nster", "M\\u00fcnster"' in text


@pytest.mark.parametrize(
    ("loss", "labels", "help"),
    [
        ("bce_logits(z, y)", "-1,1", "`feed y = (data.y + 1) / 2`"),
        ("focal(z, y)", "0,2", "`feed y = data.y / 2`"),
        ("hinge(z, y)", "0,1", "`feed y = 2 * data.y - 1`"),
        ("bce_logits(z, y)", "0,1", None),
        ("hinge(z, y)", "-1,1", None),
    ],
)
def test_targets_of_two_classes_are_those_of_the_loss(
    loss: str, labels: str, help: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way out is followed, and there is nothing to be said then."""
    one, other = labels.split(",")
    (tmp_path / "t.csv").write_text("x,y\n" + f"1,{one}\n2,{other}\n" * 10)
    spec = f"""
model T():
    input  x: [B]
    target y: [B]
    z = Dense(1)(x[:, none])[:, 0]
    output score = z
    loss objective = {loss}

train:
    data = csv("t.csv")
    minimize objective with sgd()
"""
    for feed in ("", f"    {help.strip('`')}\n" if help else ""):
        (tmp_path / "t.arch").write_text(spec.replace("    minimize", f"{feed}    minimize"))
        check_specs([str(tmp_path / "t.arch")], {}, data=True)
        text = capsys.readouterr().err
        told = help is not None and not feed
        assert ("warning[AX0847]" in text) is told
        assert not told or str(help) in text
