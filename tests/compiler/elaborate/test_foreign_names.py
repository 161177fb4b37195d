"""Names of other frameworks: what is suggested in their place exists, and no name of the library is in the table."""

from __future__ import annotations

import pytest

from archonnx.compiler.elaborate.builtin.calling import FUNCTIONS
from archonnx.compiler.elaborate.core.foreign import ADVICE, PAIRS, RELATIVES
from archonnx.compiler.elaborate.files.library import library
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import did_you_mean
from archonnx.grammar.foreign import called_here, section
from tests.support.elaborated import findings


def _parameters(declaration: ast.Stmt) -> set[str]:
    """The names of what a declaration takes in its first brackets."""
    listed = getattr(declaration, "hyperparameters", None) or getattr(declaration, "parameters", ())
    return {parameter.name for parameter in listed}


@pytest.fixture(scope="module")
def declared() -> dict[str, set[str]]:
    """The parameters of everything that the library declares."""
    return {name: _parameters(value.declaration) for name, value in library().declared.items()}


@pytest.fixture(scope="module")
def taken(declared: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same, with the functions that are written in Python."""
    return {name: {p.name for p in function.parameters} for name, function in FUNCTIONS.items()} | declared


@pytest.mark.parametrize("foreign", sorted(section("arguments")))
def test_each_suggested_parameter_belongs_to_something_that_lacks_the_foreign_name(
    foreign: str, taken: dict[str, set[str]]
) -> None:
    for ours in called_here(foreign, "arguments"):
        assert any(ours in names and foreign not in names for names in taken.values()), ours


def test_pairs_are_of_one_declaration(taken: dict[str, set[str]]) -> None:
    for foreign, pair in PAIRS.items():
        assert any(set(pair) <= names and foreign not in names for names in taken.values())


@pytest.mark.parametrize(("callee", "parameter"), sorted(RELATIVES))
def test_a_relative_has_what_the_callee_lacks(callee: str, parameter: str, declared: dict[str, set[str]]) -> None:
    assert parameter not in declared[callee]
    assert parameter in declared[RELATIVES[callee, parameter]]


def test_advice_is_for_what_blocks_lack(declared: dict[str, set[str]]) -> None:
    for layer in ("Dense", "Conv", "BatchNorm"):
        assert not ADVICE.keys() & declared[layer]


TRAIN = """model M():
    input x: [B, 4]
    loss l = mean(x |> Dense(1))

train:
    minimize l with {}
"""
LAYER = """model M():
    input x: [B, 4, 8, 8]
    output y = x |> {}
"""


SEQUENCE = """model M():
    input x: [B, 5, 8]
    output y = x |> {}
"""


@pytest.mark.parametrize(
    ("text", "help_text"),
    [
        (TRAIN.format("sgd(learning_rate=0.1)"), "did you mean `lr`?"),
        (TRAIN.format("adamw(epsilon=1e-6)"), "did you mean `eps`?"),
        (TRAIN.format("adam(momentum=0.8)"), "did you mean `beta1`?"),
        (TRAIN.format("rmsprop(alpha=0.8)"), "did you mean `rho`?"),
        (TRAIN.format("nadam(betas=[0.8, 0.99])"), "give them one by one: `beta1=0.8, beta2=0.99`"),
        (TRAIN.format("adam(weight_decay=1e-3)"), "`adamw` has it, as in `adamw(weight_decay=1e-3)`"),
        (TRAIN.format("RMSprop(0.1)"), "write `rmsprop(lr=0.1)`"),
        (TRAIN.format("Adam()"), "did you mean `adam`?"),
        (TRAIN.format("AdamW(0.1)"), "write `adamw(lr=0.1)`"),
        (TRAIN.format("SGD(0.1)"), "write `sgd(lr=0.1)`"),
        (TRAIN.format("sgd(lr=cosine_decay(0.1, T_max=10))"), "did you mean `total`?"),
        (LAYER.format("Conv(out_channels=8)"), "did you mean `filters`?"),
        (LAYER.format("MaxPool(kernel_size=2)"), "did you mean `window`?"),
        (LAYER.format("Conv(8, in_channels=4)"), "leave it out: the size of the input is known"),
        (
            LAYER.format("Dense(8, activation=elu(alpha=2))"),
            "write `Dense(8) |> elu(alpha=2)`",
        ),
        (LAYER.format("mean(dim=1)"), "did you mean `axis`?"),
        (SEQUENCE.format("MultiHeadAttention(num_heads=2)"), "did you mean `heads`?"),
        (SEQUENCE.format("MultiHeadAttention(2, is_causal=true)"), "did you mean `causal`?"),
        (SEQUENCE.format("TransformerEncoderLayer(2, dim_feedforward=9)"), "did you mean `hidden`?"),
        (SEQUENCE.format("TransformerEncoder(heads=2, num_layers=3)"), "did you mean `depth`?"),
        (SEQUENCE.format("TransformerEncoderLayer(2, d_model=8)"), "leave it out: the size of the input is known"),
        (
            SEQUENCE.format("TransformerEncoderLayer(2, norm_first=true)"),
            "`norm=pre` normalises before each part, `norm=post` after each sum",
        ),
    ],
)
def test_a_foreign_name_leads_to_ours(text: str, help_text: str) -> None:
    assert [found.help for found in findings(text)] == [help_text]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("activation", "dilation", False),
        ("epsilon", "eps", True),
        ("use_bias", "bias", True),
        ("mes", "mse", True),
        ("pading", "padding", True),
        ("ernel", "kernel", True),
    ],
)
def test_words_that_only_end_alike_are_not_suggested(word: str, known: str, meant: bool) -> None:
    assert (did_you_mean(word, [known]) is not None) is meant


def test_what_looks_the_same_is_told_by_its_characters() -> None:
    assert did_you_mean("Zu\u0308rich", ["Ulm", "Z\u00fcrich"]) == (
        "did you mean `Z\u00fcrich`? It looks the same, but U+0075 U+0308 in one is U+00FC in the other"
    )
    assert did_you_mean("Rom\u200be", ["Rome"]) == (
        "did you mean `Rome`? It looks the same, but U+200B in one is nothing in the other"
    )
    assert did_you_mean("rome", ["Rome"]) == "did you mean `Rome`?"
