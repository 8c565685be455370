"""What a batch of the stream's entries comes to, before it is booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from korad.ledger.entries import (
    FIGURES_AT,
    GROUP_AT,
    TIME_AT,
    Row,
    StreamEntry,
    day_of,
    read_row,
)
from korad.ledger.schema import INSERT_EVENT, marks

REASON_CHARS_MAX: Final = 300
ROWS_AT_ONCE: Final = 40
"""Events per statement: each alone costs 1.1 us more. SQLite before 3.32 takes 999 parameters."""
_ROW_MARKS: Final = f"({marks(1 + len(Row._fields))})"
_INSERT_EVENTS: Final = INSERT_EVENT.replace(_ROW_MARKS, ", ".join([_ROW_MARKS] * ROWS_AT_ONCE))
_DAY_MS: Final = 24 * 60 * 60 * 1_000

Numbers = Mapping[tuple[str, int], set[int]]
"""Per producer and shard the numbers of events."""


@dataclass(slots=True, kw_only=True)
class Added:
    """What became of a batch."""

    booked: int = 0
    duplicates: int = 0
    conflicts: int = 0
    """Events whose id the ledger has with another payload: kept aside, an alarm."""
    malformed: int = 0
    """Entries that are no events: kept aside, an alarm."""


def order(stream_id: str) -> tuple[int, int]:
    """Return what ids of stream entries are ordered by."""
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence or "0")


def read_rows(entries: Sequence[StreamEntry]) -> tuple[list[Row], list[tuple[StreamEntry, str]]]:
    """Return the rows of a batch, and what is no event with the reason."""
    rows: list[Row] = []
    malformed: list[tuple[StreamEntry, str]] = []
    for entry in entries:
        try:
            if entry.payload is None:
                raise ValueError('an entry without the field "e"')  # noqa: TRY301 - one way aside
            rows.append(read_row(entry.payload, entry.shard))
        except (ValueError, OverflowError) as error:
            malformed.append((entry, str(error)))
    return rows, malformed


def numbers_of(rows: Sequence[Row]) -> Numbers:
    """Return the numbers of a batch's events."""
    numbers: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for row in rows:
        numbers[row.producer, row.shard].add(row.number)
    return numbers


def inserts(rows: Sequence[Row], first: int) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield the statements that insert `rows`, numbered from `first` on, and their parameters."""
    whole = len(rows) - len(rows) % ROWS_AT_ONCE
    for sql, count, places in (
        (_INSERT_EVENTS, ROWS_AT_ONCE, range(0, whole, ROWS_AT_ONCE)),
        (INSERT_EVENT, 1, range(whole, len(rows))),
    ):
        if places:
            yield sql, [_columns(rows[at : at + count], first + at) for at in places]


def aside(entry: StreamEntry, reason: str, now_ms: int) -> tuple[Any, ...]:
    """Return the row of `malformed` for an entry."""
    text = (entry.payload or b"").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return entry.shard, entry.stream_id, now_ms, reason[:REASON_CHARS_MAX], text


def rollup(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Return what is added to the rows of `rollup`."""
    groups: defaultdict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    plain: Sequence[tuple[Any, ...]] = rows
    for row in plain:
        groups[row[TIME_AT] // _DAY_MS, row[GROUP_AT]].append(row[FIGURES_AT])
    # Always in the same order: two transactions must not wait for each other in a circle.
    return sorted(
        (
            day_of(day * _DAY_MS),
            *(name or "" for name in names),
            len(figures),
            *map(sum, zip(*figures, strict=True)),
        )
        for (day, names), figures in groups.items()
    )


def total(parts: Iterable[Added]) -> Added:
    """Return what became of several batches together."""
    whole = Added()
    for part in parts:
        whole.booked += part.booked
        whole.duplicates += part.duplicates
        whole.conflicts += part.conflicts
        whole.malformed += part.malformed
    return whole


def _columns(rows: Sequence[Row], first: int) -> list[Any]:
    """Return the columns of rows of `events`, one row's after the other's."""
    columns: list[Any] = []
    for entry, row in enumerate(rows, first):
        columns.append(entry)
        columns += row
    return columns
