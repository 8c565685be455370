"""What a question or a tool call asks for by name: words whose lines a lossy transform keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MOST_TERMS = 32
_LONGEST_CHARS = 2_000
"""Of a longer question or call the middle is pasted text, and not read."""

_INDENTED = re.compile(r"^[ \t]+[^\n]*", re.MULTILINE)
_QUOTED = re.compile(r"(?<!\w)([\"'`])([^\"'`\n]{3,80})\1(?!\w)")
_WORD = re.compile(r"[\w@#$][\w.:/@#$+\\-]*+")
_NO_END = ".:/@#$+\\-"
"""Ends no word. Left to the pattern, a row of such signs would take quadratic time."""
_SPELT_LIKE_A_NAME = re.compile(r"\d|[A-Z]|\w[.:/@#$+\\_-]\w|^[@#$]")
_JSON_KEY = re.compile(r'"\w+"\s*:')

_NO_NAME = re.compile(
    r"(?:an?|and|are|as|at|be|but|by|can|check|could|did|do|does|explain|find|for|from|get|give|has"
    r"|have|here|how|i|if|in|is|its?|let|list|look|me|my|no|not|now|of|ok|on|or|please|print|quote"
    r"|read|run|say|see|show|so|tell|thanks|that|the|then|there|they|this|to|use|was|we|were|what"
    r"|when|where|which|who|why|will|with|would|write|yes|you|your)",
    re.IGNORECASE,
)


def asked_for(question: str, call: str) -> tuple[str, ...]:
    """Return the names, numbers, paths and quoted words of a question and of a tool call.

    At most 32, as they are spelt, in the order in which they stand; a call's argument names are
    none of them.
    """
    question, call = _ends(question), _JSON_KEY.sub(" ", _ends(call))
    asked = dict.fromkeys(match.group(2) for match in _QUOTED.finditer(question))
    for source in (question, call):
        asked.update(dict.fromkeys(filter(_is_name, _words(source))))
    return tuple(asked)[:_MOST_TERMS]


class Asked:
    """Some names, to look for: a search for each is many times as fast as a pattern of all."""

    __slots__ = ("_names",)

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def is_in(self, text: str) -> bool:
        """Tell whether one of the names stands in a text."""
        for name in self._names:  # noqa: SIM110 - any() of a generator takes twice as long
            if name in text:
                return True
        return False


def asked_in(text: str, question: str, call: str) -> Asked | None:
    """Return what is asked for by name and stands in a text; None: nothing does.

    What stands in more than every fifth line (and more than eight times) singles no line out, and
    is not part of it.
    """
    most = max(8, text.count("\n") // 5)
    terms = [term for term in asked_for(question, call) if 0 < text.count(term) <= most]
    return Asked(terms) if terms else None


def _ends(text: str) -> str:
    """Return a text, or the ends of a long one, without indented lines: those are pasted."""
    if len(text) > 2 * _LONGEST_CHARS:
        text = f"{text[:_LONGEST_CHARS]}\n{text[-_LONGEST_CHARS:]}"
    return _INDENTED.sub("", text)


def _words(text: str) -> list[str]:
    return [word.rstrip(_NO_END) for word in _WORD.findall(text)]


def _is_name(word: str) -> bool:
    """Tell whether a word is spelt like a name, an id, a number or a path."""
    return (
        len(word) > 1
        and _SPELT_LIKE_A_NAME.search(word) is not None
        and _NO_NAME.fullmatch(word) is None
    )
