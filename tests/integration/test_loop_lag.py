"""Counting a large prompt never stops the event loop."""

from __future__ import annotations

import asyncio

from korad.adapters.tokenizer import load_encode
from tests.support.proxy import running_proxy
from tests.support.raw_http import RawConnection, chat, request
from tests.support.turns import Turns
from tests.support.upstream import read_request, upstream

WORDS = "All animals are equal, but some animals are more equal than others; 1945. "
COPIES = 112_000
TURNS = 3
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 72\r\n\r\n"
    b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    b"data: [DONE]\n\n"
)


async def test_a_prompt_of_megabytes_is_counted_beside_the_loop(tmp_path):
    turns = Turns()
    encode = turns.during(load_encode(tmp_path))

    async def serve(reader, writer, _number):
        await read_request(reader)
        writer.write(STREAM)
        await reader.read()

    data = request(chat(stream=True, messages=[{"role": "user", "content": WORDS * COPIES}]))
    async with (
        upstream(serve) as url,
        running_proxy(tmp_path, encode=encode, openai_base_url=url) as proxy,
        RawConnection(proxy.port) as connection,
    ):
        answer = asyncio.create_task(connection.ask(data))
        await turns.count_until(answer)

    assert 200 == answer.result().status
    # Had the loop waited, it had not turned once meanwhile.
    assert turns.meanwhile >= TURNS
