"""A request body is read exactly as far as korad needs it, and no further."""

from __future__ import annotations

import msgspec
import pytest

from korad.errors import ClientError
from korad.wire.openai import SHAPE_CHECK_BYTES_MAX, encode_members, parse_chat_request

PADDING = b" " * (SHAPE_CHECK_BYTES_MAX + 1)
MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


def refusal(raw):
    with pytest.raises(ClientError) as caught:
        parse_chat_request(raw)
    error = caught.value
    return error.status, error.code, error.param


def body(*members: bytes) -> bytes:
    return b"{" + b",".join(members) + b"}"


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
@pytest.mark.parametrize(
    ("members", "stream", "include_usage"),
    [
        ([], False, False),
        ([b'"stream":true'], True, False),
        ([b'"stream":null,"stream_options":null'], False, False),
        ([b'"stream":true,"stream_options":{"include_usage":true}'], True, True),
        ([b'"stream":true,"stream_options":{"include_usage":null}'], True, False),
    ],
)
def test_small_and_large_bodies_are_read_alike(members, stream, include_usage, padding):
    raw = body(b'"model":"openai/gpt-4o"', MESSAGES, *members) + padding
    request = parse_chat_request(raw)

    assert request.model == "openai/gpt-4o"
    assert (stream, include_usage) == (request.stream, request.include_usage)
    assert request.raw == raw


def test_values_keep_their_own_bytes():
    raw = b'{"model":"a/b","messages":[{"role":"u"}],"seed":12345678901234567890123,"x":"\\u0041"}'
    request = parse_chat_request(raw)

    assert bytes(request.members["seed"]) == b"12345678901234567890123"
    assert encode_members(request.members) == raw


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
def test_half_a_surrogate_pair_is_json_and_becomes_the_replacement_character(padding):
    raw = b'{"model":"a/b","messages":[{"role":"user","content":"cut \\ud83d"}],"seed":1.10}'
    mended = raw.replace(b"ud83d", b"ufffd")
    request = parse_chat_request(raw + padding)

    assert mended == encode_members(request.members)
    assert mended + padding == request.raw


def test_of_a_repeated_member_the_last_counts_everywhere():
    request = parse_chat_request(
        b'{"model":"a/b","messages":[{"role":"u"}],"model":"c/d","stream":false,"stream":true}'
    )

    assert (request.model, request.stream) == ("c/d", True)
    assert msgspec.json.decode(encode_members(request.members))["model"] == "c/d"


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a":NaN}',
        b"{'a':1}",
        b'{"a":1,}',
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\x"}',
        b'{"a":"\x01"}',
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_a_json_object_is_invalid_json(raw, padding):
    assert refusal(raw + padding) == (400, "invalid_json", None)


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
@pytest.mark.parametrize(
    "model", [b"", b'"model":null', b'"model":""', b'"model":1', b'"model":[]', b'"model":1e999']
)
def test_a_model_that_is_no_name_is_invalid(model, padding):
    members = [model] if model else []

    assert refusal(body(*members, MESSAGES) + padding) == (400, "invalid_model", "model")


@pytest.mark.parametrize(
    "messages",
    [
        b"",
        b'"messages":null',
        b'"messages":[]',
        b'"messages":{}',
        b'"messages":"hi"',
        b'"messages":[1]',
        b'"messages":[null]',
        b'"messages":[{}]',
        b'"messages":[{"role":null}]',
        b'"messages":[{"role":"user"},[]]',
        b'"messages":{"a":"' + b"x" * SHAPE_CHECK_BYTES_MAX + b'"}',
    ],
)
def test_messages_of_the_wrong_shape_are_invalid(messages):
    members = [messages] if messages else []

    assert refusal(body(b'"model":"a/b"', *members)) == (400, "invalid_messages", "messages")


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
@pytest.mark.parametrize(
    ("member", "param"),
    [
        (b'"stream":"true"', "stream"),
        (b'"stream":1', "stream"),
        (b'"stream":1e999', "stream"),
        (b'"stream_options":[]', "stream_options"),
        (b'"stream_options":true', "stream_options"),
    ],
)
def test_a_switch_of_the_wrong_type_is_refused_by_name(member, param, padding):
    raw = body(b'"model":"a/b"', MESSAGES, member) + padding

    assert refusal(raw) == (400, "invalid_type", param)
