"""Ship the journals of this machine to Redis, and keep the two in step.

Numbers decide, nothing else: whatever Redis has of a producer is skipped, whatever it lacks is sent
again. So a lost reply, a second shipper, a Redis that went back in time or was emptied all come to
the same: go back to where Redis is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from redis.exceptions import RedisError

from korad.adapters.books_source import BooksSource, BooksUnreachableError
from korad.adapters.generations import Generations
from korad.adapters.hand_over import HandOver
from korad.adapters.journal_gathering import gather
from korad.adapters.journal_producers import find_producers
from korad.adapters.journal_removal import Removal
from korad.adapters.journal_tail import Tail
from korad.adapters.outage import Outage
from korad.adapters.redis_books import OtherShardsError, RedisBooks
from korad.adapters.shipping_errors import MissingError
from korad.billing.frames import Frame

BATCH_FRAMES = 500
LOOK_S = 0.05
"""How often the journals are read: as long may an event wait that ends a hold on a budget."""
GATHER_S = 0.25
"""How long other events may wait for more: a batch costs 0.3 ms, as much as 30 events more."""
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.02, 1.0
LOOK_ON_S = 0.2
"""How often it is asked whether a journal's segment is done with: that opens and locks files."""
LOOK_AROUND_S = 0.5
"""How often new journals are looked for."""
COMPARE_S = 5.0
"""How often the numbers are compared although nothing failed: a failover may go unnoticed."""
KEEP_HOUSE_S = 30.0
COUNTED = ("shipped", "duplicates", "gaps", "dropped_holds", "removed_segments")
TRY_AGAIN = (RedisError, OSError, BooksUnreachableError, OtherShardsError)

_by_shard = attrgetter("shard")
_chance = random.Random()  # noqa: S311 - jitter
_log = logging.getLogger("korad")


class Shipper:
    """The way from the journals to Redis."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        journal_dir: Path,
        books: RedisBooks,
        *,
        machine: str,
        shards: int,
        source: BooksSource | None,
        keep_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._dir = journal_dir
        self._books = books
        self._machine = machine
        self._shards = range(shards)
        self._removal = Removal(source, keep_s=keep_s, now_ms=now_ms)
        self._generations = Generations(journal_dir.parent, books, source, now_ms)
        self._tails: dict[str, Tail] = {}
        self._counts = dict.fromkeys(COUNTED, 0)
        self._hand_over = HandOver(books, self._shards, self._counts)
        self._stopping = asyncio.Event()
        self._outage = Outage(self._shards, now_ms)

    @property
    def counts(self) -> dict[str, int]:
        """How often what has happened since the start."""
        return self._counts | {"rebuilds": self._generations.rebuilds}

    @property
    def redis_up(self) -> bool:
        """Whether all of Redis took what it was given last."""
        return self._outage.redis_up

    @property
    def waiting_since_ms(self) -> int | None:
        """Return since when there is something that could not be shipped."""
        return self._outage.waiting_since_ms

    @property
    def damaged(self) -> list[str]:
        """Where journals are damaged."""
        return [tail.damaged for tail in self._tails.values() if tail.damaged is not None]

    async def run(self) -> None:
        """Ship until `stop`; whatever fails is tried again."""
        pause_s = BACKOFF_MIN_S
        while not self._stopping.is_set():
            try:
                await self._compare()
                await self._ship_on()
                self._outage.passed()
                pause_s = BACKOFF_MIN_S
            except MissingError as error:
                await self._recover(error)
            except TRY_AGAIN as error:
                self._outage.failed(error)
            await self._sleep(pause_s * _chance.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)

    async def drain(self, timeout_s: float) -> bool:
        """Ship all that is there, once nothing is written any more; return whether all went."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                # redis-py, while it connects, may swallow the one cancellation of a timeout.
                while loop.time() < deadline:
                    try:
                        await self._compare()
                        while await self._ship_once():
                            pass
                    except MissingError as error:
                        await self._recover(error)
                    except TRY_AGAIN as error:
                        self._outage.failed(error)
                        await asyncio.sleep(BACKOFF_MIN_S)
                    else:
                        if not self._outage.left_out:
                            return True
                        await asyncio.sleep(BACKOFF_MIN_S)
        return False

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping.set()

    def close(self) -> None:
        """Close all files."""
        for tail in self._tails.values():
            tail.close()

    # ── shipping ─────────────────────────────────────────────────────────────────────────────

    async def _ship_on(self) -> None:
        """Ship until something fails or the numbers are to be compared again."""
        loop = asyncio.get_running_loop()
        started = looked = shipped = loop.time()
        kept_house = looked_on = 0.0
        while not self._stopping.is_set() and loop.time() - started < COMPARE_S:
            now = loop.time()
            looks_on = now - looked_on > LOOK_ON_S
            looked_on = now if looks_on else looked_on
            sent = 0
            at_once = gather(self._tails.values(), BATCH_FRAMES, looks_on=looks_on)
            if at_once or now - shipped > GATHER_S:
                shipped, sent = now, await self._ship_gathered()
            if sent < BATCH_FRAMES:
                await asyncio.sleep(LOOK_S)
            if now - looked > LOOK_AROUND_S:
                looked = now
                if self._look_around():
                    break
            if now - kept_house > KEEP_HOUSE_S:
                kept_house = now
                await self._ship_gathered()
                await self._keep_house()
        # What was read and not sent would have to be read again.
        await self._ship_gathered()

    async def _ship_once(self) -> int:
        """Ship a batch of each journal; return how many events there were."""
        gather(self._tails.values(), BATCH_FRAMES, looks_on=True)
        return await self._ship_gathered()

    async def _ship_gathered(self) -> int:
        """Ship what was read; return how many events there were."""
        read = [(tail, tail.take_waiting()) for tail in self._tails.values() if tail.waiting]
        # All of them to their end: none may still be sending when the numbers are compared.
        for error in await asyncio.gather(
            *(self._ship_frames(tail, frames) for tail, frames in read), return_exceptions=True
        ):
            if error is not None:
                raise error
        return max((len(frames) for _, frames in read), default=0)

    async def _ship_frames(self, tail: Tail, frames: list[Frame]) -> None:
        try:
            await self._ship_shards(tail, sorted(frames, key=_by_shard))
        except BaseException:
            # Read, but not known to be taken: the next comparison goes back to them.
            tail.is_in_step = False
            self._outage.waits()
            raise
        self._outage.shipped()

    async def _ship_shards(self, tail: Tail, frames: list[Frame]) -> None:
        failed: Exception | None = None
        for shard, batch in groupby(frames, key=_by_shard):
            if shard in self._outage.left_out:
                self._outage.waits()  # it goes back to these when the shard answers
                continue
            try:
                await self._hand_over.ship(tail, shard, list(batch))
            except TRY_AGAIN as error:
                self._outage.refused(shard, error)
                failed = failed or error  # other shards may be on other nodes, which are well
        if failed is not None:
            raise failed

    # ── keeping step ─────────────────────────────────────────────────────────────────────────

    async def _compare(self) -> None:
        """Bring every journal to where Redis is; rebuild what Redis has lost.

        What is on a node that does not answer waits. Raises where none does.
        """
        self._look_around()
        unanswered: dict[int, Exception] = {}
        found = await asyncio.gather(*map(self._numbers, self._shards), return_exceptions=True)
        for shard, numbers in zip(self._shards, found, strict=True):
            if isinstance(numbers, TRY_AGAIN):
                unanswered[shard] = numbers
            elif isinstance(numbers, BaseException):
                raise numbers
            else:
                for tail in self._tails.values():
                    tail.compare(shard, numbers.get(tail.name, 0))
        is_back = self._outage.compared(unanswered)
        for tail in self._tails.values():
            # What it lacks was read and left out.
            tail.is_in_step = tail.is_in_step and not is_back
            tail.fall_in_step()

    async def _numbers(self, shard: int) -> dict[str, int]:
        await self._generations.ensure(shard)
        numbers = await self._books.numbers(shard)
        # The ledger had these before: it has nothing that Redis had not.
        if any(
            of == shard and number > numbers.get(name, 0) and self._is_gone(name)
            for (name, of), number in self._removal.booked.items()
        ):
            _log.error("Redis lacks events of shard %d whose journal is gone", shard)
            await self._generations.renew(shard)
            numbers = await self._books.numbers(shard)
        return numbers

    def _is_gone(self, producer: str) -> bool:
        return producer.startswith(f"{self._machine}-") and producer not in self._tails

    async def _recover(self, error: MissingError) -> None:
        """Ask the ledger for events that neither Redis nor the journal has."""
        _log.error("%s", error)
        missing = (error.tail.name, error.shard)
        if missing in self._hand_over.asked:
            # The ledger has been asked: they are nowhere.
            error.tail.block(error.shard, str(error))
            return
        try:
            if await self._generations.renew(error.shard):
                self._hand_over.asked.add(missing)
        except TRY_AGAIN as raised:
            self._outage.failed(raised)

    def _look_around(self) -> bool:
        """Look for new journals; return whether there is any."""
        known = {(tail.folder, tail.producer.epoch) for tail in self._tails.values()}
        new = [each for each in find_producers(self._dir, known) if each[1].name not in self._tails]
        self._tails |= {producer.name: Tail(folder, producer) for folder, producer in new}
        return bool(new)

    async def _keep_house(self) -> None:
        """Delete what the ledger has, and drop holds whose producer ended without a word."""
        self._counts["removed_segments"] += await self._removal.remove_booked(self._tails)
        here = [shard for shard in self._shards if shard not in self._outage.left_out]
        holds = [(shard, await self._books.holds(shard)) for shard in here]
        # After that: a worker that began just now may have some of them.
        self._look_around()
        for shard, held in holds:
            for hold_id, producer in held:
                if producer.startswith(f"{self._machine}-") and self._has_ended(producer):
                    dropped = await self._books.drop_hold(shard, hold_id, producer)
                    self._counts["dropped_holds"] += dropped

    def _has_ended(self, producer: str) -> bool:
        """Return whether nothing of this machine's producer will come any more."""
        tail = self._tails.get(producer)
        return tail is None or (tail.done and tail.damaged is None)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
