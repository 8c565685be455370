"""Find the passages of a retrieved list: search results, documents, excerpts beside a question.

Only text that says that it is such a list counts as one: numbered labels, tags, records that begin
with the same field, and beside a question headings and rules between results. An article, a
contract, a transcript, a mail thread, a program or a table is one thing, of which no part may be
missing, and is never split.
"""

from __future__ import annotations

import re
from itertools import islice

from korad.optimizer.base import TOOL, USER
from korad.optimizer.passages import evidence
from korad.optimizer.passages.marks import CONTEXT_LINE, Marks, marks_of
from korad.optimizer.passages.passage import LEAST_PASSAGES, MOST_PASSAGES, Passage
from korad.optimizer.passages.whole_texts import is_announced, is_prose, is_whole

_LEAST_BODY_CHARS = 30
_LEAST_MEAN_CHARS = 60
_MOST_TAIL_CHARS = 600
_MOST_MARKS = 8_000
_LEAST_PIECE_CHARS, _LEAST_PARAGRAPH_CHARS = 80, 200

_GAP = re.compile(r"\n[ \t]{0,80}\n")
_RULE = re.compile(r"\n(?:-{3,}|={3,}|\*{3,})[ \t]*(?=\n)")
_HEAD_LINE = re.compile(r"[*#\w][^\n.?!]{0,40}:[* \t]*\n\s*")
"""Says what follows: "Documents:"."""
_TAG = re.compile(
    r"<(document|doc|passage|source|result|search_result|chunk|context|snippet|excerpt|item"
    r"|article|web_page|webpage|hit)"
    r"\b[^<>]{0,500}>"
)
_TAGS_BEFORE = re.compile(
    r"(?:\s*<(\w{1,30})\b[^<>]{0,200}>[^<>]{0,500}</\1>){0,8}"
    r"\s*<(?:document_contents?|content|text|body|passage|snippet)>"
)
_TAGS_AFTER = re.compile(r"(?:\s*</\w{1,30}>){1,4}\Z")
_MOST_END_CHARS = 160
_TITLE = re.compile(
    r"[ \t]*(?:\((?:title|source): [^\n]{0,300}?\)(?=[ \n]|$)|[^\n]{0,200}\n"
    r"(?:(?:page_label|file_\w{1,12}|creation_date|last_\w{1,20}|document_title|title|source)"
    r": [^\n]{0,200}\n){0,8})",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"\n[ \t\r]{0,8}\n[ \t*#<]{0,8}(?:question|query|user query|task|instructions?|q)\b"
    r"|\n[ \t*#<]{0,8}(?:(?:user )?(?:question|query)|(?:(?:helpful|your|final) )?answer)"
    r"\*{0,3}:",
    re.IGNORECASE,
)


def find_passages(
    text: str, role: str, call: str, fence: str | None = None, words: str = ""
) -> list[Passage]:
    """Return the passages of `text` in order; [] if it is not evidently a list of them.

    `words` are what the user says elsewhere in the message.
    """
    if not is_prose(text, fence, call):
        return []
    if role == TOOL:
        is_said = is_asked = evidence.is_search(call)
    else:
        is_said = evidence.is_from_sources(text) or evidence.is_from_sources(words)
        is_asked = is_said or evidence.is_beside_question(text)
    found = _tagged(text)
    if not found:
        # A user numbers many things in brackets: only beside a question they are passages.
        may_be_bracketed = role == TOOL or is_asked or "?" in words
        marks = marks_of(
            text, is_said=is_said, is_asked=is_asked, may_be_bracketed=may_be_bracketed
        )
        found = _labelled(text, marks, role)
    if len(found) < LEAST_PASSAGES and is_said:
        found = _unlabelled(text, role, words)
    inside = sum(passage.end - passage.start for passage in found)
    # A long text with a list of references at its end is an article, not a list.
    if len(found) < LEAST_PASSAGES or inside * 2 <= len(text) or len(found) > MOST_PASSAGES:
        return []
    if inside < _LEAST_MEAN_CHARS * len(found) or is_announced(text[: found[0].start][:600]):
        return []
    return [] if is_whole(text) else found


def _labelled(text: str, marks: Marks, role: str) -> list[Passage]:
    if len(marks) < LEAST_PASSAGES:
        return []
    starts = [start for start, _ in marks[1:]]
    passages = [
        _trimmed(text, start, label, end)
        for (start, label), end in zip(marks[:-1], starts, strict=True)
    ]
    start, label = marks[-1]
    last = _trimmed(text, start, label, _end_of_last(text, label, passages, role))
    # Labels that stand under their passages would name the wrong ones.
    trailing = last.end - last.body < _LEAST_BODY_CHARS and bool(text[: marks[0][0]].strip())
    return [] if trailing else [*passages, last]


def _end_of_last(text: str, start: int, others: list[Passage], role: str) -> int:
    """Return where the last passage ends and what the user says after the list begins.

    How many blank lines the `others` hold tells how many it may hold.
    """
    breaks = [text.count("\n\n", one.start, one.end) for one in others]
    ends = [len(text)]
    if not max(breaks):
        ends.append(text.find("\n\n", start))
    else:
        own = _nth(text, "\n\n", start, min(breaks)) if min(breaks) else start
        ends.append(_tail_of(text, own + 1, role) if own >= 0 else -1)
    if role == USER:
        ends.append(_nth(text, "\n\n", start, min(breaks) + 1))
        ends.append(_end_of_lines(text, start, others, min(breaks)))
        rule = _RULE.search(text, start)
        if rule and len(text) - rule.end() <= _MOST_TAIL_CHARS:
            ends.append(rule.start())
    asked = _ASKED.search(text, start)
    if asked:
        ends.append(asked.start())
    return min(end for end in ends if end >= 0)


def _end_of_lines(text: str, start: int, others: list[Passage], breaks: int) -> int:
    """Return where the last passage ends if the last paragraph of each has so many lines; or -1.

    `breaks` is how many blank lines each of the `others` holds at least.
    """
    paragraph = _nth(text, "\n\n", start, breaks) + 2 if breaks else start
    if paragraph < start:
        return -1
    firsts = [_nth(text, "\n\n", one.start, breaks) + 2 if breaks else one.start for one in others]
    lines = min(text.count("\n", first, one.end) for first, one in zip(firsts, others, strict=True))
    return _nth(text, "\n", paragraph, lines + 1)


def _tail_of(text: str, start: int, role: str) -> int:
    """Return where the last short paragraphs begin, of a tool's text the last one; -1: none."""
    stripped = text.rstrip()
    gap = stripped.rfind("\n\n", start)
    if gap < 0 or len(text) - gap > _MOST_TAIL_CHARS:
        return -1
    first = stripped.find("\n\n", max(start, len(text) - _MOST_TAIL_CHARS))
    return gap if role == TOOL else first


def _nth(text: str, sign: str, start: int, number: int) -> int:
    """Return where `sign` stands for the nth time after `start`, or -1."""
    at = start - 1
    for _ in range(number):
        at = text.find(sign, at + 1)
        if at < 0:
            return -1
    return at


def _trimmed(text: str, start: int, label: int, end: int) -> Passage:
    """Return the passage without the blank lines and rules that part it from the next."""
    stop = start + len(text[start:end].rstrip("-=* \t\r\n"))
    title = _TITLE.match(text, label, stop)
    body = title.end() if title else label
    return Passage(start, min(body, stop), stop, stop)


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
        if stop < 0 or len(found) >= MOST_PASSAGES:
            return []
        position = stop + len(closing)
        before = _TAGS_BEFORE.match(text, mark.end(), stop)
        body = before.end() if before else mark.end()
        # The end tags stay with the passage, so that a shorter one is still well-formed.
        after = _TAGS_AFTER.search(text, max(body, position - _MOST_END_CHARS), position)
        close = after.start() if after else stop
        found.append(Passage(mark.start(), body, max(body, close), position))
    return found if len(found) >= LEAST_PASSAGES else []


def _unlabelled(text: str, role: str, words: str) -> list[Passage]:
    """Return what rules or blank lines part."""
    # Paragraphs alone are an article's too: two signs tell that they were retrieved.
    asked = evidence.says_retrieved(text) and evidence.asks_by_line(text)
    asked = asked or (role == USER and evidence.says_retrieved(words))
    rules = [rule.start() for rule in islice(_RULE.finditer(text), _MOST_MARKS)]
    if len(rules) >= LEAST_PASSAGES - 1:
        return _between(text, [0, *rules], _LEAST_PIECE_CHARS, role)
    if not asked:
        return []
    found = _between(text, _blank_lines(text), _LEAST_PARAGRAPH_CHARS, role)
    # Nothing tells a user's last paragraph from a passage, unless more words of the user follow.
    is_open = role == USER and found and found[-1].end >= len(text.rstrip())
    return found[:-1] if is_open else found


def _blank_lines(text: str) -> list[int]:
    """Return where paragraphs begin; the first passage may stand in the line that says so."""
    gaps = [gap.start() for gap in islice(_GAP.finditer(text), _MOST_MARKS)]
    context = CONTEXT_LINE.search(text, 0, gaps[0] if gaps else 0)
    return [0, context.end(), *gaps] if context else [0, *gaps]


def _between(text: str, starts: list[int], least_chars: int, role: str) -> list[Passage]:
    """Return the pieces that begin at `starts`, but for the short ones and what a user says."""
    found: list[Passage] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        piece = text[start:end]
        inner = piece.lstrip("\n\r \t-=*")
        begin = end - len(inner)
        if end == len(text) and found and role == USER:
            inner = text[begin : _end_of_last(text, begin, found, role)]
        head = _HEAD_LINE.match(inner) if role == USER else None
        if head:
            begin, inner = begin + head.end(), inner[head.end() :]
        # Before the first sign a user may say what follows.
        is_first = start == 0 and (role == USER or evidence.says_retrieved(inner[:300]))
        if is_first or len(inner) < least_chars or evidence.asks_by_line(inner):
            continue
        stop = begin + len(inner.rstrip())
        found.append(Passage(begin, begin, stop, stop))
    return found
