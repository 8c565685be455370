"""The head of an upstream answer, reduced to what korad passes on or reads."""

from __future__ import annotations

import re

from korad.upstream.hot_shape import (
    DIGITS_MAX,
    HOT_HEAD_BYTES_MAX,
    HOT_STATUS_LINE,
    VALUE_CHARS_MAX,
    AnswerHead,
    HotShape,
    Meaning,
    Read,
)

NAMES_MAX = 1_024
SHAPES_MAX = 4
"""Shapes of usual heads known at a time."""
LESSONS_MAX = 64
"""Shapes learned in all: one takes 1 ms, and a provider that changes its heads is read by lines."""
SHAPE_LINES_MAX = 64
SEQUENCES_MAX = 32
"""Sequences of names known at a time."""

_STATUS_LINE_BYTES = len(HOT_STATUS_LINE)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.6.2

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


class _Lines:
    """What the lines of a sequence of header names are to korad.

    A stream's head, looked at name by name, costs 600 bytecodes.
    """

    __slots__ = ("_content_type", "_encoding", "_is_framed", "_names", "_request_id", "_template")

    def __init__(self, lines: list[tuple[bytes, Meaning]]) -> None:
        """Take each name with its meaning; of those that say the same thing the last counts."""
        by_meaning = {meaning: name for name, meaning in lines}
        self._content_type = by_meaning.get(Read.CONTENT_TYPE)
        self._encoding = by_meaning.get(Read.CONTENT_ENCODING)
        self._request_id = by_meaning.get(Read.REQUEST_ID)
        self._is_framed = Read.LENGTH in by_meaning or Read.TRANSFER_ENCODING in by_meaning
        passed_on = [(name, meaning) for name, meaning in lines if isinstance(meaning, bytes)]
        self._names = [name for name, _ in passed_on]
        self._template = b"".join(
            meaning.replace(b"%", b"%%") + b"%b\r\n" for _, meaning in passed_on
        )

    def read(self, status: int, headers: dict[bytes, bytes]) -> AnswerHead:
        """Return what korad takes from a head of this sequence."""
        kind, encoding, request_id = self._content_type, self._encoding, self._request_id
        return AnswerHead(
            status=status,
            lines=self._template % tuple(map(headers.__getitem__, self._names)),
            request_id=(
                None
                if request_id is None
                else headers[request_id].decode("latin-1")[:VALUE_CHARS_MAX]
            ),
            is_event_stream=kind is not None and _is_event_stream(headers[kind]),
            is_encoded=encoding is not None
            and headers[encoding].strip().lower() not in (b"", b"identity"),
            is_framed=self._is_framed,
        )


class HeadReader:
    """Make `AnswerHead`s, knowing what header names mean by the bytes they come in.

    A provider sends the same dozen names on every answer, so each is understood once, and so is
    their sequence. Bounded, because an upstream chooses the names.
    """

    __slots__ = ("_lessons", "_meanings", "_sequences", "_shapes")

    def __init__(self) -> None:
        self._meanings: dict[bytes, Meaning] = {}
        self._sequences: dict[tuple[bytes, ...], _Lines] = {}
        self._shapes: tuple[HotShape, ...] = ()
        """The newest first."""
        self._lessons = 0

    def read_hot(self, data: bytes) -> tuple[AnswerHead, bytes] | None:
        """Return head and body of a whole answer of the hot shape, or None: let llhttp read it.

        The hot shape: 200, one plain Content-Length, kept alive, and `data` is exactly the
        answer. 14 header lines in a known order cost 40 % of reading them one by one, which in
        turn costs a third of llhttp with its callbacks.
        """
        for shape in self._shapes:
            hot = shape.read(data)
            if hot is not None:
                return hot
        return self._read_lines(data)

    def _read_lines(self, data: bytes) -> tuple[AnswerHead, bytes] | None:
        """Read a hot answer whose head has no known shape, and learn the shape."""
        end = data.find(b"\r\n\r\n")
        if not 0 < end <= HOT_HEAD_BYTES_MAX:
            return None
        lines = data[_STATUS_LINE_BYTES:end].split(b"\r\n")
        passed_on = b""
        length = -1
        request_id: str | None = None
        for line in lines:
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
        self._learn_shape(lines)
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
        """Return what a line of a hot head means; None also for a value as it should be."""
        name, colon, value = line.partition(b":")
        meaning = self._meaning(name)
        value = value.strip(b" \t")
        # A CR or LF that ends no line is a control character too.
        if not colon or _CONTROL.search(value):
            return Read.MALFORMED, value
        if (meaning is Read.CONTENT_TYPE and not _is_event_stream(value)) or (
            meaning is Read.CONNECTION and value.lower() == b"keep-alive"
        ):
            meaning = None
        return meaning, value

    def _learn_shape(self, lines: list[bytes]) -> None:
        """Remember the sequence of a hot head's lines."""
        if self._lessons >= LESSONS_MAX or len(lines) > SHAPE_LINES_MAX:
            return
        self._lessons += 1
        shape = HotShape([(line, self._meaning(line.partition(b":")[0])) for line in lines])
        self._shapes = (shape, *self._shapes[: SHAPES_MAX - 1])

    def read(self, status: int, headers: dict[bytes, bytes]) -> AnswerHead:
        """Return what korad takes from the headers of any answer."""
        names = tuple(headers)
        lines = self._sequences.get(names)
        if lines is None:
            if len(self._sequences) >= SEQUENCES_MAX:
                self._sequences.clear()
            lines = self._sequences[names] = _Lines([(each, self._meaning(each)) for each in names])
        return lines.read(status, headers)

    def _meaning(self, name: bytes) -> Meaning:
        if name in self._meanings:
            return self._meanings[name]
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
