"""What was probably not meant is told, and what is meant is not."""

from __future__ import annotations

import pytest

from archonnx.compiler.lints.finding import codes, findings
from archonnx.compiler.lints.levels import Levels, check_codes
from archonnx.compiler.pipeline import elaborate, parse_spec
from archonnx.grammar.diagnostics import Diagnostic, SpecError
from archonnx.grammar.source import Source
from archonnx.grammar.spec import read_tree
from archonnx.grammar.yaml import to_yaml

HEAD = "model M():\n    input x: [B, 8]\n    target y: i64[B]\n    target t: [B, 1]\n"
USED = "    metric used = mean(t) + mean(float(y)) + mean(x)\n"
TRAIN = "\ntrain:\n    minimize l with sgd(0.1)\n"


def found(text: str, levels: Levels | None = None) -> list[Diagnostic]:
    return findings(elaborate(parse_spec(Source("self.arch", text))), levels or Levels())


def of_body(body: str, train: str = "") -> list[str]:
    """The codes of what is found in a model that reads all of its fields."""
    return [finding.code for finding in found(f"{HEAD}{USED}{body}{train}")]


TOLD = {
    "AX0801": (
        "    loss l = cross_entropy(softmax(x |> Dense(3)), y)\n",
        "    p = softmax(x |> Dense(3))\n    loss l = mean(cross_entropy(p, y, reduce=none))\n",
        "    loss l = cross_entropy(reshape(softmax(x |> Dense(3)), [B, 3]), y)\n",
        "    loss l = bce_logits(sigmoid(x |> Dense(1)), t)\n",
        "    loss l = bce(x |> Dense(1), t)\n",
        "    loss l = bce(x |> Dense(1, bias=false), t)\n",
        "    loss l = cross_entropy(x |> Dense(3), y)\n    metric m = cross_entropy(softmax(x |> Dense(3)), y)\n",
    ),
    "AX0802": (
        "    h = x |> Dense(4) |> relu\n    loss l = mse(x |> Dense(1), t)\n",
        "    param w: [3] = 1\n    loss l = mse(x |> Dense(1), t)\n",
        "    f = MLP([4, 4])\n    h = f(x)\n    loss l = mse(x |> Dense(1), t)\n",
    ),
    "AX0804": ("    output p = softmax(x, axis=0)\n", "    output p = log_softmax(x |> Dense(3), axis=0)\n"),
    "AX0805": (
        "    loss l = -mean(log_softmax(x |> Dense(3))[:, y])\n",
        "    loss l = -mean(log_softmax(x |> Dense(3))[y])\n",
    ),
    "AX0807": (
        "    loss l = mse(x |> Dense(8) |> Dense(1), t)\n",
        "    h = x |> Dense(16)\n    loss l = mse(h |> Dense(1, bias=false), t)\n",
    ),
}
TOLD_CASES = [(code, body) for code, bodies in TOLD.items() for body in bodies]
QUIET = {
    "logits": "    loss l = cross_entropy(x |> Dense(3), y)\n",
    "attention before logits": "    loss l = cross_entropy(softmax(x) @ transpose(ones([3, 8])), y)\n",
    "a softmax among the layers": "    loss l = cross_entropy(softmax(x |> Dense(4)) |> Dense(3), y)\n",
    "probabilities": "    loss l = bce(sigmoid(x |> Dense(1)), t)\n",
    "cut to probabilities": "    loss l = bce(clip(x |> Dense(1), 0, 1), t)\n",
    "over classes": "    output p = softmax(x, axis=1)\n",
    "own classes": "    loss l = nll(log_softmax(x |> Dense(3)), y)\n",
    "an embedding": "    loss l = mse(Embedding(3, 4)(y) |> relu |> Dense(1), t)\n",
    "a shuffle": "    output p = x[argsort(x[:, 0])]\n",
    "a function between": "    loss l = mse(x |> Dense(8) |> relu |> Dense(1), t)\n",
    "a bottleneck": "    loss l = mse(x |> Dense(2) |> Dense(8) |> relu |> Dense(1), t)\n",
    "a layer that is read twice": "    h = x |> Dense(8)\n    output p = h\n    loss l = mse(h |> Dense(1), t)\n",
    "normalised between": "    loss l = mse(x |> Dense(8) |> LayerNorm |> Dense(1), t)\n",
}


@pytest.mark.parametrize(("code", "body"), TOLD_CASES, ids=[f"{code}-{n}" for n, (code, _) in enumerate(TOLD_CASES)])
def test_it_is_told(code: str, body: str) -> None:
    assert set(of_body(body)) == {code}


@pytest.mark.parametrize("body", QUIET.values(), ids=QUIET.keys())
def test_what_is_meant_is_not_told(body: str) -> None:
    assert of_body(body) == []


def test_a_finding_stands_at_its_line_with_what_it_costs() -> None:
    (finding,) = found(f"{HEAD}{USED}    h = x |> Dense(4) |> relu\n")
    assert finding.span is not None and finding.span.text == "Dense(4)" and finding.severity == "warning"
    assert finding.headline == "nothing reads `dense`: 2 parameters with 36 numbers, of no use"


@pytest.mark.parametrize(
    ("body", "headline"),
    [
        ("    a = Dense(1)\n    output p = a(x)\n    loss l = mse(x |> Dense(1), t)\n",
         "no program trains `a`: 2 parameters with 9 numbers stay as they begin"),
        ("    a = Dense(4)\n    loss l = mse(floor(a(x)) |> Dense(1), t)\n",
         "no gradient reaches `a`, 2 parameters with 36 numbers: it ends at `floor`"),
        ("    a = Dense(4)\n    loss l = mse(stop_gradient(relu(a(x))) |> Dense(1), t)\n",
         "no gradient reaches `a`, 2 parameters with 36 numbers: it ends at `stop_gradient`"),
    ],
)  # fmt: skip
def test_what_stays_as_it_begins_is_told_with_the_reason(body: str, headline: str) -> None:
    assert [finding.headline for finding in found(f"{HEAD}{USED}{body}{TRAIN}")] == [headline]


@pytest.mark.parametrize(
    "body",
    [
        "    a = frozen(Dense(1))\n    output p = a(x)\n    loss l = mse(x |> Dense(1), t)\n",
        "    loss l = mse(x |> Dense(4) |> BatchNorm |> relu |> Dense(1), t)\n",
        "    hard = x |> Dense(4)\n    loss l = mse(straight_through(round(hard), hard) |> Dense(1), t)\n",
    ],
)
def test_what_is_to_stay_or_has_a_gradient_is_not_told(body: str) -> None:
    assert of_body(body, TRAIN) == []


def test_programs_that_change_something_are_not_told() -> None:
    assert of_body("    buffer n: [] = 0\n    update n = n + 1\n    loss l = mse(x |> Dense(1), t)\n", TRAIN) == []
    assert of_body("    loss l = mse(x |> Dense(1), t)\n", "\ntrain:\n    epochs = 2\n") == ["AX0808"]


def test_labels_are_asked_of_nobody_in_use() -> None:
    head = "model M():\n    input x: [B, 8]\n    input label: i64[B]\n"
    loss = "    z = x |> Dense(3)\n    loss l = cross_entropy(z, label)\n"
    assert [finding.code for finding in found(f"{head}{loss}    output p = softmax(z)\n")] == ["AX0806"]
    assert found(f"{head}{loss}") == []
    assert found(f"{head}{loss}    output p = softmax(z) * float(label)[:, none]\n") == []


# ---------------------------------------------------------------- levels

UNUSED = "model M():\n    input x: [B, 8]\n    input z: [B]{}\n    output p = x |> Dense(2)\n"


def told(text: str, levels: Levels | None = None) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in found(text, levels)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (UNUSED.format(""), [("AX0802", "warning")]),
        (UNUSED.format("  # allow AX0802"), []),
        (UNUSED.format("  # allow AX0802: another model of the family reads it"), []),
        (UNUSED.format("  # allow AX0802 since others read it"), []),
        (UNUSED.format("  # allow AX0801, AX0802"), []),
        (UNUSED.format("  # deny AX0802"), [("AX0802", "error")]),
        (UNUSED.format("  # allow AX0801"), [("AX0802", "warning")]),
        ("# allow AX0802\n\n" + UNUSED.format(""), []),
        ("# deny AX0802\n\n" + UNUSED.format("  # warn AX0802"), [("AX0802", "warning")]),
        (UNUSED.format("").replace("    input z", "    # allow AX0802\n    input z"), []),
        (UNUSED.format("").replace("    output", "    # allow AX0802\n    output"), [("AX0802", "warning")]),
        (UNUSED.format("  # allow AX0899"), [("AX0802", "warning"), ("AX0800", "warning")]),
        (UNUSED.format("  # allow it"), [("AX0802", "warning")]),
    ],
)
def test_comments_say_what_is_done(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (Levels(deny=("all",)), [("AX0802", "error")]),
        (Levels(deny=("AX0802",)), [("AX0802", "error")]),
        (Levels(allow=("all",)), []),
        (Levels(allow=("AX0802",), deny=("all",)), []),
        (Levels(deny=("AX0802",), allow=("all",)), [("AX0802", "error")]),
        (Levels(deny=("AX0801",)), [("AX0802", "warning")]),
    ],
)
def test_so_does_the_command_line(levels: Levels, expected: list[tuple[str, str]]) -> None:
    assert told(UNUSED.format(""), levels) == expected


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_lines_are_those_that_the_language_counts(end: str) -> None:
    """What Python takes for ends of lines, and a spec does not, moves no comment to another line."""
    text = UNUSED.format("  # allow AX0802").replace("model M():\n", f"# one{end}two{end}three\nmodel M():\n")
    assert told(text) == []
    assert told(f"{text}# {end} allow AX0802\n") == []


def test_a_comment_overrules_the_command_line() -> None:
    assert told(UNUSED.format("  # allow AX0802"), Levels(deny=("all",))) == []


def test_a_level_of_no_warning_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        check_codes(Levels(deny=("AX0301",)), codes())
    assert [finding.code for finding in caught.value.diagnostics] == ["AX0800"]


def test_a_spec_in_yaml_has_comments_too() -> None:
    text = to_yaml(read_tree(Source("self.arch", UNUSED.format(""))))
    (line,) = [line for line in text.splitlines() if "z" in line and "B" in line]

    def yaml(changed: str) -> list[Diagnostic]:
        return findings(elaborate(parse_spec(Source("self.yaml", text.replace(line, changed)))))

    assert [finding.code for finding in yaml(line)] == ["AX0802"]
    assert yaml(f"{line}  # allow AX0802") == []
