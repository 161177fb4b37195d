"""The mistakes of docs/errors.md: the same one as a spec of ours, and in the words of three peers.

Each snippet is what a person would write, after the imports in ``PRELUDES``. What this module does not do: run any.
"""

from __future__ import annotations

from .mistake import Mistake
from .mistakes_asked import ASKED

PEERS = {"torch": "PyTorch", "keras": "Keras", "onnx": "ONNX"}
PRELUDES = {
    "torch": """\
import torch
import torch.nn.functional as F
from torch import nn
""",
    "keras": """\
import keras
import numpy as np
from keras import layers, ops
""",
    "onnx": """\
import numpy as np
import onnx
import onnxruntime

def check(text, **arrays):
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["": 21]> ' + text)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for array in session.run(None, arrays):
        print("a result of shape", array.shape)
""",
}


MISTAKES = (
    Mistake(
        "A wrong inner dimension",
        "A hidden layer of 128 meets a matrix for 64.",
        """\
model Net():
    input image: [B, 28, 28]
    h = image |> flatten |> Dense(128) |> relu
    param W: [64, 10] ~ glorot_uniform()
    output logits = h @ W
""",
        {
            "torch": """\
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(64, 10))
net(torch.zeros(32, 28, 28))
""",
            "keras": """\
image = keras.Input((28, 28))
h = layers.Dense(128, activation="relu")(layers.Flatten()(image))
logits = ops.matmul(h, keras.random.normal((64, 10)))
""",
            "onnx": """\
check('''net (float[B, 784] x, float[784, 128] V, float[64, 10] W) => (float[B, 10] y) {
    h = MatMul(x, V)
    y = MatMul(h, W)
}''')
""",
        },
    ),
    Mistake(
        "Labels of a wrong dtype",
        "Cross entropy takes the number of a class; the labels are floats.",
        """\
model Net():
    input  x: [B, 64]
    target label: [B]
    logits = x |> Dense(10)
    loss objective = cross_entropy(logits, label)
""",
        {
            "torch": """\
logits = nn.Linear(64, 10)(torch.zeros(32, 64))
F.cross_entropy(logits, torch.zeros(32))
""",
            "keras": """\
net = keras.Sequential([layers.Dense(10)])
net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
loss = net.evaluate(np.zeros((32, 64)), np.full(32, 0.5), verbose=0)
print("a loss of", loss)
""",
            "onnx": """\
check('''net (float[B, 10] logits, float[B] label) => (float loss) {
    loss = SoftmaxCrossEntropyLoss(logits, label)
}''')
""",
        },
    ),
    Mistake(
        "A forgotten flatten",
        "The features of a convolution go to a dense layer, and the logits keep the axes of the image.",
        """\
model Net():
    input  image: [B, 1, 28, 28]
    target label: i64[B]
    logits = image |> Conv(8, kernel=3) |> relu |> Dense(10)
    loss objective = cross_entropy(logits, label)
""",
        {
            "torch": """\
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Linear(8 * 26 * 26, 10))
net(torch.zeros(32, 1, 28, 28))
""",
            "keras": """\
net = keras.Sequential([layers.Conv2D(8, 3, activation="relu"), layers.Dense(10)])
net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(np.zeros((32, 28, 28, 1)), np.zeros(32), verbose=0)
""",
            "onnx": """\
check('''net (float[B, 1, 28, 28] image, float[8, 1, 3, 3] K, float[5408, 10] W) => (float[B, 10] y) {
    h = Conv(image, K)
    y = MatMul(h, W)
}''')
""",
        },
    ),
    Mistake(
        "A loss of two ranks",
        "The predictions are a column, the targets a vector: their difference is a matrix.",
        """\
model Net():
    input  x: [B, 8]
    target y: [B]
    prediction = x |> Dense(1)
    loss objective = mse(prediction, y)
""",
        {
            "torch": """\
torch.manual_seed(0)
prediction = nn.Linear(8, 1)(torch.zeros(32, 8))
print("a loss of", F.mse_loss(prediction, torch.ones(32)).item())
""",
            "keras": """\
net = keras.Sequential([layers.Dense(1)])
net.compile("sgd", "mse")
print("a loss of", net.evaluate(np.zeros((32, 8)), np.ones(32), verbose=0))
""",
            "onnx": """\
check('''net (float[B, 1] prediction, float[B] y) => (float[M, N] error) {
    error = Sub(prediction, y)
}''', prediction=np.zeros((32, 1), np.float32), y=np.ones(32, np.float32))
""",
        },
    ),
    Mistake(
        "A misspelt layer",
        "",
        """\
model Net():
    input x: [B, 64]
    output logits = x |> Dense(32) |> relu |> Dens(10)
""",
        {
            "torch": "net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linera(32, 10))\n",
            "keras": "net = keras.Sequential([layers.Dense(32), layers.ReLU(), layers.Dens(10)])\n",
            "onnx": """\
check('''net (float[B, 64] x, float[64, 10] W) => (float[B, 10] y) {
    y = MatMull(x, W)
}''')
""",
        },
    ),
    Mistake(
        "A misspelt keyword",
        "",
        """\
model Net():
    input image: [B, 1, 28, 28]
    output y = image |> Conv(32, kernal=5)
""",
        {
            "torch": "conv = nn.Conv2d(1, 32, kernal_size=5)\n",
            "keras": "conv = layers.Conv2D(32, kernal_size=5)\n",
            "onnx": """\
check('''net (float[B, 1, 28, 28] image, float[32, 1, 5, 5] K) => (float[B, 32, 24, 24] y) {
    y = Conv <kernal_shape = [5, 5]> (image, K)
}''')
""",
        },
    ),
    Mistake(
        "A kernel larger than its image",
        "Of an image of 8 by 8, convolution and pooling leave 3 by 3.",
        """\
model Net():
    input image: [B, 1, 8, 8]
    h = image |> Conv(16, kernel=3) |> relu |> MaxPool(2)
    output y = h |> Conv(32, kernel=5)
""",
        {
            "torch": """\
net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5))
net(torch.zeros(32, 1, 8, 8))
""",
            "keras": """\
image = keras.Input((8, 8, 1))
h = layers.MaxPooling2D(2)(layers.Conv2D(16, 3, activation="relu")(image))
y = layers.Conv2D(32, 5)(h)
""",
            "onnx": """\
check('''net (float[B, 1, 8, 8] image, float[16, 1, 3, 3] K, float[32, 16, 5, 5] L) => (float[B, 32, M, N] y) {
    h = Conv(image, K)
    p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (h)
    y = Conv(p, L)
}''', image=np.zeros((32, 1, 8, 8), np.float32), K=np.zeros((16, 1, 3, 3), np.float32),
      L=np.zeros((32, 16, 5, 5), np.float32))
""",
        },
    ),
    Mistake(
        "A reshape that does not fit",
        "800 elements are not 16 channels of 7 by 7.",
        """\
model Decoder():
    input z: [B, 10]
    h = z |> Dense(800) |> relu
    output image = reshape(h, [B, 16, 7, 7])
""",
        {
            "torch": """\
h = nn.Linear(10, 800)(torch.zeros(32, 10)).relu()
h.reshape(32, 16, 7, 7)
""",
            "keras": """\
z = keras.Input((10,))
h = layers.Dense(800, activation="relu")(z)
image = layers.Reshape((7, 7, 16))(h)
""",
            "onnx": """\
check('''net (float[32, 10] z, float[10, 800] W) => (float[32, 16, 7, 7] image) {
    h = MatMul(z, W)
    shape = Constant <value_ints = [32, 16, 7, 7]> ()
    image = Reshape(h, shape)
}''', z=np.zeros((32, 10), np.float32), W=np.zeros((10, 800), np.float32))
""",
        },
    ),
    Mistake(
        "A parameter whose size depends on the data",
        "Sequences of any length are flattened, so that a dense layer would need a weight for each length.",
        """\
model Net():
    input series: [B, T, 4]
    output y = series |> flatten |> Dense(10)
""",
        {
            "torch": """\
net = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
net(torch.zeros(32, 12, 4))
net(torch.zeros(32, 20, 4))
""",
            "keras": """\
series = keras.Input((None, 4))
y = layers.Dense(10)(layers.Flatten()(series))
""",
            "onnx": """\
check('''net (float[B, T, 4] series, float[48, 10] W) => (float[B, 10] y) {
    h = Flatten(series)
    y = MatMul(h, W)
}''', series=np.zeros((32, 20, 4), np.float32), W=np.zeros((48, 10), np.float32))
""",
        },
    ),
    Mistake(
        "Arrays of a wrong shape",
        "Images are given with their channel last.",
        """\
model Net():
    input  image: [B, 1, 8, 8]
    target label: i64[B]
    logits = image |> Conv(4, kernel=3) |> flatten |> Dense(10)
    loss objective = cross_entropy(logits, label)
train:
    minimize objective with sgd(lr=0.1)
""",
        {
            "torch": """\
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10))
net(torch.zeros(32, 8, 8, 1))
""",
            "keras": """\
net = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10)])
net.predict(np.zeros((32, 1, 8, 8)), verbose=0)
""",
            "onnx": """\
check('''net (float[B, 1, 8, 8] image, float[4, 1, 3, 3] K) => (float[B, 4, 6, 6] y) {
    y = Conv(image, K)
}''', image=np.zeros((32, 8, 8, 1), np.float32), K=np.zeros((4, 1, 3, 3), np.float32))
""",
        },
        {"image": (32, 8, 8, 1), "label": (32,)},
    ),
    *ASKED,
)
