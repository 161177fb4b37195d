"""Sources that are drawn anew in each epoch, and sources that are made of others, as tasks of few-shot learning are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archonnx
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.compiler.program import TrainProgram
from archonnx.grammar.diagnostics import SpecError
from archonnx.grammar.source import Source
from archonnx.grammar.yaml import parse_yaml, to_yaml
from archonnx.runtime.data.anew import Draws, seed_of_round
from archonnx.runtime.data.beside import Turn
from archonnx.runtime.data.sources import load_source
from archonnx.runtime.folders.run import Run
from archonnx.runtime.training.observing import Observer
from archonnx.runtime.training.preparing import DataChoice, Prepared, prepare

SPEC = """\
fn points(n: int, far: float = 0.0) -> (x: [n, 2], k: i64[n]):
    x: [n, 2] ~ normal(far, 1)
    return x, arange(n)

model Two():
    input x: [B, 2]
    input z: [{dim}, 2]
    target k: i64[B]
    net = Dense(3)
    output y = net(x)
    loss objective = cross_entropy(net(x), k % 3) + mean(net(z) ** 2)

train:
    data = {first}
    data other = {other}
    feed z = other.x
    feed x = data.x
    feed k = data.k
    batch_size = 4
{more}
    minimize objective with adam(0.05)
"""


def spec(
    first: str = "fresh(generate(points, n=10))",
    other: str = "fresh(generate(points, n=7, far=2.0))",
    dim: str = "B",
    more: str = "",
) -> Any:
    return parse_spec(Source("two.arch", SPEC.format(first=first, other=other, dim=dim, more=more)))


def prepared(spec: Any, choice: DataChoice | None = None) -> tuple[Prepared, TrainProgram]:
    (program,) = elaborate(spec).programs
    return prepare(elaborate(spec), program, program.settings, Path(), None, choice), program


def drawn(program: TrainProgram, name: str, round_: tuple[int, ...]) -> Mapping[str, Any]:
    """What a source draws in a round, by the definition: the fn of the spec, with the seed of the round."""
    source = next(source for source in program.sources if source.name == name)
    seed = seed_of_round(program.settings.seed, name, round_) if round_ or name != program.data else 0
    return load_source(source, Path(), seed).fields


def code(error: pytest.ExceptionInfo[SpecError]) -> tuple[str, str]:
    found = error.value.report.diagnostics[0]
    return found.code, found.headline


# ---------------------------------------------------------------- drawn anew


def test_the_examples_of_an_epoch_are_those_that_its_seed_draws() -> None:
    data, program = prepared(spec())
    for epoch in (1, 2, 3, 2, 1):
        order = data.examples.order(data.parts.train, 4, 0, epoch)
        batch = data.examples.trained(order[:4], Turn(0, 0, epoch=epoch))
        expected = drawn(program, "data", (epoch - 1,) if epoch > 1 else ())
        np.testing.assert_array_equal(batch["x"], expected["x"][order[:4]])
        np.testing.assert_array_equal(batch["k"], order[:4])


def test_no_two_passes_over_a_source_share_an_example() -> None:
    """Neither in the epochs of the first, nor in those of the other, nor in the rounds of `repeat`."""
    data, _ = prepared(spec())
    turns = [Turn(3 * e + i, 10 * e + 4 * i, epoch=e + 1) for e in range(4) for i in range(3)]
    rounds = [Turn(i, 4 * i, (e,), e) for e in (1, 2) for i in range(4)]
    seen: dict[str, list[Any]] = {"x": [], "z": []}
    for turn in (*turns, *rounds):
        rows = data.parts.train[turn.rows % 10 :][:4]
        batch = data.examples.trained(rows, turn)
        seen["z"].append(batch["z"])
        if not turn.stream:
            seen["x"].append(batch["x"])
    for arrays in seen.values():
        rows = np.concatenate(arrays)
        assert len(np.unique(rows, axis=0)) == len(rows)


def test_a_batch_that_begins_in_one_pass_of_another_source_and_ends_in_the_next_has_examples_of_both() -> None:
    data, program = prepared(spec())
    beside = data.examples._beside[0]
    turn = Turn(1, 4)
    (first, one), (second, two) = beside._pieces("train", 4, turn, drawn=True)
    assert (first, second) == ((), (1,)) and (len(one), len(two)) == (3, 1)
    expected = [drawn(program, "other", ())["x"][one], drawn(program, "other", (1,))["x"][two]]
    batch = data.examples.trained(data.parts.train[4:8], turn)
    np.testing.assert_array_equal(batch["z"], np.concatenate(expected))


def test_seeds_of_rounds_differ_also_where_one_is_the_beginning_of_another() -> None:
    rounds = [(), (1,), (2,), (1, 0), (2, 0), (1, 1), (1, 0, 0)]
    assert len({seed_of_round(seed, name, r) for r in rounds for name in ("a", "b") for seed in (0, 1)}) == 28


def test_two_draws_are_kept_and_the_one_that_was_used_last_is_kept_longest() -> None:
    asked: list[Any] = []
    draws = Draws(lambda round_: asked.append(round_) or {"x": np.zeros(1)})  # type: ignore[func-returns-value]
    for round_ in ((1,), (1, 0), (1,), (1, 0), (2,), (1, 0), (2,)):
        draws.of(round_)
    assert asked == [(1,), (1, 0), (2,)]


def test_what_is_measured_and_learned_is_that_of_the_first_draw() -> None:
    more = "    fit low = min(data.x, axis=0)\n    split = {train: 0.6, valid: 0.4}"
    text = spec(more=more).source.text.replace("feed x = data.x\n", "feed x = data.x - low\n")
    data, program = prepared(parse_spec(Source("two.arch", text)))
    base = drawn(program, "data", ())["x"]
    low = base[data.parts.train].min(axis=0)
    np.testing.assert_array_equal(data.examples.on("valid").take(data.parts.valid)["x"], base[data.parts.valid] - low)
    later = data.examples.trained(data.parts.train, Turn(5, 30, epoch=4))["x"]
    np.testing.assert_array_equal(later, drawn(program, "data", (3,))["x"][data.parts.train] - low)


def test_what_is_given_in_place_of_a_source_stays_what_it_is() -> None:
    given = {"x": np.arange(20.0).reshape(10, 2), "k": np.arange(10)}
    data, _ = prepared(spec(), DataChoice({"data": given}))
    np.testing.assert_array_equal(
        data.examples.trained(data.parts.train, Turn(5, 30, epoch=4))["x"], given["x"][data.parts.train]
    )


def test_order_and_draw_do_not_depend_on_each_other() -> None:
    data, program = prepared(spec(more="    shuffle = false"))
    batch = data.examples.trained(data.parts.train, Turn(3, 20, epoch=3))
    np.testing.assert_array_equal(batch["x"], drawn(program, "data", (2,))["x"])


class Stop(Observer):
    """Interrupts after a pass."""

    def __init__(self, epoch: int, step: int) -> None:
        self._where = epoch, step

    def step(self, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        if (epoch, step) == self._where:
            raise KeyboardInterrupt


RESUMED = """\
    epochs = 4
    split = {train: 0.8, valid: 0.2}
    repeat 2:
        minimize objective with adam(0.02)"""


@pytest.fixture(scope="module")
def whole() -> Run:
    return archonnx.train(spec(more=RESUMED), device="cpu", threads=1)


@pytest.mark.parametrize(("epoch", "step"), [(1, 1), (2, 2), (3, 1), (4, 2)])
def test_a_training_goes_on_to_the_bit_in_the_middle_of_an_epoch(
    whole: Run, epoch: int, step: int, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    archonnx.train(spec(more=RESUMED), out, device="cpu", threads=1, observer=Stop(epoch, step))
    resumed = archonnx.train(spec(more=RESUMED), resume=out, device="cpu", threads=1)
    for path, array in whole.parameters.items():
        np.testing.assert_array_equal(array, resumed.parameters[path])
    assert [line["train"] for line in whole.history] == [line["train"] for line in resumed.history]
    assert whole.metrics == resumed.metrics and whole.evaluate("valid") == resumed.evaluate("valid")


def test_fresh_examples_learn_what_a_few_that_stay_do_not() -> None:
    """Ten examples of noise are learned by heart, and fresh ones cannot be: the loss stays at that of a guess."""
    text = """\
fn noise(n: int) -> (x: [n, 20], y: [n]):
    x: [n, 20] ~ normal(0, 1)
    y: [n] ~ normal(0, 1)
    return x, y

model Guess():
    input  x: [B, 20]
    target y: [B]
    loss objective = mse((x |> Dense(1))[:, 0], y)

train:
    data = SOURCE
    epochs = 150
    batch_size = all
    minimize objective with adam(0.02)
"""
    ends = []
    for source in ("generate(noise, n=10)", "fresh(generate(noise, n=10))"):
        run = archonnx.train(parse_spec(Source("n.arch", text.replace("SOURCE", source))), device="cpu")
        ends.append(np.mean([line["train"]["objective"] for line in run.history[-20:]]))
    assert ends[0] < 0.01 < 0.5 < ends[1]


# ---------------------------------------------------------------- made of others

TASKS = """\
fn tasks(image: [m, 64], label: i64[m], n: int) -> (shown: [n, 2, 64], asked: [n, 2, 64], which: i64[n, 2, 2]):
    rows = episode_rows(label, 10, n, 2, 2)
    return image[rows[:, :, 0]], image[rows[:, :, 1]], label[rows]

model Pairs():
    input shown: [B, 2, 64]
    input asked: [B, 2, 64]
    input which: i64[B, 2, 2]
    code = Dense(4)
    a = code(shown)
    b = code(asked)
    output gaps: [B, 2, 2] = sum((b[:, :, none] - a[:, none]) ** 2, axis=-1)
    loss objective = cross_entropy(-gaps, broadcast(arange(2), [B, 2])) + 0 * mean(float(which))

train:
    data digits = sklearn("digits")
    data = fresh(generate(tasks, digits.data, digits.target, n=12))
    split = {train: 0.6, valid: 0.2, test: 0.2, group: digits.target}
    epochs = 3
    batch_size = 6
    minimize objective with adam()
"""


def tasks(old: str = "", new: str = "") -> Any:
    assert old in TASKS
    return parse_spec(Source("pairs.arch", TASKS.replace(old, new) if old else TASKS))


def test_tasks_of_a_part_are_made_of_that_part_of_the_other_source() -> None:
    """So classes that are tested are in no task of the training, in no epoch; and the rows are those of the pictures."""
    data, _ = prepared(tasks())
    store = data.others["digits"]
    labels = store.loaded.fields["target"]
    classes = {part: {*labels[store.parts.of(part)].tolist()} for part in ("train", "valid", "test")}
    assert len(classes["train"] | classes["valid"] | classes["test"]) == 10 == sum(map(len, classes.values()))
    rows = store.loaded.fields["data"].astype(np.float32)
    pictures = {row.tobytes(): int(k) for row, k in zip(rows, labels, strict=True)}
    batches = [("train", data.examples.trained(data.parts.train, Turn(0, 0, epoch=e))) for e in (1, 2, 3)]
    batches += [(part, data.examples.take(data.parts.of(part))) for part in ("train", "test")]
    for part, batch in batches:
        assert len(batch["which"]) == 12 and {*batch["which"].ravel().tolist()} <= classes[part]
        assert (batch["which"][:, 0] != batch["which"][:, 1]).all()
        assert (batch["which"][:, :, 0] == batch["which"][:, :, 1]).all()
        assert (batch["shown"] != batch["asked"]).any(axis=-1).all()
        for name, at in (("shown", 0), ("asked", 1)):
            named = [[pictures[picture.tobytes()] for picture in task] for task in batch[name]]
            assert named == batch["which"][:, :, at].tolist()


def test_classes_and_their_examples_are_drawn_evenly() -> None:
    """However many examples a class has, if they are enough; frequencies are within five deviations."""
    text = """\
fn rows(image: [m, 64], label: i64[m], n: int) -> (rows: i64[n, 2, 2]):
    return episode_rows(label, 5, n, 2, 2)
"""
    ours = "generate(rows, digits.data, digits.target, n=4000)"
    text += TASKS.replace("fresh(generate(tasks, digits.data, digits.target, n=12))", ours)
    (program,) = elaborate(parse_spec(Source("p.arch", text))).programs
    counts = np.array([3, 1, 5, 2, 40])
    label = np.repeat(np.arange(5), counts)
    arrays = {"digits.data": np.zeros((len(label), 64)), "digits.target": label}
    assert program.source is not None
    rows = load_source(program.source, Path(), 3, arrays=arrays).fields["rows"]
    drawn_classes = label[rows[:, :, 0]]
    seen = np.bincount(drawn_classes.ravel(), minlength=5) / 4000
    np.testing.assert_allclose(seen, [0.5, 0, 0.5, 0.5, 0.5], atol=5 * 0.5 / np.sqrt(4000))
    for k in (0, 2, 3, 4):
        of = rows[drawn_classes == k]
        share = np.bincount(of.ravel(), minlength=len(label))[label == k] / len(of)
        p = 2 / counts[k]
        np.testing.assert_allclose(share, p, atol=5 * np.sqrt(p * (1 - p) / len(of)) + 1e-12)


def test_a_source_of_which_others_are_made_feeds_nothing_unless_a_feed_names_it() -> None:
    data, program = prepared(tasks())
    assert program.stores == {"digits"} and program.data == "data"
    assert {*data.examples.take(data.parts.train)} == {"shown", "asked", "which"}
    assert not data.examples._beside
    text = TASKS.replace(
        "    split", "    feed label = digits.target\n    epoch_of = data\n    batches = {digits: 3}\n    split"
    ).replace("    code =", "    input label: i64[C]\n    code =")
    both, program = prepared(parse_spec(Source("pairs.arch", text)))
    assert not program.stores and both.examples.take(both.parts.train)["label"].shape == (3,)


def test_a_source_may_have_as_many_rows_as_the_other() -> None:
    """As where each example is given noise that is drawn anew."""
    text = """\
fn noisy(x: [m, 64], k: i64[m]) -> (x: [m, 64], k: i64[m]):
    noise: [m, 64] ~ normal(0, 1)
    return x + noise, k

model Digits():
    input x: [B, 64]
    target k: i64[B]
    logits = x |> Dense(10)
    loss objective = cross_entropy(logits, k)

train:
    data clean = sklearn("digits")
    data = fresh(generate(noisy, clean.data, clean.target))
    split = {train: 1000, test: 500}
    minimize objective with adam()
"""
    data, _ = prepared(parse_spec(Source("noisy.arch", text)))
    clean = data.others["clean"]
    assert [len(data.parts.of(part)) for part in ("train", "valid", "test")] == [1000, 0, 500]
    for epoch in (1, 2):
        x = data.examples.trained(data.parts.train, Turn(0, 0, epoch=epoch))["x"]
        gaps = x - clean.loaded.fields["data"][clean.parts.train]
        assert abs(gaps.mean()) < 0.02 and abs(gaps.std() - 1) < 0.02


def test_tasks_go_on_to_the_bit_and_a_run_knows_them(tmp_path: Path) -> None:
    one = archonnx.train(tasks(), tmp_path / "one", device="cpu", threads=1)
    archonnx.train(tasks(), tmp_path / "two", device="cpu", threads=1, observer=Stop(2, 1))
    two = archonnx.train(tasks(), resume=tmp_path / "two", device="cpu", threads=1)
    for path, array in one.parameters.items():
        np.testing.assert_array_equal(array, two.parameters[path])
    assert one.metrics == two.metrics and set(one.metrics) == {"train", "valid", "test"}
    opened = Run(tmp_path / "one")
    assert opened.evaluate("test") == one.metrics["test"]
    assert len(opened.rows("test")) == 12
    given = {"shown": np.zeros((5, 2, 64), np.float32), "asked": np.ones((5, 2, 64), np.float32)}
    assert opened.predict(given)["gaps"].shape == (5, 2, 2)
    opened.export_raw(tmp_path / "raw.onnx")
    assert (tmp_path / "raw.onnx").is_file()


def test_rows_of_a_store_that_have_changed_are_told(tmp_path: Path) -> None:
    text = TASKS.replace('sklearn("digits")', 'npz("d.npz")')
    (tmp_path / "p.arch").write_text(text, encoding="utf-8")
    rng = np.random.default_rng(0)
    arrays = {"data": rng.normal(size=(200, 64)), "target": np.arange(200) % 10}
    np.savez(tmp_path / "d.npz", **arrays)
    archonnx.train(tmp_path / "p.arch", tmp_path / "run", device="cpu", settings={"epochs": 1})
    np.savez(tmp_path / "d.npz", **(arrays | {"data": arrays["data"] + 1}))
    with pytest.raises(SpecError) as error:
        archonnx.train(tmp_path / "p.arch", resume=tmp_path / "run", device="cpu", settings={"epochs": 2})
    assert code(error)[0] == "AX0632"


MISTAKES = {
    "fresh of a file": ('sklearn("digits")', 'fresh(sklearn("digits"))', "AX0705"),
    "fresh of nothing": ('sklearn("digits")', "fresh()", "AX0705"),
    "made of what is fresh": (
        'sklearn("digits")', "fresh(generate(tasks, n=3))", "AX0203",
    ),
    "a later source": ('    data digits = sklearn("digits")\n', "", "AX0201"),
    "an argument that is not a tensor": ("image: [m, 64]", "image: int", "AX0209"),
    "an argument of any rank": ("image: [m, 64]", "image: [...S]", "AX0209"),
    "an epoch of what feeds nothing": ("    epochs = 3\n", "    epoch_of = digits\n", "AX0702"),
    "batches of what feeds nothing": ("    epochs = 3\n", "    batches = {digits: 3}\n", "AX0702"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_said_before_data_is_read(name: str) -> None:
    old, new, expected = MISTAKES[name]
    with pytest.raises(SpecError) as error:
        elaborate(tasks(old, new))
    assert code(error)[0] == expected


def test_what_is_made_of_a_fresh_source_is_refused() -> None:
    text = TASKS.replace('sklearn("digits")', "fresh(generate(some, n=50))")
    text += "\nfn some(n: int) -> (data: [n, 64], target: i64[n]):\n    x: [n, 64] ~ normal()\n    return x, arange(n) % 10\n"
    with pytest.raises(SpecError) as error:
        elaborate(parse_spec(Source("p.arch", text)))
    assert code(error) == ("AX0705", "`digits` is drawn anew in each epoch, and what is made of it would not be")


DATA_MISTAKES = {
    "a field that is not there": ("digits.data", "digits.dat", "AX0206"),
    "integers for numbers": ("digits.data", "digits.index", "AX0608"),
    "another width": ('sklearn("digits")', 'sklearn("iris")', "AX0608"),
    "too few classes in a part": ("{train: 0.6, valid: 0.2,", "{train: 0.7, valid: 0.1,", "AX0631"),
    "what the fn asserts of sizes": ("    rows =", "    assert m > 5000\n    rows =", "AX0617"),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA_MISTAKES)
def test_mistakes_of_data_are_told(name: str) -> None:
    old, new, expected = DATA_MISTAKES[name]
    with pytest.raises(SpecError) as error:
        prepared(tasks(old, new))
    assert code(error)[0] == expected


def test_a_part_needs_examples_of_all_that_it_is_made_of(tmp_path: Path) -> None:
    """A column that says the parts is in one of two files; all of the other trains."""
    text = """\
fn both(a: [m], b: [k], n: int) -> (x: [n, 1]):
    return (a[0 * arange(n)] + b[0 * arange(n)])[:, none]

model One():
    input x: [B, 1]
    loss objective = mean(Dense(1)(x))

train:
    data parted = csv("parted.csv")
    data plain = csv("plain.csv")
    data = generate(both, parted.a, plain.b, n=9)
    split = {column: parted.part}
    minimize objective with adam()
"""
    (tmp_path / "parted.csv").write_text("a,part\n1.5,train\n2.5,test\n", encoding="utf-8")
    (tmp_path / "plain.csv").write_text("b\n1.5\n2.5\n", encoding="utf-8")
    model = elaborate(parse_spec(Source("p.arch", text)))
    (program,) = model.programs
    with pytest.raises(SpecError) as error:
        prepare(model, program, program.settings, tmp_path)
    assert code(error)[0] == "AX0606" and "`parted`, and none of `plain`" in code(error)[1]


def test_lengths_that_change_are_not_sorted() -> None:
    text = """\
fn some(n: int) -> (x: [n, 4], count: i64[n]):
    x: [n, 4] ~ normal()
    return x, arange(n) % 4

model One():
    input x: [B, T]
    input count: i64[B]
    loss objective = mean(sum(x, axis=1, keep=true) |> Dense(1)) + 0 * mean(float(count))

train:
    data = fresh(generate(some, n=50))
    buckets = {by: count, dim: T, at: [2]}
    minimize objective with adam()
"""
    with pytest.raises(SpecError) as error:
        prepared(parse_spec(Source("p.arch", text)))
    assert code(error)[0] == "AX0702" and "drawn anew" in code(error)[1]


def test_yaml_spells_both() -> None:
    written = to_yaml(tasks().file)
    assert "fresh: {generate: [tasks, digits.data, digits.target, n: 12]}" in written or "fresh:" in written
    assert parse_yaml(Source("pairs.yaml", written)) == tasks().file
