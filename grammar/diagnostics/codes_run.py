"""Codes 06xx: data, files and runs."""

from __future__ import annotations

from .catalogue import Code

CODES: tuple[Code, ...] = (
    Code(
        "AX0601",
        "no-such-file",
        "a file cannot be read",
        "A spec or a data file is not there, cannot be read, or lies outside the folder of the spec. Paths in a spec "
        "are relative to it and stay in its tree, so that a spec that was sent to you reads nothing else.",
        "Check the path, or copy the file beside the spec.",
        'train:\n    data = csv("../wine.csv")\n',
    ),
    Code(
        "AX0602",
        "data-set-not-bundled",
        "scikit-learn does not bundle this data set",
        "`sklearn(...)` reads only what scikit-learn carries with it. Its other data sets are downloads, and a spec "
        "never uses the network.",
        "Use one of digits, iris, wine, breast_cancer and diabetes, or save the data as .npz or .csv beside the spec.",
        'train:\n    data = sklearn("mnist")\n',
    ),
    Code(
        "AX0603",
        "malformed-table",
        "a CSV or Parquet file is not a clean table",
        "The first line of a CSV file names the columns, every other line has as many cells, and no cell is empty. A "
        "column holds numbers, or texts (which become numbered classes); a text among numbers is taken for a slip. "
        "Nothing is guessed or filled in.",
        "Correct the lines that are named. Rows with missing values can be dropped before the file is used.",
    ),
    Code(
        "AX0604",
        "malformed-data",
        "a data file does not hold what was asked of it",
        "The file is no .npz archive of plain arrays (pickled objects are never loaded), or a column is not in it.",
        "Write it with `numpy.savez(path, x=..., y=...)`, or name a column that is there.",
    ),
    Code(
        "AX0605",
        "fields-differ-in-length",
        "fields do not have one value for each example",
        "Axis 0 of every field counts the examples, so all fields have the same length.",
        "Look at how the file was written; leave out what is not one value for each example.",
    ),
    Code(
        "AX0606",
        "bad-split",
        "the examples cannot be shared out as asked",
        "There are fewer examples than the split asks for, a part with a positive share would be empty, or a class has "
        "too few examples to be in every part.",
        "Change the fractions or counts of `split`, or leave `stratify` out.",
        "train:\n    split = {train: 0.9, valid: 0.05, test: 0.05, stratify: label}\n",
    ),
    Code(
        "AX0607",
        "unknown-field",
        "a name that the model does not have, or one that is missing",
        "The arrays given to a model are named after its inputs and targets, and losses, graphs and entries go by the "
        "names of the spec.",
        "Use the names that the message lists.",
    ),
    Code(
        "AX0608",
        "array-does-not-fit",
        "an array does not have the type of its field",
        "Its rank, a size, or its dtype differs from what the model declares. Floats take floats of any precision; "
        "integers take integers that are in range; nothing else is converted silently.",
        "Reshape or convert the array as the message says.",
    ),
    Code(
        "AX0609",
        "unknown-parameter",
        "there is no parameter by this path",
        "A parameter's path is that of the module that owns it and its own name, as in `conv.0.W`.",
        "`list(trainer.parameters)` has all paths.",
    ),
    Code(
        "AX0610",
        "not-finite",
        "a loss or a parameter became infinite or no number",
        "Training stops at the first loss that is not finite: everything after it would be lost anyway. The step at "
        "fault is run once more with every result visible, and the place is shown at which a result is not finite "
        "although what it was made of is. That may be in a gradient: the square root of 0 is 0, and its derivative is "
        "not finite. Infinities that the spec itself writes, as in a mask, are not blamed.",
        "Follow the help. Where nothing is at a singular point and parameters have grown too large, lower the learning "
        "rate, or set `clip_norm = 1.0`; where numbers grow from layer to layer in the first steps, scale the data and "
        "the initial weights, or normalise between layers.",
        "model M():\n    input x: [B, 3]\n    loss l = mean(log(relu(x |> Dense(1))))\n",
    ),
    Code(
        "AX0611",
        "not-a-run",
        "this is not a whole run directory",
        "A run directory is written as a whole at the end of a training. This one is not there, is something else, or "
        "was damaged since.",
        "Give the directory that `archonnx train` named at its end, or train again.",
    ),
    Code(
        "AX0612",
        "runtime-failed",
        "onnxruntime could not load or run the model",
        "The graph is well formed, but onnxruntime failed on it: an index is out of range, memory is short, or the "
        "device lacks an operator. The place in the spec is shown where the failing node is known.",
        "Look at the data that reach the place shown; try `--device cpu`.",
    ),
    Code(
        "AX0613",
        "no-such-device",
        "the device that was asked for cannot be had",
        "No NVIDIA GPU is visible, or onnxruntime cannot use it: its package onnxruntime-gpu needs CUDA and cuDNN.",
        "Run on the CPU with `--device cpu`, or install the libraries: `pip install onnxruntime-gpu[cuda,cudnn]`.",
    ),
    Code(
        "AX0614",
        "run-exists",
        "the output directory is not empty",
        "A run never overwrites another one.",
        "Give another directory by `--out`, or none: the next free one of runs/NAME-N is taken.",
    ),
    Code(
        "AX0615",
        "no-train-program",
        "the spec does not say how to train",
        "Training needs a `train:` block with data and at least one `minimize` statement.",
        "Add what is missing.",
        'train:\n    data = sklearn("digits")\n    minimize objective with adam(lr=1e-3)\n',
    ),
    Code(
        "AX0616",
        "cannot-write",
        "an output cannot be written",
        "The folder is not there or not writable, the disk is full, or outputs differ in length and fit no one table.",
        "Choose another place; write arrays of different lengths as .npz.",
    ),
    Code(
        "AX0617",
        "assumption-broken",
        "a batch does not have the sizes that the spec asserts",
        "An `assert` that speaks of sizes known only when the model runs is assumed when it is compiled, and checked "
        "with every new form of batch. This one does not hold.",
        "Give arrays of other sizes (longer sequences, an even number of rows), as the message says.",
        'model M():\n    input x: [B, T]\n    assert T >= 2, "two frames are needed, not {T}"\n',
    ),
    Code(
        "AX0618",
        "cannot-resume",
        "a training cannot be continued from here",
        "A training is continued from `state.safetensors` in its directory. It is not there or is damaged, or the "
        "spec, its arguments or its programs are others than those that were trained.",
        "Give the spec and the arguments of that training, or start a new one.",
    ),
    Code(
        "AX0619",
        "package-missing",
        "an optional package is not installed",
        "Some of what archonnx does needs a package that most people can do without: searching needs Optuna, "
        "Parquet files pyarrow, and folders of images Pillow.",
        "Install it with the extra that the message names.",
    ),
    Code(
        "AX0620",
        "no-search",
        "there is nothing to search, or nothing was found",
        "A search needs a `search:` block in the spec, a train program, and at least one trial in which the training "
        "did not diverge.",
        "Add the block, or narrow its space to values with which the model can be trained.",
    ),
    Code(
        "AX0621",
        "bad-float-type",
        "a model cannot have this float type",
        "A model's float type, which a dtype left out stands for, is f32 or f64. In f16 and bf16 optimizers and losses "
        "leave the range or the precision of the type: Adam's eps, 1e-8, is 0 in f16. A spec may declare single "
        "tensors of them. A run keeps the float type in which it was trained.",
        "Leave `--dtype` out, or give f64.",
    ),
    Code(
        "AX0622",
        "gradient-disagrees",
        "a gradient is not the derivative of what is computed",
        "`archonnx gradcheck` compares gradients with central differences. Where they disagree, each op is checked by "
        "itself, and the first that is wrong is named: as a rule a fn whose `backward` states another derivative than "
        "its body has. A surrogate gradient (straight-through, reversed) disagrees by intention.",
        "Correct the `backward`: it maps the cotangent of each result to that of each float argument.",
        "fn cubed(x: [...S]) -> [...S]:\n    return x ** 3\nbackward(dy):\n    return dy * 2 * x ** 2\n",
    ),
)
