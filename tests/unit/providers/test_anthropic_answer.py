"""A whole answer as a chat.completion."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from korad.domain.usage import Usage
from korad.errors import UpstreamError, UpstreamRefused
from korad.providers.anthropic_answer import REFUSED_WITHOUT_WORDS
from korad.providers.base import Completion
from tests.support.anthropic_wire import CLASSIC, CREATED_S, DIALECT, a_request, a_target

TEXT = {"type": "text", "text": "Hello", "citations": None}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}


def completion(*content: Any, **members: Any) -> Completion:
    answer = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": CLASSIC,
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **members,
    }
    return read(msgspec.json.encode(answer))


def read(body: bytes) -> Completion:
    return DIALECT.read_completion(body, a_request(), a_target())


def message(*content: Any, **members: Any) -> dict[str, Any]:
    return msgspec.json.decode(completion(*content, **members).body)["choices"][0]["message"]


def test_a_text_answer_is_a_completion_of_the_model_the_client_named() -> None:
    found = completion(TEXT)

    assert {
        "id": "chatcmpl-01",
        "object": "chat.completion",
        "created": CREATED_S,
        "model": f"anthropic/{CLASSIC}",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    } == msgspec.json.decode(found.body)
    assert Usage(prompt_tokens=10, completion_tokens=5) == found.usage


def test_texts_cut_by_citations_are_joined() -> None:
    assert "Hello world" == message(TEXT, {"type": "text", "text": " world"})["content"]


def test_tool_calls_stand_beside_null_content() -> None:
    assert {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {
                "id": "toolu_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
            }
        ],
    } == message(CALL, stop_reason="tool_use")


def test_text_before_a_tool_call_is_kept() -> None:
    assert "Hello" == message(TEXT, CALL)["content"]


def test_arguments_keep_the_spelling_of_their_numbers() -> None:
    raw = b'{"n": 12345678901234567890123, "x": 1.10}'
    call = msgspec.json.encode({**CALL, "input": msgspec.Raw(raw)})
    body = b'{"id":"msg_1","content":[' + call + b'],"stop_reason":"tool_use"}'
    answer = msgspec.json.decode(read(body).body)

    assert raw.decode() == answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]


def test_a_call_without_input_has_empty_arguments() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather"}

    assert "{}" == message(call)["tool_calls"][0]["function"]["arguments"]


def test_thinking_is_reasoning_and_never_content() -> None:
    found = message(
        {"type": "thinking", "thinking": "Hm. ", "signature": "s"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "thinking", "thinking": "Yes.", "signature": "s"},
        TEXT,
    )

    assert {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "reasoning_content": "Hm. Yes.",
    } == found


def test_thinking_that_was_omitted_leaves_no_member() -> None:
    assert "reasoning_content" not in message({"type": "thinking", "thinking": ""}, TEXT)


def test_an_error_under_a_200_is_told_with_its_words() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    with pytest.raises(UpstreamRefused) as caught:
        read(msgspec.json.encode({"type": "error", "error": error, "request_id": "req_1"}))

    found = caught.value
    assert (529, "overloaded_error", "Overloaded") == (found.status, found.code, found.message)


def test_an_empty_answer_has_empty_content() -> None:
    assert "" == message()["content"]


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "stop"),
        ("brand_new", "stop"),
        (None, "stop"),
    ],
)
def test_each_stop_reason_has_its_finish_reason(stop_reason: Any, expected: str) -> None:
    answer = msgspec.json.decode(completion(TEXT, stop_reason=stop_reason).body)

    assert expected == answer["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"type": "refusal", "category": "cyber", "explanation": "Not this."}, "Not this."),
        ({"type": "refusal", "category": None, "explanation": None}, REFUSED_WITHOUT_WORDS),
        (None, REFUSED_WITHOUT_WORDS),
    ],
)
def test_a_refusal_says_why(details: Any, expected: str) -> None:
    assert {"role": "assistant", "content": None, "refusal": expected} == message(
        stop_reason="refusal", stop_details=details
    )


def test_the_served_tier_is_told() -> None:
    found = completion(
        TEXT, usage={"input_tokens": 1, "output_tokens": 1, "service_tier": "standard"}
    )

    assert "default" == msgspec.json.decode(found.body)["service_tier"]


def test_without_a_report_the_text_is_there_to_be_counted() -> None:
    found = completion({"type": "thinking", "thinking": "Hm."}, TEXT, CALL, usage=None)

    assert found.usage is None
    assert "usage" not in msgspec.json.decode(found.body)
    assert 'Hm.Helloweather{"city":"Rome"}' == found.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"type":"error","error":"x"}',
        b'{"id":"msg_1","content":"x"}',
        b'{"id":"msg_1","content":[{"type":"text","text":"\xff"}]}',
        b'{"id":"msg_1","content":[{"type":"tool_use","input":{"a":"\xff"}}]}',
        b'{"id":"msg_1","content":[' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_message_is_a_broken_upstream(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        read(body)

    assert (502, "upstream_broken") == (caught.value.status, caught.value.code)
