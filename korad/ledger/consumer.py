"""From the streams into the ledger: read, book in one transaction with how far it is, trim.

An entry is trimmed only behind that note. So whatever ends in between, the entry comes again, and
the ledger knows the event by its id.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from redis.exceptions import RedisError

from korad.clock import monotonic_ns, unix_ns
from korad.ledger.database import LedgerUnavailableError
from korad.ledger.entries import StreamEntry
from korad.ledger.missed import MissedEvents
from korad.ledger.store import Ledger
from korad.ledger.streams import Client, ForeignStreamError, Streams

T = TypeVar("T")

BLOCK_MS: Final = 1_000
POLL_S: Final = 0.2
"""Pause between reads that cannot block."""
GATHER_S: Final = 0.5
"""Pause after a read that found fewer than it may: a round costs 1.3 ms, as 25 events more."""
THREAD_NICE: Final = 10
LEASE_RETRY_S: Final = 1.0
CARE_EVERY_S: Final = 5.0
RETRY_FIRST_S: Final = 0.1
RETRY_MOST_S: Final = 5.0
LAST_READS_S: Final = 10.0
"""How long a consumer that was told to stop still books what is there."""

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_log = logging.getLogger("korad")


@dataclass(slots=True, kw_only=True)
class ConsumerStatus:
    """What a consumer tells of itself; counts are since its start."""

    active: bool = False
    """Whether it is the ledger's consumer; else it waits for another to end."""
    lag_events: int = 0
    """Events that Redis has applied and the ledger has not booked, as of the last look."""
    last_commit_ms: int | None = None
    booked: int = 0
    duplicates: int = 0
    conflicts: int = 0
    malformed: int = 0
    trimmed: int = 0
    error: str | None = None
    """Why it does not get on at present."""


class Foreign(Enum):
    """What a consumer does with streams that another ledger books."""

    WAIT = "wait"
    """Tell, leave them alone, and look again."""
    FAIL = "fail"
    """Raise ForeignStreamError out of `run`."""
    TAKE_OVER = "take over"
    """Book them from now on; FAIL if they are taken again."""


class LeaseLostError(Exception):
    """The connection that held the lease has gone: another consumer may have begun."""


class LedgerConsumer:
    """Book the events of `shards` streams; keep them in Redis for `keep_s` seconds after.

    `foreign` says what becomes of streams that another ledger books.
    `redis` must return bytes and repeat no command by itself; its timeout must be well above one
    second. Both `store` and `redis` stay the caller's to close.
    """

    def __init__(
        self,
        store: Ledger,
        redis: Client,
        shards: int,
        keep_s: float,
        *,
        care_s: float = CARE_EVERY_S,
        foreign: Foreign = Foreign.WAIT,
    ) -> None:
        self.status = ConsumerStatus()
        self._store = store
        self._streams = Streams(redis, shards, store.ledger_id)
        self._keep_ms = int(keep_s * 1_000)
        self._care_at_ns = 0
        self._foreign = foreign
        self._care_s = care_s
        self._missed = MissedEvents(store)
        self._stopping = asyncio.Event()
        # One thread: the database is asked in the order of the calls.
        self._thread = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="ledger", initializer=_yield_to_others
        )

    async def run(self) -> None:
        """Consume until `stop`, whatever Redis or the database do meanwhile.

        Raises LedgerError for what no waiting helps.
        """
        pause_s = RETRY_FIRST_S
        try:
            while not self._stopping.is_set():
                booked_before = self.status.last_commit_ms
                try:
                    await self._consume()
                except (
                    RedisError,
                    OSError,
                    LedgerUnavailableError,
                    LeaseLostError,
                    ForeignStreamError,
                ) as error:
                    await self._let_go(error)
                    if self.status.last_commit_ms != booked_before:
                        pause_s = RETRY_FIRST_S
                    self._note_failure(error)
                    await self._sleep(pause_s)
                    pause_s = min(pause_s * 2, RETRY_MOST_S)
        finally:
            self.status.active = False
            # In the same thread, so after whatever still runs in it.
            await asyncio.shield(self._in_thread(self._give_back))
            self._thread.shutdown(wait=False)

    def stop(self) -> None:
        """Let `run` book what is in the streams at this moment, and end."""
        self._stopping.set()

    async def _consume(self) -> None:
        if not await self._take_lease():
            return
        await self._begin()
        self._care_at_ns = 0
        while not self._stopping.is_set():
            entries = await self._streams.read(block_ms=BLOCK_MS)
            if entries:
                await self._book(entries)
                if not self._streams.may_have_more:
                    await self._sleep(GATHER_S)
            elif not self._streams.can_block:
                await self._sleep(POLL_S)
            self._recovered()
            _end_if_cancelled()
            if monotonic_ns() >= self._care_at_ns:
                await self._care()
        async with asyncio.timeout(LAST_READS_S):
            while entries := await self._streams.read(block_ms=None):
                await self._book(entries)
            await self._care()

    async def _take_lease(self) -> bool:
        """Wait to be the only consumer; False when stopped before."""
        while not self._stopping.is_set():
            if await self._in_thread(self._store.take_lease):
                self.status.active = True
                return True
            self.status.active = False
            await self._sleep(LEASE_RETRY_S)
        return False

    async def _begin(self) -> None:
        """Go to where the ledger stands in each stream."""
        if self._foreign is Foreign.TAKE_OVER:
            self._foreign = Foreign.FAIL
            if await self._streams.take_over():
                # The other sees it at its next look; until then it may still take events, which
                # are read again from here on.
                _log.warning("ledger: taking over from another; waiting for it to notice")
                await self._sleep(self._care_s + 2 * BLOCK_MS / 1_000)
        await self._streams.claim_ownership()
        positions = await self._in_thread(self._store.positions)
        for shard in self._streams.shards:
            await self._streams.make_group(shard)
            if await self._streams.rewind(shard, positions.get(shard)):
                _log.warning("ledger: Redis has lost entries of shard %02d; reading it anew", shard)
                await self._in_thread(self._store.forget_position, shard)

    async def _book(self, entries: list[StreamEntry]) -> None:
        now_ms = unix_ns() // _NS_PER_MS
        added = await self._in_thread(self._store.add, entries, now_ms)
        if not self._store.holds_lease():
            raise LeaseLostError("the database connection was lost")
        status = self.status
        status.last_commit_ms = now_ms
        status.booked += added.booked
        status.duplicates += added.duplicates
        status.conflicts += added.conflicts
        status.malformed += added.malformed
        if added.conflicts or added.malformed:
            _log.error(
                "ledger: %d events with another content than booked, %d entries that are no "
                "events were kept aside; see: korad audit",
                added.conflicts,
                added.malformed,
            )

    async def _care(self) -> None:
        """Trim, and look how far behind the ledger is."""
        self._care_at_ns = monotonic_ns() + int(self._care_s * _NS_PER_S)
        if not await self._in_thread(self._store.take_lease):
            raise LeaseLostError("another consumer has taken over")
        await self._streams.claim_ownership()
        applied = {
            (producer, shard): number
            for shard in self._streams.shards
            for producer, number in (await self._streams.numbers(shard)).items()
        }
        missed = await self._in_thread(self._missed.shards, applied, self.status.booked)
        self.status.lag_events = self._missed.lag_events
        for shard in missed:
            _log.warning("ledger: events of shard %02d were not booked; reading it anew", shard)
            await self._read_anew(shard)
        positions = await self._in_thread(self._store.positions)
        for shard, recorded in positions.items():
            if shard in self._streams.shards and shard not in missed:
                self.status.trimmed += await self._streams.trim(shard, recorded, self._keep_ms)

    async def _read_anew(self, shard: int) -> None:
        # In this order: whatever fails in between, the ledger asks for all of it again.
        await self._in_thread(self._store.forget_position, shard)
        await self._streams.rewind(shard, None)

    async def _let_go(self, error: Exception) -> None:
        """Raise what no waiting helps; let another consumer of this ledger take foreign streams."""
        if isinstance(error, ForeignStreamError):
            if self._foreign is Foreign.FAIL:
                raise error
            self.status.active = False
            await self._in_thread(self._give_back)

    def _note_failure(self, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"
        if told != self.status.error:
            _log.error("ledger: %s; trying again", told)
        self.status.error = told

    def _recovered(self) -> None:
        if self.status.error is not None:
            _log.warning("ledger: going on after: %s", self.status.error)
            self.status.error = None

    def _give_back(self) -> None:
        try:
            self._store.give_back_lease()
        except LedgerUnavailableError as error:
            # The lease ends with the connection all the same.
            _log.warning("ledger: %s", error)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _in_thread(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def _yield_to_others() -> None:
    """Let this thread have what others leave of the processor: booking may be late."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICE)


def _end_if_cancelled() -> None:
    """Raise what a client that was connecting may have swallowed."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
