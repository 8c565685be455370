"""Signs that a text was retrieved beside a question, and is not one thing that somebody pasted."""

from __future__ import annotations

import re

_SEARCH = re.compile(r"search|retriev|query|lookup|browse|knowledge|rag\b|\bkb", re.IGNORECASE)
_RETRIEVED = re.compile(
    r"\b(?:passages|documents|snippets|excerpts|search results|pieces of (?:retrieved )?context"
    r"|retrieved|sources|context information)\b",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"\bcontext (?:information|section|below)\b|\b(?:following|given|provided|above) context\b"
    r"|\busing only (?:the|this) context\b|(?:^|\n)[ \t*#<]{0,8}context>?:?\*{0,2}:?[ \t]*\n",
    re.IGNORECASE,
)
_QUESTION_LINE = re.compile(r"\n[ \t*#]{0,8}(?:user )?(?:question|query)\*{0,3}:", re.IGNORECASE)
_HEAD_CHARS = 1_500


def is_search(call: str) -> bool:
    """Tell whether a tool call looks for something."""
    return bool(_SEARCH.search(call))


def says_retrieved(text: str) -> bool:
    """Tell whether a text's beginning speaks of passages, documents, sources..."""
    return bool(_RETRIEVED.search(text[:_HEAD_CHARS]))


def asks_by_line(text: str) -> bool:
    """Tell whether a line begins with "Question:"."""
    return bool(_QUESTION_LINE.search("\n" + text))


def is_from_sources(text: str) -> bool:
    """Tell whether a user's text, or its words around a list, speak of what was retrieved."""
    head, tail = text[:_HEAD_CHARS], text[-_HEAD_CHARS:]
    return bool(_RETRIEVED.search(head) or _CONTEXT.search(head) or _CONTEXT.search(tail))


def is_beside_question(text: str) -> bool:
    """Tell whether a line at either end of a text begins with "Question:"."""
    return asks_by_line(text[:_HEAD_CHARS]) or asks_by_line(text[-_HEAD_CHARS:])
