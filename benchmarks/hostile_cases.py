"""Specs that ask for too much, and files that are none, made by a seed: each number gives the same case everywhere.

What this module does not do: run them (``hostile`` does).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

MAIN = "main.arch"
Make = Callable[[Random], "str | Case"]


@dataclass(frozen=True)
class Case:
    """A text, the name of the file that holds it, and what else is put into its folder."""

    text: str | bytes
    name: str = MAIN
    beside: Callable[[Path], None] | None = None
    given: str | None = None
    """What the command is given in place of the name of the file."""


def make_case(number: int, seed: int = 12) -> tuple[str, Case]:
    """The kind and the case of a number."""
    random = Random(f"{seed}/{number}")
    kinds = list(KINDS)
    kind = kinds[number % len(kinds)]
    made = KINDS[kind](random)
    return kind, made if isinstance(made, Case) else Case(made)


def _model(lines: list[str], inputs: str = "x: [B, T]", after: str = "") -> str:
    return "\n".join(["model M():", *(f"    {line}" for line in [f"input {inputs}", *lines, "output o = x"]), after])


def _many(random: Random) -> int:
    return int(10 ** random.uniform(0.5, 5))


def _loop(random: Random, statement: str) -> list[str]:
    return [f"for i in range({_many(random)}):", *(f"    {line}" for line in statement.split("\n"))]


# ---------------------------------------------------------------- sizes


def _size(random: Random, depth: int) -> str:
    if depth == 0:
        return random.choice(["d", "e", "B", "T", "i", str(random.randrange(1, 9)), str(2 ** random.randrange(62))])
    left, right = _size(random, depth - 1), _size(random, random.randrange(depth))
    op = random.choice(["+", "-", "*", "//", "%", "min", "max", "**"])
    if op == "**":
        return f"({left}) ** {random.randrange(17)}"
    return f"{op}({left}, {right})" if len(op) == 3 else f"({left} {op} {right})"


def _sizes(random: Random) -> str:
    facts = [f"assert {_size(random, 1)} {random.choice(['<=', '>=', '=='])} {_size(random, 1)}"] * random.randrange(2)
    facts += [f"assert B * {k} >= T + {k * random.randrange(9)}" for k in range(random.randrange(150))]
    facts = [fact.replace("i", "3") if "min" not in fact else "assert B >= 1" for fact in facts]
    body = _loop(random, f"d = {_size(random, random.randrange(1, 4))}\ne = {_size(random, 2)}")
    last = random.choice(
        ["y = zeros([d])", "y = reshape(x, [d, -1])", "y = x[:, d:]", "assert d == e", "y = x[d:, :e]"]
    )
    return _model(["d = B", "e = T", *facts, *body, last])


# ---------------------------------------------------------------- static values


def _statics(random: Random) -> str:
    made = [
        "a = [a, a]", "a = {one: a, two: a}", "a = zip(a, a)", "a = enumerate(a)", "a = a + a", "a = a * 2",
        "a = [[j] for j in a]", "a = reversed(a)", "b = a == c", "b = a[1:]", "b = i in a", "c = a + []",
        "c = [k for k in range(900)]", "a = a[:100] + [a]", "b = tensor(a)", "x = x + sum(tensor(a))",
        "x = x + sum(linspace(0, 1, 900000))", "b = sum(a)", "b = len(a)", "assert a != 1, \"{a}{a}{a}\"",
    ]  # fmt: skip
    body = _loop(random, "\n".join(random.choices(made, k=random.randrange(1, 4))))
    first = random.choice(["a = [1, 2]", "a = [0] * 600000", "a = {k: [1]}", "a = [B, T]", "a = range(90000)"])
    return _model([first, "c = a", *body, 'assert a == c, "{a} {c}"'])


# ---------------------------------------------------------------- graphs


def _graphs(random: Random) -> str:
    steps = [
        "x = x |> Dense(4)", "x = x + 1", "x = MLP([4, 4])(x)", "y = sum(grad(y, x))", "y = sum(grad(y, x) ** 2)",
        "x = x |> LSTM(4)", "x = concat([x, x], axis=1)", "x = x[..., none]", "a = split(x, 1000000, axis=0)",
        "x = reshape(x, [1] * 30 + [-1, 4])", "y = y + det(eye(200))", "x = x @ inverse(eye(90))",
        "x = stack([x, x])", "x = x |> Dropout(0.5)", "x = where(x > i, x, -x)",
        "y = sum(einsum(\"a b, c b -> a c\", x, x))", "y = mean(Attention(2)(x))",
    ]  # fmt: skip
    body = _loop(random, "\n".join(random.choices(steps, k=random.randrange(1, 4))))
    if random.random() < 0.3:
        body = [f"scan h in x along 0, s = zeros([{random.randrange(1, 9)}]):", *(f"    {line}" for line in body)]
    return _model(["y = sum(tanh(x))", *body, "loss l = mean(x) + y"], "x: [B, 4]", _program(random))


def _program(random: Random) -> str:
    chosen = random.choice(["adam(lr=0.1)", "sgd(lr=0.1 * (k + 1))", "lbfgs", "muon"])
    statement = f"minimize l with {chosen}"
    outer = random.choice([f"for k in range({_many(random)}):", "for k in range(3):", "repeat 3:"])
    head = ["train:", '    data = sklearn("iris")', "    feed x = data.data", f"    {outer}", f"        {statement}"]
    several = [f"train p{n}:\n    minimize l with adam" for n in range(_many(random) // 50)]
    return "\n".join(head if random.random() < 0.7 else several)


def _programs(random: Random) -> str:
    layers = f"for i in range({random.randrange(1, 200)}):\n    x = x |> Dense(4) |> tanh".split("\n")
    entries = [f"entry e{n}(z: [R, 4]) -> [R, 4]:\n        return z + {n}" for n in range(_many(random) // 100)]
    return _model([*layers, "loss l = mean(x)", *entries], "x: [B, 4]", _program(random))


# ---------------------------------------------------------------- text


def _texts(random: Random) -> Case:
    n = _many(random)
    made: list[str | bytes] = [
        _model(["y = " + "(" * n + "x" + ")" * n]),
        _model(["y = " + "-" * n + "x"]),
        _model(["y = " + " + ".join(["x"] * n)]),
        _model(["y = x" + " |> relu" * n]),
        _model([f"y{k} = soft_maxx{k}(x)" for k in range(n // 10)]),
        _model([f"y{k} = x @ [{k}]" for k in range(n // 10)]),
        _model([f"param p{k}: [{k % 7}] = 0" for k in range(n // 10)]),
        _model([f"output y{k} = x" for k in range(n // 10)]),
        _model(['y = "' + "\\q" * n + '"']),
        _model(['y = "' + "\\u12" * n + '"']),
        _model([f"y = {'9' * n}", f"z = 1e{'9' * min(n, 400)}"]),
        _model(["y = f(" + ", ".join(f"a{k}=1" for k in range(n)) + ")"]),
        _model(["y = [" + ", ".join("1" for _ in range(n)) + "]"]),
        "".join(f"{' ' * k}if true:\n" for k in range(n // 50)),
        "\n".join(f"fn f{k}(x):\n    return f{k + 1}(x)" for k in range(n // 20)) + "\n" + _model(["y = f0(x)"]),
        "\n".join(f"block A{k}():\n    input x: [n]" for k in range(n // 20)),
        "x" * n * 10,
        "\n" * n * 10,
        ("#" + "\u202e" * (n % 3) + "\u0430" * n),
        "model M():\n\tinput x: [B]\n \toutput y = x\n" * (n // 10),
        "\0" * n,
        random.randbytes(n),
        "\ufeff" * 3 + _model(["y = x"]),
        _model([f"\u0430{k} = {k}" for k in range(n // 20)]),
    ]
    text = random.choice(made)
    if isinstance(text, str) and random.random() < 0.3 and text:
        at = random.randrange(len(text))
        text = text[:at] + random.choice("\0\u2028\ud7ff\U0010ffff'\"([{}])\\\t\r") + text[at:]
    return Case(text)


# ---------------------------------------------------------------- YAML


def _yaml(random: Random) -> Case:
    n = _many(random)
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{k + 1}: &a{k + 1} [*a{k}, *a{k}]\n" for k in range(min(n, 60)))
    made = [
        bomb + "model: M\n",
        "model: M\nlayers: " + "[" * n + "]" * n,
        "model: M\nlayers: " + "{a: " * n + "1" + "}" * n,
        "model: M\ninputs: {x: '[B, 4]'}\nlayers: [" + ", ".join(["relu"] * n) + "]\noutputs: {y: x}\n",
        "model: M\ninputs:\n" + "".join(f"  x{k}: '[B]'\n" for k in range(n // 5)) + "outputs: {y: x0}\n",
        "model: M\nbody: |\n" + "".join(f"  y{k} = x @ [1]\n" for k in range(n // 10)),
        "model: !!python/object/apply:os.system ['true']\n",
        "model: M\n? " + "[" * min(n, 500) + "]" * min(n, 500) + "\n: 1\n",
        "model: &m {<<: *m}\n",
        "model: M\ndoc: " + "x" * n * 5,
        "- " * n,
        "%TAG ! tag:a:\n---\n" * n,
        "model: M\n" + "".join(f"key{k}: 1\n" for k in range(n // 5)),
        "model: M\n" + "model: M\n" * (n // 5),
        "model: M\ninputs: {x: '[" + "(" * n + "B]'}\n",
        'model: "' + "\\x" * n + '"',
    ]
    return Case(random.choice(made), "main.yaml")


# ---------------------------------------------------------------- files


def _files(random: Random) -> Case:
    def odd(path: Path) -> None:
        kind = random.choice(["pipe", "circle", "folder", "large", "device", "chain", "ring", "binary"])
        target = path / "odd.arch"
        match kind:
            case "pipe":
                os.mkfifo(target)
            case "circle":
                target.symlink_to("odd.arch")
            case "folder":
                target.mkdir()
            case "large":
                with target.open("wb") as file:
                    file.truncate(2**33)
            case "device":
                target.symlink_to("/dev/zero")
            case "binary":
                target.write_bytes(random.randbytes(10_000))
            case _:
                for k in range(150):
                    after = "odd" if kind == "ring" and k == 149 else f"odd{k}"
                    name = "odd" if k == 0 else f"odd{k - 1}"
                    (path / f"{name}.arch").write_text(f'from "{after}.arch" import f\nfn g(x):\n    return x\n')

    name = random.choice(["odd", "odd", "odd", "x" * 5000, "a\\u0000", "../" * 900 + "odd", "/etc/passwd", "a/" * 2000])
    text = f'from "{name}.arch" import f\n{_model(["y = x"])}'
    given = random.choice([None, None, "odd.arch", "y" * 5000, "y" * 300 + ".arch", ".", "/dev/zero", "", "a\nb.arch"])
    return Case(text, beside=odd, given=given)


KINDS: dict[str, Make] = {
    "sizes": _sizes,
    "static values": _statics,
    "graphs": _graphs,
    "programs": _programs,
    "text": _texts,
    "YAML": _yaml,
    "files": _files,
}
