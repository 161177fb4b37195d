"""Columns of CSV files in another order, under other names, too many and too few."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from .cases import BASE, SAME, Case, Refused, case, mutation, refused
from .people import USED, Table


@mutation("csv")
def shuffled(random: Random) -> Case:
    names = random.sample(list(BASE.cells), len(BASE.cells))
    return case(
        f"columns in the order {', '.join(names)}", replace(BASE, cells={name: BASE.cells[name] for name in names})
    )


@mutation("csv")
def one_more(random: Random) -> Case:
    cells = random.choice(
        (["7"] * BASE.rows, ['two\nlines, "quoted"'] * BASE.rows, [str(i / 7) for i in range(BASE.rows)])
    )
    return case(f"a column more, of {cells[0]!r}", BASE.with_column("extra", cells))


@mutation("csv")
def one_more_broken(random: Random) -> Case:
    cells = ["1"] * BASE.rows
    cells[random.randrange(BASE.rows)] = random.choice(("x", "007", "2020-01-01", "1,5", "true"))
    return case("a column more, of several kinds", BASE.with_column("extra", cells))


@mutation("csv")
def one_more_empty(random: Random) -> Case:
    return case("a column more, without values", BASE.with_column("extra", [""] * BASE.rows))


@mutation("csv")
def unused_dropped(random: Random) -> Case:
    return case("a column that nothing uses dropped", BASE.without("id"))


@mutation("csv")
def dropped(random: Random) -> Case:
    name = random.choice(USED)
    return case(f"`{name}` dropped", BASE.without(name), refused(f"`{name}`"))


@mutation("csv")
def target_dropped(random: Random) -> Case:
    gone = Refused(("`bought`",))
    return case("the target dropped", BASE.without("bought"), gone, SAME, gone)


@mutation("csv")
def renamed(random: Random) -> Case:
    name = random.choice(USED)
    other = random.choice((name.upper(), name.title(), name[:-1], f"{name}s", f"{name}_"))
    return case(f"`{name}` called `{other}`", BASE.renamed({name: other}), refused(f"`{name}`", other))


@mutation("csv")
def lookalike(random: Random) -> Case:
    letter, same = random.choice((("i", "і"), ("o", "о"), ("e", "е")))
    name = random.choice([name for name in USED if letter in name])
    return case(
        f"a Cyrillic letter in `{name}`", BASE.renamed({name: name.replace(letter, same, 1)}), refused(f"`{name}`")
    )


@mutation("csv")
def numbers_swapped(random: Random) -> Case:
    """Names of two columns of numbers exchanged: incomes are integers now, and ages have fractions."""
    swapped = Table(
        BASE.renamed({"age": "income", "income": "age"}).cells,
        {**BASE.truth, "age": BASE.truth["income"], "income": BASE.truth["age"]},
    )
    return case("names of `age` and `income` exchanged", swapped, Refused(("f32",)), refused("`age`", "2", "integer"))


@mutation("csv")
def texts_swapped(random: Random) -> Case:
    swapped = Table(
        BASE.renamed({"city": "shop", "shop": "city"}).cells,
        {**BASE.truth, "city": BASE.truth["shop"], "shop": BASE.truth["city"]},
    )
    labels = refused("`shop`", "2")  # four shops where the model has two
    return case("names of `city` and `shop` exchanged", swapped, labels, refused("`shop`", "train part"))


@mutation("csv")
def kinds_swapped(random: Random) -> Case:
    one, other = random.choice(
        (("city", "age"), ("member", "shop"), ("since", "score"), ("income", "member"), ("since", "income"))
    )
    return case(
        f"names of `{one}` and `{other}` exchanged", BASE.renamed({one: other, other: one}), Refused(()), refused()
    )


@mutation("csv")
def twice(random: Random) -> Case:
    name = random.choice([*USED, "id", "bought"])
    text = BASE.with_column("EXTRA", ["1"] * BASE.rows).text().replace("EXTRA", name, 1)
    return case(f"two columns `{name}`", text, refused(f"`{name}`", "2 times"))


@mutation("csv")
def first_unnamed(random: Random) -> Case:
    lines = BASE.text().splitlines(keepends=True)
    text = "".join(f"{'' if number == 0 else number - 1},{line}" for number, line in enumerate(lines))
    return case("an index without a name, as pandas writes one", text)


@mutation("csv")
def another_unnamed(random: Random) -> Case:
    text = BASE.with_column("EXTRA", ["1"] * BASE.rows).text().replace("EXTRA", random.choice(("", "  ")), 1)
    return case("the last column without a name", text, refused("column 10 has no name"))


@mutation("csv")
def names_spaced(random: Random) -> Case:
    name = random.choice([*USED, "bought"])
    return case(f"spaces around `{name}`", BASE.renamed({name: f"  {name}\t"}))


@mutation("csv")
def no_header(random: Random) -> Case:
    return case("without the line of names", BASE.text().partition("\n")[2], refused("first line"))


@mutation("csv")
def header_twice(random: Random) -> Case:
    header, _, body = BASE.text().partition("\n")
    lines = body.splitlines(keepends=True)
    row = random.randrange(1, BASE.rows)
    lines.insert(row, f"{header}\n")
    return case(f"the names again in line {row + 2}", "\n".join([header, "".join(lines)]), refused(str(row + 2)))
