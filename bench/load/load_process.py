"""A load process: `python -m bench.load.load_process`, orders on stdin, reports on stdout.

It is a process of its own, started before any event loop exists; `fleet.py` talks to it.
"""

from __future__ import annotations

import gc
import os
import socket
import ssl
from contextlib import suppress
from typing import IO
from urllib.parse import urlsplit

import uvloop

from bench.load.connection import Pool
from bench.load.driver import Driver
from bench.load.orders import Block, Go, Plan, Ready, Report, frame, read_order, unpack_plan
from bench.load.plan import Conversation, Target
from bench.load.request import Requests

_PORTS = {"http": 80, "https": 443}


def main() -> None:
    """Do the orders that come until the pipe is closed."""
    orders = os.fdopen(os.dup(0), "rb")
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    conversations: list[Conversation] = []
    while (order := read_order(orders)) is not None:
        if isinstance(order, Plan):
            conversations = unpack_plan(order)
        elif isinstance(order, Block):
            _block(order, conversations, orders, reports)


def _block(
    block: Block,
    conversations: list[Conversation],
    orders: IO[bytes],
    reports: IO[bytes],
) -> None:
    """Get ready, wait for the word, do the block and report."""

    def tell(report: Report) -> None:
        view = memoryview(frame(report))
        while view:
            view = view[os.write(reports.fileno(), view) :]

    build = Requests(block.target, block.max_tokens).of
    wanted = {number for _, number in block.starts} or range(len(conversations))
    requests = [
        [build(ask) for ask in conversation] if number in wanted else []
        for number, conversation in enumerate(conversations)
    ]
    address = _address(block.target)
    context = ssl.create_default_context() if block.target.url.startswith("https:") else None
    tell(Ready())
    go = read_order(orders)
    if not isinstance(go, Go):
        return

    async def run() -> None:
        driver = Driver(block, conversations, requests, start_ns=go.start_ns, tell=tell)
        pool = Pool(
            address,
            context=context,
            server_name=urlsplit(block.target.url).hostname or "",
            slow_bytes_per_s=block.slow_bytes_per_s,
            on_end=driver.ended,
        )
        tally = await driver.run(pool)
        await pool.close()
        tell(tally)

    _take_precedence(open_loop=not block.step)
    gc.collect()
    gc.freeze()
    gc.disable()  # nothing here is cyclic, and a collection is late requests
    uvloop.run(run())
    gc.enable()
    gc.unfreeze()


def _take_precedence(*, open_loop: bool) -> None:
    """Let an open loop's process run as soon as it is due, where the system allows that.

    A request that leaves late because another program has the processor would count against the
    target. A closed loop is never late, and might leave nothing for the others.
    """
    policy, priority = (os.SCHED_RR, 1) if open_loop else (os.SCHED_OTHER, 0)
    with suppress(PermissionError):  # then the lag says whether it was needed
        os.sched_setscheduler(0, policy, os.sched_param(priority))


def _address(target: Target) -> tuple[str, int]:
    """Look the target up once, not for each connection."""
    parts = urlsplit(target.url)
    port = parts.port or _PORTS[parts.scheme]
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return str(found[0][4][0]), port


if __name__ == "__main__":
    main()
