"""The streams of events as the ledger reads them.

How far it is, is noted in the ledger, in the transaction that books the events: the group need not
remember what it gave out. The client must not decode what Redis sends, and must not repeat what
may have been done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from korad.ledger.batch import order
from korad.ledger.database import LedgerError
from korad.ledger.entries import StreamEntry

Client: TypeAlias = "Redis | RedisCluster"

GROUP: Final = "ledger"
COUNT: Final = 1_000
COUNT_MIN: Final = 20
"""Entries per stream and read: COUNT over all of them, but never fewer than this."""
FIELD: Final = b"e"
KEPT_ENTRIES_MAX: Final = 100_000
"""Per shard, however young: about 150 MB of Redis' memory."""


def stream_key(shard: int) -> str:
    """Return the name of a shard's stream."""
    return f"kb:{{s{shard:02d}}}:st"


def seq_key(shard: int) -> str:
    """Return the name of the hash of the last numbers applied."""
    return f"kb:{{s{shard:02d}}}:seq"


def owner_key(shard: int) -> str:
    """Return the name of the id of the ledger that books a shard's stream."""
    return f"kb:{{s{shard:02d}}}:ledger"


async def owner_of(redis: Client, shard: int) -> str:
    """Return the id of the ledger that books a shard's stream, "" for none yet."""
    return _text(await redis.get(owner_key(shard)) or b"")


class ForeignStreamError(LedgerError):
    """Another ledger books these streams: each would get a part of the events."""


class Streams:
    """Read and trim. Everything raises RedisError or OSError.

    `consumer` is the ledger's id.
    """

    def __init__(self, redis: Client, shards: int, consumer: str) -> None:
        self.redis = redis
        self.shards = range(shards)
        self._consumer = consumer
        self._shard_of = {stream_key(shard).encode(): shard for shard in self.shards}
        self._count = max(COUNT // shards, COUNT_MIN)
        # A cluster reads no two slots in one command.
        keys = [stream_key(shard) for shard in self.shards]
        self._reads = [[key] for key in keys] if isinstance(redis, RedisCluster) else [keys]
        self.may_have_more = False
        """Whether the last read got all that could be read at once of some stream."""
        redis.set_response_callback("XREADGROUP", _raw)  # type: ignore[arg-type]

    @property
    def can_block(self) -> bool:
        """Whether `read` can wait for new entries: one command reads all streams."""
        return len(self._reads) == 1

    async def make_group(self, shard: int) -> None:
        """Make the group, before the stream's first entry, where there is none."""
        try:
            await self.redis.xgroup_create(stream_key(shard), GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def claim_ownership(self) -> None:
        """Let these streams be this ledger's, if they are no other's. Raises ForeignStreamError."""
        for shard in self.shards:
            await self.redis.set(owner_key(shard), self._consumer, nx=True)
            owner = await owner_of(self.redis, shard)
            # An emptied Redis may have forgotten it in between; the next look claims it again.
            if owner not in {"", self._consumer}:
                raise ForeignStreamError(
                    f"the ledger {owner} books the events of this Redis, and this is the ledger "
                    f"{self._consumer}: two would each get a part. Use that one's ledger.url (or "
                    "state folder); if it is gone for good: korad ledger run --take-over"
                )

    async def take_over(self) -> bool:
        """Let these streams be this ledger's; return whether any was another's."""
        former = {await owner_of(self.redis, shard) for shard in self.shards}
        for shard in self.shards:
            await self.redis.set(owner_key(shard), self._consumer)
        return not former <= {"", self._consumer}

    async def rewind(self, shard: int, recorded: str | None) -> bool:
        """Let the group read again what the ledger has not noted as booked, if there is such.

        So is read again what another ledger took, and what was read and could not be booked. True
        if the whole stream is read again, because Redis has lost what this ledger noted.
        """
        group = next((each for each in await self.groups(shard) if each["name"] == GROUP), None)
        if group is None:  # Redis was emptied a moment ago
            raise ResponseError(f"NOGROUP {GROUP}")
        stream: Any = await self.redis.xinfo_stream(stream_key(shard))
        lost = recorded is not None and order(recorded) > order(_text(stream["last-generated-id"]))
        start = "0-0" if recorded is None or lost else recorded
        if order(group["last-delivered-id"]) > order(start):
            await self.redis.xgroup_setid(stream_key(shard), GROUP, start)
        return lost

    async def read(self, *, block_ms: int | None) -> list[StreamEntry]:
        """Return the entries that the group has not read yet.

        Nothing is to be acknowledged: what is booked is noted in the ledger, with the events.
        """
        entries: list[StreamEntry] = []
        self.may_have_more = False
        wait = () if block_ms is None or not self.can_block else ("BLOCK", block_ms)
        for keys in self._reads:
            answer: Any = await self.redis.execute_command(
                "XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", self._count, *wait,
                "NOACK", "STREAMS", *keys, *[">"] * len(keys),
            )  # fmt: skip
            for key, found in _pairs(answer):
                shard = self._shard_of[key]
                entries += [_entry(shard, stream_id, fields) for stream_id, fields in found]
                self.may_have_more |= len(found) >= self._count
        return entries

    async def groups(self, shard: int) -> list[dict[str, Any]]:
        """Return the consumer groups of a stream: name, last-delivered-id, pending."""
        with suppress(KeyError):
            return [
                {
                    "name": _text(group["name"]),
                    "last-delivered-id": _text(group["last-delivered-id"]),
                    "pending": int(group["pending"]),
                }
                for group in await self.redis.xinfo_groups(stream_key(shard))
            ]
        raise ResponseError("XINFO GROUPS has no such fields")

    async def trim(self, shard: int, recorded: str, keep_ms: int) -> int:
        """Forget entries that are booked, done with by every group, and old. Return how many."""
        bounds = [_after(recorded), (await self._oldest_to_keep_ms(shard, keep_ms), 0)]
        for group in await self.groups(shard):
            bounds.append(_after(group["last-delivered-id"]))
            # The ledger's own group is read without acknowledgements: what is pending there is of a
            # korad that did otherwise.
            if group["pending"] and group["name"] != GROUP:
                pending: Any = await self.redis.xpending(stream_key(shard), group["name"])
                if pending["min"] is not None:
                    bounds.append(order(_text(pending["min"])))
        milliseconds, sequence = min(bounds)
        if milliseconds <= 0:
            return 0
        minimum = f"{milliseconds}-{sequence}"
        return int(await self.redis.xtrim(stream_key(shard), minid=minimum, approximate=True))

    async def _oldest_to_keep_ms(self, shard: int, keep_ms: int) -> int:
        """Return the time before which entries may go: they are old, or there are too many."""
        oldest_ms = await self._now_ms(shard) - keep_ms
        length = int(await self.redis.xlen(stream_key(shard)))
        if length <= KEPT_ENTRIES_MAX:
            return oldest_ms
        first: Any = await self.redis.xrange(stream_key(shard), count=1)
        last: Any = await self.redis.xrevrange(stream_key(shard), count=1)
        first_ms, last_ms = order(_text(first[0][0]))[0], order(_text(last[0][0]))[0]
        # As if they had come evenly; called every few seconds, that is close enough.
        kept_ms = (last_ms - first_ms) * KEPT_ENTRIES_MAX // length
        return max(oldest_ms, last_ms - kept_ms)

    async def numbers(self, shard: int) -> dict[str, int]:
        """Return the last number that was applied, per producer."""
        applied: Any = await self.redis.hgetall(seq_key(shard))
        return {_text(producer): int(number) for producer, number in applied.items()}

    async def _now_ms(self, shard: int) -> int:
        # The server's clock made the ids. A cluster answers for one node at a time.
        if isinstance(self.redis, RedisCluster):
            node = self.redis.get_node_from_key(stream_key(shard))
            answer: Any = await self.redis.execute_command("TIME", target_nodes=node)
        else:
            answer = await self.redis.time()
        return int(answer[0]) * 1_000 + int(answer[1]) // 1_000


def _pairs(answer: Any) -> Iterable[tuple[bytes, Sequence[Any]]]:
    """Return (stream, entries) of an answer in either protocol."""
    if not answer:
        return []
    return answer.items() if isinstance(answer, Mapping) else answer


def _entry(shard: int, stream_id: bytes, fields: Sequence[bytes] | None) -> StreamEntry:
    if fields and fields[0] == FIELD:
        return StreamEntry(shard, stream_id.decode(), fields[1])
    others = dict(zip(fields[::2], fields[1::2], strict=True)) if fields else {}
    return StreamEntry(shard, stream_id.decode(), others.get(FIELD))


def _raw(answer: Any, **_: Any) -> Any:
    """Take an answer as it came: redis-py makes a dict of each entry, for more than its parsing."""
    return answer


def _after(stream_id: str) -> tuple[int, int]:
    milliseconds, sequence = order(stream_id)
    return milliseconds, sequence + 1


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
