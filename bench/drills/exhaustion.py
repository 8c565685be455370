"""Drill 11: no descriptors left, half heads that never end, and readers of a byte a second."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import suppress

from bench.drills import processes
from bench.drills.checks import Checks, SkippedError
from bench.drills.client import Call
from bench.drills.load import Load, Mix
from bench.drills.redis_faults import why
from bench.drills.scene import Order, Scene, scene

DESCRIPTORS = 256
OK_SHARE_MIN = 99.9
SLOW_READER_KIB_MAX = 64.0
BACK_S_MAX = 5.0
MIX = Mix(latency_ms=(0, 5), interval_ms=(0, 2), prompt_words=(3, 10), tokens=(2, 20))
HALF_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: korad\r\nX-Slow: "


async def few_descriptors(order: Order, checks: Checks) -> None:
    """Allow few descriptors and open more half heads than that, with healthy clients beside."""
    prlimit = shutil.which("prlimit")
    if prlimit is None:
        raise SkippedError("prlimit is not installed")
    prefix = (prlimit, f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")
    server = "head_timeout_s = 2"
    async with scene(order, checks, workers=2, server=server, start=False) as stage:
        await stage.korad.start(prefix)
        load = stage.load(rate=order.rate_of(40, 100), mix=MIX)
        load.start()
        # The healthy clients' connections are there before the flood.
        await asyncio.sleep(2)
        first = len(stage.calls)
        flood = await _half_heads(stage.korad.port, order.size(600, 1_000))
        await asyncio.sleep(order.time_s(4, 30))
        during = stage.calls[first:]
        for sock in flood:
            sock.close()
        back_s = await _until_answered(load)
        await load.stop()
        checks.tell(f"{len(flood)} half heads were open")
        ended = [call for call in during if call.ended_s]
        share = 100 * sum(call.ok for call in ended) / max(1, len(ended))
        checks.at_least("healthy clients answered, per cent", share, OK_SHARE_MIN, note=why(ended))
        checks.in_time("seconds until new clients are answered", back_s, BACK_S_MAX)
        await stage.settle(drain_max_s=10)


async def slow_clients(order: Order, checks: Checks) -> None:
    """Half heads and slow readers by the hundred; the others must not feel them."""
    server = "head_timeout_s = 3\nwrite_stall_timeout_s = 60"
    async with scene(order, checks, workers=2, server=server) as stage:
        load = stage.load(rate=order.rate_of(40, 100), mix=MIX)
        load.start()
        await asyncio.sleep(2)
        before = _rss(stage)
        count = order.size(100, 500)
        readers = await asyncio.gather(*(_slow_reader(stage, number) for number in range(count)))
        flood = await _half_heads(stage.korad.port, order.size(400, 1_000))
        grown_kib = 0.0
        for _ in range(int(order.time_s(5, 30))):
            await asyncio.sleep(1)
            grown_kib = max(grown_kib, (_rss(stage) - before) / 1024)
            for reader in readers:
                with suppress(OSError):
                    reader.recv(1)
        await load.stop()
        for sock in (*readers, *flood):
            sock.close()
        stayed = [call for call in stage.calls if call.client_id.startswith("load")]
        share = 100 * sum(call.ok for call in stayed) / len(stayed)
        checks.at_least("healthy clients answered, per cent", share, OK_SHARE_MIN, note=why(stayed))
        each_kib = grown_kib / count
        checks.at_most("memory per slow reader, KiB", each_kib, SLOW_READER_KIB_MAX)
        await stage.settle(drain_max_s=10)


async def _half_heads(port: int, count: int) -> list[socket.socket]:
    """Open connections that begin a head and go on for ever."""
    loop = asyncio.get_running_loop()
    opened = []
    for number in range(count):
        sock = socket.socket()
        sock.setblocking(False)  # noqa: FBT003 - positional only
        try:
            async with asyncio.timeout(1):
                await loop.sock_connect(sock, ("127.0.0.1", port))
                await loop.sock_sendall(sock, HALF_HEAD)
        except (OSError, TimeoutError):
            sock.close()
            continue
        opened.append(sock)
        if number % 50 == 0:
            await asyncio.sleep(0)
    return opened


async def _slow_reader(stage: Scene, number: int) -> socket.socket:
    """Ask for a long answer with a small receive buffer, and leave it unread."""
    call = Call(f"slow-{number}", stage.keys[0], stream=True, tokens=3_000)
    stage.calls.append(call)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.setblocking(False)  # noqa: FBT003 - positional only
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", stage.korad.port))
    await loop.sock_sendall(sock, call.request())
    return sock


async def _until_answered(load: Load) -> float:
    """Return after how long ten new connections in a row are answered."""
    loop = asyncio.get_running_loop()
    started, in_a_row = loop.time(), 0
    while in_a_row < 10 and loop.time() < started + 30:  # noqa: PLR2004
        call = load.next_call()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await load.ask_anew(call)
        in_a_row = in_a_row + 1 if call.ok else 0
        await asyncio.sleep(0.02)
    return loop.time() - started


def _rss(stage: Scene) -> int:
    return sum(processes.rss_bytes(each) for each in stage.korad.worker_ids())
