"""What the audit holds against the ledger: the journals of this machine, and Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from korad.adapters.journal_tail import next_intact_frame
from korad.billing.frames import (
    SEGMENT_HEADER_BYTES,
    CorruptFrameError,
    Frame,
    read_frame,
    read_segment_header,
)
from korad.ledger.entries import Row, StreamEntry, read_row
from korad.ledger.streams import COUNT, FIELD, Client, seq_key, stream_key

Place = tuple[str, int]
"""Producer and shard."""


@dataclass(slots=True, kw_only=True)
class RedisBooks:
    """One shard's books in Redis, all of one moment."""

    begun: bool
    numbers: dict[str, int]
    """Producer to its last number."""
    balances: dict[str, int]
    """Entity to billed nano-USD."""


@dataclass(slots=True)
class Journals:
    """The journals in a folder, read frame by frame."""

    folder: Path
    damaged: list[str] = field(default_factory=list)
    """Segments with bytes that are no frames, as of the last reading."""

    def read(self) -> Iterator[Row]:
        """Yield the event of every frame that is retained, some twice."""
        self.damaged.clear()
        for path in sorted(self.folder.glob("*/e*.journal")):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # the shipper has just removed it: the ledger has all of it
            try:
                yield from _rows(data)
            except (CorruptFrameError, ValueError) as error:
                self.damaged.append(f"{path}: {error}")


def _rows(data: bytes) -> Iterator[Row]:
    read_segment_header(data)
    at = SEGMENT_HEADER_BYTES
    while (frame := _frame_at(data, at)) is not None:
        at = frame.end
        yield read_row(frame.payload, frame.shard)


def _frame_at(data: bytes, at: int) -> Frame | None:
    """Return a frame, None where they end: a kill may tear the last one."""
    try:
        return read_frame(data, at)
    except CorruptFrameError:
        if next_intact_frame(data[at:]) is not None:
            raise
        return None


async def redis_books(redis: Client, shard: int) -> RedisBooks:
    """Return a shard's numbers and balances."""
    tag = f"kb:{{s{shard:02d}}}:"
    # One transaction: numbers of one moment and balances of another would never agree.
    pipe = redis.pipeline(transaction=True)
    # Not by redis-py's methods: those hand the keys on, which a cluster's transaction trips over.
    pipe.execute_command("EXISTS", f"{tag}gen")
    pipe.execute_command("HGETALL", seq_key(shard))
    pipe.execute_command("HGETALL", f"{tag}bal")
    answer: Any = await pipe.execute()
    begun, numbers, balances = answer
    return RedisBooks(begun=bool(begun), numbers=_counts(numbers), balances=_counts(balances))


async def stream_entries(redis: Client, shard: int) -> AsyncIterator[list[StreamEntry]]:
    """Yield what a stream retains, page by page."""
    start = "-"
    while True:
        page: Any = await redis.xrange(stream_key(shard), min=start, count=COUNT)
        if not page:
            return
        yield [
            StreamEntry(shard=shard, stream_id=stream_id.decode(), payload=fields.get(FIELD))
            for stream_id, fields in page
        ]
        start = f"({page[-1][0].decode()}"


def _counts(raw: dict[bytes, bytes]) -> dict[str, int]:
    return {name.decode(): int(number) for name, number in raw.items()}
