"""Where a model test ships its events: a Redis in memory, and a real one, both with a past.

Both can be put back to an earlier state, be emptied, and lose the reply to what they did.
"""

from __future__ import annotations

import contextlib
import copy
from collections import defaultdict
from dataclasses import dataclass, field

from redis.exceptions import ConnectionError as RedisConnectionError

from korad.adapters.redis_books import RedisBooks, Reply, Taken
from korad.adapters.redis_control import connect_control
from korad.adapters.redis_keys import ShardKeys
from korad.billing.frames import KIND_EVENT_WITH_HOLD
from korad.billing.periods import periods_of
from korad.domain.event import decode_event
from korad.ledger.batch import order
from korad.ledger.consumer import LedgerConsumer
from korad.ledger.database import LedgerUnavailableError
from korad.ledger.entries import StreamEntry
from korad.ledger.streams import Streams

READ_MAX = 7
"""Small, so that a batch ends anywhere."""


@dataclass
class State:
    """All that a server holds of one shard."""

    generation: str | None = None
    stream: list[tuple[str, bytes]] = field(default_factory=list)
    last_id: str = "0-0"
    delivered: str | None = None
    """Of the consumer group; None: there is none."""
    sequence: dict[str, int] = field(default_factory=dict)
    sums: defaultdict[str, defaultdict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    hold: dict[str, str] = field(default_factory=dict)


class FakeBooks:
    """What `RedisBooks` does, in memory, for one shard; scripts are all or nothing as there."""

    def __init__(self):
        self.state = State()
        self.snapshots = []
        self.drops = 0
        """Replies still to be lost."""
        self._time = 1_000
        self._names = 0

    # ── what the model does to it ────────────────────────────────────────────────────────────

    def remember(self):
        self.snapshots.append(copy.deepcopy(self.state))

    def roll_back(self, which):
        self.state = copy.deepcopy(self.snapshots[which % len(self.snapshots)])

    def empty(self):
        self.state = State()

    def stream(self):
        return [payload for _, payload in self.state.stream]

    def balances(self):
        return {name: amount for name, amount in self.state.sums[""].items() if amount}

    def hold(self, hold_id, producer):
        self.state.hold[hold_id] = producer

    def held(self):
        return set(self.state.hold)

    def close(self):
        pass

    # ── RedisBooks ───────────────────────────────────────────────────────────────────────────

    async def take(self, producer, shard, frames):
        assert shard == 0
        state, first, count = self.state, frames[0].number, len(frames)
        last = state.sequence.get(producer, 0)
        if state.generation is None:
            reply = Reply(taken=Taken.NO_BOOKS, last=0)
        elif first > last + 1:
            reply = Reply(taken=Taken.GAP, last=last)
        elif first + count - 1 <= last:
            reply = Reply(taken=Taken.BEFORE, last=last)
        elif first <= last:
            reply = Reply(taken=Taken.OVERLAP, last=last)
        else:
            for frame in frames:
                self._apply(frame)
            state.sequence[producer] = first + count - 1
            reply = Reply(taken=Taken.ALL, last=first + count - 1)
        self._maybe_drop()
        return reply

    def _apply(self, frame):
        state, event = self.state, decode_event(frame.payload)
        self._time += 1
        state.last_id = f"{self._time}-0"
        state.stream.append((state.last_id, frame.payload))
        if frame.kind == KIND_EVENT_WITH_HOLD:
            state.hold.pop(event.data.request_id, None)
        for period in periods_of(event.time):
            for entity in (event.data.key_id, event.data.team_id, event.data.customer_id):
                if entity is not None:
                    state.sums[period][entity] += event.data.billed_nano_usd

    def _maybe_drop(self):
        if self.drops:
            self.drops -= 1
            raise RedisConnectionError("the reply was lost")

    async def numbers(self, _shard):
        return dict(self.state.sequence)

    async def generation(self, _shard):
        return self.state.generation

    async def begin(self, _shard):
        if self.state.generation is None:
            self._names += 1
            self.state.generation = f"generation-{self._names}"

    async def rebuild(self, _shard, books, _now_ms, *, seen, known):
        state = self.state
        if state.generation != seen:
            return False
        state.sequence = dict(books.checkpoints)
        state.hold.clear()
        state.sums.clear()
        for period, entities in books.sums.items():
            state.sums[period].update(entities)
        self._names += 1
        state.generation = seen or known or f"generation-{self._names}"
        return True

    async def holds(self, _shard):
        return list(self.state.hold.items())

    async def drop_hold(self, _shard, hold_id, _producer):
        return self.state.hold.pop(hold_id, None) is not None

    # ── the ledger's consumer ────────────────────────────────────────────────────────────────

    def consume(self, ledger, *, batches_max=None, crash=False):
        """Read as the consumer group does, and book; `crash`: before the last is acknowledged."""
        state, recorded = self.state, ledger.positions().get(0)
        if state.delivered is None:
            state.delivered = "0-0"
        lost = recorded is not None and order(recorded) > order(state.last_id)
        if lost:
            ledger.forget_position(0)
        start = "0-0" if recorded is None or lost else recorded
        if order(state.delivered) > order(start):
            state.delivered = start
        batches = 0
        while batches_max is None or batches < batches_max:
            after = order(state.delivered)
            unread = [each for each in state.stream if order(each[0]) > after][:READ_MAX]
            if not unread:
                return
            ledger.add([StreamEntry(shard=0, stream_id=i, payload=p) for i, p in unread], 0)
            batches += 1
            if crash:
                return
            state.delivered = unread[-1][0]


class LossyBooks(RedisBooks):
    """RedisBooks whose replies can get lost."""

    drops = 0

    async def take(self, producer, shard, frames):
        reply = await super().take(producer, shard, frames)
        if self.drops:
            self.drops -= 1
            raise RedisConnectionError("the reply was lost")
        return reply


class RealBooks:
    """The same on a real server, by its own scripts, streams and consumer."""

    def __init__(self, server, run):
        self.server = server
        self.run = run
        self.client = run(connect_control(server.address, timeout_s=2))
        self.books = LossyBooks(self.client, 1)
        self.snapshots = []
        self.keys = ShardKeys(0)
        self.blocking = server.client()
        self.blocking.flushall()

    def __getattr__(self, name):
        return getattr(self.books, name)

    @property
    def drops(self):
        return self.books.drops

    @drops.setter
    def drops(self, number):
        self.books.drops = number

    def remember(self):
        names = self.blocking.keys("*")
        self.snapshots.append(
            {name: (self.blocking.dump(name), self.blocking.pttl(name)) for name in names}
        )

    def roll_back(self, which):
        self.blocking.flushall()
        for name, (dumped, ttl) in self.snapshots[which % len(self.snapshots)].items():
            self.blocking.restore(name, max(0, ttl), dumped)

    def empty(self):
        self.blocking.flushall()

    def stream(self):
        return [fields[b"e"] for _, fields in self.blocking.xrange(self.keys.stream)]

    def balances(self):
        found = self.blocking.hgetall(self.keys.sums(""))
        return {name.decode(): int(amount) for name, amount in found.items() if int(amount)}

    def hold(self, hold_id, producer):
        self.blocking.hset(self.keys.hold, hold_id, f"{producer}|0||0")

    def held(self):
        return {name.decode() for name in self.blocking.hkeys(self.keys.hold)}

    def consume(self, ledger, *, batches_max=None, crash=False):
        """Book by the parts of the real consumer, its waiting for more left out."""
        consumer = LedgerConsumer(ledger, self.client, 1, keep_s=3600)
        streams = Streams(self.client, 1, ledger.ledger_id)
        if crash:
            self.run(streams.make_group(0))
            entries = self.run(streams.read(block_ms=None))
            if entries:
                ledger.add(entries, 0)
            return
        self.run(self._consume(consumer, streams, batches_max))

    async def _consume(self, consumer, streams, batches_max):
        consumer._store.take_lease()
        try:
            await consumer._begin()
            batches = 0
            while batches_max is None or batches < batches_max:
                entries = await streams.read(block_ms=None)
                if not entries:
                    break
                await consumer._book(entries)
                batches += 1
        finally:
            consumer._give_back()
            consumer._thread.shutdown()

    def close(self):
        self.blocking.close()
        self.run(self.client.aclose())


@contextlib.contextmanager
def failing_database(ledger, statements):
    """Let the ledger's database go away after so many statements."""
    database = ledger.database
    true = database.execute, database.execute_many
    left = [statements]

    def spoiled(call):
        def execute(*arguments):
            left[0] -= 1
            if left[0] < 0:
                raise LedgerUnavailableError("the database went away")
            return call(*arguments)

        return execute

    database.execute, database.execute_many = spoiled(true[0]), spoiled(true[1])
    try:
        yield
    finally:
        database.execute, database.execute_many = true
