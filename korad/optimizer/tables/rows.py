"""Objects that share their keys, written as rows of values: the keys stand once, in a header.

All values are bytes of compact JSON (no white space outside strings), and what is kept of them is
kept as written. A *plan* says how the values of one place in the rows are written:

    ["a","b":PLAN]    an object with these keys, as [values], some of which may be left out
    {"*":PLAN}        an object with keys of its own, kept, whose members follow the plan
    [PLAN]            an array, each element by the plan

An empty place means that the key is absent, or, where a writer is so told, that the value is null;
empty places at the end are left out.

Where a plan asks for a list of values and the row has `{...}` or a scalar, the value stands as
written; a place whose values may be arrays as well as objects gets no plan, so that `[` says
which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter

from korad.domain.value import value
from korad.optimizer.tables.members import (
    SEPARATOR,
    Objects,
    Shape,
    arrays,
    objects,
    overhead,
    split,
    without_nulls,
)

ABSENT, NULL, MAPS, WHOLE = 1, 2, 4, 8
"""Bits of what a plan makes use of: empty places (which mean one of two), maps with keys of their
own, objects that stand as written."""

_MIN_ROWS = 2
_MIN_MEMBERS = 5
"""From so many different keys on, an object of objects is read as a map, not as a record."""
_MIN_GAIN_BYTES = 24
_MAX_DEPTH = 8
"""Every level scans its values again: the bound keeps deep nesting linear."""
_MAX_SHAPES = 64
_MAX_COLUMNS = 256
_OPENING = (b"{", b"[")
_first_byte = itemgetter(0)
_SAMPLES = 16
"""So many values of a column tell whether it holds objects or arrays."""


@value
class Plan:
    """How the values of one place are written, and the values so written."""

    header: bytes
    cells: list[bytes]
    traits: int

    @property
    def size(self) -> int:
        """Return the bytes of header and values."""
        return len(self.header) + sum(map(len, self.cells))


def _merged(columns: Shape, shape: Shape) -> Shape | None:
    """Return the columns with the shape's new keys, at the end if the order allows.

    None: the two disagree about the order, or share less than half of the shape's keys.
    """
    known = set(columns)
    if 2 * len(known.intersection(shape)) < len(shape):
        return None
    order = list(columns)
    at = 0
    for place, key in enumerate(shape):
        if key in known:
            found = order.index(key)
            if found < at:
                return None
            at = found + 1
            continue
        if known.isdisjoint(shape[place:]):
            at = len(order)
        order.insert(at, key)
        at += 1
    return tuple(order)


def _columns(shapes: dict[Shape, int]) -> Shape:
    """Merge the shapes that pay, the most frequent first, into one order of keys."""
    columns: Shape = ()
    taken = 0
    for shape, count in sorted(shapes.items(), key=itemgetter(1), reverse=True)[:_MAX_SHAPES]:
        merged = _merged(columns, shape) if columns else shape
        if merged is None or len(merged) > _MAX_COLUMNS:
            continue
        if not columns:
            columns, taken = shape, count
            continue
        empties = (len(merged) - len(columns)) * taken + (len(merged) - len(shape)) * count
        header = overhead(merged) - overhead(columns)
        if count * overhead(shape) <= empties + header:
            continue
        columns, taken = merged, taken + count
    return columns


def _is_subsequence(shape: Shape, columns: Shape) -> bool:
    rest = iter(columns)
    return all(key in rest for key in shape)


def _name(key: str, column: Plan | None) -> bytes:
    return b'"%b"%b' % (key.encode(), b"" if column is None else column.header)


def _padded(
    columns: Shape, shapes: Sequence[Shape | None], values: Sequence[bytes]
) -> Iterator[tuple[bytes, ...]]:
    """Yield each object's values in the order of the columns, with an empty one for an absent key.

    The shapes have to be subsequences of the columns, and some shorter.
    """
    pick = {}
    for shape in set(shapes):
        places = {key: at for at, key in enumerate(shape or ())}
        pick[shape] = itemgetter(*[places.get(key, -1) for key in columns])
    at = 0
    for shape in shapes:
        stop = at + len(shape or ())
        yield pick[shape]((*values[at:stop], b""))
        at = stop


def _places(raws: Sequence[bytes], plan: Plan | None) -> Sequence[bytes]:
    """Return a column's cells as planned, with an empty one for every absent key."""
    if plan is None:
        return raws
    if len(plan.cells) == len(raws):
        return plan.cells
    written = iter(plan.cells)
    return [next(written) if raw else b"" for raw in raws]


def _listed(lines: Sequence[bytes], *, stripped: bool) -> list[bytes]:
    """Put brackets around every line; empty places at the end go if `stripped`."""
    if stripped:
        # No value ends with a comma: what goes are the empty places.
        lines = [line.rstrip(b",") for line in lines]
    # All at once is faster than one by one; no value holds a line feed.
    return (b"[%b]" % b"]\n[".join(lines)).split(b"\n")


class Writer:
    """Makes plans in which an empty place means one thing, ABSENT or NULL."""

    __slots__ = ("_empty", "has_misfits")

    def __init__(self, empty: int) -> None:
        self._empty = empty
        self.has_misfits = False
        """Whether some objects did not fit among others that did, or none did at the top."""

    def plan(self, values: Sequence[bytes], depth: int = 0) -> Plan | None:
        """Return the plan for the values of one place; None: they stay as written.

        They must be compact JSON; what is no object or array stands among the cells as it is.
        """
        starts = bytes(map(_first_byte, values))
        maps, lists = starts.count(b"{"), starts.count(b"[")
        if depth > _MAX_DEPTH or (maps and lists) or maps + lists == 0:
            return None
        nested = values
        if maps + lists < len(values):
            nested = [item for item in values if item[:1] in _OPENING]
        text = SEPARATOR.join(nested)
        if lists:
            plan = self._array(text, depth)
        else:
            found = objects(text)
            plan = self._map(found, depth) if nested is values else None
            plan = plan or self._records(nested, found, depth)
        if plan is None or plan.size + _MIN_GAIN_BYTES >= len(text):
            return None
        if nested is values:
            return plan
        written = iter(plan.cells)
        cells = [next(written) if item[:1] in _OPENING else item for item in values]
        return Plan(header=plan.header, cells=cells, traits=plan.traits)

    def _records(self, items: Sequence[bytes], found: Objects, depth: int) -> Plan | None:
        columns, fitting = self._choose(found.counts)
        kept = sum([found.counts.get(shape, 0) for shape in fitting])
        pays = kept >= _MIN_ROWS and 2 * kept >= len(items)
        self.has_misfits |= kept < len(items) and (pays or not depth)
        if not pays:
            return None
        if kept == len(items):
            header, cells, traits = self._fill(columns, found, depth)
        else:
            fits = [shape in fitting for shape in found.shapes]
            header, lists, traits = self._fill(columns, found.where(fits), depth)
            written = iter(lists)
            cells = [next(written) if fit else item for fit, item in zip(fits, items, strict=True)]
            traits |= WHOLE
        if fitting != {columns}:
            traits |= ABSENT
        return Plan(header=b"[%b]" % header, cells=cells, traits=traits)

    def _choose(self, shapes: dict[Shape, int]) -> tuple[Shape, set[Shape]]:
        """Return the columns, and the shapes whose objects are written with them."""
        if self._empty == ABSENT:
            columns = _columns(shapes)
            return columns, {shape for shape in shapes if _is_subsequence(shape, columns)}
        columns = max(shapes, key=shapes.__getitem__, default=())
        return columns, {columns}

    def _fill(self, columns: Shape, rows: Objects, depth: int) -> tuple[bytes, list[bytes], int]:
        """Return the keys, a list of values for each row, and the traits of the columns' plans."""
        width = len(columns)
        if rows.is_flat:
            header = b",".join([_name(key, None) for key in columns])
            if self._empty == ABSENT or b"null" not in rows.text:
                lists = rows.lists()
                if lists is not None:
                    return header, lists, 0
            else:
                cells = without_nulls(rows.values)
                lines = list(map(b",".join, zip(*[iter(cells.split(b"\n"))] * width, strict=True)))
                has_nulls = len(cells) < len(rows.values)
                return header, _listed(lines, stripped=has_nulls), NULL if has_nulls else 0
        values = rows.values.split(b"\n")
        is_full = len(values) == width * len(rows.members)
        raws: Sequence[Sequence[bytes]]
        if is_full:
            raws = [values[at::width] for at in range(width)]
        else:
            raws = list(zip(*_padded(columns, rows.shapes, values), strict=True))
        filled = [self._column(column, depth) for column in raws]
        places = map(_places, raws, filled)
        lines = list(map(b",".join, zip(*places, strict=True)))
        traits = 0
        for column in filled:
            traits |= 0 if column is None else column.traits
        stripped = not is_full or bool(traits & NULL)
        return b",".join(map(_name, columns, filled)), _listed(lines, stripped=stripped), traits

    def _column(self, raws: Sequence[bytes], depth: int) -> Plan | None:
        """Return how a column is written; None: as the values are."""
        plan = None
        sample = raws[:: 1 + len(raws) // _SAMPLES]
        if any(raw[:1] in _OPENING for raw in sample):
            plan = self.plan([raw for raw in raws if raw], depth + 1)
        if plan is not None:
            plan = Plan(header=b":" + plan.header, cells=plan.cells, traits=plan.traits)
        if self._empty == ABSENT:
            return plan
        cells = raws if plan is None else plan.cells
        if b"null" not in cells:
            return plan
        return Plan(
            header=b"" if plan is None else plan.header,
            cells=[b"" if cell == b"null" else cell for cell in cells],
            traits=NULL | (0 if plan is None else plan.traits),
        )

    def _array(self, text: bytes, depth: int) -> Plan | None:
        parts = arrays(text)
        plan = self.plan(split(chain.from_iterable(parts)), depth + 1)
        if plan is None:
            return None
        written = iter(plan.cells)
        cells = [b"[%b]" % b",".join(islice(written, len(part))) for part in parts]
        return Plan(header=b"[%b]" % plan.header, cells=cells, traits=plan.traits)

    def _map(self, found: Objects, depth: int) -> Plan | None:
        # Most objects are no maps, and their first value tells.
        if any(bytes(raw)[:1] != b"{" for raw in found.members[0].values()):
            return None
        keys = {key for shape in set(found.shapes) for key in shape or ()}
        if len(keys) < _MIN_MEMBERS or None in found.shapes:
            return None
        values = found.values.split(b"\n")
        if set(map(_first_byte, values)) != {ord("{")}:
            return None
        plan = self.plan(values, depth + 1)
        if plan is None:
            return None
        quoted = {key: b'"%b":' % key.encode() for key in keys}
        written = iter(plan.cells)
        cells = [
            b"{%b}" % b",".join([quoted[key] + next(written) for key in part])
            for part in found.members
        ]
        return Plan(header=b'{"*":%b}' % plan.header, cells=cells, traits=plan.traits | MAPS)
