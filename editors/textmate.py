"""The TextMate grammar of the language, made of the words of the parser: ``python -m editors.textmate`` writes it.

It colours what can be told by a line at a time, in editors before their server answers and on pages that show code.
Words of statements are soft, as in the language: each counts only in the form of its statement. What this module does
not do: say what a name means (the language server's semantic tokens do).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archonnx.compiler.elaborate.core.kinds import DECLARED
from archonnx.compiler.elaborate.core.signatures import DTYPES
from archonnx.grammar.text.words import FORMS, RESERVED

FILE = Path(__file__).with_name("vscode") / "syntaxes" / "archonnx.tmLanguage.json"
NAME = r"[\p{L}\p{Nl}_][\p{L}\p{N}\p{M}_]*"
DECLARATIONS = ("fn", "block", "model", "train", "optimizer", "schedule", "entry")
"""Words before the name of what they declare."""
FLOW = ("if", "elif", "else", "for", "return", "assert")
OPERATORS = ("and", "or", "not", "in")
CONSTANTS = ("true", "false", "none")
CLAUSES = ("with", "over", "along", "while")
"""Words inside of statements; `of` and `reversed` stand in one place each."""
ALONE = ("search", "together", "train", "else")
"""Words that a colon may follow at once."""


def grammar() -> dict[str, Any]:
    """The grammar as data."""
    assert set(FLOW + OPERATORS + CONSTANTS) == RESERVED
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "archonnx",
        "scopeName": "source.archonnx",
        "fileTypes": ["arch"],
        "patterns": [{"include": f"#{part}"} for part in ("texts", "imports", "declarations", "statements", "code")],
        "repository": {
            "texts": {"patterns": _texts()},
            "imports": {"patterns": _imports()},
            "declarations": {"patterns": _declarations()},
            "statements": {"patterns": _statements()},
            "code": {"patterns": _code()},
        },
    }


def _match(pattern: str, scope: str = "", **captures: str) -> dict[str, Any]:
    found: dict[str, Any] = {"match": pattern}
    if scope:
        found["name"] = f"{scope}.archonnx"
    if captures:
        found["captures"] = {key[1:]: {"name": f"{value}.archonnx"} for key, value in captures.items()}
    return found


def _any(words: tuple[str, ...]) -> str:
    return "|".join(sorted(words))


def _texts() -> list[dict[str, Any]]:
    escape = _match(r"\\.", "constant.character.escape")
    return [
        _match(r"#.*$", "comment.line.number-sign"),
        {"begin": '"""', "end": '"""', "name": "string.quoted.docstring.archonnx"},
        {"begin": '"', "end": r'"|$', "name": "string.quoted.double.archonnx", "patterns": [escape]},
    ]


def _imports() -> list[dict[str, Any]]:
    string = {"include": "#texts"}
    return [
        {
            "begin": r'^(from)(?=[ \t]*")',
            "end": r"$",
            "beginCaptures": {"1": {"name": "keyword.control.import.archonnx"}},
            "patterns": [string, _match(r"\bimport\b", "keyword.control.import"), {"include": "#code"}],
        }
    ]


def _declarations() -> list[dict[str, Any]]:
    word, name = "keyword.declaration", "entity.name.function"
    return [
        _match(
            rf"^[ \t]*(train)(?:[ \t]+({NAME}))??[ \t]+(of)[ \t]+({NAME})",
            _1=word,
            _2=name,
            _3=word,
            _4="entity.name.type",
        ),
        _match(rf"^[ \t]*({_any(DECLARATIONS)})[ \t]+({NAME})", _1=word, _2=name),
        _match(rf"^[ \t]*({_any(ALONE)})(?=[ \t]*:)", _1=word),
        _match(r"^[ \t]*(backward)(?=[ \t]*\()", _1=word),
    ]


def _statements() -> list[dict[str, Any]]:
    """Words that begin a statement, before what may follow them."""
    known = set(FORMS) - set(DECLARATIONS) - set(FLOW) - {"from", "search", "together", "backward"}
    before_value = {"minimize", "maximize", "emit", "repeat", "every", "update"}
    names, values = tuple(sorted(known - before_value)), tuple(sorted(known & before_value))
    word = "keyword.control.statement"
    return [
        _match(rf"^[ \t]*({_any(names)})\b(?=[ \t]+(?!(?:if|in|and|or)\b)[\p{{L}}_(])", _1=word),
        _match(
            rf"^[ \t]*({_any(values)})\b(?=[ \t]+(?!(?:if|in|and|or)\b)(?:[\p{{L}}\p{{N}}_(\"\[{{]|[-+.][^ \t=]))",
            _1=word,
        ),
        _match(r"(?<=\bfeed)[ \t]+(whole)(?=[ \t]+[\p{L}_])", _1=word),
        _match(r"(?<=\bscan)[ \t]+(reversed)(?=[ \t]+[\p{L}_(])", _1=word),
    ]


def _code() -> list[dict[str, Any]]:
    return [
        {"include": "#texts"},
        _match(rf"\b({_any(FLOW)})\b", "keyword.control"),
        _match(rf"\b({_any(OPERATORS)})\b", "keyword.operator.word"),
        _match(rf"\b({_any(CLAUSES)})\b(?=[ \t]+(?:[\p{{L}}\p{{N}}_(\[\"]|-\d))", "keyword.control.clause"),
        _match(rf"\b({_any(CONSTANTS)})\b", "constant.language"),
        _match(rf"(?<=:|: |\||\| )({_any(tuple(DECLARED))})\b(?![ \t]*\()", "storage.type"),
        _match(rf"\b({_any(tuple(DTYPES))})\b(?=[ \t]*[\[(])", "storage.type.dtype"),
        _match(r"(?<![\p{L}\p{N}_.])(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][-+]?\d+)?", "constant.numeric"),
        _match(rf"(?<=[(,]|[(,] )({NAME})(?=[ \t]*=(?!=))", "variable.parameter"),
        _match(r"\|>", "keyword.operator.pipe"),
        _match(r"->|\.\.\.|\*\*|//|==|!=|<=|>=|[-+*/%@<>=~]", "keyword.operator"),
        _match(r"\b(\p{Lu}[\p{L}\p{N}_]*)(?=[ \t]*\()", "entity.name.type"),
        _match(rf"\b({NAME})(?=[ \t]*\()", "entity.name.function.call"),
        _match(rf"(?<=\|>|\|> ){NAME}", "entity.name.function.call"),
    ]


def text() -> str:
    """The grammar as it is written."""
    return json.dumps(grammar(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text(), "utf-8")
