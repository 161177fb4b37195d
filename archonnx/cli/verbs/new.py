"""``archonnx new``: the start of a spec, which can be checked and trained as it stands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..telling import tell
from ..verb import Group, verb

LONGEST = 100
"""Characters of a name: files have names of about twice as many."""


class Kind(StrEnum):
    """What to start from."""

    mlp = "mlp"
    cnn = "cnn"
    blank = "blank"


@verb("new", Group.specs)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the spec; its file is NAME.arch or NAME.yaml.")],
    kind: Annotated[Kind, typer.Option("--kind", help="A perceptron, a convolutional net, or one layer.")] = Kind.mlp,
    yaml: Annotated[bool, typer.Option("--yaml", help="Write it in YAML.")] = False,
) -> None:
    """Start a spec: a commented file to change step by step.

    archonnx new digits --kind cnn
    archonnx check digits.arch
    archonnx train digits.arch
    """
    from archonnx.grammar.spec import shown_path
    from archonnx.grammar.text.words import is_name
    from archonnx.runtime.files import write_atomically

    path = Path(name)
    stem = path.name.removesuffix(".arch").removesuffix(".yaml")
    title = "".join(word[:1].upper() + word[1:] for word in stem.replace("-", "_").split("_"))
    if not is_name(title) or len(title) > LONGEST:
        what = f"`{shown_path(stem)}` gives no name for a model; use letters, digits and `_`"
        raise typer.BadParameter(what + f", {LONGEST} at most", param_hint="NAME")
    path = path.with_name(stem + (".yaml" if yaml else ".arch"))
    if path.exists():
        raise typer.BadParameter(f"`{path}` is there already", param_hint="NAME")
    write_atomically(path, template(kind, yaml=yaml).replace("TITLE", title).encode())
    tell(f"wrote {path}\nnext: archonnx check {path}, archonnx train {path}")


def template(kind: Kind, *, yaml: bool) -> str:
    """The text of a new spec, with TITLE for the name of its model."""
    if yaml:
        return _YAML.format(**_YAML_PARTS[kind])
    return _ARCH.format(**_ARCH_PARTS[kind])


_ARCH = '''# {what}
# Every line can be changed; `archonnx check` says what no longer fits.

model TITLE({arguments}):
    """{what}"""
    # What goes in, with its shape. B is the batch size, known only when the model runs.
    input image: {shape}
    target label: i64[B]

    # Layers are applied from left to right; `archonnx check` proves the shapes between them.
    logits = {layers}

    # What comes out, what is minimised, and what is measured.
    output probs: [B, 10] = softmax(logits)
    loss objective = cross_entropy(logits, label)
    metric accuracy = accuracy(logits, label)

train:
    # 1797 handwritten digits; another source is csv("table.csv").
    data = sklearn("digits")
    feed image = {feed}
    feed label = data.target
    split = {{train: 0.7, valid: 0.1, test: 0.2, seed: 0}}
    epochs = 20
    batch_size = 64
    minimize objective with adam(lr=1e-3)
    early_stopping = {{monitor: valid.objective, patience: 5}}
'''

_ARCH_PARTS = {
    Kind.mlp: {
        "what": "A multilayer perceptron for 8x8 grey digits.",
        "arguments": "width: int = 64, dropout: float = 0.2",
        "shape": "[B, 64]",
        "layers": "image |> Dense(width) |> relu |> Dropout(dropout) |> Dense(10)",
        "feed": "data.data / 16",
    },
    Kind.cnn: {
        "what": "A convolutional classifier for 8x8 grey digits.",
        "arguments": "width: int = 16, dropout: float = 0.2",
        "shape": "[B, 1, 8, 8]",
        "layers": """image
        |> Conv(width, kernel=3, padding=same)
        |> relu
        |> MaxPool(2)
        |> Conv(2 * width, kernel=3, padding=same)
        |> relu
        |> MaxPool(2)
        |> flatten
        |> Dropout(dropout)
        |> Dense(10)""",
        "feed": "reshape(data.data, [-1, 1, 8, 8]) / 16",
    },
    Kind.blank: {
        "what": "One layer, to start from.",
        "arguments": "",
        "shape": "[B, 64]",
        "layers": "image |> Dense(10)",
        "feed": "data.data / 16",
    },
}

_YAML = """# {what}
# Every line can be changed; `archonnx check` says what no longer fits.
model: TITLE
{arguments}doc: {what}

# What goes in, with its shape. B is the batch size, known only when the model runs.
inputs: {{image: "{shape}"}}
targets: {{label: "i64[B]"}}

# Each layer gets what the one above gives; `as` names a value. `archonnx check` proves the shapes between them.
layers:
{layers}

# What comes out, what is minimised, and what is measured. Values are expressions; quotes keep YAML from reading them.
outputs: {{probs: softmax(logits)}}
losses: {{objective: "cross_entropy(logits, label)"}}
metrics: {{accuracy: "accuracy(logits, label)"}}

train:
  # 1797 handwritten digits; another source is {{csv: table.csv}}.
  data: {{sklearn: digits}}
  feed: {{image: "{feed}", label: data.target}}
  split: {{train: 0.7, valid: 0.1, test: 0.2, seed: 0}}
  epochs: 20
  batch_size: 64
  steps:
    - {{minimize: objective, with: adam(lr=1e-3)}}
  early_stopping: {{monitor: valid.objective, patience: 5}}
"""

_YAML_PARTS = {
    Kind.mlp: _ARCH_PARTS[Kind.mlp]
    | {
        "arguments": "args: {width: 64, dropout: 0.2}\n",
        "layers": """\
  - Dense: width
  - relu
  - Dropout: dropout
  - {Dense: 10, as: logits}""",
    },
    Kind.cnn: _ARCH_PARTS[Kind.cnn]
    | {
        "arguments": "args: {width: 16, dropout: 0.2}\n",
        "layers": """\
  - Conv: {filters: width, kernel: 3, padding: same}
  - relu
  - MaxPool: 2
  - Conv: {filters: 2 * width, kernel: 3, padding: same}
  - relu
  - MaxPool: 2
  - flatten
  - Dropout: dropout
  - {Dense: 10, as: logits}""",
    },
    Kind.blank: _ARCH_PARTS[Kind.blank]
    | {
        "arguments": "",
        "layers": "  - {Dense: 10, as: logits}",
    },
}
