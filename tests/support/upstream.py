"""A provider made of one coroutine, for what the simulator cannot be told to do."""

from __future__ import annotations

import asyncio
import contextlib

WAIT_S = 20.0
ANSWER = (
    b'{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}'
)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)


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


class Gate:
    """Answers each request with `answer`, once it is let through."""

    def __init__(self, answer):
        self._answer = answer
        self._asked = asyncio.Semaphore(0)
        self._open = asyncio.Event()
        self.bodies = []

    async def serve(self, reader, writer, _number):
        """Serve a connection: for `upstream`."""
        while True:
            self.bodies.append(await read_request(reader))
            self._asked.release()
            await self._open.wait()
            writer.write(self._answer)

    async def asked(self):
        """Wait for one more request than was waited for before."""
        async with asyncio.timeout(WAIT_S):
            await self._asked.acquire()

    def open(self):
        """Let through who waits and who comes."""
        self._open.set()


async def read_request(reader):
    """Return the body of the next request."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r")[0]))
