"""Tell the lines that speak of an error: they outlive every shortening."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_lowercase

_ERROR = re.compile(
    r"""(?<![a-z])(?:error|exception|failure|traceback)s?(?![a-z]) | backoff
    | \b(?:
      fail(?:ed|ing|s|ures?)? | fatal | panic(?:ked|s)? | segfault(?:ed)? | segmentation\ fault
    | abort(?:ed|ing)? | critical | severe | emerg(?:ency)? | killed | crash(?:ed|es)?
    | core\ dumped | out\ of\ memory | oom(?:killed)? | denied | refused | rejected | unreachable
    | timed\ out | timeout | deadlock\w* | unhandled | uncaught | corrupt(?:ed)? | not\ found
    | no\ such | cannot | can't | could\ not | couldn't | unable\ to | undefined\ reference
    | caused\ by | exit(?:ed)?(?:\ with)?(?:\ (?:code|status))?[\ :=]+[1-9]\d* | err
    )\b""",
    re.VERBOSE,
)
# Each name begins with a letter that the engine can search for; what stands before comes second.
_NAMED_ERROR = re.compile(
    r"(?:E(?<=[A-Za-z]E)(?:rror|xception)|F(?<=[A-Za-z]F)(?:ailure|ault)|T(?<=[A-Za-z]T)imeout)s?"
    r"(?![a-z])"
)
_NO_ERROR = re.compile(
    r"""\b(?:0|no|without|zero)\ (?:error|failure|exception|fail)(?:s|ed)?\b
    | \b(?:error|fail(?:ed|ure)|exception)s?["']?\ ?[=:]\ ?["']?(?:0|none|null|false)\b""",
    re.VERBOSE,
)


_LINES_AT_ONCE = 16
"""No sign of an error goes across a line's end: lines without one are told together."""

_NO_LETTERS = bytes(n if chr(n) in ascii_lowercase else ord(" ") for n in range(256))
# One of these stands in whatever the pattern of errors finds: as a word, or within one.
_WORDS = frozenset(
    b"""
    error errors exception exceptions failure failures traceback tracebacks fail failed failing
    fails failur failures fatal panic panicked panics segfault segfaulted segmentation abort
    aborted aborting critical severe emerg emergency killed crash crashed crashes dumped memory
    oom oomkilled denied refused rejected unreachable timed timeout unhandled uncaught corrupt
    corrupted found such cannot could couldn unable undefined caused exit exited err
    """.split()
)
_NAMES = ("Error", "Exception", "Failure", "Fault", "Timeout")
_WITHIN = ("backoff", "deadlock", "can't")


def is_error_line(line: str) -> bool:
    """Tell whether `line` speaks of an error or a failure; warnings are none."""
    if _holds(line, _NAMES) and _NAMED_ERROR.search(line):
        return True
    words = line.lower()
    if not _may_tell(words) or _ERROR.search(words) is None:
        return False
    return _NO_ERROR.search(words) is None or _ERROR.search(_NO_ERROR.sub("", words)) is not None


def _may_tell(words: str) -> bool:
    """Tell whether the pattern of errors is worth a search: it takes ten times as long."""
    letters = words.encode("utf-8", "surrogatepass").translate(_NO_LETTERS)
    return not _WORDS.isdisjoint(letters.split()) or _holds(words, _WITHIN)


def _holds(text: str, parts: Sequence[str]) -> bool:
    for part in parts:  # noqa: SIM110 - any() of a generator takes twice as long
        if part in text:
            return True
    return False


def are_error_lines(lines: Sequence[str]) -> list[bool]:
    """Tell of each of `lines` whether it speaks of an error; it looks at many at once."""
    told: list[bool] = []
    for start in range(0, len(lines), _LINES_AT_ONCE):
        some = lines[start : start + _LINES_AT_ONCE]
        if is_error_line("\n".join(some)):
            told += map(is_error_line, some)
        else:
            told += [False] * len(some)
    return told
