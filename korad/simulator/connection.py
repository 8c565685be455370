"""One client connection: HTTP/1.1 in, and the steps of a delivery out.

Hand-written on asyncio's transport, since most faults are things no HTTP server can be asked
for: a reset, half a head, a length that is not true.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import Protocol, cast

import httptools

from korad.simulator.delivery import End, Send, Step, Wait
from korad.simulator.ledger import CapturedRequest, LedgerEntry

BODY_BYTES_MAX = 64 * 1024 * 1024
PIPELINED_MAX = 100
"""Requests one connection may have waiting; beyond that it is closed."""

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_RESET = struct.pack("ii", 1, 0)


class Play:
    """An answer being sent: the steps still to do, and the entry that records them."""

    __slots__ = ("entry", "stale_after", "steps")

    def __init__(
        self, steps: Iterator[Step], entry: LedgerEntry, *, stale_after: bool = False
    ) -> None:
        self.steps = steps
        self.entry = entry
        self.stale_after = stale_after
        """Close when another request comes on this connection."""


class Service(Protocol):
    """What a connection needs of the simulator."""

    def answer(self, request: CapturedRequest) -> Play:
        """Return how `request` is answered."""
        ...

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        ...

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is gone."""
        ...

    def progressed(self) -> None:
        """Look again at what somebody waits for."""
        ...

    def now_s(self) -> int:
        """Return Unix seconds."""
        ...


class Connection(asyncio.Protocol):
    """See the module."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._stale = False
        self._paused = False
        # the request being read
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = 0
        # the answer being sent
        self._waiting: deque[tuple[CapturedRequest, bool]] = deque()
        self._play: Play | None = None
        self._keep_alive = True
        self._due_s = 0.0
        self._timer: asyncio.Handle | None = None

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # what the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._service.opened(self)

    def data_received(self, data: bytes) -> None:
        """Parse requests, or close where the last answer's fault says so."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._stale:
            transport.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            transport.write(BAD_REQUEST)
            transport.close()
            return
        if len(self._waiting) > PIPELINED_MAX:
            self.abort()
        # Not from the parser's callback, which would take an error of ours for the client's.
        elif self._waiting and self._play is None and self._timer is None:
            self._answer_next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a reset and a close are alike here
        """Give up the answer being sent: the client is gone."""
        if self._timer is not None:
            self._timer.cancel()
        play, self._play, self._transport = self._play, None, None
        self._waiting.clear()
        if play is not None:
            play.entry.aborted_at = self._service.now_s()
            play.entry.aborted_monotonic_s = self._loop.time()
        self._service.closed(self)
        self._service.progressed()

    def pause_writing(self) -> None:
        """Hold the next step: the client reads too slowly."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        if self._play is not None and self._timer is None:
            self._advance()

    # what the parser says

    def on_message_begin(self) -> None:
        """Start a request."""
        self._path = b""
        self._headers = []
        self._body = []
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line; let a client that waits for leave send its body."""
        self._headers.append((name, value))
        if name.lower() == b"expect" and self._transport is not None:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > BODY_BYTES_MAX:
            self.abort()

    def on_message_complete(self) -> None:
        """Put the request in line."""
        request = CapturedRequest(
            method=self._parser.get_method().decode("ascii"),
            path=self._path.decode("latin-1"),
            raw_headers=self._headers,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
        )
        self._waiting.append((request, self._parser.should_keep_alive()))

    # sending

    def _answer_next(self) -> None:
        request, self._keep_alive = self._waiting.popleft()
        self._play = self._service.answer(request)
        self._due_s = 0.0
        self._service.progressed()
        self._advance()

    def _advance(self) -> None:
        """Do steps until one of them waits, ends the answer, or the client reads too slowly."""
        self._timer = None
        play, transport = self._play, self._transport
        if play is None or transport is None:
            return
        for step in play.steps:
            if type(step) is Send:
                transport.write(step.data)
                self._record(play.entry, step)
                if self._paused:
                    return
            elif type(step) is Wait:
                self._schedule(step.seconds)
                return
            else:
                self._end(cast("End", step), play, transport)
                return

    def _record(self, entry: LedgerEntry, step: Send) -> None:
        entry.bytes_sent += len(step.data)
        entry.completion_tokens = max(entry.completion_tokens, step.tokens)
        if step.usage:
            entry.usage_sent = True
        self._service.progressed()

    def _schedule(self, seconds: float) -> None:
        if not seconds:
            self._timer = self._loop.call_soon(self._advance)
            return
        # Steady pace: a late event does not push back all that follow it.
        now_s = self._loop.time()
        self._due_s = max(now_s, (self._due_s or now_s) + seconds)
        self._timer = self._loop.call_at(self._due_s, self._advance)

    def _end(self, end: End, play: Play, transport: asyncio.Transport) -> None:
        if end is End.STALL:
            self._service.progressed()
            return
        self._play = None
        if end in {End.COMPLETE, End.COMPLETE_CLOSE}:
            play.entry.completed = True
            self._stale = play.stale_after
        if end is End.RESET:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET
            )
            transport.abort()
        elif end in {End.CLOSE, End.COMPLETE_CLOSE} or not self._keep_alive:
            transport.close()
        elif self._waiting and not self._stale:
            self._timer = self._loop.call_soon(self._answer_next)
        self._service.progressed()
