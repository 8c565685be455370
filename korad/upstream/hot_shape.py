"""The shape of a provider's usual answer heads: one pattern that reads a whole head.

A provider sends the same header lines in the same order on every answer, only some of their values
change. One run of one pattern over such a head costs 21,000 instructions where cutting it into
lines and looking at each costs 52,000. The pattern takes nothing that the reading by lines would
not take.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from korad.domain.value import Fact

HOT_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
HOT_HEAD_BYTES_MAX = 8_192
DIGITS_MAX = 18
VALUE_CHARS_MAX = 200


class Read(Enum):
    """Headers that korad reads and does not pass on."""

    REQUEST_ID = "request id"
    CONTENT_TYPE = "content type"
    CONTENT_ENCODING = "content encoding"
    LENGTH = "content length"
    TRANSFER_ENCODING = "transfer encoding"
    CONNECTION = "connection"
    MALFORMED = "not a header name"


Meaning = bytes | Read | None
"""What a header line begins with for the client, what korad reads in it, or nothing."""


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


_HEAD_END_MAX = HOT_HEAD_BYTES_MAX + len(b"\r\n\r\n")
_ANY = rb":[\t -~\x80-\xff]*+\r\n"
_PLAIN = rb": [!-~\x80-\xff]*+\r\n"
_WORD = rb":[ \t]*+([!-~\x80-\xff]*+)[ \t]*+\r\n"
_LENGTH = rb":[ \t]*+(?P<length>\d{1,%d}+)[ \t]*+\r\n" % DIGITS_MAX
_REQUEST_ID = rb":[ \t]*+(?P<id>[!-~]{0,%d}+)[ \t]*+\r\n" % VALUE_CHARS_MAX


class HotShape:
    """The pattern of one sequence of header lines."""

    __slots__ = ("_facts", "_has_id", "_match", "_template", "_values", "pattern")

    def __init__(self, lines: Sequence[tuple[bytes, Meaning]]) -> None:
        """Take the lines of a hot head, each with what its name means."""
        parts = [re.escape(HOT_STATUS_LINE)]
        template = b""
        ids = [number for number, (_, meaning) in enumerate(lines) if meaning is Read.REQUEST_ID]
        for number, (line, meaning) in enumerate(lines):
            name = re.escape(line.partition(b":")[0])
            if meaning is Read.LENGTH:
                parts.append(name + _LENGTH)
            elif ids and number == ids[-1]:
                parts.append(name + _REQUEST_ID)
            elif meaning is None or meaning is Read.REQUEST_ID:
                parts.append(name + _ANY)
            elif isinstance(meaning, Read):
                # Content-Type and Connection say something by their value: it must be the same.
                parts.append(re.escape(line + b"\r\n"))
            elif not line.startswith(meaning):
                parts.append(name + _WORD)
                template += meaning.replace(b"%", b"%%") + b"%b\r\n"
            elif parts[-1].endswith(_PLAIN + b")"):
                # Neighbours that go on as they are go on in one piece.
                parts[-1] = parts[-1][:-1] + name + _PLAIN + b")"
            else:
                parts.append(b"(" + name + _PLAIN + b")")
                template += b"%b"
        if not template:
            parts.append(b"()")
            template = b"%b"
        self.pattern = b"".join(parts) + rb"\r\n"
        compiled = re.compile(self.pattern)
        self._match = compiled.match
        named = compiled.groupindex
        passed = sorted(set(range(1, compiled.groups + 1)).difference(named.values()))
        self._values = passed
        self._template = None if template == b"%b" else template
        self._has_id = "id" in named
        self._facts = (named["length"], named.get("id", 0), passed[0])

    def read(self, data: bytes) -> tuple[AnswerHead, bytes] | None:
        """Return head and body if `data` is exactly one answer of this shape, else None."""
        found = self._match(data)
        if found is None:
            return None
        end = found.end()
        length, request_id, lines = found.group(*self._facts)
        if int(length) != len(data) - end or end > _HEAD_END_MAX:
            return None
        if self._template is not None:
            lines = self._template % found.group(*self._values)
        sent_id = request_id.decode() if self._has_id else None
        head = AnswerHead(
            200, lines, sent_id, is_event_stream=False, is_encoded=False, is_framed=True
        )
        return head, data[end:]
