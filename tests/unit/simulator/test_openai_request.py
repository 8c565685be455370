"""Tests of what the OpenAI dialect takes and refuses."""

from __future__ import annotations

import orjson
import pytest

from korad.simulator import Script, count_words
from korad.simulator.openai_request import check_credential, read_ask
from korad.simulator.reply import Refused
from tests.support.simulator import HELLO, openai_body

FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
USER, CALLING = HELLO[1], {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}


def read(script=None, **members):
    return read_ask(orjson.dumps(openai_body(**members)), script or Script(), count_words)


def test_the_documented_request_has_ten_prompt_tokens():
    assert 10 == read().prompt_tokens


def test_what_a_request_asks_is_read():
    asked = read(
        stream=True,
        stream_options={"include_usage": True},
        n=2,
        stop="END",
        max_tokens=5,
        service_tier="flex",
    )

    assert (True, True, 2, ("END",), 5, "flex") == (
        asked.stream,
        asked.include_usage,
        asked.choices,
        asked.stop,
        asked.max_tokens,
        asked.service_tier,
    )


def test_everything_in_the_prompt_counts():
    parts = [
        {"type": "text", "text": "two words"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    asked = read(messages=[{"role": "user", "content": parts}, CALLING, RESULT], tools=TOOLS)
    tools = count_words(orjson.dumps(TOOLS[0]).decode())

    assert 2 + 255 + count_words('f {"a": 1} 42') + tools == asked.prompt_tokens
    assert "two words\n" == asked.last_user_text


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_a_tool_choice_can_force_a_tool(choice):
    forced = read(tools=TOOLS, tool_choice=choice).forced_tool

    assert forced is not None
    assert "f" == forced.name


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_other_tool_choices_force_none(choice):
    assert read(tools=TOOLS, tool_choice=choice).forced_tool is None


@pytest.mark.parametrize(
    ("choice", "offered"), [(None, ["f"]), ("auto", ["f"]), ("none", []), ("required", [])]
)
def test_tools_are_offered_where_the_choice_is_left_open(choice, offered):
    assert offered == [t.name for t in read(tools=TOOLS, tool_choice=choice).offered_tools]


def test_tools_are_not_offered_again_with_their_results():
    messages = [{"role": "user", "content": "go"}, CALLING, RESULT]

    assert () == read(messages=messages, tools=TOOLS).offered_tools


@pytest.mark.parametrize(
    ("members", "alternatives"),
    [
        ({}, None),
        ({"logprobs": False}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 3}, 3),
    ],
)
def test_log_probabilities_are_asked_for(members, alternatives):
    assert alternatives == read(**members).top_logprobs


def test_response_formats_ask_for_json():
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    assert schema == read(response_format=wanted).schema
    assert read(response_format={"type": "json_object"}).schema is not None
    assert read(response_format={"type": "text"}).schema is None


@pytest.mark.parametrize(
    ("members", "param", "code"),
    [
        ({"model": None}, None, None),
        ({"model": 1}, "model", "invalid_type"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": "hi"}, "messages", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", None),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "invalid_type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use"}]}]},
            "messages[0].content[0].type",
            "invalid_value",
        ),
        ({"messages": [USER, RESULT]}, "messages[1].role", None),
        ({"messages": [USER, CALLING]}, "messages", None),
        ({"messages": [USER, CALLING, USER]}, "messages[2].role", None),
        ({"messages": [CALLING, RESULT, RESULT]}, "messages[2].role", None),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls",
            "missing_required_parameter",
        ),
        ({"temperature": "1"}, "temperature", "invalid_type"),
        ({"temperature": 3}, "temperature", "integer_above_max_value"),
        ({"top_p": -0.5}, "top_p", "decimal_below_min_value"),
        ({"max_tokens": True}, "max_tokens", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"stream": 1}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"stop": 3}, "stop", "invalid_type"),
        (
            {"max_tokens": 1, "max_completion_tokens": 1},
            "max_tokens",
            "invalid_parameter_combination",
        ),
        ({"tool_choice": "required"}, "tool_choice", None),
    ],
)
def test_a_wrong_request_is_refused_as_openai_refuses_it(members, param, code):
    with pytest.raises(Refused) as caught:
        read(**members)

    assert (400, "invalid_request_error", param, code) == (
        caught.value.status,
        caught.value.kind,
        caught.value.param,
        caught.value.code,
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(Refused, match="could not parse"):
        read_ask(body, Script(), count_words)


def test_unknown_members_are_taken_unless_the_script_says_otherwise():
    assert "gpt-4o" == read(top_k=4).model
    with pytest.raises(Refused, match="Unknown parameter: 'top_k'"):
        read(Script(unknown_fields=False), top_k=4)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer "}, {"authorization": "Bearer sk-bf-1"}]
)
def test_a_request_without_a_key_of_the_provider_is_unauthorized(headers):
    with pytest.raises(Refused) as caught:
        check_credential(headers)

    assert (401, "invalid_api_key") == (caught.value.status, caught.value.code)


@pytest.mark.parametrize("headers", [{"authorization": "Bearer sk-x"}, {"api-key": "azure"}])
def test_a_key_of_the_provider_is_let_in(headers):
    assert check_credential(headers) is None
