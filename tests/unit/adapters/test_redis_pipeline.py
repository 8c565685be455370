"""The request path's connection: order, deadlines, a server that hangs, dies and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import select
import time
from collections.abc import AsyncIterator

import pytest

from korad.adapters.redis_link import PAUSE_S_MOST, pause_s
from korad.adapters.redis_pipeline import (
    ConnectionLostError,
    NotConnectedError,
    PipelineLimits,
    QueueFullError,
    RedisPipeline,
    ReplyError,
    ReplyTimeoutError,
)
from korad.adapters.redis_scripts import make_script
from korad.adapters.redis_url import RedisAddress, parse_redis_url
from tests.support.redis import RedisServer, free_port, server_binaries


@contextlib.asynccontextmanager
async def connected(
    address: RedisAddress, limits: PipelineLimits | None = None
) -> AsyncIterator[RedisPipeline]:
    pipeline = RedisPipeline(address, limits)
    pipeline.start()
    try:
        assert await pipeline.wait_connected(10), pipeline.trouble
        yield pipeline
    finally:
        await pipeline.close()


def ask(pipeline: RedisPipeline, *parts: bytes, key: bytes | None = None, deadline_s=None):
    """Return a future of what `then` is given; a second call would raise."""
    answer = asyncio.get_running_loop().create_future()
    pipeline.execute(parts, answer.set_result, key=key, deadline_s=deadline_s)
    return answer


async def eventually(condition, timeout_s: float = 10.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("redis_binary", server_binaries().values(), ids=server_binaries())
async def test_replies_come_in_order_and_leave_in_one_write(redis_server):
    async with connected(redis_server.address) as pipeline:
        answers = [ask(pipeline, b"ECHO", b"%d" % number) for number in range(500)]
        assert await asyncio.gather(*answers) == [b"%d" % number for number in range(500)]
        assert pipeline.counters.commands == 500

        with redis_server.client() as client:
            calls = client.info("commandstats")["cmdstat_echo"]["calls"]
            reads = client.info("stats").get("total_reads_processed")
        assert calls == 500
        # Greeting, commands, these two looks: a read for each command would be 500.
        assert reads < 50


async def test_parts_of_any_length_arrive_whole(redis_server):
    values = [b"x" * size + b"\r\n$3\r\n" for size in (0, 1, 16_383, 16_384, 16_385, 1_000_000)]
    async with connected(redis_server.address) as pipeline:
        for value in values:
            assert await ask(pipeline, b"ECHO", value) == value


async def test_every_kind_of_reply(redis_server):
    async with connected(redis_server.address) as pipeline:
        assert await ask(pipeline, b"SET", b"a", b"1") == b"OK"
        assert await ask(pipeline, b"INCR", b"a") == 2
        assert await ask(pipeline, b"GET", b"none") is None
        assert await ask(pipeline, b"MGET", b"a", b"none") == [b"2", None]
        error = await ask(pipeline, b"HGET", b"a", b"b")
        assert isinstance(error, ReplyError)
        assert str(error).startswith("WRONGTYPE")
        large = b"x" * 1_000_000
        assert await ask(pipeline, b"ECHO", large) == large


async def test_a_listener_that_raises_hurts_nobody_else(redis_server):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))

    def fail(reply: object) -> None:
        raise ValueError(reply)

    async with connected(redis_server.address) as pipeline:
        pipeline.execute((b"ECHO", b"1"), fail)
        assert await ask(pipeline, b"ECHO", b"2") == b"2"

    assert isinstance(told[0]["exception"], ValueError)


async def test_a_late_reply_is_dropped_and_the_order_kept(redis_server):
    async with connected(redis_server.address) as pipeline:
        redis_server.freeze()
        began = time.monotonic()
        first = await ask(pipeline, b"ECHO", b"late", deadline_s=0.02)
        waited = time.monotonic() - began  # and it is frozen still
        patient = ask(pipeline, b"ECHO", b"patient", deadline_s=30)
        second = await ask(pipeline, b"ECHO", b"later", deadline_s=0.02)
        redis_server.thaw()

        assert isinstance(first, ReplyTimeoutError)
        assert isinstance(second, ReplyTimeoutError)
        assert first.may_have_run
        assert waited > 0.015
        assert await patient == b"patient"
        assert await ask(pipeline, b"ECHO", b"next") == b"next"
        assert pipeline.counters.timeouts == 2
        assert pipeline.counters.reconnects == 0


async def test_a_reply_that_lies_there_unread_is_in_time(redis_server):
    async with connected(redis_server.address) as pipeline:
        answer = ask(pipeline, b"ECHO", b"here", deadline_s=0.05)
        await asyncio.sleep(0)  # it is written now
        # The loop is busy with something else until the deadline is over and the reply is there.
        time.sleep(0.1)  # noqa: ASYNC251
        unread = pipeline._link._wire._transport.get_extra_info("socket").fileno()
        assert select.select([unread], [], [], 20)[0]

        assert await answer == b"here"


async def test_the_shortest_deadline_wins_whatever_came_first(redis_server):
    async with connected(redis_server.address) as pipeline:
        redis_server.freeze()
        slow = ask(pipeline, b"ECHO", b"slow", deadline_s=60)
        quick = ask(pipeline, b"ECHO", b"quick", deadline_s=0.02)
        later = ask(pipeline, b"ECHO", b"later", deadline_s=0.04)
        assert isinstance(await quick, ReplyTimeoutError)
        assert isinstance(await later, ReplyTimeoutError)
        assert not slow.done()
        redis_server.thaw()
        assert await slow == b"slow"


async def test_a_server_that_hangs_is_given_up_and_found_again(redis_server):
    limits = PipelineLimits(stall_s=0.2, connect_timeout_s=0.3)
    async with connected(redis_server.address, limits) as pipeline:
        redis_server.freeze()
        assert isinstance(await ask(pipeline, b"ECHO", b"1"), ConnectionLostError)
        assert isinstance(await ask(pipeline, b"ECHO", b"2"), NotConnectedError)
        redis_server.thaw()

        # A server that is slow for a moment is given up again, and found again.
        until = time.monotonic() + 20
        while await ask(pipeline, b"ECHO", b"3") != b"3":
            assert time.monotonic() < until
            await pipeline.wait_connected(10)
        assert pipeline.counters.reconnects >= 1


async def test_after_kill_9_commands_fail_at_once_until_it_is_back(redis_server):
    async with connected(redis_server.address) as pipeline:
        redis_server.freeze()
        waiting = [ask(pipeline, b"ECHO", b"1", deadline_s=60) for _ in range(3)]
        await asyncio.sleep(0.01)
        redis_server.kill()
        lost = await asyncio.gather(*waiting)
        assert [type(error) for error in lost] == [ConnectionLostError] * 3
        assert lost[0].may_have_run

        await eventually(lambda: not pipeline.connected)
        refused = await ask(pipeline, b"ECHO", b"2", deadline_s=5)
        assert isinstance(refused, NotConnectedError)
        assert not refused.may_have_run
        assert pipeline.trouble

        redis_server.start()
        assert await pipeline.wait_connected(10)
        assert await ask(pipeline, b"ECHO", b"3") == b"3"
        assert pipeline.trouble is None
        assert pipeline.counters.refused == 1


async def test_nothing_is_told_before_execute_returns():
    pipeline = RedisPipeline(parse_redis_url("unix:///nowhere/redis.sock"))
    pipeline.start()
    told = []
    pipeline.execute((b"PING",), told.append)
    assert told == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert isinstance(told[0], NotConnectedError)
    assert not await pipeline.wait_connected(0.05)
    await pipeline.close()


async def test_the_queue_has_an_end(redis_server):
    async with connected(redis_server.address, PipelineLimits(pending_max=3)) as pipeline:
        answers = [ask(pipeline, b"ECHO", b"%d" % number) for number in range(5)]
        *first, fourth, fifth = await asyncio.gather(*answers)
        assert first == [b"0", b"1", b"2"]
        assert isinstance(fourth, QueueFullError)
        assert isinstance(fifth, QueueFullError)
        assert await ask(pipeline, b"ECHO", b"again") == b"again"


async def test_a_script_is_sent_once_and_again_when_it_was_forgotten(redis_server):
    script = make_script("test", b"return {KEYS[1], ARGV[1], ARGV[2]}")

    async with connected(redis_server.address) as pipeline:

        def run():
            answer = asyncio.get_running_loop().create_future()
            pipeline.run(script, [b"k"], [b"1", b"2"], answer.set_result, deadline_s=5)
            return answer

        assert await run() == [b"k", b"1", b"2"]
        assert await ask(pipeline, b"SCRIPT", b"EXISTS", script.sha) == [1]
        assert await run() == [b"k", b"1", b"2"]
        assert pipeline.counters.commands == 3
        assert await ask(pipeline, b"SCRIPT", b"FLUSH") == b"OK"
        assert await run() == [b"k", b"1", b"2"]


async def test_a_script_is_not_overtaken_by_one_that_the_server_knows(redis_server):
    new, known = (
        make_script(name, b"return redis.call('RPUSH', 'order', '%s')" % name.encode())
        for name in ("new", "known")
    )
    with redis_server.client() as client:
        client.script_load(known.text)
    async with connected(redis_server.address) as pipeline:
        answers = [asyncio.get_running_loop().create_future() for _ in range(2)]
        for script, answer in zip((new, known), answers, strict=True):
            pipeline.run(script, [], [], answer.set_result)

        assert await asyncio.gather(*answers) == [1, 2]
        assert await ask(pipeline, b"LRANGE", b"order", b"0", b"-1") == [b"new", b"known"]


async def test_a_server_that_became_a_replica_is_left(redis_server):
    async with connected(redis_server.address) as pipeline:
        with redis_server.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            error = await ask(pipeline, b"SET", b"a", b"1")
            assert isinstance(error, ReplyError)
            assert not pipeline.connected
            client.execute_command("REPLICAOF", "NO", "ONE")
        assert await pipeline.wait_connected(10)
        assert await ask(pipeline, b"SET", b"a", b"1") == b"OK"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b":5\r\n:5\r\n"])
@pytest.mark.parametrize("kind", ["redis://{}", "redis+sentinel://{}/books", "redis+cluster://{}"])
async def test_what_answers_like_no_redis_is_told_and_dialled_again(kind, answer):
    dialled = 0

    async def serve(reader, writer):
        nonlocal dialled
        dialled += 1
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pipeline = RedisPipeline(parse_redis_url(kind.format(f"127.0.0.1:{port}")))
    pipeline.start()
    await eventually(lambda: dialled > 2)
    assert pipeline.trouble
    assert pipeline.trouble != "not connected yet"
    await pipeline.close()
    server.close()
    await server.wait_closed()


async def test_closing_answers_those_who_wait(redis_server):
    async with connected(redis_server.address) as pipeline:
        redis_server.freeze()
        answer = ask(pipeline, b"ECHO", b"1")
    assert isinstance(await answer, ConnectionLostError)


async def test_a_server_over_tcp_with_a_database(tmp_path, redis_binary):
    with RedisServer(tmp_path / "tcp", redis_binary, port=free_port()) as server:
        server.start()
        async with connected(parse_redis_url(f"{server.url}/5")) as pipeline:
            assert await ask(pipeline, b"SET", b"a", b"1") == b"OK"
        with server.client() as client:
            assert list(client.info("keyspace")) == ["db5"]


def test_pauses_grow_to_a_second_and_are_never_the_same_for_all():
    assert 0.025 <= pause_s(0) <= 0.05
    assert PAUSE_S_MOST / 2 <= pause_s(100) <= PAUSE_S_MOST
    assert len({pause_s(3) for _ in range(20)}) > 1
