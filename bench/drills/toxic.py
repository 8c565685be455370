"""A TCP proxy that spoils what it carries; toxics are named as toxiproxy names them.

`up` is what the client sends, `down` what the server answers. Toxics are read anew for every
piece, so they may be changed while connections live. A `Trap` resets one connection at an exact
byte of one direction and is then spent.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

READ_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Toxic:
    """What is done to one direction; the defaults do nothing."""

    latency_s: float = 0.0
    """Each piece waits that long."""
    bandwidth_bytes_s: float | None = None
    slow_close_s: float = 0.0
    """An end is passed on that much later."""
    timeout: bool = False
    """Nothing passes any more, and nothing is closed."""
    slicer_bytes: int | None = None
    """Pieces no longer than this."""
    slicer_delay_s: float = 0.0
    limit_data_bytes: int | None = None
    """The connection is closed in order after so many bytes."""
    reset_peer_bytes: int | None = None
    """The connection is reset after exactly so many bytes; 0: with the first."""
    drop: bool = False
    """Everything is swallowed: a lost reply."""


@dataclass(slots=True)
class Trap:
    """Reset the connection whose `up` first carries `marker`, at `position` bytes from there.

    The position counts from the beginning of the piece with the marker, or, for `down`, in what is
    answered after it.
    """

    position: int
    down: bool = False
    marker: bytes = b"EVALSHA"
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


class ToxicProxy:
    """The proxy: a listener on 127.0.0.1, and what it does to each direction."""

    def __init__(self, *, upstream_port: int = 0, upstream_path: Path | None = None) -> None:
        self.up = Toxic()
        self.down = Toxic()
        self.refuse = False
        """New connections are reset at once: a partition."""
        self.trap: Trap | None = None
        self.port = 0
        self.resets = 0
        self._upstream_port = upstream_port
        self._upstream_path = upstream_path
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset what is open."""
        if self._server is not None:
            self._server.close()
            self.cut()
            for link in list(self._links):
                await link.gone.wait()
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    def cut(self) -> None:
        """Reset all connections."""
        for link in list(self._links):
            link.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            _reset(writer)
            return
        try:
            if self._upstream_path is not None:
                far = await asyncio.open_unix_connection(str(self._upstream_path))
            else:
                far = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            _reset(writer)
            return
        link = _Link(self, (reader, writer), far)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            link.gone.set()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: ToxicProxy, near: Stream, far: Stream) -> None:
        self._proxy = proxy
        self._near = near
        self._far = far
        self._trap: Trap | None = None
        self._trap_left = 0
        self.gone = asyncio.Event()

    async def run(self) -> None:
        """Carry both directions until both have ended."""
        pumps = [
            asyncio.create_task(self._pump(self._near[0], self._far[1], down=False)),
            asyncio.create_task(self._pump(self._far[0], self._near[1], down=True)),
        ]
        try:
            await asyncio.gather(*pumps)
        except OSError:
            self.reset()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._near[1].close()
            self._far[1].close()

    def reset(self) -> None:
        """Reset both sides."""
        self._proxy.resets += 1
        _reset(self._near[1])
        _reset(self._far[1])

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool
    ) -> None:
        carried = 0
        while data := await reader.read(READ_BYTES):
            toxic = self._proxy.down if down else self._proxy.up
            while toxic.timeout:
                await asyncio.sleep(0.01)
                toxic = self._proxy.down if down else self._proxy.up
            if toxic.latency_s:
                await asyncio.sleep(toxic.latency_s)
            end = self._end_within(data, carried, toxic, down=down)
            carried += len(data)
            await self._write(writer, data if end is None else data[: end[0]], toxic)
            if end is not None:
                await self._spring(writer, in_order=end[1])
                return
        toxic = self._proxy.down if down else self._proxy.up
        if toxic.slow_close_s:
            await asyncio.sleep(toxic.slow_close_s)
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    def _end_within(
        self, data: bytes, carried: int, toxic: Toxic, *, down: bool
    ) -> tuple[int, bool] | None:
        """Return (bytes of `data` that still pass, whether the end is an orderly one), or None."""
        proxy = self._proxy
        trap = proxy.trap
        if trap is not None and not down and self._trap is None and trap.marker in data:
            self._trap, self._trap_left = trap, trap.position
            proxy.trap = None
        if self._trap is not None and self._trap.down is down:
            if self._trap_left <= len(data):
                self._trap.sprung.set()
                passing, self._trap = self._trap_left, None
                return passing, False
            self._trap_left -= len(data)
        for limit, in_order in (
            (toxic.limit_data_bytes, True),
            (toxic.reset_peer_bytes, False),
        ):
            if limit is not None and carried + len(data) >= limit:
                return max(0, limit - carried), in_order
        return None

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, toxic: Toxic) -> None:
        if toxic.drop or not data:
            return
        for piece in _sliced(data, toxic.slicer_bytes):
            if toxic.slicer_delay_s:
                await asyncio.sleep(toxic.slicer_delay_s)
            if toxic.bandwidth_bytes_s:
                await asyncio.sleep(len(piece) / toxic.bandwidth_bytes_s)
            writer.write(piece)
            await writer.drain()

    async def _spring(self, writer: asyncio.StreamWriter, *, in_order: bool) -> None:
        # What has passed must arrive before the reset overtakes it in the kernel.
        await writer.drain()
        await asyncio.sleep(0.002)
        if in_order:
            self._near[1].close()
            self._far[1].close()
        else:
            self.reset()


def _sliced(data: bytes, piece_bytes: int | None) -> Iterator[bytes]:
    step = piece_bytes or len(data)
    for start in range(0, len(data), step):
        yield data[start : start + step]


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
