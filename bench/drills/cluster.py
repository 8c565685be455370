"""Drill: a Redis Cluster under load: a node dies and comes back, slots move to another node."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.drills.checks import Checks
from bench.drills.kinds import Kinds, staged
from bench.drills.load import Load
from bench.drills.redis_faults import BACKLOG_S
from bench.drills.redis_groups import Cluster, SlotMove
from bench.drills.scene import Order, Scene
from korad.adapters.redis_cluster import key_slot

SHARDS = 6
EACH = 3
"""Keys of each kind: so they are spread over the shards."""
HALF_MOVED_S = 0.5
"""For how long some of a slot's keys are at the old node and some at the new one."""
SEEN_S = 1.0
"""By then korad has noticed that a node is away."""
BACK_S_MAX = 6.0
"""For how long keys that fail closed may be refused after a node has started again."""


async def cluster_node(order: Order, checks: Checks) -> None:
    """Kill a node and start it again: what is on the others goes on, and so does its part."""
    async with clustered(order, checks) as (stage, cluster, load, kinds):
        shipped = 0
        for at in range(order.count(1, 5)):
            await asyncio.sleep(order.time_s(2, 5))
            first, began_s = len(stage.calls), asyncio.get_running_loop().time()
            node = cluster.nodes[at % 3]
            node.send(signal.SIGKILL)
            await asyncio.sleep(SEEN_S)
            before = _shipped(stage)
            await asyncio.sleep(order.time_s(3, 10))
            shipped += _shipped(stage) - before
            node.start()
            await asyncio.to_thread(cluster.until_ok)
            await asyncio.sleep(order.time_s(2, 5))
            kinds.tell(checks, stage.calls[first:], began_s)
        checks.at_least("events shipped while a node was away", shipped, 10 * order.count(1, 5))
        away_s = SEEN_S + order.time_s(3, 10) + BACK_S_MAX * order.slack
        await _end(stage, cluster, load, kinds, away_s * order.count(1, 5))


async def slot_moves(order: Order, checks: Checks) -> None:
    """Move every shard's slot to another node, standing still half-way."""
    async with clustered(order, checks) as (stage, cluster, load, kinds):
        for shard in range(order.count(2, SHARDS)):
            await asyncio.sleep(order.time_s(1, 3))
            first, began_s = len(stage.calls), asyncio.get_running_loop().time()
            move = SlotMove(cluster, key_slot(b"{s%02d}" % shard))
            await asyncio.to_thread(move.begin)
            await asyncio.to_thread(move.move_keys, 3)
            await asyncio.sleep(HALF_MOVED_S)
            await asyncio.to_thread(move.end)
            await asyncio.sleep(order.time_s(1, 3))
            kinds.tell(checks, stage.calls[first:], began_s)
        await _end(stage, cluster, load, kinds, 0)


@asynccontextmanager
async def clustered(
    order: Order, checks: Checks
) -> AsyncIterator[tuple[Scene, Cluster, Load, Kinds]]:
    """Set a stage on a cluster, and a load of all kinds of keys."""
    cluster = Cluster(order.folder / "redis")
    async with staged(order, checks, cluster, shards=SHARDS, each=EACH) as (stage, load, kinds):
        yield stage, cluster, load, kinds


def _shipped(stage: Scene) -> int:
    return int(stage.korad.metrics().get("korad_books_shipped_total", 0))


async def _end(
    stage: Scene, cluster: Cluster, load: Load, kinds: Kinds, refused_s_max: float
) -> None:
    await load.stop()
    kinds.check(stage.checks, stage.calls, refused_s_max)
    accounts = await stage.settle(redis=cluster.client(), drain_max_s=BACKLOG_S, shards=SHARDS)
    kinds.check_caps(stage.checks, accounts.events)
