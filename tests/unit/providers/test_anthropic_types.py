"""Both ends against the official packages: what is sent fits Anthropic's, what is given OpenAI's.

A pydantic adapter drops the keys that a TypedDict does not declare, so a body that comes back
unchanged has no member Anthropic's own types do not know.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from tests.support.anthropic_wire import (
    ADAPTIVE,
    CLASSIC,
    DIALECT,
    STRICTEST,
    SYSTEM_TURNS,
    USER,
    WEATHER,
    a_call,
    a_request,
    a_result,
    a_target,
    block_start,
    block_stop,
    built,
    calling,
    chunks_of,
    delta,
    end,
    start,
    text,
    tool,
    with_usage,
)

WHOLE = TypeAdapter(MessageCreateParamsNonStreaming)
STREAMED = TypeAdapter(MessageCreateParamsStreaming)
SAMPLING = ("temperature", "top_p", "top_k")
"""Gone from the types, but not from the API: models of before 4.7 still honour them."""

MARKER = {"type": "ephemeral", "ttl": "1h"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(20)).decode()
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}},
    "required": ["n"],
}
PARTS = [
    {"type": "text", "text": "Look:", "cache_control": MARKER},
    {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}},
    {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a"}},
]
DIALOGUE = [
    {"role": "system", "content": "Be brief.", "cache_control": MARKER},
    {"role": "user", "content": PARTS},
    calling(a_call("c:1", arguments='{"city":"Rome"}'), a_call("c2"), content="Let me see."),
    a_result("c:1", PARTS[:2]),
    a_result("c2", ""),
    {"role": "system", "content": "Be briefer."},
]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (CLASSIC, {}),
    "sampling": ("claude-3-haiku-20240307", {"temperature": 2, "top_p": 0.5, "top_k": 3}),
    "dialogue": (CLASSIC, {"messages": DIALOGUE, "tools": [WEATHER]}),
    "dialogue without tools": (CLASSIC, {"messages": DIALOGUE}),
    "system turn": (
        SYSTEM_TURNS,
        {"messages": [USER, {"role": "system", "content": "Stop.", "cache_control": MARKER}]},
    ),
    "prefill": (CLASSIC, {"messages": [USER, {"role": "assistant", "content": "So "}]}),
    "assistant first": (CLASSIC, {"messages": [{"role": "assistant", "content": "Hi"}, USER]}),
    "forced tool": (
        CLASSIC,
        {
            "tools": [{**WEATHER, "cache_control": MARKER}],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": False,
        },
    ),
    "strict tool": (
        CLASSIC,
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": SCHEMA, "strict": True},
                }
            ],
            "tool_choice": "required",
        },
    ),
    "no choice": (CLASSIC, {"tools": [WEATHER], "tool_choice": "none"}),
    "budget": (CLASSIC, {"reasoning_effort": "high", "max_tokens": 10}),
    "adaptive": (ADAPTIVE, {"reasoning_effort": "max"}),
    "thinking off": ("claude-opus-5", {"reasoning_effort": "none"}),
    "thinking between tools": (STRICTEST, {"reasoning_effort": "minimal"}),
    "format": (
        ADAPTIVE,
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
            },
            "reasoning_effort": "low",
        },
    ),
    "json object": (CLASSIC, {"response_format": {"type": "json_object"}}),
    "the rest": (
        CLASSIC,
        {"stop": "END", "user": "ann@example.org", "cache_control": {"type": "ephemeral"}},
    ),
}


def exhausted(value: Any) -> Any:
    """Return `value` with pydantic's lazy iterators read, which validates their items."""
    if isinstance(value, dict):
        return {key: exhausted(item) for key, item in value.items()}
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return value
    return [exhausted(item) for item in value]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_body_fits_anthropics_own_types(name: str, *, stream: bool) -> None:
    model, members = CASES[name]
    body = built(model, stream=stream, **members)
    known = {key: value for key, value in body.items() if key not in SAMPLING}
    adapter: TypeAdapter[Any] = STREAMED if stream else WHOLE

    assert known == exhausted(adapter.validate_python(known))


def test_the_check_would_notice_a_member_anthropic_does_not_know() -> None:
    body = built()
    body["messages"][0]["content"][0]["colour"] = "red"

    assert body != exhausted(WHOLE.validate_python(body))


TEXT = {"type": "text", "text": "Hello"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}


@pytest.mark.parametrize(
    ("content", "stop_reason"),
    [
        ([TEXT], "end_turn"),
        ([THOUGHT, TEXT, CALL, CALL], "tool_use"),
        ([TEXT], "refusal"),
        ([], "max_tokens"),
    ],
)
def test_every_answer_fits_openais_own_types(content: list[Any], stop_reason: str) -> None:
    answer = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": CLASSIC,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 2, "service_tier": "standard"},
    }
    anthropic.types.Message.model_validate(answer)
    body = DIALECT.read_completion(msgspec.json.encode(answer), a_request(), a_target()).body
    found = ChatCompletion.model_validate_json(body, strict=True)

    assert msgspec.json.decode(body) == found.model_dump(exclude_unset=True)


THINKING = (
    block_start(0, type="thinking", thinking="", signature="")
    + delta(0, "thinking_delta", thinking="Hm.")
    + delta(0, "signature_delta", signature="s")
    + block_stop(0)
)
STREAM = (
    start(service_tier="standard", cache_read_input_tokens=90)
    + THINKING
    + text(1, "Hel", "lo")
    + tool(2, "toolu_1", '{"city"', ':"Rome"}')
    + tool(3, "toolu_2")
    + end("tool_use")
)


def test_every_chunk_fits_openais_own_types() -> None:
    for chunk in chunks_of(with_usage().feed(STREAM)):
        found = ChatCompletionChunk.model_validate_json(msgspec.json.encode(chunk), strict=True)

        assert chunk == found.model_dump(exclude_unset=True)


def test_openais_accumulator_puts_the_answer_together() -> None:
    state = ChatCompletionStreamState()
    for chunk in chunks_of(with_usage().feed(STREAM)):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    found = state.get_final_completion()
    (choice,) = found.choices

    assert ("tool_calls", "Hello") == (choice.finish_reason, choice.message.content)
    assert [
        ("toolu_1", "weather", '{"city":"Rome"}'),
        ("toolu_2", "weather", "{}"),
    ] == [
        (call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    ]
    assert found.usage is not None
    assert (100, 5, 105) == (
        found.usage.prompt_tokens,
        found.usage.completion_tokens,
        found.usage.total_tokens,
    )


def test_the_invented_stream_is_one_anthropics_own_sdk_reads() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        del request
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=STREAM)

    transport = httpx2.MockTransport(answer)
    with (
        anthropic.Anthropic(
            api_key="test", http_client=httpx2.Client(transport=transport)
        ) as client,
        client.messages.stream(
            model=ADAPTIVE, max_tokens=1, messages=[{"role": "user", "content": "Hi"}]
        ) as stream,
    ):
        message = stream.get_final_message()

    assert ["thinking", "text", "tool_use", "tool_use"] == [block.type for block in message.content]
