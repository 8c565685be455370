"""Drills 3, 4 and 5: Redis is gone, goes back in time, or its answers are lost."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.load import Load, Mix
from bench.drills.redis_server import RedisServer
from bench.drills.scene import Order, Scene, scene
from bench.drills.toxic import ToxicProxy, Trap
from bench.ports import free_port

BACKLOG_S = 10.0
ADDED_MS_MAX = 1.0
ADDED_P99_MS_MAX = 15.0
DEADLINE_MS = 150.0
"""`limits.deadline_ms` as it is by default: what a limited key waits until Redis is given up."""
QUICK = Mix(latency_ms=(0,), interval_ms=(0,), prompt_words=(3, 10), tokens=(2, 20))
SETTLE = b'{"specversion"'
"""Only the call that hands over events carries this."""
REPLY_BYTES = 24
CALL_BYTES = 2_000
_TAIL = """
[redis]
url = "redis://127.0.0.1:{port}"
[ledger]
run = "on"
[keys]
store = "local"
"""


@asynccontextmanager
async def own_redis(
    order: Order, checks: Checks, *, toxic: bool = False, **options: Any
) -> AsyncIterator[tuple[Scene, RedisServer, ToxicProxy]]:
    """Set a stage whose Redis is a server of the drill's, behind a toxic proxy if wanted."""
    redis = RedisServer(order.folder / "redis-data", free_port())
    redis.start()
    proxy = ToxicProxy(upstream_port=redis.port)
    await proxy.start()
    try:
        tail = _TAIL.format(port=proxy.port if toxic else redis.port)
        async with scene(order, checks, tail=tail, **options) as stage:
            yield stage, redis, proxy
    finally:
        await proxy.stop()
        redis.stop()


async def outage(order: Order, checks: Checks) -> None:
    """Take Redis away under load in three ways: no request may notice."""
    async with own_redis(order, checks) as (stage, redis, _):
        capped = await _limited_key(stage)
        load = stage.load(rate=order.rate_of(60, 120), mix=QUICK, keys=[*stage.keys, *capped])
        load.start()
        await asyncio.sleep(2)
        plain = frozenset(stage.keys)
        before = _first_byte_ms(stage.calls, plain)
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
            first = len(stage.calls)
            redis.send(number)
            await asyncio.sleep(order.time_s(3, 60))
            during = stage.calls[first:]
            _bring_back(redis, number)
            drained_s = await stage.until_booked(3 * BACKLOG_S)
            name = number.name
            checks.in_time(f"{name}: seconds until the backlog is booked", drained_s, BACKLOG_S)
            ended = [call for call in during if call.ended_s]
            checks.equal(f"{name}: failed requests", sum(not c.ok for c in ended), note=why(ended))
            firsts_ms = _first_byte_ms(ended, plain)
            _check_added(checks, name, before, firsts_ms, order.slack)
            waited = sum(ms >= DEADLINE_MS for ms in firsts_ms)
            share = 100 * waited / max(1, len(firsts_ms))
            checks.at_most(f"{name}: calls that waited as if for Redis, per cent", share, 50)
            limited = _first_byte_ms(ended, frozenset(capped))
            longest = max(limited, default=0.0)
            most = DEADLINE_MS + ADDED_P99_MS_MAX * order.slack
            checks.in_time(f"{name}: first byte of a limited key, ms, most", longest, most)
        await load.stop()
        checks.equal("failed requests in all", sum(not c.ok for c in stage.calls))
        await stage.settle(redis=redis.client(), drain_max_s=BACKLOG_S)


async def back_in_time(order: Order, checks: Checks) -> None:
    """Put an older copy of Redis's data in place, as a failover to a replica that lags does."""
    async with own_redis(order, checks) as (stage, redis, _):
        load = stage.load(rate=order.rate_of(60, 120), mix=Mix(leaves=0.05))
        load.start()
        forgotten = 0
        for number in range(order.count(2, 10)):
            await asyncio.sleep(1)
            copy = order.folder / f"copy-{number}"
            redis.copy_data(copy)
            await asyncio.sleep(order.time_s(1.5, 5))
            booked = _stream_length(redis)
            redis.send(signal.SIGKILL)
            redis.restore_data(copy)
            redis.start()
            forgotten += max(0, booked - _stream_length(redis))
        await asyncio.sleep(1)
        await load.stop()
        checks.at_least("events that Redis forgot", forgotten, order.count(2, 10))
        await stage.settle(redis=redis.client(), drain_max_s=BACKLOG_S)


async def emptied(order: Order, checks: Checks) -> None:
    """Empty Redis altogether: the books come back from ledger and journal."""
    async with own_redis(order, checks) as (stage, redis, _):
        load = stage.load(rate=order.rate_of(60, 120), mix=Mix(leaves=0.05))
        load.start()
        for _ in range(order.count(1, 5)):
            await asyncio.sleep(3)
            redis.send(signal.SIGKILL)
            shutil.rmtree(redis.folder)
            redis.folder.mkdir()
            redis.start()
        await asyncio.sleep(1)
        await load.stop()
        await stage.settle(redis=redis.client(), drain_max_s=BACKLOG_S, emptied=True)


async def lost_replies(order: Order, checks: Checks) -> None:
    """Reset the connection at every byte of the call that hands over events, and of its answer."""
    async with own_redis(order, checks, toxic=True, workers=1) as (stage, redis, proxy):
        chance = random.Random(order.seed)
        load = stage.load(mix=QUICK)
        positions = [(True, at) for at in range(REPLY_BYTES)]
        positions += [(False, at) for at in range(CALL_BYTES)]
        wanted = order.count(40, 1_000)
        if wanted < len(positions):
            positions = [*positions[:8], *chance.sample(positions[8:], max(0, wanted - 8))]
        sprung = 0
        for down, at in positions:
            sprung += await _cut_once(load, proxy, Trap(position=at, down=down, marker=SETTLE))
        checks.tell(f"{sprung} connections reset at {len(positions)} positions")
        checks.at_least("resets", sprung, len(positions) // 3)
        proxy.down.drop = True
        for _ in range(10):
            await load.ask(load.next_call())
        await asyncio.sleep(1)
        proxy.down.drop = False
        proxy.cut()
        await load.stop()
        checks.equal("failed requests", sum(not c.ok for c in stage.calls), note=why(stage.calls))
        await stage.settle(redis=redis.client(), drain_max_s=BACKLOG_S)


def why(calls: list[Call]) -> str:
    """Return in words how calls failed."""
    reasons = {f"{call.status} {call.error} {call.error_code}" for call in calls if not call.ok}
    return "; ".join(sorted(reasons)[:5])


async def _cut_once(load: Load, proxy: ToxicProxy, trap: Trap) -> bool:
    """Make calls until the trap is sprung or the call that hands over is shorter than that."""
    proxy.trap = trap
    for _ in range(4):
        await load.ask(load.next_call())
        try:
            async with asyncio.timeout(0.15):
                await trap.sprung.wait()
        except TimeoutError:
            continue
        return True
    proxy.trap = None
    return False


async def _limited_key(stage: Scene) -> list[str]:
    """Return a key with a budget that fails open."""
    try:
        return [(await stage.korad.make_key("capped", "--budget-usd", "100"))[1]]
    except RuntimeError as error:
        stage.checks.tell(f"without a limited key: {str(error)[-200:]}")
        return []


def _stream_length(redis: RedisServer) -> int:
    client = redis.client()
    length = client.ask("XLEN", "kb:{s00}:st")
    client.close()
    assert isinstance(length, int)
    return length


def _bring_back(redis: RedisServer, number: signal.Signals) -> None:
    if number is signal.SIGSTOP:
        redis.send(signal.SIGCONT)
    else:
        redis.start()


def _first_byte_ms(calls: list[Call], keys: frozenset[str]) -> list[float]:
    return sorted(
        1_000 * (call.first_byte_s - call.sent_s)
        for call in calls
        if call.ok and call.first_byte_s and call.key in keys
    )


def _check_added(
    checks: Checks, name: str, before: list[float], during: list[float], slack: float
) -> None:
    added = [
        during[int(share * (len(during) - 1))] - before[int(share * (len(before) - 1))]
        for share in (0.5, 0.99)
    ]
    checks.in_time(f"{name}: added to the first byte, ms, median", added[0], ADDED_MS_MAX * slack)
    checks.in_time(f"{name}: added to the first byte, ms, p99", added[1], ADDED_P99_MS_MAX * slack)
