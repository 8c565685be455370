"""Recognise texts that look like a list but are one thing, of which no part may be missing.

A conversation, a contract, a set of worked examples, an examination, a list of things to do and a
history of releases have numbered parts too; whoever pastes one asks about all of it.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

from korad.optimizer.recognition.kinds import Kind, kind_of

_SAMPLE_CHARS = 8_192
_HEAD_CHARS, _WHOLE_LINE_CHARS = 80, 160
_LEAST_LINE_CHARS = 10
"""A text whose lines are shorter on average is no prose."""
_LEAST_TURNS, _LEAST_SIGNS, _MOST_LINES_READ = 6, 4, 2_000

_UNDERLINE = re.compile(r"\n={3,}[ \t]*(?=\n)")
"""Below a title."""
_LABEL_LINE = re.compile(
    r"\n[ \t]{0,4}(?:(?:page_label|file_path|file_name|file_type|file_size|creation_date"
    r"|last_modified_date|document_title|source|url|title|score):[^\n]{1,200}"
    r"|\[?(?:end )?(?:document|context|source|passage|chunk)[ :]{1,2}\d{1,4}\]?:?)(?=\n)",
    re.IGNORECASE,
)
"""Lines that say where a passage comes from look like those of a configuration file."""

_EXACT_KINDS = frozenset({Kind.BLANK, Kind.JSON, Kind.HTML, Kind.DIFF, Kind.SOURCE, Kind.LISTING})
_LINED_KINDS = frozenset({Kind.TABLE, Kind.LOG})

# A name is never given back sign by sign (the "+" after its bounds): most lines have no speaker.
_SPEAKER = re.compile(
    r"""\n(?:[-*>_\ \t]{0,6}+[\[(]?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?
    (?:\ ?[ap]m)?[\])]?[\ \t-]{0,4})?
    [-*>_\ \t\[<(]{0,6}+([^\W\d_][\w.'\ -]{0,30}+)
    (?:\(\d[\d:.\ apm]{0,10}\))?(?::\d\d){0,2}[\]>)]?[*_]{0,3}:[*_]{0,3}[\ \n]""",
    re.VERBOSE,
)
_FIELDS = frozenset(
    (  # noqa: SIM905 - a list of 60 strings would be 60 lines
        "title source url link name file filename path date author authors score content snippet"
        " text summary id page pages published updated context document doc passage result note"
        " abstract body category chapter chunk citation description distance doi domain excerpt"
        " heading journal keywords label language metadata position publisher rank rating reference"
        " relevance section similarity site tags topic type venue website year query question"
        " page_label file_path file_name file_type file_size creation_date last_modified_date"
        " document_title chunk_id doc_id"
    ).split()
)
_MAIL = re.compile(r"\n(?:> ?){0,8}\*{0,2}(?:From|Subject|Sent|To|Von|Betreff|De|Objet):\*{0,2} ")
_PAIRS = re.compile(
    r"\n[ \t*#\"-]{0,8}(?:example |sample |few-shot )?(input|output|question|answer|q|a|prompt"
    r"|completion|response|expected output|label|sentiment|user|assistant|human|ai"
    r"|translation|user input)(?: ?#?\d{1,3})?\*{0,2}:",
    re.IGNORECASE,
)
_EXAM = re.compile(
    r"\n[ \t*#]{0,8}(?:(?:question|exercise|problem|aufgabe|frage|q)[ .#]{0,2}\d{1,3}\b"
    r"|\(?[A-Ea-e][.)] ?\S|\d{1,3}[.)] [^\n]{1,300}\?[ \t*]{0,4}(?=\n|$))",
    re.IGNORECASE,
)
_CHORES = re.compile(
    r"\n[ \t]{0,12}(?:[-*+] |\d{1,3}[.)] |\[\d{1,3}\] )?"
    r"(?:\[[ xX~-]\] |[☐☑☒✅✔] ?|(?:todo|done|fixme|wip)\b"
    r"|\*{0,2}(?:status|due|due date|priority|assignee|assigned to|owner)\*{0,2}:)",
    re.IGNORECASE,
)
_RELEASES = re.compile(
    r"\n(?:(?:#{1,5} |\*\*)?\[?(?:version |release )?v?\d{1,4}\.\d{1,4}(?:\.\d{1,4})?\b"
    r"[^\n]{0,60}(?=\n)"
    r"|#{1,5} (?:added|changed|fixed|removed|deprecated|security|breaking changes|bug fixes"
    r"|features)\b)",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"\n[ \t*#]{0,8}(?:\[\d{1,4}\] |\d{1,3}[.)] )?"
    r"(?:article|section|clause|schedule|artikel|annex|recital|paragraph|§{1,2})"
    r" ?\(?(?:\d|[IVX]{1,5}\b)",
    re.IGNORECASE,
)
_STEPS = re.compile(
    r"\n[ \t*#]{0,8}(?:\[\d{1,4}\] |\d{1,3}[.)] )?(?:step|schritt|rule|task|item|instruction)"
    r" #?\d{1,3}\b",
    re.IGNORECASE,
)
_SIGNS = (_EXAM, _CHORES, _RELEASES, _CLAUSES, _STEPS)
_LEGAL_WORDS = (
    " shall ", "hereinafter", " herein", "hereby", "thereof", "hereto", "pursuant to", "appellant",
    "respondent", "plaintiff", "defendant", "claimant", "the parties", "licensee", "licensor",
)  # fmt: skip
_CHARS_PER_LEGAL_WORD = 700
_HEAD = re.compile(
    r"\b(?:to-?do(?: list)?|check-?list|change-?log|release notes|exam(?:ination)?|quiz"
    r"|homework|worksheet|transcript|minutes of|chat log|interview|meeting notes|backlog"
    r"|action items|agreement|contract|statute|judge?ment|terms (?:of service|and conditions)"
    r"|privacy policy|few-shot|recipe|follow (?:these|the) (?:steps|rules))\b",
    re.IGNORECASE,
)


def is_prose(text: str, fence: str | None, call: str) -> bool:
    """Tell whether `text` is made of sentences: no program, data, table, log or list of files."""
    if text.count("\n") * _LEAST_LINE_CHARS > len(text) or not _has_sentences(text):
        return False
    kind = kind_of(text, fence, call)
    if kind is Kind.SOURCE and fence is None and _has_labels(text):
        kind = kind_of(_LABEL_LINE.sub("\n", text), fence, call)
    return kind not in _EXACT_KINDS and (kind not in _LINED_KINDS or "\n\n" in text)


def _has_labels(text: str) -> bool:
    return _count(_LABEL_LINE, "\n" + text[: _SAMPLE_CHARS // 2]) >= _LEAST_SIGNS


def is_whole(text: str) -> bool:
    """Tell whether prose is one thing: a conversation, a contract, an examination...

    Of a long text the first 2,000 lines are looked at.
    """
    lines = _line_heads(text)
    return _is_conversation(lines) or _is_legal(text) or _has_parts(lines)


def is_announced(head: str) -> bool:
    """Tell whether the words before a list say that it is one thing; questions may name one."""
    return any(not line.rstrip().endswith("?") and _HEAD.search(line) for line in head.split("\n"))


def _line_heads(text: str) -> str:
    """Return the first lines of `text`, of the long ones the beginnings, a line end before each."""
    # Signs stand where a line begins: the ten patterns need not read whole paragraphs.
    lines = text.split("\n", _MOST_LINES_READ)[:_MOST_LINES_READ]
    heads = [line if len(line) <= _WHOLE_LINE_CHARS else line[:_HEAD_CHARS] for line in lines]
    return "\n" + "\n".join(filter(None, heads)) + "\n"


def _has_sentences(text: str) -> bool:
    """Tell sentences from programs, JSON, tables and logs by their punctuation."""
    sample = _UNDERLINE.sub("\n", text[:_SAMPLE_CHARS])
    symbols = sum(map(sample.count, "{};=|\\\t"))
    spaced = sample.count(" ") * 10 >= len(sample) or not sample.isascii()
    return spaced and symbols * 50 < len(sample)


def _is_conversation(lines: str) -> bool:
    """Tell whether speakers take turns in a text, or it is a mail thread."""
    if lines.count(" --> ") >= _LEAST_SIGNS or _count(_MAIL, lines) >= _LEAST_SIGNS:
        return True
    speakers = Counter(
        name
        for turn in _SPEAKER.findall(lines)
        if (name := turn.strip().lower()).split(" ", 1)[0] not in _FIELDS
    )
    turns = speakers.total()
    return turns >= _LEAST_TURNS and turns >= 2 * len(speakers)


def _is_legal(text: str) -> bool:
    sample = text[:_SAMPLE_CHARS].lower()
    words = sum(map(sample.count, _LEGAL_WORDS))
    return words >= _LEAST_SIGNS and words * _CHARS_PER_LEGAL_WORD > len(sample)


def _has_parts(lines: str) -> bool:
    """Tell whether a text is made of examples, exam questions, chores, releases or clauses."""
    if any(_count(sign, lines) >= _LEAST_SIGNS for sign in _SIGNS):
        return True
    names = Counter(pair.lower() for pair in _PAIRS.findall(lines))
    # A prompt's own question and answer come once or twice; pairs come again and again.
    return any(count >= _LEAST_SIGNS for count in names.values())


def _count(pattern: re.Pattern[str], lines: str) -> int:
    return sum(1 for _ in islice(pattern.finditer(lines), _LEAST_SIGNS))
