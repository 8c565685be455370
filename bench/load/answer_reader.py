"""HTTP/1.1 answers, read as they come: one after the other, however they are cut."""

from __future__ import annotations

_HEAD_BYTES_MAX = 65_536
_LINE_BYTES_MAX = 1_024
_HEAD, _LENGTH, _CHUNKED, _CLOSE = range(4)
_CONTENT_LENGTH = b"\r\ncontent-length:"


class AnswerError(ValueError):
    """What came is no HTTP/1.1 answer."""


class AnswerReader:
    """Takes the bytes of one answer and gives those of its body."""

    __slots__ = (
        "_crlf",
        "_held",
        "_kind",
        "_left",
        "_trailers",
        "complete",
        "keep_alive",
        "status",
    )

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._crlf = 0
        self._trailers = False
        self.begin()

    def begin(self) -> None:
        """Be ready for the connection's next answer; the one before was read to its end."""
        self.status = 0
        """0 until the head is whole."""
        self.complete = False
        self.keep_alive = True
        self._kind = _HEAD

    @property
    def ends_with_connection(self) -> bool:
        """Whether the connection's end is the answer's regular end."""
        return self._kind == _CLOSE

    def feed(self, data: bytes) -> bytes:
        """Take what came and return what of the body was in it.

        Raises `AnswerError`, and for bytes after the answer's end too.
        """
        if self._kind == _HEAD:
            data = self._head(data)
        if self._kind == _LENGTH:
            self._left -= len(data)
            if self._left <= 0:
                self.complete = True
                if self._left:
                    raise AnswerError("bytes after the answer")
            return data
        if self._kind == _CHUNKED:
            return self._chunks(data)
        return data

    def _head(self, data: bytes) -> bytes:
        """Read the head, and return what stands behind it."""
        if self._held:
            data = self._held + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _HEAD_BYTES_MAX:
                raise AnswerError("a head without an end")
            self._held = data
            return b""
        self._held = b""
        head = data[: end + 2].lower()
        rest = data[end + 4 :]
        try:
            status = int(head[9:12])
        except ValueError as error:
            raise AnswerError("no number as status") from error
        if not head.startswith(b"http/1."):
            raise AnswerError("not an HTTP/1.1 status line")
        if status < 200:  # noqa: PLR2004 - an interim answer; the real one follows
            return self._head(rest)
        self.status = status
        self._describe(head)
        return rest

    def _describe(self, head: bytes) -> None:
        at = head.find(_CONTENT_LENGTH)
        if at >= 0:
            at += len(_CONTENT_LENGTH)
            try:
                self._left = int(head[at : head.find(b"\r", at)])
            except ValueError as error:
                raise AnswerError("no number as content-length") from error
            self._kind = _LENGTH
        elif b"\r\ntransfer-encoding:" in head:
            self._kind = _CHUNKED
            self._trailers = False
        else:
            self._kind = _CLOSE
        if b"\r\nconnection: close\r\n" in head or self._kind == _CLOSE:
            self.keep_alive = False

    def _chunks(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        parts: list[bytes] = []
        position, size = 0, len(data)
        while position < size:
            if self.complete:
                raise AnswerError("bytes after the answer")
            if self._left:
                part = data[position : position + self._left]
                parts.append(part)
                position += len(part)
                self._left -= len(part)
                if not self._left:
                    self._crlf = 2
            elif self._crlf:
                skipped = min(self._crlf, size - position)
                position += skipped
                self._crlf -= skipped
            else:
                end = data.find(b"\r\n", position)
                if end < 0:
                    self._hold(data[position:])
                    break
                left = self._line(data[position:end])
                position = end + 2
                stop = position + left
                if left and stop + 2 <= size:  # all of it is here, as nearly always
                    parts.append(data[position:stop])
                    position = stop + 2
                else:
                    self._left = left
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _hold(self, line: bytes) -> None:
        if len(line) > _LINE_BYTES_MAX:
            raise AnswerError("a chunk's size without an end")
        self._held = line

    def _line(self, line: bytes) -> int:
        """Take a line between chunks: return the next one's size, 0 after the last."""
        if self._trailers:
            self.complete = not line
            return 0
        try:
            left = int(line.split(b";", 1)[0], 16)
        except ValueError as error:
            raise AnswerError("no number as a chunk's size") from error
        self._trailers = not left
        return left
