"""The text of an OpenAI stream, and its usual event: as the one before, but for that text.

Looking for usage, errors and the end in an event, and cutting its text out of it, costs 17,500
instructions for 200 bytes. Seeing that an event differs from one already looked at in nothing but
the inside of one JSON string costs 5,600, and gives the text as well. An event that is a chunk of
HTTP by itself need not even be taken out of its framing.
"""

from __future__ import annotations

import re

from korad.domain.generated import Generated
from korad.providers.openai_text import generated_spans, unescaped
from korad.wire.http1 import SIZE_LINES

LESSONS_MAX = 8
"""Events of a stream that are learned from: what goes on changing has no usual event."""

_STRING = re.compile(rb'[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+')
_PADDING = b'"obfuscation":"'
"""OpenAI ends every event with random letters, so that its size does not tell the text's."""
_PADDING_END = re.compile(rb'[^"\\\r\n]*+"\}\n\n')


class OpenAIText(Generated):
    """What was generated, in JSON strings, and what the events around it have in common.

    One object: a chunk that passes by a relay asks no other of its stream.
    """

    __slots__ = ("_after", "_before", "_chunk_end", "_lessons", "_padded", "_start")

    _BLANK = b" "

    def __init__(self) -> None:
        super().__init__()
        self._before: bytes | None = None
        self._start = 0
        self._after = b""
        self._padded = False
        self._lessons = 0
        self._chunk_end = b""

    def text_in(self, event: bytes) -> bytes | None:
        """Return the text (a JSON string's inside) of a usual event, None for any other bytes."""
        if event[: self._start] != self._before:
            return None
        text = _STRING.match(event, self._start)
        assert text is not None
        after = event[text.end() :]
        if self._padded:
            after, _, padding = after.partition(_PADDING)
            if _PADDING_END.fullmatch(padding) is None:
                return None
        return text[0] if after == self._after else None

    @property
    def is_usual_known(self) -> bool:
        """Whether an event was learned."""
        return self._before is not None

    def deltas_with(self, chunk: bytes) -> int:
        """Count a chunk of HTTP that is framing and a usual event; return `deltas`.

        -1: `chunk` is anything else, framing spelled in another way included, and is not counted.
        Call it only once an event was learned.
        """
        chunk_bytes = len(chunk)
        if chunk_bytes >= len(SIZE_LINES):
            return -1
        start = SIZE_LINES[chunk_bytes] + self._before  # type: ignore[operator]
        if not chunk.startswith(start) or not chunk.endswith(self._chunk_end):
            return -1
        begin, end = len(start), chunk_bytes - len(self._chunk_end)
        if self._padded:
            # A text has no quote of its own, so that what is found first is what ends it.
            padding = self._after + _PADDING
            text_end = chunk.find(padding, begin, end)
            if text_end < 0 or not _STRING.fullmatch(chunk, text_end + len(padding), end):
                return -1
            end = text_end
        if not _STRING.fullmatch(chunk, begin, end):
            return -1
        if begin < end:
            if self.is_kept:
                self.add(chunk[begin:end])
            else:
                self.deltas += 1
        return self.deltas

    def learn(self, event: bytes) -> None:
        """Take one whole event that holds nothing but (perhaps) text for the usual one."""
        if self._lessons >= LESSONS_MAX:
            return
        self._lessons += 1
        spans = generated_spans(event)
        if len(spans) != 1:
            return
        start, end = spans[0]
        self._start, self._before = start, event[:start]
        self._after, padding, _ = event[end:].partition(_PADDING)
        self._padded = bool(padding)
        self._chunk_end = b'"}\n\n\r\n' if padding else self._after + b"\r\n"

    @staticmethod
    def _joined(pieces: list[bytes]) -> str:
        return unescaped(pieces)
