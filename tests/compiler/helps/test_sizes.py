"""Sizes that are written elsewhere than where they do not meet, and Python's loops over the steps of a sequence."""

from __future__ import annotations

import pytest

from tests.support.elaborated import findings, program

HEAD = "model Net(n: int = 24):\n    input x: [B, T, 3]\n    input row: [B, 20]\n"


@pytest.mark.parametrize(
    ("body", "wrong", "right"),
    [
        ("code = row |> Dense(6)\n    output y: [B, 20] = code |> Dense(9) |> relu |> Dense(30)", "30", "20"),
        ("again: [B, 20] = row |> MLP([6, 20, 18])\n    output y = again", "18]", "20]"),
        ("h = row |> Dense(12) |> relu\n    g = h |> Dense(7)\n    output y = h + g", "Dense(7)", "Dense(12)"),
        (
            "scan s in x along 1, h = zeros([B, 16]):\n        h = tanh(Dense(n)(s) + Dense(n)(h))\n    output y = h",
            "zeros([B, 16])",
            "zeros([B, n])",
        ),
        ("param V: [20, 5] ~ normal(0, 1)\n    output y = (row @ V) @ ones([4, 2])", "ones([4, 2])", "ones([5, 2])"),
    ],
)
def test_the_number_that_is_to_change_is_found_where_it_is_written(body: str, wrong: str, right: str) -> None:
    text = f"{HEAD}    {body}\n"
    fix = findings(text)[0].fixes[0]
    assert fix.applied() == text.replace(wrong, right)
    program(fix.applied())


def test_what_is_read_from_the_data_keeps_its_size() -> None:
    found = findings(HEAD + "    target t: [B, 4]\n    h = row |> Dense(6)\n    loss l = mse(h, t)\n")[0]
    assert [fix.applied().count("Dense(4)") for fix in found.fixes] == [1]


def test_a_size_that_is_declared_as_a_number_is_that_number_and_a_named_one_stays_named() -> None:
    block = "block Maker(n: int = 20)(z: [B, k]) -> [B, 20]:\n    return z |> Dense(n) |> Dense(90)\n"
    found = findings(f"{block}model M():\n    input z: [B, 4]\n    output y = Maker()(z)\n")[0]
    assert "Dense(20)" in found.fixes[0].applied()
    named = findings(HEAD + "    output y: [B, n] = row |> reshape([-1, 4, 5])\n")[0]
    assert all("[B, 4, 5]" not in fix.text for fix in named.fixes)


def test_a_scan_over_the_examples_runs_along_the_steps() -> None:
    body = "    scan s in x along 0, h = zeros([B, 3]) -> all along 0:\n        h = tanh(s + h)\n        emit h\n"
    fix = findings(f"{HEAD}{body}    output y = all\n")[0].fixes[0]
    assert "along 0" not in fix.applied()


def test_a_loss_without_a_name_gets_the_one_that_is_asked_for() -> None:
    train = "train:\n    minimize fit with adam()\n"
    found = findings(f"{HEAD}    target t: [B, 1]\n    loss = mse(row |> Dense(1), t)\n    output y = row\n{train}")[0]
    assert "    loss fit = mse(" in found.fixes[0].applied()


LOOP = HEAD + "    cell = Dense(n)\n    back = Dense(n)\n    h = zeros([B, n])\n"
SCAN = HEAD + "    cell = Dense(n)\n    back = Dense(n)\n"


@pytest.mark.parametrize(
    ("loop", "scan"),
    [
        (
            "    for t in range(T):\n        h = tanh(cell(x[:, t, :]) + back(h))\n    output y = h\n",
            "    scan x_t in x along 1, h = zeros([B, n]):\n        h = tanh(cell(x_t) + back(h))\n    output y = h\n",
        ),
        (
            "    outs = []\n    for t in range(T):\n        h = tanh(cell(x[:, t]) + back(h))\n        outs.append(h)\n"
            "    output y = stack(outs, axis=1)\n",
            "    scan x_t in x along 1, h = zeros([B, n]) -> outs along 1:\n"
            "        h = tanh(cell(x_t) + back(h))\n        emit h\n    output y = outs\n",
        ),
        (
            "    for s in x:\n        h = tanh(cell(s) + back(h))\n    output y = h\n",
            "    scan s in x along 1, h = zeros([B, n]):\n        h = tanh(cell(s) + back(h))\n    output y = h\n",
        ),
        (
            "    for t in range(T):\n        h = h + cell(x[:, t]) / float(t + 1)\n    output y = h\n",
            "    scan x_t in x along 1, t in range(T), h = zeros([B, n]):\n        h = h + cell(x_t) / float(t + 1)\n"
            "    output y = h\n",
        ),
    ],
)
def test_a_loop_of_python_becomes_a_scan(loop: str, scan: str) -> None:
    found = findings(LOOP + loop)[0]
    assert found.code == "AX0309" and found.fixes[0].applied() == SCAN + scan
    program(SCAN + scan)


@pytest.mark.parametrize(
    "read", ["sum(outs)", "outs[-1]", "concat(outs, axis=1)", "stack(outs, axis=-1)", "stack(outs) + outs[0]"]
)
def test_a_list_that_is_read_otherwise_than_stacked_is_left_to_the_reader(read: str) -> None:
    loop = f"    outs = []\n    for t in range(T):\n        outs.append(cell(x[:, t]))\n    output y = {read}\n"
    found = findings(LOOP + loop)[0]
    assert found.code == "AX0309" and "scan" in str(found.help) and not found.fixes


def test_a_stack_is_what_the_steps_give_along_its_axis() -> None:
    loop = "    outs = []\n    for t in range(T):\n        outs.append(cell(x[:, t]))\n    output y = stack(outs)\n"
    scan = "    scan x_t in x along 1 -> outs along 0:\n        emit cell(x_t)\n    output y = outs\n"
    unused = "    h = zeros([B, n])\n"
    assert findings(LOOP + loop)[0].fixes[0].applied() == SCAN + unused + scan
