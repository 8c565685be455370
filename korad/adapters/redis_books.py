"""The books in Redis: take events, compare numbers, begin or rebuild a shard, drop dead holds."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

import msgspec

from korad.adapters.books_source import ShardBooks
from korad.adapters.redis_control import ControlClient, Scripts
from korad.adapters.redis_keys import ShardKeys
from korad.billing.frames import KIND_EVENT_WITH_HOLD, Frame
from korad.billing.periods import HOUR_CHARS, keep_s, kept_periods, periods_of
from korad.domain.event import EventStatus
from korad.domain.value import value

REBUILD_LOCK_S = 120
FIELDS_AT_ONCE = 1_000


class _Data(msgspec.Struct, frozen=True, gc=False):
    """What the balances need of an event's `data`; it must be one that the ledger can tell."""

    schema: int
    status: EventStatus
    request_id: str
    key_id: str | None
    team_id: str | None
    customer_id: str | None
    billed_nano_usd: int


class _Event(msgspec.Struct, frozen=True, gc=False):
    id: str
    time: str
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


class Taken(Enum):
    """What became of a batch."""

    ALL = 1
    BEFORE = 0
    """All of it was taken before."""
    GAP = -1
    OVERLAP = -2
    NO_BOOKS = -9
    """Redis was emptied, or has never had any."""


@value
class Reply:
    """The answer to a batch."""

    taken: Taken
    last: int
    """Number of the producer's last event that is taken, in all."""


class OtherShardsError(Exception):
    """The books were begun with another number of shards."""


class RedisBooks:
    """The books of all shards."""

    def __init__(self, client: ControlClient, shards: int) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._shards = shards
        self._keys = [ShardKeys(shard) for shard in range(shards)]

    async def take(self, producer: str, shard: int, frames: Sequence[Frame]) -> Reply:
        """Hand over events with consecutive numbers; safe to repeat.

        Raises redis' errors, and ValueError for what is no event.
        """
        keys = self._keys[shard]
        billed: defaultdict[tuple[str, str | None, str | None, str | None], int] = defaultdict(int)
        holds: list[str] = []
        for frame in frames:
            try:
                event = _decode(frame.payload)
            except msgspec.MsgspecError as error:
                raise ValueError(f"not a billing event: {error}") from error
            data = event.data
            if frame.kind == KIND_EVENT_WITH_HOLD:
                holds.append(data.request_id)
            if data.billed_nano_usd:
                hour = event.time[:HOUR_CHARS]
                billed[hour, data.key_id, data.team_id, data.customer_id] += data.billed_nano_usd
        names = [keys.generation, keys.stream, keys.sequence, keys.hold, keys.held, keys.open]
        args: list[bytes | str | int] = [producer, frames[0].number, len(frames), len(holds)]
        args += [frame.payload for frame in frames]
        args += holds
        for hour, entities in _per_hour(billed).items():
            periods = periods_of(hour)
            names += [keys.sums(period) for period in periods]
            args += [len(periods), len(entities), *(keep_s(period) or 0 for period in periods)]
            for entity, amount in entities.items():
                args += [entity, str(amount)]
        code, last = await self._scripts.run("take", names, args)
        return Reply(taken=Taken(min(int(code), 1)), last=int(last))

    async def numbers(self, shard: int) -> dict[str, int]:
        """Return the number of each producer's last event."""
        found = await self._client.execute_command("HGETALL", self._keys[shard].sequence)
        return {name.decode(): int(number) for name, number in _pairs(found)}

    async def generation(self, shard: int) -> str | None:
        """Return which beginning of the books a shard is at. Raises OtherShardsError."""
        held = await self._client.execute_command("GET", self._keys[shard].generation)
        if held is None:
            return None
        name, _, shards = held.decode().partition(":")
        if int(shards) != self._shards:
            raise OtherShardsError(
                f"the books in this Redis were begun with {shards} shards, and redis.shards is "
                f"{self._shards}: set it back, or begin anew in another Redis"
            )
        return str(name)

    async def begin(self, shard: int) -> None:
        """Begin the books of a shard that never had any; another may have been first."""
        name = f"{secrets.token_hex(8)}:{self._shards}"
        await self._client.execute_command("SET", self._keys[shard].generation, name, "NX")

    async def rebuild(
        self, shard: int, books: ShardBooks, now_ms: int, *, seen: str | None, known: str | None
    ) -> bool:
        """Set balances and numbers to the ledger's; return False where another process does or did.

        `seen` is the generation that the shard had when the caller decided. It keeps it, else gets
        `known`, that of before: or every other machine would take the books for others than its own
        and rebuild them in turn. Without one nothing is taken and no hold is given: it is set last.
        """
        keys, run = self._keys[shard], self._client.execute_command
        mine = secrets.token_hex(8)
        if not await run("SET", keys.lock, mine, "NX", "EX", REBUILD_LOCK_S):
            return False
        if await self.generation(shard) != seen:
            await run("DEL", keys.lock)
            return False
        stale = [keys.generation, keys.sequence, keys.hold, keys.held, keys.open, keys.rate]
        await run("DEL", *stale, *(keys.sums(period) for period in kept_periods(now_ms)))
        await self._fill(keys.sequence, books.checkpoints)
        for period, entities in books.sums.items():
            await self._fill(keys.sums(period), entities)
            kept = keep_s(period)
            if kept is not None and entities:
                await run("EXPIRE", keys.sums(period), kept)
        if (await run("GET", keys.lock)) != mine.encode():
            return False
        name = seen or known or secrets.token_hex(8)
        await run("SET", keys.generation, f"{name}:{self._shards}")
        await run("DEL", keys.lock)
        return True

    async def _fill(self, key: str, fields: Mapping[str, int]) -> None:
        items = list(fields.items())
        for at in range(0, len(items), FIELDS_AT_ONCE):
            flat = [
                part
                for name, amount in items[at : at + FIELDS_AT_ONCE]
                for part in (name, str(amount))
            ]
            await self._client.execute_command("HSET", key, *flat)

    async def holds(self, shard: int) -> list[tuple[str, str]]:
        """Return (hold id, producer) of every hold."""
        found: list[tuple[str, str]] = []
        cursor: bytes | int = 0
        while True:
            cursor, page = await self._client.execute_command(
                "HSCAN", self._keys[shard].hold, cursor, "COUNT", 500
            )
            for name, held in _pairs(page):
                found.append((name.decode(), held.partition(b"|")[0].decode()))
            if int(cursor) == 0:
                return found

    async def drop_hold(self, shard: int, hold_id: str, producer: str) -> bool:
        """Take out a hold whose event will never come."""
        keys = self._keys[shard]
        names = [keys.hold, keys.held, keys.open]
        return bool(await self._scripts.run("drop_hold", names, [hold_id, producer]))


def _per_hour(
    billed: Mapping[tuple[str, str | None, str | None, str | None], int],
) -> dict[str, dict[str, int]]:
    """Return per hour and entity what (hour, key, team, customer) were billed."""
    sums: dict[str, dict[str, int]] = {}
    for (hour, *entities), amount in billed.items():
        of_hour = sums.setdefault(hour, {})
        for entity in entities:
            if entity is not None:
                of_hour[entity] = of_hour.get(entity, 0) + amount
    return sums


def _pairs(reply: dict[bytes, bytes] | list[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """Return a hash's fields: redis-py makes a dict of some replies and leaves others alone."""
    if isinstance(reply, dict):
        return reply.items()
    return zip(reply[::2], reply[1::2], strict=True)
