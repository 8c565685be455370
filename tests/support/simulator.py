"""A client that sends exactly what it is told, and keeps every byte that comes back."""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import Any, Self

import orjson

from korad.simulator import Simulator

HELLO: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Hello, world!"},
]
OPENAI_HEADERS = {"authorization": "Bearer sk-simulated"}
ANTHROPIC_HEADERS = {"x-api-key": "sk-simulated", "anthropic-version": "2023-06-01"}


def openai_body(**members: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": HELLO} | members


def anthropic_body(**members: Any) -> dict[str, Any]:
    body = {"model": "claude-sonnet-4-6", "max_tokens": 500, "messages": HELLO[1:]}
    return body | {"system": HELLO[0]["content"]} | members


class RawClient:
    """One connection to the simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._simulator.port
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._writer.close()

    def post(self, body: Any, path: str = "", **headers: str) -> None:
        """Send `body`, an object or bytes; the path follows from its shape when none is given."""
        is_anthropic = isinstance(body, dict) and "max_tokens" in body
        path = path or ("/v1/messages" if is_anthropic else "/v1/chat/completions")
        fixed = ANTHROPIC_HEADERS if is_anthropic else OPENAI_HEADERS
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        lines = {"host": "simulator", "content-length": str(len(raw))} | fixed
        lines |= {name.replace("_", "-"): text for name, text in headers.items()}
        head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
        self._writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + raw)

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def rest(self) -> bytes:
        """Return all that comes until the other side closes."""
        return await self._reader.read()

    async def some(self) -> bytes:
        return await self._reader.read(65536)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers of the next answer."""
        raw = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        return int(first.split()[1]), dict(line.split(": ", 1) for line in lines)

    async def chunks(self) -> list[bytes]:
        """Return the chunks of a chunked body, to its end."""
        chunks = []
        while True:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            data = (await self._reader.readexactly(size + 2))[:-2]
            if not data:
                return chunks
            chunks.append(data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and the whole body, however it is framed."""
        status, headers = await self.head()
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        else:
            body = b"".join(await self.chunks())
        return status, headers, body


def data_events(stream: bytes) -> list[Any]:
    """Return the JSON of every `data:` line; `[DONE]` as that text."""
    lines = re.findall(rb"^data: (.*?)\r?$", stream, re.MULTILINE)
    return ["[DONE]" if line == b"[DONE]" else orjson.loads(line) for line in lines]
