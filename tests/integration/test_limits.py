"""Keys with limits, through a whole korad and a real Redis."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from korad.adapters.pepper import load_pepper
from korad.adapters.redis_books import RedisBooks
from korad.adapters.redis_control import connect_control
from korad.adapters.redis_keys import ShardKeys
from korad.adapters.shipping import Shipper
from korad.auth import digest_key
from korad.clock import unix_ns
from korad.domain.event import EventStatus, decode_event
from korad.domain.identity import VirtualKey
from korad.domain.limits import Budget, EntityLimits, Limits, Reset
from korad.simulator import Fault, Script
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request
from tests.support.redis import redis_binary, redis_server
from tests.support.upstream import WHOLE, Gate, read_request, upstream

__all__ = ["redis_binary", "redis_server"]

KEY = "sk-bf-a-key-with-limits-0123456789"
NANO_PER_TOKEN = 3_000
"""$2 per million tokens and a margin of 1.5."""
PATIENT = "[limits]\ndeadline_ms = 5000"
"""Of tests that are not about a Redis that is late: the machine may be busy."""


def limited(limits, *, fail_closed=False):
    return VirtualKey(
        key_id="vk_limited",
        name="limited",
        digest=b"",
        own_limits=limits,
        limits=(EntityLimits(entity="vk_limited", limits=limits),),
        fail_closed=fail_closed,
    )


def budget(nano_usd, reset=Reset.NEVER):
    return Limits(budgets=(Budget(limit_nano_usd=nano_usd, reset=reset),))


@asynccontextmanager
async def limited_proxy(tmp_path, server, key, *, ships=True, tail=PATIENT, **options):
    """Run a proxy that has this key, and a shipper beside it."""
    async with running_proxy(tmp_path, redis=server.address, tail=tail, **options) as proxy:
        pepper = load_pepper(proxy.settings.state_dir)
        proxy.app._ring.apply([replace(key, digest=digest_key(pepper, KEY))])
        client = await connect_control(server.address)
        shipper = Shipper(
            proxy.settings.state_dir / "journal",
            RedisBooks(client, 1),
            machine=proxy.app._books.producer.machine,
            shards=1,
            source=None,
            keep_s=3600,
            now_ms=lambda: unix_ns() // 1_000_000,
        )
        await RedisBooks(client, 1).begin(0)
        assert await proxy.app._pipeline.wait_connected(20)
        shipping = asyncio.create_task(shipper.run()) if ships else None
        try:
            yield proxy
        finally:
            shipper.stop()
            if shipping is not None:
                await shipping
            shipper.close()
            await client.aclose()


def ask_limited(proxy, **body):
    return ask(proxy.port, request(chat(**body), key=KEY))


def in_redis(server):
    with server.client() as client:
        keys = ShardKeys(0)
        return {
            "spent": int(client.hget(keys.balance, "vk_limited") or 0),
            "held": {name: int(n) for name, n in client.hgetall(keys.held).items() if int(n)},
            "open": {name: int(n) for name, n in client.hgetall(keys.open).items() if int(n)},
            "holds": client.hlen(keys.hold),
            "events": [decode_event(fields[b"e"]) for _, fields in client.xrange(keys.stream)],
        }


async def settled(server, events):
    async with asyncio.timeout(10):
        while len((found := in_redis(server))["events"]) < events:  # noqa: ASYNC110 - a server
            await asyncio.sleep(0.02)
    return found


async def test_a_budget_is_spent_to_its_end_and_not_beyond(tmp_path, redis_server):
    limit = 40 * NANO_PER_TOKEN * 10
    async with limited_proxy(tmp_path, redis_server, limited(budget(limit))) as proxy:
        proxy.simulator.script = Script(completion_tokens=20)
        statuses = []
        while not statuses or statuses[-1] == 200:
            answer = await ask_limited(proxy, max_tokens=20)
            statuses.append(answer.status)
            assert len(statuses) < 100
            # What is held until it is settled is a little more than what is billed.
            await settled(redis_server, statuses.count(200))
        assert (402, "insufficient_quota", "budget_exceeded") == answer.error
        assert "false" == answer.headers["x-should-retry"]
        found = await settled(redis_server, len(statuses) - 1)

    assert len(statuses) > 5
    assert len(found["events"]) == len(statuses) - 1
    cost = found["events"][0].data.billed_nano_usd
    assert limit - cost < found["spent"] <= limit
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])


async def test_many_at_once_do_not_spend_more_than_there_is(tmp_path, redis_server):
    limit = 40 * NANO_PER_TOKEN * 20
    async with limited_proxy(tmp_path, redis_server, limited(budget(limit))) as proxy:
        proxy.simulator.script = Script(completion_tokens=20, first_token_s=0.05)
        answers = await asyncio.gather(*(ask_limited(proxy, max_tokens=20) for _ in range(100)))
        good = sum(answer.status == 200 for answer in answers)
        found = await settled(redis_server, good)

    assert {200, 402} == {answer.status for answer in answers}
    assert found["spent"] <= limit
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])


@pytest.mark.parametrize("interval_s", [0.001, 0.0])
async def test_a_stream_is_cut_where_the_budget_ends(tmp_path, redis_server, interval_s):
    limit = 400 * NANO_PER_TOKEN
    key = limited(budget(limit))
    async with limited_proxy(tmp_path, redis_server, key) as proxy:
        proxy.simulator.script = Script(completion_tokens=8_000, token_interval_s=interval_s)
        answer = await ask_limited(proxy, stream=True)
        found = await settled(redis_server, 1)

    assert 200 == answer.status
    assert b'"finish_reason":"length"' in answer.body
    assert b'"code":"budget_exceeded"' in answer.body
    assert b"[DONE]" not in answer.body
    (event,) = found["events"]
    assert ("budget_exceeded", "counted") == (event.data.error_code, event.data.usage_source)
    slice_nano_usd = 256 * NANO_PER_TOKEN
    assert limit // 2 < found["spent"] <= limit + slice_nano_usd
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])


BURST_EVENTS = 4_000


def a_burst():
    """Return an answer whose events come in one piece: whatever is read, much of it is there."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"w "}}]}\n\n'
    events = event * BURST_EVENTS + b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
    return head % len(events) + events


async def serve_a_burst(reader, writer, _):
    while True:
        await read_request(reader)
        writer.write(a_burst())


@pytest.mark.parametrize("lasts", [False, True])
async def test_a_stream_that_comes_at_once_is_held_to_its_budget(tmp_path, redis_server, lasts):
    limit = (2 * BURST_EVENTS if lasts else 400) * NANO_PER_TOKEN
    async with (
        upstream(serve_a_burst) as url,
        limited_proxy(tmp_path, redis_server, limited(budget(limit)), openai_base_url=url) as proxy,
    ):
        answer = await ask_limited(proxy, stream=True)
        found = await settled(redis_server, 1)

    assert lasts is answer.body.endswith(b"data: [DONE]\n\n")
    assert lasts is not (b'"code":"budget_exceeded"' in answer.body)
    passed_on = answer.body.count(b'"content":"w "')
    assert found["events"][0].data.output_tokens >= passed_on
    assert passed_on == BURST_EVENTS if lasts else passed_on < 400 + 256
    assert found["spent"] <= limit + 256 * NANO_PER_TOKEN
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])


async def test_a_stream_goes_on_while_its_budget_lasts(tmp_path, redis_server):
    key = limited(budget(5_000 * NANO_PER_TOKEN))
    async with limited_proxy(tmp_path, redis_server, key) as proxy:
        proxy.simulator.script = Script(completion_tokens=1_500)
        answer = await ask_limited(proxy, stream=True)
        found = await settled(redis_server, 1)

    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert 1_500 == found["events"][0].data.output_tokens
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])


async def test_one_at_a_time_is_one_at_a_time_and_the_next_need_not_wait(tmp_path, redis_server):
    key = limited(Limits(concurrent_max=1))
    gate = Gate(WHOLE)
    async with (
        upstream(gate.serve) as url,
        limited_proxy(tmp_path, redis_server, key, ships=False, openai_base_url=url) as proxy,
    ):
        asking = [asyncio.create_task(ask_limited(proxy)) for _ in range(4)]
        ended = asyncio.as_completed(asking)
        refused = [await next(ended) for _ in range(3)]
        gate.open()
        assert 200 == (await next(ended)).status
        for answer in refused:
            assert (429, "rate_limit_error", "concurrency_limited") == answer.error
            assert "retry-after" in answer.headers
        # Nothing has been settled: what is over no longer counts all the same.
        async with RawConnection(proxy.port) as connection:
            for _ in range(20):
                assert 200 == (await connection.ask(request(chat(), key=KEY))).status


async def test_requests_per_minute(tmp_path, redis_server):
    key = limited(Limits(requests_per_minute=5))
    async with limited_proxy(tmp_path, redis_server, key) as proxy:
        answers = [await ask_limited(proxy) for _ in range(7)]

    assert [200] * 5 + [429] * 2 == [answer.status for answer in answers]
    assert (429, "rate_limit_error", "request_limited") == answers[-1].error
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


async def test_a_client_that_leaves_leaves_no_hold(tmp_path, redis_server):
    key = limited(budget(10_000 * NANO_PER_TOKEN))
    async with limited_proxy(tmp_path, redis_server, key) as proxy:
        proxy.simulator.script = Script(fault=Fault.STALL_MID_STREAM)
        async with RawConnection(proxy.port) as leaving:
            leaving.send(request(chat(stream=True), key=KEY))
            await leaving.head()
        found = await settled(redis_server, 1)

    assert EventStatus.CLIENT_DISCONNECT is found["events"][0].data.status
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])


async def test_without_redis_a_key_is_served_or_refused_as_it_says(tmp_path, redis_server):
    for closed in (False, True):
        key = limited(budget(10_000 * NANO_PER_TOKEN), fail_closed=closed)
        folder = tmp_path / str(closed)
        folder.mkdir()
        async with limited_proxy(folder, redis_server, key) as proxy:
            assert 200 == (await ask_limited(proxy)).status
            proxy.app._limiter._deadline_s = 0.15
            redis_server.freeze()
            frozen = [await ask_limited(proxy) for _ in range(10)]
            redis_server.thaw()
        if closed:
            assert {(503, "server_error", "limits_unavailable")} == {each.error for each in frozen}
        else:
            assert {200} == {each.status for each in frozen}


async def test_a_refused_request_has_no_event_and_a_failed_one_a_free_one(tmp_path, redis_server):
    key = limited(budget(10_000 * NANO_PER_TOKEN))
    async with limited_proxy(tmp_path, redis_server, key) as proxy:
        assert 400 == (await ask_limited(proxy, model="openai/none", messages=[])).status
        proxy.simulator.script = Script(fault=Fault.RESET_BEFORE_HEAD)
        assert 502 == (await ask_limited(proxy)).status
        found = await settled(redis_server, 1)

    (event,) = found["events"]
    assert (EventStatus.UPSTREAM_ERROR, 0) == (event.data.status, event.data.billed_nano_usd)
    assert ({}, {}, 0) == (found["held"], found["open"], found["holds"])
