"""What the JSON-LD of a page says: price, author, dates, ratings; without its plumbing."""

from __future__ import annotations

import re
from collections.abc import Container
from html import unescape
from typing import Any, Final

import msgspec

_LONGEST_CHARS: Final = 4096
_PLUMBING: Final = frozenset(
    [
        "@context",
        "@id",
        "image",
        "logo",
        "mainEntityOfPage",
        "potentialAction",
        "isPartOf",
        "breadcrumb",
        "width",
        "height",
        "primaryImageOfPage",
        "thumbnailUrl",
        "inLanguage",
        "sameAs",
        "webFeed",
        "speakable",
        "isAccessibleForFree",
        "url",
    ]
)
_PLUMBING_TYPES: Final = frozenset(
    ["ImageObject", "WebSite", "BreadcrumbList", "SearchAction", "SiteNavigationElement"]
)
_NAMES: Final = frozenset({"@type", "type", "name"})
_TAG: Final = re.compile(r"</?[a-z][^<>]*>")
_DEEPEST: Final = 64
_SHORTEST_KNOWN_CHARS: Final = 20


def _as_written(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


# Prices keep their zeros: 1.10 is not written 1.1.
_DECODER: Final = msgspec.json.Decoder(float_hook=_as_written)


def _left(value: Any, known: Container[str], depth: int = 0) -> Any:
    """Return the data without plumbing and what is `known`; None: nothing is left."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        items = [_left(item, known, depth + 1) for item in value]
        return [item for item in items if item is not None] or None
    if isinstance(value, dict):
        return _left_of_object(value, known, depth)
    if isinstance(value, str):
        if "<" in value or "&lt;" in value:
            value = " ".join(_TAG.sub(" ", unescape(value)).split())
        # A short text may stand in the page and mean something else there.
        seen = not value or (len(value) >= _SHORTEST_KNOWN_CHARS and value in known)
        return None if seen else value
    return value


def _left_of_object(data: dict[str, Any], known: Container[str], depth: int) -> Any:
    kind = data.get("@type")
    if isinstance(kind, str) and kind in _PLUMBING_TYPES:
        return None
    left = {
        name: value if name == "@type" else fact
        for name, value in data.items()
        if name not in _PLUMBING and (fact := _left(value, known, depth + 1)) is not None
    }
    facts = left.keys() - _NAMES
    name = data.get("name")
    if facts and isinstance(name, str) and "name" not in left:
        left["name"] = name  # what the facts are about
    if facts or not isinstance(name, str):
        return left if facts else None
    # A person or a company without more than a name is that name.
    return name if depth and "name" in left else None


def facts_of(source: str, known: Container[str]) -> str:
    """Return a JSON-LD text as short JSON; "" if it holds no facts or is too long to be worth it.

    Long texts that are `known` (the page says them) are left out.
    What is not JSON stays as it is.
    """
    source = source.strip()
    try:
        data = _DECODER.decode(source)
    except (msgspec.DecodeError, RecursionError):
        shorter = source
    else:
        left = _left(data, known)
        # A list of mere names has no facts.
        bare = left is None or isinstance(left, str)
        shorter = "" if bare else msgspec.json.encode(left).decode()
    return shorter if len(shorter) <= _LONGEST_CHARS else ""
