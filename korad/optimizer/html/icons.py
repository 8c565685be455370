"""Name what a tag without words shows: the icons in it, by their labels or their classes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from korad.optimizer.html.marks import words_of
from korad.optimizer.html.tokens import ATTRIBUTES, NAME, RAW_NAME, STRIDE, TEXT

_MOST_TAGS: Final = 64
"""A drawing may have a hundred thousand."""
_ICON: Final = re.compile(
    r"(?:fa|fas|far|icons?|ico|glyphicon|bi|mdi|ti|ri|la|pi|oi|octicon|feather|lucide|dashicons|codicon)"
    r"[-_]{1,2}([a-z][\w-]*)|([a-z]\w*)[-_]{1,2}icon",
    re.IGNORECASE,
)
_LOOKS: Final = frozenset(
    [
        *("xs", "sm", "md", "lg", "xl", "small", "medium", "large", "left", "right"),
        *("fw", "spin", "pulse", "border", "inverse", "default", "primary", "secondary"),
        *("solid", "regular", "light", "thin", "brands", "duotone"),
        *("wrapper", "container", "box", "svg", "font", "img", "image"),
    ]
)
"""What such a class says of an icon's form alone."""
_NAMES: Final = frozenset(
    [
        *("yes", "no", "true", "false", "ok", "check", "checked", "checkmark", "tick", "cross"),
        *("times", "included", "excluded", "available", "unavailable", "supported", "unsupported"),
        *("enabled", "disabled", "star", "full", "half", "empty"),
    ]
)
"""What a class or a file says all by itself."""
_FILE: Final = re.compile(r"(?:[^?#]*/)?([a-z]+)[^/?#]*\.\w+(?:[?#]|$)", re.IGNORECASE)


def icons_between(
    tokens: list[str | None], start: int, end: int, attributes: Callable[[str], dict[str, str]]
) -> str:
    """Return what the icons from the tag at `start` to the one at `end` are called, or "".

    Labels that are made for readers go before names that are made for programs.
    """
    labels: list[str] = []
    names: list[str] = []
    for at in range(start, min(end, start + _MOST_TAGS * STRIDE), STRIDE):
        if source := tokens[at + ATTRIBUTES]:
            of = attributes(source)
            if label := words_of(of.get("aria-label") or of.get("title") or ""):
                labels.append(label)
            elif at > start and (name := _name(of)):
                names.append(name)
    return " ".join(labels or names)


def _name(of: dict[str, str]) -> str:
    for word in of.get("class", "").split():
        found = _ICON.fullmatch(word)
        name = (found[1] or found[2]) if found else word
        if name.lower() not in _LOOKS and (found or name.lower() in _NAMES):
            return name
    file = _FILE.match(of.get("src", ""))
    return file[1] if file and file[1].lower() in _NAMES else ""


def shows_no_words(tokens: list[str | None], at: int) -> bool:
    """Tell whether no words stand between the tag at `at` and its end, as in a drawing."""
    end = f"/{tokens[at + NAME]}"
    for inner in range(at + STRIDE, min(at + _MOST_TAGS * STRIDE, len(tokens) - 1), STRIDE):
        name, raw = tokens[inner + NAME], tokens[inner + RAW_NAME]
        if (tokens[inner + TEXT] or "").strip() or (raw and raw.lower() == "title"):
            return False
        if name == end:
            return True
        if name in ("img", "input") and "alt=" in (tokens[inner + ATTRIBUTES] or ""):
            return False
    return False


def is_in_drawing(tokens: list[str | None], at: int) -> bool:
    """Tell whether the raw element at `at` is the first thing in a drawing or a group of it."""
    before = tokens[at - STRIDE + NAME] if at else None
    return before is not None and before.lower() in ("svg", "g", "symbol")
