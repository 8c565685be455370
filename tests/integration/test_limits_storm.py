"""Several worker processes at one budget, and a cluster of which one node hangs."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from korad.adapters.circuit_breaker import FAILURES_MAX
from korad.adapters.limiter import RedisLimiter
from korad.adapters.redis_pipeline import RedisPipeline
from korad.admission import shard_of
from korad.config.settings import LimitsSettings
from korad.domain.limits import Budget, EntityLimits, Hold, HoldRequest, Limits
from tests.support.redis import redis_binary, redis_cluster, redis_server

__all__ = ["redis_binary", "redis_cluster", "redis_server"]

PROCESSES = 4
AT_ONCE = 100
ROUNDS = 5
LIMIT_NANO_USD = 20_000

# Each round: 100 at once ask, those admitted cost less than was held, and are settled twice.
WORKER = """
import asyncio, sys
from korad.adapters.limiter import RedisLimiter
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_url import parse_redis_url
from korad.config.settings import LimitsSettings
from tests.integration.test_limits_storm import ROUNDS, AT_ONCE, ask, reserve

async def main(url, worker):
    pipeline = RedisPipeline(parse_redis_url(url))
    pipeline.start()
    assert await pipeline.wait_connected(10)
    limiter = RedisLimiter(pipeline, shards=1, settings=LimitsSettings(deadline_ms=20_000))
    admitted = 0
    for turn in range(ROUNDS):
        asks = [ask(f"{worker}-{turn}-{n}", 60 + n % 50) for n in range(AT_ONCE)]
        answers = await asyncio.gather(*(reserve(limiter, one) for one in asks))
        for one, answer in zip(asks, answers):
            if answer.refusal is None:
                admitted += answer.granted_nano_usd
                limiter.release(one, 1)
                limiter.release(one, 1)
            else:
                assert answer.refusal.status == 402, answer.refusal
    await asyncio.sleep(0)
    done = asyncio.get_running_loop().create_future()
    pipeline.execute((b"PING",), done.set_result)
    await done
    await pipeline.close()
    print(admitted)

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def ask(hold_id, amount_nano_usd, *, account="cu_1", fail_closed=True, limit=LIMIT_NANO_USD):
    limits = Limits(budgets=(Budget(limit_nano_usd=limit),))
    return HoldRequest(
        hold_id=hold_id, producer="m1-w00-e1", account=account,
        limits=(EntityLimits(entity=account, limits=limits),), started_ms=1_795_694_400_000,
        amount_nano_usd=amount_nano_usd, least_nano_usd=amount_nano_usd, tokens=1,
        fail_closed=fail_closed, key_id=f"vk_of_{account}",
    )  # fmt: skip


def reserve(limiter, request):
    answer = asyncio.get_running_loop().create_future()
    limiter.reserve(request, answer.set_result)
    return answer


def test_processes_at_one_budget_never_overshoot_and_leak_nothing(redis_server):
    with redis_server.client() as client:
        client.set("kb:{s00}:gen", "g")
        workers = [
            subprocess.Popen(  # noqa: S603 - this test's own program
                [sys.executable, "-c", WORKER, redis_server.url, f"w{number}"],
                stdout=subprocess.PIPE,
            )
            for number in range(PROCESSES)
        ]
        told = [worker.communicate(timeout=50)[0] for worker in workers]

        assert [0] * PROCESSES == [worker.returncode for worker in workers]
        granted = sum(int(text) for text in told)
        assert LIMIT_NANO_USD - 110 < granted <= LIMIT_NANO_USD
        assert granted == int(client.hget("kb:{s00}:held", "cu_1"))
        assert {} == client.hgetall("kb:{s00}:open")


async def test_a_hung_node_of_a_cluster_neither_delays_nor_frees_its_accounts(redis_cluster):
    shards = 16
    pipeline = RedisPipeline(redis_cluster.address)
    pipeline.start()
    assert await pipeline.wait_connected(10)
    settings = LimitsSettings(deadline_ms=20_000, exposure_nano_usd=1_000)
    limiter = RedisLimiter(pipeline, shards=shards, settings=settings, now_ns=lambda: 0)
    accounts = {shard_of(f"cu_{n}", shards): f"cu_{n}" for n in range(200)}
    try:
        by_node = await _accounts_by_node(redis_cluster, pipeline, accounts)
        hung, *others = by_node
        there, elsewhere = by_node[hung][0], by_node[others[0]][0]
        await reserve(limiter, ask("warm-1", 1, account=there, limit=10**9))
        await reserve(limiter, ask("warm-2", 1, account=elsewhere, limit=10**9))
        redis_cluster.nodes[hung].freeze()
        spent, holds, at_once = 0, [], []
        for number in range(40):
            limiter._deadline_s = 0.03
            one = ask(f"a{number}", 100, account=there, fail_closed=False, limit=10**9)
            asked = reserve(limiter, one)
            at_once.append(asked.done())
            spent += (await asked).granted_nano_usd
            limiter._deadline_s = 20
            other = ask(f"b{number}", 1, account=elsewhere, limit=10**9)
            holds.append((await reserve(limiter, other)).hold)

        assert spent <= 1_000
        assert [False] * FAILURES_MAX + [True] * (40 - FAILURES_MAX) == at_once
        assert {Hold.HELD} == set(holds)
    finally:
        redis_cluster.nodes[hung].thaw()
        await pipeline.close()


async def _accounts_by_node(cluster, pipeline, accounts):
    found: dict[int, list[str]] = {}
    with cluster.nodes[0].client() as client:
        for shard, account in accounts.items():
            key = f"kb:{{s{shard:02d}}}:gen".encode()
            done = asyncio.get_running_loop().create_future()
            pipeline.execute((b"SET", key, b"g"), done.set_result, key=key)
            assert b"OK" == await done
            slot = client.execute_command("CLUSTER KEYSLOT", key)
            found.setdefault(0 if slot <= 5460 else 1 if slot <= 10922 else 2, []).append(account)
    return found
