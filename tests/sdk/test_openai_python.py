"""The official openai package against korad: whole and streamed answers, of both dialects."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI

from korad.simulator import Script

from .conftest import Proxy

MESSAGES: Any = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Hello, world!"},
]
PIXEL_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(24)).decode()
ANTHROPIC = "anthropic/claude-sonnet-4-5-20250929"
OPENAI = "openai/gpt-4o"


def upstream_body(proxy: Proxy) -> dict[str, Any]:
    """Return what the last request was when it arrived at the provider."""
    body = orjson.loads(proxy.simulator.requests[-1].body)
    assert isinstance(body, dict)
    return body


def record_of(client: OpenAI, request_id: str) -> dict[str, Any]:
    """Return the final figures of a request."""
    record = client.get(f"/korad/requests/{request_id}", cast_to=object)
    assert isinstance(record, dict)
    return record


def name_in_answers(model: str) -> str:
    """Return the name that an answer has: the provider's bytes are passed on by one dialect."""
    return model.removeprefix("openai/")


def test_a_whole_answer(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(text="Hello! How can I help you today?")
    answer = client.chat.completions.create(model=model, messages=MESSAGES, max_tokens=100)

    assert ("chat.completion", name_in_answers(model)) == (answer.object, answer.model)
    assert answer.id.startswith("chatcmpl-")
    assert ["Hello! How can I help you today?"] == [c.message.content for c in answer.choices]
    assert ("assistant", None, None) == (
        answer.choices[0].message.role,
        answer.choices[0].message.refusal,
        answer.choices[0].message.tool_calls,
    )
    assert "stop" == answer.choices[0].finish_reason
    assert answer.usage is not None
    assert (10, 9, 19) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.total_tokens,
    )


async def test_a_whole_answer_to_the_asynchronous_client(
    proxy: Proxy, async_client: AsyncOpenAI, model: str
) -> None:
    proxy.script = Script(text="Brief.")
    answer = await async_client.chat.completions.create(model=model, messages=MESSAGES)

    assert "Brief." == answer.choices[0].message.content


def test_a_streamed_answer(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(text="Grüße aus 東京 🚀, in several pieces.", odd_chunks=True)
    with client.chat.completions.create(model=model, messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)

    assert 1 == len({chunk.id for chunk in chunks})
    assert {name_in_answers(model)} == {chunk.model for chunk in chunks}
    assert "assistant" == chunks[0].choices[0].delta.role
    assert "Grüße aus 東京 🚀, in several pieces." == "".join(
        chunk.choices[0].delta.content or "" for chunk in chunks
    )
    assert [None] * (len(chunks) - 1) + ["stop"] == [
        chunk.choices[0].finish_reason for chunk in chunks
    ]
    assert {None} == {chunk.usage for chunk in chunks}


async def test_a_streamed_answer_to_the_asynchronous_client(
    proxy: Proxy, async_client: AsyncOpenAI, model: str
) -> None:
    proxy.script = Script(text="One two three.", pings=True, crlf=True)
    stream = await async_client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert "One two three." == text


def test_usage_comes_in_a_chunk_of_its_own_to_who_asks_for_it(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(text="One two three.")
    stream = client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream

    assert {None} == {chunk.usage for chunk in chunks}
    assert [] == last.choices
    assert last.usage is not None
    assert (10, 4, 14) == (
        last.usage.prompt_tokens,
        last.usage.completion_tokens,
        last.usage.total_tokens,
    )


def test_the_stream_helper_gives_text_events_and_the_whole_answer(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(text="One two three.")
    with client.chat.completions.stream(
        model=model, messages=MESSAGES, stream_options={"include_usage": True}
    ) as stream:
        pieces = [event.delta for event in stream if event.type == "content.delta"]
        answer = stream.get_final_completion()

    assert "One two three." == "".join(pieces) == answer.choices[0].message.content
    assert answer.usage is not None
    assert 14 == answer.usage.total_tokens


async def test_the_asynchronous_stream_helper_gives_the_whole_answer(
    proxy: Proxy, async_client: AsyncOpenAI, model: str
) -> None:
    proxy.script = Script(text="One two three.")
    async with async_client.chat.completions.stream(model=model, messages=MESSAGES) as stream:
        answer = await stream.get_final_completion()

    assert "One two three." == answer.choices[0].message.content


def test_breaking_off_a_stream_cancels_it_at_the_provider_and_is_billed(
    proxy: Proxy, client: OpenAI, model: str
) -> None:
    proxy.script = Script(completion_tokens=5000, token_interval_s=0.002)
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, stream=True
    )
    with raw.parse() as stream:
        next(iter(stream))
    entry = proxy.simulator.ledger[raw.headers["x-request-id"]]

    proxy.until(lambda: entry.aborted_at is not None)

    record = record_of(client, raw.headers["x-request-id"])
    assert entry.completion_tokens < 5000
    assert "client_aborted" == record["outcome"]
    assert record["charge"]["billed_nano_usd"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_the_headers_tell_the_figures(
    proxy: Proxy, client: OpenAI, model: str, *, stream: bool
) -> None:
    proxy.script = Script(text="Hello! How can I help you today?")
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, stream=stream, extra_headers={"X-Client-Request-Id": "mine"}
    )
    answer = raw.parse()
    if stream:
        list(answer)

    figures = {name: text for name, text in raw.headers.items() if name.startswith("x-korad-")}
    billed = figures.pop("x-korad-billed-amount", None)
    assert (None if stream else "$0.000057") == billed
    tokens = {figures.pop("x-korad-original-tokens"), figures.pop("x-korad-optimized-tokens")}
    assert 1 == len(tokens)
    assert stream or tokens == {"10"}
    assert {
        "x-korad-savings-usd": "$0.000000",
        "x-korad-strategy": "Passthrough (no optimization needed)",
        "x-korad-profit-margin": "1.50x",
    } == figures
    assert "mine" == raw.headers["x-client-request-id"]
    sent = proxy.simulator.requests[-1]
    assert raw.headers["x-request-id"] == sent.header("x-request-id")
    assert "mine" == sent.header("x-client-request-id")
    assert proxy.key not in str(sent.headers)


@pytest.mark.parametrize("stream", [False, True])
def test_the_final_figures_can_be_asked_for(
    proxy: Proxy, client: OpenAI, model: str, *, stream: bool
) -> None:
    proxy.script = Script(text="Hello! How can I help you today?")
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, stream=stream
    )
    answer = raw.parse()
    if stream:
        list(answer)
    record = record_of(client, raw.headers["x-request-id"])

    assert 38_000 == record["charge"]["cost_nano_usd"]
    assert 57_000 == record["charge"]["billed_nano_usd"]
    assert (200, "completed", stream) == (record["status"], record["outcome"], record["stream"])


def test_the_limits_of_the_provider_are_told(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=OPENAI, messages=MESSAGES)

    assert "10000" == raw.headers["x-ratelimit-limit-requests"]
    assert "9999" == raw.headers["x-ratelimit-remaining-requests"]
    assert "set-cookie" not in raw.headers


def test_several_choices_come_from_a_provider_that_has_them(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=OPENAI, messages=MESSAGES, n=2)

    assert [0, 1] == [choice.index for choice in answer.choices]
    assert all(choice.message.content for choice in answer.choices)


def test_several_choices_are_refused_where_the_provider_gives_one(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.chat.completions.create(model=ANTHROPIC, messages=MESSAGES, n=2)

    assert ("unsupported_parameter", "n") == (raised.value.code, raised.value.param)


def test_members_the_sdk_does_not_know_go_through_untouched(proxy: Proxy, client: OpenAI) -> None:
    extra = {"vendor_option": {"depth": [1, 2.50, None]}, "seed": 2**53 + 1}
    client.chat.completions.create(model=OPENAI, messages=MESSAGES, extra_body=extra)

    body = upstream_body(proxy)
    assert extra == {name: body[name] for name in extra}
    assert "gpt-4o" == body["model"]


def test_a_member_of_the_providers_own_reaches_it(proxy: Proxy, client: OpenAI) -> None:
    client.chat.completions.create(
        model=ANTHROPIC, messages=MESSAGES, stop=["END"], extra_body={"top_k": 5}
    )

    body = upstream_body(proxy)
    assert (5, ["END"]) == (body["top_k"], body["stop_sequences"])
    assert "claude-sonnet-4-5-20250929" == body["model"]


def test_an_image_reaches_the_provider(proxy: Proxy, client: OpenAI, model: str) -> None:
    parts: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL_PNG}"}},
    ]
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": parts}]
    )

    sent = upstream_body(proxy)["messages"][0]["content"]
    assert answer.choices[0].message.content
    assert {"type": "text", "text": "What is this?"} == sent[0]
    if model == OPENAI:
        assert parts[1] == sent[1]
    else:
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL_PNG}
        assert {"type": "image", "source": source} == sent[1]


def test_the_token_limit_ends_an_answer(proxy: Proxy, client: OpenAI, model: str) -> None:
    proxy.script = Script(text="One two three four five.")
    answer = client.chat.completions.create(model=model, messages=MESSAGES, max_tokens=3)

    assert ("length", "One two three") == (
        answer.choices[0].finish_reason,
        (answer.choices[0].message.content or "").strip(),
    )


def test_the_models_can_be_listed_and_looked_up(client: OpenAI) -> None:
    names = [known.id for known in client.models.list()]

    assert OPENAI in names
    assert any(name.startswith("anthropic/") for name in names)
    assert names[0] == client.models.retrieve(names[0]).id
