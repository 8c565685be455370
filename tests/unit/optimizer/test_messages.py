"""Reading the texts of messages, and writing them back without touching anything else."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from korad.optimizer.messages import (
    join_messages,
    read_message,
    read_role,
    split_messages,
    with_texts,
)

IMAGE = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}'
AUDIO = b'{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}'


def rewritten(raw, *texts):
    message = read_message(raw)
    assert message is not None
    return with_texts(raw, message, texts)


def test_messages_are_split_and_joined_byte_for_byte():
    raw = b'[ {"role":"user", "content":"a\\u00e9"} ,{"x":1.10,"role":"tool"}\n]'
    messages = split_messages(msgspec.Raw(raw))

    assert messages == [b'{"role":"user", "content":"a\\u00e9"}', b'{"x":1.10,"role":"tool"}']
    assert bytes(join_messages(messages)) == b"[%b,%b]" % (messages[0], messages[1])


@pytest.mark.parametrize("raw", [b"{}", b'"text"', b"null", b"1", b"[1,", b"", b"[" * 100_000])
def test_what_is_no_array_has_no_messages(raw):
    assert split_messages(msgspec.Raw(raw)) is None


def test_an_empty_array_has_no_message():
    assert [] == split_messages(msgspec.Raw(b"[]"))
    assert b"[]" == bytes(join_messages([]))


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        (b'{"role":"user","content":"one"}', ["one"]),
        (b'{"role":"user","content":""}', [""]),
        (b'{"role":"assistant","content":null}', []),
        (b'{"role":"assistant"}', []),
        (b'{"role":"user","content":[]}', []),
        (b'{"role":"user","content":[{"type":"text","text":"a"},%b,%b]}' % (IMAGE, AUDIO), None),
        (b'{"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]}', ["a"]),
        (b'{"role":"user","content":[{"type":"refusal","text":"a"}]}', [None]),
        (b'{"role":"user","content":[{"type":"text"}]}', [None]),
        (b'{"role":"user","content":[{"type":"text","text":7}]}', [None]),
        (b'{"role":"user","content":["a",1,null,[],{}]}', [None] * 5),
        (b'{"role":"user","content":"a","content":"b"}', ["b"]),
    ],
)
def test_the_texts_of_a_message_are_those_of_its_text_parts(raw, texts):
    assert (["a", None, None] if texts is None else texts) == read_message(raw).texts()


@pytest.mark.parametrize(
    "raw",
    [
        b'{"role":"user","content":7}',
        b'{"role":"user","content":{"type":"text"}}',
        b'{"role":"user","content":true}',
        b'{"role":null,"content":"a"}',
        b'{"content":"a"}',
        b'{"role":"user","content":"\\ud800"}',
        b'{"role":"user","content":"\\udc00\\ud800"}',
        b'{"role":"user","content":"\xff"}',
        b'{"role":"user","content":"a","tool_calls":7}',
        b'{"role":"user","content":"a","tool_calls":[{"id":1}]}',
        b'{"role":"user","content":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'["role","user"]',
        b"null",
        b"",
        b'{"role":"user"',
    ],
)
def test_a_message_of_an_odd_shape_is_not_read(raw):
    assert read_message(raw) is None


@pytest.mark.parametrize(
    ("raw", "role"),
    [
        (b'{"role":"tool","content":7}', "tool"),
        (b'{"content":"a"}', ""),
        (b'{"role":7}', ""),
        (b"[]", ""),
        (b'{"role":"user","role":"system"}', "system"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"role":"user"}', ""),
    ],
)
def test_a_role_is_read_from_any_message(raw, role):
    assert role == read_role(raw)


def test_calls_and_ids_are_read():
    function = {"name": "look", "arguments": '{"at":1}'}
    calls = [{"id": "c1", "type": "function", "function": function}, {"id": "c2", "type": "custom"}]
    message = read_message(orjson.dumps({"role": "assistant", "tool_calls": calls}))

    assert ["c1", "c2"] == [call.id for call in message.tool_calls]
    assert ("look", '{"at":1}') == (
        message.tool_calls[0].function.name,
        message.tool_calls[0].function.arguments,
    )
    assert message.tool_calls[1].function is None
    assert "c9" == read_message(b'{"role":"tool","tool_call_id":"c9"}').tool_call_id


REST = (
    b'"name":"n","x_int":123456789012345678901234567890,"x_float":1.10,"x_huge":1e999,'
    b'"x_text":"\\u00e9\\/\\ud83d\\ude00","x_list":[1E5, {"b":2,"a":1}]'
)


def test_everything_but_the_text_keeps_its_bytes_and_its_place():
    raw = b'{%b,"content":"old","role":"user","tool_call_id":"c1"}' % REST

    new = rewritten(raw, "new é")

    assert new == b'{%b,"content":"new \xc3\xa9","role":"user","tool_call_id":"c1"}' % REST


def test_parts_keep_their_bytes_and_their_order():
    raw = (
        b'{"content":[%b,{"z":1.0,"text":"one","type":"text","cache_control":{"type":"ephemeral"}},'
        b'%b,{"type":"text","text":"\\u0074wo"},{"type":"text","text":"three"}],"role":"user"}'
    ) % (IMAGE, AUDIO)

    assert rewritten(raw, None, "1", None, "two", "3") == (
        b'{"content":[%b,{"z":1.0,"text":"1","type":"text","cache_control":{"type":"ephemeral"}},'
        b'%b,{"type":"text","text":"\\u0074wo"},{"type":"text","text":"3"}],"role":"user"}'
    ) % (IMAGE, AUDIO)


def test_a_part_that_is_to_stay_keeps_its_spelling():
    part = b'{ "type" : "text", "text" : "\\u0061" }'
    raw = b'{"role":"user","content":[%b,{"type":"text","text":"b"}]}' % part

    assert part in rewritten(raw, None, "c")
    assert part in rewritten(raw, "a", "c")


def test_of_a_repeated_member_the_last_one_is_rewritten_and_stays():
    raw = b'{"role":"user","content":"first","content":"last"}'

    assert {"role": "user", "content": "new"} == orjson.loads(rewritten(raw, "new"))


@pytest.mark.parametrize("text", ["", '"\\\n\x00\x1f', "\u2028\U0001f600", "漢字" * 10])
def test_any_text_comes_back_as_it_was_given(text):
    assert [text] == read_message(rewritten(b'{"role":"tool","content":"x"}', text)).texts()


def test_as_many_texts_as_parts_must_be_given():
    raw = b'{"role":"user","content":[{"type":"text","text":"a"}]}'
    with pytest.raises(ValueError, match="zip"):
        rewritten(raw, "a", "b")
