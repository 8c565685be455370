"""Counting a large prompt never stops the event loop."""

from __future__ import annotations

import asyncio
import time

from korad.adapters.tokenizer import load_encode
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, chat, request
from tests.support.upstream import read_request, upstream

WORDS = "All animals are equal, but some animals are more equal than others; 1945. "
COPIES = 112_000
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 72\r\n\r\n"
    b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    b"data: [DONE]\n\n"
)


async def worst_lag_s(until):
    """Return how long the loop was stopped at most before `until` was done."""
    worst = 0.0
    while not until.done():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - before - 0.001)
    return worst


async def test_a_prompt_of_megabytes_is_counted_beside_the_loop(tmp_path):
    encode = load_encode(tmp_path)
    counted_s = []

    def timed_encode(text):
        before = time.perf_counter()
        try:
            return encode(text)
        finally:
            counted_s.append(time.perf_counter() - before)

    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(STREAM)
        await reader.read()

    data = request(chat(stream=True, messages=[{"role": "user", "content": WORDS * COPIES}]))
    async with (
        upstream(serve) as url,
        running_proxy(tmp_path, encode=timed_encode, openai_base_url=url) as proxy,
        RawConnection(proxy.port) as connection,
    ):
        answer = asyncio.create_task(connection.ask(data))
        lag_s = await worst_lag_s(answer)

    assert 200 == answer.result().status
    # Relative, because the machine may be slow: had the loop waited, it would have waited it all.
    assert lag_s < sum(counted_s) / 2
