"""The hub dialect passes bytes through and reads only the usage."""

from __future__ import annotations

import msgspec
import pytest

from korad.errors import UpstreamError
from korad.providers.base import Target
from korad.providers.openai import OpenAIDialect
from korad.providers.openai_usage import TOKENS_MAX
from korad.wire.openai import parse_chat_request

DIALECT = OpenAIDialect()
TARGET = Target(provider="openai", model="gpt-4o")


def a_request(rest: bytes = b""):
    return parse_chat_request(b'{"model":"openai/x","messages":[{"role":"user"}]' + rest + b"}")


def completion(body: bytes):
    return DIALECT.read_completion(body, a_request(), TARGET)


def streamed(data: bytes, size: int, rest: bytes = b',"stream":true'):
    stream = DIALECT.open_stream(a_request(rest), TARGET)
    sent = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
    return stream, sent


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"", b""),
        (b',"seed":1.0e2,"x":"\\u0041"', b',"seed":1.0e2,"x":"\\u0041"'),
        (b',"stream":true', b',"stream":true,"stream_options":{"include_usage":true}'),
        (
            b',"stream":true,"stream_options":{"a":1e999,"include_usage":false}',
            b',"stream":true,"stream_options":{"a":1e999,"include_usage":true}',
        ),
        (b',"stream":false,"stream_options":{}', b',"stream":false,"stream_options":{}'),
    ],
)
def test_only_the_model_and_the_wish_for_usage_change(rest, expected):
    body = DIALECT.build_body(a_request(rest), TARGET)

    assert body == b'{"model":"gpt-4o","messages":[{"role":"user"}]' + expected + b"}"


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (b'{"prompt_tokens":10,"completion_tokens":9}', (10, 9)),
        (b'{"prompt_tokens":10}', None),
        (b'{"prompt_tokens":10,"completion_tokens":null}', None),
        (b'{"prompt_tokens":10,"completion_tokens":-9}', None),
        (b'{"prompt_tokens":10,"completion_tokens":%d}' % TOKENS_MAX, (10, TOKENS_MAX)),
        (b'{"prompt_tokens":10,"completion_tokens":99999999999999999999}', None),
        (b'{"prompt_tokens":10,"completion_tokens":"9"}', None),
        (b'{"prompt_tokens":-10,"completion_tokens":9}', None),
        (b'{"prompt_tokens":true,"completion_tokens":9}', None),
        (b'{"prompt_tokens":99999999999999999999,"completion_tokens":9}', None),
        (b"{}", None),
        (b"[]", None),
        (b"null", None),
    ],
)
def test_a_report_counts_only_whole_numbers_that_an_answer_can_have(usage, counts):
    body = b'{"choices":[{"message":{"content":"hi"}}],"usage":' + usage + b"}"
    read = completion(body)
    stream, _ = streamed(b"data: " + body + b"\n\ndata: [DONE]\n\n", 1_000)
    found = [read.usage, stream.usage]

    assert [counts, counts] == [
        None if each is None else (each.prompt_tokens, each.completion_tokens) for each in found
    ]
    assert read.body is body
    assert ("hi" if counts is None else "") == read.text


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"null", b'{"a":', b'{"a":"\xff'])
def test_what_is_no_json_object_is_a_broken_answer(body):
    with pytest.raises(UpstreamError) as caught:
        completion(body)

    assert (caught.value.status, caught.value.code) == (502, "upstream_broken")


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_a_stream_passes_through_less_the_usage_korad_asked_for(size, end):
    first = b'data: {"choices":[{"delta":{"content":"say \\"[DONE]\\""}}]}' + end
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}' + end
    stream, sent = streamed(first + usage + b"data: [DONE]" + end, size)
    asked = b',"stream":true,"stream_options":{"include_usage":true}'
    _, kept = streamed(first + usage + b"data: [DONE]" + end, size, asked)

    assert sent == first
    assert kept == first + usage
    assert stream.finished
    assert stream.usage is not None
    assert stream.generated.take() == 'say "[DONE]"'
    assert stream.generated.take() == ""


@pytest.mark.parametrize("size", [1, 1_000])
def test_an_error_in_a_stream_is_kept_back_and_told(size):
    stream, sent = streamed(b'data: {"error":{"message":"Boom.","code":7}}\n\n', size)

    assert sent == b""
    assert stream.error is not None
    assert msgspec.json.decode(stream.error.body())["error"]["code"] == "7"
    assert not stream.finished


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"m"}}', "m"),
        (b'[{"error":{"message":"m"}}]', "m"),
        (b'{"error":"m"}', "m"),
        (b'{"message":"m"}', "m"),
    ],
)
def test_a_providers_message_is_found_wherever_it_stands(body, message):
    assert message in DIALECT.read_error(400, body).message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"null", b'{"error":5}', b"\xff"])
def test_an_error_without_a_message_still_has_a_shape(body):
    error = DIALECT.read_error(503, body)

    assert error.status >= 500
    assert error.message
