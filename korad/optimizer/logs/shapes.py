"""Tell a log by its lines, and find the lines that one format wrote, by their words.

A log's lines differ in a few words; the others are the program's own format string. Lines of equal
word count are split by the words that pay most as constants, until another split would cost more
tokens than it saves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import compress

from korad.domain.value import value
from korad.optimizer.base import TOOL, Block
from korad.optimizer.logs.spacing import Gaps, Words
from korad.optimizer.recognition.kinds import Kind, kind_of
from korad.optimizer.recognition.log_signs import is_entry

MIN_LINES = 20
"""Shorter logs are left alone: the notes would cost what is saved."""

Row = tuple[int, Words, Gaps]
"""A line's place in the log, its words, and the blanks before each word and after the last."""

_PASTED = ("", "log", "logs", "text", "txt", "plain", "plaintext", "console", "output")
_POINT = re.compile(r"\s*(?:-(?! \d{10} )|[*+\u2022]|\d{1,3}[.)]|\(?[a-z\d]{1,2}\)) ")
_INDENT = ("", " ", "\t")
_SENTENCE = re.compile(r"[A-Z][a-z']* (?=..)")
_HEAD_CHARS = 4_000
_WIDE_CHARS = 80
"""Mean length of a line that paragraphs go beyond."""
_HEX = b"0123456789abcdef"
_PIECE = re.compile(r"\d{1,3}|[A-Za-z]{1,7}|[^A-Za-z\d\s]")
_BEGINNING_CHARS = 24
_SAMPLE = 32
"""Rows looked at when a split is chosen: the gain is an estimate, the templates are exact."""
_MANY_KINDS = 0.5
_NAME_TOKENS = 3
_CANDIDATES = 4
"""Columns tried for a split: those with the fewest values tell the formats apart."""
_COUNTED = re.compile(
    r"""["'(\[]?(?:\# | attempt | batch | block | build | case | chapter | chunk | column | cycle
    | day | entry | epoch | event | example | frame | id | item | iteration | job | layer | line
    | message | no\.? | node | number | offset | page | part | partition | pass | phase | question
    | record | request | retry | revision | round | row | run | sample | section | shard | slide
    | slot | stage | step | task | test | thread | try | version | week | worker)""",
    re.VERBOSE | re.IGNORECASE,
)
"""Words that are named together with their number: "line 199"."""


@value
class Group:
    """Rows that one template may stand for."""

    rows: list[Row]
    columns: list[tuple[str, ...]]
    """The rows' words by their position."""
    fixed: list[bool]
    """Whether the template holds the column's word: it is the same in all rows."""


def is_log(block: Block) -> bool:
    """Tell whether the block is evidently a log of at least `MIN_LINES` lines.

    A user's log is one only in a fence: elsewhere notes would stand among the user's own words.
    """
    text = block.text
    if block.role != TOOL and block.fence not in _PASTED:
        return False
    ends = text.count("\n")
    if ends < MIN_LINES - 1 or ("\r" in text and text.count("\r\n") not in (0, ends)):
        return False
    # Paragraphs are told at a glance, in a tenth of the time that their kind takes.
    is_wide = len(text) > _WIDE_CHARS * ends
    if is_wide and _is_written(text):
        return False
    is_kind = kind_of(text, block.fence, block.call) is Kind.LOG
    return is_kind and (is_wide or not _is_written(text))


def _is_written(text: str) -> bool:
    """Tell whether most of the first lines are sentences or points of a list, made for reading."""
    lines = text[:_HEAD_CHARS].splitlines()[:_SAMPLE]
    return sum(map(_reads, lines)) > len(lines) // 2


def _reads(line: str) -> bool:
    """Tell whether a line is a sentence or a point of a list."""
    ends = line.endswith((".", "!", "?")) and line[-2:-1] != "."
    return (ends and _SENTENCE.match(line) is not None) or _POINT.match(line) is not None


def continues(lines: Sequence[str], place: int) -> bool:
    """Tell whether the line at a place is blank or indented: part of what stands before it.

    In a log whose entries are all indented only those are that are no entries.
    """
    if lines[place][:1] not in _INDENT:
        return False
    return lines[0][:1] not in _INDENT or not is_entry(lines[place])


def line_end(text: str) -> str:
    """Return what separates the lines of the text."""
    return "\r\n" if "\r" in text and "\r\n" in text else "\n"


def classes_of(lines: Sequence[str]) -> dict[bytes, list[int]]:
    """Return the places of the lines that are equal without digits and hexadecimal letters.

    Lines of one format mostly are. It runs at 400 MB/s, where a regular expression masks 10.
    """
    joined = "\n".join(lines).encode("utf-8", "surrogatepass")
    classes: dict[bytes, list[int]] = {}
    for place, skeleton in enumerate(joined.translate(None, _HEX).split(b"\n")):
        if skeleton in classes:
            classes[skeleton].append(place)
        else:
            classes[skeleton] = [place]
    return classes


class _Weights(dict[str, int]):
    """The weights of the words of a log: most come again and again."""

    def __missing__(self, word: str) -> int:
        found = self[word] = max(1, len(_PIECE.findall(word[:200]))) + word[0].isdigit()
        return found


def weigher() -> Callable[[str], int]:
    """Return a function that tells about how many tokens a word costs with the blank before it."""
    return _Weights().__getitem__


def partition(rows: Sequence[Row], weigh: Callable[[str], int], least_gain: int) -> Iterable[Group]:
    """Yield groups of rows that are worth a template each; rows in no group are left out.

    All rows must have words of the same number. A group is split only where each new template saves
    `least_gain` tokens beyond its own.
    """
    todo = [list(rows)]
    while todo:
        part = todo.pop()
        if len(part) < 2:  # noqa: PLR2004 - a template for a single line cannot pay
            continue
        chosen = _best_split(part, weigh, least_gain)
        if chosen is not None:
            todo.extend(_parts(part, *chosen))
            continue
        group = group_of(part)
        if _pays(group, weigh):
            yield group


def group_of(rows: list[Row]) -> Group:
    """Return the rows as a group; all must have words of the same number."""
    columns = list(zip(*[row[1] for row in rows], strict=True))
    size = len(rows)
    fixed = [column[0] == column[-1] and column.count(column[0]) == size for column in columns]
    for place in range(len(fixed) - 1):
        if fixed[place] and not fixed[place + 1]:
            fixed[place] = not _counts(
                columns[place][0], columns[place + 1][0], rows[0][2][place + 1]
            )
    return Group(rows=rows, columns=columns, fixed=fixed)


def _counts(word: str, number: str, gap: int) -> bool:
    """Tell whether word and number are one thing's name, which then stays in one piece."""
    return number[0].isdigit() and gap == 1 and _COUNTED.fullmatch(word) is not None


def _parts(group: Sequence[Row], column: int, values: frozenset[str]) -> Iterable[list[Row]]:
    rest: list[Row] = []
    parts: dict[str, list[Row]] = {value: [] for value in values}
    for row in group:
        parts.get(row[1][column], rest).append(row)
    return [*parts.values(), rest]


def _best_split(
    group: Sequence[Row], weigh: Callable[[str], int], least_gain: int
) -> tuple[int, frozenset[str]] | None:
    step = -(-len(group) // _SAMPLE)
    columns = list(zip(*[row[1] for row in group[::step]], strict=True))
    words = list(map(set, columns))
    kinds = list(map(len, words))
    size = len(columns[0])
    few = [place for place, kind in enumerate(kinds) if 1 < kind <= size * _MANY_KINDS]
    if sum([weigh(columns[place][0]) + 1 for place in few]) * len(group) <= least_gain:
        return None
    base = least_gain + len(kinds) - kinds.count(1)
    base += sum(
        [weigh(column[0]) for column, kind in zip(columns, kinds, strict=True) if kind == 1]
    )
    # A column of many words is constant in no part worth a template.
    rows = list(zip(*[columns[place] for place in few], strict=True))
    most = step * sum([max(map(weigh, words[place])) for place in few])
    best_gain, best = 0, None
    for place in sorted(few, key=kinds.__getitem__)[:_CANDIDATES]:
        gain, values = _gain(rows, columns[place], base, most, step, weigh)
        if gain > best_gain:
            best_gain, best = gain, (place, values)
    return best


def _gain(
    rows: Sequence[tuple[str, ...]],
    pivot: Sequence[str],
    base: int,
    most: int,
    step: int,
    weigh: Callable[[str], int],
) -> tuple[int, frozenset[str]]:
    """Return the tokens saved by templates of their own for the pivot's values that pay.

    A template costs `base`, and saves `most` for each of its sampled rows at best.
    """
    parts: dict[str, list[tuple[str, ...]]] = {}
    for word, row in zip(pivot, rows, strict=True):
        parts.setdefault(word, []).append(row)
    # A word met twice in a sample may be chance; in the whole group it is a fact.
    least = 2 if step == 1 else 3
    total, taken = 0, []
    for word, part in parts.items():
        size = len(part)
        if size >= least and size * most > base:
            columns = zip(*part, strict=True)
            constant = sum(
                [weigh(column[0]) for column in columns if column.count(column[0]) == size]
            )
            gain = size * step * constant - base - constant
            if gain > 0:
                total += gain
                taken.append(word)
    return total, frozenset(taken)


def _pays(group: Group, weigh: Callable[[str], int]) -> bool:
    constant = sum([weigh(column[0]) for column in compress(group.columns, group.fixed)])
    size = len(group.rows)
    return (constant - 1) * size > _NAME_TOKENS + constant + group.fixed.count(False)


def begin_alike(lines: Sequence[str]) -> bool:
    """Tell whether most lines begin like others, as "Requirement already satisfied: ..." does."""
    return len({line[:_BEGINNING_CHARS] for line in lines}) * 2 <= len(lines)
