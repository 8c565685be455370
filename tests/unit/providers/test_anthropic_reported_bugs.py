"""Bugs reported against other gateways, each as a test that this one does not have it.

The numbers have gaps where a bug is another room's to avoid: disconnects, billing, connections.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from korad.errors import ClientError
from tests.support.anthropic_wire import (
    ADAPTIVE,
    CLASSIC,
    DIALECT,
    SYSTEM_TURNS,
    USER,
    WEATHER,
    a_call,
    a_request,
    a_result,
    a_stream,
    a_target,
    built,
    calling,
    chunks_of,
    delta,
    deltas_of,
    end,
    event,
    start,
    text,
    tool,
    with_usage,
)


def arguments_of(output: bytes) -> dict[int, str]:
    """Return the arguments of each call as a client puts them together."""
    found: dict[int, str] = {}
    for piece in deltas_of(output):
        for call in piece.get("tool_calls", ()):
            index = call["index"]
            found[index] = found.get(index, "") + call["function"]["arguments"]
    return found


def test_01_a_streamed_tool_without_arguments_gives_an_empty_object() -> None:
    assert {0: "{}"} == arguments_of(a_stream().feed(start() + tool(0, "t1") + end("tool_use")))
    assert {0: "{}"} == arguments_of(a_stream().feed(start() + tool(0, "t1", "", "")))


def test_02_no_empty_object_precedes_streamed_arguments() -> None:
    output = a_stream().feed(start() + tool(0, "t1", '{"a"', ":1}", input={}))

    assert {0: '{"a":1}'} == arguments_of(output)


def test_03_parallel_calls_have_indices_of_their_own() -> None:
    blocks = (
        text(0, "So") + tool(1, "t1", '{"a":1}') + text(2, "and") + tool(3, "t2") + tool(4, "t3")
    )
    output = a_stream().feed(start() + blocks + end("tool_use"))

    assert {0: '{"a":1}', 1: "{}", 2: "{}"} == arguments_of(output)


def test_04_parallel_results_go_in_one_user_turn() -> None:
    calls = calling(a_call("c1"), a_call("c2"), a_call("c3"))
    body = built(messages=[USER, calls, a_result("c2"), a_result("c1"), a_result("c3"), USER])
    last = body["messages"][-1]

    assert 3 == len(body["messages"])
    assert ["tool_result"] * 3 + ["text"] == [block["type"] for block in last["content"]]


def test_05_temperature_and_top_p_together_do_not_fail() -> None:
    body = built(temperature=0.0, top_p=0.9)

    assert 0 == body["temperature"]
    assert "top_p" not in body


@pytest.mark.parametrize("content", ["", " \n", None, [], [{"type": "text", "text": ""}]])
def test_06_no_empty_text_block_is_ever_sent(content: Any) -> None:
    empty = {"role": "assistant", "content": content}
    messages = [
        {"role": "system", "content": content},
        USER,
        {**calling(a_call("c1")), "content": content},
        a_result("c1", content),
        empty,
        {"role": "user", "content": content},
        USER,
    ]
    texts = msgspec.json.encode(built(messages=messages)).count(b'"type":"text"')

    assert 2 == texts


def test_08_an_error_in_mid_stream_is_not_dropped() -> None:
    stream = a_stream()
    error = event("error", error={"type": "api_error", "message": "Internal"})
    output = stream.feed(start() + text(0, "a") + error)

    assert stream.error is not None
    assert (500, "Internal", False) == (stream.error.status, stream.error.message, stream.finished)
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks_of(output))


def test_09_an_error_as_first_event_of_a_200_gives_no_byte_and_a_status() -> None:
    stream = a_stream()
    error = event("error", error={"type": "rate_limit_error", "message": "Slow down"})

    assert b"" == stream.feed(event("ping") + error)
    assert stream.error is not None
    assert 429 == stream.error.status
    assert DIALECT.head_after_first_event


def test_10_cached_tokens_are_in_the_prompt_and_the_total_is_the_sum() -> None:
    stream = with_usage()
    output = stream.feed(
        start(cache_read_input_tokens=100, cache_creation_input_tokens=1000) + end()
    )
    usage = chunks_of(output)[-1]["usage"]

    assert (1110, 5, 1115, 100) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
        usage["total_tokens"],
        usage["prompt_tokens_details"]["cached_tokens"],
    )


def test_11_the_opening_chunk_with_the_role_is_sent_before_any_text() -> None:
    assert [{"role": "assistant", "content": "", "refusal": None}] == deltas_of(
        a_stream().feed(start())
    )


def test_12_the_usage_chunk_comes_after_the_finish_reason() -> None:
    output = with_usage().feed(start() + text(0, "a") + end())
    last, usage = chunks_of(output)[-2:]

    assert "stop" == last["choices"][0]["finish_reason"]
    assert ([], 15) == (usage["choices"], usage["usage"]["total_tokens"])


def test_16_characters_of_several_bytes_survive_any_cut() -> None:
    words = "naïve 日本語 🏳️‍🌈"
    data = start() + text(0, words)
    for cut in range(len(data)):
        stream = a_stream()
        output = stream.feed(data[:cut]) + stream.feed(data[cut:])

        assert words == deltas_of(output)[-1]["content"]


def test_17_allowed_tools_and_parallel_tool_calls_are_honoured() -> None:
    other = {"type": "function", "function": {"name": "other"}}
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [other]},
    }
    body = built(tools=[WEATHER, other], tool_choice=choice, parallel_tool_calls=False)

    assert ["other"] == [found["name"] for found in body["tools"]]
    assert {"type": "any", "disable_parallel_tool_use": True} == body["tool_choice"]


def test_18_a_late_system_message_leaves_the_cached_prefix_as_it_was() -> None:
    before = [{"role": "system", "content": "s"}, USER]
    short = built(SYSTEM_TURNS, messages=before)
    longer = built(SYSTEM_TURNS, messages=[*before, {"role": "system", "content": "late"}])

    assert short["system"] == longer["system"]
    assert short["messages"] == longer["messages"][:-1]
    assert "system" == longer["messages"][-1]["role"]


@pytest.mark.parametrize(
    "parameters", [None, {}, {"properties": {}}, {"type": "object"}, {"required": []}]
)
def test_19_every_tool_has_a_schema_with_type_and_properties(parameters: Any) -> None:
    function = {"name": "f", "parameters": parameters}
    body = built(tools=[{"type": "function", "function": function}])

    assert {"type": "object", "properties": {}}.items() <= body["tools"][0]["input_schema"].items()


def test_20_effort_with_tool_history_does_not_ask_for_thinking_blocks() -> None:
    messages = [USER, calling(a_call("c1")), a_result("c1")]
    body = built(CLASSIC, messages=messages, tools=[WEATHER], reasoning_effort="high")

    assert "thinking" not in body
    assert {"type": "adaptive"} == built(
        ADAPTIVE, messages=messages, tools=[WEATHER], reasoning_effort="high"
    )["thinking"]


@pytest.mark.parametrize("messages", [[USER, a_result("c1")], [USER, calling(a_call("c1")), USER]])
def test_21_orphan_results_and_unanswered_calls_are_told_apart_before_the_upstream_fails(
    messages: list[Any],
) -> None:
    with pytest.raises(ClientError) as caught:
        built(messages=messages)

    assert (400, "invalid_messages") == (caught.value.status, caught.value.code)


def test_22_a_refusal_reaches_the_client_streamed_or_not() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not this."}
    streamed = chunks_of(a_stream().feed(start() + end("refusal", details=details)))[-1]
    body = msgspec.json.encode(
        {"id": "msg_1", "content": [], "stop_reason": "refusal", "stop_details": details}
    )
    whole = msgspec.json.decode(DIALECT.read_completion(body, a_request(), a_target()).body)

    assert ("content_filter", "Not this.") == (
        streamed["choices"][0]["finish_reason"],
        streamed["choices"][0]["delta"]["refusal"],
    )
    assert ("content_filter", "Not this.") == (
        whole["choices"][0]["finish_reason"],
        whole["choices"][0]["message"]["refusal"],
    )


def test_07_and_14_a_stream_cut_off_is_unfinished_and_what_it_generated_can_be_counted() -> None:
    stream = a_stream()
    stream.feed(start() + delta(0, "text_delta", text="half an answ"))

    assert not stream.finished
    assert "half an answ" == stream.generated.take()
    assert stream.usage is not None
    assert 10 == stream.usage.prompt_tokens
