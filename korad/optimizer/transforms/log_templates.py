"""Repeated lines of a log as templates and their words: nothing is lost, the order is kept.

The templates stand once at the top. Each later line of a template gives the template's name and
its own words, every word whole as it was written. Errors, stack traces and lines without a
template stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, product, repeat
from operator import eq, itemgetter
from string import ascii_uppercase

from korad.domain.value import value
from korad.optimizer.base import MARK, MEDIUM, Block, Transform, note
from korad.optimizer.logs.holes import Hole, hole_of
from korad.optimizer.logs.shapes import (
    Group,
    Row,
    begin_alike,
    classes_of,
    continues,
    group_of,
    is_log,
    line_end,
    partition,
    weigher,
)
from korad.optimizer.logs.spacing import Spacing, cut, spacing_of
from korad.optimizer.recognition.kinds import are_error_lines

LEAST_GAIN = 16
"""Tokens a template must save beyond its own: many templates are hard to read."""
_BRACES = (("{", "}"), ("<", ">"), ("<<", ">>"), ("{{", "}}"))
_SHORTENED = "log shortened without loss."
_OWN = f"{MARK} {_SHORTENED}"
_MIN_REPEATS = 3
_MUCH_CHARS = 16
_MOST_CLASSES = 0.75
"""With more classes a line the log tells a story that templates would only make hard to read."""
_NAME_CHARS_MAX = 3
_MARK = b"[kor:"  # the mark without hexadecimal letters


_place = itemgetter(0)


@value
class _Template:
    group: Group
    parts: list[str | Hole]


def shorten(block: Block) -> str:
    """Return the log with its repeated lines as templates; the text itself if it is none."""
    text = block.text
    if text.startswith(_OWN) or not is_log(block) or text.count("\n{") * 2 > text.count("\n"):
        return text
    eol = line_end(text)
    lines = _fold_repeats(text.split(eol))
    classes = classes_of(lines)
    few = len(classes) <= len(lines) * _MOST_CLASSES or begin_alike(lines)
    templates = _templates(lines, classes) if few else []
    marks = _marks(templates)
    if marks is None:
        return _join(lines, text, eol)
    body = list(lines)
    head = []
    for template, name in zip(templates, _names(classes), strict=False):
        head.append(f"{name} = {_print(template.parts, marks)}")
        _fill(template, name, body)
    words = _explain(len(head), templates, marks)
    return _join([note(words), *head, *body], text, eol)


def _join(lines: Sequence[str], text: str, eol: str) -> str:
    made = eol.join(lines)
    return made if len(made) < len(text) else text


def _templates(lines: Sequence[str], classes: dict[bytes, list[int]]) -> list[_Template]:
    weigh = weigher()
    found = []
    for rows in _rows(lines, classes):
        for group in partition(rows, weigh, LEAST_GAIN + len(lines) // 8):
            template = _template(group)
            if template is not None:
                found.append(template)
    return sorted(found, key=lambda template: min(map(_place, template.group.rows)))


def _rows(lines: Sequence[str], classes: dict[bytes, list[int]]) -> Iterable[list[Row]]:
    """Return the lines that may become words of a template, together with those as long."""
    places = _plain(lines, classes)
    words, gaps = cut([lines[place] for place in places])
    buckets: defaultdict[int, list[Row]] = defaultdict(list)
    for size, row in zip(map(len, words), zip(places, words, gaps, strict=True), strict=True):
        buckets[size].append(row)
    buckets.pop(0, None)
    return buckets.values()


def _plain(lines: Sequence[str], classes: dict[bytes, list[int]]) -> list[int]:
    """Return the places of the lines that hold no error, stack trace or note, class by class."""
    are_errors = are_error_lines([lines[places[0]] for places in classes.values()])
    traced: set[int] = set()
    for place in chain.from_iterable(compress(classes.values(), are_errors)):
        _trace(lines, place + 1, traced)
    plain = [
        place
        for (skeleton, places), is_error in zip(classes.items(), are_errors, strict=True)
        if not is_error and not skeleton.startswith(_MARK)
        for place in places
    ]
    return [place for place in plain if place not in traced] if traced else plain


def _trace(lines: Sequence[str], place: int, traced: set[int]) -> None:
    """Add the places of the indented lines that begin at a place: an error's stack trace."""
    while place < len(lines) and place not in traced and continues(lines, place):
        traced.add(place)
        place += 1


def _template(group: Group) -> _Template | None:
    """Return the group's template; rows with another spacing than most are left out."""
    gaps = [row[2] for row in group.rows]
    spacing = spacing_of(group.columns, gaps)
    if spacing is None:
        usual = Counter(gaps).most_common(1)[0][0]
        rows = [row for row in group.rows if row[2] == usual]
        if len(rows) < _MIN_REPEATS:
            return None
        group = group_of(rows)
        spacing = Spacing(gaps=list(usual), widths=[0] * len(group.columns))
    parts: list[str | Hole] = []
    for column, fixed, gap, width in zip(
        group.columns, group.fixed, spacing.gaps, spacing.widths, strict=False
    ):
        parts.append(" " * gap)
        parts.append(column[0] if fixed else hole_of(column, width))
    parts.append(" " * spacing.gaps[-1])
    return _Template(group=group, parts=parts) if _says_much(group, parts) else None


def _says_much(group: Group, parts: Sequence[str | Hole]) -> bool:
    """Tell whether the template's own words are worth to be looked up at the top."""
    own = sum(
        len(part.strip()) if isinstance(part, str) else len(part.before) + len(part.after)
        for part in parts
    )
    if own >= _MUCH_CHARS:
        return True
    filled = sum(len("".join(column)) for column in group.columns)
    return own * 2 * len(group.rows) >= filled


def _marks(templates: Sequence[_Template]) -> tuple[str, str] | None:
    """Return the brackets for holes that the templates' own words cannot be mistaken for."""
    if not templates:
        return None
    constant = "\n".join(["\0".join(map(_constant, template.parts)) for template in templates])
    for start, end in _BRACES:
        first, last = re.escape(start), re.escape(end)
        if not re.search(
            rf"{first}>?\d*{last}|{re.escape(start[0])}\0|\0{re.escape(end[0])}", constant
        ):
            return start, end
    return None


def _constant(part: str | Hole) -> str:
    return part if isinstance(part, str) else f"{part.before}\0{part.after}"


def _print(parts: Sequence[str | Hole], marks: tuple[str, str]) -> str:
    start, end = marks
    made = []
    for part in parts:
        if isinstance(part, str):
            made.append(part)
        else:
            width = f"{part.width}" if part.width > 0 else f">{-part.width}" if part.width else ""
            made.append(f"{part.before}{start}{width}{end}{part.after}")
    return "".join(made)


def _names(classes: Iterable[bytes]) -> Iterator[str]:
    """Yield short names that no line of the log begins with."""
    # Of the first bytes there are few: no name is longer.
    begins = {skeleton[: _NAME_CHARS_MAX + 1] for skeleton in classes}
    taken = {begin.partition(b" ")[0] for begin in begins}
    for size in range(1, _NAME_CHARS_MAX + 1):
        for letters in product(ascii_uppercase, repeat=size):
            name = "".join(letters)
            if name.encode() not in taken:
                yield name


def _fill(template: _Template, name: str, body: list[str]) -> None:
    group = template.group
    own: list[Iterable[str]] = [repeat(name, len(group.rows))]
    for column, part in zip(group.columns, template.parts[1::2], strict=False):
        if isinstance(part, Hole):
            start, end = len(part.before), -len(part.after) or None
            cut = part.before or part.after
            own.append([word[start:end] for word in column] if cut else column)
    for row, line in zip(group.rows, map(" ".join, zip(*own, strict=True)), strict=True):
        body[row[0]] = line


def _fold_repeats(lines: list[str]) -> list[str]:
    """Return the lines with a note in the place of those that repeat the line before."""
    folded: list[str] = []
    done = end = 0
    for place in compress(range(1, len(lines)), map(eq, lines, lines[1:])):
        if place < end:
            continue  # within a run that was dealt with
        line, end = lines[place], place + 1
        while end < len(lines) and lines[end] == line:
            end += 1
        words = note(f"the line above repeats {end - place} more times")
        if (end - place) * (len(line) + 1) > len(words) + 20 and not line.startswith(MARK):
            folded += lines[done:place]
            folded.append(words)
            done = end
    return folded + lines[done:] if done else lines


def _explain(count: int, templates: Sequence[_Template], marks: tuple[str, str]) -> str:
    start, end = marks
    words = (
        f"{_SHORTENED} The next {count} lines are templates: a later line that begins with a"
        f" template's name is that template with each {start}{end} filled, in order, by the words"
        " after the name; all other lines are unchanged."
    )
    if any(isinstance(part, Hole) and part.width for t in templates for part in t.parts):
        words += (
            f" {start}5{end}: padded to 5 characters on the right, {start}>5{end}: on the left."
        )
    return words


LOG_TEMPLATES = Transform(name="Log templates", level=MEDIUM, apply=shorten, notes=True)
