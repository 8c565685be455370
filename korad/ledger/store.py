"""Booking: events into the ledger, once each, with all that follows from them, in one transaction.

The hash chain: head(n) = sha256(head(n-1) + payload(n)), as hex, over the events in the order they
were booked; head(0) is the ledger's id. `days` keeps the head of each day of booking. A day that
is over gets no more rows, whatever the clock does: a late event is booked on the day it comes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import RLock
from typing import Any, Final

from korad.ledger.database import Database, LedgerError, LedgerUnavailableError, RowRefusedError
from korad.ledger.entries import Row, StreamEntry, day_of, read_row
from korad.ledger.schema import (
    ADD_CONFLICT,
    ADD_MALFORMED,
    ADD_TO_ROLLUP,
    FIGURES,
    INSERT_EVENT,
    SCHEMA_VERSION,
    SET_CHECKPOINT,
    SET_DAY,
    SET_POSITION,
)

REASON_CHARS_MAX: Final = 300
_CHECKPOINT_PAGE: Final = 1_000
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


class Ledger:
    """The books. Blocking; may be used by several threads, one at a time gets in."""

    def __init__(self, database: Database, *, create: bool) -> None:
        self.database = database
        self.lock = RLock()
        if create:
            self._prepare()
        self.ledger_id = self._check_version()

    def add(self, entries: Sequence[StreamEntry], now_ms: int) -> Added:
        """Book what the ledger has not, and keep aside what it cannot book.

        All of it or nothing. Raises LedgerUnavailableError: try again with the same entries.
        """
        with self.lock:
            try:
                return self._add(entries, now_ms)
            except RowRefusedError as error:
                if len(entries) > 1:
                    return _sum(self.add([entry], now_ms) for entry in entries)
                return self._set_aside(entries[0], str(error), now_ms)

    def checkpoints(self) -> dict[tuple[str, int], int]:
        """Return for each (producer, shard) the n for which events 1 to n are all booked."""
        with self.lock:
            rows = self.database.execute("SELECT producer, shard, number FROM checkpoints")
        return {(producer, shard): number for producer, shard, number in rows}

    def positions(self) -> dict[int, str]:
        """Return per shard the id of the last entry of its stream that was booked."""
        with self.lock:
            return dict(self.database.execute("SELECT shard, stream_id FROM positions"))

    def forget_position(self, shard: int) -> None:
        """Take note that the stream of `shard` is read from its beginning again."""
        with self.lock, self.database.transaction():
            self.database.execute("DELETE FROM positions WHERE shard = ?", (shard,))

    def alarms(self) -> dict[str, int]:
        """Return how many entries were kept aside, by why: "conflicts" and "malformed"."""
        with self.lock:
            return {
                table: int(self.database.execute(f"SELECT COUNT(*) FROM {table}")[0][0])  # noqa: S608 - two constants
                for table in ("conflicts", "malformed")
            }

    def take_lease(self) -> bool:
        """Become the only consumer of this ledger, or return False: there is another."""
        with self.lock:
            return self.database.take_lease()

    def holds_lease(self) -> bool:
        """Return whether the lease that was taken still holds."""
        with self.lock:
            return self.database.holds_lease()

    def give_back_lease(self) -> None:
        """Let another consumer take over."""
        with self.lock:
            self.database.give_back_lease()

    def close(self) -> None:
        """Close the database."""
        with self.lock:
            self.database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── one batch ────────────────────────────────────────────────────────────────────────────

    def _add(self, entries: Sequence[StreamEntry], now_ms: int) -> Added:
        rows, malformed = _read(entries)
        db = self.database
        with db.transaction():
            booked, head = db.execute(f"SELECT entries, head FROM book{db.for_update}")[0]
            known = self._known(rows)
            new: list[Row] = []
            conflicts: list[Row] = []
            for row in rows:
                payload = known.get(row.event_id)
                if payload is None:
                    new.append(row)
                    known[row.event_id] = row.payload
                elif payload != row.payload:
                    conflicts.append(row)
            self._book(new, int(booked), str(head), now_ms)
            self._advance({(row.producer, row.shard) for row in rows})
            self._keep_aside(conflicts, malformed, now_ms)
            self._note_positions(entries)
        return Added(
            booked=len(new),
            duplicates=len(rows) - len(new) - len(conflicts),
            conflicts=len(conflicts),
            malformed=len(malformed),
        )

    def _known(self, rows: Sequence[Row]) -> dict[str, str]:
        """Return the payloads of those events that are booked already, by event id."""
        if not rows:
            return {}
        marks = ", ".join("?" * len(rows))
        found = self.database.execute(
            f"SELECT event_id, payload FROM events WHERE event_id IN ({marks})",  # noqa: S608
            [row.event_id for row in rows],
        )
        return dict(found)

    def _book(self, rows: Sequence[Row], booked: int, head: str, now_ms: int) -> None:
        if not rows:
            return
        db = self.database
        for row in rows:
            head = sha256(head.encode() + row.payload.encode()).hexdigest()
        numbered = [(booked + place, *row) for place, row in enumerate(rows, 1)]
        if db.execute_many(INSERT_EVENT, numbered) != len(rows):
            # Only a writer that does not keep to the transactions' order could cause this.
            raise LedgerUnavailableError("another process booked the same events; trying again")
        db.execute_many(ADD_TO_ROLLUP, _rollup(rows))
        last_day = db.execute("SELECT MAX(day) FROM days")[0][0]
        day = max(day_of(now_ms), last_day or "")
        db.execute(SET_DAY, (day, booked + 1, len(rows), head))
        db.execute("UPDATE book SET entries = ?, head = ?", (booked + len(rows), head))

    def _advance(self, places: Iterable[tuple[str, int]]) -> None:
        """Move each checkpoint up to where the first number is missing."""
        for producer, shard in sorted(places):
            found = self.database.execute(
                "SELECT number FROM checkpoints WHERE producer = ? AND shard = ?",
                (producer, shard),
            )
            former = reached = int(found[0][0]) if found else 0
            while True:
                page = self.database.execute(
                    "SELECT number FROM events WHERE producer = ? AND shard = ? AND number > ? "
                    "ORDER BY number LIMIT ?",
                    (producer, shard, reached, _CHECKPOINT_PAGE),
                )
                without_gap = [n for place, (n,) in enumerate(page, 1) if n == reached + place]
                reached += len(without_gap)
                if len(without_gap) < _CHECKPOINT_PAGE:
                    break
            if reached > former:
                self.database.execute(SET_CHECKPOINT, (producer, shard, reached))

    def _keep_aside(
        self,
        conflicts: Sequence[Row],
        malformed: Sequence[tuple[StreamEntry, str]],
        now_ms: int,
    ) -> None:
        for row in conflicts:
            digest = sha256(row.payload.encode()).hexdigest()
            self.database.execute(ADD_CONFLICT, (row.event_id, digest, now_ms, row.payload))
        for entry, reason in malformed:
            self.database.execute(ADD_MALFORMED, _aside(entry, reason, now_ms))

    def _set_aside(self, entry: StreamEntry, reason: str, now_ms: int) -> Added:
        with self.database.transaction():
            self.database.execute(ADD_MALFORMED, _aside(entry, reason, now_ms))
            self._note_positions([entry])
        return Added(malformed=1)

    def _note_positions(self, entries: Sequence[StreamEntry]) -> None:
        noted = self.positions()
        last = dict(noted)
        for entry in entries:
            former = last.get(entry.shard)
            if former is None or order(entry.stream_id) > order(former):
                last[entry.shard] = entry.stream_id
        for shard, stream_id in last.items():
            if noted.get(shard) != stream_id:
                self.database.execute(SET_POSITION, (shard, stream_id))

    # ── the schema ───────────────────────────────────────────────────────────────────────────

    def _prepare(self) -> None:
        self.database.prepare()
        ledger_id = f"l{secrets.token_hex(6)}"
        with self.database.transaction():
            self.database.execute(
                "INSERT INTO book (only_row, schema_version, ledger_id, entries, head) "
                "VALUES (1, ?, ?, 0, ?) ON CONFLICT DO NOTHING",
                (SCHEMA_VERSION, ledger_id, ledger_id),
            )

    def _check_version(self) -> str:
        version, ledger_id = self.database.execute("SELECT schema_version, ledger_id FROM book")[0]
        if version != SCHEMA_VERSION:
            raise LedgerError(
                f"the ledger has schema {version}, this korad knows {SCHEMA_VERSION}: "
                "use the korad that wrote it, or a newer one"
            )
        return str(ledger_id)


def order(stream_id: str) -> tuple[int, int]:
    """Return what ids of stream entries are ordered by."""
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence or "0")


def _read(entries: Sequence[StreamEntry]) -> tuple[list[Row], list[tuple[StreamEntry, str]]]:
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


def _aside(entry: StreamEntry, reason: str, now_ms: int) -> tuple[Any, ...]:
    text = (entry.payload or b"").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
    return entry.shard, entry.stream_id, now_ms, reason[:REASON_CHARS_MAX], text


def _rollup(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    sums: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        parties = (row.key_id or "", row.team_id or "", row.customer_id or "")
        group = (day_of(row.time_ms), *parties, row.provider, row.model)
        total = sums.setdefault(group, [0] * (1 + len(FIGURES)))
        total[0] += 1
        for place, column in enumerate(_FIGURE_COLUMNS, 1):
            figure = row[column]
            assert isinstance(figure, int)
            total[place] += figure
    # Always in the same order: two transactions must not wait for each other in a circle.
    return [(*group, *total) for group, total in sorted(sums.items())]


def _sum(parts: Iterable[Added]) -> Added:
    total = Added()
    for part in parts:
        total.booked += part.booked
        total.duplicates += part.duplicates
        total.conflicts += part.conflicts
        total.malformed += part.malformed
    return total
