"""Cut the middle out of a command's long output.

The first 60 and the last 30 lines stay, every line that speaks of an error with one line before and
two after (and a stack trace or a quoted line below it), and every line that holds what the question
or the call asks for by name. Only the output of a command is cut: what shows a file or fetches a
page was asked for as a whole, and of lists and matches each line may be the one that is wanted:
those are cut at extreme only. Logs are the business of log folding, which knows an outlier. One
huge line of words keeps its beginning and its end, at extreme only: nothing says what is in it.
"""

from __future__ import annotations

import re
from itertools import compress

from korad.optimizer.base import EXTREME, HIGH, MARK, TOOL, Block, Transform, note
from korad.optimizer.recognition.asked import Asked, asked_in
from korad.optimizer.recognition.kinds import Kind, are_error_lines, is_error_line, kind_of

_LINES_MIN = 100
_HEAD = 60
_TAIL = 30
_BEFORE_ERROR = 1
_AFTER_ERROR = 2
_INDENTED_MAX = 40
_GAP_MIN = 5
"""A shorter gap saves little more than its note costs."""
_LONG_LINE_CHARS = 20_000
_LINE_HEAD_CHARS = 4_000
_LINE_TAIL_CHARS = 2_000
_WORD_CHARS_MAX = 40
"""Lines whose words are longer on average are data, not text."""

_COMMAND = re.compile(
    r"bash|shell|terminal|console|command|cmd|execut|exec|\brun|subprocess|powershell|interpreter|"
    r'ipython|"script"|"code"',
    re.IGNORECASE,
)
_SHOWS = re.compile(
    r"""(?<![|\w.-])(?<!\|[ ])(?:cat|bat|nl|less|more|head|tail|open(?:_file)?|view(?:_file)?|goto
        |scroll_(?:up|down)|read(?:_?file)?|sed|awk|xxd|od|strings|show_file|get_file\w*|type
        |get-content|curl|wget|fetch|man|git\ (?:show|diff|blame|cat-file)|edit\w*|create
        |str_replace|jq|decompile|objdump)(?![\w-])|--help\b|\w_?file\s*\(""",
    re.VERBOSE | re.IGNORECASE,
)
_LISTS = re.compile(
    r"""(?<![\w.-])(?:ls|dir|find|grep|egrep|rg|ag|ack|fd|tree|du|df|ps|env|printenv|locate
        |git\ (?:log|grep|ls-files|status|branch|tag|reflog)|(?:pip|npm|apt|conda|brew|gem|cargo)
        \ (?:list|freeze|ls|search|tree)|kubectl\ (?:get|describe)|docker\ (?:ps|images|inspect)
        |select|search\w*|list\w*)(?![\w-])""",
    re.VERBOSE | re.IGNORECASE,
)
_MATCH_LINE = re.compile(r"[^\s:]+[:-]\d+[:-]")
_MATCHES_SHARE = 0.5


def cut(block: Block) -> str:
    """Return a command's output without its middle, where nothing in it asks to be kept."""
    text = block.text
    many = text.count("\n") > _LINES_MIN
    long = block.level >= EXTREME and len(text) > _LONG_LINE_CHARS
    if not (many or long) or block.role != TOOL or MARK in text or not _may_cut(block):
        return text
    lines = text.split("\n")
    asked = asked_in(text, block.question, block.call)
    if long:
        lines = [_shorter_line(line, asked) for line in lines]
    if many:
        lines = _kept(lines, asked)
    shorter = "\n".join(lines)
    return shorter if len(shorter) < len(text) else text


def _may_cut(block: Block) -> bool:
    """Tell whether a text is a command's output whose middle need not stay at the block's level."""
    if not _COMMAND.search(block.call) or _SHOWS.search(block.call):
        return False
    kind = kind_of(block.text, block.fence, block.call)
    if block.level >= EXTREME:
        return kind in {Kind.TEXT, Kind.LISTING}
    return kind is Kind.TEXT and not _LISTS.search(block.call) and not _is_matches(block.text)


def _is_matches(text: str) -> bool:
    """Tell whether most of the first lines are matches with a path and a line number."""
    lines = text[:8_000].split("\n")[:100]
    return sum(map(bool, map(_MATCH_LINE.match, lines))) > _MATCHES_SHARE * len(lines)


def _kept(lines: list[str], asked: Asked | None) -> list[str]:
    """Return the lines that stay, and notes in the place of the others."""
    if lines[-1] == "":
        return [*_kept(lines[:-1], asked), ""] if len(lines) > _HEAD + _TAIL else lines
    wanted = _wanted(lines, asked)
    out: list[str] = []
    at = 0
    for n in [*wanted, len(lines)]:
        gap = n - at
        out += [note(f"{gap} lines left out")] if gap >= _GAP_MIN else lines[at:n]
        out += lines[n : n + 1]
        at = n + 1
    return out


def _wanted(lines: list[str], asked: Asked | None) -> list[int]:
    """Return the indexes of the lines that stay, in order."""
    last = len(lines) - _TAIL
    wanted = {*range(_HEAD), *range(last, len(lines))}
    for n in compress(range(_HEAD, last), are_error_lines(lines[_HEAD:last])):
        wanted.update(range(n - _BEFORE_ERROR, _error_end(lines, n, last)))
    if asked is not None:
        wanted.update(n for n in range(_HEAD, last) if asked.is_in(lines[n]))
    return sorted(wanted)


def _error_end(lines: list[str], error: int, last: int) -> int:
    """Return where that ends which belongs to an error line: what is indented, and two lines."""
    end = error + 1 + _AFTER_ERROR
    most = min(error + _INDENTED_MAX, last)
    while end < most and lines[end][:1] in {" ", "\t"}:
        end += 1
    return min(end, last)


def _shorter_line(line: str, asked: Asked | None) -> str:
    """Cut the middle out of one huge line of words."""
    if len(line) <= _LONG_LINE_CHARS or line.lstrip()[:1] in {"{", "[", "<"}:
        return line
    middle = line[_LINE_HEAD_CHARS:-_LINE_TAIL_CHARS]
    if middle.count(" ") * _WORD_CHARS_MAX < len(middle):
        return line
    if is_error_line(middle) or (asked is not None and asked.is_in(middle)):
        return line
    left_out = note(f"{len(middle)} characters left out")
    return f"{line[:_LINE_HEAD_CHARS]}{left_out}{line[-_LINE_TAIL_CHARS:]}"


TRUNCATION = Transform(name="Head and tail", level=HIGH, apply=cut, notes=True)
