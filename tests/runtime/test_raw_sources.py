"""``export RUN --raw`` of every other kind of source: arrays, pictures, bundled and generated data, windows of a series.

The oracle is ``Run.predict``; the file is run in plain onnxruntime, and in onnxruntime-node where ``NODE_PATH``
leads to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archonnx.compiler.marks import MARK
from archonnx.runtime.folders.run import Run
from tests.support.raw import (
    ARRAYS,
    PEOPLE,
    Columns,
    about,
    alike,
    arrays,
    as_columns,
    exported,
    in_another_order,
    outputs,
    people,
    trained,
    types,
)


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
    assert (outputs(file, given)["most"] == MARK).tolist() == [False, False, True]


def test_where_a_truth_value_would_say_something_the_run_fails(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(20, 0))
    spec = ARRAYS.replace("SOURCE", 'npz("a.npz")').replace("output total = sum(guess)", "output sure = guess > 0.5")
    run = trained(tmp_path, spec)
    file = exported(run)
    given = arrays(3, 1)
    alike(outputs(file, given), run.predict({name: array for name, array in given.items() if name != "y"}))
    given["x"][2, 1] = np.nan
    with pytest.raises(Exception, match=r"'a_row_means_nothing'.*out of data bounds"):
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
    spread: [B] ~ normal()
    output guess = (x |> Dense(1))[:, 0] NOISE
    loss l = mse(guess, y)

train:
    data = generate(points, n=30)
    feed x = stack([data.a, float(data.on), float(data.index) / 30], axis=1)
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
    columns = as_columns(people(0))
    given = {**columns, "since": np.array(columns["since"]).astype("datetime64[s]")}
    run = trained(tmp_path, PEOPLE.replace("SOURCE", 'csv("none.csv", target="bought")'), data=given)
    file = exported(run)
    assert about(file)["checked"]["on"] == "made rows"
    alike(outputs(file, columns), run.predict(given))


WINDOWS = """
model Next():
    input  past: [B, 3]
    target next: [B]
    output guess = (past |> Dense(1))[:, 0]
    loss   l = mse(guess, next)

train:
    data = windows(csv("t.csv"), length=3)
    feed past = data.v
    feed next = data.v_next[:, 0]
    epochs = 1
    batch_size = all
    minimize l with sgd(lr=0.3)
"""


def test_windows_of_a_series_are_what_a_row_is(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("v\n" + "".join(f"{t / 20}\n" for t in range(20)))
    run = trained(tmp_path, WINDOWS)
    file = exported(run)
    given = {"v": np.random.default_rng(0).random((4, 3))}
    assert types(file) == {"v": "tensor(double)"}
    alike(outputs(file, given), run.predict_fields({"past": given["v"]}))


SHELF = """
model Shelf():
    input x: [B, 7]
    input part: [B, 7]
    input when: [B, 3]
    target y: [B]
    output guess = (concat([x, part, when], axis=1) |> Dense(1))[:, 0]
    loss l = mse(guess, y)

train:
    data = csv("s.csv")
    feed x = stack([
        standardise(impute(data.a)), min_max(impute(data.a, median)), max_abs(data.b), robust(data.b),
        quantile_transform(data.b, points=5), log1p(abs(data.b)), clip(data.b, -1, 1)
    ], axis=1)
    feed part = concat([
        float(one_hot(width_buckets(data.b, 3), 3)), float(one_hot(buckets(data.b, [-0.5, 0.5]), 3)),
        float(quantile_buckets(data.b, 4))[:, none]
    ], axis=1)
    feed when = concat([cyclic(month(data.t), 12), float(weekday(data.t))[:, none]], axis=1)
    feed y = data.b
    epochs = 1
    batch_size = all
    minimize l with sgd(lr=0.01)
"""


def test_transformations_of_the_library_are_in_the_file(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)

    def rows(count: int) -> Columns:
        days = draw.integers(-9000, 20000, count)
        a = np.where(draw.random(count) < 0.2, np.nan, draw.normal(size=count))
        return {"a": a, "b": draw.normal(size=count), "t": days * 86400}

    def written(path: Path, columns: Columns) -> Path:
        dates = columns["t"].astype("datetime64[s]").astype("datetime64[D]").astype(str).tolist()
        cells = ["" if np.isnan(a) else repr(a) for a in columns["a"].tolist()]
        lines = [",".join(row) for row in zip(cells, map(repr, columns["b"].tolist()), dates, strict=True)]
        path.write_text("\n".join(["a,b,t", *lines]))
        return path

    written(tmp_path / "s.csv", rows(40))
    run = trained(tmp_path, SHELF)
    new = rows(60)
    alike(outputs(exported(run), new), run.predict(written(tmp_path / "new.csv", new)))
