"""The marks that stand for line breaks, bullets and kept texts while a page is written down."""

from __future__ import annotations

import re
from typing import Final

PARAGRAPH: Final = "\x01"
LINE: Final = "\x02"
INDENT: Final = "\x03"
BULLET: Final = "\x04"
"""Stands before a bullet, a heading's #, a bracket: breaks that follow are left out."""
END: Final = "\x05"
"""The break at the end of what a bullet began."""
KEPT: Final = "\x06"
"""Stands around the number of a text whose white space counts."""
TAIL: Final = "\x07"
"""Breaks before it are left out."""
TARGET: Final = "\x08"
"""Stands before a link's target."""
AGAIN: Final = "\x0e"
"""Stands around the words of a link that was given before."""
LATER: Final = "\x0f"
"""Stands around the number of a linked picture: what is written depends on later links."""

MARKS: Final = re.compile("[\x01-\x08\x0e\x0f]")
_ALL: Final = (PARAGRAPH, LINE, INDENT, BULLET, END, KEPT, TAIL, TARGET, AGAIN, LATER)
BREAK_MARKS: Final = frozenset({PARAGRAPH, LINE, END})
BREAKS: Final = re.compile("[\x01\x02\x05]+")

_BREAK_RUN: Final = re.compile("[\x01\x02\x05][ \x01\x02\x05]++")
_NOTHING: Final = re.compile("\x04(?:#{1,6}|-|>|:|[0-9]{1,9}[.]) ?[\x01\x02]?(?:\x05|$)")
_BULLET: Final = re.compile("\x04(#{1,6}|-|>|:|[0-9]{1,9}[.])[ \x01-\x03\x05]{0,4}")
_BRACKET: Final = re.compile("\x04(\\[(?:button[^\x01-\x07\\[\\]:]*: ?)?)[ \x01-\x03\x05]{0,4}")
_BEFORE: Final = (" ", END + PARAGRAPH, END, PARAGRAPH, LINE)
_KEPT: Final = re.compile("\x06([0-9]+)\x06")


def holds_marks(text: str) -> bool:
    """Tell whether a text holds one of the marks itself."""
    # Ten searches for one character are 50 times faster than one for a class of them.
    return any(mark in text for mark in _ALL)


def _with_blank(bullet: re.Match[str]) -> str:
    return bullet[1] + " "


def _bare(bracket: re.Match[str]) -> str:
    return bracket[1]


def _one_break(run: re.Match[str]) -> str:
    marks = run.group()
    end = END if END in marks else ""
    return end + PARAGRAPH if PARAGRAPH in marks else end or LINE


def fill(text: str, kept: list[str]) -> str:
    """Return the text with every kept text in its place."""
    if KEPT not in text:
        return text
    return _KEPT.sub(lambda found: kept[int(found.group(1))], text)


def words_of(text: str) -> str:
    """Return the text without marks, on one line."""
    # All marks are control characters.
    return " ".join((text if text.isprintable() else MARKS.sub(" ", text)).split())


def code_block(text: str, kept: list[str]) -> str:
    """Return a code block with its white space as it is; "" if there is none."""
    code = MARKS.sub("", BREAKS.sub("\n", fill(text, kept))).strip("\r\n")
    fence = "````" if "```" in code else "```"
    return f"{fence}\n{code}\n{fence}" if code.strip() else ""


def lay_out(text: str) -> str:
    """Return the text with white space collapsed and breaks and bullets written."""
    text = _BREAK_RUN.sub(_one_break, " ".join(text.split()))
    for mark in (PARAGRAPH, LINE, END):
        text = text.replace(" " + mark, mark)
    # Functions: a template such as r"\1" is filled in by slow code.
    text = _BRACKET.sub(_bare, _BULLET.sub(_with_blank, _NOTHING.sub(END, text)))
    for white in _BEFORE:
        text = text.replace(white + TAIL, TAIL)
    text = (
        text.replace(TAIL, "")
        .replace("[button: ]", "")
        .replace("[button:]", "")
        .replace(END + PARAGRAPH, PARAGRAPH)
    )
    for mark, written in ((PARAGRAPH, "\n\n"), (LINE, "\n"), (END, "\n"), (INDENT, "  ")):
        text = text.replace(mark, written)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n ")
