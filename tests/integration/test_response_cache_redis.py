"""The response cache in a real Redis: shared by all, and a Redis that fails fails nobody."""

from __future__ import annotations

import asyncio
import contextlib
import select
import time

import orjson
import pytest

from korad.adapters.answer_format import encode_answer
from korad.adapters.answers import Answers, open_answers
from korad.adapters.circuit_breaker import FAILURES_MAX
from korad.adapters.key_store import open_key_store
from korad.adapters.shared_pages import make_pages
from korad.app import App
from korad.config.settings import CacheSettings
from korad.domain.answer import StoredAnswer
from korad.domain.secret import Secret
from korad.domain.usage import Usage
from korad.server.sockets import bind, resolve
from tests.support.proxy import NO_REDIS, NOW_S, encode_words, running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.redis import RedisServer, redis_binary, redis_cluster, redis_server

__all__ = ["redis_binary", "redis_cluster", "redis_server"]

NOW_MS = 1_700_000_000_000
KEY = b"\x0f" * 32
NAME = "kc:" + "0f" * 32
PATIENT_MS = 5_000
"""Deadline of tests that are not about it: the machine may be busy."""
ON = ("X-Korad-Cache: on",)
SECOND_KEY = "sk-bf-integration-second"
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def an_answer(body: bytes = b"{}") -> StoredAnswer:
    return StoredAnswer(
        body=body,
        lines=b"X-Korad-Adjusted: n\r\n",
        original_tokens=7,
        usage=Usage(prompt_tokens=5, completion_tokens=3, service_tier="flex"),
        stored_ms=NOW_MS,
    )


# ── the store ────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def opened(address, **settings):
    """Give what one worker has."""
    terms = {"store": "redis", "deadline_ms": PATIENT_MS, **settings}
    answers = open_answers(CacheSettings(**terms), address)
    answers.start()
    try:
        pipeline = answers._redis._pipeline
        await pipeline.wait_connected(10 if address is not NO_REDIS else 0.1)
        yield answers
    finally:
        await answers.close()


@contextlib.contextmanager
def standing_still(answers: Answers):
    """Stop its clock: a Redis that is left alone is not tried again meanwhile."""
    clock, answers._redis._now_ns = answers._redis._now_ns, lambda: 0
    yield
    answers._redis._now_ns = clock


def find(answers: Answers, key: bytes = KEY, now_ms: int = NOW_MS):
    """Return a future; a second call of `then` would raise."""
    found = asyncio.get_running_loop().create_future()
    answers.find(key, now_ms, found.set_result)
    return found


async def sent(answers: Answers, key: bytes = KEY) -> None:
    """Return once what was put before is in Redis: one connection keeps the order."""
    done = asyncio.get_running_loop().create_future()
    name = b"kc:" + key.hex().encode()
    answers._redis._pipeline.execute((b"EXISTS", name), done.set_result, key=name)
    assert await done == 1


async def eventually(condition, timeout_s: float = 20.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def eventually_found(answers: Answers) -> StoredAnswer:
    """Ask until there is an answer."""
    until = time.monotonic() + 20
    while (answer := await find(answers)) is None:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)
    return answer


async def test_two_workers_share_what_one_has_stored(redis_server):
    body = bytes(range(256)) * 4_000
    async with opened(redis_server.address) as one, opened(redis_server.address) as other:
        assert await find(other) is None
        one.put(KEY, an_answer(body))
        await sent(one)

        assert await find(other) == an_answer(body)
        assert await find(one) == an_answer(body)
        assert await find(other) == an_answer(body)
        assert await find(other, b"\x01" * 32) is None
        assert one.counts == {"hits": 1}
        assert other.counts == {"hits": 2, "redis_hits": 1, "misses": 2}


async def test_redis_forgets_an_answer_when_its_time_is_over(redis_server):
    async with opened(redis_server.address, ttl_s=60, bytes_max=0) as answers:
        answers.put(KEY, an_answer())
        await sent(answers)
        assert await find(answers) is not None
        with redis_server.client() as client:
            assert 0 < client.pttl(NAME) <= 60_000
            client.pexpire(NAME, 1)
            await eventually(lambda: not client.exists(NAME))

        # Its own time has not moved: it is Redis that has nothing.
        assert await find(answers) is None


async def test_an_answer_of_a_longer_time_is_not_told_longer_than_here(redis_server):
    async with (
        opened(redis_server.address) as patient,
        opened(redis_server.address, ttl_s=60) as brisk,
    ):
        patient.put(KEY, an_answer())
        await sent(patient)

        assert await find(brisk, now_ms=NOW_MS + 59_999) is not None
        assert await find(brisk, now_ms=NOW_MS + 60_000) is None
        assert await find(patient, now_ms=NOW_MS + 60_000) is not None


async def test_what_others_left_there_is_no_answer(redis_server):
    async with opened(redis_server.address, bytes_max=0) as answers:
        with redis_server.client() as client:
            good = encode_answer(an_answer())
            for value in (b"", b"garbage", b"\x9e\x02" + good[2:], good[:-1], b"x" * 20_000_000):
                client.set(NAME, value)
                assert await find(answers) is None
            client.delete(NAME)
            client.hset(NAME, "a", "b")
            assert await find(answers) is None
            assert answers._redis.available

        # The next one that is stored takes its place.
        answers.put(KEY, an_answer())
        await sent(answers)
        assert await find(answers) == an_answer()


async def test_a_full_redis_takes_nothing_and_disturbs_nobody(redis_server):
    async with opened(redis_server.address, bytes_max=0) as answers:
        with redis_server.client() as client:
            client.config_set("maxmemory", 1)
            answers.put(KEY, an_answer())
            assert await find(answers) is None
            assert answers._redis.counters["dropped"] == 1
            assert answers._redis.available


async def test_a_dead_redis_has_nothing_and_is_found_again(redis_server):
    async with opened(redis_server.address, bytes_max=0) as answers:
        answers.put(KEY, an_answer())
        await sent(answers)
        redis_server.stop()
        with standing_still(answers):
            for _ in range(100):
                assert await find(answers) is None
                answers.put(KEY, an_answer())
            assert answers._redis.counters["skipped"] == 100 - FAILURES_MAX
            assert not answers._redis.available

        redis_server.start()
        assert await eventually_found(answers) == an_answer()
        assert answers._redis.available


async def test_a_redis_that_was_never_there_has_nothing():
    async with opened(NO_REDIS, bytes_max=0) as answers:
        with standing_still(answers):
            for _ in range(100):
                assert await find(answers) is None
                answers.put(KEY, an_answer())

        assert answers._redis.counters["skipped"] == 100 - FAILURES_MAX


async def test_a_redis_that_hangs_costs_the_deadline_at_most_and_soon_nothing(redis_server):
    async with opened(redis_server.address, bytes_max=0) as answers:
        answers.put(KEY, an_answer())
        await sent(answers)
        redis_server.freeze()
        with standing_still(answers):
            answers._redis._deadline_s = 0.05
            # It hangs until it is let go on: whoever waited for it would wait forever.
            for skipped in [0] * FAILURES_MAX + list(range(1, 101)):
                assert await find(answers) is None
                assert answers._redis.counters["skipped"] == skipped
        answers._redis._deadline_s = PATIENT_MS / 1000
        redis_server.thaw()

        await eventually_found(answers)


async def test_what_waits_for_a_redis_that_hangs_is_bounded(redis_server):
    async with opened(redis_server.address, bytes_max=0, deadline_ms=50) as answers:
        redis_server.freeze()
        for number in range(100):
            answers.put(number.to_bytes(32), an_answer(b"x" * 1_000_000))
        assert answers._redis._unsent_bytes <= 8 * 1024 * 1024
        assert answers._redis.counters["dropped"] >= 90
        redis_server.thaw()


async def test_a_busy_loop_does_not_blame_redis(redis_server):
    async with opened(redis_server.address, bytes_max=0) as answers:
        answers.put(KEY, an_answer())
        await sent(answers)
        answers._redis._deadline_s = 0.1
        found = find(answers)
        await asyncio.sleep(0)
        # A long turn of the loop, until the deadline is over and the reply is there, unread.
        time.sleep(0.2)  # noqa: ASYNC251
        wire = answers._redis._pipeline._link._wire
        unread = wire._transport.get_extra_info("socket").fileno()
        assert select.select([unread], [], [], 20)[0]

        assert await found == an_answer()
        assert answers._redis.counters["failures"] == 0


async def test_closing_answers_all_who_wait(redis_server):
    async with opened(redis_server.address, bytes_max=0) as answers:
        redis_server.freeze()
        waiting = [find(answers) for _ in range(3)]
        await answers.close()
        redis_server.thaw()

        assert await asyncio.gather(*waiting) == [None] * 3


async def test_answers_lie_where_their_own_url_says(redis_server):
    own = Secret(redis_server.url)
    async with opened(NO_REDIS, url=own) as one, opened(redis_server.address) as other:
        await one._redis._pipeline.wait_connected(10)
        one.put(KEY, an_answer())
        await sent(one)

        assert await find(other) == an_answer()


async def test_a_cluster_shares_them_too(redis_cluster):
    keys = [number.to_bytes(32) for number in range(30)]
    async with opened(redis_cluster.address) as one, opened(redis_cluster.address) as other:
        for key in keys:
            one.put(key, an_answer(key))
        for key in keys:
            await sent(one, key)

        assert [await find(other, key) for key in keys] == [an_answer(key) for key in keys]
    for node in redis_cluster.nodes:
        with node.client() as client:
            assert client.dbsize() > 0


# ── the proxy ────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def two_workers(tmp_path, redis, cache: str = ""):
    """Give a proxy and the port of another worker of the same korad."""
    with open_key_store(tmp_path / "state") as store:
        store.create("second", now_s=NOW_S, secret=SECOND_KEY)
    tail = f'[cache]\nstore = "redis"\ndeadline_ms = {PATIENT_MS}\n{cache}'
    async with running_proxy(tmp_path, redis=redis, tail=tail) as proxy:
        pages = make_pages(1)
        other = App(proxy.settings, encode=encode_words, pages=pages, redis=redis)
        sockets = bind(resolve("127.0.0.1", 0), share=False)
        await other.start(sockets)
        try:
            for app in (proxy.app, other):
                wait_s = 10 if redis is not NO_REDIS else 0.1
                await app._answers._redis._pipeline.wait_connected(wait_s)
            yield proxy, sockets[0].getsockname()[1]
        finally:
            await other.stop()


async def ask_at(port: int, *, key: str | None = None, **members):
    who = {} if key is None else {"key": key}
    return await ask(port, request(chat(**members), lines=ON, **who))


def is_hit(answer) -> bool:
    return answer.headers["x-korad-strategy"] == "Exact cache hit"


@STREAMED
async def test_one_worker_tells_what_another_has_stored(tmp_path, redis_server, stream):
    async with two_workers(tmp_path, redis_server.address) as (proxy, other_port):
        first = await ask_at(proxy.port, stream=stream)
        second = await ask_at(other_port, stream=stream)
        third = await ask_at(other_port, stream=stream, key=SECOND_KEY)
        metrics = await ask(other_port, request(method="GET", path="/metrics"))

        assert [is_hit(each) for each in (first, second, third)] == [False, True, False]
        assert second.status == 200
        told = (b"data: ", b"\n\n") if stream else (b"{", b"}")
        assert second.body.startswith(told[0])
        assert second.body.endswith(told[1])
        if not stream:
            assert second.body == first.body
            assert orjson.loads(second.body) == first.json
            assert second.headers["x-korad-billed-amount"] == "$0.000000"
        assert "age" in second.headers
        assert len(proxy.simulator.requests) == 2
        assert b"\nkorad_cache_redis_hits_total 1\n" in metrics.body
        assert b"\nkorad_cache_hits_total 1\n" in metrics.body
        assert b"\nkorad_cache_misses_total 1\n" in metrics.body


async def test_without_redis_each_worker_has_its_own(tmp_path):
    async with two_workers(tmp_path, NO_REDIS) as (proxy, other_port):
        answers = [await ask_at(port) for port in (proxy.port, proxy.port, other_port)]

        assert [answer.status for answer in answers] == [200] * 3
        assert [is_hit(answer) for answer in answers] == [False, True, False]


@STREAMED
async def test_a_redis_that_hangs_delays_no_request_beyond_the_deadline(
    tmp_path, redis_server, stream
):
    async with two_workers(tmp_path, redis_server.address, "bytes_max = 0") as (proxy, _):
        answers = proxy.app._answers
        answers._redis._deadline_s = 0.05
        redis_server.freeze()
        with standing_still(answers):
            for skipped in [0] * FAILURES_MAX + [1, 2, 3]:
                answer = await ask_at(proxy.port, stream=stream)
                assert (answer.status, is_hit(answer)) == (200, False)
                assert answers._redis.counters["skipped"] == skipped
        redis_server.thaw()


async def test_a_client_that_leaves_during_the_lookup_is_not_asked_for(tmp_path, redis_server):
    async with two_workers(tmp_path, redis_server.address) as (proxy, _):
        redis_server.freeze()
        wire = proxy.app._answers._redis._pipeline._link._wire
        async with RawConnection(proxy.port) as connection:
            connection.send(request(chat(), lines=ON))
            await eventually(lambda: wire.pending)
        await eventually(lambda: not proxy.app._shell.inflight)
        redis_server.thaw()
        assert (await ask_at(proxy.port)).status == 200

        assert len(proxy.simulator.requests) == 1


async def test_a_redis_that_dies_takes_no_answer_with_it(tmp_path, redis_server: RedisServer):
    async with two_workers(tmp_path, redis_server.address, "bytes_max = 0") as (proxy, _):
        assert not is_hit(await ask_at(proxy.port))
        assert is_hit(await ask_at(proxy.port))
        redis_server.kill()
        for _ in range(2):
            answer = await ask_at(proxy.port)
            assert (answer.status, is_hit(answer)) == (200, False)
