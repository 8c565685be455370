"""The near socket: aiohttp's RequestHandler with a fast lane in front.

A request that arrives in exactly the hot shape (see `korad.wire.http1`) is served from here, with
no request object, router, task or timer. Anything else, whatever it is, goes to aiohttp's parser
and application, and the connection stays there: the fast lane never has to be clever.
Per small request this lane costs 54 us where aiohttp's costs 89, both on a raw upstream leg.

The two lanes share this object, so pausing, resuming and losing the connection are dealt with
once, for the relay that is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.tcp_helpers import tcp_keepalive
from aiohttp.web_protocol import RequestHandler

from korad.domain.exchange import RequestHead
from korad.errors import KoradError, body_timed_out, invalid_request, server_error
from korad.web.ahead import BODY_BYTES_MIN, Ahead
from korad.web.error_response import error_response
from korad.web.heads import KnownHead
from korad.web.relay import Relay
from korad.web.shell import Shell
from korad.wire.http1 import HOT_REQUEST_LINE, error_answer

PIPELINED_BYTES_MAX = 65_536
"""Bytes of further requests kept while an answer is under way; then reading pauses."""
WRITE_BUFFER_BYTES_MAX = 64 * 1024
"""Answer bytes a slow client may leave in the transport before the provider is paused."""
_HEAD_END = b"\r\n\r\n"


class FastLane(RequestHandler):
    """One client connection."""

    __slots__ = (
        "_ahead", "_done", "_have", "_head", "_known", "_need", "_pieces", "_relay", "_shell",
        "_slow", "_stalled", "_tail", "deadline", "fresh",
    )  # fmt: skip

    def __init__(self, manager: web.Server, shell: Shell, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._shell = shell
        self._relay: Relay | None = None
        self._slow = not shell.settings.fast_lane
        self.fresh = True  # nothing was asked yet: the first request may be on its way
        self._done: asyncio.Future[bool] | None = None
        self._tail = b""
        self._head: RequestHead | None = None
        self._known: KnownHead | None = None
        self._pieces: list[bytes] = []
        self._need = 0
        self._have = 0
        self._ahead: Ahead | None = None
        self._stalled = False
        self.deadline = 0.0

    # ── asyncio.Protocol ─────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; aiohttp's task starts only when its lane is needed."""
        BaseProtocol.connection_made(self, transport)
        real = cast("asyncio.Transport", transport)
        tcp_keepalive(real)
        real.set_write_buffer_limits(WRITE_BUFFER_BYTES_MAX)
        assert self._manager is not None
        self._manager.connection_made(self, real)
        shell = self._shell
        self.deadline = shell.deadlines.now + shell.settings.head_timeout_s
        shell.deadlines.add(self)
        if len(self._manager._connections) > shell.settings.connections_max:  # noqa: SLF001 - our own base class's table
            self.force_close()
        elif self._slow:
            self._task_handler = self._loop.create_task(self.start())

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell the relay under way."""
        self._shell.deadlines.discard(self)
        super().connection_lost(exc)
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.client_gone()
        self._release_handler(keep_alive=False)
        self._ahead, self._pieces, self._tail = None, [], b""

    def data_received(self, data: bytes) -> None:
        """Serve the hot shape here; hand everything else to aiohttp."""
        if self._slow:
            if self._relay is None and self._current_request is None:
                self.deadline = min(
                    self.deadline, self._shell.deadlines.now + self._shell.settings.head_timeout_s
                )
            super().data_received(data)
        elif self._relay is not None or self._tail or self._stalled:
            # Behind a kept tail too: it is the next request only once the loop comes round to it.
            self._keep_for_later(data)
        elif self._need:
            self._pieces.append(data)
            self._have += len(data)
            if self._ahead is not None:
                self._ahead.feed(self._pieces)
            self._shell_deadline(self._shell.settings.body_idle_timeout_s)
            if self._have >= self._need:
                self._serve_collected()
        else:
            self._begin(data)

    def pause_writing(self) -> None:
        """Stop reading from the provider until the client has caught up."""
        super().pause_writing()
        self._stalled = True
        self._shell_deadline(self._shell.settings.write_stall_timeout_s)
        if self._relay is not None:
            self._relay.pause()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._stalled = False
        if self._relay is not None:
            self.deadline = float("inf")
            self._relay.resume()
            return
        self._shell_deadline(self._shell.settings.keepalive_timeout_s)
        if self._tail:
            self._loop.call_soon(self._next_request)

    def on_deadline(self) -> None:
        """Close what waits too long: for a head, a body, the next request, a reader."""
        if self.transport is None:
            return
        if self._stalled or (self._relay is None and self.transport.get_write_buffer_size()):
            # Also what is below the mark: a close would wait for this reader for ever.
            self.transport.abort()
        elif self._relay is None and self._current_request is None:
            if self._need:
                self.write(error_answer(body_timed_out(), self._shell.lines(close=True)))
            self.force_close()

    # ── the fast lane ────────────────────────────────────────────────────────────────────────

    def _begin(self, data: bytes) -> None:
        """Look at the start of a request."""
        shell, known = self._shell, self._known
        if known is not None and (found := known.find(data)) is not None:
            head, (length, head_end) = known.head, found
        else:
            head_end = data.find(_HEAD_END) + len(_HEAD_END)
            if (
                head_end < len(_HEAD_END)
                or not data.startswith(HOT_REQUEST_LINE)
                or head_end > shell.head_bytes_max
                or (hot := shell.heads.read_hot(data[:head_end])) is None
            ):
                self._stand_aside(data)
                return
            head, length, self._known = hot
        if length > shell.body_bytes_max or head_end > shell.head_bytes_max:
            self._stand_aside(data)
            return
        end = head_end + length
        if len(data) >= end:
            self._tail = data[end:]
            self._serve(head, data[head_end:end])
            return
        self._head, self._need = head, length
        self._pieces = [data[head_end:]]
        self._have = len(data) - head_end
        if length >= BODY_BYTES_MIN:
            self._ahead = Ahead(shell, head)
        self._shell_deadline(shell.settings.body_idle_timeout_s)

    def _serve_collected(self) -> None:
        head, need = self._head, self._need
        data = b"".join(self._pieces)
        assert head is not None
        self._head, self._pieces, self._need, self._have = None, [], 0, 0
        self._ahead = None
        self._tail = data[need:]
        self._serve(head, data[:need] if len(data) > need else data)

    def _serve(self, head: RequestHead, body: bytes) -> None:
        self.fresh = False
        self.deadline = float("inf")
        relay = self._relay = Relay(self._shell, self, keep_alive=True, chunked=True)
        relay.start(head, body)

    def _keep_for_later(self, data: bytes) -> None:
        self._tail += data
        if len(self._tail) > PIPELINED_BYTES_MAX and self.transport is not None:
            # A client that leaves is not noticed while reading pauses; one that pipelines this
            # much while it waits has given that up.
            self.transport.pause_reading()

    def _next_request(self) -> None:
        """Go on with what was pipelined behind the last request."""
        if self._relay is not None or self._stalled or self._slow:
            return
        if self._tail and self.transport is not None:
            data, self._tail = self._tail, b""
            self._begin(data)
            if len(self._tail) <= PIPELINED_BYTES_MAX and not self._slow:
                self._resume_transport_reading()

    def _stand_aside(self, data: bytes) -> None:
        """Give the connection, from this byte on, to aiohttp's own lane."""
        self._slow = True
        self._resume_transport_reading()
        self._shell_deadline(self._shell.settings.head_timeout_s)
        self._task_handler = self._loop.create_task(self.start())
        super().data_received(data)

    def _shell_deadline(self, seconds: float) -> None:
        self.deadline = self._shell.deadlines.now + seconds

    # ── the relay's end (web.relay.Client) ───────────────────────────────────────────────────

    def write(self, data: bytes) -> None:
        """Send bytes to the client."""
        if self.transport is not None:
            self.transport.write(data)

    @property
    def writer(self) -> Callable[[bytes], None] | None:
        """Return what sends bytes to this client; None: it is gone."""
        return None if self.transport is None else self.transport.write

    def relay_done(self, *, keep_alive: bool) -> None:
        """Take the connection back from the relay."""
        self._relay = None
        if not self._stalled:
            self._shell_deadline(self._shell.settings.keepalive_timeout_s)
        if self._slow:
            self._release_handler(keep_alive=keep_alive)
        elif not keep_alive or self._shell.closing:
            if self.transport is not None:
                self.transport.close()
        elif self._tail and not self._stalled:
            # Through the loop: a thousand pipelined requests must not be a thousand frames deep.
            self._loop.call_soon(self._next_request)

    async def relay(
        self, head: RequestHead, body: bytes, *, keep_alive: bool, chunked: bool
    ) -> bool:
        """Serve a request that aiohttp has parsed; return whether the connection may go on."""
        done: asyncio.Future[bool] = self._loop.create_future()
        self._done = done
        self.fresh = False
        self.deadline = float("inf")
        relay = self._relay = Relay(self._shell, self, keep_alive=keep_alive, chunked=chunked)
        relay.start(head, body)
        keep_alive = await done
        if keep_alive and self._stalled:
            # The next request waits until this answer is read: answers must not pile up.
            await self._drain_helper()
        return keep_alive

    @property
    def is_receiving(self) -> bool:
        """Whether a request's head has come and its body is on its way."""
        return self._relay is None and (self._need > 0 or self._current_request is not None)

    def close_if_idle(self) -> None:
        """Close a connection on which nothing is under way; part of a drain."""
        if self._relay is None and not self.is_receiving:
            self.force_close()

    def await_next_request(self) -> None:
        """Give the client the keep-alive time to send another request."""
        self.fresh = False
        self._shell_deadline(self._shell.settings.keepalive_timeout_s)

    def _release_handler(self, *, keep_alive: bool) -> None:
        done, self._done = self._done, None
        if done is not None and not done.done():
            done.set_result(keep_alive)

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what aiohttp could not parse, or our own bug, in OpenAI's error shape."""
        error: KoradError
        if status == HTTPStatus.BAD_REQUEST:
            # aiohttp's own message quotes the request's bytes; they may hold a key.
            error = invalid_request("The request is not valid HTTP.", code="bad_request")
        else:
            self.log_exception("Error handling request", exc_info=exc)
            error = server_error(500, "The server had an error.", "internal_error")
        return error_response(error, self._shell, close=True)
