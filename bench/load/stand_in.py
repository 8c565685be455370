"""A stand-in OpenAI provider that costs next to nothing: `python -m bench.load.stand_in --port N`.

It does not look at what is asked beyond `"stream":true`, model and key; its answers are prebuilt
bytes with the moment they were written in their text (see `stand_in_wire.py`), so that whoever
receives one knows what the way took. `GET /control?chunks=10&interval=0.02` gives it orders, and
returns and resets its counters. The first line it prints is the port it listens on.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import ssl
import time
from contextlib import suppress
from heapq import heappop, heappush
from time import monotonic_ns
from typing import cast

import msgspec
import uvloop

from bench.load.alarm import Alarm
from bench.load.stand_in_orders import Counters, Orders, OrdersError, parse_orders
from bench.load.stand_in_request import Request, next_request
from bench.load.stand_in_wire import Wire, control_reply, refusal

_NS = 1_000_000_000
_TICKS = 16
"""Chunks written before the loop goes round: uvloop writes at the end of a turn, so more of them
would leave late against the time they carry."""


class Provider:
    """What all connections share: orders, counters, and the queue of what is due."""

    def __init__(self, loop: asyncio.AbstractEventLoop, orders: Orders) -> None:
        self.counters = Counters()
        self._take(orders)
        self._alarm = Alarm(loop, self._tick)
        self._due: list[tuple[int, int, Connection]] = []
        self._number = 0

    def control(self, query: str) -> bytes:
        """Take orders, answer with the counters and begin to count anew."""
        try:
            self._take(parse_orders(query, self.orders))
        except OrdersError as error:
            return refusal(400, str(error))
        reply = control_reply(self.counters)
        self.counters = Counters(open_connections=self.counters.open_connections)
        return reply

    def wake(self, connection: Connection, at_ns: int) -> None:
        """Call the connection's `due` at that moment."""
        self._number += 1
        heappush(self._due, (at_ns, self._number, connection))
        if self._due[0][1] == self._number:
            self._alarm.set(at_ns)

    def _take(self, orders: Orders) -> None:
        self.orders = orders
        self.wire = Wire(orders)
        self._stall_at_ns = monotonic_ns() + int(orders.stall_every * _NS)

    def stand_still(self) -> None:
        """Sleep, all connections with it, if the orders want that now."""
        if self.orders.stall_every and monotonic_ns() >= self._stall_at_ns:
            time.sleep(self.orders.stall)
            self._stall_at_ns = monotonic_ns() + int(self.orders.stall_every * _NS)

    def _tick(self) -> None:
        due = self._due
        for _ in range(_TICKS):
            if not due or due[0][0] > monotonic_ns():
                break
            at_ns, _, connection = heappop(due)
            connection.due(at_ns)
        if due:
            self._alarm.set(due[0][0])
        else:
            self._alarm.clear()


class Connection(asyncio.Protocol):
    """One client's connection; answers one request after the other."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._held = b""
        self._busy = False
        self._gone = False
        self._full = False
        self._received_ns = 0
        self._request = Request(b"", b"")
        self._chunks = -1  # sent of the stream; -1: its head has not been
        self._late_at_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._provider.counters.open_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        """Forget the connection, and what it was waiting for."""
        self._gone = True
        self._provider.counters.open_connections -= 1
        if self._busy and self._request.streamed:
            self._provider.counters.streams_left += 1

    def pause_writing(self) -> None:
        """Write no more chunks: the client does not read."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on with the chunk that had to wait."""
        self._full = False
        if self._late_at_ns:
            self._provider.wake(self, self._late_at_ns)
            self._late_at_ns = 0

    def data_received(self, data: bytes) -> None:
        """Take a request as soon as it is complete."""
        received_ns = monotonic_ns()
        if self._held:
            data = self._held + data
        if self._busy:
            self._held = data
            return
        request, self._held = next_request(data)
        if request is not None:
            self._received_ns = received_ns
            self._take(request)

    def due(self, at_ns: int) -> None:
        """Write what is due: an answer, or a stream's next chunk."""
        if self._gone:
            return
        if self._full:
            self._late_at_ns = at_ns
        elif self._request.streamed:
            self._stream(at_ns)
        else:
            self._answer()

    def _take(self, request: Request) -> None:
        provider = self._provider
        if request.head.startswith(b"GET /control"):
            self._transport.write(provider.control(request.query))
            return
        provider.stand_still()
        orders = provider.orders
        provider.counters.requests += 1
        provider.counters.wrong_key += bool(orders.key) and not request.has_key(orders.key)
        provider.counters.wrong_model += bool(orders.model) and not request.names(orders.model)
        self._request = request
        self._chunks = -1
        self._busy = True
        if orders.fault and self._fail(orders.fault):
            return
        if orders.latency:
            provider.wake(self, self._received_ns + int(orders.latency * _NS))
        else:
            self.due(self._received_ns)

    def _fail(self, fault: str) -> bool:
        """Do what goes wrong before an answer; False: this fault comes later."""
        if fault.isdigit():
            self._transport.write(refusal(int(fault), "as ordered"))
            self._finish()
        elif fault == "reset":
            self._transport.abort()
        else:
            return False
        return True

    def _answer(self) -> None:
        reply = self._provider.wire.plain(self._received_ns, monotonic_ns())
        if self._provider.orders.fault == "cut":
            self._transport.write(reply[:-20])
            self._transport.close()
        else:
            self._transport.write(reply)
            self._finish()

    def _stream(self, at_ns: int) -> None:
        provider = self._provider
        wire, orders = provider.wire, provider.orders
        piece = b""
        if self._chunks < 0:
            self._chunks = 0
            piece = wire.stream_head
            if orders.first_chunk:
                self._transport.write(piece)
                provider.wake(self, at_ns + int(orders.first_chunk * _NS))
                return
        now_ns = monotonic_ns()
        if self._chunks:
            piece = wire.next_chunk(now_ns)
        else:
            piece += wire.first_chunk(self._received_ns, now_ns)
        self._chunks += 1
        provider.counters.chunks += 1
        if self._chunks < orders.chunks:
            self._transport.write(piece)
            provider.wake(self, at_ns + int(orders.interval * _NS) if orders.interval else now_ns)
        elif orders.fault == "cut":
            self._busy = False
            self._transport.close()
        else:
            provider.counters.streams_done += 1
            self._transport.write(piece + wire.stream_end)
            self._finish()

    def _finish(self) -> None:
        self._busy = False
        if self._held:
            held, self._held = self._held, b""
            self.data_received(held)


async def serve(port: int, orders: Orders, context: ssl.SSLContext | None = None) -> None:
    """Serve on 127.0.0.1 until it is cancelled; port 0: one of the kernel's choice."""
    loop = asyncio.get_running_loop()
    provider = Provider(loop, orders)
    server = await loop.create_server(
        lambda: Connection(provider), "127.0.0.1", port, backlog=4096, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.freeze()
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve as the command line says, until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate", help="PEM file of chain and key: serve TLS")
    for name, default in msgspec.to_builtins(Orders()).items():
        parser.add_argument("--" + name.replace("_", "-"), default=default)
    named = vars(parser.parse_args())
    port, certificate = named.pop("port"), named.pop("certificate")
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    with suppress(KeyboardInterrupt):
        uvloop.run(serve(port, msgspec.convert(named, Orders, strict=False), context))


if __name__ == "__main__":
    main()
