"""Split a message into its fenced parts and the text between them.

Fences are Markdown's: three or more backticks or tildes, indented by at most three blanks, closed
by at least as many of the same. A fence that nobody closes may be anything (a quoted line, an
answer cut short), so what follows it stays unfenced.
"""

from __future__ import annotations

import re

from korad.domain.value import Fact

# The leading "\n" is a literal that the engine can search for: with "^" it tries every character.
_FENCE_LINE = re.compile(r"\n {0,3}(`{3,}|~{3,})([^\n]*)")
# No language has a name so long; what stands here is remembered with what the text was told to be.
_LANGUAGE = re.compile(r"[{.\s]*([\w+#-]{1,64})")


class Region(Fact, frozen=True):
    """A stretch of a message's text."""

    text: str
    fence: str | None
    """The language of the fence in lower case ("" if it names none); None: not in a fence."""


class _Fenced(Fact, frozen=True):
    """The text between two fence lines: its bounds in the message."""

    start: int
    end: int
    language: str


def split(text: str) -> list[Region]:
    """Return the regions of `text` in order; their texts put together are `text`.

    The fence lines, with the line ends on their inner sides, belong to the unfenced regions.
    """
    if "```" not in text and "~~~" not in text:
        return [Region(text=text, fence=None)]
    regions: list[Region] = []
    done = 0
    for fenced in _fenced_parts(text):
        regions.append(Region(text=text[done : fenced.start], fence=None))
        regions.append(Region(text=text[fenced.start : fenced.end], fence=fenced.language))
        done = fenced.end
    if done < len(text):
        regions.append(Region(text=text[done:], fence=None))
    return regions


def _fenced_parts(text: str) -> list[_Fenced]:
    """Return what closed fences hold, the empty ones left out."""
    parts = []
    mark, language, start = "", "", 0
    for line in _FENCE_LINE.finditer("\n" + text):
        # The search text has one more character in front: a match's end there is one too far,
        # and its start is the line's own.
        run, rest = line.group(1), line.group(2)
        if not mark:
            if run[0] == "`" and "`" in rest:
                continue
            mark, language, start = run, _language(rest), line.end()
        elif run.startswith(mark) and not rest.strip():
            end = line.start() - 1
            if end > start and text[end - 1] == "\r":
                end -= 1
            if start < end:
                parts.append(_Fenced(start=start, end=end, language=language))
            mark = ""
    return parts


def _language(info: str) -> str:
    found = _LANGUAGE.match(info)
    return found.group(1).lower() if found else ""
