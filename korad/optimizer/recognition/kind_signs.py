"""The signs of what a text is that stand at its beginning, and the sample they are looked for in.

Taking code, a table or a configuration file for a log would cost the prompt what it is about, so
those are looked for first and on little evidence, and a log needs much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from korad.domain.value import Fact
from korad.optimizer.recognition.stamps import is_timed

HEAD_CHARS = 8_192
PROBE_CHARS = 2_000
LINES_MAX = 40
STEPS_MIN = 2
HALF, MOST, NEARLY_ALL = 0.5, 0.6, 0.8
"""Shares of lines."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Sample(Fact, frozen=True):
    """What of a text is looked at, free of colours and carriage returns."""

    head: str
    """Its beginning: whole lines, `HEAD_CHARS` at most (a longer first line is cut)."""
    lines: list[str]
    """The first `LINES_MAX` lines of the head that hold something, white space included."""
    words: list[str]
    """Those of them that are not blank."""
    later: list[str]
    """Lines from the middle and the end of a long text."""


def sample_of(text: str) -> Sample:
    """Return the sample of `text`; it takes the same time for long texts as for middling ones."""
    head = _plain(_whole_lines(text[: HEAD_CHARS + 1], HEAD_CHARS))
    later = ""
    if len(text) > HEAD_CHARS + 2 * PROBE_CHARS:
        middle = len(text) // 2
        later = f"{text[middle : middle + PROBE_CHARS]}\n{text[-PROBE_CHARS:]}"
    lines = list(filter(None, head.split("\n")))[:LINES_MAX]
    return Sample(
        head=head,
        lines=lines,
        words=[line for line in lines if not line.isspace()],
        later=_plain(later).split("\n") if later else [],
    )


def _whole_lines(text: str, chars: int) -> str:
    if len(text) <= chars:
        return text
    end = text.rfind("\n", 0, chars)
    return text[: end if end > 0 else chars]


def _plain(text: str) -> str:
    if "\x1b[" in text:
        text = _ANSI.sub("", text)
    if "\r" not in text:
        return text
    # An overwritten line shows what was written last.
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\r")[2] for line in lines)


def share(lines: Iterable[str], test: Callable[[str], object]) -> float:
    """Return the share of `lines` that pass `test`, 0.0 of no lines."""
    passed = [bool(test(line)) for line in lines]
    return sum(passed) / len(passed) if passed else 0.0


def reaches(least: float, lines: Sequence[str], test: Callable[[str], object]) -> bool:
    """Return whether at least a share of `lines` passes `test`; of no lines nothing passes.

    Most texts are not what they are tested for: it stops as soon as too many lines have failed.
    """
    count = left = len(lines)
    for line in lines:
        if not test(line):
            left -= 1
            if left < least * count:
                return False
    return count > 0


_FILE_HEADER = re.compile(r"^\[File: .+ \(\d+ lines total\)\]$|^.{0,200}`cat -n`", re.MULTILINE)
_FILE_HEADER_CHARS = 2_000
_NUMBERED = re.compile(r" *(\d{1,7})(?:\t|:(?!\d\d:)|→| ?[|│])")


def is_file_view(sample: Sample) -> bool:
    """Tell whether the lines carry growing line numbers, as editors and `cat -n` show files."""
    start = sample.head[:_FILE_HEADER_CHARS]
    if ("`cat -n`" in start or "[File: " in start) and _FILE_HEADER.search(start):
        return True
    if not reaches(HALF, sample.words, _NUMBERED.match) or reaches(MOST, sample.words, is_timed):
        return False  # a log whose lines were numbered is a log
    found = [_NUMBERED.match(line) for line in sample.words]
    numbers = [int(match.group(1)) for match in found if match]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(steps) < STEPS_MIN:
        return False
    growing = min(steps) > 0 and len(numbers) >= NEARLY_ALL * len(found)
    return growing or steps.count(1) >= HALF * len(found)


_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@", re.MULTILINE)


def is_diff(sample: Sample) -> bool:
    """Tell whether it is a unified diff, with or without words before it."""
    head = sample.head
    if head.startswith("diff --git ") or "\ndiff --git " in head:
        return True
    return "+++ " in head and "@@ -" in head and _HUNK.search(head) is not None


_PAGE = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype html|html)\b",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"</?([a-zA-Z][\w:-]*+)[^<>]{0,2000}+>")
_HTML_TAGS = frozenset(
    """a article b body br button dd div dl dt em footer form h1 h2 h3 h4 head header hr i img input
    label li link main meta nav ol option p section select span strong table tbody td th tr u ul
    """.split()  # noqa: SIM905 - forty quoted names are not easier to read
)
_SCRIPTED = ("<?php", "<%", "{% ")
_COMPONENT = ("{{", "className=", "v-if=", "*ngIf", "=> {")
TAGS_MIN = 8
TAG_NAMES_MIN = 3
CHARS_PER_TAG_MAX = 60
"""Prose with a few tags in it has more between them."""


def is_page(sample: Sample) -> bool:
    """Tell whether it is HTML that a reader would see as a page, not a template or a component."""
    head = sample.head
    if not head.lstrip().startswith("<") or any(sign in head for sign in _SCRIPTED):
        return False
    if _PAGE.match(head):
        return True
    if any(sign in head for sign in _COMPONENT):
        return False
    tags = [tag.lower() for tag in _TAG.findall(head)]
    known = [tag for tag in tags if tag in _HTML_TAGS]
    names = len(set(known))
    return len(known) >= max(TAGS_MIN, NEARLY_ALL * len(tags)) and names >= TAG_NAMES_MIN


def is_markup(sample: Sample) -> bool:
    """Tell whether it is XML or a template: more tags than prose has."""
    start = sample.head.lstrip()
    if not start.startswith("<"):
        return False
    if start.startswith(("<?", "<%")) or _PAGE.match(start):
        return True
    return len(_TAG.findall(start)) * CHARS_PER_TAG_MAX >= len(start)


_HTTP = re.compile(r"(?:HTTP/\d(?:\.\d)? \d{3}\b[^\n]*|[A-Z]{3,7} \S+ HTTP/\d(?:\.\d)?)\n[\w-]+:")


def is_http_message(sample: Sample) -> bool:
    """Tell whether it is a request or an answer as sent over the wire."""
    return _HTTP.match(sample.head) is not None
