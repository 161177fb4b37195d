"""Cells of CSV files: other spellings of the same value, other values, gaps, and what means nothing."""

from __future__ import annotations

from random import Random

from .cases import BASE, SAME, Case, Refused, Right, at, case, mutation, refused
from .people import SHOPS, TRAINED, Table

GAPS = ("", "NA", "n/a", "nan", "NULL", "None", "?", "  ")
"""What means that there is no value in columns of numbers, booleans and dates."""


NO_NUMBERS = [
    "x",
    "12,5",
    "1,234.5",
    "1 234",
    "1_000",
    "0x10",
    "1e999",
    "-1e999",
    "inf",
    "-Infinity",
    "--1",
    "1.2.3",
    "5 kg",
    "$5",
    "1/2",
    "5%",
    "#DIV/0!",
    "-",
    "1e",
    "e5",
    ".",
    "(5)",
    "=A1",
    "− 5",
    "−5",
    "３１",
    "٣",
    "\u200b31",
]
NO_DATES = [
    "2021-02-29",
    "2020-13-01",
    "2020-00-10",
    "05/01/2020",
    "5.1.2020",
    "2020-1-5",
    "20200105",
    "2020-01-05T25:00",
    "yesterday",
    "0000-01-01",
    "2020-01-05T00:00:00.5",
    "2020-W01",
    "2020-01-05T24:01:00",
    "2020",
    "3-Jan-2020",
]


def any_row(random: Random) -> int:
    return random.randrange(BASE.rows)


def later_row(random: Random) -> int:
    """A row that is not learned from, nor the one that messages compare with."""
    return random.randrange(TRAINED.stop, BASE.rows)


@mutation("csv")
def integer_spelled(random: Random) -> Case:
    row = any_row(random)
    cell, style = BASE.cells["age"][row], random.choice(("+{}", "{}.0", "{}.", " {} ", "{}e0", "\u00a0{}"))
    return case(f"an age written `{style}`", BASE.column("age", {row: style.format(cell)}))


@mutation("csv")
def integers_spelled(random: Random) -> Case:
    style = random.choice(("{}.0", "{}.000", "+{}", "{}e0"))
    return case(
        f"all ages written `{style}`", BASE.column("age", {r: style.format(c) for r, c in enumerate(BASE.cells["age"])})
    )


@mutation("csv")
def integer_padded(random: Random) -> Case:
    row = any_row(random)
    padded = BASE.column("age", {row: f"0{BASE.cells['age'][row]}"})
    return case("an age with a 0 in front", padded, at(row, "`age`", f"0{BASE.cells['age'][row]}"), SAME)


@mutation("csv")
def number_spelled(random: Random) -> Case:
    row = any_row(random)
    cell, style = BASE.cells["income"][row], random.choice(("+{}", "{}0", "{}e0", "{}E+00", "0{}", "{}" + "0" * 40))
    return case(f"an income written `{style[:10]}`", BASE.column("income", {row: style.format(cell)}))


@mutation("csv")
def number_moved(random: Random) -> Case:
    cells = {row: f"{float(cell) / 10:.10f}e1" for row, cell in enumerate(BASE.cells["income"])}
    return case("all incomes with exponents", BASE.column("income", cells))


@mutation("csv")
def number_broken(random: Random) -> Case:
    row, name = any_row(random), random.choice(("age", "income", "score"))
    cell = random.choice(NO_NUMBERS)
    return case(f"{cell!r} in `{name}`", BASE.column(name, {row: cell}), at(row, f"`{name}`", repr(cell)))


@mutation("csv")
def number_of_another_kind(random: Random) -> Case:
    row, name, cell = (
        any_row(random),
        random.choice(("age", "income", "score")),
        random.choice(("true", "2020-02-03", "False")),
    )
    return case(f"{cell!r} in `{name}`", BASE.column(name, {row: cell}), at(row, f"`{name}`", repr(cell)))


@mutation("csv")
def fraction(random: Random) -> Case:
    row = later_row(random)
    changed = BASE.put("age", row, "31.5", 31.5)
    return case("an age with a fraction", changed, Right(changed), at(row, "`age`", "'31.5'"))


@mutation("csv")
def integer_too_large(random: Random) -> Case:
    row = later_row(random)
    return case("an age beyond i64", BASE.column("age", {row: "9" * 25}), at(row, "`age`"))


@mutation("csv")
def other_values(random: Random) -> Case:
    """What the train part does not have changes nothing but its own row; what it has changes what is learned."""
    row = any_row(random)
    changed = BASE.put("age", row, "200", 200).put("score", row, "-7.25", -7.25)
    return case(f"other numbers in row {row}", changed, Right(changed))


@mutation("csv")
def number_missing(random: Random) -> Case:
    row, name, cell = any_row(random), random.choice(("age", "income")), random.choice(GAPS)
    return case(
        f"{cell!r} in `{name}`, which nothing fills", BASE.column(name, {row: cell}), at(row, f"`{name}`", "no value")
    )


@mutation("csv")
def numbers_missing(random: Random) -> Case:
    rows = sorted(random.sample(range(BASE.rows), 8))
    gaps = BASE.column("income", dict.fromkeys(rows, ""))
    return case("many incomes missing", gaps, refused("lines", *(str(row + 2) for row in rows[:5]), "3 more"))


@mutation("csv")
def filled(random: Random) -> Case:
    rows = random.sample(range(BASE.rows), 3)
    changed = BASE
    for row in rows:
        changed = changed.put("score", row, random.choice(GAPS), None)
    return case("scores missing, which are filled", changed, Right(changed))


@mutation("csv")
def all_missing(random: Random) -> Case:
    changed = BASE
    for row in range(BASE.rows):
        changed = changed.put("score", row, "", None)
    return case("all scores missing", changed, refused("`score`"), Right(changed))


@mutation("csv")
def boolean_spelled(random: Random) -> Case:
    spelled = random.choice((str.title, str.upper, lambda cell: f" {cell}"))
    return case(
        "booleans spelled otherwise", BASE.column("member", {r: spelled(c) for r, c in enumerate(BASE.cells["member"])})
    )


@mutation("csv")
def booleans_as_numbers(random: Random) -> Case:
    return case(
        "all booleans 1 and 0",
        BASE.column("member", {r: str(int(c == "true")) for r, c in enumerate(BASE.cells["member"])}),
    )


@mutation("csv")
def a_boolean_as_number(random: Random) -> Case:
    row = later_row(random)
    cell = str(int(BASE.truth["member"][row]))
    return case("one boolean as a number", BASE.column("member", {row: cell}), at(row, "`member`", repr(cell)), SAME)


@mutation("csv")
def boolean_broken(random: Random) -> Case:
    row, cell = later_row(random), random.choice(("yes", "t", "2", "-1", "on", "0.5", "2020-01-01"))
    return case(f"{cell!r} in `member`", BASE.column("member", {row: cell}), at(row, "`member`", repr(cell)))


@mutation("csv")
def booleans_as_words(random: Random) -> Case:
    words = BASE.column("member", {r: "yes" if c == "true" else "no" for r, c in enumerate(BASE.cells["member"])})
    return case("all booleans yes and no", words, Refused(("`member`", "text")), refused("`member`", "true or false"))


@mutation("csv")
def boolean_missing(random: Random) -> Case:
    row, cell = any_row(random), random.choice(GAPS)
    return case(f"{cell!r} in `member`", BASE.column("member", {row: cell}), at(row, "`member`", "no value"))


@mutation("csv")
def date_spelled(random: Random) -> Case:
    row, more = any_row(random), random.choice(("T00:00:00", " 00:00:00", "T00:00", "T00:00:00.000", "T00:00:00,0"))
    return case(f"a date with `{more}`", BASE.column("since", {row: BASE.cells["since"][row] + more}))


@mutation("csv")
def dates_in_zones(random: Random) -> Case:
    zone = random.choice(("T00:00:00Z", "T00:00:00+00:00", " 00:00:00+0000"))
    return case(
        f"all dates with `{zone}`", BASE.column("since", {r: c + zone for r, c in enumerate(BASE.cells["since"])})
    )


@mutation("csv")
def a_date_in_a_zone(random: Random) -> Case:
    row = random.randrange(1, BASE.rows)
    cell = BASE.cells["since"][row] + "T00:00:00Z"
    return case("one date with an offset", BASE.column("since", {row: cell}), at(row, "`since`", repr(cell)))


@mutation("csv")
def date_broken(random: Random) -> Case:
    row = later_row(random)
    cell = random.choice(NO_DATES)
    return case(f"{cell!r} in `since`", BASE.column("since", {row: cell}), at(row, "`since`", repr(cell)))


@mutation("csv")
def date_missing(random: Random) -> Case:
    row, cell = any_row(random), random.choice(GAPS)
    return case(f"{cell!r} in `since`", BASE.column("since", {row: cell}), at(row, "`since`", "no date"))


@mutation("csv")
def city_unknown(random: Random) -> Case:
    row, cell = (
        any_row(random),
        random.choice(("lima", "Oslo", "NA", "os lo", "oslo.", "\u200boslo", "m\u00e1laga", '"q", r')),
    )
    changed = BASE.put("city", row, cell, cell)
    return case(f"{cell!r} in `city`", changed, Right(changed))


@mutation("csv")
def city_missing(random: Random) -> Case:
    row = any_row(random)
    changed = BASE.put("city", row, random.choice(("", "  ")), "")
    return case("no city", changed, Right(changed))


@mutation("csv")
def city_a_number(random: Random) -> Case:
    row, cell = any_row(random), random.choice(("31", "2.5", "true", "2020-01-01"))
    changed = BASE.put("city", row, cell, cell)
    return case(
        f"{cell!r} in `city`", changed, at(row, "`city`", repr(cell)) if row else refused("`city`"), Right(changed)
    )


@mutation("csv")
def shop_unseen(random: Random) -> Case:
    row, cell = later_row(random), random.choice(("Mall", "kiosk", "mall 2", "malls"))
    return case(f"{cell!r} in `shop`", BASE.column("shop", {row: cell}), at(row, "`shop`", f'"{cell}"', "train part"))


@mutation("csv")
def shop_one_more(random: Random) -> Case:
    """A third shop among those that are learned: more than the model has."""
    row = random.randrange(2, TRAINED.stop)
    return case(
        "a third shop",
        BASE.column("shop", {row: "stall"}),
        at(row, "`shop`"),
        at(row, "`shop`", '"stall"', "train part"),
    )


@mutation("csv")
def shop_missing(random: Random) -> Case:
    row = any_row(random)
    return case("no shop", BASE.column("shop", {row: random.choice(("", " "))}), at(row, "`shop`", "no value"))


@mutation("csv")
def shops_numbered(random: Random) -> Case:
    """Shops as numbers are other shops: nothing says which is which."""
    numbered = BASE.column("shop", {r: str(SHOPS.index(c)) for r, c in enumerate(BASE.cells["shop"])})
    return case("all shops as numbers", numbered, SAME, refused("`shop`"))


@mutation("csv")
def answer_unseen(random: Random) -> Case:
    row, cell = later_row(random), random.choice(("maybe", "Yes", "YES", "n"))
    unseen = at(row, "`bought`", f'"{cell}"', "train part")
    return case(f"{cell!r} in the target", BASE.column("bought", {row: cell}), unseen, SAME, unseen)


@mutation("csv")
def answer_one_more(random: Random) -> Case:
    row = random.randrange(2, TRAINED.stop)
    wide = at(row, "bought")
    return case(
        "a third answer", BASE.column("bought", {row: "zzz"}), wide, SAME, at(row, "`bought`", '"zzz"', "train part")
    )


@mutation("csv")
def answer_a_number(random: Random) -> Case:
    row, cell = later_row(random), random.choice(("1", "true", "0.5"))
    return case(
        f"{cell!r} in the target",
        BASE.column("bought", {row: cell}),
        at(row, "`bought`", repr(cell)),
        SAME,
        at(row, "`bought`", f'"{cell}"'),
    )


@mutation("csv")
def answer_missing(random: Random) -> Case:
    row = any_row(random)
    gone = at(row, "`bought`", "no value")
    return case("no answer", BASE.column("bought", {row: ""}), gone, SAME, gone)


@mutation("csv")
def answers_all_missing(random: Random) -> Case:
    empty = BASE.column("bought", dict.fromkeys(range(BASE.rows), ""))
    return case("no answers at all", empty, refused("`bought`"), SAME, refused("`bought`", "no value"))


@mutation("csv")
def two_faults(random: Random) -> Case:
    row, other = random.sample(range(TRAINED.stop, BASE.rows), 2)
    broken = Table(BASE.column("age", {row: "x"}).column("income", {other: "y"}).cells, BASE.truth)
    return case("two broken cells", broken, at(row, "`age`"))
