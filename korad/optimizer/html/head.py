"""What a page says about itself: title, description, author, dates, canonical address."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from korad.optimizer.html.facts import facts_of
from korad.optimizer.html.tags import META

_RELATIONS: Final = frozenset({"canonical", "next", "prev"})
_ADDRESSES: Final = frozenset({"Base of links", "Canonical"})
"""Links are to be read against these."""
_MOST_LINES: Final = 32
"""A page with 100,000 titles would be searched through for each."""
_MOST_SEARCHES: Final = 128


_TARGET: Final = re.compile(r"\]\([^)\n]*+\)")


def _plain(text: str) -> str:
    """Return the text without the marks and targets of links, on one line."""
    return " ".join(_TARGET.sub("", text).replace("[", "").split())


class Said:
    """What the page says; texts can be looked for in it, so often and no more."""

    __slots__ = ("_left", "_text", "_words")

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = ""
        self._left = _MOST_SEARCHES

    def __contains__(self, words: object) -> bool:
        if not isinstance(words, str) or self._left <= 0:
            return False
        self._left -= 1
        if words in self._text:
            return True
        if not self._words:
            self._words = _plain(self._text)
        return _plain(unescape(words)).rstrip(".\u2026 ") in self._words


class Head:
    """The lines that stand above a page's text."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
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
        lines = []
        for label, words in self._said:
            said_below = f"\n# {words}\n" in f"\n{body}\n" if label == "Title" else words in said
            if label in _ADDRESSES or not said_below:
                lines.append(f"{label}: {words}")
        lines += [site] if site else []
        said = Said("\n".join([*lines, body]))
        below = [more for source in facts if (more := facts_of(source, said))]
        head = ["\n".join(lines)] if lines else []
        return "\n\n".join([*head, body, *below])

    def _add(self, label: str, words: str) -> None:
        if words and len(self._said) < _MOST_LINES and all(words != old for _, old in self._said):
            self._said.append((label, words))
