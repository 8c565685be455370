"""Connections to providers: reuse the warmest, open up to the cap, queue a little, retry once."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque

from korad.domain.exchange import UpstreamCall
from korad.domain.upstream import Origin, Provider
from korad.errors import KoradError, server_error, upstream_error
from korad.ports import Deadlines
from korad.upstream.answer_head import HeadReader
from korad.upstream.connection import UpstreamConnection
from korad.upstream.listener import ChunkBypass, Handle, Listener
from korad.upstream.tls import client_context

IDLE_S_MAX = 55.0
"""How long an idle connection is kept: common servers and balancers close theirs after 60 s."""
WAITING_MAX = 1_000
"""Requests that may wait for one of a provider's connections."""


class Pool:
    """One site per provider row."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._sites: dict[str, Site] = {}

    def send(self, call: UpstreamCall, listener: Listener) -> Handle:
        """Send `call` and tell `listener` about it. Raises ServerError: 503, overloaded."""
        site = self._sites.get(call.provider.name)
        if site is None:
            site = self._sites[call.provider.name] = Site(call.provider, self._deadlines)
        return site.send(call.head, call.body, listener)

    async def close(self) -> None:
        """Close idle connections and stop connecting."""
        for site in self._sites.values():
            await site.close()


class Pending:
    """The handle of a request that has no connection yet, and of what becomes of it."""

    __slots__ = ("body", "connection", "head", "listener")

    def __init__(self, head: bytes, body: bytes, listener: Listener) -> None:
        self.head = head
        self.body = body
        self.listener: Listener | None = listener
        self.connection: UpstreamConnection | None = None

    def go(self, connection: UpstreamConnection) -> None:
        """Send the request, nobody having cancelled it."""
        assert self.listener is not None
        self.connection = connection
        connection.send(self.head, self.body, self.listener)

    def cancel(self, listener: Listener) -> None:
        """Drop the request wherever it is."""
        self.listener = None
        self.head = self.body = b""
        if self.connection is not None:
            self.connection.cancel(listener)

    def bypass(self, listener: Listener, way: ChunkBypass) -> None:
        """Offer chunks of the answer to `way` first."""
        if self.connection is not None:
            self.connection.bypass(listener, way)

    def pause(self, listener: Listener) -> None:
        """Stop reading the answer."""
        if self.connection is not None:
            self.connection.pause(listener)

    def resume(self, listener: Listener) -> None:
        """Read the answer again."""
        if self.connection is not None:
            self.connection.resume(listener)


class Site:
    """The connections of one provider row."""

    def __init__(self, provider: Provider, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self._provider = provider
        self._tls = client_context() if provider.origin.scheme == "https" else None
        self._heads = HeadReader()
        self._idle: list[UpstreamConnection] = []
        self._connections: set[UpstreamConnection] = set()
        """Open ones and those being opened."""
        self._waiting: deque[Pending] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, head: bytes, body: bytes, listener: Listener) -> Handle:
        """Send on an idle connection, else open one, else wait for one."""
        idle = self._idle
        while idle:
            # Last in, first out: the warmest connection, and the others may go idle and close.
            connection = idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                connection.send(head, body, listener)
                return connection
        pending = Pending(head, body, listener)
        if len(self._waiting) >= WAITING_MAX:
            # Those whose clients have left must not keep others out.
            self._waiting = deque(each for each in self._waiting if each.listener is not None)
        if len(self._connections) < self._provider.connections_max:
            self._connect(pending)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(pending)
        else:
            raise server_error(
                503,
                f"Too many requests wait for the provider '{self._provider.name}'.",
                "overloaded",
                retry_after_s=1,
            )
        return pending

    def retry(self, head: bytes, body: bytes, listener: Listener) -> None:
        """Send once more, on a connection that is certainly new."""
        pending = Pending(head, body, listener)
        listener.on_retry(pending)
        self._connect(pending)

    def released(self, connection: UpstreamConnection) -> None:
        """Take back a connection whose answer is complete."""
        while self._waiting:
            pending = self._waiting.popleft()
            if pending.listener is not None:
                pending.go(connection)
                return
        connection.deadline = self.deadlines.now + IDLE_S_MAX
        self._idle.append(connection)

    def closed(self, connection: UpstreamConnection) -> None:
        """Forget a connection that is gone, and open another if somebody waits."""
        self._connections.discard(connection)
        self.deadlines.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._serve_waiting()

    async def close(self) -> None:
        """Close idle connections and stop connecting."""
        for connection in list(self._idle):
            connection.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve_waiting(self) -> None:
        connections_max = self._provider.connections_max
        while self._waiting and len(self._connections) < connections_max:
            pending = self._waiting.popleft()
            if pending.listener is not None:
                self._connect(pending)

    def _connect(self, pending: Pending) -> None:
        connection = UpstreamConnection(self, self._provider.timeouts, self._heads)
        self._connections.add(connection)
        opening = self._open_connection(connection, pending)
        task = asyncio.get_running_loop().create_task(opening)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_connection(self, connection: UpstreamConnection, pending: Pending) -> None:
        origin = self._provider.origin
        try:
            async with asyncio.timeout(self._provider.timeouts.connect_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, origin.host, origin.port, ssl=self._tls
                )
        except (OSError, UnicodeError, TimeoutError, asyncio.CancelledError) as error:
            # UnicodeError: a host that no DNS name can spell ("a..b", a label of 64 characters).
            # It may have been made in the very moment of the time-out.
            connection.close()
            self.closed(connection)
            if pending.listener is not None:
                pending.listener.on_failure(_unreachable(origin, error))
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        if not connection.is_usable:
            if pending.listener is not None:
                pending.listener.on_failure(_unreachable(origin, None))
            return
        connection.deadline = self.deadlines.now + IDLE_S_MAX
        self.deadlines.add(connection)
        if pending.listener is None:
            # Its client left while we connected: the connection serves the next one.
            self.released(connection)
        else:
            pending.go(connection)


def _unreachable(origin: Origin, error: BaseException | None) -> KoradError:
    if isinstance(error, TimeoutError):
        return upstream_error(504, "Connecting to the provider timed out.", "upstream_timeout")
    if isinstance(error, ssl.SSLCertVerificationError):
        return upstream_error(
            502, "The provider's TLS certificate could not be verified.", "upstream_unreachable"
        )
    return upstream_error(
        502, f"The provider at {origin.host} could not be reached.", "upstream_unreachable"
    )
