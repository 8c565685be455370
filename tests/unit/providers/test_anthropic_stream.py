"""A streamed answer as chunks."""

from __future__ import annotations

from typing import Any

import pytest

from korad.domain.usage import Usage
from korad.errors import UpstreamError
from tests.support.anthropic_wire import (
    CLASSIC,
    CREATED_S,
    a_stream,
    block_start,
    block_stop,
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

OPENING = {"role": "assistant", "content": "", "refusal": None}


def test_a_text_answer_chunk_by_chunk() -> None:
    head = {
        "id": "chatcmpl-01",
        "object": "chat.completion.chunk",
        "created": CREATED_S,
        "model": f"anthropic/{CLASSIC}",
    }
    stream = a_stream()
    output = stream.feed(start() + text(0, "Hel", "lo") + event("ping") + end())
    choices = [
        (OPENING, None),
        ({"content": "Hel"}, None),
        ({"content": "lo"}, None),
        ({}, "stop"),
    ]

    assert [
        {
            **head,
            "choices": [{"index": 0, "delta": said, "logprobs": None, "finish_reason": reason}],
        }
        for said, reason in choices
    ] == chunks_of(output)
    assert stream.finished
    assert stream.error is None


def test_usage_is_a_last_chunk_of_its_own_when_asked_for_and_null_before() -> None:
    *others, last = chunks_of(with_usage().feed(start() + text(0, "a") + end()))

    assert [None] * 3 == [chunk["usage"] for chunk in others]
    assert ([], 10, 5, 15) == (
        last["choices"],
        *(last["usage"][f"{name}_tokens"] for name in ("prompt", "completion", "total")),
    )


def test_without_being_asked_no_chunk_speaks_of_usage() -> None:
    output = a_stream().feed(start() + text(0, "a") + end())

    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks_of(output))


def test_the_prompt_is_known_from_the_start_and_the_rest_as_it_comes() -> None:
    stream = a_stream()
    stream.feed(start(cache_read_input_tokens=100, service_tier="standard"))
    early = stream.usage
    stream.feed(text(0, "a") + end(output_tokens=50, cache_read_input_tokens=0))

    assert (
        Usage(
            prompt_tokens=110, completion_tokens=1, cached_prompt_tokens=100, service_tier="default"
        )
        == early
    )
    assert (
        Usage(
            prompt_tokens=110,
            completion_tokens=50,
            cached_prompt_tokens=100,
            service_tier="default",
        )
        == stream.usage
    )


def test_the_served_tier_is_told_in_every_chunk() -> None:
    output = a_stream().feed(start(service_tier="priority") + text(0, "a") + end())

    assert {"priority"} == {chunk["service_tier"] for chunk in chunks_of(output)}


def test_thinking_is_reasoning_and_signatures_are_nothing() -> None:
    thought = (
        block_start(0, type="thinking", thinking="", signature="")
        + delta(0, "thinking_delta", thinking="Hm.")
        + delta(0, "signature_delta", signature="abc")
        + block_stop(0)
        + block_start(1, type="redacted_thinking", data="xyz")
        + block_stop(1)
    )
    output = a_stream().feed(start() + thought + text(2, "Yes.") + end())

    assert [OPENING, {"reasoning_content": "Hm."}, {"content": "Yes."}, {}] == deltas_of(output)


def test_text_that_comes_with_the_start_of_its_block_is_not_lost() -> None:
    blocks = block_start(0, type="thinking", thinking="Hm.") + block_stop(0)
    blocks += block_start(1, type="text", text="Yes.") + block_stop(1)

    assert [{"reasoning_content": "Hm."}, {"content": "Yes."}] == deltas_of(
        a_stream().feed(start() + blocks)
    )[1:]


def test_a_tool_call_is_its_head_once_and_then_only_arguments() -> None:
    stream = a_stream()
    output = stream.feed(
        start() + text(0, "So") + tool(1, "toolu_1", "", '{"ci', 'ty":"Rome"}') + end("tool_use")
    )
    call = {
        "index": 0,
        "id": "toolu_1",
        "type": "function",
        "function": {"name": "weather", "arguments": ""},
    }

    assert [
        OPENING,
        {"content": "So"},
        {"tool_calls": [call]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"ci'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ty":"Rome"}'}}]},
        {},
    ] == deltas_of(output)
    assert "tool_calls" == chunks_of(output)[-1]["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    ("block", "expected"), [({}, "{}"), ({"input": {"city": "Rome"}}, '{"city":"Rome"}')]
)
def test_input_that_comes_with_the_start_is_sent_at_the_end(block: Any, expected: str) -> None:
    said = deltas_of(a_stream().feed(start() + tool(0, "toolu_1", **block)))

    assert expected == "".join(
        call["function"]["arguments"] for piece in said for call in piece.get("tool_calls", ())
    )


def test_server_tools_and_citations_are_nothing_to_the_client() -> None:
    blocks = (
        block_start(0, type="server_tool_use", id="srvtoolu_1", name="web_search", input={})
        + delta(0, "input_json_delta_v2", partial_json="x")
        + block_stop(0)
        + block_start(1, type="text", text="")
        + delta(1, "citations_delta", citation={"type": "char_location"})
        + block_stop(1)
    )

    assert [OPENING] == deltas_of(a_stream().feed(start() + blocks))


def test_a_refusal_is_told_in_the_last_delta() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    last = chunks_of(a_stream().feed(start() + end("refusal", details=details)))[-1]

    assert {
        "index": 0,
        "delta": {"refusal": "Not this."},
        "logprobs": None,
        "finish_reason": "content_filter",
    } == last["choices"][0]


def test_the_finish_reason_comes_once() -> None:
    again = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9})
    stream = a_stream()
    output = stream.feed(start() + again + again + end())

    assert [None, "stop"] == [chunk["choices"][0]["finish_reason"] for chunk in chunks_of(output)]


def test_a_stop_without_a_reason_still_ends_the_answer() -> None:
    output = a_stream().feed(start() + event("message_stop"))

    assert "stop" == chunks_of(output)[-1]["choices"][0]["finish_reason"]


def test_nothing_is_read_after_the_end() -> None:
    stream = a_stream()
    stream.feed(start() + end() + text(0, "more"))

    assert b"" == stream.feed(text(0, "more") + b"garbage\n\n")
    assert "" == stream.generated.take()


def test_an_error_event_is_kept_and_nothing_sent() -> None:
    stream = a_stream()
    sent = stream.feed(start() + text(0, "a"))
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    assert 2 == len(chunks_of(sent))
    assert b"" == stream.feed(error + end())
    assert stream.error is not None
    assert (529, "overloaded_error", "Overloaded") == (
        stream.error.status,
        stream.error.code,
        stream.error.message,
    )
    assert not stream.finished


@pytest.mark.parametrize("error", [{}, {"error": None}, {"error": {}}])
def test_an_error_event_without_words_is_still_an_error(error: dict[str, Any]) -> None:
    stream = a_stream()
    stream.feed(event("error", **error))

    assert stream.error is not None
    assert 502 == stream.error.status


@pytest.mark.parametrize(
    "data",
    [
        text(0, "before the start"),
        end(),
        start() + start(),
        start() + event("content_block_delta", index=0),
        event("message_start"),
        b"HTTP/1.1 500 Internal Server Error\r\n\r\ndata: <html>\r\n\r\n",
    ],
)
def test_events_out_of_place_break_the_stream(data: bytes) -> None:
    stream = a_stream()
    with pytest.raises(UpstreamError) as caught:  # noqa: PT012 - one byte at a time
        for position in range(len(data)):
            stream.feed(data[position : position + 1])

    assert "upstream_broken" == caught.value.code
    assert caught.value is stream.error
    assert b"" == stream.feed(end())


def test_what_came_before_the_break_is_still_sent() -> None:
    stream = a_stream()
    output = stream.feed(start() + text(0, "a") + b"data: <html>\n\n")

    assert [OPENING, {"content": "a"}] == deltas_of(output)
    assert stream.error is not None
    assert "upstream_broken" == stream.error.code


def test_generated_text_is_everything_generated_and_is_taken_once() -> None:
    stream = a_stream()
    stream.feed(start() + block_start(0, type="thinking", thinking=""))
    stream.feed(delta(0, "thinking_delta", thinking="Hm.") + block_stop(0))
    stream.feed(text(1, "Yes é.") + tool(2, "toolu_1", '{"a":1}'))

    generated = stream.generated

    assert generated.chars == generated.kept_chars == len('Hm.Yes é.weather{"a":1}')
    assert 'Hm.Yes é.weather{"a":1}' == generated.take()
    assert ("", 0) == (generated.take(), generated.kept_chars)


def test_text_survives_whatever_json_must_escape() -> None:
    words = 'quote " backslash \\ newline \n control \x01 é 🌍 \u2028'

    assert {"content": words} == deltas_of(a_stream().feed(start() + text(0, words)))[1]
