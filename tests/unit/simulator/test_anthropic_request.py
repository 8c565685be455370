"""Tests of what the Anthropic dialect takes and refuses."""

from __future__ import annotations

import orjson
import pytest

from korad.simulator import count_words
from korad.simulator.anthropic_request import (
    VERSION,
    VERSION_WITHOUT_SAMPLING,
    authenticate,
    read_ask,
)
from korad.simulator.reply import Refused
from tests.support.simulator import anthropic_body

MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "42"}
IMAGE = {"type": "base64", "media_type": "image/png", "data": "aGk="}


def user(*content):
    return {"role": "user", "content": list(content)}


def assistant(*content):
    return {"role": "assistant", "content": list(content)}


def text(words):
    return {"type": "text", "text": words}


def read(version=VERSION, **members):
    body = {name: given for name, given in anthropic_body(**members).items() if given is not None}
    return read_ask(version, orjson.dumps(body), count_words)


def test_the_documented_request_has_ten_prompt_tokens():
    assert 10 == read().prompt_tokens


def test_everything_in_the_prompt_counts():
    asked = read(
        system=None,
        messages=[
            user(text("two words"), {"type": "image", "source": IMAGE}),
            assistant({"type": "thinking", "thinking": "hm", "signature": "s"}, USE),
            user(RESULT),
        ],
        tools=[TOOL],
    )
    tools = count_words(orjson.dumps(TOOL).decode())

    assert 2 + 255 + 1 + count_words('f {"a":1} 42') + tools == asked.prompt_tokens


def test_a_good_conversation_with_parallel_tools_is_taken():
    second = USE | {"id": "toolu_2"}
    messages = [
        user(text("go")),
        assistant(text("calling"), USE, second),
        user(RESULT, RESULT | {"tool_use_id": "toolu_2"}, text("and now?")),
    ]

    assert "and now?" == read(messages=messages, tools=[TOOL]).last_user_text


def test_results_may_come_in_consecutive_user_messages():
    messages = [user(text("go")), assistant(USE), user(RESULT), user(text("so?"))]

    assert "so?" == read(messages=messages, tools=[TOOL]).last_user_text


@pytest.mark.parametrize(
    "thinking", [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}]
)
def test_thinking_is_asked_for(thinking):
    assert read(thinking=thinking, max_tokens=2000).thinking


def test_a_tool_choice_can_force_a_tool():
    forced = read(tools=[TOOL], tool_choice={"type": "any"}).forced_tool

    assert forced is not None
    assert "f" == forced.name


@pytest.mark.parametrize(
    ("members", "offered"),
    [
        ({}, ["f"]),
        ({"tool_choice": {"type": "auto"}}, ["f"]),
        ({"tool_choice": {"type": "none"}}, []),
        ({"messages": [user(text("go")), assistant(USE), user(RESULT)]}, []),
    ],
)
def test_tools_are_offered_where_the_choice_is_open_and_no_result_came(members, offered):
    assert offered == [tool.name for tool in read(tools=[TOOL], **members).offered_tools]


def test_newer_models_take_a_system_message_inside_the_conversation():
    messages = [user(text("hi")), {"role": "system", "content": "Be brief."}]

    assert "hi" == read(model="claude-opus-5", messages=messages).last_user_text


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 1.5}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater"),
        ({"model": ""}, "model: String should have at least 1 character"),
        ({"n": 1}, "n: Extra inputs are not permitted"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"stop_sequences": [" "]}, "stop_sequences.0: each stop sequence"),
        ({"metadata": {"user_id": "x" * 257}}, "metadata.user_id: "),
        ({"temperature": 1.1}, "temperature: range: 0..1"),
        ({"top_p": 2}, "top_p: range: 0..1"),
        ({"temperature": 1, "top_p": 1}, "cannot both be specified"),
        ({"model": "claude-opus-5", "temperature": 1}, "`temperature` is not supported"),
        ({"system": [text("")]}, "system: text content blocks must be non-empty"),
        ({"system": ["x"]}, "system.0: "),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": ["x"]}, "messages.0: Input should be an object"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 'messages.0: Unexpected role "tool"'),
        ({"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
        ({"messages": [user(text("x")) | {"name": "n"}]}, "messages.0.name: Extra inputs"),
        ({"messages": [{"role": "user", "content": ""}]}, "must have non-empty content"),
        (
            {"messages": [{"role": "user", "content": None}]},
            "content: Input should be a valid list",
        ),
        ({"messages": [user()]}, "must have non-empty content"),
        ({"messages": [user(text(""))]}, "text content blocks must be non-empty"),
        ({"messages": [user(text(" \n"))]}, "must contain non-whitespace text"),
        ({"messages": [user({"type": "text"})]}, "text.text: Field required"),
        ({"messages": [user({"type": "image_url"})]}, "Input tag 'image_url'"),
        ({"messages": [user({"type": "image", "source": "x"})]}, "source: Input tag"),
        (
            {"messages": [user({"type": "image", "source": IMAGE | {"media_type": "image/jpg"}})]},
            "media_type: Input should be an image type",
        ),
        (
            {"messages": [user({"type": "image", "source": IMAGE | {"data": "data:x"}})]},
            "Invalid base64 data",
        ),
        (
            {"messages": [user({"type": "document", "source": IMAGE})]},
            "media_type: Input should be 'application/pdf'",
        ),
        ({"messages": [assistant(text("x"))]}, 'first message must use the "user" role'),
        ({"messages": [user(text("x")), assistant(text("y"))]}, "takes no prefill"),
        (
            {"model": "claude-opus-4-5", "messages": [user(text("x")), assistant(text("y "))]},
            "trailing whitespace",
        ),
        ({"messages": [user(USE)]}, "`tool_use` blocks are not permitted in `user`"),
        ({"messages": [user(text("x")), assistant(RESULT)]}, "not permitted in `assistant`"),
        ({"messages": [user(RESULT)]}, "unexpected `tool_use_id`"),
        (
            {"model": "claude-opus-4-5", "messages": [user(text("x")), assistant(USE)]},
            "without `tool_result`",
        ),
        ({"messages": [user(text("x")), assistant(USE), user(text("y"))]}, "without `tool_result`"),
        (
            {"messages": [user(text("x")), assistant(USE), user(text("y"), RESULT)]},
            "without `tool_result` blocks immediately after",
        ),
        (
            {"messages": [user(text("x")), assistant(USE), user(RESULT, RESULT)]},
            "must have a single result",
        ),
        ({"messages": [user(text("x")), assistant(USE, USE), user(RESULT)]}, "ids must be unique"),
        ({"messages": [user(text("x")), assistant(USE | {"id": "a b"})]}, "tool_use.id: String"),
        ({"messages": [user(text("x")), assistant(USE | {"input": "{}"})]}, "valid dictionary"),
        ({"messages": [user(RESULT | {"content": 3})]}, "tool_result.content: "),
        ({"messages": [user(RESULT | {"content": [text("")]})]}, "must be non-empty"),
        ({"messages": [user(text("x")), assistant({"type": "thinking"})]}, "Field required"),
        ({"messages": [user(*[text("x") | MARK] * 5)]}, "A maximum of 4 blocks"),
        ({"messages": [user(text("x") | {"cache_control": {}})]}, "should be 'ephemeral'"),
        ({"tools": ["f"]}, "tools.0: Input should be an object"),
        ({"tools": [TOOL | {"name": "a b"}]}, "tools.0.custom.name: "),
        ({"tools": [{"name": "f"}]}, "input_schema: Field required"),
        ({"tools": [{"name": "f", "input_schema": {}}]}, "input_schema.type: Field required"),
        ({"tools": [TOOL | {"parameters": {}}]}, "tools.0.custom.parameters: Extra inputs"),
        ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
        ({"tool_choice": {"type": "auto"}}, "while providing tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice.type: "),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "'g' not found"),
        (
            {"model": "claude-opus-5-5", "tools": [TOOL], "tool_choice": {"type": "any"}},
            "cannot be forced",
        ),
        (
            {"model": "claude-3-haiku", "output_config": {"format": {"schema": {}}}},
            "output_config.format: not supported",
        ),
        ({"model": "claude-opus-5", "thinking": {"type": "enabled"}}, "thinking.type: 'enabled'"),
        (
            {"model": "claude-3-haiku", "thinking": {"type": "adaptive"}},
            "thinking.type: 'adaptive'",
        ),
        ({"thinking": {"type": "enabled"}}, "budget_tokens: Input should be greater"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1024},
            "`max_tokens` must be greater than",
        ),
        ({"thinking": {"type": "adaptive"}, "temperature": 0.5}, "only be set to 1 when thinking"),
        (
            {"thinking": {"type": "adaptive"}, "tools": [TOOL], "tool_choice": {"type": "any"}},
            "Thinking may not be enabled",
        ),
    ],
)
def test_a_wrong_request_is_refused_with_the_place(members, message):
    with pytest.raises(Refused) as caught:
        read(**members)

    assert (400, "invalid_request_error") == (caught.value.status, caught.value.kind)
    assert message in caught.value.message


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(Refused):
        read_ask(VERSION, body, count_words)


def test_the_newer_version_takes_no_sampling_parameters():
    with pytest.raises(Refused, match="temperature"):
        read(VERSION_WITHOUT_SAMPLING, temperature=1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "k"}, 400),
        ({"x-api-key": "k", "anthropic-version": "2020-01-01"}, 400),
        ({"anthropic-version": VERSION}, 401),
        ({"anthropic-version": VERSION, "authorization": "Bearer k"}, 401),
        ({"anthropic-version": VERSION, "x-api-key": "sk-bf-1"}, 401),
    ],
)
def test_version_and_key_are_required(headers, status):
    with pytest.raises(Refused) as caught:
        authenticate(headers, auth=True)

    assert status == caught.value.status


@pytest.mark.parametrize(
    "headers",
    [
        {"anthropic-version": VERSION, "x-api-key": "k"},
        {"anthropic-version": VERSION_WITHOUT_SAMPLING, "authorization": "Bearer k"},
    ],
)
def test_each_version_takes_the_key_its_own_way(headers):
    assert headers["anthropic-version"] == authenticate(headers, auth=True)
