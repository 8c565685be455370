"""Uniform JSON (arrays, maps and lines of like objects) with its keys said once.

Nothing is lost: every value stands as it was written. A note says how to read the text; what is
not uniform stays JSON (without white space), and where objects are alike, their keys stand in
brackets before the value, which holds lists of values in the place of the objects:

    [korad: (keys) come first, then objects as lists of values in that order]
    {"count":2,"data":([["id","name"]])[[1,"ant"],[2,"bee"]]}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import is_

import msgspec

from korad.domain.value import value
from korad.optimizer.base import MARK, MEDIUM, TOOL, Block, Transform, note
from korad.optimizer.tables.members import elements, members
from korad.optimizer.tables.rows import ABSENT, MAPS, NULL, WHOLE, Plan, Writer

_MIN_ROWS = 2
_MIN_LINES = 5
"""So many objects, a line each, are a log or an export."""
_MIN_VALUE_BYTES = 64
"""Less than this is not worth a look."""
_MIN_NULLS = 16
"""So many nulls pay for saying that an empty place means one."""
_LINE_ROWS = 5
_LINE_BYTES = 64
"""So many rows of this mean length get a line each; for short ones its end costs 5 % of tokens."""
_MAX_DEPTH = 8
"""Every level scans its values again: the bound keeps deep nesting linear."""
_MAX_SHARE = 0.9
"""Of the compact JSON's length: what text and note may be to be worth a change of form."""
_FENCES = frozenset({None, "", "json", "jsonl", "ndjson"})

_OBJECTS = "(keys) come first, then objects as lists of values in that order"
_LINES = "(keys) come first, then {} lines of objects as lists of values in that order"
_CLAUSES = ((ABSENT, "empty = key absent"), (NULL, "empty = null"), (MAPS, '"*" = any key'))


@value
class _Written:
    """A text with tables, and the bits of what a reader must be told."""

    text: bytes
    traits: int
    has_misfits: bool


def tabulate(block: Block) -> str:
    """Return the block's JSON with the keys of like objects said once, or its own text."""
    text = block.text
    if (
        block.fence not in _FENCES
        or (block.role != TOOL and block.fence is None)
        or text.find("{", text.find("{") + 1) <= 0
    ):
        return text
    is_document = text.lstrip(" \t\r\n")[:1] in ("[", "{")
    if MARK in text or not (is_document or '\n{"' in text):
        return text
    try:
        if is_document:
            compact = msgspec.json.format(text.encode(), indent=-1)
            return _noted(compact, _OBJECTS, lambda empty: _document(compact, empty)) or text
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    return _json_lines(text)


def _noted(compact: bytes, words: str, write: Callable[[int], _Written | None]) -> str | None:
    """Return what is written below its note; None: that is not short enough.

    `write` takes what an empty place shall mean.
    """
    written = write(NULL) if compact.count(b":null") >= _MIN_NULLS else None
    # Objects that lack a key fit no table there: saying what is absent may be shorter.
    if written is None or written.has_misfits:
        choices = [one for one in (written, write(ABSENT)) if one is not None]
        written = min(choices, key=lambda one: len(one.text), default=None)
    if written is None:
        return None
    clauses = [clause for trait, clause in _CLAUSES if written.traits & trait]
    head = note("; ".join([words, *clauses])).encode()
    if len(head) + len(written.text) > _MAX_SHARE * len(compact):
        return None
    return (head + b"\n" + written.text).decode()


def _document(compact: bytes, empty: int) -> _Written | None:
    tables = _Tables(empty)
    text = tables.written(compact, 0) if len(compact) >= _MIN_VALUE_BYTES else compact
    if text is compact:
        return None
    return _Written(text=text, traits=tables.traits, has_misfits=tables.writer.has_misfits)


class _Tables:
    """Finds the values of a document that are tables."""

    __slots__ = ("traits", "writer")

    def __init__(self, empty: int) -> None:
        self.writer = Writer(empty)
        self.traits = 0
        """Of all plans that are in use."""

    def written(self, compact: bytes, depth: int) -> bytes:
        """Return the value with its tables, or the very object if there are none."""
        if depth > _MAX_DEPTH or compact.find(b"{", compact.find(b"{") + 1) <= 0:
            return compact
        if compact.startswith(b"["):
            rows = elements(compact)
            plan = self._plan(rows, WHOLE)
            if plan is not None:
                return b"([%b])[%b]" % (plan.header, _spread(plan.cells))
            inner = self._each(rows, depth + 1)
            return compact if _are_same(inner, rows) else b"[%b]" % b",".join(inner)
        found = members(compact) if compact.startswith(b"{") else None
        if found is None:
            return compact
        keys, values = found
        plan = self._plan(values, WHOLE | ABSENT)
        if plan is not None:
            self.traits |= MAPS
            return b'({"*":%b}){%b}' % (plan.header, _spread(_named(keys, plan.cells)))
        inner = self._each(values, depth + 1)
        if _are_same(inner, values):
            return compact
        return b"{%b}" % b",".join(_named(keys, inner))

    def _each(self, values: Sequence[bytes], depth: int) -> list[bytes]:
        """Return the values with their tables; short ones are not worth a look."""
        written = self.written
        return [item if len(item) < _MIN_VALUE_BYTES else written(item, depth) for item in values]

    def _plan(self, values: Sequence[bytes], unwanted: int) -> Plan | None:
        """Return the plan if the values are a table's rows.

        Arrays have to be of one kind, without the `unwanted` traits: each may be a table itself.
        """
        if len(values) < _MIN_ROWS or values[0][:1] not in (b"{", b"["):
            return None
        start = values[0][:1]
        if {item[:1] for item in values} != {start}:
            return None
        plan = self.writer.plan(values)
        if plan is None or (start == b"[" and plan.traits & unwanted):
            return None
        self.traits |= plan.traits
        return plan


def _are_same(inner: Sequence[bytes], values: Sequence[bytes]) -> bool:
    return all(map(is_, inner, values))


def _named(keys: Sequence[str], values: Sequence[bytes]) -> list[bytes]:
    return [b'"%b":%b' % (key.encode(), item) for key, item in zip(keys, values, strict=True)]


def _spread(cells: Sequence[bytes]) -> bytes:
    text = b",".join(cells)
    if len(cells) < _LINE_ROWS or len(text) < _LINE_BYTES * len(cells):
        return text
    return b",\n".join(cells)


def _json_lines(text: str) -> str:
    """Write every run of lines that are JSON objects as a table; the other lines stay."""
    if text.count('\n{"') < _MIN_LINES - 1:
        return text
    lines = text.split("\n")
    out: list[str] = []
    for is_object, group in groupby(lines, key=_may_be_object):
        run = list(group)
        out += _tabled(run) if is_object else run
    return "\n".join(out)


def _may_be_object(line: str) -> bool:
    return line.startswith('{"') and line.rstrip(" \t\r").endswith("}")


def _tabled(run: list[str]) -> list[str]:
    if len(run) < _MIN_LINES:
        return run
    given = [line.rstrip(" \t\r").encode() for line in run]
    try:
        array = b"[%b]" % b",".join(given)
        # Joined, the ends of broken lines could make up whole objects.
        if elements(array) != given:
            return run
        compact = msgspec.json.format(array, indent=-1)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return run
    rows = elements(compact)
    table = _noted(compact, _LINES.format(len(rows)), lambda empty: _rows(rows, empty))
    return run if table is None else [table]


def _rows(rows: Sequence[bytes], empty: int) -> _Written | None:
    writer = Writer(empty)
    plan = writer.plan(rows)
    if plan is None:
        return None
    text = b"\n".join([b"(%b)" % plan.header, *plan.cells])
    return _Written(text=text, traits=plan.traits, has_misfits=writer.has_misfits)


JSON_TABLE = Transform(name="Table", level=MEDIUM, apply=tabulate, notes=True)
