"""What a request's head says, whether read anew or remembered."""

from __future__ import annotations

import pytest

from korad.auth import digest_key
from korad.web import heads
from korad.web.heads import HeadReader
from korad.wire.http1 import HOT_REQUEST_LINE

PEPPER = b"p" * 32


@pytest.fixture
def reader():
    return HeadReader(PEPPER)


def hot(*lines: str) -> bytes:
    return (
        HOT_REQUEST_LINE
        + "".join(f"{line}\r\n" for line in ("Host: x", *lines)).encode("latin-1")
        + b"\r\n"
    )


def test_a_remembered_head_says_the_same_with_another_length(reader):
    first = reader.read_hot(hot("x-bf-vk: sk-bf-a", "Content-Length: 10"))
    second = reader.read_hot(hot("x-bf-vk: sk-bf-a", "Content-Length: 2000"))

    assert first is not None
    assert second is not None
    assert first[0] is second[0]
    assert (first[1], second[1]) == (10, 2000)
    assert digest_key(PEPPER, "sk-bf-a") == second[0].credential_digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x-bf-vk: sk-bf-a", "x-bf-vk: sk-bf-b"),
        ("X-Client-Request-Id: 1", "X-Client-Request-Id: 2"),
        ("X-Savings-Level: low", "X-Savings-Level: high"),
        ("X-Korad-Cache: on", "X-Korad-Cache: off"),
        ("traceparent: 00-1", "traceparent: 00-2"),
    ],
)
@pytest.mark.parametrize("length", ["Content-Length: 5", "content-length: 5"])
def test_clients_with_different_heads_never_mix(reader, one, other, length):
    found = [reader.read_hot(hot(line, length)) for line in (one, other, one, other)]

    assert found[0] == found[2]
    assert found[1] == found[3]
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "value",
    ["+5", "-5", "5, 5", "5 5", "0x5", "", "5\t6", "\xb2", "12345678901", "5\r\n 5", "5\n", "5_0"],
)
def test_a_known_head_with_an_odd_length_is_not_hot(reader, value):
    assert reader.read_hot(hot("Content-Length: 5")) is not None

    assert reader.read_hot(hot(f"Content-Length: {value}")) is None


@pytest.mark.parametrize("value", [" 5", "5 ", "\t5", "0000000005"])
def test_padding_of_a_length_is_no_oddity(reader, value):
    for _ in range(2):
        found = reader.read_hot(hot(f"Content-Length: {value}"))

        assert found is not None
        assert found[1] == 5


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "content-length: 6"],
        ["content-length: 5", "Content-Length: 6"],
        ["CONTENT-LENGTH: 5", "Content-Length: 6"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ],
)
def test_a_second_framing_is_never_hot_however_often_it_comes(reader, lines):
    for line in ("Content-Length: 5", "content-length: 5", "CONTENT-LENGTH: 5"):
        assert reader.read_hot(hot(line)) is not None
    for _ in range(2):
        assert reader.read_hot(hot(*lines)) is None


def test_the_memory_of_heads_is_bounded(reader, monkeypatch):
    monkeypatch.setattr(heads, "HEADS_MAX", 3)
    for number in range(10):
        found = reader.read_hot(hot(f"X-Client-Request-Id: {number}", "Content-Length: 5"))

        assert found is not None
        assert str(number) == found[0].client_request_id
        assert len(reader._heads) <= 3


@pytest.mark.parametrize(
    "value",
    [
        b"application/json",
        b"Application/JSON; charset=utf-8",
        b" application/json ;x",
        b"",
        b"; a=b",
    ],
)
def test_json_has_many_spellings(reader, value):
    assert reader.read({b"content-type": value}).error is None


def refusal(head):
    assert head.error is not None
    return head.error.status, head.error.code, head.error.param


@pytest.mark.parametrize(
    "value", [b"text/plain", b"application/jsonx", b"multipart/form-data; boundary=a", b"\xff"]
)
def test_another_media_type_is_415(reader, value):
    assert refusal(reader.read({b"content-type": value})) == (415, "unsupported_media_type", None)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (None, None),
        (b"off", "off"),
        (b"EXTREME", "extreme"),
        (b" Medium ", "medium"),
    ],
)
def test_the_savings_level_is_read_in_any_case(reader, value, level):
    head = reader.read({} if value is None else {b"x-savings-level": value})

    assert (level, None) == (head.level, head.error)


@pytest.mark.parametrize("value", [b"", b"highest", b"low,high", b"\xff"])
def test_another_savings_level_is_refused(reader, value):
    expected = (400, "invalid_savings_level", "X-Savings-Level")

    assert expected == refusal(reader.read({b"x-savings-level": value}))


@pytest.mark.parametrize(
    ("value", "cache"),
    [(None, None), (b"on", True), (b"off", False), (b"ON", True), (b" Off\t", False)],
)
def test_the_cache_switch_is_read_in_any_case(reader, value, cache):
    head = reader.read({} if value is None else {b"x-korad-cache": value})

    assert (cache, None) == (head.cache, head.error)


@pytest.mark.parametrize("value", [b"", b"true", b"1", b"on,off", b"no-store", b"\xff"])
def test_another_cache_switch_is_refused(reader, value):
    head = reader.read({b"x-korad-cache": value})

    assert refusal(head) == (400, "invalid_cache", "X-Korad-Cache")
    assert head.cache is None


@pytest.mark.parametrize("value", [b"a", b"a b~!", b"x" * 512])
def test_the_clients_own_id_is_kept_and_forwarded(reader, value):
    head = reader.read({b"x-client-request-id": value})

    assert value.decode() == head.client_request_id
    assert head.forwarded == b"x-client-request-id: " + value + b"\r\n"


@pytest.mark.parametrize("value", [b"x" * 513, b"caf\xe9", b"a\tb", b"a\x7f"])
def test_an_id_that_is_long_or_not_printable_ascii_is_refused(reader, value):
    head = reader.read({b"x-client-request-id": value, b"traceparent": b"00-1"})

    assert refusal(head) == (400, "invalid_client_request_id", "X-Client-Request-Id")
    assert head.client_request_id is None
    assert head.forwarded == b""


def test_only_the_trace_context_and_the_id_are_forwarded(reader):
    head = reader.read(
        {
            b"host": b"x",
            b"x-bf-vk": b"sk-bf-a",
            b"authorization": b"Bearer sk-b",
            b"cookie": b"a=b",
            b"openai-organization": b"o",
            b"traceparent": b"00-1",
            b"tracestate": b"a=1",
        }
    )

    assert head.forwarded == b"traceparent: 00-1\r\ntracestate: a=1\r\n"


def test_a_connection_knows_its_last_head_by_all_but_the_length(reader):
    found = reader.read_hot(hot("x-bf-vk: sk-bf-a", "Content-Length: 10", "Accept: */*"))

    assert found is not None
    known = found[2]
    assert known is not None
    again = hot("x-bf-vk: sk-bf-a", "Content-Length: 2000", "Accept: */*")
    assert known.head is found[0]
    assert known.find(again + b"{}\r\n\r\n") == (2000, len(again))
    for other in (
        hot("x-bf-vk: sk-bf-b", "Content-Length: 10", "Accept: */*"),
        hot("x-bf-vk: sk-bf-a", "Content-Length: 10", "Accept: *"),
        hot("x-bf-vk: sk-bf-a", "Content-Length: ", "Accept: */*"),
        hot("x-bf-vk: sk-bf-a", "Content-Length: +1", "Accept: */*"),
        hot("x-bf-vk: sk-bf-a", "Content-Length: 12345678901", "Accept: */*"),
        again[:-1],
        again[:60],
        b"",
    ):
        assert known.find(other) is None


def test_a_length_that_is_spelled_otherwise_leaves_nothing_to_know(reader):
    found = reader.read_hot(hot("CONTENT-LENGTH:10"))

    assert found is not None
    assert (10, None) == found[1:]
