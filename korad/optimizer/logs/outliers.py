"""Find the lines of a log that stand out from others of their shape, by one of their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import itemgetter, sub

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_HEX = b"0123456789abcdef"
_NUMERIC = b"0123456789.-"
LEAST_ROWS = 8
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
_SOME_PARTS = 4
"""Of so many parts of a field one is looked at first."""


def outstanding(rows: Sequence[Sequence[str]], *, extremes: bool) -> Iterator[int]:
    """Yield the places of rows with a rare value, a far value, or beside a gap in a count.

    The rows must have words of one number. With `extremes` each number field's least and greatest
    values are meant too, far or not.
    """
    if len(rows) < LEAST_ROWS:
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
    signs = _signs(column, _HEX)
    if _are_same(signs, column):
        return []
    forms = signs[:-1].split(b"\n")
    kinds = len(set(forms))
    return _rare(forms, kinds) if kinds > 1 and len(forms) == len(column) else []


def _far(column: Sequence[str], *, extremes: bool) -> Iterator[int]:
    """Yield the places of far numbers and of gaps in a count, if each word holds one number."""
    if not all(map(_holds, column[:LEAST_ROWS])):
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
    if found is None or not _are_same(_signs(column, _NUMERIC), column):
        return []
    start, end = found.start(), found.end() - len(column[0]) or None
    words = map(itemgetter(slice(start, end)), column) if start or end else column
    try:
        return list(map(float, words))
    except ValueError:
        return []


def _signs(column: Sequence[str], left_out: bytes) -> bytes:
    """Return the words without some characters, a line each."""
    joined = "\n".join(column).encode("utf-8", "surrogatepass")
    return joined.translate(None, left_out) + b"\n"


def _are_same(signs: bytes, column: Sequence[str]) -> bool:
    """Tell whether what is left of each word is the same."""
    return signs == signs[: signs.index(b"\n") + 1] * len(column)


def _holds(word: str) -> bool:
    return len(_NUMBER.findall(word)) == 1


def _gaps(numbers: Sequence[float]) -> Iterator[int]:
    """Yield the places on both sides of each jump of a field that else counts evenly."""
    # Most fields do not count: their first steps already differ too much.
    odd_most = (1 - _REGULAR) * len(numbers)
    some = numbers[: len(numbers) // _SOME_PARTS + 1]
    if len(set(map(sub, some[1:], some))) > odd_most + 1:
        return
    steps = list(map(sub, numbers[1:], numbers))
    usual, times = Counter(steps).most_common(1)[0]
    if usual == 0 or times < _REGULAR * len(steps) or times == len(steps):
        return
    jumps = [place for place, step in enumerate(steps) if step != usual]
    for place in jumps[:_GAPS]:
        yield place
        yield place + 1
