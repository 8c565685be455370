"""HTTP/1.1 heads as bytes: recognise the hot request shape, build requests and answers.

The recogniser is strict and says no to whatever it is not sure of; a request it refuses is not
wrong, it goes to aiohttp's own parser (house rule: when in doubt the fast lane stands aside).
"""

from __future__ import annotations

import httptools

from korad.errors import KoradError

HOT_REQUEST_LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"

_NOT_HOT = frozenset((b"transfer-encoding", b"expect", b"upgrade", b"content-encoding", b"te"))
LENGTH_DIGITS_MAX = 10

Headers = dict[bytes, bytes]


class _HeaderCollector:
    """Callbacks of one llhttp run over one head."""

    __slots__ = ("complete", "headers", "repeated")

    def __init__(self) -> None:
        self.headers: Headers = {}
        self.repeated = False
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in self.headers:
            self.repeated = True
        self.headers[name] = value.strip(b" \t")

    def on_headers_complete(self) -> None:
        self.complete = True


def parse_hot_head(head: bytes) -> tuple[Headers, int] | None:
    """Return the headers (names lower-case) and Content-Length of a hot-shape head, or None.

    `head` starts with HOT_REQUEST_LINE and ends with the empty line. None: the shape is not
    exactly the hot one (any framing but one plain Content-Length, a repeated header, a
    connection option, anything malformed). llhttp does the parsing: it refuses the smuggling
    shapes, and costs 6 us for 17 headers where a regular expression per line costs 16.
    """
    collector = _HeaderCollector()
    try:
        httptools.HttpRequestParser(collector).feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    headers = collector.headers
    if collector.repeated or not collector.complete or not _NOT_HOT.isdisjoint(headers):
        return None
    length = headers.get(b"content-length", b"")
    # isdigit() on bytes is ASCII-only: no sign, no space, no other script's digits.
    if not length.isdigit() or len(length) > LENGTH_DIGITS_MAX or b"host" not in headers:
        return None
    if headers.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    return headers, int(length)


_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    422: b"Unprocessable Content",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}


def status_line(status: int) -> bytes:
    """Return the status line of an answer, CRLF included."""
    return b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b"Status"))


def chunk(data: bytes) -> bytes:
    """Return `data`, which must not be empty, as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _size_line(chunk_bytes: int) -> bytes:
    """Return how a chunk of so many bytes begins, its framing among them."""
    for digits in (1, 2, 3):
        size = chunk_bytes - digits - 4
        if size > 0 and len(b"%x" % size) == digits:
            return b"%x\r\n" % size
    return b"no chunk is as long"


SIZE_LINES = tuple(map(_size_line, range(4_096)))
"""The first line of what `chunk` returns, by its length."""


def last_chunk(trailers: bytes = b"") -> bytes:
    """Return the end of a chunked body; `trailers` are whole header lines."""
    return b"0\r\n%b\r\n" % trailers


def header_value(text: str) -> bytes:
    """Return `text` as a header value; characters a header cannot carry become "?"."""
    return "".join(c if " " <= c <= "~" else "?" for c in text).encode()


def plain_answer(status: int, lines: bytes, body: bytes) -> bytes:
    """Return a whole JSON answer with Content-Length; `lines` are further header lines."""
    return b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status,
        _REASONS.get(status, b"Status"),
        lines,
        len(body),
        body,
    )


def header_lines(headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return headers as lines, values made safe for a header."""
    return b"".join(b"%b: %b\r\n" % (name.encode(), header_value(text)) for name, text in headers)


def error_answer(error: KoradError, lines: bytes) -> bytes:
    """Return the whole answer to an error in OpenAI's shape; `lines` are further header lines."""
    return plain_answer(error.status, lines + header_lines(error.headers), error.body())
