"""Booking: events into the ledger, once each, with all that follows from them, in one transaction.

The hash chain: head(n) = sha256(head(n-1) + payload(n)), as hex, over the events in the order they
were booked; head(0) is the ledger's id. `days` keeps the head of each day of booking. A day that
is over gets no more rows, whatever the clock does: a late event is booked on the day it comes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha256
from threading import RLock
from typing import Final, Self

from korad.ledger.batch import (
    Added,
    Numbers,
    aside,
    inserts,
    numbers_of,
    order,
    read_rows,
    rollup,
    total,
)
from korad.ledger.database import Database, LedgerError, LedgerUnavailableError, RowRefusedError
from korad.ledger.entries import Row, StreamEntry, day_of
from korad.ledger.schema import (
    ADD_CONFLICT,
    ADD_MALFORMED,
    ADD_TO_ROLLUP,
    COUNT_ALARMS,
    READ_BOOK,
    READ_STANDING,
    SCHEMA_VERSION,
    SET_CHECKPOINT,
    SET_DAY,
    SET_POSITION,
    marks,
)

_CHECKPOINT_PAGE: Final = 1_000

Standing = dict[tuple[str, int], tuple[int, int]]
"""Per producer and shard the checkpoint, and the last number that is booked; 0 for none."""


class Ledger:
    """The books, over a database that they close. Blocking; one thread at a time gets in."""

    def __init__(self, database: Database, *, create: bool) -> None:
        self.database = database
        self.lock = RLock()
        try:
            if create:
                self._prepare()
            self.ledger_id = self._check_version()
        except BaseException:
            database.close()
            raise

    def add(self, entries: Sequence[StreamEntry], now_ms: int) -> Added:
        """Book what the ledger has not, and keep aside what it cannot book.

        All of it or nothing. Raises LedgerUnavailableError: try again with the same entries.
        """
        with self.lock:
            try:
                return self._add(entries, now_ms)
            except RowRefusedError as error:
                if len(entries) > 1:
                    return total(self.add([entry], now_ms) for entry in entries)
                return self._setaside(entries[0], str(error), now_ms)

    def checkpoints(self) -> dict[tuple[str, int], int]:
        """Return for each (producer, shard) the n for which events 1 to n are all booked."""
        with self.lock:
            rows = self.database.execute("SELECT producer, shard, number FROM checkpoints")
        return {(producer, shard): number for producer, shard, number in rows}

    def payloads(self, event_ids: Sequence[str]) -> dict[str, str]:
        """Return the payloads of those events that are booked, by event id."""
        if not event_ids:
            return {}
        with self.lock:
            found = self.database.execute(
                f"SELECT event_id, payload FROM events WHERE event_id IN ({marks(len(event_ids))})",  # noqa: S608
                event_ids,
            )
        return dict(found)

    def numbers_after(self, producer: str, shard: int, number: int) -> set[int]:
        """Return the numbers that are booked after `number`."""
        with self.lock:
            found = self.database.execute(
                "SELECT number FROM events WHERE producer = ? AND shard = ? AND number > ?",
                (producer, shard, number),
            )
        return {int(each) for (each,) in found}

    def has_after(self, producer: str, shard: int, number: int) -> bool:
        """Return whether any event after `number` is booked."""
        with self.lock:
            found = self.database.execute(
                "SELECT 1 FROM events WHERE producer = ? AND shard = ? AND number > ? LIMIT 1",
                (producer, shard, number),
            )
        return bool(found)

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
            counts = self.database.execute(COUNT_ALARMS)[0]
        return dict(zip(("conflicts", "malformed"), counts, strict=True))

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── one batch ────────────────────────────────────────────────────────────────────────────

    def _add(self, entries: Sequence[StreamEntry], now_ms: int) -> Added:
        rows, malformed = read_rows(entries)
        db = self.database
        with db.transaction():
            booked, head = db.execute(READ_BOOK + db.for_update)[0]
            numbers = numbers_of(rows)
            standing = self._standing(numbers)
            new, conflicts = self._not_booked(rows, numbers, standing)
            self._book(new, int(booked), str(head), now_ms)
            self._advance(numbers, standing)
            self._keepaside(conflicts, malformed, now_ms)
            self._note_positions(entries)
        return Added(
            booked=len(new),
            duplicates=len(rows) - len(new) - len(conflicts),
            conflicts=len(conflicts),
            malformed=len(malformed),
        )

    def _not_booked(
        self, rows: Sequence[Row], numbers: Numbers, standing: Standing
    ) -> tuple[Sequence[Row], list[Row]]:
        """Return what is to be booked, and what has the id of an event that is another."""
        # As nearly always: all of them behind what is booked, each once.
        if sum(map(len, numbers.values())) == len(rows) and all(
            min(here) > standing[place][1] for place, here in numbers.items()
        ):
            return rows, []
        known = self.payloads(
            [row.event_id for row in rows if row.number <= standing[row.producer, row.shard][1]]
        )
        new: list[Row] = []
        conflicts: list[Row] = []
        for row in rows:
            payload = known.get(row.event_id)
            if payload is None:
                new.append(row)
                known[row.event_id] = row.payload
            elif payload != row.payload:
                conflicts.append(row)
        return new, conflicts

    def _book(self, rows: Sequence[Row], booked: int, head: str, now_ms: int) -> None:
        if not rows:
            return
        db = self.database
        for row in rows:
            head = sha256((head + row.payload).encode()).hexdigest()
        inserted = sum(db.execute_many(*insert) for insert in inserts(rows, booked + 1))
        if inserted != len(rows):
            # Only a writer that does not keep to the transactions' order could cause this.
            raise LedgerUnavailableError("another process booked the same events; trying again")
        db.execute_many(ADD_TO_ROLLUP, rollup(rows))
        last_day = db.execute("SELECT MAX(day) FROM days")[0][0]
        day = max(day_of(now_ms), last_day or "")
        db.execute(SET_DAY, (day, booked + 1, len(rows), head))
        db.execute("UPDATE book SET entries = ?, head = ?", (booked + len(rows), head))

    def _standing(self, places: Iterable[tuple[str, int]]) -> Standing:
        """Return where the ledger stands with each producer and shard."""
        found = {}
        for place in sorted(places):
            ((checkpoint, last),) = self.database.execute(READ_STANDING, (*place, *place))
            found[place] = (int(checkpoint or 0), int(last or 0))
        return found

    def _advance(self, numbers: Numbers, standing: Standing) -> None:
        """Move each checkpoint up to where the first number is missing; `numbers` are booked."""
        for place, (former, last) in standing.items():
            reached, here = former, numbers[place]
            while reached + 1 in here:
                reached += 1
            # Only where some were booked beyond a gap before, more may follow.
            if reached < last:
                reached = self._end_of_row(place, reached)
            if reached > former:
                self.database.execute(SET_CHECKPOINT, (*place, reached))

    def _end_of_row(self, place: tuple[str, int], reached: int) -> int:
        """Return the number before the first one after `reached` that is missing."""
        while True:
            page = self.database.execute(
                "SELECT number FROM events WHERE producer = ? AND shard = ? AND number > ? "
                "ORDER BY number LIMIT ?",
                (*place, reached, _CHECKPOINT_PAGE),
            )
            without_gap = [n for at, (n,) in enumerate(page, 1) if n == reached + at]
            reached += len(without_gap)
            if len(without_gap) < _CHECKPOINT_PAGE:
                return reached

    def _keepaside(
        self,
        conflicts: Sequence[Row],
        malformed: Sequence[tuple[StreamEntry, str]],
        now_ms: int,
    ) -> None:
        for row in conflicts:
            digest = sha256(row.payload.encode()).hexdigest()
            self.database.execute(ADD_CONFLICT, (row.event_id, digest, now_ms, row.payload))
        for entry, reason in malformed:
            self.database.execute(ADD_MALFORMED, aside(entry, reason, now_ms))

    def _setaside(self, entry: StreamEntry, reason: str, now_ms: int) -> Added:
        with self.database.transaction():
            self.database.execute(ADD_MALFORMED, aside(entry, reason, now_ms))
            self._note_positions([entry])
        return Added(malformed=1)

    def _note_positions(self, entries: Sequence[StreamEntry]) -> None:
        noted = self.positions()
        # A stream's entries come in its order.
        for shard, stream_id in {entry.shard: entry.stream_id for entry in entries}.items():
            former = noted.get(shard)
            if former is None or order(stream_id) > order(former):
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
