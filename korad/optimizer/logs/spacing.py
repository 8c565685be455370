"""How many blanks stand between a log line's words, and which padding explains them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import add, itemgetter, sub

from korad.domain.value import value

Words = tuple[str, ...]
Gaps = tuple[int, ...]
_Pick = Callable[[Words], Words]


@value
class Spacing:
    """The blanks that all lines of one format share."""

    gaps: list[int]
    """Blanks before each word, and after the last."""
    widths: list[int]
    """How many characters each word is padded to, on the right; negative: on the left; 0: not."""


def cut(lines: Sequence[str]) -> tuple[list[Words], list[Gaps]]:
    """Return the words of each line, and the blanks before each of them and after the last.

    Only the blank separates words. Lines of as many blanks are cut together.
    """
    words: list[Words] = [()] * len(lines)
    gaps: list[Gaps] = [()] * len(lines)
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        alike[line.count(" ") + 1].append(place)
    for size, places in alike.items():
        pieces = " ".join([lines[place] for place in places]).split(" ")
        columns = [pieces[at::size] for at in range(size)]
        # Between two blanks stands an empty piece: where they stand tells the gaps.
        empties = [column.count("") for column in columns]
        filled = [at for at, empty in enumerate(empties) if empty < len(places)]
        rows: Iterable[Words]
        if any(map(empties.__getitem__, filled)):
            rows, blanks = _filled(zip(*columns, strict=True))
        else:
            rows = zip(*[columns[at] for at in filled], strict=True) if filled else repeat(())
            blanks = repeat(_gaps(filled, size))
        for place, row, there in zip(places, rows, blanks, strict=False):
            words[place], gaps[place] = row, there
    return words, gaps


def _filled(rows: Iterable[Words]) -> tuple[list[Words], Iterable[Gaps]]:
    """Return the words among the pieces of each row, and the gaps that the empty pieces tell.

    The rows have as many pieces. Where an earlier row's empty pieces are is tried first.
    """
    known: dict[int, tuple[_Pick, Gaps]] = {}
    words: list[Words] = []
    found: list[Gaps] = []
    for row in rows:
        empty = row.count("")
        if empty in known:
            pick, gaps = known[empty]
            picked = pick(row)
            if "" not in picked:
                words.append(picked)
                found.append(gaps)
                continue
        filled = [at for at, piece in enumerate(row) if piece]
        gaps = _gaps(filled, len(row))
        if len(filled) > 1:
            # An item getter of one place gives no tuple.
            known[empty] = (itemgetter(*filled), gaps)
        words.append(tuple([row[at] for at in filled]))
        found.append(gaps)
    return words, found


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
