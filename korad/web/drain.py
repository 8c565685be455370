"""The listening sockets of a worker, and how it stops: nobody is turned away, nobody unbilled.

A client on a kept connection knows that the server may close it, and asks again. One that has just
connected does not: it is served, though the worker is about to end.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import struct
import sys
from collections.abc import Callable, Sequence

from korad.web.fast_lane import FastLane
from korad.web.shell import Shell

BACKLOG = 4_096
NEWCOMERS_S = 1.0
"""How long the first request of a client that has connected is waited for."""
HANDSHAKES_S = 0.02
"""How long connections that are just being made get for it."""
_POLL_S = 0.02
CUT_SHORT_S = 1.0
"""What is left at the end of a drain gets this long to be settled."""
_log = logging.getLogger("korad")

_SO_ATTACH_FILTER = 26
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the flags of the TCP header,
    (0x54, 0, 0, 0x12),  # of them SYN and ACK;
    (0x15, 0, 1, 0x02),  # where it is SYN alone,
    (0x06, 0, 0, 0),  # drop the packet,
    (0x06, 0, 0, 0xFFFFFFFF),  # else take it
)
"""Lets a listening socket overlook those who would connect anew, as a program of the kernel's."""

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

    def refer(self) -> bool:
        """Let newcomers find another listener on the port; return whether that can be.

        Their first packet goes unanswered. They send it again after a second, as TCP does, and by
        then it goes to whoever shares the port.
        """
        if sys.platform != "linux" or not self._sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEPORT
        ):
            return False
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in _NO_SYN))
        where = struct.pack("HL", len(_NO_SYN), ctypes.addressof(program))
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)
        except OSError as error:
            # Where filters are not allowed: then a connection just being made may be reset.
            _log.info("newcomers cannot be referred to another listener: %s", error)
            return False
        return True

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
    loop = asyncio.get_running_loop()
    referred = [listener.refer() for listener in listeners]
    if any(referred):
        await asyncio.sleep(HANDSHAKES_S)
    waiting = [(listener, listener.close()) for listener in listeners]
    for listener, connections in waiting:
        await listener.adopt(connections)
    for lane in lanes():
        if not lane.fresh:
            lane.close_if_idle()
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
