"""How many blanks stand between a log line's words, and which padding explains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add, itemgetter, sub

from korad.domain.value import value

Gaps = tuple[int, ...]
_Pick = Callable[[list[str]], tuple[str, ...]]


@value
class Spacing:
    """The blanks that all lines of one format share."""

    gaps: list[int]
    """Blanks before each word, and after the last."""
    widths: list[int]
    """How many characters each word is padded to, on the right; negative: on the left; 0: not."""


class Cutter:
    """Cuts lines into words and gaps; it is fast where lines have the gaps of earlier ones."""

    __slots__ = ("_even", "_known")

    def __init__(self) -> None:
        self._even: dict[int, Gaps] = {}
        self._known: dict[tuple[int, int], tuple[_Pick, Gaps]] = {}
        """By the number of pieces, and of those that are empty: what picks the words, the gaps."""

    def cut(self, line: str) -> tuple[Sequence[str], Gaps]:
        """Return the line's words, and the blanks before each of them and after the last.

        Only the blank separates words.
        """
        pieces = line.split(" ")
        size = len(pieces)
        # Between two blanks stands an empty piece: where they stand tells the gaps.
        empty = pieces.count("")
        if not empty:
            even = self._even.get(size)
            if even is None:
                even = self._even[size] = (0, *[1] * (size - 1), 0)
            return pieces, even
        known = self._known.get((size, empty))
        if known is not None:
            pick, gaps = known
            words = pick(pieces)
            if "" not in words:
                return words, gaps
        filled = [place for place, piece in enumerate(pieces) if piece]
        if len(filled) <= 1:
            # An item getter of one place gives no tuple.
            return [pieces[place] for place in filled], _gaps(filled, size)
        gaps, pick = _gaps(filled, size), itemgetter(*filled)
        self._known[size, empty] = (pick, gaps)
        return pick(pieces), gaps


def _gaps(filled: Sequence[int], size: int) -> Gaps:
    """Return the blanks around the words at some places of so many pieces."""
    if not filled:
        return (size - 1,)
    inner = map(sub, filled[1:], filled)
    return (filled[0], *inner, size - 1 - filled[-1])


def spacing_of(columns: Sequence[tuple[str, ...]], gaps: Sequence[Gaps]) -> Spacing | None:
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
