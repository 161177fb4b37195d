"""Codes 05xx: ONNX, export and import."""

from __future__ import annotations

from .catalogue import Code

CODES: tuple[Code, ...] = (
    Code(
        "AX0501",
        "unknown-graph",
        "the model has no graph by this name",
        "A model exports its outputs (`infer`), each entry by its name, and, with the parameters as inputs, "
        "`evaluate`, `gradients` and `train_step` (numbered where a program has several statements that train).",
        "Use one of the names listed.",
    ),
    Code(
        "AX0502",
        "opset-not-supported",
        "the model cannot be written in this opset",
        "Opsets 18 to 26 can be written; a few operators came in later than 18. With `--opset` left out it is 21, for "
        "which onnxruntime has kernels on the CPU and on CUDA alike; from 22 on, CUDA lacks some.",
        "Leave `--opset` out, or give one that the message names. Where the reader of the model is older than opset "
        "18, convert the exported file with onnx's version converter.",
        "model M():\n    input x: [B]\n    output y = gelu(x)\n",
    ),
    Code(
        "AX0503",
        "no-kernel",
        "onnxruntime has no kernel for this operator and dtype on the CPU",
        "Convolution, average pooling, `erf`, `gelu`, `softplus` and some trigonometric functions exist for f32 alone "
        "there (f16 is computed in f32). A session would fail without saying where. `archonnx export` writes such a "
        "model all the same, with a warning: a GPU may have the kernel.",
        "Declare the inputs as f32, convert with `f32(...)` before the operation, or run on a GPU.",
        "model M():\n    input x: f64[B]\n    output y = gelu(x)\n",
    ),
    Code(
        "AX0504",
        "bf16-on-cpu",
        "bf16 cannot be computed with on the CPU",
        "onnxruntime's CPU provider has kernels of bf16 for copying and reshaping, and hardly one for arithmetic.",
        "Declare f32, or run on a GPU: `--device cuda`.",
        "model M():\n    input x: bf16[B]\n    output y = 2 * x\n",
    ),
    Code(
        "AX0505",
        "not-an-onnx-name",
        "the name of an exported file does not end in .onnx",
        "Tools tell a model by that ending, and weights that are too large for one file are written beside it, as "
        "`NAME.onnx.data`.",
        "Name it `NAME.onnx`.",
    ),
    Code(
        "AX0506",
        "batch-size-does-nothing",
        "a batch size is given where none can be fixed",
        "`--batch-size` fixes the number of examples in `train_step`. The other graphs take any number; and where no "
        "axis of the inputs is symbolic, the size is in the spec.",
        "Leave it out, or export `--graph train_step`.",
    ),
    Code(
        "AX0507",
        "not-onnx",
        "the model of a run is no ONNX file",
        "`model.onnx` or a file of `entries/` was damaged, or replaced by something else.",
        "Write it again from the weights: `archonnx export RUN -o RUN/model.onnx`.",
    ),
    Code(
        "AX0508",
        "not-our-model",
        "the model of a run was not written by archonnx",
        "Predictions rely on what an exported model says of itself: what it assumes of its inputs, and which of them "
        "is a seed. Another ONNX file in its place says nothing of the kind.",
        "Write it again from the weights: `archonnx export RUN -o RUN/model.onnx`. Other models run with onnxruntime "
        "itself.",
    ),
    Code(
        "AX0509",
        "weights-missing",
        "the weights beside a model are not there",
        "A model of more than 1.6 GB is two files: `NAME.onnx`, and the weights in `NAME.onnx.data`, which lies in the "
        "same folder under that name.",
        "Copy or move the two together.",
    ),
    Code(
        "AX0510",
        "unknown-target",
        "there is no such target",
        "`portable` keeps to the operators of ai.onnx, which every runtime reads; `ort` may use onnxruntime's own.",
        "Give one of the two.",
    ),
    Code(
        "AX0511",
        "nothing-to-export",
        "the model has no outputs",
        "`infer` is what a model computes when it is used: its `output` statements. This one has losses or metrics "
        "alone.",
        "Add `output NAME = ...`, or export another graph: `--graph evaluate`.",
        "model M():\n    input x: [B, 3]\n    loss l = mean(x |> Dense(1))\n",
    ),
    Code(
        "AX0512",
        "sizes-cannot-be-counted",
        "a size that was given for counting does not fit",
        "`archonnx show` counts operations as formulas in the dims that are open, and `--dims` gives sizes to some of "
        "them. The name is no open dim of this graph, the size is no positive integer or too small for some layer, or "
        "the formulas grow too long without a size.",
        "Give the sizes that the message names, as in `--dims B=1,T=100`.",
    ),
)
