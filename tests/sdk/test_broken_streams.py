"""Streams that break within the very bytes that carry good events: what came is delivered first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from openai import APIError, AsyncOpenAI

from tests.support.anthropic_wire import delta, end, event, start, text

from .conftest import Proxy

MODEL = "anthropic/claude-sonnet-4-5-20250929"
MESSAGES: Any = [{"role": "user", "content": "Hello!"}]
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
# A delta for a block type of the wrong shape is no event of this dialect.
NONSENSE = b'event: content_block_delta\ndata: {"type": 7}\n\n'


class OneWrite:
    """A provider that writes a whole answer, head included, at once."""

    events = b""
    base_url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
        writer.write(HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(self.events), self.events))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def upstream() -> AsyncIterator[OneWrite]:
    upstream = OneWrite()
    server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
    upstream.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield upstream


@pytest.fixture
async def proxy(upstream: OneWrite, tmp_path: Path) -> AsyncIterator[Proxy]:
    proxy = Proxy(tmp_path, anthropic_base_url=upstream.base_url)
    await asyncio.to_thread(proxy.start)
    yield proxy
    await asyncio.to_thread(proxy.stop)


async def gather(stream: Any, pieces: list[str]) -> None:
    async for chunk in stream:
        pieces.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - kept though it raises


BREAKS = [
    (OVERLOADED, "overloaded_error", "Overloaded"),
    (OVERLOADED + end(), "overloaded_error", "Overloaded"),
    (NONSENSE, "upstream_broken", ""),
    (b"", "upstream_broken", ""),
]


@pytest.mark.parametrize(
    ("breaking", "code", "words"), BREAKS, ids=["error", "error-then-end", "nonsense", "end"]
)
async def test_events_before_the_error_in_the_same_bytes_come_before_it(
    upstream: OneWrite, proxy: Proxy, breaking: bytes, code: str, words: str
) -> None:
    upstream.events = start() + text(0, "One ", "two.") + breaking
    async with httpx2.AsyncClient() as client:
        answer = await client.post(
            f"{proxy.base_url}/chat/completions",
            headers={"x-bf-vk": proxy.key},
            json={"model": MODEL, "messages": MESSAGES, "stream": True},
        )
    *chunks, error = [
        orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")
    ]

    assert 200 == answer.status_code
    assert ["", "One ", "two."] == [chunk["choices"][0]["delta"]["content"] for chunk in chunks]
    assert {"error"} == error.keys()
    assert code == error["error"]["code"]
    assert words in error["error"]["message"]
    assert "[DONE]" not in answer.text


async def test_the_sdk_gets_the_events_and_then_raises(upstream: OneWrite, proxy: Proxy) -> None:
    upstream.events = start() + text(0, "One ", "two.") + OVERLOADED
    pieces: list[str] = []
    async with AsyncOpenAI(base_url=proxy.base_url, api_key=proxy.key, max_retries=0) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        with pytest.raises(APIError, match="Overloaded"):
            await gather(stream, pieces)

    assert "One two." == "".join(pieces)


async def test_an_error_before_any_event_is_an_error_answer(
    upstream: OneWrite, proxy: Proxy
) -> None:
    upstream.events = OVERLOADED
    async with httpx2.AsyncClient() as client:
        answer = await client.post(
            f"{proxy.base_url}/chat/completions",
            headers={"x-bf-vk": proxy.key},
            json={"model": MODEL, "messages": MESSAGES, "stream": True},
        )

    assert 529 == answer.status_code
    assert "Overloaded" == answer.json()["error"]["message"]


async def test_a_delta_out_of_place_breaks_the_stream(upstream: OneWrite, proxy: Proxy) -> None:
    upstream.events = delta(0, "text_delta", text="Too early.")
    async with httpx2.AsyncClient() as client:
        answer = await client.post(
            f"{proxy.base_url}/chat/completions",
            headers={"x-bf-vk": proxy.key},
            json={"model": MODEL, "messages": MESSAGES, "stream": True},
        )

    assert 502 == answer.status_code
    assert "upstream_broken" == answer.json()["error"]["code"]
