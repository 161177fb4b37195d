"""Codes 07xx: settings."""

from __future__ import annotations

from .catalogue import Code

CODES: tuple[Code, ...] = (
    Code(
        "AX0701",
        "unknown-setting",
        "there is no setting by this name",
        "Settings that nothing reads are refused: a misspelt one would silently leave the default in force.",
        "Use one of the names listed.",
        "train:\n    epoch = 20\n",
    ),
    Code(
        "AX0702",
        "bad-setting",
        "a setting has a value that it cannot have",
        "Settings and the arguments of data sources are checked one by one: types, ranges, and what must hold between "
        "them, such as fractions that sum to 1.",
        "Give a value as the message says.",
        "train:\n    split = {train: 0.8, valid: 0.1}\n",
    ),
    Code(
        "AX0703",
        "nothing-to-monitor",
        "early stopping watches what is not measured",
        "During training the losses are measured on the train part, and after each epoch losses and metrics on the "
        "valid part.",
        "Monitor one of the names listed, and give the split a valid part.",
        "train:\n    early_stopping = {monitor: valid.acuracy}\n",
    ),
    Code(
        "AX0704",
        "setting-of-the-spec",
        "this setting can be given in the spec only",
        "It shapes what is compiled, or the order of the train programs; replacing it from the outside would make the "
        "run's spec say something else than what was run.",
        "Write it in the spec.",
    ),
    Code(
        "AX0705",
        "unknown-data-source",
        "there is no data source by this name",
        "Data come from a source that is written like a call.",
        "Use one of the sources listed.",
        'train:\n    data = cvs("wine.csv")\n',
    ),
    Code(
        "AX0706",
        "feed-of-nothing",
        "a feed names no field of the model",
        "`feed NAME = expr` gives the model's input or target NAME its values.",
        "Use the name of an input or a target.",
        "train:\n    feed imgae = data.data\n",
    ),
    Code(
        "AX0707",
        "field-not-fed",
        "an input or target gets no data",
        "Every field that a loss uses is fed: by a `feed` statement, or by a field of the data that has the same name.",
        "Add a `feed` for it.",
    ),
    Code(
        "AX0708",
        "feed-does-not-fit",
        "the data fed to a field do not have its type",
        "Feeds are cast to the dtype of their field, and their shape must be the one declared: axis 0 counts the "
        "examples.",
        "Reshape in the feed, as in `feed image = reshape(data.data, [-1, 1, 8, 8])`, or change the declaration.",
    ),
    Code(
        "AX0709",
        "starts-from-nothing",
        "`start_from` names no earlier train program",
        "A program may start with the parameters that an earlier one of the same file ended with.",
        "Use the name of a program that stands above.",
    ),
    Code(
        "AX0710",
        "search-of-nothing",
        "a search varies what is neither an argument of the model nor a setting",
        "A search draws values for the arguments of the model, and for `epochs`, `batch_size`, `shuffle` and `seed` of "
        "its train programs. Everything else is reached by an argument: `model M(lr: float = 1e-3)` and "
        "`adam(lr=lr)`.",
        "Use one of the names listed, or make an argument of it.",
        "search:\n    widht = choice(16, 32)\n    maximize valid.accuracy\n",
    ),
    Code(
        "AX0711",
        "bad-distribution",
        "a search cannot draw from this",
        "Values come from `choice(a, b, ...)`, `uniform(low, high)`, `loguniform(low, high)` with positive bounds, or "
        "`intrange(low, high)` with integers, both bounds included. What takes integers is drawn from integers.",
        "Write one of these, with the lower bound first.",
        "search:\n    lr = loguniform(0, 0.1)\n    maximize valid.accuracy\n",
    ),
    Code(
        "AX0712",
        "bad-search",
        "a search does not say what is sought",
        "A search has one goal: a loss or metric on the train or the valid part. (The test part is for the end.) "
        "`maximize -valid.objective` makes a loss small.",
        "Add `maximize valid.NAME`, once, and give the split a valid part.",
        "search:\n    width = choice(16, 32)\n    maximize valid.acuracy\n",
    ),
)
