"""Heads as bytes: what counts as the hot shape, and what answers look like."""

from __future__ import annotations

import pytest

from korad.errors import ClientError, server_error
from korad.wire.http1 import (
    HOT_REQUEST_LINE,
    SIZE_LINES,
    chunk,
    error_answer,
    header_lines,
    header_value,
    last_chunk,
    parse_hot_head,
    plain_answer,
    status_line,
)

HOST = b"Host: localhost\r\n"
LENGTH = b"Content-Length: 5\r\n"


def head(*lines: bytes) -> bytes:
    return HOT_REQUEST_LINE + b"".join(lines) + b"\r\n"


@pytest.mark.parametrize(
    ("lines", "headers", "length"),
    [
        ([HOST, LENGTH], {b"host": b"localhost", b"content-length": b"5"}, 5),
        (
            [b"hOsT:localhost\r\n", b"CONTENT-LENGTH:5\r\n"],
            {b"host": b"localhost", b"content-length": b"5"},
            5,
        ),
        (
            [HOST, b"Content-Length:  \t 5 \t\r\n"],
            {b"host": b"localhost", b"content-length": b"5"},
            5,
        ),
        (
            [HOST, LENGTH, b"Connection: Keep-Alive\r\n"],
            {b"host": b"localhost", b"content-length": b"5", b"connection": b"Keep-Alive"},
            5,
        ),
        (
            [HOST, b"Content-Length: 0\r\n", b"X-Empty:\r\n"],
            {b"host": b"localhost", b"content-length": b"0", b"x-empty": b""},
            0,
        ),
        (
            [HOST, b"Content-Length: 0000000007\r\n"],
            {b"host": b"localhost", b"content-length": b"0000000007"},
            7,
        ),
        (
            [HOST, LENGTH, b"X-Odd: caf\xe9\r\n"],
            {b"host": b"localhost", b"content-length": b"5", b"x-odd": b"caf\xe9"},
            5,
        ),
    ],
)
def test_a_hot_head_is_read(lines, headers, length):
    assert (headers, length) == parse_hot_head(head(*lines))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [HOST],
        [LENGTH],
        [HOST, b"Content-Length:\r\n"],
        [HOST, b"Content-Length: +5\r\n"],
        [HOST, b"Content-Length: -5\r\n"],
        [HOST, b"Content-Length: 5, 5\r\n"],
        [HOST, b"Content-Length: 5 5\r\n"],
        [HOST, b"Content-Length: 0x5\r\n"],
        [HOST, b"Content-Length: 5_0\r\n"],
        [HOST, b"Content-Length: 5.0\r\n"],
        [HOST, b"Content-Length: \xb2\r\n"],
        [HOST, "Content-Length: \u0665\r\n".encode()],
        [HOST, b"Content-Length: 12345678901\r\n"],
        [HOST, b"Content-Length: 99999999999999999999999\r\n"],
        [HOST, LENGTH, LENGTH],
        [HOST, LENGTH, b"content-length: 6\r\n"],
        [HOST, HOST, LENGTH],
        [HOST, LENGTH, b"X-A: 1\r\n", b"x-a: 1\r\n"],
        [HOST, b"Transfer-Encoding: chunked\r\n"],
        [HOST, LENGTH, b"Transfer-Encoding: chunked\r\n"],
        [HOST, LENGTH, b"Transfer-Encoding: identity\r\n"],
        [HOST, LENGTH, b"Transfer-Encoding : chunked\r\n"],
        [HOST, LENGTH, b"Transfer-Encoding\t: chunked\r\n"],
        [HOST, LENGTH, b"Transfer_Encoding: chunked\r\n", b" folded\r\n"],
        [HOST, LENGTH, b"Expect: 100-continue\r\n"],
        [HOST, LENGTH, b"Upgrade: h2c\r\n"],
        [HOST, LENGTH, b"Content-Encoding: gzip\r\n"],
        [HOST, LENGTH, b"TE: trailers\r\n"],
        [HOST, LENGTH, b"Connection: close\r\n"],
        [HOST, LENGTH, b"Connection: keep-alive, TE\r\n"],
        [HOST, LENGTH, b"X-A: 1\r\n 2\r\n"],
        [HOST, LENGTH, b"X-A: 1\n"],
        [HOST, LENGTH, b"X-A: 1\rX-B: 2\r\n"],
        [HOST, LENGTH, b"X-A: \x00\r\n"],
        [HOST, LENGTH, b"X-A: \x7f\r\n"],
        [HOST, LENGTH, b"X A: 1\r\n"],
        [HOST, LENGTH, b": 1\r\n"],
        [HOST, LENGTH, b"no colon\r\n"],
        [b" " + HOST, LENGTH],
    ],
)
def test_any_other_shape_is_left_to_the_full_parser(lines):
    assert parse_hot_head(head(*lines)) is None


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_head_without_its_end_is_not_hot(cut):
    assert parse_hot_head(head(HOST, LENGTH)[:-cut]) is None


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (413, b"HTTP/1.1 413 Content Too Large\r\n"),
        (529, b"HTTP/1.1 529 Status\r\n"),
    ],
)
def test_a_status_line_has_a_reason_also_for_a_status_of_no_rfc(status, line):
    assert line == status_line(status)


@pytest.mark.parametrize(
    ("data", "framed"),
    [(b"a", b"1\r\na\r\n"), (b"\r\n" * 8, b"10\r\n" + b"\r\n" * 8 + b"\r\n")],
)
def test_a_chunk_tells_its_size_in_hexadecimal(data, framed):
    assert framed == chunk(data)


def test_a_chunked_body_ends_with_its_trailers():
    assert last_chunk() == b"0\r\n\r\n"
    assert last_chunk(b"X-A: 1\r\n") == b"0\r\nX-A: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain ~ text", b"plain ~ text"),
        ("a\r\nX-Evil: 1", b"a??X-Evil: 1"),
        ("\x00\t\x7f", b"???"),
        ("\u00e9\U0001f600\u2028", b"???"),
        ("", b""),
    ],
)
def test_a_header_value_cannot_break_its_line(text, value):
    assert value == header_value(text)


def test_header_lines_are_safe_whatever_their_values():
    assert header_lines((("A", "1"), ("B", "2\r\nC: 3"))) == b"A: 1\r\nB: 2??C: 3\r\n"


def test_a_plain_answer_is_complete():
    assert plain_answer(200, b"X-A: 1\r\n", b"{}").split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"X-A: 1",
        b"Content-Length: 2",
        b"",
        b"{}",
    ]


def test_a_percent_sign_in_a_body_is_only_a_percent_sign():
    answer = plain_answer(200, b"X-A: %d\r\n", b"%b")

    assert answer.endswith(b"X-A: %d\r\nContent-Length: 2\r\n\r\n%b")


def test_an_error_answer_carries_the_errors_own_headers():
    answer = error_answer(server_error(503, "Busy.", "overloaded", retry_after_s=1), b"X-A: 1\r\n")
    lines, _, body = answer.partition(b"\r\n\r\n")

    assert lines.split(b"\r\n") == [
        b"HTTP/1.1 503 Service Unavailable",
        b"Content-Type: application/json",
        b"X-A: 1",
        b"retry-after: 1",
        b"Content-Length: %d" % len(body),
    ]
    assert body == (
        b'{"error":{"message":"Busy.","type":"server_error","param":null,"code":"overloaded"}}'
    )


def test_a_newline_in_an_errors_header_does_not_split_the_answer():
    error = ClientError(405, "No.", kind="k", code="c", headers=(("Allow", "GET\r\n\r\nboo"),))

    assert b"\r\nAllow: GET????boo\r\n" in error_answer(error, b"")


def test_a_request_to_upgrade_is_left_to_the_full_parser():
    asked = head(
        b"Host: k", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"Content-Length: 5"
    )

    assert parse_hot_head(asked) is None


def test_size_lines_are_those_of_chunks():
    chunks = {len(made): made for made in (chunk(b"x" * size) for size in range(1, 5_000))}

    for length, line in enumerate(SIZE_LINES):
        assert line.endswith(b"\r\n") == (length in chunks)
        assert length not in chunks or chunks[length].startswith(line)
