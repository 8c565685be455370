"""The hot answer is read here, every doubtful one is left to llhttp."""

from __future__ import annotations

import pytest

from korad.upstream import answer_head
from korad.upstream.answer_head import HeadReader

JSON = "Content-Type: application/json"


def answer(*lines: str, body: bytes = b"hello") -> bytes:
    return (
        "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines, "")).encode("latin-1") + body
    )


def test_a_hot_answer_is_read_the_same_twice():
    reader = HeadReader()
    data = answer(
        JSON,
        "Content-Length: 5",
        "Connection: keep-alive",
        "X-RateLimit-Remaining-Requests: 7",
        "Retry-After-Ms:  20 ",
        "x-request-id: up_1",
        "Server: x",
    )
    first, second = reader.read_hot(data), reader.read_hot(data)

    assert first is not None
    assert first == second
    head, body = first
    assert body == b"hello"
    assert head.status == 200
    assert head.request_id == "up_1"
    assert sorted(head.lines.split(b"\r\n")) == [
        b"",
        b"retry-after-ms: 20",
        b"x-ratelimit-remaining-requests: 7",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [JSON],
        ["Content-Length: 4"],
        ["Content-Length: 6"],
        ["Content-Length: 0"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 5"],
        ["Content-Length: 0x5"],
        ["Content-Length:"],
        ["Content-Length"],
        ["Content-Length: " + "0" * 5_000 + "5"],
        ["Content-Length: " + "9" * 5_000],
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: 5", "content-length: 6"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Transfer-Encoding : chunked"],
        ["Content-Length: 5", "Content-Encoding: gzip"],
        ["Content-Length: 5", "Connection: close"],
        ["Content-Length: 5", "Connection: keep-alive, close"],
        ["Content-Length: 5", "X-A: 1\r\n 2"],
        ["Content-Length: 5", "X-A: 1\n2"],
        ["Content-Length: 5", "X-A: 1\r2"],
        ["Content-Length: 5", "X-A: \x00"],
        ["Content-Length: 5", "X A: 1"],
        ["Content-Length: 5", ": 1"],
        ["Content-Length: 5", "no colon"],
        ["Content-Length: 5", "nocolon"],
        ["Content-Length: 5", "X-A : 1"],
    ],
)
def test_any_other_shape_is_left_to_llhttp_however_often_it_comes(lines):
    reader = HeadReader()

    assert reader.read_hot(answer("Content-Length: 5", JSON, "X-A: 1")) is not None
    for _ in range(2):
        assert reader.read_hot(answer(*lines)) is None


def test_a_head_without_its_end_or_over_the_limit_is_left_to_llhttp():
    assert HeadReader().read_hot(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n") is None
    long = "X-A: " + "x" * answer_head.HOT_HEAD_BYTES_MAX
    assert HeadReader().read_hot(answer("Content-Length: 5", long)) is None


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (b"retry-after", b"retry-after: v\r\n"),
        (b"OpenAI-Processing-Ms", b"openai-processing-ms: v\r\n"),
        (b"x-ratelimit-anything", b"x-ratelimit-anything: v\r\n"),
        (b"anthropic-ratelimit-requests-limit", b"x-ratelimit-limit-requests: v\r\n"),
        (b"anthropic-ratelimit-tokens-remaining", b"x-ratelimit-remaining-tokens: v\r\n"),
        (b"anthropic-ratelimit-input-tokens-limit", b""),
        (b"anthropic-ratelimit-requests-other", b""),
        (b"set-cookie", b""),
        (b"x-korad-billed-amount", b""),
        (b"server", b""),
    ],
)
def test_only_limits_and_when_to_retry_are_passed_on(name, line):
    assert line == HeadReader().read(200, {name: b"v"}).lines


@pytest.mark.parametrize(
    ("headers", "facts"),
    [
        ({}, (False, False, False)),
        ({b"Content-Type": b"text/event-stream; charset=utf-8"}, (True, False, False)),
        ({b"content-type": b"Text/Event-Stream"}, (True, False, False)),
        ({b"content-type": b"application/json"}, (False, False, False)),
        ({b"content-encoding": b"gzip"}, (False, True, False)),
        ({b"content-encoding": b" Identity "}, (False, False, False)),
        ({b"content-length": b"5"}, (False, False, True)),
        ({b"transfer-encoding": b"chunked"}, (False, False, True)),
    ],
)
def test_what_korad_reads_of_any_head(headers, facts):
    head = HeadReader().read(200, headers)

    assert facts == (head.is_event_stream, head.is_encoded, head.is_framed)


@pytest.mark.parametrize("name", [b"x-request-id", b"request-id", b"X-Request-ID"])
def test_a_long_request_id_is_cut(name):
    head = HeadReader().read(200, {name: b"x" * 1_000})

    assert head.request_id == "x" * answer_head.VALUE_CHARS_MAX


@pytest.mark.parametrize(
    "lines",
    [
        [JSON, "X-RateLimit-Limit-Requests: 5", "x-ratelimit-limit-tokens:  6 ", "Date: a b"],
        ["x-ratelimit-a: 1", "x-ratelimit-b: 2", "Date: x", "retry-after: 3", "x-ratelimit-%s: %d"],
        ["request-id: first", "x-request-id: second", "Connection: Keep-Alive"],
        ["anthropic-ratelimit-requests-limit: 7", "retry-after: two words"],
        ["x-request-id: " + "x" * 300, "retry-after:"],
        ["x-request-id: \xe9", "retry-after: \xe9", "X-A:\tb"],
        [],
    ],
)
def test_a_head_of_a_known_shape_says_what_its_lines_say(lines):
    data = answer(*lines, "Content-Length: 5")
    learned = HeadReader()
    by_lines = learned.read_hot(data)

    assert by_lines is not None
    assert by_lines == learned.read_hot(data)


def test_the_values_of_a_known_shape_are_read_anew():
    reader = HeadReader()
    reader.read_hot(
        answer(JSON, "Date: 1", "retry-after: 1", "x-request-id: 1", "Content-Length: 5")
    )
    again = answer(
        JSON, "Date: 22", "retry-after: 22", "x-request-id: 22", "Content-Length: 2", body=b"{}"
    )
    found = reader.read_hot(again)

    assert found is not None
    assert (b"retry-after: 22\r\n", "22", b"{}") == (found[0].lines, found[0].request_id, found[1])


def test_the_memory_of_names_and_shapes_is_bounded(monkeypatch):
    monkeypatch.setattr(answer_head, "NAMES_MAX", 4)
    monkeypatch.setattr(answer_head, "LESSONS_MAX", 8)
    reader = HeadReader()
    for number in range(50):
        found = reader.read_hot(answer("Content-Length: 5", f"X-{number}: {number}"))

        assert found is not None
    assert len(reader._meanings) <= 4
    assert len(reader._shapes) == answer_head.SHAPES_MAX
    assert reader._lessons == 8
