"""A client that remembers what it received, whatever becomes of its connection.

Each attempt is a `Call` of its own with an id of its own (`X-Client-Request-Id`): nothing is sent
again under the same id, so that the provider's books, the client's and korad's can be compared
one by one.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Any, cast

import httptools
import orjson

from korad.simulator import count_words

MODEL = "openai/gpt-4o-mini"
CALL_TIMEOUT_S = 60.0
_RESET = struct.pack("ii", 1, 0)
_OK = 200


@dataclass(slots=True)
class Call:
    """One request, and what came back."""

    # what is asked
    client_id: str
    key: str
    stream: bool
    tokens: int
    prompt: str = "Say something."
    talk: tuple[str, ...] = ()
    """Messages before the prompt's own."""
    directives: str = ""
    model: str = MODEL
    max_tokens: int | None = None
    # when and how the client leaves, if it does
    leave_after_bytes: int | None = None
    leave_after_s: float | None = None
    leave_by_reset: bool = False
    # what came of it
    sent_s: float = 0.0
    first_byte_s: float | None = None
    ended_s: float = 0.0
    left_s: float | None = None
    status: int = 0
    request_id: str | None = None
    tokens_received: int = 0
    complete: bool = False
    """The whole answer came, `[DONE]` included."""
    bytes_received: int = 0
    error: str | None = None
    error_code: str | None = None
    reused: bool = False
    """It was not the first on its connection."""

    @property
    def ok(self) -> bool:
        """Whether a whole answer came, and it was a good one."""
        return self.complete and self.status == _OK

    def request(self) -> bytes:
        """Return the bytes to send."""
        text = f"[[simulate tokens={self.tokens} {self.directives}]] {self.client_id} {self.prompt}"
        members: dict[str, Any] = {
            "model": self.model,
            "stream": self.stream,
            "messages": [{"role": "user", "content": each} for each in (*self.talk, text)],
        }
        if self.max_tokens is not None:
            members["max_tokens"] = self.max_tokens
        body = orjson.dumps(members)
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: korad\r\nAuthorization: Bearer {self.key}"
            f"\r\nContent-Type: application/json\r\nX-Client-Request-Id: {self.client_id}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection to korad, one call at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._call: Call | None = None
        self._done: asyncio.Future[None] | None = None
        self._body = bytearray()
        self._keeps = False
        self._calls = 0
        self.closed = False

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect. Raises OSError."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return protocol

    @property
    def reusable(self) -> bool:
        """Whether another call may be made on it."""
        return self._keeps and not self.closed

    async def ask(self, call: Call) -> None:
        """Make a call and wait for its end, whatever that is."""
        assert self._transport is not None
        self._call, self._body, self._keeps = call, bytearray(), False
        self._parser = httptools.HttpResponseParser(self)
        self._done = self._loop.create_future()
        call.reused, self._calls = self._calls > 0, self._calls + 1
        call.sent_s = self._loop.time()
        self._transport.write(call.request())
        leave = (
            None
            if call.leave_after_s is None
            else self._loop.call_later(call.leave_after_s, self._leave)
        )
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._done
        except TimeoutError:
            self._end("timeout")
            self.abort()
        finally:
            if leave is not None:
                leave.cancel()

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    # ── what the transport says ──────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take a piece of the answer."""
        call = self._call
        if call is None:
            return
        if call.first_byte_s is None:
            call.first_byte_s = self._loop.time()
        call.bytes_received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"not HTTP: {error}")
            self.abort()
        if (
            self._call is call
            and call.leave_after_bytes is not None
            and call.bytes_received >= call.leave_after_bytes
        ):
            self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self.closed = True
        self._end("closed" if exc is None else type(exc).__name__)

    # ── what the parser says ─────────────────────────────────────────────────────────────────

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the answer's own id."""
        if name.lower() == b"x-request-id" and self._call is not None:
            self._call.request_id = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Take the status."""
        if self._call is not None:
            self._call.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """End the call."""
        self._keeps = self._parser.should_keep_alive()
        self._end(None)

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _leave(self) -> None:
        call, transport = self._call, self._transport
        if call is None or transport is None:
            return
        call.left_s = self._loop.time()
        self._end("left")
        if call.leave_by_reset:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET
            )
        transport.abort()

    def _end(self, error: str | None) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        call.ended_s = self._loop.time()
        call.error = error
        if call.stream and call.status == _OK:
            call.tokens_received, done = _streamed(bytes(self._body))
            call.complete = error is None and done
        elif error is None:
            call.complete = True
            _read_whole(call, bytes(self._body))
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


def _streamed(body: bytes) -> tuple[int, bool]:
    """Return the tokens of all complete events, and whether `[DONE]` came."""
    text: list[str] = []
    done = False
    for event in body.split(b"\n\n")[:-1]:
        if not event.startswith(b"data: "):
            continue
        if event == b"data: [DONE]":
            done = True
            continue
        choices = orjson.loads(event[6:]).get("choices", ())
        text.extend(choice.get("delta", {}).get("content") or "" for choice in choices)
    return count_words("".join(text)), done


def _read_whole(call: Call, body: bytes) -> None:
    answer: dict[str, Any] = orjson.loads(body)
    if call.status == _OK:
        call.tokens_received = count_words(answer["choices"][0]["message"]["content"] or "")
    else:
        call.error_code = answer.get("error", {}).get("code")
