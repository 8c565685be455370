"""A provider made of one coroutine, for what the simulator cannot be told to do."""

from __future__ import annotations

import asyncio
import contextlib


@contextlib.asynccontextmanager
async def upstream(serve, *, tls=None):
    """Run `serve(reader, writer, number)` for every connection; yield the base URL."""
    served = []

    async def connected(reader, writer):
        served.append((asyncio.current_task(), writer))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer, len(served))
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://localhost:{port}/v1"
    finally:
        server.close()
        for _, writer in served:
            writer.transport.abort()
        await asyncio.gather(*(task for task, _ in served))


async def read_request(reader):
    """Return the body of the next request."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r")[0]))
