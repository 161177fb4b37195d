"""The text of the zoo, ``python -m benchmarks.topics_text``: the topics of Python's own ``help()``, in a row.

They stand in ``pydoc_data.topics`` of every Python, under the licence of the Python Software Foundation. The text of
the zoo was made of those of Python 3.11.7; another version of Python has other topics, and writes another text.
What this module does not do: change a paragraph. One that stands in an earlier topic is left out, since what the test
part has must not be what was learned.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "specs" / "zoo" / "sequences"
TEXT = "python_topics.txt"
SHORT = 40
"""A paragraph of fewer characters may stand in several topics: a title, a line of code."""


def main() -> int:
    """Write the text into a folder, that of the zoo unless one is given."""
    from pydoc_data.topics import topics

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    text = in_a_row(topics)
    (folder / TEXT).write_text(text, encoding="utf-8", newline="\n")
    print(f"{folder / TEXT}: {len(text):,} characters")
    return 0


def in_a_row(topics: Mapping[str, str]) -> str:
    """The texts of topics in the order of their names, every paragraph once."""
    seen: set[str] = set()
    texts = []
    for name in sorted(topics):
        kept = []
        for paragraph in topics[name].split("\n\n"):
            words = " ".join(paragraph.split())
            if words not in seen or len(words) < SHORT:
                kept.append(paragraph.strip("\n"))
            seen.add(words)
        texts.append("\n\n".join(kept).strip("\n"))
    return "\n\n\n".join(filter(None, texts)) + "\n"


if __name__ == "__main__":
    sys.exit(main())
