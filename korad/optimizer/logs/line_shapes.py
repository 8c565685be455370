"""Mask what differs between a log's lines of one shape: numbers, ids, paths, quoted values.

What a mask finds never goes across a line's end: all lines are masked at once. A pattern for words
with a number in them would be tried at every word. So the numbers are looked for, which goes ten
times as fast: once with what follows each, and, in the text turned round, with what goes before.
"""

from __future__ import annotations

import re
from typing import Final

_MASKED: Final = "\0"
_ZERO: Final = "0"
_TO_ZERO: Final = str.maketrans("123456789", _ZERO * 9)
_DIGIT: Final = re.compile(r"\d")
_DOUBLE: Final = r'"[^"\n0/]*[0/][^"\n]*"'
_SINGLE: Final = r"'[^'\n0/]*[0/][^'\n]*'"
_QUOTED: Final = {
    (True, False): re.compile(_DOUBLE),
    (False, True): re.compile(_SINGLE),
    (True, True): re.compile(f"{_DOUBLE}|{_SINGLE}"),
}
"""By whether there are double and single quotation marks."""
_FROM_NUMBER: Final = re.compile(r"0[\w.:/@%+-]*")
_BLANKS: Final = re.compile("  +")

_COARSE: Final = re.compile(
    r"\"[^\"\n]*\"(?!:)|'[^'\n]*'|(?<![^\s\"'])[^\s0./_]*[0./_]\S*|\b(?:TRACE|DEBUG|INFO)\b|  +"
)
_SIGNS: Final = str.maketrans("0/_", "...")
_FROM_SIGN: Final = re.compile(r"\.\S*")
_LEVEL: Final = re.compile(r"\b(?:TRACE|DEBUG|INFO)\b")


def mask(text: str) -> str:
    """Return lines with words that hold a digit masked, and quoted values with one or a path."""
    text = _with_zeros(text)
    quoted = _QUOTED.get(('"' in text, "'" in text))
    if quoted:
        text = quoted.sub(_MASKED, text)
    text = _FROM_NUMBER.sub(_ZERO, text)[::-1]
    return _BLANKS.sub(_MASKED, _FROM_NUMBER.sub(_MASKED, text)[::-1])


def mask_coarsely(text: str) -> str:
    """Return lines with all quoted values masked, and words with a digit, a dot or a slash."""
    text = _with_zeros(text)
    if '"' in text or "'" in text:
        return _COARSE.sub(_MASKED, text)
    text = _FROM_SIGN.sub(".", text.translate(_SIGNS))[::-1]
    text = _FROM_SIGN.sub(_MASKED, text)[::-1]
    return _BLANKS.sub(_MASKED, _LEVEL.sub(_MASKED, text))


def _with_zeros(text: str) -> str:
    return text.translate(_TO_ZERO) if text.isascii() else _DIGIT.sub(_ZERO, text)
