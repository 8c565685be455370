"""Server-sent events as bytes: find where events end, whatever the chunking.

Only what OpenAI-dialect streams need: an event ends at an empty line, lines end with LF, CRLF or
CR (WHATWG HTML, "Parsing an event stream").
"""

from __future__ import annotations

import re

from korad.errors import upstream_error

EVENT_BYTES_MAX = 8 * 1024 * 1024
"""Longest event kept while its end has not come; an image delta is a few MiB."""

DONE = b"data: [DONE]\n\n"

_EVENT_END = re.compile(rb"\n\n|\r\n\r\n|\r\r|\n\r\n|\r\n\n")


class EventSplitter:
    """Cut a byte stream after its last complete event."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = b""
        """The bytes of an event whose end has not come."""

    def feed(self, chunk: bytes) -> bytes:
        """Return all complete events so far unreturned (`chunk` itself if it is just those).

        The rest is kept. Raises UpstreamError when an event grows over EVENT_BYTES_MAX.
        """
        if not self.pending and chunk.endswith(b"\n\n"):
            return chunk
        data = self.pending + chunk
        end = _last_event_end(data, len(self.pending))
        self.pending = data[end:]
        if len(self.pending) > EVENT_BYTES_MAX:
            raise upstream_error(502, "The provider sent an endless event.", "upstream_broken")
        return data[:end]


def _last_event_end(data: bytes, searched: int) -> int:
    """Return the index after the last blank line of `data`, 0 when there is none.

    A blank line is at most 4 bytes, so `searched` bytes already looked at are skipped but 3.
    """
    start = max(0, searched - 3)
    # The common terminator first: rfind is a memory scan, the pattern is not.
    end = data.rfind(b"\n\n", start)
    end = end + 2 if end >= 0 else 0
    if b"\r" in data:
        for match in _EVENT_END.finditer(data, max(start, end - 3, 0)):
            end = max(end, match.end())
    return end


def split_events(events: bytes) -> list[bytes]:
    """Return whole events one by one, each with its terminating blank line."""
    if b"\r" not in events:
        return [event + b"\n\n" for event in events.split(b"\n\n") if event]
    parts, position = [], 0
    for match in _EVENT_END.finditer(events):
        parts.append(events[position : match.end()])
        position = match.end()
    return [part for part in parts if part.strip()]


def event_data(event: bytes) -> bytes:
    """Return the joined `data:` lines of one event, b"" when it has none (comments, pings)."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2]
    return b"\n".join(
        line[6:] if line[5:6] == b" " else line[5:]
        for line in event.splitlines()
        if line.startswith(b"data:")
    )


def data_event(data: bytes) -> bytes:
    """Return `data` (one line) as an event."""
    return b"data: " + data + b"\n\n"
