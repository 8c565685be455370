"""The time stamps and level words that a log's entries begin with."""

from __future__ import annotations

import re

_STAMP = r"""(?:
  \d{4}[-/.]\d\d[-/.]\d\d[T\ /_]\d\d:\d\d(?::\d\d)?
| \d{8}(?:T\d\d:?\d\d:?\d\d|[-_\ ]\d\d:\d\d:\d\d)
| \d\d?[-/.](?:\d\d|[A-Z][a-z]{2})[-/.]\d{2,4}[\ :T]\d\d:\d\d(?::\d\d)?
| \d\d[-/]\d\d\ \d\d:\d\d:\d\d
| (?:[A-Z][a-z]{2},?\ )?(?:[A-Z][a-z]{2}\ +\d{1,2}|\d{1,2}\ [A-Z][a-z]{2})(?:\ \d{4})?,?
    \ \d\d:\d\d:\d\d
| \d\d:\d\d:\d\d )(?:[.,:]\d{1,9})?(?:\ ?(?:Z|UTC|[+-]\d\d:?\d\d))?"""
LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|FATAL|CRITICAL|SEVERE|PANIC)"
# A line's number, the log file it is from or a level's letter may stand before the time. What comes
# after it tells an entry from a row of a table: "," or a tab begins a cell.
TIMED = rf"""
(?: \d{{1,7}}(?:\t|:\ ?|→|\ ?[|│]\ ?) | [DIWEFA],\x20
  | (?=[\w+@-]*+[./])(?: [\w./@+-]++:(?:\d{{1,7}}:)? | (?=\S{{0,80}}\.log)\S++\x20 ) )??
[\[(<]?{_STAMP}
(?: [\])>|] | :(?!\d) | \  | \t(?={LEVEL}) | $ | ,\ (?:Info|Warning|Error)\ {{2}} )"""
"""How an entry with its time begins, for a verbose pattern."""

ENTRY_CHARS_MAX = 200
"""How much of a line is looked at: an entry begins with what tells it."""

_TIMED = re.compile(rf"\s*{TIMED}", re.VERBOSE)


def is_timed(line: str) -> bool:
    """Tell whether a line begins with a time, as entries of logs do."""
    return _TIMED.match(line, 0, ENTRY_CHARS_MAX) is not None
