"""Books in a Redis Cluster: a slot that is half-way to another node, and the audit's sums."""

from __future__ import annotations

import asyncio

import pytest

from bench.drills.checks import SkippedError
from bench.drills.redis_groups import Cluster, SlotMove
from korad.adapters.limiter import RedisLimiter
from korad.adapters.redis_cluster import key_slot
from korad.adapters.redis_control import RedisUnavailableError, connect_control
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_url import parse_redis_url
from korad.config.settings import LimitsSettings
from korad.domain.limits import Budget, EntityLimits, Hold, HoldRequest, Limits, Reset
from korad.ledger.audit_sources import redis_books
from tests.support.ledger import PRODUCER, apply

SLOT = key_slot(b"{s00}")
ASK = HoldRequest(
    hold_id="req_1",
    producer=PRODUCER,
    account="vk_alice",
    limits=(
        EntityLimits(
            entity="vk_alice",
            limits=Limits(budgets=(Budget(limit_nano_usd=10**9, reset=Reset.NEVER),)),
        ),
    ),
    started_ms=0,
    amount_nano_usd=100,
    least_nano_usd=100,
    tokens=10,
    fail_closed=True,
    key_id="vk_alice",
)


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path / "cluster")
    try:
        made.start()
        yield made
    except SkippedError as reason:
        pytest.skip(str(reason))
    finally:
        made.stop()


async def test_who_comes_while_a_slot_moves_waits_and_is_told_by_its_new_node(cluster):
    address = parse_redis_url(cluster.url)
    client = await connect_control(address)
    pipeline = RedisPipeline(address)
    pipeline.start()
    try:
        assert await pipeline.wait_connected(10)
        await apply(client, 1, 2, 3)
        limiter = RedisLimiter(pipeline, shards=1, settings=LimitsSettings(deadline_ms=10_000))
        move = SlotMove(cluster, SLOT)
        move.begin()
        assert move.move_keys(1) == 1

        admitted = asyncio.get_running_loop().create_future()
        limiter.reserve(ASK, admitted.set_result)
        asked = pipeline.counters.commands
        while pipeline.counters.commands < asked + 5:  # noqa: ASYNC110 - another's counter
            await asyncio.sleep(0.01)
        assert not admitted.done()
        # redis-py gives up after a while; then it is told as what it is.
        with pytest.raises(RedisUnavailableError, match="on its way to another node"):
            await apply(client, 4)

        move.end()
        assert (await admitted).hold is Hold.HELD
        await apply(client, 4)
        books = await redis_books(client, 0)
        assert books.begun
        assert books.numbers == {PRODUCER: 4}
        assert books.balances == {"vk_alice": 4 * 1_500 + 10}
    finally:
        await pipeline.close()
        await client.aclose()
