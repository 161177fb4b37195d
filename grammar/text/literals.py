"""The values of literals: numbers, strings, docstrings. What cannot be a value goes to the report."""

from __future__ import annotations

import re

from archonnx.grammar.diagnostics import Report, Suggestion
from archonnx.grammar.source import Span

LARGEST_INTEGER = 2**63
LONGEST_PATH = 1024
"""Letters of a text that may be meant as a path: it is read anew for each escape that is none."""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def read_number(span: Span, report: Report) -> int | float:
    """``12`` is an int, ``12.0`` and ``1e3`` are floats, ``010`` is none. Ints have 64 bits, and floats are float64."""
    text = span.text
    if text.isdigit():
        value = int(text) if len(text.lstrip("0")) < 20 else LARGEST_INTEGER + 1
        if value > LARGEST_INTEGER:
            report.error("AX0118", "an integer has at most 64 bits", span, help="write a float, such as `1e30`")
        elif text[0] == "0" and value > 0:  # eight to some, as in C and YAML 1.1, and ten to others
            bare = text.lstrip("0")
            words = f"digits are decimal: `{bare}`"
            help = Suggestion.of(words, text, bare, span, otherwise=words)
            report.error("AX0118", f"an integer does not begin with 0: `{text}`", span, help=help)
        return value
    number = float(text)
    if number == float("inf"):
        report.error("AX0118", "this number is too large for a float", span, help="write `inf` for infinity")
    return number


def read_string(span: Span, report: Report) -> str:
    """The text between the quotes, escapes replaced: ``\\n \\t \\r \\" \\\\`` and ``\\u0041``."""
    quoted = span.text[1:-1]
    if "\\" not in quoted:
        return quoted

    def replace(match: re.Match[str]) -> str:
        letter = match[1]
        if len(letter) == 5 and not "\ud800" <= chr(int(letter[1:], 16)) <= "\udfff":
            return chr(int(letter[1:], 16))
        if letter not in _ESCAPES:
            start = span.start + 1 + match.start()
            report.error(
                "AX0104",
                f"`{match[0]}` is not an escape",
                Span(span.source, start, start + len(match[0])),
                help=_slashes(span)
                or 'escapes are `\\n`, `\\t`, `\\r`, `\\"`, `\\\\` and `\\u` with four hexadecimal digits; '
                "a backslash itself is written `\\\\`",
            )
        return _ESCAPES.get(letter, letter)

    return _ESCAPE.sub(replace, quoted)


def _slashes(span: Span) -> Suggestion | None:
    """``"data\\flats.csv"``: a path, whose folders are parted by ``/`` everywhere."""
    if len(span.text) > LONGEST_PATH or re.search(r"\w\.\w+\"$", span.text) is None:
        return None
    whole = span.text.replace("\\\\", "/").replace("\\", "/")
    words = f"the folders of a path are parted by `/`: `{whole}`"
    return Suggestion.of(words, "", whole, span, otherwise=words)


def dedent(text: str) -> str:
    """A docstring without the indentation that its lines share, and without blank lines around it."""
    first, *rest = text.expandtabs().replace("\r\n", "\n").split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).strip("\n")
