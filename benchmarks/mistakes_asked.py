"""More mistakes of docs/errors.md: those that people ask about most, many of which train in silence elsewhere.

ONNX has no counterpart of most of them, since its models are written by exporters. What this module does not do: run
any.
"""

from __future__ import annotations

from .mistake import Mistake

IMAGE = "model Net():\n    input  image: [B, 1, 8, 8]\n    target label: i64[B]\n"
ROWS = "model Net():\n    input  x: [B, 8]\n"
CLASSES = f"{ROWS}    target label: i64[B]\n"
NUMBERS = f"{ROWS}    target y: [B]\n"
TRAIN = "\ntrain:\n    minimize objective with sgd(lr=0.1)\n"

ASKED = (
    Mistake(
        "Softmax before cross entropy",
        "The loss applies a softmax of its own, so that it is applied twice.",
        f"{CLASSES}    p = x |> Dense(10) |> softmax\n    loss objective = cross_entropy(p, label)\n",
        {
            "torch": "net = nn.Sequential(nn.Linear(8, 10), nn.Softmax(dim=1))\n"
            "print(F.cross_entropy(net(torch.zeros(32, 8)), torch.zeros(32, dtype=torch.long)))\n",
            "keras": 'net = keras.Sequential([layers.Dense(10, activation="softmax")])\n'
            'net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))\n'
            'print("a loss of", net.evaluate(np.zeros((32, 8)), np.zeros(32), verbose=0))\n',
        },
    ),
    Mistake(
        "Cross entropy of numbers that are no probabilities",
        "A binary cross entropy of probabilities is given what a layer computes.",
        f"{NUMBERS}    z = (x |> Dense(1))[:, 0]\n    loss objective = bce(z, y)\n",
        {
            "torch": "z = nn.Linear(8, 1)(torch.ones(32, 8))[:, 0]\n"
            "print(F.binary_cross_entropy(z, torch.zeros(32)))\n",
            "keras": "net = keras.Sequential([layers.Dense(1)])\n"
            'net.compile("sgd", "binary_crossentropy")\n'
            'print("a loss of", net.evaluate(np.ones((32, 8)), np.zeros(32), verbose=0))\n',
        },
    ),
    Mistake(
        "A column beside a vector",
        "Predictions are [B, 1] and targets [B]: each example meets every other.",
        f"{NUMBERS}    p = x |> Dense(1)\n    loss objective = mean((p - y) ** 2)\n",
        {
            "torch": "p, y = nn.Linear(8, 1)(torch.zeros(32, 8)), torch.zeros(32)\n"
            "print(((p - y) ** 2).shape)\nprint(F.mse_loss(p, y))\n",
            "keras": "p, y = ops.zeros((32, 1)), ops.zeros((32,))\nprint(((p - y) ** 2).shape)\n",
            "onnx": "check('''net (float[32, 1] p, float[32] y) => (float[A, B] d) {\n    d = Sub(p, y)\n}''', "
            "p=np.zeros((32, 1), np.float32), y=np.zeros(32, np.float32))\n",
        },
    ),
    Mistake(
        "Labels with an axis of their own",
        "The numbers of classes are [B, 1], as a table gives them.",
        "model Net():\n    input  x: [B, 8]\n    target label: i64[B, 1]\n"
        "    loss objective = cross_entropy(x |> Dense(10), label)\n",
        {
            "torch": "F.cross_entropy(nn.Linear(8, 10)(torch.zeros(32, 8)), torch.zeros(32, 1, dtype=torch.long))\n",
            "keras": "net = keras.Sequential([layers.Dense(10)])\n"
            'net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))\n'
            'print("a loss of", net.evaluate(np.zeros((32, 8)), np.zeros((32, 1)), verbose=0))\n',
        },
    ),
    Mistake(
        "One-hot labels",
        "A loss of class numbers is given a 1 among zeros.",
        "model Net():\n    input  x: [B, 8]\n    target label: [B, 10]\n"
        "    loss objective = cross_entropy(x |> Dense(10), label)\n",
        {
            "torch": "print(F.nll_loss(F.log_softmax(torch.zeros(32, 10), 1), torch.zeros(32, 10)))\n",
            "keras": "net = keras.Sequential([layers.Dense(10)])\n"
            'net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))\n'
            'print("a loss of", net.evaluate(np.zeros((32, 8)), np.zeros((32, 10)), verbose=0))\n',
        },
    ),
    Mistake(
        "The class in place of its scores",
        "Cross entropy is given the class with the largest score.",
        f"{CLASSES}    p = argmax(x |> Dense(10))\n    loss objective = cross_entropy(p, label)\n",
        {
            "torch": "p = nn.Linear(8, 10)(torch.zeros(32, 8)).argmax(1)\n"
            "F.cross_entropy(p, torch.zeros(32, dtype=torch.long))\n",
            "keras": "p = ops.argmax(layers.Dense(10)(ops.zeros((32, 8))), axis=1)\n"
            "print(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(ops.zeros(32), p))\n",
        },
    ),
    Mistake(
        "A metric as a loss",
        "The share of right answers has no slope.",
        f"{CLASSES}    loss objective = accuracy(x |> Dense(10), label)\n{TRAIN}",
        {
            "torch": "net = nn.Linear(8, 10)\n"
            "loss = (net(torch.zeros(32, 8)).argmax(1) == 0).float().mean()\nloss.backward()\n",
            "keras": "net = keras.Sequential([layers.Dense(10)])\n"
            'net.compile("sgd", lambda y, z: ops.mean(ops.cast(ops.equal(ops.argmax(z, 1), y), "float32")))\n'
            "net.fit(np.zeros((32, 8)), np.zeros(32), verbose=0)\n",
        },
    ),
    Mistake(
        "Nothing between two layers",
        "Two layers without a function between them are one.",
        f"{NUMBERS}    p = (x |> Dense(32) |> Dense(1))[:, 0]\n    loss objective = mse(p, y)\n",
        {
            "torch": "net = nn.Sequential(nn.Linear(8, 32), nn.Linear(32, 1))\nprint(net(torch.zeros(32, 8)).shape)\n",
            "keras": "net = keras.Sequential([layers.Dense(32), layers.Dense(1)])\n"
            "print(net(np.zeros((32, 8))).shape)\n",
        },
    ),
    Mistake(
        "Softmax over the examples",
        "The axis is that of the batch.",
        f"{CLASSES}    z = x |> Dense(10)\n    output p = softmax(z, axis=0)\n"
        "    loss objective = cross_entropy(z, label)\n",
        {
            "torch": "print(F.softmax(torch.zeros(32, 10), dim=0).sum(1)[0])\n",
            "keras": "print(ops.softmax(ops.zeros((32, 10)), axis=0).sum(1)[0])\n",
        },
    ),
    Mistake(
        "Channels at the end",
        "The data has its channels last, and the layers take them first.",
        "model Net():\n    input  image: [B, 32, 32, 3]\n    output y = image |> Conv(16, kernel=3) |> MaxPool(2)\n",
        {
            "torch": "net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.MaxPool2d(2))\nnet(torch.zeros(32, 32, 32, 3))\n",
            "keras": 'keras.config.set_image_data_format("channels_first")\n'
            "net = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(16, 3), layers.MaxPooling2D(2)])\n",
        },
    ),
    Mistake(
        "The argument of another tool",
        "The size of a window is called otherwise here, and in Keras.",
        f"{IMAGE}    output y = image |> Conv(8, kernel_size=3)\n",
        {
            "torch": "nn.Conv2d(1, 8, kernel=3)\n",
            "keras": "layers.Conv2D(8, kernel=3)\n",
        },
    ),
    Mistake(
        "The layer of another tool",
        "Each calls an affine map by another name.",
        "model Net():\n    input x: [B, 64]\n    output y = x |> nn.Linear(64, 32) |> nn.ReLU()\n",
        {
            "torch": "nn.Dense(64, 32)\n",
            "keras": "layers.Linear(64, 32)\n",
        },
    ),
    Mistake(
        "A method of tensors",
        "A function is written as a method, as it is elsewhere.",
        "model Net():\n    input x: [B, 8, 8]\n    output y = x.reshape(-1, 64)\n",
        {
            "torch": "torch.zeros(32, 8, 8).expand_dims(1)\n",
            "keras": "keras.Input((8, 8)).reshape(-1, 64)\n",
        },
    ),
    Mistake(
        "A misspelt setting",
        "Nobody notices that the training is as long as by default, or it is refused.",
        f"{CLASSES}    loss objective = cross_entropy(x |> Dense(10), label)\n\n"
        "train:\n    epoch = 3\n    minimize objective with sgd(lr=0.1)\n",
        {
            "torch": "torch.optim.SGD(nn.Linear(8, 10).parameters(), learning_rate=0.1)\n",
            "keras": 'net = keras.Sequential([layers.Dense(10)])\nnet.compile("sgd", "mse")\n'
            "net.fit(np.zeros((32, 8)), np.zeros((32, 10)), epoch=3)\n",
        },
    ),
    Mistake(
        "Keys that are not transposed",
        "Queries meet keys along the wrong axis.",
        "model Net():\n    input  x: [B, T, 64]\n    q = x |> Dense(64)\n    k = x |> Dense(64)\n"
        "    output scores = softmax(q @ k / 8)\n",
        {
            "torch": "q, k = torch.zeros(2, 20, 64), torch.zeros(2, 20, 64)\nF.softmax(q @ k / 8, dim=-1)\n",
            "keras": "q, k = keras.Input((20, 64)), keras.Input((20, 64))\nops.softmax(q @ k / 8)\n",
            "onnx": "check('''net (float[B, T, 64] q, float[B, T, 64] k) => (float[B, T, T] s) {\n"
            "    s = MatMul(q, k)\n}''', q=np.zeros((2, 20, 64), np.float32), k=np.zeros((2, 20, 64), np.float32))\n",
        },
    ),
    Mistake(
        "A rate in percent",
        "Dropout takes a probability.",
        f"{ROWS}    output p = x |> Dense(10) |> Dropout(50)\n",
        {"torch": "nn.Dropout(50)\n", "keras": "layers.Dropout(50)\n"},
    ),
    Mistake(
        "All results of a recurrent layer",
        "A recurrent layer gives its states as well, and the next layer takes one tensor.",
        "model Net():\n    input x: [B, 20, 8]\n    output y = x |> LSTM(32) |> Dense(1)\n",
        {
            "torch": "nn.Sequential(nn.LSTM(8, 32, batch_first=True), nn.Linear(32, 1))(torch.zeros(2, 20, 8))\n",
            "keras": "h = layers.LSTM(32, return_state=True)(keras.Input((20, 8)))\nlayers.Dense(1)(h)\n",
        },
    ),
    Mistake(
        "A residual sum of two widths",
        "The input of a block is added to what it gives.",
        f"{ROWS}    output h = x + (x |> Dense(16) |> relu)\n",
        {
            "torch": "x = torch.zeros(32, 8)\nx + F.relu(nn.Linear(8, 16)(x))\n",
            "keras": 'x = keras.Input((8,))\nx + layers.Dense(16, activation="relu")(x)\n',
        },
    ),
    Mistake(
        "A tensor in place of a size",
        "The layer is made and applied in one pair of brackets.",
        f"{ROWS}    output h = Dense(x, 10)\n",
        {"torch": "nn.Linear(torch.zeros(32, 8), 10)\n", "keras": "layers.Dense(keras.Input((8,)), 10)\n"},
    ),
    Mistake(
        "A program that trains nothing",
        "Nothing takes a step.",
        f"{CLASSES}    loss objective = cross_entropy(x |> Dense(10), label)\n\ntrain:\n    epochs = 5\n",
        {
            "torch": "net = nn.Linear(8, 10)\noptimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
            "loss = F.cross_entropy(net(torch.zeros(32, 8)), torch.zeros(32, dtype=torch.long))\noptimizer.step()\n",
            "keras": "net = keras.Sequential([layers.Dense(10)])\nnet.fit(np.zeros((32, 8)), np.zeros(32), epochs=5)\n",
        },
    ),
)
"""Each is found by `archonnx check`, as an error or as a warning."""
