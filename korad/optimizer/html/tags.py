"""Which tags break the line, which say nothing, and which have a mark of their own."""

from __future__ import annotations

from typing import Final

from korad.optimizer.html.marks import BULLET, END, LINE, PARAGRAPH, TAIL

_LINES: Final = (
    "address aside body center details dialog dir div dt fieldset figcaption figure hgroup html "
    "legend noscript section summary caption"
)
_SILENT: Final = (
    "b strong i em u span font small big mark ins cite dfn var kbd samp tt label wbr nobr picture "
    "head sub svg g path symbol defs use rect circle line polygon polyline ellipse text tspan map "
    "area thead tbody tfoot colgroup col bdi bdo ruby rb rt rp data object param center math"
)
SIMPLE: Final[dict[str, str]] = (
    {slash + name: "" for name in _SILENT.split() for slash in ("", "/")}
    | {slash + name: LINE for name in _LINES.split() for slash in ("", "/")}
    | {f"h{n}": PARAGRAPH + BULLET + "#" * n + " " for n in range(1, 7)}
    | {f"/h{n}": END + PARAGRAPH for n in range(1, 7)}
    | {
        "p": PARAGRAPH, "/p": PARAGRAPH, "br": LINE, "/br": LINE,
        "hr": PARAGRAPH + "---" + PARAGRAPH,
        "blockquote": PARAGRAPH + BULLET + "> ", "/blockquote": END + PARAGRAPH,
        "dl": PARAGRAPH, "/dl": PARAGRAPH, "dd": LINE + BULLET + ": ", "/dt": "", "/dd": END,
        "/form": LINE, "/optgroup": "", "/select": " ]", "/option": "", "/button": TAIL + "]",
        "del": "~~", "/del": "~~", "s": "~~", "/s": "~~", "strike": "~~", "/strike": "~~",
        "q": '"', "/q": '"', "code": "", "/code": "", "/sup": "", "/time": "", "/abbr": "",
        "/acronym": "", "/td": "", "/th": "",
    }
)  # fmt: skip
PARTS: Final = [
    slash + name for name in ("main", "article", "nav", "header", "footer") for slash in ("", "/")
]
"""The parts of a page that tell its content from the frame around it."""
META: Final = {
    "description": "Description", "og:title": "Title", "og:description": "Description",
    "author": "Author", "article:author": "Author", "article:published_time": "Published",
    "article:modified_time": "Modified", "refresh": "Refresh",
}  # fmt: skip
