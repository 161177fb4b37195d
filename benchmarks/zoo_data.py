"""The made-up data of the zoo, ``python -m benchmarks.zoo_data``: a table of wines, ratings, and pictures of arrows.

Seeds are fixed, so that the same files are written again; specs/zoo/data/README.md says what is in them.
What this module does not do: write what was measured by others (co2.csv).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = Path(__file__).parents[1] / "specs" / "zoo" / "data"
WINES, RATINGS, ARROWS = 600, 2_400, 20
"""Rows of the tables, and pictures of each class."""


def main() -> int:
    """Write all files."""
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    return 0


def write(folder: Path) -> None:
    """Write all files into a folder."""
    (folder / "wines.csv").write_text(wines(), encoding="utf-8", newline="\n")
    (folder / "ratings.csv").write_text(ratings(), encoding="utf-8", newline="\n")
    for name, picture in arrows():
        path = folder / "arrows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"quality": 92, "exif": picture.getexif()} if path.suffix == ".jpg" else {}
        picture.save(path, **options)


# ---------------------------------------------------------------- wines

REGIONS = {"Altenberg": 0.5, "Côte Claire": 0.9, "Rio Manso": 0.0, "Südhang": 0.3, "Valle Bruna": -0.6}
CLOSURES = {"cork": 0.1, "glass": 0.4, "screw cap": 0.0}


def wines() -> str:
    """A table as a spreadsheet of central Europe exports it: semicolons, decimal commas, `k.A.` where nothing is known.

    The grade, 3 to 8, is that of a latent quality, which rises with alcohol and sulphates, falls with volatile acid, is
    best at a middle sugar, and depends on the region.
    """
    rng = np.random.default_rng(11)
    n = WINES
    region = rng.choice(list(REGIONS), n, p=[0.25, 0.15, 0.25, 0.2, 0.15])
    closure = rng.choice(list(CLOSURES), n, p=[0.5, 0.1, 0.4])
    white = rng.random(n) < 0.6
    alcohol = np.clip(rng.normal(11.5, 1.1, n) - 0.4 * white, 8.5, 15)
    sugar = np.exp(rng.normal(np.where(white, 1.6, 0.8), 0.6, n))
    acid = np.exp(rng.normal(np.where(white, -1.2, -0.8), 0.35, n))
    sulphates = np.exp(rng.normal(-0.6, 0.2, n))
    ph = rng.normal(3.25, 0.15, n)
    quality = (
        0.7 * (alcohol - 11.3)
        - 2.2 * (acid - 0.38)
        + 1.5 * (sulphates - 0.56)
        - 0.5 * (np.log(sugar) - 1.4) ** 2
        + np.array([REGIONS[name] for name in region])
        + np.array([CLOSURES[name] for name in closure])
    )
    grade = np.clip(np.round(5.4 + 0.9 * quality + rng.normal(0, 0.3, n)), 3, 8).astype(int)
    tasted = np.datetime64("2021-03-01") + rng.integers(0, 1200, n)
    columns = {
        "bottle": [str(1001 + i) for i in range(n)],
        "colour": ["white" if one else "red" for one in white],
        "region": region.tolist(),
        "closure": _some_missing(closure.tolist(), 0.05, "", rng),
        "alcohol": _decimal(alcohol, 1),
        "sugar": _decimal(sugar, 1),
        "volatile acid": _some_missing(_decimal(acid, 2), 0.06, "k.A.", rng),
        "sulphates": _some_missing(_decimal(sulphates, 2), 0.1, "k.A.", rng),
        "pH": _decimal(ph, 2),
        "tasted": tasted.astype(str).tolist(),
        "grade": [str(one) for one in grade],
    }
    return _csv(columns, ";")


def _decimal(values: Iterable[float], digits: int) -> list[str]:
    """Numbers with a decimal comma."""
    return [f"{value:.{digits}f}".replace(".", ",") for value in values]


def _some_missing(cells: Sequence[str], share: float, instead: str, rng: np.random.Generator) -> list[str]:
    return [instead if lost else cell for cell, lost in zip(cells, rng.random(len(cells)) < share, strict=True)]


def _csv(columns: dict[str, list[str]], delimiter: str) -> str:
    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    return "".join(delimiter.join(row) + "\n" for row in rows)


# ---------------------------------------------------------------- ratings


def ratings() -> str:
    """Who gave which film how many stars on which day, in the order of time; ids have gaps, as those of a shop have.

    A rating is a mean, a bias of the user and one of the film, and the product of three tastes of each. Some users and
    films come late.
    """
    rng = np.random.default_rng(12)
    users, films = 90, 70
    user_id = np.sort(rng.choice(np.arange(1000, 9000), users, replace=False))
    film_id = np.sort(rng.choice(np.arange(100, 800), films, replace=False))
    tastes, traits = rng.normal(0, 0.6, (users, 3)), rng.normal(0, 0.6, (films, 3))
    user_bias, film_bias = rng.normal(0, 0.35, users), rng.normal(0, 0.5, films)
    since_user = np.where(np.arange(users) % 30 == 29, 0.9, 0.0)
    since_film = np.where(np.arange(films) % 24 == 23, 0.88, 0.0)
    seen: dict[tuple[int, int], float] = {}
    while len(seen) < RATINGS:
        u, f, when = int(rng.integers(users)), int(films * rng.random() ** 1.5), float(rng.random())
        if when >= max(since_user[u], since_film[f]):
            seen.setdefault((u, f), when)
    rows = []
    for (u, f), when in sorted(seen.items(), key=lambda item: item[1]):
        stars = 3.4 + user_bias[u] + film_bias[f] + tastes[u] @ traits[f] + rng.normal(0, 0.3)
        day = np.datetime64("2023-01-01") + int(when * 730)
        rows.append([str(user_id[u]), str(film_id[f]), f"{np.clip(np.round(2 * stars) / 2, 0.5, 5):.1f}", str(day)])
    return "".join(",".join(row) + "\n" for row in [["user", "film", "stars", "day"], *rows])


# ---------------------------------------------------------------- arrows

TURNS = {"up": 0, "left": 1, "down": 2, "right": 3}
"""Quarter turns to the left of an arrow that points up."""
ORIENTATION = 0x0112
HELD = {1: 0, 3: 2, 6: 3, 8: 1}
"""What EXIF says of how a camera was held, and by how many quarter turns to the left the picture is to be turned."""


def arrows() -> Iterable[tuple[str, Image]]:
    """Pictures of 16x16, by class: grey PNG and colour JPEG, the latter with the orientation of a camera."""
    from PIL import Image

    for number, (name, turns) in enumerate(TURNS.items()):
        rng = np.random.default_rng([13, number])
        for i in range(ARROWS):
            grey = np.rot90(_arrow(rng), turns)
            if i % 2 == 0:
                yield f"{name}/{i:02}.png", Image.fromarray((255 * grey).astype(np.uint8))
                continue
            ink, paper = rng.integers(0, 90, 3), rng.integers(170, 256, 3)
            colour = ink + (paper - ink) * grey[..., None]
            held = list(HELD)[i // 2 % len(HELD)]
            picture = Image.fromarray(np.rot90(colour, -HELD[held]).astype(np.uint8))
            picture.getexif()[ORIENTATION] = held
            yield f"{name}/{i:02}.jpg", picture


def _arrow(rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float64]]:
    """An arrow that points up, dark on light, somewhere in the picture."""
    y, x = np.mgrid[:16, :16].astype(float)
    middle, top = rng.uniform(6, 9), rng.uniform(1.5, 4)
    length, width, head = rng.uniform(9, 11), rng.uniform(0.7, 1.2), rng.uniform(3, 4)
    aside, below = np.abs(x - middle), y - top
    shaft = (aside < width) & (below > 0) & (below < length)
    tip = (aside < below) & (below >= 0) & (below < head)
    light = np.where(shaft | tip, 0.1, 0.9)
    return np.clip(light + rng.normal(0, 0.06, light.shape), 0, 1)


if __name__ == "__main__":
    raise SystemExit(main())
