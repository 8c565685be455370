r"""Half surrogate pairs in JSON: "\ud83d" is what is left of an emoji that a client cut in two.

JSON's grammar allows them. They are no characters, cannot be written as UTF-8, and Anthropic,
DeepSeek and others refuse a body that has one.
"""

from __future__ import annotations

import re

_HEX2 = rb"[0-9a-fA-F]{2}"
_HIGH = rb"[dD][89abAB]" + _HEX2
_LOW = rb"[dD][c-fC-F]" + _HEX2
_HALF_PAIR = re.compile(
    # It begins with plain text for the search to be quick: 3 GB/s where there is none.
    rb"\\u"
    # A backslash that is itself escaped begins nothing; behind "\\" it does.
    rb"(?:(?<!\\\\u)|(?<=[^\\]\\\\\\u))"
    rb"(?:" + _HIGH + rb"(?!\\u" + _LOW + rb")|(?<!\\u" + _HIGH + rb"\\u)" + _LOW + rb")"
)
_REPLACEMENT_CHARACTER = rb"\\ufffd"


def without_half_pairs(json: bytes) -> bytes:
    """Return the text `json` with U+FFFD for each half of a pair, as UTF-8 encoders write it."""
    return _HALF_PAIR.sub(_REPLACEMENT_CHARACTER, json)
