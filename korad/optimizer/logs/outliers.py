"""Find the lines of a log that stand out from others of their shape, by one of their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import sub

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_HEX = b"0123456789abcdef"
_LEAST_ROWS = 8
"""Among fewer lines nothing is usual."""
_RARE = 3
"""A value met so often or less is rare where the others repeat."""
_RARE_SHARE = 0.06
_FENCE_FACTOR = 6
"""A value lies far outside when it is so many quartile ranges away from the middle half."""
_MOST = 4
"""Extremes kept of one field, on each side."""
_GAPS = 12
_REGULAR = 0.9


def outstanding(rows: Sequence[Sequence[str]], *, extremes: bool) -> Iterator[int]:
    """Yield the places of rows with a rare value, a far value, or beside a gap in a count.

    The rows must have words of one number. With `extremes` each number field's least and greatest
    values are meant too, far or not.
    """
    if len(rows) < _LEAST_ROWS:
        return
    for column in zip(*rows, strict=True):
        if column[0] == column[-1] and column.count(column[0]) == len(column):
            continue
        kinds = len(set(column))
        rare = _rare(column, kinds)
        yield from rare
        if kinds > _RARE:
            if not rare:
                yield from _rare_form(column)
            yield from _far(column, extremes=extremes)


def _rare(column: Sequence[str] | Sequence[bytes], kinds: int) -> list[int]:
    """Return the places of words met a few times in a column of words that else repeat."""
    most = max(_RARE, int(len(column) * _RARE_SHARE))
    if kinds > most + len(column) // (_RARE + 1):
        return []
    counts = Counter(column)
    odd = {word for word, count in counts.items() if count <= _RARE}
    if not odd or len(odd) > most:
        return []
    places = [place for place, word in enumerate(column) if word in odd]
    return places if len(places) <= most else []


def _rare_form(column: Sequence[str]) -> list[int]:
    """Return the places of words whose letters are rare when their digits are not looked at."""
    joined = "\n".join(column).encode("utf-8", "surrogatepass")
    forms = joined.translate(None, _HEX).split(b"\n")
    kinds = len(set(forms))
    return _rare(forms, kinds) if kinds > 1 and len(forms) == len(column) else []


def _far(column: Sequence[str], *, extremes: bool) -> Iterator[int]:
    """Yield the places of far numbers and of gaps in a count, if each word holds one number."""
    if not all(map(_holds, column[:_LEAST_ROWS])):
        return
    numbers = _numbers(column)
    if not numbers:
        return
    yield from _gaps(numbers)
    ranked = sorted(numbers)
    low, high = ranked[len(ranked) // 4], ranked[len(ranked) * 3 // 4]
    reach = max((high - low) * _FENCE_FACTOR, abs(high) * 0.5)
    floor, ceiling = low - reach, high + reach
    if extremes:
        yield numbers.index(ranked[0])
        yield numbers.index(ranked[-1])
    if ranked[-1] > ceiling:
        bar = max(ranked[-_MOST], min(number for number in ranked[-_MOST:] if number > ceiling))
        yield from [place for place, number in enumerate(numbers) if number >= bar]
    if ranked[0] < floor:
        bar = min(ranked[_MOST - 1], max(number for number in ranked[:_MOST] if number < floor))
        yield from [place for place, number in enumerate(numbers) if number <= bar]


def _numbers(column: Sequence[str]) -> list[float]:
    """Return the number in each word; none if the words differ in more."""
    found = _NUMBER.search(column[0])
    joined = "\n".join(column).encode("utf-8", "surrogatepass")
    signs = joined.translate(None, b"0123456789.-") + b"\n"
    form = signs[: signs.index(b"\n") + 1]
    if found is None or signs != form * len(column):
        return []
    start, end = found.start(), found.end() - len(column[0]) or None
    try:
        return [float(word[start:end]) for word in column]
    except ValueError:
        return []


def _holds(word: str) -> bool:
    return len(_NUMBER.findall(word)) == 1


def _gaps(numbers: Sequence[float]) -> Iterator[int]:
    """Yield the places on both sides of each jump of a field that else counts evenly."""
    steps = list(map(sub, numbers[1:], numbers))
    usual, times = Counter(steps).most_common(1)[0]
    if usual == 0 or times < _REGULAR * len(steps) or times == len(steps):
        return
    jumps = [place for place, step in enumerate(steps) if step != usual]
    for place in jumps[:_GAPS]:
        yield place
        yield place + 1
