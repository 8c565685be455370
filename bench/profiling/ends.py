"""Both ends of korad in its own process: a client and a provider that move in lockstep.

A provider that writes as it likes lets two chunks arrive in one read at times. Here the next chunk
is written only when the last one has reached the client, so that each request takes exactly the
same way through korad and can be counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic_ns
from typing import cast

from bench.load.stand_in_orders import Orders
from bench.load.stand_in_request import next_request
from bench.load.stand_in_wire import Wire

_HEAD_END = b"\r\n\r\n"
_STREAM_END = b"data: [DONE]\n\n\r\n0\r\n"
_OK = b"HTTP/1.1 200 "


class WrongAnswerError(Exception):
    """korad did not answer as it should: what was counted means nothing."""


class Provider(asyncio.Protocol):
    """The far end of one connection."""

    transport: asyncio.Transport

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer a request that is complete; a stream begins with its head and first chunk."""
        request, self._held = next_request(self._held + data)
        if request is None:
            return
        now_ns = monotonic_ns()
        wire = self._ends.wire
        if request.streamed:
            self._ends.provider = self
            self.transport.write(wire.stream_head + wire.first_chunk(now_ns, now_ns))
        else:
            self.transport.write(wire.plain(now_ns, now_ns))

    def go_on(self, *, last: bool) -> None:
        """Write a stream's next chunk, or its end."""
        wire = self._ends.wire
        self.transport.write(wire.stream_end if last else wire.next_chunk(monotonic_ns()))


class Client(asyncio.Protocol):
    """The near end: one connection, one request at a time."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._answer = b""
        self._done: asyncio.Future[bytes] | None = None
        self._chunks = 0
        self._is_stream = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, *, stream: bool) -> asyncio.Future[bytes]:
        """Send a whole request; the future has the whole answer."""
        self._done = asyncio.get_running_loop().create_future()
        self._answer = b""
        self._chunks = 0
        self._is_stream = stream
        self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        """Take what came; a chunk calls for the next one."""
        self._answer += data
        if not self._is_stream:
            head, found, body = self._answer.partition(_HEAD_END)
            if found and len(body) >= _content_length(head):
                self._finish()
        elif self._answer.endswith(_HEAD_END) and _STREAM_END in self._answer:
            self._finish()
        elif b'"content":"t=' in data:
            self._chunks += 1
            provider = self._ends.provider
            assert provider is not None
            provider.go_on(last=self._chunks >= self._ends.chunks)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        """Say so to whoever waits."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(WrongAnswerError("korad closed the connection"))

    def _finish(self) -> None:
        assert self._done is not None
        if not self._answer.startswith(_OK):
            self._done.set_exception(WrongAnswerError(self._answer[:500].decode("latin-1")))
        else:
            self._done.set_result(self._answer)

    def close(self) -> None:
        """Hang up."""
        self._done = None
        self._transport.close()


class Ends:
    """What client and provider share."""

    def __init__(self, *, chunks: int) -> None:
        """Let streams have that many chunks with text."""
        self.chunks = chunks
        self.wire = Wire(Orders(chunks=chunks))
        self.provider: Provider | None = None
        """Of the stream under way."""

    async def listen(self) -> tuple[asyncio.Server, int]:
        """Serve as the provider; return the server and its port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Provider(self), "127.0.0.1", 0)
        return server, server.sockets[0].getsockname()[1]

    async def connect(self, port: int) -> Client:
        """Return a client connected to korad."""
        make: Callable[[], Client] = lambda: Client(self)  # noqa: E731 - create_connection's type
        _, client = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
        return client


def _content_length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    return int(head[at:].split(b"\r", 1)[0])
