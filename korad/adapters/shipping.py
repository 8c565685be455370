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
from itertools import groupby
from pathlib import Path

from redis.exceptions import RedisError

from korad.adapters.books_source import BooksSource, BooksUnreachableError
from korad.adapters.journal_tail import Tail, find_producers
from korad.adapters.redis_books import OtherShardsError, RedisBooks, Taken
from korad.billing.frames import Frame

BATCH_FRAMES = 500
IDLE_MIN_S, IDLE_MAX_S = 0.005, 0.02
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.02, 1.0
LOOK_AROUND_S = 0.5
"""How often new journals are looked for."""
COMPARE_S = 5.0
"""How often the numbers are compared although nothing failed: a failover may go unnoticed."""
KEEP_HOUSE_S = 30.0
GENERATION_FILE = "books-generation"

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
        self._source = source
        self._keep_s = keep_s
        self._now_ms = now_ms
        self._tails: dict[str, Tail] = {}
        self._missing: set[str] = set()
        """Producers of which events were missing once; the ledger was asked for them."""
        self._stopping = asyncio.Event()
        self.counts = dict.fromkeys(
            ("shipped", "duplicates", "gaps", "rebuilds", "dropped_holds", "removed_segments"), 0
        )
        self.redis_up = False
        self.waiting_since_ms: int | None = None
        """Since when there is something that could not be shipped."""

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
                pause_s = BACKOFF_MIN_S
                await self._ship_on()
            except MissingError as error:
                await self._recover(error)
            except (RedisError, OSError, BooksUnreachableError, OtherShardsError) as error:
                self._note_down(error)
            await self._sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)

    async def drain(self, timeout_s: float) -> bool:
        """Ship all that is there, once nothing is written any more; return whether all went."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        await self._compare()
                        while await self._ship_once():
                            pass
                    except MissingError as error:
                        await self._recover(error)
                    except (RedisError, OSError, BooksUnreachableError) as error:
                        self._note_down(error)
                        await asyncio.sleep(BACKOFF_MIN_S)
                    else:
                        return True
        except TimeoutError:
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
        started = looked = loop.time()
        kept_house = 0.0
        idle_s = IDLE_MIN_S
        while not self._stopping.is_set() and loop.time() - started < COMPARE_S:
            if await self._ship_once():
                idle_s = IDLE_MIN_S
            else:
                await self._sleep(idle_s)
                idle_s = min(2 * idle_s, IDLE_MAX_S)
            if loop.time() - looked > LOOK_AROUND_S:
                looked = loop.time()
                if self._look_around():
                    return
            if loop.time() - kept_house > KEEP_HOUSE_S:
                kept_house = loop.time()
                await self._keep_house()

    async def _ship_once(self) -> int:
        """Ship a batch of each journal; return how many events there were."""
        shipped = await asyncio.gather(*(self._ship_tail(tail) for tail in self._tails.values()))
        return sum(shipped)

    async def _ship_tail(self, tail: Tail) -> int:
        frames = tail.read(BATCH_FRAMES)
        if frames:
            frames.sort(key=_by_shard)
            try:
                for shard, batch in groupby(frames, key=_by_shard):
                    await self._ship_batch(tail, shard, list(batch))
            except BaseException:
                # Read, but not known to be taken: the next comparison goes back to them.
                if self.waiting_since_ms is None:
                    self.waiting_since_ms = self._now_ms()
                tail.is_in_step = False
                raise
            self.waiting_since_ms = None
        return len(frames)

    async def _ship_batch(self, tail: Tail, shard: int, batch: list[Frame]) -> None:
        while batch:
            if batch[0].number > tail.taken(shard) + 1:
                raise MissingError(tail, shard, batch[0].number)
            reply = await self._books.take(tail.name, shard, batch)
            if reply.taken in (Taken.ALL, Taken.BEFORE):
                tail.note_taken(shard, max(reply.last, batch[-1].number))
                what = "shipped" if reply.taken is Taken.ALL else "duplicates"
                self.counts[what] += len(batch)
                return
            if reply.taken is not Taken.OVERLAP:
                self.counts["gaps"] += reply.taken is Taken.GAP
                raise OutOfStepError(f"{tail.name}: {reply.taken.name} at {reply.last}")
            tail.note_taken(shard, reply.last)
            self.counts["duplicates"] += sum(frame.number <= reply.last for frame in batch)
            batch = [frame for frame in batch if frame.number > reply.last]

    # ── keeping step ─────────────────────────────────────────────────────────────────────────

    async def _compare(self) -> None:
        """Bring every journal to where Redis is; rebuild what Redis has lost."""
        for shard in self._shards:
            await self._ensure_books(shard)
        self._look_around()
        for shard in self._shards:
            numbers = await self._books.numbers(shard)
            for tail in self._tails.values():
                tail.compare(shard, numbers.get(tail.name, 0))
        self.redis_up = True
        for tail in self._tails.values():
            tail.fall_in_step()

    async def _ensure_books(self, shard: int) -> None:
        """Begin or rebuild the books of a shard where Redis has none, or others than before."""
        known = self._known_generations()
        while (generation := await self._books.generation(shard)) is None or (
            known.get(shard, generation) != generation
        ):
            if shard not in known and not await self._had_books(shard):
                await self._books.begin(shard)
                continue
            if generation is not None:
                # Another machine has rebuilt or begun them; whether from a ledger is not known.
                _log.error("the books in Redis are not those of before; rebuilding shard %d", shard)
            await self._rebuild(shard)
            known.pop(shard, None)
        if known.get(shard) != generation:
            self._remember_generation(shard, generation)

    async def _rebuild(self, shard: int) -> None:
        """Set a shard to what the ledger says. Raises BooksUnreachableError where there is none."""
        if self._source is None:
            raise BooksUnreachableError(
                "Redis has lost events that the journals no longer hold, and no ledger is "
                "configured here to rebuild the books from: set ledger.url"
            )
        now_ms = self._now_ms()
        if await self._books.rebuild(shard, await self._source.books(shard, now_ms), now_ms):
            self.counts["rebuilds"] += 1
            _log.warning("rebuilt shard %d of the books in Redis from the ledger", shard)
        else:
            await self._sleep(BACKOFF_MAX_S / 2)  # another process is at it

    async def _recover(self, error: MissingError) -> None:
        """Ask the ledger for events that neither Redis nor the journal has."""
        _log.error("%s", error)
        if error.tail.name in self._missing:
            # The ledger has been asked: they are nowhere.
            error.tail.damaged = str(error)
            return
        self._missing.add(error.tail.name)
        try:
            await self._rebuild(error.shard)
        except (RedisError, OSError, BooksUnreachableError) as raised:
            self._missing.discard(error.tail.name)
            self._note_down(raised)

    async def _had_books(self, shard: int) -> bool:
        """Return whether the ledger has any event of a shard: then Redis was emptied."""
        if self._source is None:
            return False
        checkpoints = await self._source.checkpoints()
        return any(of == shard for _, of in checkpoints)

    def _known_generations(self) -> dict[int, str]:
        path = self._dir.parent / GENERATION_FILE
        if not path.exists():
            return {}
        lines = [line.split() for line in path.read_text().splitlines()]
        return {int(shard): name for shard, name in lines}

    def _remember_generation(self, shard: int, generation: str) -> None:
        known = self._known_generations() | {shard: generation}
        draft = self._dir.parent / f"{GENERATION_FILE}.draft"
        draft.write_text("".join(f"{of} {name}\n" for of, name in sorted(known.items())))
        draft.rename(self._dir.parent / GENERATION_FILE)

    def _look_around(self) -> bool:
        """Look for new journals; return whether there is any."""
        found = False
        for folder, producer in find_producers(self._dir):
            if producer.name not in self._tails:
                self._tails[producer.name] = Tail(folder, producer)
                found = True
        return found

    async def _keep_house(self) -> None:
        """Delete what the ledger has, and drop holds whose producer ended without a word."""
        if self._source is not None:
            checkpoints = await self._source.checkpoints()
            before_s = self._now_ms() / 1_000 - self._keep_s
            for tail in list(self._tails.values()):
                booked = {of: n for (name, of), n in checkpoints.items() if name == tail.name}
                self.counts["removed_segments"] += tail.remove_shipped(booked, before_s)
                if tail.is_empty:
                    del self._tails[tail.name]
        for shard in self._shards:
            for hold_id, producer in await self._books.holds(shard):
                if producer.startswith(f"{self._machine}-") and self._has_ended(producer):
                    dropped = await self._books.drop_hold(shard, hold_id, producer)
                    self.counts["dropped_holds"] += dropped

    def _has_ended(self, producer: str) -> bool:
        """Return whether nothing of this machine's producer will come any more."""
        tail = self._tails.get(producer)
        return tail is None or (tail.done and tail.damaged is None)

    def _note_down(self, error: Exception) -> None:
        if isinstance(error, OutOfStepError):
            _log.warning("%s; going back to where Redis is", error)
        elif self.redis_up or not isinstance(error, RedisError):
            _log.error("events wait in the journal: %s", error)
        self.redis_up = isinstance(error, OutOfStepError)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


class OutOfStepError(OSError):
    """Redis has less of a journal than was sent."""


class MissingError(Exception):
    """The journal goes on behind events that Redis does not have."""

    def __init__(self, tail: Tail, shard: int, number: int) -> None:
        super().__init__(
            f"{tail.name}: Redis has its events up to {tail.taken(shard)}, "
            f"the journal goes on with {number}"
        )
        self.tail = tail
        self.shard = shard


def _by_shard(frame: Frame) -> int:
    return frame.shard
