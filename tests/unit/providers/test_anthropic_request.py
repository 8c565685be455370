"""The whole request body."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from korad.domain.chat import ChatRequest
from korad.errors import ClientError
from korad.providers.anthropic_schema import JSON_OBJECT_HINT
from tests.support.anthropic_wire import (
    ADAPTIVE,
    CLASSIC,
    DIALECT,
    STRICTEST,
    USER,
    WEATHER,
    a_call,
    a_result,
    a_target,
    built,
    calling,
)

MARKER = {"type": "ephemeral"}


def refused(**members: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        built(**members)

    return caught.value


def test_a_plain_request_is_four_members() -> None:
    assert {
        "model": CLASSIC,
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "temperature": 0.5,
    } == built(temperature=0.5)


def test_everything_at_once() -> None:
    body = built(
        messages=[{"role": "system", "content": "Be brief."}, USER],
        tools=[WEATHER],
        tool_choice="auto",
        stop=["END"],
        user="u-1",
        max_completion_tokens=99,
        stream=True,
        cache_control=MARKER,
    )

    assert {
        "model": CLASSIC,
        "max_tokens": 99,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "system": [{"type": "text", "text": "Be brief."}],
        "tools": [
            {
                "name": "weather",
                "description": "Tell the weather.",
                "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
            }
        ],
        "tool_choice": {"type": "auto"},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "stream": True,
        "cache_control": MARKER,
    } == body


def test_thinking_drops_the_sampling_parameters_it_does_not_go_with() -> None:
    body = built(reasoning_effort="low", temperature=0.2, top_p=0.9)

    assert {"type": "enabled", "budget_tokens": 2048} == body["thinking"]
    assert not {"temperature", "top_p"} & set(body)


def test_effort_and_format_share_the_output_config() -> None:
    schema = {"type": "object", "properties": {}}
    body = built(
        ADAPTIVE,
        reasoning_effort="low",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    )

    assert {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}},
    } == body["output_config"]


def test_json_object_is_asked_for_after_the_clients_own_system_prompt() -> None:
    body = built(
        messages=[{"role": "system", "content": "Be brief."}, USER],
        response_format={"type": "json_object"},
    )

    assert ["Be brief.", JSON_OBJECT_HINT] == [block["text"] for block in body["system"]]


def test_the_strictest_model_gets_none_of_what_it_refuses() -> None:
    body = built(STRICTEST, temperature=0.2, top_p=0.5, top_k=3, reasoning_effort="none")

    assert {"model", "max_tokens", "messages", "thinking"} == set(body)
    assert {"type": "between_tools"} == body["thinking"]


def test_an_empty_stop_list_is_not_sent() -> None:
    assert "stop_sequences" not in built(stop=["\n"])


def test_four_cache_breakpoints_pass_and_a_fifth_is_refused() -> None:
    parts = [{"type": "text", "text": "x", "cache_control": MARKER}] * 2
    messages = [{"role": "system", "content": parts[:1]}, {"role": "user", "content": parts}]
    tools = [{**WEATHER, "cache_control": MARKER}]

    assert 4 == str(built(messages=messages, tools=tools)).count("cache_control")
    assert "invalid_messages" == refused(messages=messages, tools=tools, cache_control=MARKER).code


def test_integers_of_twenty_digits_survive_in_arguments_and_schemas() -> None:
    big = 12345678901234567890123
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 0}}}
    body = built(
        messages=[USER, calling(a_call("c", arguments=f'{{"n":{big}}}')), a_result("c")],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": schema}}],
    )

    assert big == body["messages"][1]["content"][0]["input"]["n"]
    assert schema == body["tools"][0]["input_schema"]


def request_of(**members: bytes) -> ChatRequest:
    raw = {name: msgspec.Raw(value) for name, value in members.items()}
    return ChatRequest(raw=b"", members=raw, model="m", stream=False, include_usage=False)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "invalid_messages"),
        ({"messages": b"{}"}, "invalid_messages"),
        ({"messages": b'["\\ud800"]'}, "invalid_json"),
        ({"messages": b"[" * 100_000 + b"]" * 100_000}, "invalid_json"),
        ({"messages": b'[{"role":"user","content":"x"}]', "cache_control": b"1"}, "invalid_type"),
    ],
)
def test_members_that_the_shallow_parse_let_through_are_refused_here(
    members: dict[str, bytes], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        DIALECT.build_body(request_of(**members), a_target())

    assert (400, code) == (caught.value.status, caught.value.code)


def test_a_schema_nested_too_deeply_to_walk_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"items": deep}
    form = {"type": "json_schema", "json_schema": {"schema": deep}}

    assert "invalid_json" == refused(response_format=form).code
