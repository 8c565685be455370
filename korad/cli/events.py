"""`korad events tail`: the stream of billing events as JSON lines."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from typing import Any, Final

from korad.adapters.embedded_redis_files import EmbeddedRedisError, locate
from korad.adapters.redis_control import ControlClient
from korad.cli.books import redis_of, run_books
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.cli.state_folder import require_state_folder
from korad.config import Settings
from korad.domain.event import parse_event_id
from korad.ledger.audit_sources import stream_entries
from korad.ledger.batch import order
from korad.ledger.entries import StreamEntry
from korad.ledger.streams import FIELD, stream_key

COUNT: Final = 10
POLL_S: Final = 0.25
_PAGE: Final = 500
_STREAM_ID: Final = re.compile(r"[0-9]+(-[0-9]+)?")


def add_parser(subparsers: Subparsers) -> None:
    """Add `events` and its verb to the command line."""
    parser = subparsers.add_parser("events", help="show billing events")
    verbs = parser.add_subparsers(dest="events_verb", metavar="VERB", required=True)
    summary = "print the last events of the stream, one a line"
    tail = verbs.add_parser("tail", help=summary, description=summary)
    tail.add_argument("--follow", "-f", action="store_true", help="go on with what comes")
    tail.add_argument(
        "--since-id",
        metavar="ID",
        help="print what came after this one: an event's id, or the id of an entry of the stream",
    )
    tail.add_argument(
        "--count",
        "-n",
        type=_read_count,
        metavar="N",
        help=f"print at most N events (default: the last {COUNT}; all with --since-id)",
    )
    add_config_options(tail)


def run(args: argparse.Namespace) -> int:
    """Print events and return the exit code."""
    settings = settings_from(args)

    def tail() -> int:
        # `redis_of` starts korad's own server, which a verb that reads must not do the first time.
        if settings.redis.url is None:
            require_state_folder(settings)
            if not locate(settings.state_dir).folder.exists():
                raise EmbeddedRedisError(
                    f"no events yet: no Redis has run in {settings.state_dir}; `korad serve` "
                    "starts it"
                )
        return asyncio.run(_tail(settings, args))

    return run_books("events", tail)


async def _tail(settings: Settings, args: argparse.Namespace) -> int:
    async with redis_of(settings) as redis:
        shards = range(settings.redis.shards)
        since = None if args.since_id is None else await _stream_id(redis, shards, args.since_id)
        reached = dict.fromkeys(shards, since or "0-0")
        if since is None:
            count = COUNT if args.count is None else args.count
            entries = []
            for shard in shards:
                page = await _last(redis, shard, max(count, 1))
                # What --count leaves out is not printed later either.
                reached[shard] = page[-1].stream_id if page else "0-0"
                entries += page
            entries = _in_order(entries)
            entries = entries[len(entries) - min(count, len(entries)) :]
        else:
            entries = _in_order([e for shard in shards for e in await _after(redis, shard, since)])
            entries = entries[: args.count]
        _print(entries, reached)
        limit = None if args.count is None or since is None else args.count - len(entries)
        while args.follow and limit != 0:
            await asyncio.sleep(POLL_S)
            fresh = [e for shard in shards for e in await _after(redis, shard, reached[shard])]
            fresh = _in_order(fresh)[:limit]
            limit = None if limit is None else limit - len(fresh)
            _print(fresh, reached)
    return 0


def _in_order(entries: list[StreamEntry]) -> list[StreamEntry]:
    return sorted(entries, key=lambda entry: order(entry.stream_id))


def _print(entries: list[StreamEntry], reached: dict[int, str]) -> None:
    for entry in entries:
        sys.stdout.buffer.write((entry.payload or b"") + b"\n")
        reached[entry.shard] = max(reached[entry.shard], entry.stream_id, key=order)
    sys.stdout.buffer.flush()


async def _last(redis: ControlClient, shard: int, count: int) -> list[StreamEntry]:
    page: Any = await redis.xrevrange(stream_key(shard), count=count)
    return [_entry(shard, each) for each in reversed(page)]


async def _after(redis: ControlClient, shard: int, stream_id: str) -> list[StreamEntry]:
    found: list[StreamEntry] = []
    while True:
        page: Any = await redis.xrange(stream_key(shard), min=f"({stream_id}", count=_PAGE)
        found += [_entry(shard, each) for each in page]
        if len(page) < _PAGE:
            return found
        stream_id = found[-1].stream_id


async def _stream_id(redis: ControlClient, shards: range, reference: str) -> str:
    if _STREAM_ID.fullmatch(reference):
        return reference
    try:
        shard = parse_event_id(reference).shard
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{reference[:80]}' is neither an event's id nor one of the stream, 1700000000000-0"
        ) from None
    wanted = f'"id":"{reference}"'.encode()
    if shard in shards:
        async for page in stream_entries(redis, shard):
            for entry in page:
                if wanted in (entry.payload or b""):
                    return entry.stream_id
    raise argparse.ArgumentTypeError(
        f"event {reference} is not in the stream, or no longer; see: korad export"
    )


def _entry(shard: int, entry: Any) -> StreamEntry:
    return StreamEntry(shard=shard, stream_id=entry[0].decode(), payload=entry[1].get(FIELD))


def _read_count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of events")
    return int(text)
