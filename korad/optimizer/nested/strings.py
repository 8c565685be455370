"""Find the long strings of a text that is one JSON value: outputs, pages, files in an envelope.

Keys are none of them, and neither is what stands anywhere under the name of something that is
passed on as it is (a token, a cursor, arguments), or in an object with a signature. With each
string goes where it is from, if its object says so: the call may not tell that what is shown is a
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec

from korad.domain.value import Fact
from korad.optimizer.nested.passed_on import passed_on
from korad.optimizer.nested.places import place_of
from korad.optimizer.recognition.kinds import is_json

CHARS_MIN = 256
"""A shorter string has hardly 32 tokens to give."""
STRINGS_MAX = 64
"""So many are looked at, the longest: each costs as much as a small text."""
DEPTH_MAX = 2
"""So deep are strings looked into: many tools return a JSON text in a list of parts."""

_BLANKS = " \t\r\n"
_BEGIN = re.compile(r'[ \t\r\n]*[\[{"]')
_ENDS = ("]", "}", '"')
_QUOTED = 1
"""A part and the quotation mark after it."""
_STAND_IN = "__"
"""In the place of escapes, as long as they are."""


class JsonString(Fact, frozen=True):
    """A string of a JSON text."""

    start: int
    end: int
    """Its bounds in the text, within the quotation marks."""
    text: str
    """What it says."""
    place: str
    """A call that shows the file or the page that the text is said to be; "" if none is named."""


def may_hold_strings(text: str) -> bool:
    """Return whether a text may be JSON with a string worth a look; about 10 GB/s."""
    # A string that is lines, mark-up or JSON is written with escapes.
    return _BEGIN.match(text) is not None and "\\" in text and text.rstrip(_BLANKS).endswith(_ENDS)


def long_strings(text: str) -> list[JsonString]:
    """Return the strings of at least `CHARS_MIN` characters, in order; none if it is not JSON."""
    parts = _parts(text)
    sizes = list(map(len, parts))
    if max(sizes) < CHARS_MIN or not _is_value(text, parts):
        return []
    chosen = [n for n, size in enumerate(sizes) if size >= CHARS_MIN and n % 2]
    if len(chosen) > STRINGS_MAX:
        chosen = sorted(sorted(chosen, key=lambda n: -sizes[n])[:STRINGS_MAX])
    ends = list(accumulate(map(_QUOTED.__add__, sizes)))
    chosen = [n for n in chosen if text.find("\\", ends[n - 1], ends[n]) >= 0]
    kept = passed_on(text, parts, chosen) if chosen else set()
    found = []
    for n in chosen:
        start, end = ends[n - 1], ends[n] - 1
        said = "" if n in kept else _said(text[start:end])
        if len(said) >= CHARS_MIN:
            found.append(JsonString(start=start, end=end, text=said, place=place_of(parts, n)))
    return found


def texts_within(text: str, depth: int = DEPTH_MAX) -> list[str]:
    """Return what the long strings of a JSON text say, and those of JSON in them."""
    if not depth or not may_hold_strings(text):
        return []
    found = []
    for each in long_strings(text):
        found += [each.text, *texts_within(each.text, depth - 1)]
    return found


def all_within(text: str, depth: int = DEPTH_MAX) -> Iterator[tuple[str, bool]]:
    """Yield what every string of a JSON text says, however short, named or deep: keys as well.

    With each goes whether it is one of `texts_within`, which come in the same order.
    """
    parts = _parts(text) if _BEGIN.match(text) else []
    if not parts or not _is_value(text, parts):
        return
    long: set[int] = set()
    if depth > 0 and may_hold_strings(text):
        long = {each.start for each in long_strings(text)}
    start = len(parts[0]) + 1
    for n in range(1, len(parts), 2):
        end = start + len(parts[n])
        source = text[start:end]
        said = _said(source) if "\\" in source else source
        yield said, start in long
        if '"' in said:
            # Each level doubles the backslashes before a quotation mark: there are few.
            yield from all_within(said, depth - 1 if start in long else 0)
        start = end + len(parts[n + 1]) + 2


def _parts(text: str) -> list[str]:
    """Return what stands between quotation marks; every other part is a string of JSON."""
    # What quotation marks are left begin and end strings: backslashes stand only within them.
    return text.replace("\\\\", _STAND_IN).replace('\\"', _STAND_IN).split('"')


def _is_value(text: str, parts: Sequence[str]) -> bool:
    """Tell whether the text is one JSON value: a string, an array or an object."""
    if len(parts) == 3 and not (parts[0] + parts[2]).strip(_BLANKS):  # noqa: PLR2004 - around one string
        return True
    return len(parts) % 2 == 1 and is_json(text)


def _said(source: str) -> str:
    """Return what is written in a string, "" if that is no text."""
    try:
        return msgspec.json.decode(f'"{source}"', type=str)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ""
