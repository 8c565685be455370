"""The signs of a log: how its entries begin, or that they are all of one shape."""

from __future__ import annotations

import re
from collections import Counter

from korad.optimizer.recognition.code_signs import looks_like_code
from korad.optimizer.recognition.kind_signs import MOST, NEARLY_ALL, Sample
from korad.optimizer.recognition.stamps import ENTRY_CHARS_MAX, LEVEL, TIMED

ENTRIES_MIN = 5
ENTRIES_SHARE = 0.25
"""Least share of all lines: the others may be indented, as stack traces are."""
SHAPED_LINES_MIN = 8
SHAPE_TIMES_MIN = 3
SHAPE_WORDS_MIN = 2
SPACED = 0.9
SHAPED_CHARS_SHARE = 0.15
"""Least share of the text that lines of some shape hold: above passages stand short ones too."""

_SERVICE = r"""
  \S+\ \S+\ \S+\ \[\d{1,4}[-/]              # access logs: address, names, [date
| [IWEF]\d{4}\ \d\d:\d\d:\d\d               # klog
| \[\ *\d+\.\d{3,6}\]\                      # dmesg
| (?:-\ )?\d{10}(?:\d{3})?(?:\.\d+)?\ \S     # seconds since 1970
| [VDIWEFA]/[\w.$-]+\ *\(\ *\d+\):\         # a letter and Android's tag
| (?:\[pid\ )?[\d.:\]\ ]{0,40}+[a-z]\w{2,30}+\((?=[^\n]*[,"])[^\n]*\)\ +=\ # strace
    (?:-?\d+|0x[\da-f]+|\?)(?:\ |$)
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
| (?:test\ )?[\w:./-]++(?:\ \([\w.]+\))?\ \.\.\.\ (?:ok|FAIL|ERROR|skipped|ignored)
| (?:[Ee]poch|[Ss]tep|[Ii]ter(?:ation)?|[Bb]atch|[Ee]pisode)\W{1,3}\d+\b.*[a-z]\W{1,3}\d+\.\d
"""
_ENTRY = re.compile(
    rf"""(?:[\w.-]+\ +\|\ +)?(?:  # a container's name
      {TIMED} | {_SERVICE} | {_BUILD} | \[?{LEVEL}\]?(?:[\ :\]/]|$)
    | \[?(?:trace|debug|info|notice|warn|warning|error|fatal|fail|crit|dbug|trce)
      (?:\]|:\ )
    )""",
    re.VERBOSE,
)


def has_log_entries(sample: Sample) -> bool:
    """Tell whether most lines begin as log entries do; further indented ones may go on from one."""
    lines = _entries(sample.words)
    wanted = max(ENTRIES_MIN, MOST * len(lines), ENTRIES_SHARE * len(sample.words))
    left = len(lines)
    for line in lines:
        if left < wanted:
            break
        left -= _ENTRY.match(line, 0, ENTRY_CHARS_MAX) is None
    return left >= wanted and not looks_like_code(sample.later)


def is_entry(line: str) -> bool:
    """Tell whether a line begins as a log's entry does, but for its indentation."""
    return _ENTRY.match(line.lstrip(), 0, ENTRY_CHARS_MAX) is not None


def _entries(lines: list[str]) -> list[str]:
    """Return the lines that are no further indented than the first, without their indentation."""
    if not lines or lines[0][0] not in " \t":
        return [line for line in lines if line[0] not in " \t"]
    indent = len(lines[0]) - len(lines[0].lstrip())
    bare = [(line, line.lstrip()) for line in lines]
    return [words for line, words in bare if len(line) - len(words) <= indent]


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
    usual = [
        (times, len(shape))
        for shape, times in Counter(masked.split(b"\n")).items()
        if times >= SHAPE_TIMES_MIN and len(shape.split()) >= SHAPE_WORDS_MIN
    ]
    return (
        sum(times for times, _ in usual) >= MOST * len(lines)
        and sum(times * chars for times, chars in usual) >= SHAPED_CHARS_SHARE * len(masked)
        and not looks_like_code(sample.later)
    )
