"""The example of the language page, in both spellings."""

ARCH = '''\
model DigitsCNN(width: int = 32, classes: int = 10):
    """A small convolutional classifier for 8x8 grey digits."""
    input  image: [B, 1, 8, 8]
    target label: i64[B]

    x = image |> Conv(width, kernel=3, padding=same) |> relu |> MaxPool(2)
    x = x |> Conv(2 * width, kernel=3, padding=same) |> relu |> MaxPool(2)
    logits = x |> flatten |> Dropout(0.25) |> Dense(classes)

    output probs: [B, classes] = softmax(logits)
    loss   objective = cross_entropy(logits, label)
    metric accuracy  = accuracy(logits, label)

train:
    data   = sklearn("digits")
    feed image = reshape(data.data, [-1, 1, 8, 8]) / 16
    feed label = data.target
    split  = {train: 0.8, valid: 0.1, test: 0.1, seed: 0}
    epochs = 20
    batch_size = 64
    minimize objective with adam(lr=1e-3)
    early_stopping = {monitor: valid.objective, patience: 5}
'''

YAML = """\
model: DigitsCNN
args: {width: 32, classes: 10}
inputs: {image: "[B, 1, 8, 8]"}
targets: {label: "i64[B]"}
layers:                       # each item: a fn or block with its arguments; `as:` names the result
  - Conv: {filters: width, kernel: 3, padding: same}
  - relu
  - MaxPool: 2
  - Conv: {filters: 2 * width, kernel: 3, padding: same}
  - relu
  - MaxPool: 2
  - flatten
  - Dropout: 0.25
  - {Dense: classes, as: logits}
outputs: {probs: softmax(logits)}
losses:  {objective: "cross_entropy(logits, label)"}
metrics: {accuracy: "accuracy(logits, label)"}
train:
  data: {sklearn: digits}
  feed: {image: "reshape(data.data, [-1, 1, 8, 8]) / 16", label: data.target}
  split: {train: 0.8, valid: 0.1, test: 0.1, seed: 0}
  epochs: 20
  batch_size: 64
  steps: [{minimize: objective, with: "adam(lr=1e-3)"}]
  early_stopping: {monitor: valid.objective, patience: 5}
"""
