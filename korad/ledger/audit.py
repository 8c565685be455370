"""The audit: journal, stream, Redis' balances and ledger must tell of the same events and money.

It is made of one cut: the numbers that journals and Redis have reached at its beginning. It waits
for the ledger to reach them, and compares up to them, so it can be made while korad serves. What
the ledger has not reached, but the stream or a journal will bring, is under way and no difference.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import islice
from typing import Final

from korad.ledger.audit_report import Account, AuditReport, Tally, count
from korad.ledger.audit_sources import (
    Journals,
    Place,
    RedisBooks,
    redis_books,
    stream_entries,
)
from korad.ledger.chain import doubles_of, faults_of
from korad.ledger.entries import Row, read_row
from korad.ledger.store import Ledger
from korad.ledger.streams import Client, owner_of

LOOK_EVERY_S: Final = 0.2
_PAGE: Final = 500
_EXAMPLES: Final = 20
_ALARMS: Final = {
    "conflicts": "events came with another content than was booked under their id",
    "malformed": "entries of the stream were no events",
}


class Audit:
    """One audit. Raises LedgerError, RedisError, OSError."""

    def __init__(self, ledger: Ledger, redis: Client, shards: int, journals: Journals) -> None:
        self._ledger = ledger
        self._redis = redis
        self._shards = range(shards)
        self._journals = journals
        self._accounts: defaultdict[Place, Account] = defaultdict(Account)
        self._books: dict[int, RedisBooks] = {}
        self._numbers: defaultdict[Place, set[int]] = defaultdict(set)
        """What the stream retains."""
        self._in_journal: defaultdict[Place, set[int]] = defaultdict(set)
        self._unbooked: list[Row] = []
        """What the stream had and the ledger had not when it was looked at."""
        self._booked: list[tuple[int, str, list[str | None], int]] = []
        """Shard, producer, parties and nano-USD of what the ledger has up to the cut."""
        self._faults: list[str] = []

    async def make(self, wait_s: float) -> AuditReport:
        """Compare, after waiting up to `wait_s` for what is under way."""
        await self._cut()
        await self._wait(wait_s)
        self._read_journals()
        for shard in self._shards:
            await self._read_stream(shard)
        self._read_ledger()
        await self._read_owners()
        numbers = {shard: (await redis_books(self._redis, shard)).numbers for shard in self._shards}
        for (producer, shard), account in self._accounts.items():
            self._classify(producer, shard, account, numbers.get(shard, {}).get(producer, 0))
        return self._report(self._expected(numbers))

    async def _cut(self) -> None:
        for row in self._journals.read():
            account = self._accounts[row.producer, row.shard]
            account.cut = max(account.cut, row.number)
        for shard in self._shards:
            books = self._books[shard] = await redis_books(self._redis, shard)
            for producer, number in books.numbers.items():
                account = self._accounts[producer, shard]
                account.redis_number = number
                account.cut = max(account.cut, number)

    async def _wait(self, wait_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            reached = self._ledger.checkpoints()
            behind = any(reached.get(place, 0) < a.cut for place, a in self._accounts.items())
            if not behind or asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _read_owners(self) -> None:
        owners = {await owner_of(self._redis, shard) for shard in self._shards}
        self._faults += [
            f"the ledger {owner} books the events of this Redis; this is {self._ledger.ledger_id}"
            for owner in sorted(owners - {"", self._ledger.ledger_id})
        ]

    def _read_journals(self) -> None:
        page: list[Row] = []
        for row in self._journals.read():
            account = self._accounts[row.producer, row.shard]
            seen = self._in_journal[row.producer, row.shard]
            if row.number in seen or row.number > account.cut:
                continue
            seen.add(row.number)
            count(account.journal, row)
            page.append(row)
            if len(page) == _PAGE:
                self._compare(page, "the journal")
                page = []
        self._compare(page, "the journal")
        self._faults += [f"damaged journal: {each}" for each in self._journals.damaged]

    async def _read_stream(self, shard: int) -> None:
        async for entries in stream_entries(self._redis, shard):
            page = []
            for entry in entries:
                try:
                    row = read_row(entry.payload or b"", shard)
                except ValueError:
                    continue  # the consumer keeps it aside, and that is told below
                place = (row.producer, shard)
                if row.number in self._numbers[place]:
                    continue
                self._numbers[place].add(row.number)
                count(self._accounts[place].stream, row)
                page.append(row)
            applied = self._books[shard].numbers
            self._unbooked += [
                row
                for row in self._compare(page, "the stream")
                if row.number <= applied.get(row.producer, 0)
            ]

    def _compare(self, rows: list[Row], where: str) -> list[Row]:
        """Hold rows against the ledger, and return those it does not have."""
        known = self._ledger.payloads([row.event_id for row in rows])
        self._faults += [
            f"{row.event_id} is another event in {where} than in the ledger"
            for row in rows
            if known.get(row.event_id, row.payload) != row.payload
        ]
        return [row for row in rows if row.event_id not in known]

    def _read_ledger(self) -> None:
        with self._ledger.lock, self._ledger.database.snapshot():
            for place, number in self._ledger.checkpoints().items():
                self._accounts[place].checkpoint = number
            for producer, shard, events, highest, billed in self._ledger.database.execute(
                "SELECT producer, shard, COUNT(*), MAX(number), SUM(billed_nano_usd) "
                "FROM events GROUP BY producer, shard"
            ):
                self._accounts[producer, shard].ledger = Tally(
                    events=int(events), highest=int(highest), billed_nano_usd=int(billed)
                )
            self._read_billed()
            # What was booked since the stream was read is no longer to be added.
            known = self._ledger.payloads([row.event_id for row in self._unbooked])
            self._unbooked = [row for row in self._unbooked if row.event_id not in known]

    def _read_billed(self) -> None:
        """Read what entities were billed, less what was applied after the cut."""
        db = self._ledger.database
        for shard, producer, *parties, billed in db.execute(
            "SELECT shard, producer, key_id, team_id, customer_id, SUM(billed_nano_usd) "
            "FROM events GROUP BY shard, producer, key_id, team_id, customer_id"
        ):
            self._booked.append((shard, producer, parties, int(billed)))
        for shard, books in self._books.items():
            for producer, number in books.numbers.items():
                for *parties, billed in db.execute(
                    "SELECT key_id, team_id, customer_id, billed_nano_usd FROM events "
                    "WHERE producer = ? AND shard = ? AND number > ?",
                    (producer, shard, number),
                ):
                    self._booked.append((shard, producer, parties, -int(billed)))

    def _expected(self, now: Mapping[int, Mapping[str, int]]) -> Counter[tuple[int, str]]:
        """Return what the balances had to be at the cut, per shard and entity."""
        amounts = [
            (shard, parties, billed)
            for shard, producer, parties, billed in self._booked
            # A producer that Redis knows only since the cut; one that it knows no more has ended.
            if producer in self._books[shard].numbers or producer not in now[shard]
        ]
        amounts += [
            (row.shard, [row.key_id, row.team_id, row.customer_id], row.billed_nano_usd)
            for row in self._unbooked
        ]
        expected: Counter[tuple[int, str]] = Counter()
        for shard, parties, billed in amounts:
            for entity in parties:
                if entity is not None:
                    expected[shard, entity] += billed
        return expected

    def _classify(self, producer: str, shard: int, account: Account, number: int) -> None:
        """Say of what the ledger lacks whether it is under way or lost."""
        first, cut = account.checkpoint + 1, max(account.cut, account.ledger.highest)
        if first <= cut:
            place = (producer, shard)
            booked = self._ledger.numbers_after(producer, shard, account.checkpoint)
            unshipped = {each for each in self._in_journal[place] if each > number}
            coming = {n for n in self._numbers[place] | unshipped if first <= n <= cut} - booked
            lacking = cut - first + 1 - sum(n <= cut for n in booked)
            account.under_way = len(coming)
            account.missing = lacking - len(coming)
            lost = (n for n in range(first, cut + 1) if n not in booked and n not in coming)
            account.first_missing = list(islice(lost, min(account.missing, _EXAMPLES)))
        if account.redis_number is not None and number < account.ledger.highest:
            self._faults.append(
                f"Redis has lost events of {producer}, shard {shard:02d}: it has {number}, the "
                f"ledger {account.ledger.highest}; korad sends them again"
            )

    def _report(self, expected_all: Counter[tuple[int, str]]) -> AuditReport:
        report = AuditReport(accounts=dict(sorted(self._accounts.items())), faults=self._faults)
        for shard, books in self._books.items():
            expected = {
                entity: nano
                for (of_shard, entity), nano in expected_all.items()
                if of_shard == shard
            }
            if not books.begun and any(expected.values()):
                report.faults.append(
                    f"Redis has no books of shard {shard:02d}: it was emptied; korad makes them "
                    "again from the ledger when it runs"
                )
                continue
            for entity in sorted({*expected, *books.balances}):
                report.entities += 1
                told = (books.balances.get(entity, 0), expected.get(entity, 0))
                if told[0] != told[1]:
                    report.balances[shard, entity] = told
        report.doubles = doubles_of(self._ledger)
        report.faults += faults_of(self._ledger)
        alarms = self._ledger.alarms()
        for table, what in _ALARMS.items():
            if alarms[table]:
                report.faults.append(f"{alarms[table]} {what}; see the ledger's table {table}")
        return report
