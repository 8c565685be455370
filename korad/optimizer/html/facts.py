"""What the JSON-LD of a page says: price, author, dates, ratings; without its plumbing."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
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
_DATES: Final = frozenset({"datePublished", "dateModified", "dateCreated"})
_DAY_CHARS: Final = len("2000-01-01")
_NO_DAY: Final = "0001-01-01"
"""What programs write that know no date."""
_BESIDE: Final = frozenset({"Person", "Organization", "WebPage"})
"""What stands in a graph beside what the page is about."""
_CLEAR: Final = frozenset(
    [
        "AggregateRating",
        "Brand",
        "GeoCoordinates",
        "Offer",
        "Organization",
        "Person",
        "Place",
        "PostalAddress",
        "Rating",
    ]
)
"""The types that the name of the entry they stand under says already."""
_TAG: Final = re.compile(r"</?[a-z][^<>]*>")
_DEEPEST: Final = 64
_SHORTEST_KNOWN_CHARS: Final = 20
_LONG_CHARS: Final = 160


def _as_written(number: str) -> msgspec.Raw:
    return msgspec.Raw(number.encode())


# Prices keep their zeros: 1.10 is not written 1.1.
_DECODER: Final = msgspec.json.Decoder(float_hook=_as_written)


class Facts:
    """Takes from the data of a page's scripts what the page does not say.

    `known` is what it says, `days` are those that it gives as its own.
    """

    __slots__ = ("_days", "_known")

    def __init__(self, known: Container[str], days: Iterable[str]) -> None:
        self._known = known
        self._days = {_NO_DAY, *days}

    def of(self, source: str) -> str:
        """Return a JSON-LD text as short JSON; "": it holds no facts or is too long to be worth it.

        What is not JSON stays as it is.
        """
        source = source.strip()
        try:
            data = _DECODER.decode(source)
        except (msgspec.DecodeError, RecursionError):
            shorter = source
        else:
            left = self._left(data)
            # A list of mere names has no facts.
            bare = left is None or isinstance(left, str)
            shorter = "" if bare else msgspec.json.encode(left).decode()
        return shorter if len(shorter) <= _LONGEST_CHARS else ""

    def _left(self, value: Any, depth: int = 0, under: str = "") -> Any:
        """Return the data without plumbing and what is known; None: nothing is left."""
        if depth > _DEEPEST:
            return value
        if isinstance(value, list):
            if under == "@graph":
                return self._of_graph(value, depth)
            items = [self._left(item, depth + 1) for item in value]
            return _shorter([item for item in items if item is not None]) or None
        if isinstance(value, dict):
            return self._of_object(value, depth, under)
        if isinstance(value, str):
            return self._of_text(value, under)
        return value

    def _of_text(self, value: str, under: str) -> str | None:
        if "<" in value or "&" in value:
            value = " ".join(_TAG.sub(" ", unescape(value)).split())
        if under in _DATES and value[:4].isdecimal():
            day = value[:_DAY_CHARS]
            if day in self._days:
                return None
            self._days.add(day)
        elif under == "keywords":
            words = [word.strip() for word in value.split(",")]
            value = ", ".join(word for word in words if word and word not in self._known)
        # A short text may stand in the page and mean something else there.
        known = len(value) >= _SHORTEST_KNOWN_CHARS and value in self._known
        return value if value and not known else None

    def _of_graph(self, items: list[Any], depth: int) -> Any:
        main = any(isinstance(item, dict) and _kind(item) not in _BESIDE for item in items)
        left = []
        for item in items:
            fact = self._left(item, depth + 1)
            if main and isinstance(fact, dict) and _kind(fact) == "Person":
                fact = fact.get("name")  # the author's life is not what the page tells
            if fact is not None and not (isinstance(fact, str) and fact in self._known):
                left.append(fact)
        return left or None

    def _of_object(self, data: dict[str, Any], depth: int, under: str) -> Any:
        kind = _kind(data)
        if kind in _PLUMBING_TYPES:
            return None
        left = {
            name: value if name == "@type" else fact
            for name, value in data.items()
            if name not in _PLUMBING
            and not (name == "@type" and under and kind in _CLEAR)
            and (fact := self._left(value, depth + 1, name)) is not None
        }
        said = left.get("publisher")
        if isinstance(said, str) and said in self._known:
            del left["publisher"]  # the site
        facts = left.keys() - _NAMES
        name = data.get("name")
        if facts and isinstance(name, str) and "name" not in left and kind != "WebPage":
            left["name"] = name  # what the facts are about
        if facts or not isinstance(name, str):
            return left if facts else None
        # A person or a company without more than a name is that name.
        return name if depth and "name" in left and kind != "WebPage" else None


def _shorter(items: list[Any]) -> list[Any]:
    """Return several things without the long texts about each: they have pages of their own."""
    for item in items if len(items) > 1 else ():
        if isinstance(item, dict) and len(str(item.get("description", ""))) > _LONG_CHARS:
            del item["description"]
    return items


def _kind(data: dict[str, Any]) -> str:
    kind = data.get("@type")
    if isinstance(kind, list) and len(kind) == 1:
        kind = kind[0]
    return kind if isinstance(kind, str) else ""
