"""A client that writes exactly the bytes it is given and tells apart all that comes back."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

ANSWER_TIMEOUT_S = 30.0
KEY = "sk-bf-integration-tests-only"
MESSAGES = [{"role": "user", "content": "Hello, world!"}]


def chat(**members: Any) -> dict[str, Any]:
    return {"model": "openai/gpt-4o", "messages": MESSAGES} | members


def request(
    body: Any = None,
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    key: str | None = KEY,
    version: str = "1.1",
    lines: tuple[str, ...] = (),
    length: int | None = -1,
) -> bytes:
    """Return a request; `body` is an object or bytes, `lines` are further header lines.

    `length` -1 is the true Content-Length, None leaves the header out.
    """
    raw = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    head = ["Host: korad"]
    if key is not None:
        head.append(f"Authorization: Bearer {key}")
    head += lines
    if length is not None and (body is not None or length >= 0):
        head.append(f"Content-Length: {len(raw) if length < 0 else length}")
    text = "".join(f"{line}\r\n" for line in head)
    return f"{method} {path} HTTP/{version}\r\n{text}\r\n".encode("latin-1") + raw


class Answer(NamedTuple):
    """One answer, its chunked framing removed."""

    status: int
    head: bytes
    body: bytes
    trailers: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers, names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(": ", 1) for line in lines if line)
        return {name.lower(): text for name, text in pairs}

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        """Return what the error table of the contract has columns for: status, type, code."""
        error = self.json["error"]
        return self.status, error["type"], error["code"]


class RawConnection:
    """One client connection."""

    def __init__(self, port: int, *, read_buffer_bytes: int = 65_536) -> None:
        self._port = port
        self._limit = read_buffer_bytes
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self._port, limit=self._limit
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, data: bytes) -> Answer:
        """Send a request and return its answer."""
        self.send(data)
        return await self.answer(to_head=data.startswith(b"HEAD "))

    async def head(self) -> bytes:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def chunk(self) -> bytes:
        """Return the next chunk of a chunked body, b"" for the last one."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            if not size:
                return b""
            return (await self.reader.readexactly(size + 2))[:-2]

    async def trailers(self) -> bytes:
        """Return the trailer lines that follow the last chunk."""
        lines = b""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                lines += line
        return lines

    async def answer(self, *, to_head: bool = False) -> Answer:
        """Return the next final answer, however it is framed."""
        head = await self.head()
        status = int(head.split()[1])
        lowered = head.lower()
        if to_head:
            return Answer(status, head, b"")
        if b"\r\ntransfer-encoding: chunked\r\n" in lowered:
            chunks = []
            while data := await self.chunk():
                chunks.append(data)
            return Answer(status, head, b"".join(chunks), await self.trailers())
        if b"\r\ncontent-length: " in lowered:
            length = int(lowered.partition(b"\r\ncontent-length: ")[2].split(b"\r\n")[0])
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return Answer(status, head, await self.reader.readexactly(length))
        return Answer(status, head, await self.rest())

    async def rest(self) -> bytes:
        """Return all that comes until the server closes; a reset ends it too."""
        received = b""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            try:
                while data := await self.reader.read(65_536):
                    received += data
            except ConnectionResetError:
                pass
        return received


async def ask(port: int, data: bytes) -> Answer:
    """Send one request on a connection of its own and return its answer."""
    async with RawConnection(port) as connection:
        return await connection.ask(data)
