"""One keep-alive HTTP/1.1 connection to a provider, one exchange at a time.

llhttp (through httptools) parses the answers: it costs 2.7 us for a head of 14 lines and refuses
ambiguous framing. The listener is called once per socket read, never once per chunk.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from korad.domain.upstream import Timeouts
from korad.domain.value import value
from korad.errors import KoradError, upstream_error

if TYPE_CHECKING:
    from korad.upstream.pool import Site

HEAD_BYTES_MAX = 64 * 1024
WRITE_JOINED_BYTES_MAX = 65_536
"""Up to here head and body are joined into one write; above, copying costs more than a writev."""


@value
class AnswerHead:
    """Status and headers of an upstream answer, names as they came."""

    status: int
    headers: list[tuple[bytes, bytes]]


class Listener(Protocol):
    """Who is told about one upstream answer. `on_end` or `on_failure` comes last, once."""

    def on_sent(self) -> None:
        """The request is written; may be called again when a stale connection is replaced."""

    def on_head(self, head: AnswerHead) -> None:
        """The final answer's head has come."""

    def on_body(self, data: bytes) -> None:
        """A piece of the body, chunked framing removed."""

    def on_end(self) -> None:
        """The answer is complete."""

    def on_retry(self, pending: object) -> None:
        """The request goes out again on a new connection, under this new handle."""

    def on_failure(self, error: KoradError) -> None:
        """No (complete) answer will come."""


class UpstreamConnection(asyncio.Protocol):
    """A connection of one site's pool."""

    __slots__ = (
        "_answered", "_body", "_complete", "_head", "_head_bytes", "_headers", "_keep", "_parser",
        "_reading", "_reused", "_site", "_status", "_timeouts", "call", "deadline", "listener",
        "transport",
    )  # fmt: skip

    def __init__(self, site: Site, timeouts: Timeouts) -> None:
        self._site = site
        self._timeouts = timeouts
        self.transport: asyncio.Transport | None = None
        self.listener: Listener | None = None
        self.call: tuple[bytes, bytes] | None = None
        self.deadline = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._reused = False
        self._reading = True
        self._reset()

    def _reset(self) -> None:
        self._head: AnswerHead | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._status = 0
        self._body: list[bytes] = []
        self._answered = False
        self._complete = False
        self._keep = False

    # ── what the pool and the relay ask ──────────────────────────────────────────────────────

    def send(self, head: bytes, body: bytes, listener: Listener) -> None:
        """Write a request and tell `listener` about its answer."""
        assert self.transport is not None and self.listener is None
        self.listener = listener
        self.call = (head, body)
        self.deadline = self._site.deadlines.now + self._timeouts.first_byte_s
        if len(body) <= WRITE_JOINED_BYTES_MAX:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        listener.on_sent()

    def cancel(self) -> None:
        """Drop the answer under way: the provider sees the connection reset at once."""
        self.listener = None
        if self.transport is not None:
            self.transport.abort()

    def pause(self) -> None:
        """Stop reading, because the client does not keep up."""
        if self._reading and self.transport is not None:
            self._reading = False
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._reading and self.transport is not None:
            self._reading = True
            self.deadline = self._site.deadlines.now + self._timeouts.idle_s
            self.transport.resume_reading()

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection may be given a request."""
        return self.transport is not None and not self.transport.is_closing()

    # ── asyncio.Protocol ─────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the pool sends the first request."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came and tell the listener once."""
        listener = self.listener
        if listener is None:
            # Bytes nobody asked for: whatever they are, they must not become the next answer.
            self.close()
            return
        self._answered = True
        self.deadline = self._site.deadlines.now + self._timeouts.idle_s
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(_broken("The provider's answer is not valid HTTP."))
            return
        if self._head is None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._fail(_broken("The head of the provider's answer is too large."))
            return
        self._tell(listener)

    def eof_received(self) -> None:
        """Close: a provider that is done sending is done."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the listener, or retry a request that met a stale connection."""
        self.transport = None
        self._site.closed(self)
        listener = self.listener
        if listener is None:
            return
        if self._head is not None and not self._complete and self._ends_with_connection():
            self._complete = True
            self._tell(listener)
            return
        self.listener = None
        if self._reused and not self._answered and self.call is not None:
            # The provider closed an idle connection while the request was on its way. No byte
            # of an answer came, so it was not processed (RFC 9112 9.3.1); once, on a new one.
            self._site.retry(*self.call, listener)
            return
        listener.on_failure(_broken("The provider closed the connection before its answer was complete."))

    def on_deadline(self) -> None:
        """End what takes too long: an answer, or an idle connection."""
        listener = self.listener
        if listener is None:
            self.close()
        elif self._reading:
            what = "stopped sending" if self._answered else "did not answer in time"
            self._fail(upstream_error(504, f"The provider {what}.", "upstream_timeout"))

    def close(self) -> None:
        """Close an idle connection."""
        if self.transport is not None:
            self.transport.close()

    # ── httptools callbacks ──────────────────────────────────────────────────────────────────

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header line."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head, unless it is an interim one (1xx)."""
        self._status = self._parser.get_status_code()
        if self._status >= 200:
            self._head = AnswerHead(status=self._status, headers=self._headers)
            self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body until the read is parsed."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Note the end, unless it is that of an interim answer."""
        if self._status >= 200:
            self._complete = True
        else:
            self._headers = []

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _tell(self, listener: Listener) -> None:
        head, body, complete = self._head, self._body, self._complete
        assert head is not None
        if self._headers is not None and head.headers is self._headers:
            self._headers = []
            listener.on_head(head)
        if body:
            self._body = []
            listener.on_body(body[0] if len(body) == 1 else b"".join(body))
        if complete and self.listener is listener:
            self._release()
            listener.on_end()

    def _release(self) -> None:
        """Give the connection back before the listener goes on, which may need one."""
        # An answer that came before its request was wholly written leaves the rest in the way.
        unsent = 0 if self.transport is None else self.transport.get_write_buffer_size()
        keep = self._keep and not unsent
        self.resume()
        self.listener = None
        self.call = None
        self._reset()
        self._reused = True
        if keep and self.is_usable:
            self._site.released(self)
        else:
            self.close()

    def _ends_with_connection(self) -> bool:
        """Return whether the answer's framing is "until the connection closes" (RFC 9112 6.3)."""
        assert self._head is not None
        framed = (b"content-length", b"transfer-encoding")
        return not any(name.lower() in framed for name, _ in self._head.headers)

    def _fail(self, error: KoradError) -> None:
        listener, self.listener = self.listener, None
        if self.transport is not None:
            self.transport.abort()
        if listener is not None:
            listener.on_failure(error)


def _broken(message: str) -> KoradError:
    return upstream_error(502, message, "upstream_broken")
