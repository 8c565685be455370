"""Hand events of one journal and shard over to Redis: all of them, once, in order."""

from __future__ import annotations

import logging

from korad.adapters.journal_tail import Tail
from korad.adapters.redis_books import RedisBooks, Taken
from korad.adapters.shipping_errors import MissingError, OutOfStepError
from korad.billing.frames import Frame

_log = logging.getLogger("korad")


class HandOver:
    """The last step of shipping. `counts`: "shipped", "duplicates" and "gaps" are added to."""

    def __init__(self, books: RedisBooks, shards: range, counts: dict[str, int]) -> None:
        self._books = books
        self._shards = shards
        self._counts = counts
        self.asked: set[tuple[str, int]] = set()
        """Producers and shards of which events are missing, and the ledger was asked for them."""

    async def ship(self, tail: Tail, shard: int, batch: list[Frame]) -> None:
        """Hand over a batch, or what is before the first that is no event.

        Raises redis' errors, OutOfStepError, and MissingError.
        """
        try:
            await self._take(tail, shard, batch)
        except ValueError as error:
            # Intact, and no event that this version knows. What is before it still goes.
            if len(batch) == 1:
                _log.error("%s, shard %d: %s; what follows is not billed", tail.name, shard, error)
                tail.block(shard, f"{tail.name}, number {batch[0].number}: {error}")
                return
            for at, frame in enumerate(batch):
                await self.ship(tail, shard, batch[at : at + 1])
                if tail.taken(shard) < frame.number:
                    return

    async def _take(self, tail: Tail, shard: int, batch: list[Frame]) -> None:
        if shard not in self._shards:
            raise ValueError(f"there is no shard {shard}: redis.shards is {len(self._shards)}")
        while batch:
            if batch[0].number > tail.taken(shard) + 1:
                raise MissingError(tail, shard, batch[0].number)
            reply = await self._books.take(tail.name, shard, batch)
            if reply.taken in (Taken.ALL, Taken.BEFORE):
                tail.note_taken(shard, max(reply.last, batch[-1].number))
                self.asked.discard((tail.name, shard))
                what = "shipped" if reply.taken is Taken.ALL else "duplicates"
                self._counts[what] += len(batch)
                return
            if reply.taken is not Taken.OVERLAP:
                self._counts["gaps"] += reply.taken is Taken.GAP
                raise OutOfStepError(f"{tail.name}: {reply.taken.name} at {reply.last}")
            tail.note_taken(shard, reply.last)
            self._counts["duplicates"] += sum(frame.number <= reply.last for frame in batch)
            batch = [frame for frame in batch if frame.number > reply.last]
