"""Messages as system prompt and turns."""

from __future__ import annotations

from typing import Any

import pytest

from korad.errors import ClientError
from korad.providers.anthropic_turns import SILENT_TEXT, Conversation, ConversationBuilder
from tests.support.anthropic_wire import (
    ADAPTIVE,
    CLASSIC,
    STRICTEST,
    SYSTEM_TURNS,
    a_call,
    a_result,
    built,
    calling,
    capabilities,
)


def converse(*messages: Any, model: str = CLASSIC) -> Conversation:
    return ConversationBuilder(capabilities(model)).build(list(messages))


def say(role: str, content: Any, **members: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **members}


def block(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def turn(role: str, *words: str) -> dict[str, Any]:
    return {"role": role, "content": [block(word) for word in words]}


def refused(*messages: Any, model: str = CLASSIC) -> ClientError:
    with pytest.raises(ClientError) as caught:
        converse(*messages, model=model)

    assert 400 == caught.value.status

    return caught.value


def test_leading_system_and_developer_messages_become_the_system_prompt_in_order() -> None:
    found = converse(say("system", "a"), say("developer", ["b", " "]), say("user", "c"))

    assert [block("a"), block("b")] == found.system
    assert [turn("user", "c")] == found.turns


def test_consecutive_messages_of_a_role_are_one_turn() -> None:
    found = converse(say("user", "a"), say("user", "b"), say("assistant", "c"), say("user", "d"))

    assert [turn("user", "a", "b"), turn("assistant", "c"), turn("user", "d")] == found.turns


def test_blank_messages_vanish_and_their_neighbours_join() -> None:
    found = converse(
        say("user", "a"), say("assistant", ""), say("assistant", None), say("user", "b")
    )

    assert [turn("user", "a", "b")] == found.turns


@pytest.mark.parametrize("content", ["", " \n", None, [], [{"type": "text", "text": ""}]])
@pytest.mark.parametrize("model", [CLASSIC, STRICTEST])
def test_a_blank_answer_to_the_assistant_is_still_the_users_turn(content: Any, model: str) -> None:
    messages = [say("user", "a"), say("assistant", "b "), say("user", content)]
    found = converse(*messages, model=model)
    longer = converse(*messages, say("assistant", "c"), say("user", "d"), model=model)

    assert not found.prefilled
    assert [turn("user", "a"), turn("assistant", "b "), turn("user", SILENT_TEXT)] == found.turns
    assert found.turns == longer.turns[:3]


def test_a_blank_message_between_a_call_and_its_result_says_nothing() -> None:
    found = converse(say("user", "a"), calling(a_call("c1")), say("user", ""), a_result("c1"))

    assert ["tool_result"] == [each["type"] for each in found.turns[2]["content"]]


def test_a_late_system_message_is_a_system_turn_where_the_model_takes_it() -> None:
    messages = [say("user", "a"), say("system", "b"), say("developer", "c"), say("assistant", "d")]

    found = converse(*messages, say("user", "e"), model=SYSTEM_TURNS)

    assert [] == found.system
    assert [
        turn("user", "a"),
        turn("system", "b", "c"),
        turn("assistant", "d"),
        turn("user", "e"),
    ] == found.turns


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        # directly after the assistant's turn
        (
            [say("user", "a"), say("assistant", "b"), say("system", "c"), say("user", "d")],
            [turn("user", "a"), turn("assistant", "b"), turn("user", "c", "d")],
        ),
        # not followed by the assistant's turn
        ([say("user", "a"), say("system", "b"), say("user", "c")], [turn("user", "a", "b", "c")]),
        # followed by an assistant's message that says nothing
        (
            [say("user", "a"), say("system", "b"), say("assistant", ""), say("user", "c")],
            [turn("user", "a", "b", "c")],
        ),
    ],
)
def test_a_late_system_message_at_a_forbidden_place_joins_the_users_turn(
    messages: list[Any], expected: list[Any]
) -> None:
    assert expected == converse(*messages, model=SYSTEM_TURNS).turns


def test_a_late_system_message_is_the_users_word_for_other_models() -> None:
    found = converse(say("system", "s"), say("user", "a"), say("system", "b"))

    assert [block("s")] == found.system
    assert [turn("user", "a", "b")] == found.turns


def test_a_late_system_message_never_comes_between_a_call_and_its_result() -> None:
    found = converse(
        say("user", "a"),
        calling(a_call("c1"), a_call("c2")),
        a_result("c1"),
        say("system", "s"),
        a_result("c2"),
        model=SYSTEM_TURNS,
    )

    assert ["tool_result", "tool_result", "text"] == [
        piece["type"] for piece in found.turns[-1]["content"]
    ]


@pytest.mark.parametrize("messages", [[say("system", "s")], [say("system", "s"), say("user", "")]])
def test_a_request_of_system_messages_alone_gets_an_opening_turn(messages: list[Any]) -> None:
    found = converse(*messages)

    assert [block("s")] == found.system
    assert [turn("user", SILENT_TEXT)] == found.turns


def test_a_conversation_begun_by_the_assistant_gets_an_opening_turn() -> None:
    found = converse(say("assistant", "Hello!"), say("user", "a"))

    assert [
        turn("user", SILENT_TEXT),
        turn("assistant", "Hello!"),
        turn("user", "a"),
    ] == found.turns


def test_messages_without_any_content_are_refused() -> None:
    assert "invalid_messages" == refused(say("user", " "), say("assistant", None)).code


def test_a_prefill_loses_its_trailing_white_space() -> None:
    found = converse(say("user", "a"), say("assistant", "The answer: \n"))

    assert turn("assistant", "The answer:") == found.turns[-1]
    assert found.prefilled


def test_a_prefill_is_refused_where_the_model_would_refuse_it() -> None:
    error = refused(say("user", "a"), say("assistant", "b"), model=ADAPTIVE)

    assert ("unsupported_parameter", "messages[1]") == (error.code, error.param)


def test_calls_follow_the_text_and_keep_their_arguments_as_spelled() -> None:
    arguments = '{"n": 12345678901234567890123, "x": 1.10, "s": "\\u00e9"}'
    body = built(
        messages=[
            say("user", "a"),
            calling(a_call("c1", arguments=arguments), content="Let me see."),
            a_result("c1"),
        ]
    )
    words, use = body["messages"][1]["content"]

    assert block("Let me see.") == words
    assert ("tool_use", "c1", "weather") == (use["type"], use["id"], use["name"])
    assert {"n": 12345678901234567890123, "x": 1.1, "s": "é"} == use["input"]


def test_half_a_surrogate_pair_in_arguments_is_replaced() -> None:
    call = a_call("c1", arguments='{"s": "\\ud83d", "t": "\\ud83d\\ude00"}')
    body = built(messages=[say("user", "a"), calling(call), a_result("c1")])

    assert {"s": "\ufffd", "t": "\U0001f600"} == body["messages"][1]["content"][0]["input"]


@pytest.mark.parametrize("arguments", ["", None, "{}"])
def test_a_call_without_arguments_has_an_empty_input(arguments: Any) -> None:
    call = a_call("c1")
    call["function"]["arguments"] = arguments
    body = built(messages=[say("user", "a"), calling(call), a_result("c1")])

    assert {} == body["messages"][1]["content"][0]["input"]


@pytest.mark.parametrize("arguments", ["[1]", "7", "{", '"x"', 7, {"a": 1}])
def test_arguments_that_are_no_json_object_are_refused(arguments: Any) -> None:
    call = a_call("c1")
    call["function"]["arguments"] = arguments
    error = refused(say("user", "a"), calling(call), a_result("c1"))

    assert ("invalid_messages", "messages[1].tool_calls[0].function.arguments") == (
        error.code,
        error.param,
    )


def test_results_come_before_what_the_user_says_in_one_turn() -> None:
    found = converse(
        say("user", "a"),
        calling(a_call("c1"), a_call("c2")),
        a_result("c1", "one"),
        say("user", "hurry"),
        a_result("c2", ["two"]),
        say("user", "please"),
    )

    assert 3 == len(found.turns)
    assert [
        {"type": "tool_result", "tool_use_id": "c1", "content": [block("one")]},
        {"type": "tool_result", "tool_use_id": "c2", "content": [block("two")]},
        block("hurry"),
        block("please"),
    ] == found.turns[2]["content"]


@pytest.mark.parametrize("content", ["", None, []])
def test_an_empty_result_has_no_content(content: Any) -> None:
    found = converse(say("user", "a"), calling(a_call("c1")), a_result("c1", content))

    assert [{"type": "tool_result", "tool_use_id": "c1"}] == found.turns[2]["content"]


def test_ids_outside_the_alphabet_are_mapped_the_same_in_call_and_result() -> None:
    found = converse(
        say("user", "a"),
        calling(a_call("call:1|x"), a_call("call_1_x")),
        a_result("call_1_x"),
        a_result("call:1|x"),
    )

    assert ["call_1_x", "call_1_x_2"] == [use["id"] for use in found.turns[1]["content"]]
    assert ["call_1_x_2", "call_1_x"] == [part["tool_use_id"] for part in found.turns[2]["content"]]


def test_an_id_used_again_in_a_later_turn_stays_unique() -> None:
    found = converse(
        say("user", "a"),
        calling(a_call("0")),
        a_result("0"),
        calling(a_call("0", "other")),
        a_result("0"),
    )

    assert ["0", "0_2"] == [found.turns[n]["content"][0]["id"] for n in (1, 3)]
    assert ["0", "0_2"] == [found.turns[n]["content"][0]["tool_use_id"] for n in (2, 4)]
    assert ["weather", "other"] == found.tool_names


def test_an_orphan_result_is_refused() -> None:
    error = refused(say("user", "a"), a_result("c9"))

    assert ("invalid_messages", "messages[1].tool_call_id") == (error.code, error.param)


def test_a_second_result_of_one_call_is_refused() -> None:
    error = refused(say("user", "a"), calling(a_call("c1")), a_result("c1"), a_result("c1"))

    assert "messages[3].tool_call_id" == error.param


@pytest.mark.parametrize(
    "after", [[], [say("user", "never mind")], [a_result("c1"), say("assistant", "so")]]
)
def test_an_unanswered_call_is_refused_by_name(after: list[Any]) -> None:
    error = refused(say("user", "a"), calling(a_call("c1"), a_call("c2")), *after)

    assert "invalid_messages" == error.code
    assert "c2" in error.message


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (7, "messages[1]"),
        (say("robot", "x"), "messages[1].role"),
        ({"content": "x"}, "messages[1].role"),
        (say("assistant", None, tool_calls=7), "messages[1].tool_calls"),
        (calling({"id": "c1"}), "messages[1].tool_calls[0]"),
        (calling({**a_call("c1"), "id": ""}), "messages[1].tool_calls[0].id"),
        (calling(a_call("c1", name="")), "messages[1].tool_calls[0].function.name"),
        (calling(a_call("c1"), a_call("c1")), "messages[1].tool_calls[1].id"),
    ],
)
def test_wrong_shapes_are_refused_with_their_place(message: Any, param: str) -> None:
    error = refused(say("user", "a"), message)

    assert ("invalid_messages", param) == (error.code, error.param)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (say("function", "x", name="f"), "messages[1].role"),
        (say("assistant", None, function_call={"name": "f"}), "messages[1].function_call"),
        (say("assistant", None, audio={"id": "a"}), "messages[1].audio"),
    ],
)
def test_legacy_functions_and_audio_are_unsupported(message: Any, param: str) -> None:
    error = refused(say("user", "a"), message)

    assert ("unsupported_parameter", param) == (error.code, error.param)


def test_an_echoed_answer_is_accepted_with_all_its_null_members() -> None:
    echo = say(
        "assistant",
        "b",
        refusal=None,
        annotations=[],
        audio=None,
        function_call=None,
        tool_calls=None,
        reasoning_content="hm",
    )

    assert turn("assistant", "b") == converse(say("user", "a"), echo, say("user", "c")).turns[1]


def test_an_echoed_refusal_is_kept_as_text() -> None:
    echo = say("assistant", None, refusal="I won't.")

    assert (
        turn("assistant", "I won't.") == converse(say("user", "a"), echo, say("user", "c")).turns[1]
    )


def test_a_messages_own_breakpoint_goes_to_its_last_block() -> None:
    marker = {"type": "ephemeral"}
    found = converse(
        say("system", ["a", "b"], cache_control=marker),
        say("user", "c", cache_control=marker),
        {**calling(a_call("c1"), content="x"), "cache_control": marker},
        {**a_result("c1"), "cache_control": marker},
    )
    marked = [
        piece["type"]
        for piece in (*found.system, *(b for t in found.turns for b in t["content"]))
        if "cache_control" in piece
    ]

    assert [block("a"), {**block("b"), "cache_control": marker}] == found.system
    assert ["text", "text", "tool_use", "tool_result"] == marked


def test_a_breakpoint_inside_a_result_is_lifted_to_the_result() -> None:
    marker = {"type": "ephemeral"}
    content = [{"type": "text", "text": "x", "cache_control": marker}]
    found = converse(say("user", "a"), calling(a_call("c1")), a_result("c1", content))

    assert [
        {
            "type": "tool_result",
            "tool_use_id": "c1",
            "cache_control": marker,
            "content": [block("x")],
        }
    ] == found.turns[2]["content"]
