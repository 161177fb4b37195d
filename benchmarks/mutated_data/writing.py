"""CSV files that are written otherwise: rows, quotes, separators, encodings, and what is not a table at all."""

from __future__ import annotations

import csv
import gzip
from random import Random

from .cases import BASE, SAME, Case, Refused, Right, case, mutation, refused
from .people import TRAINED

TEXT = BASE.text()
LINES = TEXT.splitlines(keepends=True)


@mutation("csv")
def untouched(random: Random) -> Case:
    return case("nothing", BASE)


@mutation("csv")
def rows_shuffled(random: Random) -> Case:
    order = random.sample(range(BASE.rows), BASE.rows)
    table = BASE.taken(order)
    return case("rows in another order", table, Right(table), Right(table, tuple(order)))


@mutation("csv")
def later_rows_shuffled(random: Random) -> Case:
    """The rows that are not learned from: what is learned stays."""
    order = [*TRAINED, *random.sample(range(TRAINED.stop, BASE.rows), BASE.rows - TRAINED.stop)]
    table = BASE.taken(order)
    return case("rows of the test part in another order", table, Right(table, tuple(order)))


@mutation("csv")
def rows_left_out(random: Random) -> Case:
    order = sorted(random.sample(range(BASE.rows), BASE.rows - random.randrange(1, 5)))
    order = sorted({0, 1, *order})
    table = BASE.taken(order)
    return case("some rows left out", table, Right(table), Right(table, tuple(order)))


@mutation("csv")
def rows_repeated(random: Random) -> Case:
    order = [*range(BASE.rows), *random.choices(range(BASE.rows), k=3)]
    table = BASE.taken(order)
    return case("some rows twice", table, Right(table), Right(table, tuple(order)))


@mutation("csv")
def one_row(random: Random) -> Case:
    row = random.randrange(BASE.rows)
    table = BASE.taken([row])
    return case("one row", table, Refused(("part is empty",)), Right(table, (row,)))


@mutation("csv")
def quoted(random: Random) -> Case:
    return case("all cells quoted", BASE.text(quoting=random.choice((csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))))


@mutation("csv")
def lines_ended(random: Random) -> Case:
    end = random.choice(("\r\n", "\r"))
    return case(f"lines that end with {end!r}", BASE.text(newline=end))


@mutation("csv")
def lines_mixed(random: Random) -> Case:
    text = "".join(line.replace("\n", random.choice(("\n", "\r\n"))) for line in LINES)
    return case("lines that end in several ways", text)


@mutation("csv")
def not_ended(random: Random) -> Case:
    return case("the last line without an end", TEXT[:-1])


@mutation("csv")
def lines_empty(random: Random) -> Case:
    lines = list(LINES)
    for _ in range(3):
        lines.insert(random.randrange(1, len(lines) + 1), "\n")
    return case("empty lines", "".join(lines))


@mutation("csv")
def marked(random: Random) -> Case:
    return case("a byte order mark", b"\xef\xbb\xbf" + TEXT.encode())


@mutation("csv")
def spaced(random: Random) -> Case:
    return case("spaces and tabs around cells", TEXT.replace(",", random.choice((" ,", ", ", "\t, "))))


@mutation("csv")
def separated(random: Random) -> Case:
    sign, written = random.choice(((";", ";"), ("\t", "\\t"), ("|", "|")))
    said, later = (refused("1", word) for word in (f'`delimiter="{written}"`', "as in the training"))
    return case(f"cells between {sign!r}", BASE.text(delimiter=sign), said, later)


@mutation("csv")
def separated_with_commas(random: Random) -> Case:
    """As spreadsheets of some countries write: `;` between cells, `,` in numbers."""
    table = BASE.column("income", {row: cell.replace(".", ",") for row, cell in enumerate(BASE.cells["income"])})
    return case("cells between `;`, numbers with `,`", table.text(delimiter=";"), refused("1"))


@mutation("csv")
def decimals(random: Random) -> Case:
    table = BASE.column("income", {row: cell.replace(".", ",") for row, cell in enumerate(BASE.cells["income"])})
    return case("numbers with a decimal comma", table, refused("2", "`income`"))


@mutation("csv")
def too_short(random: Random) -> Case:
    row = random.randrange(1, len(LINES))
    lines = list(LINES)
    lines[row] = lines[row].rpartition(",")[0] + "\n"
    return case(f"a cell too few in line {row + 1}", "".join(lines), refused(f":{row + 1}:", "8 cells"))


@mutation("csv")
def too_long(random: Random) -> Case:
    row = random.randrange(1, len(LINES))
    lines = list(LINES)
    lines[row] = lines[row].replace("\n", random.choice((",\n", ",5\n")))
    return case(f"a cell too many in line {row + 1}", "".join(lines), refused(f":{row + 1}:", "10 cells"))


@mutation("csv")
def commas_at_ends(random: Random) -> Case:
    return case("a comma at the end of every line", TEXT.replace("\n", ",\n"))


@mutation("csv")
def commas_alone(random: Random) -> Case:
    row = random.randrange(2, len(LINES))
    lines = [*LINES[:row], "," * 8 + "\n", *LINES[row:]]
    return case(f"nothing but commas in line {row + 1}", "".join(lines), refused(str(row + 1), "no "))


@mutation("csv")
def remark(random: Random) -> Case:
    row, text = random.randrange(1, len(LINES)), random.choice(("# a remark\n", "-- \n", "   \n", "(24 rows)\n"))
    return case(f"{text!r} in line {row + 1}", "".join([*LINES[:row], text, *LINES[row:]]), refused(f":{row + 1}:"))


@mutation("csv")
def preamble(random: Random) -> Case:
    text = random.choice(("sep=,\n", "People of 2026\n", "# made on Monday\n"))
    return case(f"{text!r} above the names", text + TEXT, SAME if text.startswith("sep=") else refused())


@mutation("csv")
def unclosed(random: Random) -> Case:
    row = random.randrange(1, len(LINES))
    lines = list(LINES)
    lines[row] = lines[row].replace(",", ',"', 1)
    return case(f"a quote that nothing closes in line {row + 1}", "".join(lines), refused(":"))


@mutation("csv")
def quote_inside(random: Random) -> Case:
    table = BASE.with_column("extra", ['a"b'] * BASE.rows)
    return case("a quote within a cell", table.text().replace('"a""b"', 'a"b'))


@mutation("csv")
def latin(random: Random) -> Case:
    row = random.randrange(1, len(LINES))
    lines = [line.encode() for line in LINES]
    lines[row] = lines[row].replace(b",", b",\xe9", 1)
    return case(f"a character of cp1252 in line {row + 1}", b"".join(lines), refused("UTF-8", f":{row + 1}"))


@mutation("csv")
def wide(random: Random) -> Case:
    encoding = random.choice(("utf-16", "utf-32"))
    return case(f"written in {encoding}", TEXT.encode(encoding), refused("UTF-8"))


@mutation("csv")
def no_text(random: Random) -> Case:
    content = random.choice(
        (
            b"",
            b"\n\n",
            b"\x00" * 100,
            gzip.compress(TEXT.encode(), mtime=0),
            b"PK\x03\x04" + bytes(range(256)),
            b"\xff" * 9,
        )
    )
    return case(f"{content[:8]!r}...", content, refused())


@mutation("csv")
def markup(random: Random) -> Case:
    content = random.choice(
        ('{"city": ["oslo"], "age": [31]}\n', "<html>\n<body>\n<p>404</p>\n", "<?xml version='1.0'?>\n")
    )
    return case(f"{content[:8]!r}...", content, refused())


@mutation("csv")
def names_alone(random: Random) -> Case:
    return case("names and no rows", LINES[0], refused("no rows"))


@mutation("csv")
def cut_off(random: Random) -> Case:
    """Within the last cell of the target nobody sees it; a row that lacks cells is refused."""
    row = random.randrange(2, BASE.rows)
    text = "".join(LINES[: row + 1])
    return case(f"cut off in line {row + 1}", text[: -random.randrange(12, 30)], refused(f":{row + 1}:"))


@mutation("csv")
def long_cell(random: Random) -> Case:
    size = random.choice((1000, 100_000))
    return case(f"a cell of {size} characters", BASE.with_column("extra", ["x" * size] * BASE.rows))


@mutation("csv")
def longer_cell(random: Random) -> Case:
    table = BASE.with_column("extra", ["x"] * (BASE.rows - 1) + ["y" * 200_000])
    return case("a cell of 200,000 characters", table, refused(f":{BASE.rows + 1}:"))
