"""Limits against real servers: nothing is overspent, nothing leaks, nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from korad.adapters.circuit_breaker import PAUSE_NS
from korad.adapters.limiter import RedisLimiter
from korad.adapters.redis_pipeline import PipelineLimits, RedisPipeline
from korad.adapters.redis_scripts import load_script
from korad.admission import shard_of
from korad.clock import monotonic_ns
from korad.config.settings import LimitsSettings
from korad.domain.limits import Budget, EntityLimits, Hold, HoldRequest, Limits, Reset
from tests.support.redis import redis_binary, redis_cluster, redis_server, server_binaries

__all__ = ["redis_binary", "redis_cluster", "redis_server"]

both_servers = pytest.mark.parametrize(
    "redis_binary", server_binaries().values(), ids=list(server_binaries())
)
TAG = "kb:{s00}:"
DEADLINE_MS = 5_000
"""Of tests that are not about it: the machine may be busy."""


def unix_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOON = unix_ms("2026-11-26T12:30:00")


def limits_of(entity="vk_1", **limits):
    return EntityLimits(entity=entity, limits=Limits(**limits))


def budget(nano_usd, reset=Reset.NEVER):
    return (Budget(limit_nano_usd=nano_usd, reset=reset),)


def ask(hold_id="req_1", *limits, **changes):
    terms = {
        "hold_id": hold_id,
        "producer": "m1-w00-e1",
        "account": "cu_1",
        "limits": limits or (limits_of(budgets=budget(1000)),),
        "started_ms": NOON,
        "amount_nano_usd": 100,
        "least_nano_usd": 100,
        "tokens": 10,
        "fail_closed": False,
        "key_id": "vk_1",
    }
    return HoldRequest(**{**terms, **changes})


class Clock:
    """Stands still until it is moved."""

    ns = 0

    def __call__(self):
        return self.ns


@contextlib.asynccontextmanager
async def limiter_at(address, *, shards=1, now_ns=monotonic_ns, **settings):
    pipeline = RedisPipeline(address, PipelineLimits())
    pipeline.start()
    try:
        assert await pipeline.wait_connected(10), pipeline.trouble
        settings = {"deadline_ms": DEADLINE_MS, **settings}
        limits = LimitsSettings(**settings)
        yield RedisLimiter(pipeline, shards=shards, settings=limits, now_ns=now_ns)
    finally:
        await pipeline.close()


def reserve(limiter, request):
    """Return a future; a second call of `then` would raise."""
    answer = asyncio.get_running_loop().create_future()
    limiter.reserve(request, answer.set_result)
    return answer


def extend(limiter, request, extra):
    answer = asyncio.get_running_loop().create_future()
    limiter.extend(request, extra, answer.set_result)
    return answer


async def code_of(limiter, request):
    answer = await reserve(limiter, request)
    return answer.refusal and answer.refusal.code


async def settled(limiter, account="cu_1", shards=1):
    """Return once everything that was sent before has been executed.

    Two rounds: a script that the server does not know yet is sent again after the first.
    """
    key = b"kb:{s%02d}:gen" % shard_of(account, shards)
    for _ in range(2):
        answer = asyncio.get_running_loop().create_future()
        limiter._pipeline.execute((b"EXISTS", key), answer.set_result, key=key)
        await answer


def settle(client, number, hold_id, sums):
    """Take an event as the bookkeeper does: it ends the hold and adds to the balances."""
    script = client.register_script(load_script("take").text)
    keys = [TAG + name for name in ("gen", "st", "seq", "hold", "held", "open", "bal")]
    amounts = [part for pair in sums.items() for part in pair]
    hashes, keep_s = 1, 0
    args = ["m1-w00-e1", number, 1, 1, "{}", hold_id, hashes, len(sums), keep_s, *amounts]
    assert [1, number] == script(keys=keys, args=args)


@pytest.fixture
def client(redis_server):
    with redis_server.client() as client:
        client.set(TAG + "gen", "g1")
        yield client


@pytest.fixture
async def limiter(redis_server, client):
    assert client.ping()
    async with limiter_at(redis_server.address) as limiter:
        yield limiter


def held(client, entity="vk_1"):
    return int(client.hget(TAG + "held", entity) or 0)


def under_way(client, entity="vk_1"):
    return int(client.hget(TAG + "open", entity) or 0)


# ── budgets ──────────────────────────────────────────────────────────────────────────────────


@both_servers
async def test_a_hold_is_written_as_the_books_read_it(limiter, client):
    answer = await reserve(
        limiter, ask("req_7", limits_of("vk_1", budgets=budget(1000)), limits_of("cu_1"))
    )

    assert (None, Hold.HELD, 100) == (answer.refusal, answer.hold, answer.granted_nano_usd)
    assert b"m1-w00-e1|100|vk_1,cu_1|1" == client.hget(TAG + "hold", "req_7")
    assert [100, 100] == [held(client, "vk_1"), held(client, "cu_1")]
    assert [1, 1] == [under_way(client, "vk_1"), under_way(client, "cu_1")]


@both_servers
async def test_many_at_once_never_overshoot_one_budget(redis_server, limiter, client):
    limits = (limits_of(budgets=budget(20_000)),)
    async with limiter_at(redis_server.address) as other:
        answers = await asyncio.gather(
            *(
                reserve(
                    random.choice((limiter, other)),
                    ask(f"req_{n}", *limits, amount_nano_usd=100 + n % 7, least_nano_usd=100),
                )
                for n in range(1000)
            )
        )

    granted = sum(answer.granted_nano_usd for answer in answers)
    assert granted == held(client) <= 20_000
    assert 20_000 - granted < 100
    codes = Counter(answer.refusal and answer.refusal.code for answer in answers)
    assert {None, "budget_exceeded"} == set(codes)
    assert codes[None] == under_way(client) == client.hlen(TAG + "hold")


async def test_every_spender_of_a_tree_stays_within_every_budget(limiter, client):
    customer = limits_of("cu_1", budgets=budget(3000))
    answers = []
    for number in range(90):
        key = limits_of(f"vk_{number % 3}", budgets=budget(1400))
        team = limits_of(f"tm_{number % 2}", budgets=budget(1700))
        request = ask(f"req_{number}", key, team, customer)
        answers.append((request, await reserve(limiter, request)))

    assert 3000 == held(client, "cu_1")
    for entity, most in (("vk_0", 1400), ("vk_1", 1400), ("vk_2", 1400), ("tm_0", 1700)):
        assert held(client, entity) <= most
    assert 3000 == held(client, "tm_0") + held(client, "tm_1")
    assert 30 == sum(answer.refusal is None for _, answer in answers)


async def test_a_refusal_by_one_takes_nothing_from_the_others(limiter, client):
    key = limits_of("vk_1", budgets=budget(1000), requests_per_minute=5)
    poor = limits_of("cu_1", budgets=budget(99, Reset.WEEK))

    answer = await reserve(limiter, ask("req_1", key, poor))

    assert "customer cu_1" in answer.refusal.message
    assert "per week" in answer.refusal.message
    assert [b"kb:{s00}:gen"] == client.keys("*")


async def test_what_is_left_is_granted_when_it_is_enough_to_begin(limiter, client):
    limits = (limits_of(budgets=budget(1000)),)
    client.hset(TAG + "bal", "vk_1", 850)

    answers = [
        await reserve(limiter, ask(name, *limits, amount_nano_usd=500, least_nano_usd=least))
        for name, least in (("a", 151), ("b", 150), ("c", 1))
    ]

    assert [0, 150, 0] == [answer.granted_nano_usd for answer in answers]
    assert b"m1-w00-e1|150|vk_1|1" == client.hget(TAG + "hold", "b")


async def test_a_free_model_is_free_until_the_budget_is_overdrawn(limiter, client):
    free = {"amount_nano_usd": 0, "least_nano_usd": 0}
    client.hset(TAG + "bal", "vk_1", 1000)
    assert await code_of(limiter, ask("a", **free)) is None

    client.hset(TAG + "bal", "vk_1", 1001)
    assert "budget_exceeded" == await code_of(limiter, ask("b", **free))


async def test_the_same_hold_is_granted_once(limiter, client):
    limits = (limits_of(budgets=budget(1000), requests_per_minute=1, concurrent_max=1),)

    answers = [await reserve(limiter, ask("req_1", *limits)) for _ in range(3)]

    assert [100] * 3 == [answer.granted_nano_usd for answer in answers]
    assert (100, 1) == (held(client), under_way(client))


@pytest.mark.parametrize(
    ("reset", "now", "counts", "no_longer"),
    [
        (Reset.DAY, "2026-11-26T00:00:00", ["2026-11-26"], ["2026-11-25", "2026-11"]),
        (Reset.MONTH, "2026-12-01T00:00:00", ["2026-12"], ["2026-11", "2026-12-01"]),
        (Reset.MONTH, "2026-11-30T23:59:59", ["2026-11"], ["2026-12"]),
        # A Sunday and the Monday after it.
        (Reset.WEEK, "2026-11-29T23:59:59", ["2026-11-23", "2026-11-29"], ["2026-11-22"]),
        (Reset.WEEK, "2026-11-30T00:00:00", ["2026-11-30"], ["2026-11-29"]),
        # A week across two months.
        (Reset.WEEK, "2026-12-01T05:00:00", ["2026-11-30", "2026-12-01"], ["2026-11-29"]),
        (Reset.LAST_24H, "2026-11-26T12:59:59", ["2026-11-25T13", "2026-11-26T12"],
         ["2026-11-25T12", "2026-11-26T13"]),
        (Reset.LAST_7D, "2026-11-26T12:00:00", ["2026-11-20", "2026-11-26"], ["2026-11-19"]),
        (Reset.LAST_30D, "2026-03-10T12:00:00", ["2026-02-09", "2026-03-10"], ["2026-02-08"]),
    ],
)  # fmt: skip
async def test_a_window_counts_what_was_spent_in_it(limiter, client, reset, now, counts, no_longer):
    limits = (
        limits_of(
            "vk_1",
            # The others share the keys, and must not shift them.
            budgets=tuple(
                Budget(limit_nano_usd=1000 if each is reset else 10**12, reset=each)
                for each in Reset
            ),
        ),
    )
    client.hset(TAG + "bal", "vk_1", 10**9)
    for period in no_longer:
        client.hset(TAG + "bal:" + period, "vk_1", 10**6)
    for period in counts:
        client.hset(TAG + "bal:" + period, "vk_1", 900 // len(counts))
    at = {"started_ms": unix_ms(now)}

    assert "budget_exceeded" == await code_of(
        limiter, ask("a", *limits, amount_nano_usd=101, least_nano_usd=101, **at)
    )
    assert await code_of(limiter, ask("b", *limits, **at)) is None


@both_servers
async def test_amounts_are_exact_up_to_2_to_the_53(limiter, client):
    most = 2**53
    client.hset(TAG + "bal", "vk_1", most - 3)
    limits = (limits_of(budgets=budget(most)),)
    one = {"amount_nano_usd": 1, "least_nano_usd": 1}

    codes = [await code_of(limiter, ask(name, *limits, **one)) for name in "abcd"]

    assert [None, None, None, "budget_exceeded"] == codes
    large = ask(
        "e", limits_of("vk_2", budgets=budget(most)), amount_nano_usd=most, least_nano_usd=1
    )
    assert most == (await reserve(limiter, large)).granted_nano_usd
    assert b"m1-w00-e1|9007199254740992|vk_2|1" == client.hget(TAG + "hold", "e")


# ── growing ──────────────────────────────────────────────────────────────────────────────────


@both_servers
async def test_a_hold_grows_until_the_budget_ends(limiter, client):
    request = ask("req_1", limits_of(budgets=budget(250)), limits_of("cu_1"))
    await reserve(limiter, request)

    assert [100, 50, 0] == [await extend(limiter, request, 100) for _ in range(3)]
    assert b"m1-w00-e1|250|vk_1,cu_1|1" == client.hget(TAG + "hold", "req_1")
    assert [250, 250] == [held(client, "vk_1"), held(client, "cu_1")]


async def test_holds_that_grow_at_once_never_overshoot(limiter, client):
    limits = (limits_of(budgets=budget(10_000)),)
    requests = [ask(f"req_{n}", *limits) for n in range(50)]
    await asyncio.gather(*(reserve(limiter, request) for request in requests))

    grown = await asyncio.gather(
        *(extend(limiter, request, 70) for request in requests for _ in range(3))
    )

    assert 10_000 == held(client) == 5_000 + sum(grown)


async def test_a_hold_that_is_gone_grows_by_policy(limiter, client):
    request = ask()
    await reserve(limiter, request)
    client.delete(TAG + "hold", TAG + "held", TAG + "open")

    assert 40 == await extend(limiter, request, 40)
    assert 0 == await extend(limiter, ask(fail_closed=True), 40)
    assert 0 == client.hlen(TAG + "hold")


# ── rates ────────────────────────────────────────────────────────────────────────────────────


def bucket(client, field="vk_1|r"):
    """Return a bucket's level in units and the Unix milliseconds it was read at."""
    level, at = client.hget(TAG + "rate", field).split()
    return int(level) / 60_000, int(at)


def set_bucket(client, units, at_ms, field="vk_1|r"):
    client.hset(TAG + "rate", field, f"{int(units * 60_000)} {at_ms}")


def server_ms(client):
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


@both_servers
async def test_a_minute_s_worth_may_come_at_once_and_then_the_rate(limiter, client):
    limits = (limits_of(requests_per_minute=6),)

    codes = [await code_of(limiter, ask(f"req_{n}", *limits)) for n in range(7)]
    answer = await reserve(limiter, ask("late", *limits))

    assert [None] * 6 + ["request_limited"] == codes
    wait_ms = int(dict(answer.refusal.headers)["retry-after-ms"])
    assert 5_000 < wait_ms <= 10_000
    level, at = bucket(client)
    set_bucket(client, level, at - wait_ms)
    assert await code_of(limiter, ask("later", *limits)) is None


async def test_a_clock_that_goes_forward_fills_one_bucket_at_most(limiter, client):
    limits = (limits_of(requests_per_minute=3),)
    set_bucket(client, 0, server_ms(client) - 365 * 86_400_000)

    codes = [await code_of(limiter, ask(f"req_{n}", *limits)) for n in range(4)]

    assert [None, None, None, "request_limited"] == codes


async def test_a_clock_that_goes_back_adds_nothing_and_stops_nobody_for_long(limiter, client):
    limits = (limits_of(requests_per_minute=60),)
    set_bucket(client, 0.5, server_ms(client) + 365 * 86_400_000)

    answer = await reserve(limiter, ask("a", *limits))

    assert int(dict(answer.refusal.headers)["retry-after-ms"]) <= 500
    level, at = bucket(client)
    assert 0.5 == level
    assert abs(at - server_ms(client)) < 5_000
    set_bucket(client, level, at - 600)
    assert await code_of(limiter, ask("b", *limits)) is None


async def test_what_is_no_bucket_counts_as_a_full_one(limiter, client):
    client.hset(TAG + "rate", "vk_1|r", "nonsense")

    assert await code_of(limiter, ask("a", limits_of(requests_per_minute=1))) is None
    assert 0 == bucket(client)[0]


async def test_a_lowered_rate_holds_at_once(limiter, client):
    set_bucket(client, 1000, server_ms(client))
    limits = (limits_of(requests_per_minute=2),)

    codes = [await code_of(limiter, ask(f"req_{n}", *limits)) for n in range(3)]

    assert [None, None, "request_limited"] == codes


async def test_a_rate_of_nothing_lets_nothing_through(limiter):
    assert "request_limited" == await code_of(limiter, ask("a", limits_of(requests_per_minute=0)))
    assert "token_limited" == await code_of(limiter, ask("a", limits_of(tokens_per_minute=0)))


async def test_tokens_are_taken_as_expected_and_corrected_by_what_was_used(limiter, client):
    limits = (limits_of(tokens_per_minute=1000),)
    first = ask("a", *limits, tokens=900)
    assert await code_of(limiter, first) is None
    assert "token_limited" == await code_of(limiter, ask("b", *limits, tokens=900))

    limiter.release(first, 50)
    await settled(limiter)

    assert 950 <= bucket(client, "vk_1|t")[0] <= 1000
    second = ask("c", *limits, tokens=900)
    assert await code_of(limiter, second) is None
    limiter.release(second, 1900)
    await settled(limiter)
    assert -960 <= bucket(client, "vk_1|t")[0] <= -900


async def test_more_than_a_bucket_holds_needs_a_full_one_and_owes_the_rest(limiter, client):
    limits = (limits_of(tokens_per_minute=100),)

    assert await code_of(limiter, ask("a", *limits, tokens=250)) is None
    answer = await reserve(limiter, ask("b", *limits, tokens=50))

    assert -150 <= bucket(client, "vk_1|t")[0] < -149
    assert 115_000 < int(dict(answer.refusal.headers)["retry-after-ms"]) <= 120_000


async def test_the_longest_wait_is_told(limiter, client):
    set_bucket(client, 0, server_ms(client))
    set_bucket(client, 0, server_ms(client), "cu_1|t")
    limits = (limits_of(requests_per_minute=60), limits_of("cu_1", tokens_per_minute=10))

    answer = await reserve(limiter, ask("a", *limits, tokens=10))

    assert "Customer cu_1" in answer.refusal.message


# ── under way ────────────────────────────────────────────────────────────────────────────────


@both_servers
async def test_so_many_may_be_under_way_and_one_more_after_each(limiter, client):
    limits = (limits_of(concurrent_max=2),)
    requests = [ask(f"req_{n}", *limits) for n in range(3)]
    assert [None, None, "concurrency_limited"] == [await code_of(limiter, r) for r in requests]

    for _ in range(3):
        limiter.release(requests[0], 10)
    await settled(limiter)

    assert await code_of(limiter, requests[2]) is None
    assert 2 == under_way(client)
    assert b"m1-w00-e1|100|vk_1|0" == client.hget(TAG + "hold", "req_0")
    assert 300 == held(client)


async def test_a_cancelled_exchange_leaves_nothing(limiter, client):
    limits = (limits_of(budgets=budget(100), concurrent_max=1, tokens_per_minute=100),)
    request = ask("req_1", *limits, tokens=100)
    await reserve(limiter, request)

    limiter.cancel(request)
    limiter.cancel(request)
    await settled(limiter)

    assert (0, 0, 0) == (client.hlen(TAG + "hold"), held(client), under_way(client))
    assert 100 == bucket(client, "vk_1|t")[0]
    assert await code_of(limiter, ask("req_2", *limits, tokens=100)) is None


async def test_nothing_leaks_whatever_order_exchanges_end_in(limiter, client):
    chance = random.Random(4)
    limits = (
        limits_of(budgets=budget(10**9), concurrent_max=20, tokens_per_minute=10**9),
        limits_of("cu_1", budgets=budget(10**9)),
    )
    open_now, events, spent = [], 0, 0
    for number in range(400):
        request = ask(f"req_{number}", *limits)
        if (await reserve(limiter, request)).refusal is None:
            open_now.append(request)
        while open_now and (chance.random() < 0.5 or number == 399):
            ended = open_now.pop(chance.randrange(len(open_now)))
            how = chance.choice(("cancel", "settle", "release and settle", "settle and release"))
            if how == "cancel":
                limiter.cancel(ended)
                continue
            if how == "release and settle":
                limiter.release(ended, 5)
                await settled(limiter)
            elif chance.random() < 0.5:
                await extend(limiter, ended, 33)
            events += 1
            spent += 70
            settle(client, events, ended.hold_id, {"vk_1": 70, "cu_1": 70})
            if how == "settle and release":
                limiter.release(ended, 5)
    await settled(limiter)

    assert events > 100
    assert 0 == client.hlen(TAG + "hold")
    assert [0, 0] == [held(client, "vk_1"), held(client, "cu_1")]
    assert [0, 0] == [under_way(client, "vk_1"), under_way(client, "cu_1")]
    assert spent == int(client.hget(TAG + "bal", "vk_1"))


# ── without Redis ────────────────────────────────────────────────────────────────────────────


async def test_books_that_are_not_ready_decide_nothing(limiter, client):
    client.delete(TAG + "gen")

    allowed = await reserve(limiter, ask())

    assert (None, Hold.NONE) == (allowed.refusal, allowed.hold)
    assert "limits_unavailable" == await code_of(limiter, ask(fail_closed=True))
    assert [] == client.keys("*")


async def test_scripts_that_the_server_forgot_are_sent_again(limiter, client):
    await reserve(limiter, ask("a"))
    client.script_flush()

    assert Hold.HELD is (await reserve(limiter, ask("b"))).hold


async def test_a_server_out_of_memory_decides_nothing_and_takes_nothing(limiter, client):
    client.config_set("maxmemory", 1)

    answer = await reserve(limiter, ask(fail_closed=True))

    assert "limits_unavailable" == answer.refusal.code
    client.config_set("maxmemory", 0)
    assert [b"kb:{s00}:gen"] == client.keys("*")


@both_servers
async def test_a_server_that_hangs_makes_nobody_wait_beyond_the_deadline(redis_server, client):
    clock = Clock()
    async with limiter_at(redis_server.address, now_ns=clock, exposure_nano_usd=10**9) as limiter:
        await reserve(limiter, ask("before"))
        limiter._deadline_s = 0.05
        redis_server.freeze()
        answers, at_once = [], []
        for number in range(40):
            asked = reserve(limiter, ask(f"req_{number}", fail_closed=number % 2 == 1))
            at_once.append(asked.done())
            answers.append(await asked)

        # It is still frozen: nobody has waited for more than the deadline.
        assert [False] * 5 + [True] * 35 == at_once
        assert 1 == limiter.counters["breaker_opens"]
        assert [Hold.UNKNOWN] * 5 + [Hold.NONE] * 35 == [answer.hold for answer in answers]
        assert {None} == {answer.refusal for answer in answers[::2]}
        assert {"limits_unavailable"} == {answer.refusal.code for answer in answers[1::2]}

        redis_server.thaw()
        limiter._deadline_s = DEADLINE_MS / 1000
        clock.ns += PAUSE_NS
        await reserve(limiter, ask("after", limits_of("vk_after")))
        assert limiter.available
        await settled(limiter)
        # Those let through are ended by their events; those refused have left nothing.
        assert {b"before", b"req_0", b"req_2", b"req_4"} <= set(client.hkeys(TAG + "hold"))
        assert not {b"req_1", b"req_3"} & set(client.hkeys(TAG + "hold"))
        assert 4 == under_way(client)


async def test_a_server_that_dies_and_comes_back_is_asked_again(redis_server, client):
    client.config_set("appendfsync", "always")
    limits = (limits_of(budgets=budget(300)),)
    settings = {"deadline_ms": 1000, "exposure_nano_usd": 250}
    async with limiter_at(redis_server.address, **settings) as limiter:
        assert await code_of(limiter, ask("a", *limits)) is None
        redis_server.kill()
        during = [await code_of(limiter, ask(f"out_{n}", *limits)) for n in range(10)]
        redis_server.start()
        assert await limiter._pipeline.wait_connected(10)
        until = time.monotonic() + 20
        while not limiter.available:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
            await reserve(limiter, ask("b", *limits))

        # The allowance of an outage is two such exchanges, and the budget is what it was before.
        assert [None, None] + ["limits_unavailable"] * 8 == during
        assert await code_of(limiter, ask("c", *limits)) is None
        assert "budget_exceeded" == await code_of(limiter, ask("d", *limits))
        assert 300 == held(client)


async def test_in_a_cluster_every_account_is_decided_where_it_lives(redis_cluster):
    shards = 16
    async with limiter_at(redis_cluster.address, shards=shards) as limiter:
        for shard in range(shards):
            answer = asyncio.get_running_loop().create_future()
            key = f"kb:{{s{shard:02d}}}:gen".encode()
            limiter._pipeline.execute((b"SET", key, b"g1"), answer.set_result, key=key)
            assert b"OK" == await answer
        everything = tuple(Budget(limit_nano_usd=250, reset=reset) for reset in Reset)
        for number in range(40):
            account = f"cu_{number}"
            limits = (limits_of(account, budgets=everything, requests_per_minute=9),)
            first = ask(f"a{number}", *limits, account=account)
            assert Hold.HELD is (await reserve(limiter, first)).hold
            assert 150 == await extend(limiter, first, 200)
            second = ask(f"b{number}", *limits, account=account)
            assert "budget_exceeded" == await code_of(limiter, second)
            limiter.cancel(first)
            await settled(limiter, account, shards)
            assert await code_of(limiter, second) is None
