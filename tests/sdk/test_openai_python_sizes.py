"""The official openai package against korad: long prompts, long answers, slow readers, parts."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI

from korad.simulator import Script

from .conftest import Proxy

MESSAGES: Any = [{"role": "user", "content": "Hello!"}]
LONG_PROMPT = " ".join(f"Fact {number}: água, 東京, 🚀." for number in range(20_000))
LONG_TEXT = " ".join(f"word{number}" for number in range(4_000))
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(64)).decode()


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_prompt_arrives_unchanged(
    proxy: Proxy, client: OpenAI, model: str, *, stream: bool
) -> None:
    proxy.script = Script(text="Read.")
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": LONG_PROMPT}], stream=stream
    )
    answer = raw.parse()
    chunks = list(answer) if stream else []

    sent = orjson.loads(proxy.simulator.requests[-1].body)["messages"][0]["content"]
    assert LONG_PROMPT == (sent if isinstance(sent, str) else sent[0]["text"])
    assert int(raw.headers["x-korad-optimized-tokens"]) > 20_000
    assert stream == bool(chunks)


def test_a_long_stream_arrives_whole(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(text=LONG_TEXT)
    stream = client.chat.completions.create(
        model=model, messages=MESSAGES, max_completion_tokens=10_000, stream=True
    )

    assert LONG_TEXT == "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_a_long_answer_arrives_whole(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(text=LONG_TEXT * 20, completion_tokens=7)
    answer = client.chat.completions.create(
        model=model, messages=MESSAGES, max_completion_tokens=100_000
    )

    assert LONG_TEXT * 20 == answer.choices[0].message.content
    assert answer.usage is not None
    assert 7 == answer.usage.completion_tokens


async def test_a_slow_reader_loses_nothing_and_holds_up_nobody(
    proxy: Proxy, async_client: AsyncOpenAI, model: str
) -> None:
    proxy.script = Script(text=LONG_TEXT * 5, chunk_tokens=50)
    slow = await async_client.chat.completions.create(
        model=model, messages=MESSAGES, max_completion_tokens=100_000, stream=True
    )
    first = await anext(slow)
    others = await asyncio.gather(
        *(
            async_client.chat.completions.create(
                model=model, messages=MESSAGES, max_completion_tokens=100_000
            )
            for _ in range(5)
        )
    )
    rest = [chunk async for chunk in slow]

    whole = "".join(chunk.choices[0].delta.content or "" for chunk in [first, *rest])
    assert {LONG_TEXT * 5} == {whole} | {each.choices[0].message.content for each in others}


def test_a_document_reaches_the_provider(proxy: Proxy, client: OpenAI, model: str) -> None:
    part: Any = {
        "type": "file",
        "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
    }
    text: Any = {"type": "text", "text": "Summarise."}
    client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": [part, text]}]
    )

    sent = orjson.loads(proxy.simulator.requests[-1].body)["messages"][0]["content"][0]
    if model.startswith("openai/"):
        assert part == sent
    else:
        source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
        assert ("document", source) == (sent["type"], sent["source"])


def test_sound_is_refused_where_the_provider_cannot_hear(proxy: Proxy, client: OpenAI) -> None:
    sound: Any = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}

    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(
            model="anthropic/claude-sonnet-4-5-20250929",
            messages=[{"role": "user", "content": [sound]}],
        )

    assert "unsupported_parameter" == raised.value.code
    assert [] == proxy.simulator.requests
