"""What the stand-in provider reads of a request: as little as tells where it ends."""

from __future__ import annotations

from typing import NamedTuple

_EDGE_BYTES = 512
_STREAM = b'"stream":'
_LENGTH = b"\r\ncontent-length:"


class Request(NamedTuple):
    """One whole request."""

    head: bytes
    """With its request line, up to the last header's CRLF."""
    body: bytes

    @property
    def streamed(self) -> bool:
        """Whether it asks for a stream; only both ends of the body are looked at."""
        body = self.body
        at = body.find(_STREAM, 0, _EDGE_BYTES)
        if at < 0 and len(body) > _EDGE_BYTES:
            at = body.find(_STREAM, -_EDGE_BYTES)
        return at >= 0 and body[at + len(_STREAM) : at + len(_STREAM) + 4].lstrip()[:1] == b"t"

    @property
    def query(self) -> str:
        """The query string."""
        return self.head.split(b" ", 2)[1].partition(b"?")[2].decode("latin-1")

    def has_key(self, key: str) -> bool:
        """Whether that is its bearer."""
        return b"Bearer " + key.encode() + b"\r\n" in self.head

    def names(self, model: str) -> bool:
        """Whether it asks for that model."""
        name = model.encode()
        return self._has(b'"model":"' + name + b'"') or self._has(b'"model": "' + name + b'"')

    def _has(self, text: bytes) -> bool:
        body = self.body
        return body.find(text, 0, _EDGE_BYTES) >= 0 or body.find(text, -_EDGE_BYTES) >= 0


def next_request(data: bytes) -> tuple[Request | None, bytes]:
    """Return the first request of what came, and the rest; None while it is not complete."""
    end = data.find(b"\r\n\r\n") + 2
    if end < 2:  # noqa: PLR2004 - not found
        return None, data
    head = data[:end]
    lowered = head.lower()
    begin = end + 2
    at = lowered.find(_LENGTH)
    if at >= 0:
        at += len(_LENGTH)
        stop = begin + int(head[at : head.index(b"\r", at)])
        if len(data) < stop:
            return None, data
        return Request(head, data[begin:stop]), data[stop:]
    if b"\r\ntransfer-encoding:" not in lowered:
        return Request(head, b""), data[begin:]
    return _chunked(head, data, begin)


def _chunked(head: bytes, data: bytes, begin: int) -> tuple[Request | None, bytes]:
    parts: list[bytes] = []
    position = begin
    while (line_end := data.find(b"\r\n", position)) >= 0:
        size = int(data[position:line_end].split(b";")[0], 16)
        position = line_end + 2 + size + 2
        if len(data) < position:
            break
        if not size:  # trailers are not sent by anyone here
            return Request(head, b"".join(parts)), data[position:]
        parts.append(data[line_end + 2 : position - 2])
    return None, data
