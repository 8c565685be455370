"""The signs of a log: how its entries begin, or that they are all of one shape."""

from __future__ import annotations

import re
from collections import Counter

from korad.optimizer.recognition.code_signs import looks_like_code
from korad.optimizer.recognition.kind_signs import MOST, NEARLY_ALL, Sample

ENTRIES_MIN = 5
ENTRIES_SHARE = 0.25
"""Least share of all lines: the others may be indented, as stack traces are."""
ENTRY_CHARS_MAX = 200
"""How much of a line is looked at: an entry begins with what tells it."""
SHAPED_LINES_MIN = 8
SHAPE_TIMES_MIN = 3
SHAPE_WORDS_MIN = 2
SPACED = 0.9

_STAMP = r"""(?:
  \d{4}[-/.]\d\d[-/.]\d\d[T\ /_]\d\d:\d\d(?::\d\d)?
| \d\d?[-/.](?:\d\d|[A-Z][a-z]{2})[-/.]\d{2,4}[\ :T]\d\d:\d\d(?::\d\d)?
| (?:[A-Z][a-z]{2},?\ )?(?:[A-Z][a-z]{2}\ +\d{1,2}|\d{1,2}\ [A-Z][a-z]{2})(?:\ \d{4})?,?
    \ \d\d:\d\d:\d\d
| \d\d:\d\d:\d\d )(?:[.,:]\d{1,9})?(?:\ ?(?:Z|UTC|[+-]\d\d:?\d\d))?"""
_LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE|PANIC)"
# What comes after a time tells an entry from a row of a table: "," or a tab begins a cell.
_TIMED = rf"[\[(<]?{_STAMP}(?:[\])>|]|:(?!\d)|\ |\t(?={_LEVEL})|$)"
_SERVICE = r"""
  \S+\ \S+\ \S+\ \[\d{1,4}[-/]              # access logs: address, names, [date
| [IWEF]\d{4}\ \d\d:\d\d:\d\d               # klog
| \[\ *\d+\.\d{3,6}\]\                      # dmesg
| \d{10}(?:\d{3})?(?:\.\d+)?\ \S            # seconds since 1970
| <\d{1,3}>                                 # syslog's priority
| \[[A-Za-z][\w\ .:/#-]{1,40}\]:?\ \S       # [component] words
| [\w.]+=(?:"[^"]*"|\S+)\ +[\w.]+=(?:"|\S)  # logfmt
"""
_BUILD = r"""
  \[\ *\d+\ ?/\ ?\d+\]\  | \[\ *\d{1,3}%\]\  | Step\ \d+/\d+
| \#\d+\ (?:\[|\d+\.\d|DONE|CACHED|sha256:) | >\ Task\ : | make(?:\[\d+\])?:\ \S
| npm\ (?:warn|WARN|notice|http|ERR!|error|info)\b | \#\#\[ | ::\w+
| (?:Collecting|Downloading|Downloaded|Requirement\ already|Using\ cached|Installing|Compiling
    |Checking|Unpacking|Setting\ up|Selecting|Preparing|Fetching|Building|Obtaining|Created
    |Processing\ triggers|Copying|Resolving|Pulling|Get:\d|Hit:\d)\ ?\S
| (?:ok|not\ ok)\ \d+ | (?:PASS|FAIL|ok|---\ (?:PASS|FAIL|SKIP):|===\ RUN)[\ \t:]
| \S+::\S+\ (?:PASSED|FAILED|ERROR|SKIPPED|XFAIL)
"""
_ENTRY = re.compile(
    rf"""(?:[\w.-]+\ +\|\ +)?(?:  # a container's name
      {_TIMED} | {_SERVICE} | {_BUILD} | \[?{_LEVEL}\]?(?:[\ :\]/]|$)
    | \[?(?:trace|debug|info|notice|warn|warning|error|fatal)(?:\]|:\ )
    )""",
    re.VERBOSE,
)


def has_log_entries(sample: Sample) -> bool:
    """Tell whether most lines begin as log entries do; indented ones may go on from the last."""
    lines = [line for line in sample.words if line[0] not in " \t"]
    wanted = max(ENTRIES_MIN, MOST * len(lines), ENTRIES_SHARE * len(sample.words))
    left = len(lines)
    for line in lines:
        if left < wanted:
            break
        left -= _ENTRY.match(line, 0, ENTRY_CHARS_MAX) is None
    return left >= wanted and not looks_like_code(sample.later)


_VARYING = b"0123456789abcdefABCDEF-"


def has_one_shape(sample: Sample) -> bool:
    """Tell whether most lines are others of them with other numbers or hexadecimal ids."""
    lines = [line for line in sample.words if line[0] not in " \t"]
    if len(lines) < max(SHAPED_LINES_MIN, NEARLY_ALL * len(sample.words)):
        return False
    # Lines of one shape have equally many blanks: that tells prose at a tenth of the cost.
    blanks = Counter([line.count(" ") for line in lines])
    often = sum(times for times in blanks.values() if times >= SHAPE_TIMES_MIN)
    if often < MOST * len(lines) or len(lines) - blanks[0] < SPACED * len(lines):
        return False
    if len(set(lines)) < MOST * len(lines):
        return False
    masked = "\n".join(lines).encode("utf-8", "replace").translate(None, _VARYING)
    usual = sum(
        times
        for shape, times in Counter(masked.split(b"\n")).items()
        if times >= SHAPE_TIMES_MIN and len(shape.split()) >= SHAPE_WORDS_MIN
    )
    return usual >= MOST * len(lines) and not looks_like_code(sample.later)
