"""Stored answers as bytes: they come back as they were, and nothing else is taken for one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, strategies as st

from korad.adapters.answer_format import decode_answer, encode_answer
from korad.domain.answer import StoredAnswer
from korad.domain.usage import TIER_CHARS_MAX, Usage

COUNTS = st.integers(0, 2**63 - 1)
MAYBE = st.none() | COUNTS
ANSWERS = st.builds(
    StoredAnswer,
    body=st.binary(max_size=300),
    lines=st.sampled_from([b"", b"X-Korad-Adjusted: temperature, top_p\r\n"]),
    original_tokens=COUNTS,
    usage=st.builds(
        Usage,
        prompt_tokens=COUNTS,
        completion_tokens=COUNTS,
        cached_prompt_tokens=MAYBE,
        cache_write_tokens=MAYBE,
        cache_write_1h_tokens=MAYBE,
        reasoning_tokens=MAYBE,
        audio_prompt_tokens=MAYBE,
        audio_completion_tokens=MAYBE,
        service_tier=st.none() | st.text(max_size=TIER_CHARS_MAX),
    ),
    stored_ms=COUNTS,
)
ANSWER = StoredAnswer(
    body=b'{"a":1}',
    lines=b"X-Korad-Adjusted: n\r\n",
    original_tokens=7,
    usage=Usage(prompt_tokens=5, completion_tokens=3, cached_prompt_tokens=2, service_tier="flex"),
    stored_ms=1_700_000_000_000,
)
FIELDS = [
    *(1, 1_700_000_000_000, 7, 5, 3, 2, None, None, None, None, None, "flex"),
    *(b"X-Korad-Adjusted: n\r\n", b'{"a":1}'),
]
TIER, LINES = 11, 12


def encoded_with(place: int, field: object) -> bytes:
    return msgspec.msgpack.encode([*FIELDS[:place], field, *FIELDS[place + 1 :]])


@given(ANSWERS)
def test_an_answer_comes_back_as_it_was(answer):
    assert decode_answer(encode_answer(answer)) == answer


def test_what_this_version_writes_stays_what_it_is():
    # Others read it: a change needs another version, so that they take it for nothing.
    assert encode_answer(ANSWER) == msgspec.msgpack.encode(FIELDS)
    assert len(encode_answer(ANSWER)) < len(ANSWER.body) + len(ANSWER.lines) + 40


@given(st.binary(max_size=200))
def test_bytes_of_anything_are_no_answer_and_no_error(rest):
    assert decode_answer(rest) is None
    assert decode_answer(b"\x9e\x01" + rest) is None


@given(ANSWERS, st.data())
def test_a_damaged_answer_is_no_error(answer, data):
    encoded = bytearray(encode_answer(answer))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))

    decode_answer(bytes(encoded))


def test_an_answer_cut_short_or_too_long_is_none():
    encoded = encode_answer(ANSWER)

    assert [decode_answer(encoded[:size]) for size in range(len(encoded))] == [None] * len(encoded)
    assert decode_answer(encoded + b"\xc0") is None
    assert decode_answer(msgspec.msgpack.encode([*FIELDS, 1])) is None
    assert decode_answer(msgspec.msgpack.encode(FIELDS[:-1])) is None


def test_another_version_is_none():
    assert [decode_answer(encoded_with(0, version)) for version in (0, 2, "1", None)] == [None] * 4


@pytest.mark.parametrize(
    ("place", "field"),
    [
        (1, -1),
        (1, "now"),
        (3, 1.5),
        (3, None),
        (4, 2**63),
        (5, True),
        (TIER, "x" * (TIER_CHARS_MAX + 1)),
        (TIER, 1),
        (LINES, "X-A: b\r\n"),
        (LINES + 1, "text"),
    ],
)
def test_a_field_of_another_kind_is_none(place, field):
    assert decode_answer(encoded_with(place, field)) is None


def test_a_text_that_is_no_utf8_is_none():
    encoded = encode_answer(ANSWER)

    assert decode_answer(encoded.replace(b"flex", b"fl\xff\xff")) is None


@pytest.mark.parametrize(
    "lines",
    [
        b"X-A: b",
        b"X-A: b\n",
        b"X-A: b\r\n\r\n",
        b"X-A: b\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"X-A: b\rc\r\n",
        b"X-A: b\nX-C: d\r\n",
        b"X-A: \x00\r\n",
        b": b\r\n",
        b"X-A b\r\n",
        b"X-A : b\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Set-Cookie: a=b\r\n",
    ],
)
def test_lines_that_would_change_the_response_are_none(lines):
    assert decode_answer(encoded_with(LINES, lines)) is None


def test_a_count_that_no_integer_holds_is_an_overflow():
    usage = Usage(prompt_tokens=2**64, completion_tokens=0)

    with pytest.raises(OverflowError):
        encode_answer(msgspec.structs.replace(ANSWER, usage=usage))
