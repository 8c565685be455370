"""The head of an upstream answer, reduced to what korad passes on or reads."""

from __future__ import annotations

import re
from enum import Enum

from korad.domain.value import Fact

NAMES_MAX = 1_024
LINES_MAX = 1_024
VALUE_CHARS_MAX = 200
HOT_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
HOT_HEAD_BYTES_MAX = 8_192
DIGITS_MAX = 18

_STATUS_LINE_BYTES = len(HOT_STATUS_LINE)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.6.2


class Read(Enum):
    """Headers that korad reads and does not pass on."""

    REQUEST_ID = "request id"
    CONTENT_TYPE = "content type"
    CONTENT_ENCODING = "content encoding"
    LENGTH = "content length"
    TRANSFER_ENCODING = "transfer encoding"
    CONNECTION = "connection"
    MALFORMED = "not a header name"


class AnswerHead(Fact, frozen=True):
    """What korad takes from the head of an upstream answer."""

    status: int
    lines: bytes
    """Header lines for the client: rate limits and when to retry."""
    request_id: str | None
    is_event_stream: bool
    is_encoded: bool
    """Compressed, although identity was asked for."""
    is_framed: bool
    """It has a Content-Length or is chunked; otherwise it ends with the connection."""


_READ = {
    b"x-request-id": Read.REQUEST_ID,
    b"request-id": Read.REQUEST_ID,
    b"content-type": Read.CONTENT_TYPE,
    b"content-encoding": Read.CONTENT_ENCODING,
    b"content-length": Read.LENGTH,
    b"transfer-encoding": Read.TRANSFER_ENCODING,
    b"connection": Read.CONNECTION,
}
_PASSED_ON = frozenset((b"retry-after", b"retry-after-ms", b"openai-processing-ms"))
_ANTHROPIC = b"anthropic-ratelimit-"

Meaning = bytes | Read | None
"""What a header line begins with for the client, what korad reads in it, or nothing."""


class HeadReader:
    """Make `AnswerHead`s, knowing what header names mean by the bytes they come in.

    A provider sends the same dozen names on every answer, so each is understood once. Bounded,
    because an upstream chooses the names.
    """

    __slots__ = ("_dropped", "_lines", "_meanings")

    def __init__(self) -> None:
        self._meanings: dict[bytes, Meaning] = {}
        self._lines: dict[bytes, bytes] = {}
        """Whole lines seen before, and what the client gets of them."""
        self._dropped: set[bytes] = set()
        """Whole lines seen before of which the client gets nothing."""

    def read_hot(self, data: bytes) -> tuple[AnswerHead, bytes] | None:
        """Return head and body of a whole answer of the hot shape, or None: let llhttp read it.

        The hot shape: 200, one plain Content-Length, kept alive, and `data` is exactly the
        answer. Costs 3 us for 14 header lines, llhttp with its callbacks 9.
        """
        end = data.find(b"\r\n\r\n")
        if not 0 < end <= HOT_HEAD_BYTES_MAX:
            return None
        lines = data[_STATUS_LINE_BYTES:end].split(b"\r\n")
        known, dropped = self._lines, self._dropped
        passed_on = b""
        length = -1
        request_id: str | None = None
        for line in [line for line in lines if line not in dropped]:
            if line in known:
                passed_on += known[line]
                continue
            meaning, value = self._read_line(line)
            if meaning is None:
                continue
            if (
                meaning is Read.LENGTH
                and length < 0
                and value.isdigit()
                and len(value) <= DIGITS_MAX
            ):
                length = int(value)
            elif meaning is Read.REQUEST_ID:
                request_id = value.decode("latin-1")[:VALUE_CHARS_MAX]
            elif isinstance(meaning, bytes):
                passed_on += meaning + value + b"\r\n"
            else:
                return None
        if length != len(data) - end - 4:
            return None
        answer_head = AnswerHead(
            status=200,
            lines=passed_on,
            request_id=request_id,
            is_event_stream=False,
            is_encoded=False,
            is_framed=True,
        )
        return answer_head, data[end + 4 :]

    def _read_line(self, line: bytes) -> tuple[Meaning, bytes]:
        """Return what a line not remembered means, remembering it if it will come again."""
        name, colon, value = line.partition(b":")
        meaning = self._meanings[name] if name in self._meanings else self._learn(name)
        value = value.strip(b" \t")
        # A CR or LF that ends no line is a control character too; a remembered line has none.
        if not colon or _CONTROL.search(value):
            return Read.MALFORMED, value
        if (meaning is Read.CONTENT_TYPE and not _is_event_stream(value)) or (
            meaning is Read.CONNECTION and value.lower() == b"keep-alive"
        ):
            meaning = None
        if meaning is None or isinstance(meaning, bytes):
            if len(self._lines) + len(self._dropped) >= LINES_MAX:
                self._lines.clear()
                self._dropped.clear()
            if meaning is None:
                self._dropped.add(line)
            else:
                self._lines[line] = meaning + value + b"\r\n"
        return meaning, value

    def read(self, status: int, headers: dict[bytes, bytes]) -> AnswerHead:
        """Return what korad takes from the headers of any answer."""
        passed_on = b""
        request_id: str | None = None
        is_event_stream = is_encoded = is_framed = False
        for name, value in headers.items():
            meaning = self._meanings[name] if name in self._meanings else self._learn(name)
            if isinstance(meaning, bytes):
                passed_on += meaning + value + b"\r\n"
            elif meaning in (Read.LENGTH, Read.TRANSFER_ENCODING):
                is_framed = True
            elif meaning is Read.CONTENT_TYPE:
                is_event_stream = _is_event_stream(value)
            elif meaning is Read.REQUEST_ID:
                request_id = value.decode("latin-1")[:VALUE_CHARS_MAX]
            elif meaning is Read.CONTENT_ENCODING:
                is_encoded = value.strip().lower() not in (b"", b"identity")
        return AnswerHead(
            status=status,
            lines=passed_on,
            request_id=request_id,
            is_event_stream=is_event_stream,
            is_encoded=is_encoded,
            is_framed=is_framed,
        )

    def _learn(self, name: bytes) -> Meaning:
        if len(self._meanings) >= NAMES_MAX:
            self._meanings.clear()
        meaning = self._meanings[name] = _meaning(name.lower())
        return meaning


def _meaning(name: bytes) -> Meaning:
    if not _TOKEN.fullmatch(name):
        return Read.MALFORMED
    if name.startswith(b"x-ratelimit-") or name in _PASSED_ON:
        return name + b": "
    if name.startswith(_ANTHROPIC):
        return _openai_rate_limit_name(name)
    return _READ.get(name)


def _is_event_stream(content_type: bytes) -> bool:
    return content_type[:17].lower() == b"text/event-stream"


def _openai_rate_limit_name(name: bytes) -> bytes | None:
    """Return "x-ratelimit-limit-requests: " for "anthropic-ratelimit-requests-limit"."""
    what, _, figure = name[len(_ANTHROPIC) :].rpartition(b"-")
    if what not in (b"requests", b"tokens") or figure not in (b"limit", b"remaining", b"reset"):
        return None
    return b"x-ratelimit-%b-%b: " % (figure, what)
