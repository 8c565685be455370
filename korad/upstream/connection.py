"""One keep-alive HTTP/1.1 connection to a provider, one exchange at a time.

llhttp (through httptools) parses the answers: it costs 2.7 us for a head of 14 lines and refuses
ambiguous framing. The listener is called once per socket read, never once per chunk.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

import httptools

from korad.domain.upstream import Timeouts
from korad.errors import KoradError, upstream_error
from korad.upstream.answer_head import HeadReader
from korad.upstream.hot_shape import HOT_STATUS_LINE, AnswerHead
from korad.upstream.listener import ChunkBypass, Listener

if TYPE_CHECKING:
    from korad.upstream.pool import Site

HEAD_BYTES_MAX = 64 * 1024
WRITE_JOINED_BYTES_MAX = 65_536
"""Up to here head and body are joined into one write; above, copying costs more than a writev."""
FIRST_FINAL_STATUS = 200


class UpstreamConnection(asyncio.Protocol):
    """A connection of one site's pool."""

    __slots__ = (
        "_answered", "_body", "_bypass", "_call", "_complete", "_deadlines", "_first_byte_s",
        "_head", "_head_bytes", "_head_told", "_headers", "_idle_s", "_in_chunk", "_keep_alive",
        "_kept", "_listener", "_overrun", "_parser", "_read_head", "_read_hot", "_reading",
        "_reused", "_site", "_status", "_way", "deadline", "on_body", "on_chunk_complete",
        "on_chunk_header", "on_header", "transport",
    )  # fmt: skip

    def __init__(self, site: Site, timeouts: Timeouts, heads: HeadReader) -> None:
        self.transport: asyncio.Transport | None = None
        self.deadline = 0.0
        self._site = site
        self._deadlines = site.deadlines
        self._first_byte_s = timeouts.first_byte_s
        self._idle_s = timeouts.idle_s
        self._read_hot = heads.read_hot
        self._read_head = heads.read
        # The exchange under way.
        self._listener: Listener | None = None
        self._call: tuple[bytes, bytes] | None = None
        self._answered = self._reused = False
        self._reading = True
        # Its answer, as far as llhttp has read it.
        self._status = self._head_bytes = 0
        self._head: AnswerHead | None = None
        self._head_told = self._keep_alive = self._complete = self._overrun = False
        self._bypass: ChunkBypass | None = None
        self._way: ChunkBypass | None = None
        """The bypass, while llhttp stands where a chunk begins."""
        self._kept = 0
        """Pieces of the body that are the answer's own, where more followed it."""
        self._headers: dict[bytes, bytes] = {}
        # llhttp calls this for every header line: a dict's own method costs no Python frame, which
        # saves 3 us an answer. Of a repeated header the last counts; framing is llhttp's.
        self.on_header = self._headers.__setitem__
        self._body: list[bytes] = []
        # The same for every piece of a body: 0.3 us a chunk.
        self.on_body = self._body.append
        # Holds something while the end of a chunk, or the first one, has not come. A chunk's end is
        # llhttp's to know: what a body holds may look like one.
        self._in_chunk: list[None] = [None]
        self.on_chunk_header = partial(self._in_chunk.append, None)
        self.on_chunk_complete = self._in_chunk.clear
        self._parser = httptools.HttpResponseParser(self)

    # ── what the pool and the relay ask ──────────────────────────────────────────────────────

    def send(self, head: bytes, body: bytes, listener: Listener) -> None:
        """Write a request and tell `listener` about its answer."""
        assert self.transport is not None
        assert self._listener is None
        self._listener = listener
        self._call = (head, body)
        self.deadline = self._deadlines.now + self._first_byte_s
        if len(body) <= WRITE_JOINED_BYTES_MAX:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        listener.on_sent()

    def cancel(self, listener: Listener) -> None:
        """Drop `listener`'s answer if it is still under way: the provider sees a reset at once."""
        if self._listener is listener:
            self._listener = None
            if self.transport is not None:
                self.transport.abort()

    def bypass(self, listener: Listener, way: ChunkBypass) -> None:
        """Offer chunks of `listener`'s answer to `way` first."""
        if self._listener is listener:
            self._bypass = way

    def pause(self, listener: Listener) -> None:
        """Stop reading, because `listener`'s client does not keep up."""
        if self._listener is listener and self._reading and self.transport is not None:
            self._reading = False
            self.transport.pause_reading()

    def resume(self, listener: Listener) -> None:
        """Read again."""
        if self._listener is listener:
            self._resume()

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection may be given a request."""
        return self.transport is not None and not self.transport.is_closing()

    def close(self) -> None:
        """Close an idle connection."""
        if self.transport is not None:
            self.transport.close()

    # ── asyncio.Protocol ─────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the pool sends the first request."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came and tell the listener once, unless it may pass as it is."""
        way = self._way
        if way is not None and way.take(data):
            # llhttp need not see a whole chunk: it stands where one begins, as before.
            self.deadline = self._deadlines.now + self._idle_s
            return
        listener = self._listener
        if listener is None:
            # Bytes nobody asked for: whatever they are, they must not become the next answer.
            self.close()
            return
        if not self._answered:
            self._answered = True
            # What ends with a line's end is no whole JSON answer, but a stream's beginning.
            if data.startswith(HOT_STATUS_LINE) and not data.endswith(b"\r\n"):
                hot = self._read_hot(data)
                if hot is not None:
                    self._keep_alive = True
                    self._release()
                    listener.on_answer(*hot)
                    return
        self.deadline = self._deadlines.now + self._idle_s
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(_broken("The provider's answer is not valid HTTP."))
            return
        if not self._head_told or self._complete:
            self._take_head_or_end(listener, len(data))
            return
        # The middle of a stream: one call per read. A size line that is not whole ends otherwise:
        # no chunk has begun, yet none can begin.
        between_chunks = not self._in_chunk and data.endswith(b"\r\n")
        self._way = self._bypass if between_chunks else None
        body = self._body
        if body:
            piece = b"".join(body)
            body.clear()
            listener.on_body(piece)

    def eof_received(self) -> None:
        """Close: a provider that is done sending is done."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the listener, or retry a request that met a stale connection."""
        self.transport = None
        self._site.closed(self)
        listener = self._listener
        if listener is None:
            return
        if self._head is not None and not self._head.is_framed:
            # Its end is the connection's (RFC 9112 6.3).
            self._complete = True
            self._tell(listener)
            return
        self._listener = None
        if self._reused and not self._answered and self._call is not None:
            # The provider closed an idle connection while the request was on its way. No byte
            # of an answer came, so it was not processed (RFC 9112 9.3.1); once, on a new one.
            self._site.retry(*self._call, listener)
            return
        listener.on_failure(
            _broken("The provider closed the connection before its answer was complete.")
        )

    def on_deadline(self) -> None:
        """End what takes too long: an answer, or an idle connection."""
        if self._listener is None:
            self.close()
        elif self._reading:
            what = "stopped sending" if self._answered else "did not answer in time"
            self._fail(upstream_error(504, f"The provider {what}.", "upstream_timeout"))

    # ── httptools callbacks ──────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Note that bytes follow a complete answer: nobody asked for them."""
        if self._complete and not self._overrun:
            self._overrun = True
            self._kept = len(self._body)

    def on_headers_complete(self) -> None:
        """Take the head, unless it is an interim one (1xx)."""
        if self._overrun:
            return
        self._status = status = self._parser.get_status_code()
        if status >= FIRST_FINAL_STATUS:
            self._head = self._read_head(status, self._headers)
            # llhttp knows this only now: at the message's end its state is already the next one's.
            self._keep_alive = self._parser.should_keep_alive()
        self._headers.clear()

    def on_message_complete(self) -> None:
        """Note the end, unless it is that of an interim answer."""
        self._complete = self._overrun or self._status >= FIRST_FINAL_STATUS

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _take_head_or_end(self, listener: Listener, read_bytes: int) -> None:
        if self._head is not None:
            self._tell(listener)
            return
        self._head_bytes += read_bytes
        if self._head_bytes > HEAD_BYTES_MAX:
            self._fail(_broken("The head of the provider's answer is too large."))

    def _tell(self, listener: Listener) -> None:
        """Tell the listener what one read brought; it may cancel at any call."""
        head, complete = self._head, self._complete
        assert head is not None
        told, self._head_told = self._head_told, True
        if self._overrun:
            del self._body[self._kept :]
        body = b"".join(self._body)
        self._body.clear()
        if complete:
            # First of all, so that the listener's next request finds this connection free.
            self._release()
        if not told:
            listener.on_head(head)
        if body and (complete or self._listener is listener):
            listener.on_body(body)
        if complete:
            listener.on_end()

    def _release(self) -> None:
        """Be ready for another exchange, and give the connection back if it may be kept."""
        if not self._reading:
            self._resume()
        self._listener = self._call = None
        self._answered = False
        self._reused = True
        if self._head is not None:
            self._head = None
            self._complete = self._head_told = False
            self._bypass = self._way = None
            self._head_bytes = 0
            self._in_chunk[:] = (None,)
        transport = self.transport
        # An answer that came before its request was wholly written leaves the rest in the way.
        if (
            transport is not None
            and self._keep_alive
            # The parser stands inside what followed: the next answer would be read as its rest.
            and not self._overrun
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        ):
            self._site.released(self)
        else:
            self.close()

    def _resume(self) -> None:
        if not self._reading and self.transport is not None:
            self._reading = True
            self.deadline = self._deadlines.now + self._idle_s
            self.transport.resume_reading()

    def _fail(self, error: KoradError) -> None:
        listener, self._listener = self._listener, None
        if self.transport is not None:
            self.transport.abort()
        if listener is not None:
            listener.on_failure(error)


def _broken(message: str) -> KoradError:
    return upstream_error(502, message, "upstream_broken")
