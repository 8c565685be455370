"""What a batch of the stream's entries comes to, before it is booked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from korad.ledger.entries import Row, StreamEntry, day_of, read_row
from korad.ledger.schema import FIGURES

REASON_CHARS_MAX: Final = 300
_FIGURE_COLUMNS: Final = tuple(Row._fields.index(name) for name in FIGURES)


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


def aside(entry: StreamEntry, reason: str, now_ms: int) -> tuple[Any, ...]:
    """Return the row of `malformed` for an entry."""
    text = (entry.payload or b"").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return entry.shard, entry.stream_id, now_ms, reason[:REASON_CHARS_MAX], text


def rollup(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Return what is added to the rows of `rollup`."""
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        parties = (row.key_id or "", row.team_id or "", row.customer_id or "")
        group = (day_of(row.time_ms), *parties, row.provider, row.model)
        figures = sums.setdefault(group, [0] * (1 + len(FIGURES)))
        figures[0] += 1
        for place, column in enumerate(_FIGURE_COLUMNS, 1):
            figure = row[column]
            assert isinstance(figure, int)
            figures[place] += figure
    # Always in the same order: two transactions must not wait for each other in a circle.
    return [(*group, *figures) for group, figures in sorted(sums.items())]


def total(parts: Iterable[Added]) -> Added:
    """Return what became of several batches together."""
    whole = Added()
    for part in parts:
        whole.booked += part.booked
        whole.duplicates += part.duplicates
        whole.conflicts += part.conflicts
        whole.malformed += part.malformed
    return whole
