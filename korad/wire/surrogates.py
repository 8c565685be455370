r"""Half surrogate pairs in JSON: "\ud83d" is what is left of an emoji that a client cut in two.

JSON's grammar allows them. They are no characters, cannot be written as UTF-8, and Anthropic,
DeepSeek and others refuse a body that has one.
"""

from __future__ import annotations

import re

ESCAPES_MAX = 20_000
"""A text with more of them is left as it is: it would hold the event loop for over 10 ms."""
_BACKSLASHES_MAX = 16
"""Behind more of them it is not told whether they are escaped."""
_HEX2 = rb"[0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F]" + _HEX2
_PAIR = re.compile(rb"\\u[dD](?:[89abAB]" + _HEX2 + _LOW + rb"|[89a-fA-F]" + _HEX2 + rb")")
_PAIR_BYTES = len(rb"\ud83d\ude00")
_REPLACEMENT = rb"\ufffd"
_BACKSLASH = ord("\\")


def without_half_pairs(json: bytes) -> bytes:
    """Return the text `json` with U+FFFD for each half of a pair, as UTF-8 encoders write it."""
    return json if json.count(rb"\u") > ESCAPES_MAX else _PAIR.sub(_mended, json)


def _mended(found: re.Match[bytes]) -> bytes:
    """Return a whole pair and what is no escape as they are, U+FFFD for a half of a pair."""
    text, start = found.string, found.start()
    before = start - 1
    while before >= 0 and text[before] == _BACKSLASH and start - before <= _BACKSLASHES_MAX:
        before -= 1
    backslashes = start - before
    if backslashes > _BACKSLASHES_MAX:
        return found[0]
    is_escape = backslashes % 2
    if len(found[0]) == _PAIR_BYTES:
        # Behind a backslash that is itself escaped the first is plain text, and the second a half.
        return found[0] if is_escape else found[0][: _PAIR_BYTES // 2] + _REPLACEMENT
    return _REPLACEMENT if is_escape else found[0]
