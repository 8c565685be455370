"""How drawings are set on the page: sections, a pair a row, each drawn for wide and narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from bench.load.report.style import HALF, NARROW, WIDE


class Picture(NamedTuple):
    """A drawing with its title; `draw` takes the width to draw for."""

    title: str
    draw: Callable[[int], str]
    hint: str = ""


def section(title: str, *parts: str) -> str:
    """Return a part of the page under its own heading."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def note(text: str) -> str:
    """Return a line that says how to read what follows; empty text: nothing."""
    return f'<p class="note">{escape(text)}</p>' if text else ""


def terms(pairs: Sequence[tuple[str, str]], css: str = "") -> str:
    """Return names with what they stand for."""
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs)
    return f'<dl class="{css}">{told}</dl>'


def column(pictures: Sequence[Picture]) -> str:
    """Return pictures one below the other, each as wide as the page."""
    return "".join(_figure(picture, WIDE) for picture in pictures)


def pairs(pictures: Sequence[Picture]) -> str:
    """Return pictures two a row; one that is left over takes the last row alone."""
    even = len(pictures) // 2 * 2
    told = "".join(_figure(picture, HALF) for picture in pictures[:even])
    row = f'<div class="pair">{told}</div>' if told else ""
    return row + column(pictures[even:])


def _figure(picture: Picture, width: int) -> str:
    wide = picture.draw(width).replace("<svg ", '<svg class="wide" ', 1)
    narrow = picture.draw(NARROW).replace("<svg ", '<svg class="narrow" ', 1)
    hint = f" <small>{escape(picture.hint)}</small>" if picture.hint else ""
    title = f"<h3>{escape(picture.title)}{hint}</h3>" if picture.title else ""
    return f"<figure>{title}{wide}{narrow}</figure>"
