"""Logs with their repetition left out: some lines of each shape stay, and all that stands out.

Kept are the first two lines and the last one of each shape, errors and warnings with their
neighbours and stack traces, rare words, far numbers, gaps in a count, what the question or the call
names, and all lines of a time or about something that is asked for altogether. The order is kept
and a note tells how many lines are missing at its place.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain, compress

from korad.optimizer.base import HIGH, MARK, Block, Transform, note
from korad.optimizer.logs.asked_lines import asked_lines
from korad.optimizer.logs.line_shapes import mask, mask_coarsely
from korad.optimizer.logs.outliers import LEAST_ROWS, outstanding
from korad.optimizer.logs.shapes import classes_of, continues, is_log, line_end
from korad.optimizer.recognition.error_lines import Lines

_WARNINGS = (
    *("warn", "alert", "critical", "denied", "refused", "abort"),
    *("timeout", "time out", "timed out", "timedout"),
)
_KLOG_LETTERS = ("W", "E", "F")
_KLOG_WARNING = re.compile(r"[WEF]\d{4} ")
_STATUS = re.compile(r"HTTP/[\d.]+\"? 5\d\d\b")
_WARNED_SHARE = 0.3
"""If more lines hold such a word it is no warning but the log's subject."""
_TRACE = ("Caused by", "...")
_BEFORE, _AFTER = 1, 2
_FEW_SHAPES, _SHAPE_SHARE = 8, 30
_PROBED_LINES = 4
_FIRST, _LAST = 2, 1
_NAMED = re.compile(r"\"([^\"\n]{2,80})\"|'([^'\n]{2,80})'|`([^`\n]{2,80})`|([\w][\w./:@-]*\w)")
_MOST_NAMED = 24
_COMMON_LINES, _RARE_LINES = 24, 3
_LONG_WORD = 5
_SUPERLATIVE = re.compile(
    r"(?i)\b(?:slow|fast|long|short|larg|bigg|small|high|low|great|lat|earli)est\b|\bm(?:ax|in)|"
    r"\bpeak|\bmost\b|\bleast\b"
)
_SHORT_RUN_CHARS = 80
_WORTH = 0.95


def fold(block: Block) -> str:
    """Return the log without the lines that are like others; the text itself if it is none."""
    text = block.text
    if MARK in text or not is_log(block):
        return text
    eol = line_end(text)
    lines = text.split(eol)
    asked = asked_lines(block.question, lines)
    if asked is None:
        return text
    kept = bytearray(len(lines))
    for place in asked:
        kept[place] = True
    classes = classes_of(lines)
    ends = list(accumulate(map(len(eol).__add__, map(len, lines))))
    _keep_errors(text, lines, classes, ends, kept)
    _keep_named(text, block, ends, kept)
    extremes = _SUPERLATIVE.search(block.question) is not None
    for places in _shapes(lines, classes):
        for place in (*places[:_FIRST], *places[-_LAST:]):
            kept[place] = True
        _keep_outstanding(lines, places, kept, extremes=extremes)
    made = eol.join(_with_notes(lines, kept))
    return made if len(made) < len(text) * _WORTH else text


def _shapes(lines: Sequence[str], classes: dict[bytes, list[int]]) -> Iterable[list[int]]:
    """Return the places of the lines of each shape, in order."""
    firsts = [lines[places[0]] for places in classes.values()]
    most = _FEW_SHAPES + len(lines) // _SHAPE_SHARE
    begun = _PROBED_LINES * most
    shapes = _masked(mask, firsts[:begun])
    # The first lines of a log of many shapes have too many already.
    if len(firsts) > begun and len(set(shapes)) <= most:
        shapes += _masked(mask, firsts[begun:])
    if len(set(shapes)) > most:
        shapes = _masked(mask_coarsely, firsts)
    found: defaultdict[str, list[list[int]]] = defaultdict(list)
    for shape, places in zip(shapes, classes.values(), strict=True):
        found[shape].append(places)
    return [
        parts[0] if len(parts) == 1 else sorted(chain.from_iterable(parts))
        for parts in found.values()
    ]


def _masked(mask: Callable[[str], str], lines: Sequence[str]) -> list[str]:
    return mask("\n".join(lines)).split("\n")


def _keep_errors(
    text: str,
    lines: Sequence[str],
    classes: dict[bytes, list[int]],
    ends: Sequence[int],
    kept: bytearray,
) -> None:
    traced = bytearray(len(lines))
    warned = [bisect_right(ends, found.start()) for found in _STATUS.finditer(text)]
    firsts = [lines[places[0]] for places in classes.values()]
    looked_at = Lines(firsts)
    are_errors = looked_at.with_errors()
    are_warnings = looked_at.with_any(_WARNINGS) | _klog_warnings(firsts)
    for n, places in enumerate(classes.values()):
        if are_errors[n]:
            for place in places:
                _keep_around(lines, place, kept, traced)
        elif n in are_warnings:
            warned += places
    if len(warned) <= len(lines) * _WARNED_SHARE:
        for place in warned:
            _keep_around(lines, place, kept, traced)


def _klog_warnings(lines: Sequence[str]) -> set[int]:
    """Return the places of warnings and errors by their first letter, as klog writes them."""
    return {
        n for n, line in enumerate(lines) if line[:1] in _KLOG_LETTERS and _KLOG_WARNING.match(line)
    }


def _keep_around(lines: Sequence[str], place: int, kept: bytearray, traced: bytearray) -> None:
    after = place + 1
    # A trace that an earlier line began is kept whole already; walking it again were quadratic.
    while after < len(lines) and not traced[after] and _is_traced(lines, after):
        traced[after] = kept[after] = True
        after += 1
    # The line after a trace's indented ones is its own: the exception.
    after += after > place + 1
    for near in range(max(0, place - _BEFORE), min(len(lines), after + _AFTER)):
        kept[near] = True


def _is_traced(lines: Sequence[str], place: int) -> bool:
    line = lines[place]
    return bool(line) and (continues(lines, place) or line.startswith(_TRACE))


def _keep_named(text: str, block: Block, ends: Sequence[int], kept: bytearray) -> None:
    """Keep the lines that hold an id, a number or a rare word of the question or the call."""
    for name, most in _names(block):
        at = text.find(name)
        hits: list[int] = []
        while at >= 0 and len(hits) <= most:
            hits.append(bisect_right(ends, at))
            at = text.find(name, ends[hits[-1]])
        if len(hits) <= most:
            for hit in hits:
                kept[hit] = True


def _names(block: Block) -> list[tuple[str, int]]:
    """Return what is asked for, and in how many lines it may stand to be kept in all of them."""
    names: dict[str, int] = {}
    for source in (block.question[-4000:], block.call[:2000]):
        for groups in _NAMED.findall(source):
            quoted, word = "".join(groups[:3]), groups[3]
            if quoted or any(map(str.isdigit, word)) or not word.isalpha():
                names[quoted or word] = _COMMON_LINES
            elif len(word) >= _LONG_WORD:
                names[word] = _RARE_LINES
    named = sorted(names.items(), key=lambda entry: -entry[1])
    return [(name, most) for name, most in named if len(name) > 1][:_MOST_NAMED]


def _keep_outstanding(
    lines: Sequence[str], places: Sequence[int], kept: bytearray, *, extremes: bool
) -> None:
    if len(places) < LEAST_ROWS:
        return
    own = [lines[place] for place in places]
    if own.count(own[0]) == len(own):
        return
    if own[0][:1] == "{":
        rows = [line.replace(', "', ',"').split(',"') for line in own]
    else:
        rows = [line.split() for line in own]
    lengths = list(map(len, rows))
    for length in set(lengths):
        those, there = rows, places
        if lengths.count(length) < len(rows):
            chosen = [length == size for size in lengths]
            those, there = list(compress(rows, chosen)), list(compress(places, chosen))
        for row in outstanding(those, extremes=extremes):
            kept[there[row]] = True


def _with_notes(lines: Sequence[str], kept: bytearray) -> list[str]:
    made: list[str] = []
    place = 0
    while place < len(lines):
        end = kept.find(0, place)
        end = len(lines) if end < 0 else end
        made += lines[place:end]
        place = kept.find(1, end)
        place = len(lines) if place < 0 else place
        left_out = lines[end:place]
        if sum(map(len, left_out)) > _SHORT_RUN_CHARS:
            made.append(note(f"{len(left_out)} similar lines left out"))
        else:
            made += left_out
    return made


LOG_FOLDING = Transform(name="Log folding", level=HIGH, apply=fold, notes=True)
