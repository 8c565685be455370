"""Who connects while a worker stops listening: served by it, or by whoever shares the port."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import asynccontextmanager

import pytest

from korad.web.drain import Listener


class Named(asyncio.Protocol):
    """Tells who has accepted."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._name)
        transport.close()


def bound(port: int = 0, *, share: bool = True) -> socket.socket:
    sock = socket.socket()
    if share:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setblocking(False)  # noqa: FBT003 - positional only
    sock.bind(("127.0.0.1", port))
    return sock


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await reader.read()
    finally:
        writer.close()


@asynccontextmanager
async def listening(sock: socket.socket, name: bytes):
    listener = Listener(sock, lambda: Named(name))
    await listener.start()
    yield listener
    await listener.adopt(listener.close())


@pytest.mark.skipif(sys.platform != "linux", reason="a socket filter of Linux")
async def test_a_newcomer_reaches_the_successor_unharmed():
    sock = bound()
    port = sock.getsockname()[1]
    async with listening(sock, b"first") as first:
        assert await ask(port) == b"first"
        assert first.refer()
        late = asyncio.create_task(ask(port))
        done, _ = await asyncio.wait([late], timeout=0.1)
        assert not done
        async with listening(bound(port), b"second"):
            await first.adopt(first.close())
            assert await asyncio.wait_for(late, 20) == b"second"


@pytest.mark.skipif(sys.platform != "linux", reason="a socket filter of Linux")
async def test_who_has_connected_before_is_served():
    sock = bound()
    port = sock.getsockname()[1]
    async with listening(sock, b"first") as first:
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            assert first.refer()
            await first.adopt(first.close())
            waiting.setblocking(False)  # noqa: FBT003 - positional only
            assert await asyncio.get_running_loop().sock_recv(waiting, 10) == b"first"


async def test_nobody_is_referred_where_the_port_is_not_shared():
    async with listening(bound(share=False), b"alone") as alone:
        assert not alone.refer()
