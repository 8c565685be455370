"""A provider with TLS 1.3 that counts handshakes: `python -m bench.tls.provider FOLDER`.

It listens on three ports of the kernel's choice, and prints them as JSON: without TLS, with TLS,
and with TLS but without session tickets, so that no session can be resumed there. `GET /counts` on
the first returns the counters and sets them to zero. A request with `Connection: close` is the
last one of its connection.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.load.stand_in_orders import Orders
from bench.load.stand_in_request import next_request
from bench.load.stand_in_wire import Wire
from bench.tls.certificate import CERTIFICATE, HOST, KEY


class Ports(msgspec.Struct, frozen=True):
    """Where the provider listens."""

    plain: int
    tls: int
    tls_without_tickets: int


class Counters(msgspec.Struct):
    """What happened since they were last asked for."""

    requests: int = 0
    connections: int = 0
    full: int = 0
    """Handshakes with certificate and signature."""
    resumed: int = 0
    """Handshakes by a session of an earlier connection."""
    cipher: str = ""
    """Of the last handshake, its version with it."""


class Service:
    """What all connections share."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.answer = Wire(Orders()).plain(0, 0)
        self.last_answer = self.answer.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)

    def take_counters(self) -> bytes:
        """Return the counters as an answer, and begin to count anew."""
        body = msgspec.json.encode(self.counters)
        self.counters = Counters()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Connection(asyncio.Protocol):
    """One connection of korad's."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the handshake that has just been done."""
        self._transport = cast("asyncio.Transport", transport)
        counters = self._service.counters
        counters.connections += 1
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            counters.resumed += bool(tls.session_reused)
            counters.full += not tls.session_reused
            cipher = tls.cipher()
            counters.cipher = f"{tls.version()} {cipher and cipher[0]}"

    def data_received(self, data: bytes) -> None:
        """Answer a request that is complete."""
        request, self._held = next_request(self._held + data)
        if request is None:
            return
        service = self._service
        if request.head.startswith(b"GET /counts "):
            self._transport.write(service.take_counters())
            return
        service.counters.requests += 1
        if b"\r\nconnection: close\r\n" in request.head.lower():
            self._transport.write(service.last_answer)
            self._transport.close()
        else:
            self._transport.write(service.answer)


def server_context(folder: Path, *, tickets: int) -> ssl.SSLContext:
    """Return a TLS 1.3 context that hands out so many session tickets a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = tickets
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def serve(folder: Path) -> None:
    """Serve until cancelled; the ports go to standard output."""
    loop = asyncio.get_running_loop()
    service = Service()
    contexts = (None, server_context(folder, tickets=2), server_context(folder, tickets=0))
    servers = [
        await loop.create_server(lambda: Connection(service), HOST, 0, ssl=context)
        for context in contexts
    ]
    ports = Ports(*(server.sockets[0].getsockname()[1] for server in servers))
    sys.stdout.write(msgspec.json.encode(ports).decode() + "\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(serve(Path(sys.argv[1])))
