"""The toxic proxy spoils exactly what it is told to, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from bench.drills.toxic import Toxic, ToxicProxy, Trap

ANSWER = b"0123456789"


@contextlib.asynccontextmanager
async def echo(path=None):
    """Run a server that answers each piece with ANSWER and keeps what it got."""
    got = bytearray()
    ends = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            got.extend(data)
            self.transport.write(ANSWER)

        def eof_received(self):
            ends.append(time.monotonic())

    loop = asyncio.get_running_loop()
    if path is None:
        server = await loop.create_server(Server, "127.0.0.1", 0)
        proxy = ToxicProxy(upstream_port=server.sockets[0].getsockname()[1])
    else:
        server = await loop.create_unix_server(Server, path)
        proxy = ToxicProxy(upstream_path=path)
    async with server, proxy:
        yield proxy, got, ends


@contextlib.asynccontextmanager
async def client(proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask_once(proxy):
    async with client(proxy) as (reader, writer):
        writer.write(b"hello")
        await reader.readexactly(1)


async def until(holds):
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - it is the other side's state
            await asyncio.sleep(0.005)


async def test_without_a_toxic_everything_passes():
    async with echo() as (proxy, got, ends), client(proxy) as (reader, writer):
        writer.write(b"hello")

        assert ANSWER == await reader.readexactly(10)
        writer.write_eof()
        assert b"" == await reader.read()
        assert (b"hello", 1) == (bytes(got), len(ends))


async def test_the_upstream_may_be_a_unix_socket(tmp_path):
    async with echo(tmp_path / "s") as (proxy, _, _), client(proxy) as (reader, writer):
        writer.write(b"hello")

        assert ANSWER == await reader.readexactly(10)


@pytest.mark.parametrize("position", range(6))
async def test_a_trap_resets_at_exactly_that_byte_of_what_is_sent(position):
    async with echo() as (proxy, got, _), client(proxy) as (reader, writer):
        writer.write(b"before")
        await reader.readexactly(10)
        proxy.trap = trap = Trap(position=position, marker=b"HERE")
        writer.write(b"HERE..")

        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert trap.sprung.is_set()
        await until(lambda: bytes(got) == b"before" + b"HERE.."[:position])


@pytest.mark.parametrize("position", [0, 1, 9])
async def test_a_trap_resets_at_exactly_that_byte_of_the_answer(position):
    async with echo() as (proxy, got, _), client(proxy) as (reader, writer):
        proxy.trap = Trap(position=position, down=True, marker=b"HERE")
        writer.write(b"HERE")

        if position:
            assert ANSWER[:position] == await reader.readexactly(position)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        assert b"HERE" == bytes(got)


async def test_a_trap_spares_connections_without_its_marker():
    async with echo() as (proxy, _, _), client(proxy) as (reader, writer):
        proxy.trap = trap = Trap(position=0)
        writer.write(b"PING")

        assert ANSWER == await reader.readexactly(10)
        assert not trap.sprung.is_set()


async def test_a_dropped_answer_was_heard_all_the_same():
    async with echo() as (proxy, got, _), client(proxy) as (reader, writer):
        proxy.down = Toxic(drop=True)
        writer.write(b"hello")

        await until(lambda: bytes(got) == b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)


async def test_limit_data_closes_in_order():
    async with echo() as (proxy, _, _), client(proxy) as (reader, writer):
        proxy.down = Toxic(limit_data_bytes=4)
        writer.write(b"hello")

        assert ANSWER[:4] == await reader.read()


async def test_reset_peer_resets_after_so_many_bytes():
    async with echo() as (proxy, got, _), client(proxy) as (reader, writer):
        proxy.up = Toxic(reset_peer_bytes=3)
        writer.write(b"hello")

        with pytest.raises(ConnectionResetError):
            await reader.read()
        await until(lambda: bytes(got) == b"hel")


async def test_timeout_holds_everything_back_until_it_is_taken_away():
    async with echo() as (proxy, _, _), client(proxy) as (reader, writer):
        proxy.up = Toxic(timeout=True)
        writer.write(b"hello")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        proxy.up = Toxic()
        assert ANSWER == await reader.readexactly(10)


@pytest.mark.parametrize(
    "toxic",
    [
        Toxic(latency_s=0.1),
        Toxic(bandwidth_bytes_s=100),
        Toxic(slicer_bytes=1, slicer_delay_s=0.01),
    ],
    ids=["latency", "bandwidth", "slicer"],
)
async def test_slow_toxics_take_their_time(toxic):
    async with echo() as (proxy, _, _), client(proxy) as (reader, writer):
        proxy.down = toxic
        started = time.monotonic()
        writer.write(b"hello")

        assert ANSWER == await reader.readexactly(10)
        assert time.monotonic() - started >= 0.08


async def test_slow_close_passes_an_end_on_later():
    async with echo() as (proxy, _, ends), client(proxy) as (_, writer):
        proxy.up = Toxic(slow_close_s=0.1)
        started = time.monotonic()
        writer.write_eof()

        await until(lambda: ends)
        assert ends[0] - started >= 0.08


async def test_a_partition_refuses_new_connections_and_cuts_old_ones():
    async with echo() as (proxy, _, _), client(proxy) as (reader, writer):
        writer.write(b"hello")
        await reader.readexactly(10)
        proxy.refuse = True
        proxy.cut()

        with pytest.raises(ConnectionResetError):
            await reader.read()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await ask_once(proxy)
