"""Tell from the members beside a string which file or page the string shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_BLANKS = " \t\r\n"
_BETWEEN_MEMBERS = _BLANKS + ":,"
KEY_CHARS = 64
"""No name is so long."""
_PATH = re.compile(
    r"(?:(?:file|full|target|absolute|relative)[_-]?)?(?:path|file)|file[_-]?name", re.IGNORECASE
)
_NAME = re.compile(r"name", re.IGNORECASE)
_FILE_NAME = re.compile(r".*\w\.\w{1,10}")
"""What else has a name is mostly no file."""
_ADDRESS = re.compile(r"ur[il]|href|link", re.IGNORECASE)
_WEB = ("http://", "https://")
_LOCAL = "file:"
_PLACE_CHARS_MAX = 300
_BRACKET = re.compile(r"[\[\]{}]")
_NEIGHBOURS_MAX = 32
"""So many strings on either side may say where a text is from."""
_BETWEEN_CHARS_MAX = 1_000
"""More between two strings are not members of one object."""
_SHOWS, _FETCHES = " open ", " "


def key_of(parts: Sequence[str], n: int) -> str:
    """Return the key of the string in `parts[n]`, or its end; "" if it has none.

    The parts of a JSON text stand between its quotation marks: every other one is a string.
    """
    return parts[n - 2][-KEY_CHARS:] if n > 1 and parts[n - 1].strip(_BLANKS) == ":" else ""


def place_of(parts: Sequence[str], n: int) -> str:
    """Return a call that shows what the object of the string in `parts[n]` names as its place."""
    found: dict[str, str] = {}
    for other in (*_members_beside(parts, n, -1), *_members_beside(parts, n, 1)):
        key, value = key_of(parts, other), parts[other]
        if key and len(value) <= _PLACE_CHARS_MAX:
            how, member = _named(key, value)
            found.setdefault(how, f'{how}{{"{member}": "{value}"}}')
    return found.get(_SHOWS, "") + found.get(_FETCHES, "")


def _named(key: str, value: str) -> tuple[str, str]:
    """Return how a call gets at the place that a member names, and as what; "": it names none."""
    is_address, is_path = _ADDRESS.fullmatch(key), _PATH.fullmatch(key)
    if (is_address or is_path) and value.startswith(_WEB):
        return _FETCHES, "url"
    if is_address and not value.startswith(_LOCAL):
        return _FETCHES, "url"
    if is_address or is_path or (_NAME.fullmatch(key) and _FILE_NAME.fullmatch(value)):
        return _SHOWS, "path"
    return "", ""


def _members_beside(parts: Sequence[str], n: int, step: int) -> Iterator[int]:
    """Yield the strings that are values of the object in which string `n` stands, to one side."""
    depth, outward = 0, "[{" if step < 0 else "]}"
    last = n + step * 2 * _NEIGHBOURS_MAX
    last = max(last, 0) if step < 0 else min(last, len(parts) - 1)
    for between in range(n + step, last, 2 * step):
        if len(parts[between]) > _BETWEEN_CHARS_MAX:
            return
        if parts[between].strip(_BETWEEN_MEMBERS):
            for bracket in _BRACKET.findall(parts[between])[::step]:
                depth += -1 if bracket in outward else 1
                if depth < 0:
                    return
        if depth == 0:
            yield between + step
