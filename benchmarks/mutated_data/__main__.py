"""Do all cases and write docs/mutated_data.md; a case that goes otherwise than it should makes the command fail."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from benchmarks import page

from .cases import Either, Refused, Right
from .examine import BENCHES, Bench, Found, cases_of

SEEDS = 8
WORDS = {"csv": "CSV", "parquet": "Parquet", "arrays": ".npz, and in Python", "pictures": "folders of pictures"}


def main() -> int:
    """Do the cases of some seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutated_data", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="so many variants of each mutation are tried")
    parser.add_argument("--whole", action="store_true", help="train to the end on each file that can be read")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # of Pillow, on what is damaged
    begun, found, rows = time.perf_counter(), list[Found](), []
    for kind, subject in BENCHES.items():
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), subject, whole=asked.whole)
            expected = Counter[type]()
            cases = list(cases_of(kind, asked.seeds))
            for number, case in enumerate(cases):
                found += bench.examine(case, number)
                expected.update(type(wanted) for wanted in (case.train, case.predict, case.evaluate))
        counts = (len(cases), *(expected[outcome] for outcome in (Right, Refused, Either)))
        rows.append([WORDS[kind], *map(str, counts)])
    for one in found:
        print(one, file=sys.stderr)
    if asked.seeds >= SEEDS:
        print(page.write("mutated_data.md", _page(rows, found, time.perf_counter() - begun)))
    return 1 if found else 0


def _page(rows: list[list[str]], found: list[Found], seconds: float) -> list[str]:
    total = sum(int(row[1]) for row in rows)
    return [
        "# Mutated data",
        "What `train`, `predict` and `eval` do with files that are not what they were. A table (or a folder of "
        "pictures) is changed in one way; the true values are known, and NumPy alone computes the fields of the model "
        "from them. A file that means what the unmutated one does must give its fields and outputs to the bit; one "
        "that means something else must give what that is; one that means nothing must be refused in a message that "
        "names the file and the line, the row or the column. Written by `python -m benchmarks.mutated_data` "
        "(`make proof`).",
        f"{total} files, each given to all three verbs, in {seconds:.0f} s. "
        f"{page.circumstances(('archonnx', 'numpy'))}",
        page.table(("kind", "files", "must be right", "must be refused", "either"), rows),
        f"Otherwise than it should: {len(found)}." + "".join(f"\n- {one.case}, {one.verb}" for one in found),
    ]


if __name__ == "__main__":
    sys.exit(main())
