"""What a template leaves open for a word, and what the words that fill it share."""

from __future__ import annotations

import re
from collections.abc import Sequence

from korad.domain.value import value

_DATE = re.compile(
    r"[\[(\"']?(?:\d{4}[-/.]\d\d[-/.]\d\d[T_/:]|\d\d/[A-Z][a-z]{2}/\d{4}:|\d{8}[T-])(?=\d\d:?\d\d)"
)
_PAIRS = {"[": "]", "(": ")", "<": ">", '"': '"', "'": "'"}
_SHUT = (*_PAIRS.values(), ",", ";")
# A line's number between the file it was found in and its date: "app.log:7:2031-03-03".
_NUMBERED = re.compile(r"((?:[^\s:]*[./][^\s:]*:)?)\d{1,7}([:\t]\d{4}-\d\d-\d\d)")


@value
class Hole:
    """A template's place for a word: what stands around the word, and its padding."""

    before: str = ""
    after: str = ""
    width: int = 0
    """Padded with blanks to so many characters, on the right; negative: on the left."""


_PLAIN = Hole()


def hole_of(column: Sequence[str], width: int) -> Hole:
    """Return what a column's words share that is no part of a value: date, brackets, commas."""
    first = column[0]
    numbered = _NUMBERED.fullmatch(first) if "-" in first else None
    if numbered:
        return _numbered(column, width, *numbered.groups())
    if width:
        return Hole(width=width)
    date = _DATE.match(first)
    if not date and first[0] not in _PAIRS and first[-1] not in _SHUT:
        return _PLAIN
    # What the least and the greatest of words begin with, all of them begin with.
    least, greatest = min(column), max(column)
    ends = "\n".join(["", *column, ""])
    size, most = len(column), min(map(len, column)) - 1
    before = ""
    if date and least.startswith(date[0]) and greatest.startswith(date[0]):
        before = date[0]
    elif first[0] in _PAIRS and least[0] == first[0] == greatest[0]:
        before = first[0]
    after = ""
    while len(before) + len(after) < most:
        more = first[-len(after) - 1 :]
        if not _is_edge(more[0], before, first) or ends.count(f"{more}\n") != size:
            break
        after = more
    if not after and before in _PAIRS:
        before = ""
    return Hole(before=before, after=after) if len(before) + len(after) <= most else _PLAIN


def _numbered(column: Sequence[str], width: int, before: str, after: str) -> Hole:
    """Return what stands around a line's number: the file it was found in, and the date."""
    is_padded = width < 0 and not before
    alike = [word for word in column if word.startswith(before) and word.endswith(after)]
    most = min(map(len, column)) - 1
    if len(alike) < len(column) or len(before) + len(after) > most or (width and not is_padded):
        return Hole(width=width)
    return Hole(before=before, after=after, width=width and width + len(after))


def _is_edge(character: str, before: str, word: str) -> bool:
    """Tell whether a word's last character belongs to the sentence and not to the value."""
    if character in ",;":
        return True
    return any(
        character == shut and (before[:1] == start or (start != shut and start not in word))
        for start, shut in _PAIRS.items()
    )
