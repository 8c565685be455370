"""The listening sockets of a worker, and how it stops: nobody is turned away, nobody unbilled.

A client on a kept connection knows that the server may close it, and asks again. One that has just
connected does not: it is served, though the worker is about to end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

from korad.web.fast_lane import FastLane
from korad.web.shell import Shell

BACKLOG = 4_096
NEWCOMERS_S = 1.0
"""How long the first request of a client that has connected is waited for."""
_POLL_S = 0.02
CUT_SHORT_S = 1.0
"""What is left at the end of a drain gets this long to be settled."""
_log = logging.getLogger("korad")

Lanes = Callable[[], Sequence[FastLane]]


class Listener:
    """One socket that listens, and the connections it makes."""

    def __init__(self, sock: socket.socket, connection: Callable[[], FastLane]) -> None:
        """Listen on `sock`, bound and non-blocking; each client is given to a new `connection`."""
        self._sock = sock
        self._connection = connection
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, sock=self._sock, backlog=BACKLOG
        )

    def close(self) -> list[socket.socket]:
        """Stop listening; return the connections that the kernel had already made.

        It would reset them: they are taken out of its queue up to the very moment of the close.
        """
        assert self._server is not None
        waiting = _accept_all(self._sock)
        self._server.close()
        return waiting

    async def adopt(self, waiting: Sequence[socket.socket]) -> None:
        """Serve the connections that `close` returned."""
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 - positional only
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, each)


async def turn_nobody_away(
    listeners: Sequence[Listener], lanes: Lanes, *, deadline_s: float
) -> None:
    """Close `listeners` and all idle `lanes`; let clients that have just connected ask first.

    What is on its way, a request's body too, is waited for until the loop's time `deadline_s`.
    """
    waiting = [(listener, listener.close()) for listener in listeners]
    for listener, connections in waiting:
        await listener.adopt(connections)
    for lane in lanes():
        if not lane.fresh:
            lane.close_if_idle()
    loop = asyncio.get_running_loop()
    newcomers_until_s = min(deadline_s, loop.time() + NEWCOMERS_S)

    def is_awaited(lane: FastLane) -> bool:
        if lane.is_receiving:
            return loop.time() < deadline_s
        return lane.fresh and loop.time() < newcomers_until_s

    while any(map(is_awaited, lanes())):  # noqa: ASYNC110 - see below
        await asyncio.sleep(_POLL_S)  # an event would cost every request
    for lane in lanes():
        lane.close_if_idle()


async def cut_short(shell: Shell, lanes: Lanes) -> None:
    """Drop the clients still served; what their exchanges consumed is counted and recorded."""
    if not shell.inflight:
        return
    _log.warning("%d exchanges were cut short by the end of the drain", shell.inflight)
    for lane in lanes():
        if lane.transport is not None:
            lane.transport.abort()
    try:
        async with asyncio.timeout(CUT_SHORT_S):
            await shell.idle.wait()
    except TimeoutError:
        _log.error("%d exchanges ended without a record", shell.inflight)


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    waiting = []
    while True:
        try:
            waiting.append(listener.accept()[0])
        except ConnectionError:
            continue  # this one has left
        except OSError:
            return waiting  # nobody is left, or there is no descriptor to take them
