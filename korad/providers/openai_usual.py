"""The usual event of an OpenAI stream: as the one before, but for the text it carries.

Looking for usage, errors and the end in an event, and cutting its text out of it, costs 17,500
instructions for 200 bytes. Seeing that an event differs from one already looked at in nothing but
the inside of one JSON string costs 5,600, and gives the text as well.
"""

from __future__ import annotations

import re

from korad.providers.openai_text import generated_spans

LESSONS_MAX = 8
"""Events of a stream that are learned from: what goes on changing has no usual event."""

_STRING = re.compile(rb'[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+')
_PADDING = b'"obfuscation":"'
"""OpenAI ends every event with random letters, so that its size does not tell the text's."""
_PADDING_END = re.compile(rb'[^"\\\r\n]*+"\}\n\n')


class UsualEvent:
    """What a stream's events have in common before and after the text."""

    __slots__ = ("_after", "_before", "_lessons", "_padded", "_start")

    def __init__(self) -> None:
        self._before: bytes | None = None
        self._start = 0
        self._after = b""
        self._padded = False
        self._lessons = 0

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
