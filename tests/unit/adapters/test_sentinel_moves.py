"""A master that goes on as one although the sentinels name another: nobody stays with it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

import hiredis
import pytest

from korad.adapters import redis_control, redis_link
from korad.adapters.redis_control import connect_control
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_url import parse_redis_url
from tests.support.redis import RedisServer, free_port

TIMEOUT_S = 20


class Sentinel:
    """Says whom it takes for the master, and nothing else."""

    def __init__(self, names: int) -> None:
        self.names = names
        self.asked = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader, writer):
        commands = hiredis.Reader()
        while data := await reader.read(4096):
            commands.feed(data)
            while (words := commands.gets()) is not False:
                self.asked += 1
                writer.write(self._answer(words))
        writer.close()

    def _answer(self, words):
        port = str(self.names).encode()
        command = b" ".join(words[:2]).upper()
        if command == b"SENTINEL GET-MASTER-ADDR-BY-NAME":
            return b"*2\r\n" + _bulk(b"127.0.0.1", port)
        if command == b"SENTINEL MASTERS":
            told = (b"name", b"books", b"ip", b"127.0.0.1", b"port", port, b"flags", b"master")
            others = (b"num-other-sentinels", b"2")
            return b"*1\r\n*10\r\n" + _bulk(*told, *others)
        return b"+PONG\r\n"


def _bulk(*words):
    return b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@pytest.fixture
async def scene(tmp_path, redis_binary, monkeypatch):
    """Give two masters, and three sentinels that name the first."""
    monkeypatch.setattr(redis_link, "LOOK_S", 0.05)
    monkeypatch.setattr(redis_control, "LOOK_NS", 0)
    async with AsyncExitStack() as stack:
        servers = [
            stack.enter_context(RedisServer(tmp_path / name, redis_binary, port=free_port()))
            for name in ("old", "new")
        ]
        for number, server in enumerate(servers):
            server.start()
            with server.client() as client:
                client.set("who", number)
        names = servers[0].port
        sentinels = [await stack.enter_async_context(Sentinel(names)) for _ in range(3)]
        where = ",".join(f"127.0.0.1:{each.port}" for each in sentinels)
        yield servers, sentinels, parse_redis_url(f"redis+sentinel://{where}/books")


async def asked_more(sentinel, times):
    before = sentinel.asked
    async with asyncio.timeout(TIMEOUT_S):
        while sentinel.asked < before + times:  # noqa: ASYNC110 - another's counter
            await asyncio.sleep(0.01)


async def who(pipeline):
    came = asyncio.get_running_loop().create_future()
    pipeline.execute((b"GET", b"who"), came.set_result)
    return await came


async def test_the_request_path_goes_where_most_sentinels_point(scene):
    (_, new), sentinels, address = scene
    pipeline = RedisPipeline(address)
    pipeline.start()
    try:
        assert await pipeline.wait_connected(TIMEOUT_S)
        sentinels[0].names = new.port
        await asked_more(sentinels[2], 6)
        assert await who(pipeline) == b"0"

        # The first may be wrong for good: it is cut off with the former master.
        sentinels[0].names = sentinels[1].names
        sentinels[1].names = sentinels[2].names = new.port
        async with asyncio.timeout(TIMEOUT_S):
            while await who(pipeline) != b"1":  # noqa: ASYNC110 - it changes by itself
                await asyncio.sleep(0.01)
        await asked_more(sentinels[2], 6)
        assert await who(pipeline) == b"1"
        assert pipeline.counters.reconnects == 1
    finally:
        await pipeline.close()


async def test_the_books_leave_a_former_master_with_connections_in_use_too(scene):
    (_, new), sentinels, address = scene
    client = await connect_control(address)
    try:
        blocked = asyncio.create_task(client.blpop(["nothing"], timeout=1))
        assert await client.get("who") == b"0"
        for sentinel in sentinels:
            sentinel.names = new.port
        async with asyncio.timeout(TIMEOUT_S):
            while await client.get("who") != b"1":  # noqa: ASYNC110 - it changes by itself
                await asyncio.sleep(0.01)
        await blocked
        # Whichever connections they get, none is to the former one.
        assert await asyncio.gather(*(client.get("who") for _ in range(5))) == [b"1"] * 5
    finally:
        await client.aclose()
