"""Write a text as a JSON string in the spelling of the one that it comes from.

Writers of JSON differ in what they escape: everything that is not ASCII, every slash, angle
brackets. What stays of a string stays as it was written; where that is not told by its characters
alone (one slash escaped and the next one not) the string cannot be written anew.
"""

from __future__ import annotations

import re

import msgspec

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|[^u])"
)
_ALWAYS = {
    "\\": "\\\\",
    '"': '\\"',
    **{chr(code): f"\\u{code:04x}" for code in range(32)},
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
"""How that is mostly written which JSON lets nobody write as it is; what all others are written
with comes first."""
_SOMETIMES = frozenset("/<>&'=+`\x7f")
"""What some writers escape too, and no escape holds."""
_ESCAPE_OF_ASCII = "\\u00"
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def any_spelling(words: str) -> re.Pattern[str]:
    """Return what `may_spell` finds ASCII words by."""
    signs = [f"(?:{re.escape(sign)}|u00(?i:{ord(sign):02x}))" for sign in words]
    return re.compile("".join(signs))


def may_spell(text: str, words: re.Pattern[str]) -> bool:
    """Return whether a string of JSON, or of JSON in one, may say the words by an escape."""
    if _ESCAPE_OF_ASCII not in text:
        return False
    # However deep it stands, it differs by backslashes, which may themselves be escaped.
    bare = text.replace("\\", "").replace("u005c", "").replace("u005C", "")
    return words.search(bare) is not None


def respelled(source: str, text: str, new: str) -> str | None:
    """Return `new` written as `source` is, which says `text`; None: that has no one spelling."""
    spelling = _Spelling(source)
    return spelling.written(new) if spelling.written(text) == source else None


class _Spelling:
    """How a string writes each character."""

    __slots__ = ("_beyond", "_signs")

    def __init__(self, source: str) -> None:
        escapes = set(_ESCAPE.findall(source))
        said = {msgspec.json.decode(f'"{each}"', type=str): each for each in escapes}
        self._signs = _ALWAYS | {
            sign: each for sign, each in said.items() if sign in _ALWAYS or sign in _SOMETIMES
        }
        """Of ASCII, in the order in which they are to be written."""
        beyond = {ord(sign): each for sign, each in said.items() if not sign.isascii()}
        if beyond and source.isascii():
            is_upper = any(each[2:] != each[2:].lower() for each in escapes)
            beyond = _AsciiOnly(beyond, is_upper=is_upper)
        self._beyond = beyond

    def written(self, text: str) -> str:
        """Return the text as it stands between a string's quotation marks."""
        for sign, each in self._signs.items():
            if sign in text:
                text = text.replace(sign, each)
        if self._beyond and not text.isascii():
            return _BEYOND_ASCII.sub(lambda found: found[0].translate(self._beyond), text)
        return text


class _AsciiOnly(dict[int, str]):
    """The spelling of all that is not ASCII, in a string that has none of it as it is."""

    def __init__(self, known: dict[int, str], *, is_upper: bool) -> None:
        super().__init__(known)
        self._digits = "04X" if is_upper else "04x"

    def __missing__(self, code: int) -> str:
        """Return a character's UTF-16 units as escapes."""
        data = chr(code).encode("utf-16-be")
        units = (int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
        written = self[code] = "".join(f"\\u{unit:{self._digits}}" for unit in units)
        return written
