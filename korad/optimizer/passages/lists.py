"""Find the passages of a retrieved list: search results, documents, excerpts beside a question.

Only text that says that it is such a list counts as one: numbered labels, tags, records that begin
with the same field, rules between results. An article, a contract, a transcript, a mail thread, a
program or a table is one thing, of which no part may be missing, and is never split.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from korad.optimizer.base import TOOL
from korad.optimizer.passages.whole_texts import is_announced, is_prose, is_whole

LEAST_PASSAGES = 4
"""Shorter lists are not worth choosing from."""


_MOST_PASSAGES = 2_000
_LEAST_BODY_CHARS = 30
_LEAST_MEAN_CHARS = 60
_MOST_TAIL_CHARS = 600
_MOST_MARKS = 8_000


class Passage(NamedTuple):
    """Where a passage stands in its text: `text[start:end]`; its own words begin at `body`."""

    start: int
    body: int
    end: int


_NAMES = (
    "document|doc|passage|source|result|search result|chunk|context|snippet|excerpt|reference|hit"
    "|evidence"
)
_NUMBERED = re.compile(
    rf"\n(?!\n)[ \t]{{0,8}}(?:#{{1,6}} |\*\*)?[\[(<]?(?:{_NAMES})"
    rf"[ \t]*[\[(#]?(\d{{1,4}})\b[\])>:.*]{{0,6}}",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\n\[(\d{1,4})\][ :\t(]")
_LISTED = re.compile(r"\n(\d{1,3})[.)] (?=\S)")
_FIELD = re.compile(r"\n(title|source|url|link|name|file|path): ?(?=\S)", re.IGNORECASE)
_GAP = re.compile(r"\n[ \t]{0,80}\n")
_RULE = re.compile(r"\n(?:-{3,}|={3,}|\*{3,})[ \t]*(?=\n)")
_TAG = re.compile(
    r"<(document|doc|passage|source|result|search_result|chunk|context|snippet|excerpt|item)"
    r"\b[^<>]{0,500}>"
)
_TITLE = re.compile(
    r"[ \t]*(?:\((?:title|source): [^\n]{0,300}?\)(?=[ \n]|$)|[^\n]{0,200}\n)", re.IGNORECASE
)
_ASKED = re.compile(
    r"\n[ \t\r]{0,8}\n[ \t*#<]{0,8}(?:question|query|user query|task|instructions?|q)\b",
    re.IGNORECASE,
)
_SEARCH = re.compile(r"search|retriev|query|lookup|browse|knowledge|rag\b|\bkb", re.IGNORECASE)
_RETRIEVED = re.compile(
    r"\b(?:passages|documents|snippets|excerpts|search results|pieces of (?:retrieved )?context"
    r"|retrieved|sources)\b",
    re.IGNORECASE,
)
_QUESTION_LINE = re.compile(r"\n[ \t*#]{0,8}(?:question|query)\*{0,3}:", re.IGNORECASE)


def find_passages(text: str, role: str, call: str, fence: str | None = None) -> list[Passage]:
    """Return the passages of `text` in order; [] if it is not evidently a list of them."""
    if not is_prose(text, fence, call):
        return []
    found = _tagged(text) or _labelled(text, _marks_of(text, role, call))
    if len(found) < LEAST_PASSAGES:
        found = _unlabelled(text, role, call)
    inside = sum(passage.end - passage.start for passage in found)
    # A long text with a list of references at its end is an article, not a list.
    if len(found) < LEAST_PASSAGES or inside * 2 <= len(text) or len(found) > _MOST_PASSAGES:
        return []
    if inside < _LEAST_MEAN_CHARS * len(found) or is_announced(text[: found[0].start][:600]):
        return []
    return [] if is_whole(text) else found


def _marks_of(text: str, role: str, call: str) -> list[tuple[int, int]]:
    """Return where each label begins and ends, of the first kind that the text has enough of."""
    lined = "\n" + text
    marks = _counting(_NUMBERED, lined)
    if not marks and (role == TOOL or _says_retrieved(text)):
        # A user numbers many things in brackets: only beside a question they are passages.
        marks = _counting(_BRACKETED, lined)
    if not marks:
        fields = list(islice(_FIELD.finditer(lined), _MOST_MARKS))
        if fields:
            first = fields[0][1].lower()
            return [(mark.start(), mark.start()) for mark in fields if mark[1].lower() == first]
        if role == TOOL and _SEARCH.search(call):
            marks = _counting(_LISTED, lined)
    return [(mark.start(), mark.end() - 1) for mark in marks]


def _says_retrieved(text: str) -> bool:
    return bool(_RETRIEVED.search(text[:1500]) or _QUESTION_LINE.search("\n" + text[-1500:]))


def _counting(pattern: re.Pattern[str], lined: str) -> list[re.Match[str]]:
    """Return the labels of one list, each number greater than the last; [] if they are none."""
    marks: list[re.Match[str]] = []
    last = -1
    for mark in pattern.finditer(lined):
        number = int(mark[1])
        if number <= last or len(marks) >= _MOST_PASSAGES:
            return []
        last = number
        marks.append(mark)
    return marks if len(marks) >= LEAST_PASSAGES else []


def _labelled(text: str, marks: list[tuple[int, int]]) -> list[Passage]:
    if len(marks) < LEAST_PASSAGES:
        return []
    starts = [start for start, _ in marks[1:]]
    passages = [
        _trimmed(text, start, label, end)
        for (start, label), end in zip(marks[:-1], starts, strict=True)
    ]
    breaks = max(text.count("\n\n", one.start, one.end) for one in passages)
    start, label = marks[-1]
    last = _trimmed(text, start, label, _end_of_last(text, label, breaks))
    # Labels that stand under their passages would name the wrong ones.
    trailing = last.end - last.body < _LEAST_BODY_CHARS and bool(text[: marks[0][0]].strip())
    return [] if trailing else [*passages, last]


def _end_of_last(text: str, start: int, breaks: int) -> int:
    """Return where the last passage ends and what the user says after the list begins.

    `breaks` is how many blank lines the other passages hold at most.
    """
    if not breaks:
        gap = text.find("\n\n", start)
        return len(text) if gap < 0 else gap
    asked = _ASKED.search(text, start)
    if asked:
        return asked.start()
    gap = text.rstrip().rfind("\n\n", start)
    return gap if gap >= 0 and len(text) - gap <= _MOST_TAIL_CHARS else len(text)


def _trimmed(text: str, start: int, label: int, end: int) -> Passage:
    """Return the passage without the blank lines and rules that part it from the next."""
    stop = start + len(text[start:end].rstrip("-=* \t\r\n"))
    title = _TITLE.match(text, label, stop)
    body = title.end() if title else label
    return Passage(start, min(body, stop), stop)


def _tagged(text: str) -> list[Passage]:
    tag = _TAG.search(text)
    if tag is None:
        return []
    name, position = tag[1], tag.start()
    found: list[Passage] = []
    opening = re.compile(rf"<{name}\b[^<>]{{0,500}}>")
    closing = f"</{name}>"
    while mark := opening.search(text, position):
        stop = text.find(closing, mark.end())
        if stop < 0 or len(found) >= _MOST_PASSAGES:
            return []
        position = stop + len(closing)
        # The end tag stays with the passage, so that a shorter one is still well-formed.
        found.append(Passage(mark.start(), mark.end(), position))
    return found if len(found) >= LEAST_PASSAGES else []


def _unlabelled(text: str, role: str, call: str) -> list[Passage]:
    """Return what rules or blank lines part, where the text or the call says it was retrieved."""
    searched = role == TOOL and bool(_SEARCH.search(call))
    asked = bool(_RETRIEVED.search(text[:1500]) and _QUESTION_LINE.search("\n" + text))
    if not searched and not asked:
        return []
    rules = [rule.start() for rule in islice(_RULE.finditer(text), _MOST_MARKS)]
    if len(rules) >= LEAST_PASSAGES - 1:
        return _between(text, [0, *rules], least_chars=80)
    return _between(text, _blank_lines(text), least_chars=200) if asked else []


def _blank_lines(text: str) -> list[int]:
    return [0, *(gap.start() for gap in islice(_GAP.finditer(text), _MOST_MARKS))]


def _between(text: str, starts: list[int], least_chars: int) -> list[Passage]:
    """Return the pieces that begin at `starts`, but for the short ones and the question's."""
    found = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        piece = text[start:end]
        inner = piece.lstrip("\n\r \t-=*")
        if len(inner) < least_chars or _QUESTION_LINE.search("\n" + inner):
            continue
        if _RETRIEVED.search(inner[:300]) and start == 0:
            continue
        begin = end - len(inner)
        found.append(Passage(begin, begin, begin + len(inner.rstrip())))
    return found
