"""Drills: the primary dies and the sentinels promote a replica, up to date or behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.drills.checks import Checks
from bench.drills.kinds import Kinds, staged
from bench.drills.load import Load
from bench.drills.redis_faults import BACKLOG_S
from bench.drills.redis_groups import Sentinels
from bench.drills.redis_server import RedisServer
from bench.drills.scene import Order, Scene

BEHIND_S = 1.0
"""How long nothing reaches the replicas before the primary dies."""
CLOSED_S_MAX = 6.0
"""For how long keys that fail closed may be refused each time: promotion, and korad's way to it."""


async def failover(order: Order, checks: Checks) -> None:
    """Kill the primary under load, time and again; the sentinels promote a replica."""
    async with watched(order, checks) as (stage, group, load, kinds):
        for _ in range(order.count(1, 5)):
            await asyncio.sleep(order.time_s(2, 5))
            former = group.primary()
            await _kill(stage, group, kinds)
            await asyncio.sleep(order.time_s(2, 5))
            former.start()
            await asyncio.to_thread(group.until_follows, former)
        await _end(stage, group, load, kinds)


async def behind(order: Order, checks: Checks) -> None:
    """Kill it when the replicas have not heard of its last second."""
    async with watched(order, checks) as (stage, group, load, kinds):
        forgotten = 0
        for _ in range(order.count(1, 5)):
            await asyncio.sleep(order.time_s(2, 5))
            former = group.primary()
            await asyncio.to_thread(group.cut_off_replicas)
            await asyncio.sleep(BEHIND_S)
            lost = _numbers(former) - _numbers(group.replicas()[0])
            await _kill(stage, group, kinds)
            forgotten += max(0, lost)
            await asyncio.sleep(order.time_s(2, 5))
            former.start()
            await asyncio.to_thread(group.until_follows, former)
        checks.at_least("events that the new primary lacked", forgotten, order.count(1, 5))
        await _end(stage, group, load, kinds)


async def two_primaries(order: Order, checks: Checks) -> None:
    """Freeze the primary until a replica is promoted: for a moment both call themselves primary."""
    async with watched(order, checks) as (stage, group, load, kinds):
        for _ in range(order.count(1, 5)):
            await asyncio.sleep(order.time_s(2, 5))
            former, first = group.primary(), len(stage.calls)
            began_s = asyncio.get_running_loop().time()
            former.send(signal.SIGSTOP)
            await asyncio.to_thread(group.until_promoted, former)
            former.send(signal.SIGCONT)
            await asyncio.to_thread(group.until_follows, former)
            took_s = asyncio.get_running_loop().time() - began_s
            await asyncio.sleep(order.time_s(2, 5))
            checks.tell(f"one primary again after {took_s:.1f} s")
            kinds.tell(checks, stage.calls[first:], began_s)
        await _end(stage, group, load, kinds)


@asynccontextmanager
async def watched(
    order: Order, checks: Checks
) -> AsyncIterator[tuple[Scene, Sentinels, Load, Kinds]]:
    """Set a stage with sentinels, and a load of all kinds of keys."""
    group = Sentinels(order.folder / "redis")
    async with staged(order, checks, group, shards=1, each=1) as (stage, load, kinds):
        yield stage, group, load, kinds


async def _kill(stage: Scene, group: Sentinels, kinds: Kinds) -> None:
    former, first, killed_s = group.primary(), len(stage.calls), asyncio.get_running_loop().time()
    former.send(signal.SIGKILL)
    took_s = await asyncio.to_thread(group.until_promoted, former)
    await asyncio.sleep(3)
    stage.checks.tell(f"promoted after {took_s:.1f} s")
    kinds.tell(stage.checks, stage.calls[first:], killed_s)


async def _end(stage: Scene, group: Sentinels, load: Load, kinds: Kinds) -> None:
    await load.stop()
    gaps = stage.korad.metrics().get("korad_books_gaps_total", 0)
    stage.checks.tell(f"batches that did not follow on what the primary has: {gaps:.0f}")
    times = stage.order.count(1, 5)
    kinds.check(stage.checks, stage.calls, CLOSED_S_MAX * times * stage.order.slack)
    accounts = await stage.settle(redis=group.primary().client(), drain_max_s=BACKLOG_S)
    kinds.check_caps(stage.checks, accounts.events)


def _numbers(server: RedisServer) -> int:
    """Return how many events a server has taken in all."""
    client = server.client()
    try:
        return sum(map(int, client.hash("kb:{s00}:seq").values()))
    finally:
        client.close()
