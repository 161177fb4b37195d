"""The words of the language, the forms of its statements, and characters that look like those of the language.

Plain data for error messages; the grammar itself is in ``archonnx.lark``.
"""

from __future__ import annotations

import json
import re

TOP_LEVEL = ("fn", "block", "model", "train", "optimizer", "schedule", "search", "from", "for")

RESERVED = frozenset(
    {"if", "elif", "else", "for", "in", "and", "or", "not", "true", "false", "none", "return", "assert"}
)

# Words whose statement has a body.
HEADERS = frozenset(
    {
        "fn",
        "block",
        "model",
        "train",
        "optimizer",
        "schedule",
        "search",
        "entry",
        "backward",
        "for",
        "if",
        "elif",
        "else",
        "repeat",
        "every",
        "together",
        "scan",
        "loop",
    }
)

_NAME = re.compile(r"[^\W\d]\w*")
_NEVER_NAMES = RESERVED | {"while", "def", "class", "import", "lambda", "True", "False", "None"}


def is_name(text: str) -> bool:
    """Whether a text can be a name."""
    return _NAME.fullmatch(text) is not None and text not in _NEVER_NAMES


def column_of(data: str, name: str) -> str:
    """How a column of a table is read: ``data.age``, ``data["year built"]``."""
    return f"{data}.{name}" if is_name(name) else f"{data}[{json.dumps(name, ensure_ascii=False)}]"


FORMS = {
    "fn": "fn NAME(PARAMETERS) -> RESULT:",
    "block": "block NAME(HYPERPARAMETERS)(INPUTS) -> RESULT:",
    "model": "model NAME(PARAMETERS):",
    "train": "train [NAME] [of MODEL]:",
    "optimizer": "optimizer NAME(HYPERPARAMETERS)(INPUTS) -> RESULT:",
    "schedule": "schedule NAME(HYPERPARAMETERS)(t: i64[]) -> []:",
    "search": "search:",
    "from": 'from "FILE" import NAME, ...',
    "backward": "backward(COTANGENTS):",
    "entry": "entry NAME(PARAMETERS) -> RESULT:",
    "input": "input NAME: TYPE",
    "target": "target NAME: TYPE",
    "output": "output NAME[: TYPE] = VALUE",
    "loss": "loss NAME = VALUE",
    "metric": "metric NAME [over set] = VALUE[, smaller or larger]",
    "param": "param NAME: TYPE ~ INITIALISER` or `param NAME: TYPE = VALUE",
    "buffer": "buffer NAME: TYPE = VALUE",
    "state": "state NAME: TYPE = VALUE",
    "update": "update TARGET = VALUE",
    "feed": "feed [whole] NAME = VALUE",
    "fit": "fit NAME = VALUE",
    "data": "data NAME = SOURCE",
    "minimize": "minimize LOSS [over MODULES] with OPTIMIZER",
    "maximize": "maximize VALUE",
    "emit": "emit VALUE, ...",
    "return": "return VALUE, ...",
    "assert": 'assert CONDITION, "MESSAGE"',
    "for": "for NAME in VALUES:",
    "if": "if CONDITION:",
    "elif": "elif CONDITION:",
    "else": "else:",
    "repeat": "repeat COUNT [while CONDITION]:",
    "every": "every COUNT:",
    "together": "together:",
    "scan": "scan [reversed] NAME in VALUES along AXIS, STATE = INITIAL -> NAME along AXIS:",
    "loop": "loop NAME in range(COUNT), STATE = INITIAL [while CONDITION]:",
}

# Characters that look like one of the language.
LOOKALIKES = {
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u00d7": "*",
    "\u00b7": "*",
    "\u22c5": "*",
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u00f7": "/",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u2192": "->",
    "\u2208": "in",
    "\u223c": "~",
    "\u2026": "...",
    "\u00a0": " ",
    "\u2009": " ",
    "\u3000": " ",
    "\uff08": "(",
    "\uff09": ")",
    "\uff1a": ":",
    "\uff0c": ",",
    "\uff1d": "=",
}
