"""How many blanks stand between a log line's words, and which padding explains them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import add

from korad.domain.value import value

_WORD = re.compile("[^ ]+")


@value
class Spacing:
    """The blanks that all lines of one format share."""

    gaps: list[int]
    """Blanks before each word, and after the last."""
    widths: list[int]
    """How many characters each word is padded to, on the right; negative: on the left; 0: not."""


def split_at_blanks(lines: Sequence[str]) -> Iterable[tuple[list[str], tuple[int, ...]]]:
    """Return each line's words and gaps; it is fast where all lines have the first one's gaps.

    Only the blank separates words: the lines must agree in all other white space.
    """
    words = [line.split() for line in lines]
    if words[0] != _WORD.findall(lines[0]):
        words = [_WORD.findall(line) for line in lines]
    gaps = gaps_of(lines[0])
    form = "%s".join([" " * gap for gap in gaps])
    same = set(map(len, words)) == {len(gaps) - 1}
    if same and list(map(form.__mod__, map(tuple, words))) == lines:
        return zip(words, repeat(gaps))
    return zip(words, map(gaps_of, lines), strict=True)


def gaps_of(line: str) -> tuple[int, ...]:
    """Return the blanks before each of the line's words, and after the last."""
    return tuple(map(len, _WORD.split(line)))


def spacing_of(
    columns: Sequence[tuple[str, ...]], gaps: Sequence[tuple[int, ...]]
) -> Spacing | None:
    """Return the blanks between the words, or None if no padding explains them."""
    fixed: list[int] = []
    widths = [0] * len(columns)
    if gaps.count(gaps[0]) == len(gaps):
        return Spacing(gaps=list(gaps[0]), widths=widths)
    for place, column in enumerate(zip(*gaps, strict=True)):
        if column.count(column[0]) == len(column):
            fixed.append(column[0])
            continue
        left = set(map(add, map(len, columns[place - 1]), column))
        if 0 < place and len(left) == 1 and widths[place - 1] == 0:
            last = place == len(columns)
            widths[place - 1] = left.pop() - (not last)
            fixed.append(not last)
            continue
        if place == len(columns):
            return None
        right = set(map(add, map(len, columns[place]), column))
        if len(right) > 1:
            return None
        widths[place] = (place > 0) - right.pop()
        fixed.append(int(place > 0))
    return Spacing(gaps=fixed, widths=widths)
