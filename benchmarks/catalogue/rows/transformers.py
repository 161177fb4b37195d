"""Transformers: published ones, with their numbers of parameters; what attention shows; small ones that learn."""

from __future__ import annotations

import math
from functools import cache, partial
from itertools import product
from statistics import fmean

import numpy as np

from archonnx.compiler.counting import count
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import elaborate, load
from archonnx.compiler.program import ModelProgram

from ...ngrams import ORDERS, bits_per_character, held_from
from ...topics_text import FOLDER, TEXT
from ..facts import Measured, Row
from ..training import each, final, mean, model_of, train, trainer_of

COUNTS = {
    "gpt2_small": 124_439_808,
    "bert_base": 109_482_240,
    "vit_b16": 86_567_656,
    "llama2_7b": 6_738_415_616,
}
"""Parameters of each; an embedding whose matrix gives the logits as well counts once."""
QUICK = ("gpt2_small",)
"""Those that the tests count."""
OTHERS = ("translation", "sentence_classifier", "mixture_of_experts", "char_gpt")
ROW = Row("3.6", "Transformers", "002 7.2; 003 10; 004 15", (*COUNTS, *OTHERS))


@cache
def elaborated(name: str) -> ModelProgram:
    """A network of the zoo."""
    return elaborate(load(name))


def _count(name: str, expected: int) -> Measured:
    found = elaborated(name).parameter_count
    return Measured(f"{found:,}", found == expected)


for name, number in COUNTS.items():
    ROW.fact(f"{name} has {number:,} parameters", slow=name not in QUICK)(partial(_count, name, number))


# ---------------------------------------------------------------- what attention shows

X = np.random.default_rng(0).normal(size=(1, 9, 8)).astype(np.float32)


@ROW.fact(
    "without positions, an encoder of a permuted sequence gives the permuted result: gap below 1e-5; with, it does not"
)
def permutation() -> Measured:
    """Two layers; sinusoidal positions, which take no parameters."""
    text = "model P():\n    input x: [B, T, 8]\n    net = TransformerEncoder(2, 2)\n    output y = net(x)\n"
    trainer = trainer_of(text + "    output placed = net(x + sinusoidal(T, 8))\n", batch_size=1)
    order = np.random.default_rng(1).permutation(9)
    plain, mixed = (trainer.predict({"x": x}) for x in (X, X[:, order]))
    gaps = [float(np.abs(np.subtract(mixed[name], plain[name][:, order])).max()) for name in ("y", "placed")]
    return Measured(f"{gaps[0]:.0e}, with positions {gaps[1]:.1f}", gaps[0] < 1e-5 and gaps[1] > 0.1)


@ROW.fact("the gradients of a causal decoder by its inputs are 0 exactly where they come later: 36 of 81 places")
def causal() -> Measured:
    """Of each place of the result by each place of the sequence."""
    slopes = "stack([grad(sum(sin(y[0, i])), x)[0] for i in range(9)])"
    text = "model C():\n    input x: [1, 9, 8]\n    y = x |> TransformerEncoder(2, 2, causal=true)\n"
    found = np.abs(trainer_of(f"{text}    output s = {slopes}\n", batch_size=1).predict({"x": X})["s"]).sum(-1)
    zero = found == 0
    return Measured(f"{int(zero.sum())} of {zero.size}", bool((zero == np.triu(np.ones((9, 9)), 1)).all()))


@ROW.fact(
    "multiplications grow as the square of the length: a layer of width d has 12 d^2 for each place and 2 d T^2 among "
    "all, up to 5% for norms and softmax; d = 64"
)
def cost() -> Measured:
    """By what `archonnx show` counts."""
    program = model_of("model N():\n    input x: [1, T, 64]\n    output y = x |> TransformerEncoderLayer(4)\n")
    made = count(program).total.multiplications
    one, two, three = (made.evaluate({"T": t}) for t in (1000, 2000, 3000))
    square = (three - 2 * two + one) / (2 * 1000**2)
    linear = (two - one) / 1000 - 3000 * square
    holds = 1 <= square / (2 * 64) < 1.05 and 1 <= linear / (12 * 64**2) < 1.05
    return Measured(f"{linear:,.0f} T + {square:.0f} T^2", holds)


# ---------------------------------------------------------------- longer than in training

LENGTH = 16
"""Of the sequences of training; those of the test are twice as long."""
ENCODER = "TransformerEncoder(1, 8, causal=true, norm=pre"
PLACED = {
    "GRU": "GRU(32)(x).hs",
    "rotary": f"{ENCODER}, rotate=rotary)(x)",
    "ALiBi": f"{ENCODER})(x, added=alibi(8, T, T))",
    "sinusoidal": f"{ENCODER})(x + sinusoidal(T, 32))",
    "learned": f"x |> LearnedPositions({2 * LENGTH}) |> {ENCODER})",
}
"""A recurrent net, and a layer of a Transformer with each kind of positions."""


def _symbols(rng: np.random.Generator, n: int, length: int) -> dict[str, Array]:
    """Symbols from 1 to 8, and which one stands before each; 0 before the first."""
    s = rng.integers(1, 9, (n, length))
    return {"s": s, "before": np.pad(s[:, :-1], [(0, 0), (1, 0)])}


def _recalls(net: str, steps: int = 500) -> tuple[float, float]:
    """How often the symbol before is found, at the places of training and at those beyond."""
    inputs = "    input s: i64[B, T]\n    target before: i64[B, T]\n    x = Embedding(9, 32)(s)\n"
    body = f"    logits = {net} |> Dense(9)\n    output guess = argmax(logits)\n"
    end = "    loss l = cross_entropy(logits, before)\ntrain:\n    minimize l with adam(lr=3e-3)\n"
    trainer = trainer_of(f"model Before():\n{inputs}{body}{end}", batch_size=64)
    rng, held = np.random.default_rng(0), _symbols(np.random.default_rng(9), 200, 2 * LENGTH)
    for _ in range(steps):
        trainer.step(_symbols(rng, 64, LENGTH))
    right = trainer.predict({"s": held["s"]})["guess"] == held["before"]
    return float(right[:, :LENGTH].mean()), float(right[:, LENGTH:].mean())


@ROW.fact(
    f"the symbol before each, learned at {LENGTH} places and asked for at {2 * LENGTH}: at the new places a GRU, "
    "rotary positions and ALiBi find it in 0.9 of all cases, sinusoidal and learned ones in less than 0.3, where "
    "guessing has 0.125; at the old ones all in 0.9",
    slow=True,
)
def longer() -> Measured:
    """One layer of width 32 each; old places and new ones."""
    found = {name: _recalls(net) for name, net in PLACED.items()}
    known = min(old for old, _ in found.values()) > 0.9
    grows = min(found[name][1] for name in ("GRU", "rotary", "ALiBi")) > 0.9
    stays = max(found[name][1] for name in ("sinusoidal", "learned")) < 0.3
    shown = "; ".join(f"{name} {old:.3f}, {new:.3f}" for name, (old, new) in found.items())
    return Measured(shown, known and grows and stays)


# ---------------------------------------------------------------- what small ones learn

SMALL = {"d": 32, "depth": 2, "heads": 2, "dropout": 0.0}
"""Arguments that make GPT-2 and BERT small."""


@ROW.fact(
    "a GPT-2 of two layers of width 32 learns to copy: on sequences whose second half repeats the first it is within "
    "0.02 of the entropy, 7 of 15 symbols drawn from 16",
    slow=True,
)
def copies() -> Measured:
    """Cross-entropy held out, in nats for each symbol, beside what cannot be known."""
    loss = final("gpt2_small", "valid", "objective", vocabulary=16, context=16, **SMALL)
    entropy = 7 / 15 * math.log(16)
    return Measured(f"{loss:.4f} beside {entropy:.4f}", entropy - 0.01 < loss < entropy + 0.02)


@ROW.fact(
    "a BERT of two layers of width 32 learns what stands in hidden places of sequences that count upwards: its loss "
    "falls below a tenth of that of guessing",
    slow=True,
)
def fills_in() -> Measured:
    """Cross-entropy of the hidden tokens held out."""
    loss = final("bert_base", "valid", "objective", vocabulary=32, context=12, **SMALL)
    return Measured(f"{loss:.3f} beside {math.log(32):.3f}", loss < math.log(32) / 10)


@ROW.fact(
    "a Llama of two layers of width 32, with queries in two groups, learns to count in steps that the sequence shows: "
    "its last number is right in 0.99 of held-out sequences",
    slow=True,
)
def counts_on() -> Measured:
    """Accuracy of the number after the sixteenth."""
    arguments = {"vocabulary": 100, "d": 32, "depth": 2, "heads": 4, "kv_heads": 2, "hidden": 64}
    right = final("llama2_7b", "test", "last", **arguments)
    return Measured(f"{right:.4f}", right >= 0.99)


def every_sentence() -> tuple[Array, Array]:
    """All sentences of `translation` and what they are in the other language, by its rules, written once more."""
    english: list[list[int]] = []
    foreign: list[list[int]] = []
    for first, subject, verb, second, object_ in product(
        (0, *range(11, 17)), range(3, 11), range(17, 23), (0, *range(11, 17)), range(3, 11)
    ):
        sentence = [word for word in (first, subject, verb, second, object_) if word]
        phrases = [[noun, adjective + 6 * (noun % 2)] if adjective else [noun]
                   for noun, adjective in ((subject, first), (object_, second))]  # fmt: skip
        translated = [*phrases[0], *phrases[1], verb + 6]
        for all_of, words in ((english, sentence), (foreign, translated)):
            all_of.append([*words, 2, *[0] * (5 - len(words))])
    return np.array(english), np.array(foreign)


@ROW.fact(
    "an encoder and decoder that was trained on 4,000 of 18,816 sentences translates all of them word for word, by "
    "greedy decoding inside the ONNX graph: exact in 0.99 of them or more, mean of three seeds",
    slow=True,
)
def translates() -> Measured:
    """It begins with the start token alone, and says nothing after an end token."""
    english, foreign = every_sentence()
    exact = []
    for seed in range(3):
        trainer = train("translation", seed=seed)[-1].trainer
        said = trainer.predict({"english": english})["translated"]
        exact.append(float((said == foreign).all(axis=1).mean()))
    return Measured(", ".join(f"{value:.4f}" for value in exact), fmean(exact) >= 0.99)


def bag_at_best() -> float:
    """Of sentences of the classifier: how often the best guess from how many opinions are good and how many `not` there
    are is right, which is all that a bag of words says of them."""
    found: dict[tuple[int, int], list[bool]] = {}
    for good in product((0, 1), repeat=3):
        for turned in product((0, 1), repeat=3):
            label = sum(a != b for a, b in zip(good, turned, strict=True)) >= 2
            found.setdefault((sum(good), sum(turned)), []).append(label)
    return sum(max(sum(labels), len(labels) - sum(labels)) for labels in found.values()) / 64


@ROW.fact(
    "a classifier of sentences with negation beats the best that any bag of words could do, 0.8125, and a net over a "
    "bag of words; each of three seeds, held out",
    slow=True,
)
def classifies() -> Measured:
    """Test accuracy of both."""
    ours, bag = (
        each("sentence_classifier", "test", "accuracy"),
        mean("sentence_classifier", "test", "accuracy", bag=True),
    )
    shown = ", ".join(f"{value:.3f}" for value in ours)
    return Measured(f"{shown}; bag {bag:.3f}, at best {bag_at_best()}", min(ours) > bag_at_best() > bag)


@ROW.fact("a small vision transformer reads digits, 0.95 on a stratified 20% test, mean of three seeds", slow=True)
def sees() -> Measured:
    """Of three layers of width 48 over 16 patches, without augmentation."""
    small = {"size": 16, "patch": 4, "d": 48, "depth": 3, "heads": 4, "classes": 10, "init": "glorot_uniform"}
    found = each("vit_b16", "test", "accuracy", **small)
    return Measured(", ".join(f"{value:.3f}" for value in found), fmean(found) >= 0.95)


@ROW.fact(
    "a mixture of 8 experts, of which each place takes one, has less than half the error of one expert of that size; "
    "the balance in its loss keeps them in even use (1 is even, 8 is one alone)",
    slow=True,
)
def mixture() -> Measured:
    """Mean squared errors held out, and the balance with and without its part of the loss."""
    many = train("mixture_of_experts")[-1].metrics["test"]
    alone = final("mixture_of_experts", "test", "error", experts=1)
    careless = final("mixture_of_experts", "test", "balance", balance_weight=0.0)
    shown = f"{many['error']:.3f} beside {alone:.3f}; balance {many['balance']:.2f}, without {careless:.2f}"
    return Measured(shown, many["error"] < alone / 2 and many["balance"] < 1.05 < careless)


@ROW.fact(
    "a causal model of characters needs fewer bits for each of the last tenth of a text than the best n-gram of order "
    "1 to 6 with Witten-Bell smoothing",
    slow=True,
)
def characters() -> Measured:
    """The zoo's `char_gpt`, over windows whose first characters have little before them; the n-grams over all of it."""
    text = (FOLDER / TEXT).read_text("utf-8")
    cut = held_from(len(text))
    best = min(bits_per_character(text[:cut], text[cut:], order) for order in ORDERS)
    found = final("char_gpt", "test", "bits")
    return Measured(f"{found:.4f} beside {best:.4f} bits", found < best)
