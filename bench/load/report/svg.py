"""A drawing's elements as text: the one place where SVG is written and escaped."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

FONT_PX = 13.0
CHAR_WIDTH = 0.61
"""Of a font's size, on average, of the widest of the page's fonts."""
COLOURS = 8
"""How many the style sheet has; further targets begin again with other markers."""
Point = tuple[float, float]


class Drawing:
    """Collects elements; `text()` closes it."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width = width
        self.height = height
        self._label = label
        self._parts: list[str] = []

    def text(self, at: Point, text: str, css: str = "", anchor: str = "start") -> None:
        """Write a line of text with its baseline at a point."""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}"'
            f"{_class(css)}>{escape(text)}</text>"
        )

    def line(self, start: Point, end: Point, css: str) -> None:
        """Draw a straight line."""
        self._parts.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" '
            f'x2="{end[0]:.1f}" y2="{end[1]:.1f}"{_class(css)}/>'
        )

    def path(self, points: Sequence[Point], css: str) -> None:
        """Draw a line through points; fewer than two are not drawn."""
        if len(points) > 1:
            steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            self._parts.append(f'<path d="M{steps}"{_class(css)}/>')

    def rect(self, at: Point, width: float, height: float, css: str) -> None:
        """Fill a rectangle, given its upper left corner."""
        self._parts.append(
            f'<rect x="{at[0]:.1f}" y="{at[1]:.1f}" width="{max(width, 0):.1f}" '
            f'height="{max(height, 0):.1f}"{_class(css)}/>'
        )

    def mark(self, at: Point, target: int, *, hollow: bool = False, tip: str = "") -> None:
        """Draw a target's marker, of its colour and shape; the tip appears under a pointer."""
        x, y = at
        css = f"dot c{target % COLOURS}" + (" hollow" if hollow else "")
        title = f"<title>{escape(tip)}</title>" if tip else ""
        shape = (target + target // COLOURS) % 4
        if shape == 0:
            self._parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"{_class(css)}>{title}</circle>'
            )
            return
        corners: tuple[Point, ...] = (
            ((-3.7, -3.7), (3.7, -3.7), (3.7, 3.7), (-3.7, 3.7)),
            ((0, -5), (4.8, 3.6), (-4.8, 3.6)),
            ((0, -5.2), (5.2, 0), (0, 5.2), (-5.2, 0)),
        )[shape - 1]
        places = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
        self._parts.append(f'<polygon points="{places}"{_class(css)}>{title}</polygon>')

    def render(self) -> str:
        """Return the whole element."""
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
            f'aria-label="{escape(self._label)}" '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}">{"".join(self._parts)}</svg>'
        )


def text_width(text: str, size_px: float = FONT_PX) -> float:
    """Return at most how many pixels a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return size_px * (CHAR_WIDTH * (len(text) - wide) + 1.05 * wide)


def wrapped(text: str, width: float, size_px: float = FONT_PX) -> list[str]:
    """Break a text into lines no wider than `width` pixels."""
    per_char = text_width(text, size_px) / max(len(text), 1) or 1.0
    return textwrap.wrap(text, max(int(width / per_char), 4)) or [""]


def widest(texts: Iterable[str], size_px: float = FONT_PX) -> float:
    """Return the width of the widest text, 0 of none."""
    return max((text_width(text, size_px) for text in texts), default=0.0)


def _class(css: str) -> str:
    return f' class="{css}"' if css else ""
