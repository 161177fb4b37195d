"""``export RUN --raw``: one file that takes columns, and gives what the run gives on the same rows.

The oracle is ``Run.predict``; the rows are read here by other means (the csv module, pyarrow, Pillow, NumPy), and the
file is run in plain onnxruntime. A value that a training refuses marks its row.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import archonnx
from archonnx.compiler.feeding import Encoding
from archonnx.compiler.interpret import interpret
from archonnx.compiler.ir.builder import Builder
from archonnx.compiler.ir.types import TensorType
from archonnx.compiler.ir.value import Value
from archonnx.compiler.raw import looked_up
from archonnx.grammar.diagnostics import SpecError
from archonnx.runtime.folders.run import Run

LEAST = int(np.iinfo(np.int64).min)
Columns = dict[str, Any]


def trained(folder: Path, spec: str, **given: Any) -> Run:
    (folder / "m.arch").write_text(spec)
    return archonnx.train(folder / "m.arch", folder / "run", device="cpu", **given)


def exported(run: Run, **how: Any) -> Path:
    return run.export(run.path.parent / "raw.onnx", raw=True, **how)


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs(path: Path, columns: Mapping[str, Any]) -> dict[str, Any]:
    opened = session(path)
    names = [one.name for one in opened.get_outputs()]
    wanted = {one.name for one in opened.get_inputs()}
    given = {name: np.asarray(array) for name, array in columns.items() if name in wanted}
    return dict(zip(names, opened.run(names, given), strict=True))


def about(path: Path) -> Any:
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    return json.loads(metadata["archonnx.raw"])


def types(path: Path) -> dict[str, str]:
    return {one.name: one.type for one in session(path).get_inputs()}


def alike(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    assert made.keys() == wanted.keys()
    for name, right in wanted.items():
        np.testing.assert_allclose(made[name], right, rtol=1e-5, atol=1e-6, err_msg=name)


def in_another_order(columns: Columns, seed: int) -> Columns:
    """The same rows, some of them twice, in another order, and the columns as well."""
    draw = np.random.default_rng(seed)
    count = len(next(iter(columns.values())))
    rows = draw.integers(0, count, count + 3)
    return {name: np.asarray(columns[name])[rows] for name in draw.permutation(list(columns)).tolist()}


# ---------------------------------------------------------------- tables of people

PEOPLE = """
model People():
    input age: [B]
    input income: [B]
    input member: [B]
    input since: [B]
    input city: i64[B]
    input plan: i64[B]
    input grade: i64[B]
    input code: i64[B]
    target bought: i64[B]
    ids = concat([one_hot(city, 4), one_hot(plan, 3), one_hot(grade, 3), one_hot(code, 3)], axis=1)
    logits = concat([ids, stack([age, income, member, since], axis=1)], axis=1) |> Dense(6) |> relu |> Dense(2)
    output probs = softmax(logits)
    output choice = argmax(logits, axis=-1)
    loss ce = cross_entropy(logits, bought)
    metric acc = accuracy(logits, bought)

train:
    data = SOURCE
    fit mu = mean(data.income)
    fit city = vocabulary(data.city, unknown=true)
    fit plan = vocabulary(fill(data.plan, "none"))
    fit grade = vocabulary(data.grade)
    feed age = standardise(f32(data.age))
    feed income = (fill(data.income, mu) - mu) / 20000
    feed since = f32(data.since - 1400000000) / 100000000
    feed city = index(data.city, city)
    feed plan = index(fill(data.plan, "none"), plan)
    feed grade = index(data.grade, grade)
    feed code = index(data.code, vocabulary(data.code))
    split = {train: 0.7, test: 0.3}
    epochs = 2
    batch_size = 16
    minimize ce with adam(lr=0.01)
"""
COUNT = 90
EPOCH = datetime.datetime(1970, 1, 1)


def people(seed: int, count: int = COUNT, **changed: Any) -> list[dict[str, Any]]:
    """Rows of people; None is a value that is missing."""
    draw = np.random.default_rng(seed)
    pick = draw.choice
    return [
        {
            "id": str(1000 + i),
            "age": int(draw.integers(18, 80)),
            "income": None if i % 7 == 3 else float(draw.integers(1000, 90000)) / 4,
            "member": bool(draw.random() < 0.5),
            "since": datetime.datetime(2010, 1, 1) + datetime.timedelta(days=int(draw.integers(0, 3000))),
            "city": str(pick(["Oslo", "Zürich", "東京"])),
            "plan": None if i % 5 == 1 else str(pick(["a", "b"])),
            "grade": int(pick([1, 2, 5])),
            "code": int(pick([7, -3, 10**15])),
            "bought": str(pick(["no", "yes"])),
            **changed,
        }
        for i in range(count)
    ]


def as_columns(rows: list[dict[str, Any]]) -> Columns:
    """Rows as an application gives them to onnxruntime."""
    columns: Columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ("city", "plan"):
        columns[name] = np.array([text or "" for text in columns[name]], object)
    columns["income"] = np.array([np.nan if number is None else number for number in columns["income"]])
    columns["since"] = np.array([int((moment - EPOCH).total_seconds()) for moment in columns["since"]])
    return columns


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            shown = {"since": row["since"].date().isoformat(), "member": str(row["member"]).lower()}
            writer.writerow({name: "" if value is None else value for name, value in {**row, **shown}.items()})


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


WRITERS = {"csv": write_csv, "parquet": write_parquet}
Case = tuple[Run, Path, str]


@pytest.fixture(scope="module", params=["csv", "parquet"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("people")
    WRITERS[request.param](folder / f"people.{request.param}", people(0))
    run = trained(folder, PEOPLE.replace("SOURCE", f'{request.param}("people.{request.param}", target="bought")'))
    return run, exported(run), request.param


def test_a_table_gives_what_the_run_predicts(table: Case) -> None:
    run, file, suffix = table
    rows = people(0)
    alike(outputs(file, as_columns(rows)), run.predict(run.path.parent / f"people.{suffix}"))


def test_new_rows_in_any_order_of_rows_and_columns(table: Case, tmp_path: Path) -> None:
    run, file, suffix = table
    rows = people(5, 23, city="Nowhere")[::-1]
    shuffled = [{name: row[name] for name in reversed(row) if name != "bought"} for row in rows]
    WRITERS[suffix](tmp_path / f"new.{suffix}", shuffled)
    alike(outputs(file, as_columns(shuffled)), run.predict(tmp_path / f"new.{suffix}"))
    one = outputs(file, as_columns(shuffled[:1]))
    alike(one, {name: array[:1] for name, array in run.predict(tmp_path / f"new.{suffix}").items()})


def test_the_metric_is_that_of_eval(table: Case) -> None:
    run, file, _ = table
    rows = [people(0)[i] for i in run.rows("test")]
    probs = outputs(file, as_columns(rows))["probs"]
    names = about(file)["classes"]["probs"]
    right = [names[guess] == row["bought"] for guess, row in zip(probs.argmax(axis=1), rows, strict=True)]
    assert np.mean(right) == pytest.approx(run.evaluate("test")["acc"])
    assert about(file)["metrics"]["test"]["acc"] == pytest.approx(np.mean(right))


def test_columns_keep_their_names_and_types_and_what_is_not_needed_is_left_out(table: Case) -> None:
    _, file, _ = table
    assert types(file) == {
        "age": "tensor(int64)",
        "income": "tensor(double)",
        "member": "tensor(bool)",
        "since": "tensor(int64)",
        "city": "tensor(string)",
        "plan": "tensor(string)",
        "grade": "tensor(int64)",
        "code": "tensor(int64)",
    }
    assert all(one.shape == ["B"] for one in session(file).get_inputs())


def test_texts_take_one_operator_of_ai_onnx_ml_and_nothing_else_does(table: Case) -> None:
    _, file, _ = table
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node if node.domain] == ["LabelEncoder"] * 2
    assert {entry.domain for entry in model.opset_import} == {"", "ai.onnx.ml"}


def test_the_metadata_say_what_the_file_takes_and_where_it_comes_from(table: Case) -> None:
    run, file, _ = table
    said = about(file)
    spec = (run.path / "m.arch" if (run.path / "m.arch").exists() else run.path / "spec.arch").read_bytes()
    assert said["spec"] == {"name": "m", "sha256": hashlib.sha256(spec).hexdigest()}
    assert said["classes"] == {"probs": ["no", "yes"], "choice": ["no", "yes"]}
    by_column = {entry["column"]: entry for entry in said["vocabularies"]}
    assert by_column["plan"] == {"column": "plan", "values": ["a", "b", "none"], "unknown": False, "filled": "none"}
    assert by_column["city"]["values"] == ["Oslo", "Zürich", "東京"]
    assert by_column["city"]["unknown"]
    kinds = {entry["name"]: entry["kind"] for entry in said["columns"]}
    assert kinds["since"] == "date"
    assert kinds["income"] == "float"
    assert said["checked"] == {"rows": 64, "on": "rows of the training data"}
    assert said["outputs"]["probs"]["without_meaning"] == "NaN"


@pytest.mark.parametrize(
    "wrong", [{"plan": "c"}, {"grade": 3}, {"grade": 10**12}, {"code": 8}, {"since": LEAST}, {"code": -4}]
)
def test_a_value_that_a_training_refuses_marks_its_row_alone(table: Case, wrong: dict[str, Any]) -> None:
    _, file, _ = table
    columns = as_columns(people(2, 5))
    good = outputs(file, columns)
    assert np.isfinite(good["probs"]).all()
    for name, value in wrong.items():
        columns[name] = [*columns[name][:2], value, *columns[name][3:]]
    made = outputs(file, columns)
    assert np.isnan(made["probs"][2]).all()
    assert made["choice"][2] == LEAST
    rest = [0, 1, 3, 4]
    alike({n: a[rest] for n, a in made.items()}, {n: a[rest] for n, a in good.items()})


def test_older_opsets_and_other_targets_give_the_same(table: Case, tmp_path: Path) -> None:
    run, file, _ = table
    columns = as_columns(people(3, 9))
    for how in ({"opset": 18}, {"target": "ort"}):
        again = run.export(tmp_path / "again.onnx", raw=True, **how)
        alike(outputs(again, columns), outputs(file, columns))
    assert next(e.version for e in onnx.load(run.export(tmp_path / "b.onnx", raw=True, opset=18)).opset_import) == 18


def test_without_the_data_the_file_is_tried_on_made_rows(table: Case, tmp_path: Path) -> None:
    run, _, suffix = table
    data = run.path.parent / f"people.{suffix}"
    data.rename(tmp_path / data.name)
    try:
        file = Run(run.path).export(tmp_path / "made.onnx", raw=True)
    finally:
        (tmp_path / data.name).rename(data)
    assert about(file)["checked"] == {"rows": 64, "on": "made rows"}


def test_a_file_that_is_not_the_run_is_not_written(table: Case, tmp_path: Path) -> None:
    run, _, _ = table
    other = Run(run.path)
    other.parameters.update({name: array + 1 for name, array in other.parameters.items()})
    with pytest.raises(SpecError) as caught:
        other.export(tmp_path / "other.onnx", raw=True)
    assert [d.code for d in caught.value.diagnostics] == ["AX0514"]
    assert "`probs` lies up to" in caught.value.diagnostics[0].notes[0]
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- arrays, pictures, bundled and generated data

ARRAYS = """
model Arrays():
    input x: [B, 4]
    input picture: [B, 1, 3, 3]
    input id: i64[B]
    target y: [B]
    h = concat([x, picture |> flatten, Embedding(6, 2)(id)], axis=1) |> Dense(5) |> tanh
    output guess = h |> Dense(1) |> squeeze(axis=1)
    output most = argmax(h)
    output total = sum(guess)
    loss l = mse(guess, y)

train:
    data = SOURCE
    fit top = max(data.x, axis=0)
    feed x = data.x / top
    feed picture = f32(data.picture) / 255
    epochs = 1
    batch_size = 10
    minimize l with sgd(lr=0.01)
"""


def arrays(count: int, seed: int) -> Columns:
    draw = np.random.default_rng(seed)
    return {
        "x": draw.random((count, 4), np.float32),
        "picture": draw.integers(0, 256, (count, 1, 3, 3), np.uint8),
        "id": draw.integers(0, 6, count).astype(np.int32),
        "y": draw.random(count),
    }


@pytest.fixture(scope="module", params=["npz", "npy"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("arrays")
    given = arrays(40, 0)
    if request.param == "npz":
        np.savez(folder / "a.npz", **given)
    else:
        (folder / "a").mkdir()
        for name, array in given.items():
            np.save(folder / "a" / f"{name}.npy", array)
    source = 'npz("a.npz")' if request.param == "npz" else 'npy("a")'
    run = trained(folder, ARRAYS.replace("SOURCE", source))
    return run, exported(run)


def test_arrays_come_in_as_they_are(stored: tuple[Run, Path]) -> None:
    run, file = stored
    assert types(file) == {
        "x": "tensor(float)",
        "picture": "tensor(uint8)",
        "id": "tensor(int32)",
    }
    for given in (arrays(40, 0), in_another_order(arrays(40, 0), 1), arrays(7, 2)):
        alike(outputs(file, given), run.predict({name: array for name, array in given.items() if name != "y"}))


@pytest.mark.parametrize("wrong", [-1, 6, 2**31 - 1])
def test_an_id_that_names_nothing_marks_what_it_reaches(stored: tuple[Run, Path], wrong: int) -> None:
    """Its own row, and what is made of all rows."""
    _, file = stored
    given = arrays(4, 3)
    given["id"][1] = wrong
    made = outputs(file, given)
    assert np.isnan(made["guess"]).tolist() == [False, True, False, False]
    assert np.isnan(made["total"])


def test_a_missing_number_is_never_a_class(stored: tuple[Run, Path]) -> None:
    """``argmax`` of NaN is 0, which is a class."""
    _, file = stored
    given = arrays(3, 1)
    given["x"][2, 1] = np.nan
    assert (outputs(file, given)["most"] == LEAST).tolist() == [False, False, True]


def test_where_a_truth_value_would_say_something_the_run_fails(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(20, 0))
    spec = ARRAYS.replace("SOURCE", 'npz("a.npz")').replace("output total = sum(guess)", "output sure = guess > 0.5")
    run = trained(tmp_path, spec)
    file = exported(run)
    given = arrays(3, 1)
    alike(outputs(file, given), run.predict({name: array for name, array in given.items() if name != "y"}))
    given["x"][2, 1] = np.nan
    with pytest.raises(Exception, match="'a_row_means_nothing'.*out of data bounds"):
        outputs(file, given)


PETS = """
model Pets():
    input image: [B, C, 4, 5]
    target label: i64[B]
    logits = image |> flatten |> Dense(3)
    output probs = softmax(logits)
    loss ce = cross_entropy(logits, label)

train:
    data = images("pets"KIND)
    FEED
    epochs = 1
    batch_size = 4
    minimize ce with sgd(lr=0.1)
"""


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("feed", ["", "feed image = (data.image - mean(data.image)) / 0.3"])
def test_pictures_come_in_as_bytes(channels: int, feed: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(channels)
    for name in ("cat", "dog", "owl"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            pixels = draw.integers(0, 256, (4, 5, channels), np.uint8)
            Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(tmp_path / f"pets/{name}/{number}.png")
    kind = "" if channels == 3 else ', colour="grey"'
    run = trained(tmp_path, PETS.replace("C,", f"{channels},").replace("KIND", kind).replace("FEED", feed))
    file = exported(run)
    opened = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "pets").glob("*/*.png"))]
    pixels = np.stack([image.reshape(4, 5, channels) for image in opened]).transpose(0, 3, 1, 2)
    assert types(file) == {"image": "tensor(uint8)"}
    assert about(file)["columns"][0]["kind"] == "image"
    assert about(file)["classes"] == {"probs": ["cat", "dog", "owl"]}
    alike(outputs(file, {"image": pixels}), run.predict(tmp_path / "pets"))


IRIS = """
model Iris():
    input x: [B, 4]
    target y: i64[B]
    logits = x |> Dense(3)
    output probs = softmax(logits)
    loss ce = cross_entropy(logits, y)

train:
    data = SOURCE
    feed x = standardise(data.data)
    feed y = data.target
    epochs = 1
    batch_size = all
    minimize ce with sgd(lr=0.1)
"""


def test_a_bundled_data_set_is_one_matrix(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris

    run = trained(tmp_path, IRIS.replace("SOURCE", 'sklearn("iris")'))
    file = exported(run)
    data = load_iris().data
    assert list(types(file)) == ["data"]
    for given in ({"data": data}, in_another_order({"data": data}, 0)):
        alike(outputs(file, given), run.predict(given))
    assert about(file)["classes"] == {"probs": ["setosa", "versicolor", "virginica"]}


def test_the_matrix_of_a_table_is_its_columns_by_name(tmp_path: Path) -> None:
    from sklearn.datasets import load_iris

    iris = load_iris()
    names = ["sl", "sw", "pl", "probs"]
    lines = [
        ",".join(map(repr, row)) + f",{iris.target_names[y]}"
        for row, y in zip(iris.data.tolist(), iris.target, strict=True)
    ]
    (tmp_path / "iris.csv").write_text("\n".join([",".join([*names, "kind"]), *lines]))
    run = trained(tmp_path, IRIS.replace("SOURCE", 'csv("iris.csv", target="kind")'))
    file = exported(run)
    columns = {name: iris.data[:, i] for i, name in enumerate(names)}
    given = in_another_order(columns, 4)
    renamed = {("data.probs" if name == "probs" else name): array for name, array in given.items()}
    assert set(types(file)) == {"sl", "sw", "pl", "data.probs"}, "an output is called `probs`"
    alike(outputs(file, renamed), run.predict(given))
    assert [(c["name"], c["input"]) for c in about(file)["columns"]][-1] == ("probs", "data.probs")


GENERATED = """
fn points(n: int) -> (a: [n], b: [n], on: bool[n]):
    t = float(arange(n)) / n
    return t, t * t, t > 0.5

model Points():
    input x: [B, 3]
    target y: [B]
    spread ~ normal([B])
    output guess = (x |> Dense(1))[:, 0] NOISE
    loss l = mse(guess, y)

train:
    data = generate(points, n=30)
    feed x = stack([data.a, f32(data.on), f32(data.index) / 30], axis=1)
    feed y = data.b
    epochs = 1
    batch_size = 10
    minimize l with sgd(lr=0.1)
"""


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_generated_data(dtype: str, tmp_path: Path) -> None:
    run = trained(tmp_path, GENERATED.replace("NOISE", ""), dtype=dtype)
    file = exported(run)
    t = np.arange(30, dtype=dtype.replace("f", "float")) / 30
    given = {"a": t, "on": t > 0.5}
    assert set(types(file)) == {"a", "on"}
    assert outputs(file, given)["guess"].dtype == np.dtype(dtype.replace("f", "float"))
    alike(outputs(file, given), run.predict(given))
    assert not np.allclose(
        outputs(file, {n: a[::-1] for n, a in given.items()})["guess"][::-1], run.predict(given)["guess"]
    )


def test_what_a_model_draws_takes_the_seed(tmp_path: Path) -> None:
    run = trained(tmp_path, GENERATED.replace("NOISE", "+ spread"))
    file = exported(run)
    t = np.arange(30, dtype=np.float32) / 30
    given = {"a": t, "on": t > 0.5}
    for seed in (0, 3):
        alike(outputs(file, {**given, "seed": np.int64(seed)}), run.predict(given, seed=seed))


def test_data_that_was_in_memory(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame(people(0)).drop(columns=["income"]).assign(income=as_columns(people(0))["income"])
    (tmp_path / "unused.csv").write_text("a\n1\n")
    spec = PEOPLE.replace("SOURCE", 'csv("unused.csv", target="bought")')
    run = trained(tmp_path, spec, data=frame)
    file = exported(run)
    assert about(file)["checked"]["on"] == "made rows"
    alike(outputs(file, as_columns(people(0))), run.predict(frame))


# ---------------------------------------------------------------- tables of integers


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize(
    "keys", [(), (4,), (0, 1, 2), (5, 3, 4), (-7, 10**15, 0), (LEAST, -LEAST - 1), tuple(range(3, 300, 2))]
)
def test_integers_are_numbered_as_a_dict_does(keys: tuple[int, ...], unknown: bool) -> None:
    near = {number for key in keys for number in (key - 1, key, key + 1)} | {0, LEAST, -LEAST - 1}
    values = np.array(sorted(number for number in near if LEAST <= number < 2**63), np.int64)
    builder, x = Builder(), Value(TensorType.of("i64", "B"), "x")
    with builder.active():
        graph = builder.graph("g", {"x": x}, {"y": looked_up(x, Encoding("c", keys, unknown))})
    table = {key: number for number, key in enumerate(keys)}
    other = len(keys) if unknown else -1
    np.testing.assert_array_equal(interpret(graph, {"x": values})["y"], [table.get(v, other) for v in values.tolist()])


# ---------------------------------------------------------------- what is refused


def refused(run: Run, path: Path, **how: Any) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        run.export(path, raw=True, **how)
    (found,) = caught.value.diagnostics
    assert not path.exists()
    return found.code, found.headline


def test_what_cannot_be_exported_says_why(table: Case, tmp_path: Path) -> None:
    run, _, _ = table
    assert refused(run, tmp_path / "m.bin")[0] == "AX0505"
    assert refused(run, tmp_path / "no/m.onnx")[0] == "AX0616"
    assert refused(run, tmp_path / "m.onnx", opset=3)[0] == "AX0502"
    assert refused(run, tmp_path / "m.onnx", entry="sample")[0] == "AX0513"
    (run.path / "data.json").rename(tmp_path / "data.json")
    try:
        assert refused(Run(run.path), tmp_path / "m.onnx")[0] == "AX0611"
    finally:
        (tmp_path / "data.json").rename(run.path / "data.json")
