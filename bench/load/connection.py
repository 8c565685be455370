"""A client's keep-alive connections: raw protocols, and a pool that prefers the warmest."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from time import monotonic_ns
from typing import cast

from bench.load.answer_reader import AnswerError, AnswerReader
from bench.load.exchange import OK, Exchange

_SLOW_BUFFER_BYTES = 4_096
_CONNECT_S = 10.0


class Connection(asyncio.Protocol):
    """One request at a time; its exchange is told of the answer, the pool of the end."""

    def __init__(self, pool: Pool, *, kept: bool) -> None:
        self.exchange: Exchange | None = None
        self._pool = pool
        self._kept = kept
        self._reader = AnswerReader()

    def send(self, exchange: Exchange, request: bytes) -> None:
        """Send a request; the connection must be idle."""
        self.exchange = exchange
        exchange.carrier = self
        self._reader.begin()
        self._transport.write(request)

    def stop(self, kind: str | None) -> None:
        """Leave the answer and close; `kind` is the class of error, None: as planned."""
        exchange, self.exchange = self.exchange, None
        self._transport.abort()
        if exchange is not None:
            self._pool.ended(exchange, kind, monotonic_ns(), left=kind is None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        now_ns = monotonic_ns()
        exchange = self.exchange
        if exchange is None:  # nobody asked
            self._transport.abort()
            return
        reader = self._reader
        exchange.heard_ns = now_ns
        try:
            body = reader.feed(data)
        except AnswerError:
            self.stop("bad body")
            return
        if body and reader.status == OK and exchange.body(body, now_ns):
            self.stop(None)
        elif reader.complete:
            self._complete(exchange, now_ns, body)
        elif exchange.ask.slow:
            self._transport.pause_reading()
            self._pool.later(len(data), self._read_on)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface
        """Tell how it ends for the exchange that was under way."""
        self._pool.forget(self)
        exchange = self.exchange
        if exchange is None:
            return
        if self._reader.ends_with_connection:
            self._complete(exchange, monotonic_ns())
            return
        self.exchange = None
        kind = exchange.cut() if self._reader.status == OK else "reset"
        self._pool.ended(exchange, kind, monotonic_ns())

    def _complete(self, exchange: Exchange, now_ns: int, last: bytes = b"") -> None:
        """Judge a whole answer; `last` is the last piece of its body, of a short one all."""
        self.exchange = None
        status = self._reader.status
        kind = exchange.verdict() if status == OK else f"status {status}"
        if self._kept and self._reader.keep_alive:
            self._pool.idle.append(self)
        else:
            self._transport.close()
        if kind is None:  # `Pool.ended` for the usual case, without its calls
            exchange.succeed(now_ns)
            exchange.carrier = None
            self._pool.on_end(exchange, now_ns, True)  # noqa: FBT003
        else:
            if status != OK:
                exchange.recorder.refused(kind, last)
            self._pool.ended(exchange, kind, now_ns)

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()


class Pool:
    """The connections to one origin. `on_end(exchange, now_ns, ok)` follows each exchange."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        context: ssl.SSLContext | None,
        server_name: str,
        slow_bytes_per_s: int,
        on_end: Callable[[Exchange, int, bool], None],
    ) -> None:
        self.idle: list[Connection] = []
        self._address = address
        self._context = context
        self._server_name = server_name if context else None
        self._slow_bytes_per_s = slow_bytes_per_s
        self.on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()

    def send(self, exchange: Exchange, request: bytes) -> None:
        """Send a request on the connection used last, or a new one; a slow reader has its own."""
        if self.idle and not exchange.ask.slow:
            self.idle.pop().send(exchange, request)
            return
        task = self._loop.create_task(self._connect(exchange, request))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def ended(
        self, exchange: Exchange, kind: str | None, now_ns: int, *, left: bool = False
    ) -> None:
        """Record an exchange's end, and tell whoever sent it."""
        recorder = exchange.recorder
        if left:
            recorder.left_at.append(now_ns)
        elif kind is None:
            exchange.succeed(now_ns)
        else:
            recorder.failed(kind, exchange.intended_ns, now_ns)
        exchange.carrier = None
        self.on_end(exchange, now_ns, kind is None and not left)

    def later(self, read_bytes: int, read_on: Callable[[], None]) -> None:
        """Let a slow reader read on when the bytes it has read have taken their time."""
        self._loop.call_later(read_bytes / self._slow_bytes_per_s, read_on)

    def forget(self, connection: Connection) -> None:
        """Do not use a closed connection."""
        if connection in self.idle:
            self.idle.remove(connection)

    async def close(self) -> None:
        """Close what is open and idle."""
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self.idle):
            connection.stop(None)
        await asyncio.sleep(0)

    async def _connect(self, exchange: Exchange, request: bytes) -> None:
        slow = exchange.ask.slow
        try:
            async with asyncio.timeout(_CONNECT_S):
                connection = await self._open(slow=slow)
        except TimeoutError:
            self.ended(exchange, "timeout", monotonic_ns())
        except ConnectionRefusedError:
            self.ended(exchange, "refused", monotonic_ns())
        except OSError:
            self.ended(exchange, "no connection", monotonic_ns())
        else:
            connection.send(exchange, request)

    async def _open(self, *, slow: bool) -> Connection:
        def make() -> Connection:
            return Connection(self, kept=not slow)

        loop = self._loop
        if not slow:
            _, made = await loop.create_connection(
                make, *self._address, ssl=self._context, server_hostname=self._server_name
            )
            return made
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        narrow = socket.socket(family)
        narrow.setblocking(False)  # noqa: FBT003 - socket's own interface
        # The kernel must not read ahead for a slow reader; it has to know before it connects.
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER_BYTES)
        try:
            await loop.sock_connect(narrow, self._address)
        except OSError:
            narrow.close()
            raise
        _, made = await loop.create_connection(
            make, sock=narrow, ssl=self._context, server_hostname=self._server_name
        )
        return made
