"""Where the labels of a list stand: numbers, fields, headings, the looks of libraries' objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from korad.optimizer.passages.passage import LEAST_PASSAGES, MOST_PASSAGES

_MOST_MARKS = 8_000
_HEAD_CHARS = 3_000
_MOST_TAIL_CHARS = 600
_LEAST_BULLET_CHARS = 150
"""Lists of shorter points are what people write themselves."""
_NAMES = (
    "document|doc|passage|source|result|search result|chunk|context|snippet|excerpt|reference|hit"
    "|evidence"
)
# What most lines go on with is told by one look.
_NUMBERED = re.compile(
    rf"\n(?!\n)[ \t]{{0,8}}(?=[#*=\[(<cdehprs-])(?:#{{1,6}} |\*\*|[-=]{{2,8}} )?[\[(<]?(?:{_NAMES})"
    rf"[ \t]*[\[(#:]? ?(\d{{1,4}})\b[\])>:.*]{{0,6}}",
    re.IGNORECASE,
)
_BRACKETED = re.compile(r"\n\[(\d{1,4})\][ :\t(]")
_LISTED = re.compile(r"\n(\d{1,3})[.)] (?=\S)")
_BULLETED = re.compile(r"\n[-*•] (?=\S)")
_WRITTEN = "content|text|snippet|description|page_content"
_FIELD = re.compile(
    rf"\n(title|source|url|link|name|file|path|file_path|file_name|page_label|{_WRITTEN}): ?(?=\S)",
    re.IGNORECASE,
)
_FIELD_NAME = re.compile(
    rf"\n(?:title|source|url|link|file_path|file_name|page_label|{_WRITTEN}):", re.IGNORECASE
)
_OBJECT = re.compile(
    r"(?:\n|, |\[)((?:Document\((?:[\w=']{1,60}, )?)?page_content=['\"]"
    r"|Document\(metadata=|\[snippet: )"
)
"""Documents as LangChain prints them, and its results of a web search."""
_OBJECT_CHARS = len("Document(")
_OBJECT_SIGNS = ("page_content=", "[snippet: ")
CONTEXT_LINE = re.compile(
    r"\n[ \t*#]{0,8}(?:context|documents|sources|passages)\*{0,2}: (?=\S)", re.IGNORECASE
)
_HEADING = re.compile(
    r"\n(?:(?P<hashes>#{1,6}) |(?P<stars>\*\*)(?=[^\n*]{1,150}\*\*[ \t:]*\n)"
    r"|(?P<bars>={2,5}) (?=[^\n=]{1,150} ={2,5}[ \t]*\n))[^\n]{1,200}(?=\n)"
    r"|\n(?P<under>)[^\n]{1,150}+\n={3,}[ \t]*(?=\n)"
)
_SIGNS = re.compile(r"[#*=\s]+")
_SECTION = re.compile(
    r"(?:[\divx]{1,4}[.)]\s*)?(?:introduction|conclusions?|references|bibliography|abstract"
    r"|overview|background|summary|methods?|methodology|results?|discussion|install(?:ation|ing)?"
    r"|usage|licen[cs]e|contributing|getting started|quick ?start|features|requirements|examples?"
    r"|(?:minutes|meeting|sprint|release)\b.*|\d{4}-\d\d.*|configuration|contents|table of contents"
    r"|faq|notes|appendix(?: \w+)?|api|agenda|purpose|scope"
    r"|(?:chapter|part|step|section|week|day|lesson) \S{1,4}.*|\d{1,3}\.\d.*)",
    re.IGNORECASE,
)
"""Titles of the parts that one text has."""
_RESULTS = re.compile(
    r"\b(?:results|documents|passages|sources|context|snippets|excerpts|articles)\b", re.IGNORECASE
)
_FIELDS_BELOW = re.compile(r"\s{1,3}\**(?:source|url|link|score|relevance)\b\**:", re.IGNORECASE)

Marks = list[tuple[int, int]]
"""Where each label begins and ends."""


def marks_of(text: str, *, is_said: bool, is_asked: bool, may_be_bracketed: bool) -> Marks:
    """Return the labels of the first kind that a text has enough of, or [].

    What other texts are full of too needs a sign: that it `is_said` to be retrieved, or at least
    that a question `is_asked` beside it.
    """
    lined = "\n" + text
    context = CONTEXT_LINE.search(lined, 0, _HEAD_CHARS)
    if context:
        # The first label may stand in the line that says what follows.
        lined = f"{lined[: context.end() - 1]}\n{lined[context.end() :]}"
    marks = _counting(_NUMBERED, lined)
    if not marks and may_be_bracketed:
        marks = _counting(_BRACKETED, lined)
    if marks:
        return _outer(marks)
    found = _headings(lined, is_asked=is_asked) or _objects(lined) or _fields(lined)
    if found or not is_said:
        return found
    bullets = _some(_BULLETED, lined)
    if len(text) < _LEAST_BULLET_CHARS * len(bullets):
        bullets = []
    return _outer(_counting(_LISTED, lined)) or _outer(bullets)


def without_names(text: str) -> str:
    """Return a text with blanks for the names of fields, which tell no passage from another."""
    return _FIELD_NAME.sub(lambda name: f"\n{' ' * (len(name[0]) - 1)}", f"\n{text}")[1:]


def _some(pattern: re.Pattern[str], lined: str) -> list[re.Match[str]]:
    return list(islice(pattern.finditer(lined), _MOST_MARKS))


def _outer(marks: list[re.Match[str]]) -> Marks:
    """Return the bounds in the text itself, which lacks the line end before its first line."""
    return [(mark.start(), mark.end() - 1) for mark in marks]


def _counting(pattern: re.Pattern[str], lined: str) -> list[re.Match[str]]:
    """Return the labels of one list, each number greater than the last; [] if they are none."""
    marks: list[re.Match[str]] = []
    last = -1
    for mark in pattern.finditer(lined):
        number = int(mark[1])
        if number <= last or len(marks) >= MOST_PASSAGES:
            return []
        last = number
        marks.append(mark)
    return marks if len(marks) >= LEAST_PASSAGES else []


def _fields(lined: str) -> Marks:
    """Return where records begin: at the field that comes first."""
    fields = _some(_FIELD, lined)
    if not fields:
        return []
    first = fields[0][1].lower()
    is_words = re.fullmatch(_WRITTEN, first) is not None
    found = [
        (mark.start(), mark.end() - 1 if is_words else mark.start())
        for mark in fields
        if mark[1].lower() == first
    ]
    return found if len(found) >= LEAST_PASSAGES else []


def _objects(lined: str) -> Marks:
    """Return where printed objects begin: such as look like the first one."""
    if not any(sign in lined for sign in _OBJECT_SIGNS):
        return []
    marks = _some(_OBJECT, lined)
    found = [
        (mark.start(1) - 1, mark.end(1) - 1)
        for mark in marks
        if mark[1][:_OBJECT_CHARS] == marks[0][1][:_OBJECT_CHARS]
    ]
    return found if len(found) >= LEAST_PASSAGES else []


def _headings(lined: str, *, is_asked: bool) -> Marks:
    """Return headings of one kind; those of several, or of a text's usual parts, are an article's.

    Without another sign the lines below them must say where each part comes from.
    """
    marks = list(islice(_HEADING.finditer(lined), MOST_PASSAGES + 2))
    kinds = list(map(_kind, marks))
    if len(marks) > LEAST_PASSAGES and kinds[0] != kinds[1] and _RESULTS.search(marks[0][0]):
        del marks[0], kinds[0]
    # Below the list a user may put a heading over the question.
    tail = len(lined) - marks[-1].start() if marks else 0
    if len(marks) > LEAST_PASSAGES and kinds[-1] != kinds[0] and tail <= _MOST_TAIL_CHARS:
        del marks[-1], kinds[-1]
    if not LEAST_PASSAGES <= len(marks) <= MOST_PASSAGES or len(set(kinds)) > 1:
        return []
    if any(map(_SECTION.fullmatch, _titles(marks))):
        return []
    if not is_asked and not all(_FIELDS_BELOW.match(lined, mark.end()) for mark in marks):
        return []
    return [(mark.start(), mark.end() - 1) for mark in marks]


def _kind(mark: re.Match[str]) -> str:
    return f"{mark.lastgroup}{mark['hashes']}"


def _titles(marks: list[re.Match[str]]) -> Iterator[str]:
    return (_SIGNS.sub(" ", mark[0]).strip(" :") for mark in marks)
