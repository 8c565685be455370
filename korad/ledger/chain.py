"""Whether the ledger still says what was booked: its hash chain, its columns, its rollup."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from korad.ledger.entries import Row, read_row
from korad.ledger.reports import Line, Period, lines
from korad.ledger.store import Ledger

_PAGE: Final = 1_000
_FAULTS_MAX: Final = 20
_SELECT: Final = f"SELECT entry, {', '.join(Row._fields)} FROM events "  # noqa: S608 - constants
_AFTER: Final = "WHERE entry > ? AND entry <= ? ORDER BY entry LIMIT ?"


def faults_of(ledger: Ledger) -> list[str]:
    """Return in words what was changed, removed or added since it was booked; [] is intact."""
    with ledger.lock, ledger.database.snapshot():
        return [*_chain_faults(ledger), *_rollup_faults(ledger)][:_FAULTS_MAX]


def doubles_of(ledger: Ledger) -> list[tuple[str, int]]:
    """Return requests that were booked under more than one event id, and how often."""
    with ledger.lock:
        found = ledger.database.execute(
            "SELECT request_id, COUNT(*) FROM events GROUP BY request_id HAVING COUNT(*) > 1"
        )
    return [(request_id, int(count)) for request_id, count in found]


def _chain_faults(ledger: Ledger) -> list[str]:
    db = ledger.database
    entries, last_head = db.execute("SELECT entries, head FROM book")[0]
    ends = {
        int(first) + int(count) - 1: (day, head)
        for day, first, count, head in db.execute(
            "SELECT day, first_entry, entries, head FROM days"
        )
    }
    faults: list[str] = []
    head, reached = ledger.ledger_id, 0
    while page := db.execute(_SELECT + _AFTER, (reached, entries, _PAGE)):
        for entry, *columns in page:
            reached += 1
            if entry != reached:
                return [*faults, f"entry {reached} of the ledger is gone"]
            row = Row(*columns)
            head = sha256(head.encode() + row.payload.encode()).hexdigest()
            if not _is_of_its_payload(row):
                faults.append(f"the row of {row.event_id} does not say what its payload says")
            day, kept = ends.pop(entry, ("", head))
            if kept != head:
                return [*faults, f"the hash chain is broken on {day}, at or before entry {entry}"]
    if reached != entries or head != last_head or ends:
        faults.append(f"the ledger counts {entries} events and holds {reached}")
    return faults


def _is_of_its_payload(row: Row) -> bool:
    try:
        return read_row(row.payload.encode(), row.shard) == row
    except ValueError:
        return False


def _rollup_faults(ledger: Ledger) -> list[str]:
    kept = set(lines(ledger, Period()))
    told = set(lines(ledger, Period(since_ms=1)))
    return [f"the daily sums are wrong for {_named(line)}" for line in sorted(kept ^ told)]


def _named(line: Line) -> str:
    return f"{line.day} {line.key_id or 'no key'} {line.provider}/{line.model}"
