"""Pages of HTML that stand alone: no script but what a page brings, nothing fetched, and every text escaped.

A text is escaped unless it is ``Html``, which only this module and those that draw make. What this module does not do:
say what is on a page.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for a page: nothing."""
STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--faint:#5a6475;--rim:#d4dae4;--paper:#fff;--shade:#f4f6fa;--link:#2459b3}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--faint:#a3adbd;--rim:#39424f;--paper:#14181f;--shade:#1c222c;
--link:#8ab4f8}}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;color:var(--ink);
background:var(--paper);margin:0 auto;padding:2rem 1.5rem 4rem;max-width:72rem}
h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.4rem 0 .7rem;border-bottom:1px solid var(--rim);
padding-bottom:.25rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
p.faint,.faint{color:var(--faint)}a{color:var(--link)}nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.22rem .7rem;border-bottom:1px solid var(--rim);text-align:right;white-space:nowrap}
th{color:var(--faint);font-weight:600}td.left,th.left{text-align:left}td.differs{background:var(--shade);font-weight:600}
tr.total td{font-weight:600}pre{background:var(--shade);padding:.8rem 1rem;overflow-x:auto;font-size:.85rem;
border-radius:6px}.row{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}
figure{margin:0}figcaption{font-size:.8rem;color:var(--faint);max-width:22rem}
figure.card{border:1px solid var(--rim);border-radius:6px;padding:.6rem;text-align:center}
img.pixels{image-rendering:pixelated;width:96px;height:auto;display:block;margin:0 auto .3rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(12rem,1fr));align-items:stretch}
svg{max-width:100%;height:auto}
@media (max-width:40rem){body{padding:1rem 1rem 3rem}td.left{white-space:normal}}
"""


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


Part = str | int | float | Html


def printable(text: str) -> str:
    """A text without the characters that XML does not allow."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)


def text(part: Part) -> Html:
    """A part of a page: escaped, unless it is HTML."""
    return part if isinstance(part, Html) else Html(escape(printable(str(part))))


def element(name: str, *parts: Part, **attributes: str) -> Html:
    """An element; ``class_`` is the attribute ``class``."""
    said = "".join(f' {key.rstrip("_")}="{text(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{said}>{''.join(map(text, parts))}</{name}>")


def joined(parts: Iterable[Part], between: str = "") -> Html:
    """Parts after each other."""
    return Html(between.join(map(text, parts)))


def table(rows: Sequence[Sequence[Part]], left: Iterable[int] = (0,), *, total: bool = False) -> Html:
    """A table whose first row is its heading, and whose last one is a total if that is said."""
    to_left = set(left)

    def cells(row: Sequence[Part], kind: str) -> Html:
        return joined(
            element(kind, cell, class_="left") if i in to_left else element(kind, cell) for i, cell in enumerate(row)
        )

    head, *body = rows
    lines = [element("tr", cells(row, "td")) for row in body]
    if total and body:
        lines[-1] = element("tr", cells(body[-1], "td"), class_="total")
    inner = element("table", element("thead", element("tr", cells(head, "th"))), element("tbody", *lines))
    return element("div", inner, class_="wide")


def section(title: str, *parts: Part) -> Html:
    """A part of a page that can be linked to; nothing where it has no content."""
    kept = [part for part in parts if part != ""]
    return element("section", element("h2", title), *kept, id=anchor(title)) if kept else Html("")


def anchor(title: str) -> str:
    """What a section is called in links."""
    return "".join(sign if sign.isalnum() else "-" for sign in title.lower())


def image(png: bytes, caption: Part = "") -> Html:
    """A picture of pixels, in the page itself."""
    picture = Html(f'<img class="pixels" alt="" src="data:image/png;base64,{b64encode(png).decode()}">')
    return element("figure", picture, element("figcaption", caption), class_="card")


def indented(label: str) -> Html:
    """A text with the blanks before it, which HTML would leave out."""
    return Html("&nbsp;" * (len(label) - len(label.lstrip())) + text(label.lstrip()))


def drawn_svg(svg: bytes) -> Html:
    """A drawing that may be a stranger's, as a picture: nothing in it is run."""
    return Html(f'<img alt="" src="data:image/svg+xml;base64,{b64encode(svg).decode()}">')


def page(title: str, *parts: Part, policy: str = POLICY, style: str = STYLE) -> str:
    """A whole document."""
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            Html('<meta name="viewport" content="width=device-width,initial-scale=1">'),
            element("title", title),
            Html(f"<style>{style}</style>"),
        ],
        "\n",
    )
    body = joined([part for part in parts if part != ""], "\n")
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
