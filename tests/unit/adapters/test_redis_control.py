"""The control client: nothing is sent twice, and what fails says what to do."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
import redis.exceptions

from korad.adapters.redis_control import (
    UNAVAILABLE,
    RedisUnavailableError,
    Scripts,
    connect_control,
)
from korad.adapters.redis_scripts import make_script
from korad.adapters.redis_url import parse_redis_url


async def test_bytes_in_the_shapes_of_resp2(redis_server):
    async with aclosing(await connect_control(redis_server.address)) as client:
        await client.xadd("s", {"e": b"\xff"})
        ((name, ((_, fields),)),) = await client.xread({"s": 0})
        await client.hset("h", mapping={"a": 1})

        assert (name, fields) == (b"s", {b"e": b"\xff"})
        assert await client.hgetall("h") == {b"a": b"1"}


async def test_a_server_that_is_not_there_is_named():
    address = parse_redis_url("unix://:hush@/nowhere/redis.sock")
    with pytest.raises(RedisUnavailableError, match=r"unix:///nowhere/redis\.sock") as caught:
        await connect_control(address)
    assert "hush" not in str(caught.value)
    assert isinstance(caught.value, UNAVAILABLE)


async def test_after_kill_9_it_fails_and_comes_back_by_itself(redis_server):
    async with aclosing(await connect_control(redis_server.address)) as client:
        await client.set("a", "1")
        redis_server.stop()
        with pytest.raises(RedisUnavailableError, match="check that it runs"):
            await client.get("a")
        redis_server.start()
        assert await client.get("a") == b"1"


async def test_a_server_that_hangs_is_told_in_time(redis_server):
    async with aclosing(await connect_control(redis_server.address, timeout_s=0.2)) as client:
        redis_server.freeze()
        # It hangs for longer than that: whoever waited for it would wait forever.
        with pytest.raises(RedisUnavailableError, match="overloaded, stopped"):
            await client.get("a")
        redis_server.thaw()


async def test_a_command_whose_reply_is_lost_is_not_sent_again(redis_server):
    """A gate between client and server drops the connection instead of the reply."""
    dropping = False

    async def serve(reader, writer):
        far_reader, far_writer = await asyncio.open_unix_connection(str(redis_server.socket))
        while data := await reader.read(65536):
            far_writer.write(data)
            reply = await far_reader.read(65536)
            if dropping and b"XADD" in data:
                break
            writer.write(reply)
        writer.close()
        far_writer.close()

    gate = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = gate.sockets[0].getsockname()[1]
    address = parse_redis_url(f"redis://127.0.0.1:{port}")
    async with aclosing(await connect_control(address)) as client:
        dropping = True
        with pytest.raises(RedisUnavailableError):
            await client.xadd("s", {"e": "1"})
        pipe = client.pipeline(transaction=False)
        pipe.xadd("s", {"e": "2"})
        with pytest.raises(UNAVAILABLE):
            await pipe.execute()
    gate.close()
    await gate.wait_closed()

    with redis_server.client() as witness:
        assert witness.xlen("s") == 2


async def test_scripts_are_sent_when_redis_does_not_know_them(redis_server):
    script = make_script("sum", b"return {KEYS[1], redis.call('HINCRBY', KEYS[1], 'a', ARGV[1])}")

    async with aclosing(await connect_control(redis_server.address)) as client:
        scripts = Scripts(client)
        assert await scripts.run_script(script, ["h"], [40]) == [b"h", 40]
        assert await client.script_exists(script.sha.decode()) == [True]
        await client.script_flush()
        assert await scripts.run_script(script, [b"h"], [b"2"]) == [b"h", 42]


async def test_an_error_of_redis_stays_its_own(redis_server):
    async with aclosing(await connect_control(redis_server.address)) as client:
        await client.set("a", "1")
        with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
            await client.hget("a", "b")
        with pytest.raises(FileNotFoundError):
            await Scripts(client).run("no-such-script", [], [])
