"""What a page says about itself: title, description, author, dates, canonical address."""

from __future__ import annotations

import re
import string
from html import unescape
from typing import Final

from korad.optimizer.html.facts import Facts
from korad.optimizer.html.tags import META

_RELATIONS: Final = frozenset({"canonical", "next", "prev"})
_ADDRESSES: Final = frozenset({"Base of links", "Canonical"})
"""Links are to be read against these."""
_TIMES: Final = frozenset({"Published", "Modified"})
_MOST_LINES: Final = 32
"""A page with 100,000 titles would be searched through for each."""
_MOST_SEARCHES: Final = 128
_MOST_PIECES: Final = 16


_TELLING: Final = {
    "meta": ("descr", "title", "author", "_time", "refresh"),
    "link": ("canonical", "next", "prev"),
    "base": ("",),
}
_TARGET: Final = re.compile(r"\]\([^)\n]*+\)")
_BETWEEN_PARTS: Final = re.compile(r" (?:[-|:\u00b7\u00ab\u00bb\u2013\u2014]|::) ")
_STOP: Final = re.compile(r"[.!?\u2026]+")
_DAY_CHARS: Final = len("2000-01-01")
_TARGET_STARTS: Final = ("/", "~/", "https://", "http://")
_SIGNS: Final = (string.punctuation + " \n\t").encode()
_WIDE_SIGNS: Final = [
    sign.encode() for sign in "\u2019\u2018\u201c\u201d\u2026\u2013\u2014\u00a0\u00ab\u00bb\u00b7"
]


def may_tell(name: str, source: str) -> bool:
    """Tell whether a `<meta>`, `<link>` or `<base>` may be one to take: most are for programs."""
    source = source.lower()
    return any(word in source for word in _TELLING[name])


def _plain(text: str) -> bytes:
    """Return the letters and digits of the text alone, without the targets of links.

    A description leaves out what stands between two paragraphs.
    """
    if "](" in text:
        text = _TARGET.sub("", text)
    plain = text.encode(errors="surrogatepass")
    if not text.isascii():
        for sign in _WIDE_SIGNS:
            plain = plain.replace(sign, b"")
    return plain.translate(None, _SIGNS)


def _headings_of(body: str) -> set[bytes]:
    found = []
    for line in body.split("\n"):
        if line[:1] == "#":
            words, _, target = line.rpartition(" ")
            found.append(words if target.startswith(_TARGET_STARTS) else line)
    return set(_plain("\0".join(found)).split(b"\0"))


def _title_left(title: str, headings: set[bytes], body: str) -> str:
    """Return what the page's title says and its text does not: most repeat the first heading."""
    if _plain(title) in headings:
        return ""
    parts = _BETWEEN_PARTS.split(title)
    if headings.isdisjoint(map(_plain, parts)):
        return title
    left = [part for part in parts if _plain(part) not in headings and part not in body]
    return " | ".join(["\u2026", *left]) if left else ""


class Said:
    """What the page says; texts can be looked for in it, so often and no more."""

    __slots__ = ("_left", "_more", "_text", "_words")

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = b""
        self._more = ""
        self._left = _MOST_SEARCHES

    def add(self, text: str) -> None:
        """Add lines that stand above the text; as many searches more are free."""
        self._more = text
        self._left = _MOST_SEARCHES
        if self._words:
            self._words += b"\n" + _plain(text)

    def __contains__(self, words: object) -> bool:
        if not isinstance(words, str) or self._left <= 0:
            return False
        self._left -= 1
        if words in self._text or words in self._more:
            return True
        if not self._words:
            self._words = b"\n".join([_plain(self._text), _plain(self._more)])
        # A text cut short ends anywhere; one of several sentences skips what stands between them.
        return all(
            _plain(piece) in self._words for piece in _STOP.split(unescape(words), _MOST_PIECES)
        )


class Head:
    """The lines that stand above a page's text; `call` is what fetched it, and stands there too."""

    __slots__ = ("_call", "_said")

    def __init__(self, call: str) -> None:
        self._call = call
        self._said: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        """Return where links without a site lead, or "": the page does not say it."""
        said = dict(self._said)
        return said.get("Base of links") or said.get("Canonical") or ""

    def title(self, words: str) -> bool:
        """Take the page's title; False: it has one already, as drawings have titles too."""
        if self._said and self._said[0][0] == "Title":
            return False
        self._said.insert(0, ("Title", words))
        return True

    def take(self, name: str, of: dict[str, str]) -> None:
        """Take a `<meta>`, `<link>` or `<base>` if it tells a reader something new."""
        if name == "base":
            self._add("Base of links", of.get("href", ""))
        elif name == "link" and of.get("rel", "").lower() in _RELATIONS:
            self._add(of["rel"].capitalize(), of.get("href", ""))
        elif name == "meta":
            said = of.get("name") or of.get("property") or of.get("http-equiv") or ""
            if label := META.get(said.lower()):
                self._add(label, " ".join(unescape(of.get("content", "")).split()))

    def above(self, body: str, site: str, facts: list[str]) -> str:
        """Return the page's text with these lines above it, less what the text says itself.

        `site` is a line to add; `facts` are JSON-LD texts, whose facts go below the text.
        """
        said = Said(body)
        lines: list[str] = []
        headings = _headings_of(body) if self._said else set()
        days: set[str] = set()
        for label, words in self._said:
            if label == "Title":
                left = _title_left(words, headings, body)
            else:
                known = f'"{words}"' in self._call if label in _ADDRESSES else words in said
                left = "" if known else words
            if label in _TIMES and words[:4].isdecimal():
                # That it was changed on the day it came out tells a reader nothing.
                left = "" if words[:_DAY_CHARS] in days else left
                days.add(words[:_DAY_CHARS])
            if left:
                lines.append(f"{label}: {left}")
        lines += [site] if site else []
        said.add("\n".join(lines))
        read = Facts(said, days).of
        below = [more for source in facts if (more := read(source))]
        head = ["\n".join(lines)] if lines else []
        return "\n\n".join([*head, body, *below])

    def _add(self, label: str, words: str) -> None:
        if words and len(self._said) < _MOST_LINES and all(words != old for _, old in self._said):
            self._said.append((label, words))
