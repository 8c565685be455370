"""Anthropic's event stream: bytes in, typed events out.

    message_start
      { content_block_start  content_block_delta*  content_block_stop }*
    message_delta+                  stop reason, cumulative usage
    message_stop
    ping, error                     anywhere, `error` even first on a 200

One flat struct takes every event (0.5 us for a text delta): a union tagged by `type` would refuse
the events and deltas that Anthropic reserves the right to add.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from korad.errors import UpstreamError, upstream_error

EVENT_BYTES_MAX = 16 * 1024 * 1024
"""Longest event kept: the biggest legitimate one is a tool input that comes in one piece."""

Count = Annotated[int, msgspec.Meta(ge=0)]

KNOWN_TYPES = frozenset(
    (
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    )
)
KNOWN_PARTS = frozenset(
    ("text", "text_delta", "thinking", "thinking_delta", "tool_use", "input_json_delta")
)


class CacheCreation(msgspec.Struct, gc=False):
    """Tokens written to the prompt cache, by lifetime."""

    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """What the output tokens were spent on."""

    thinking_tokens: Count | None = None


class ReportedUsage(msgspec.Struct, gc=False):
    """Anthropic's `usage`: `input_tokens` excludes both cache counters; None is not reported."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: str | None = None


class StopDetails(msgspec.Struct, gc=False):
    """Why a model stopped, beyond the reason's name."""

    explanation: str | None = None


class Block(msgspec.Struct, gc=False):
    """A content block of any type, with the fields of those that have a counterpart."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw()
    """A tool's arguments, in the model's own spelling (20-digit integers)."""


class Message(msgspec.Struct, gc=False):
    """A whole answer, or the empty one that opens a stream."""

    id: str
    content: list[Block] = []
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: ReportedUsage | None = None


class Delta(msgspec.Struct, gc=False):
    """A piece of a block (`type` says of which kind), or the end of the message."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class ErrorReport(msgspec.Struct, gc=False):
    """The `error` object of an error event or body."""

    type: str | None = None
    message: str | None = None


class Event(msgspec.Struct, gc=False):
    """One event of any type."""

    type: str
    index: int = 0
    delta: Delta | None = None
    content_block: Block | None = None
    message: Message | None = None
    usage: ReportedUsage | None = None
    error: ErrorReport | None = None


class EventReader:
    """Frames and decodes one stream; any chunking gives the same events."""

    __slots__ = ("_data", "_data_bytes", "_line")

    def __init__(self) -> None:
        self._line = bytearray()
        """The beginning of a line whose end has not come."""
        self._data: list[bytes] = []
        """`data:` lines of an event whose blank line has not come, without the field name."""
        self._data_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events completed by `chunk`. Raises UpstreamError (502) for other bytes."""
        if b"\n" not in chunk:
            self._keep(chunk)
            return
        if self._line:
            chunk = bytes(self._line + chunk)
            self._line.clear()
        lines = chunk.split(b"\n")
        tail = lines.pop()
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:])
                self._data_bytes += len(line)
            elif data and (not line or line == b"\r"):
                # A leading space and a trailing CR are white space to JSON.
                event = _decode(b"\n".join(data))
                data.clear()
                self._data_bytes = 0
                if event is not None:
                    yield event
        if tail or data:
            self._keep(tail)

    def _keep(self, piece: bytes) -> None:
        self._line += piece
        if len(self._line) + self._data_bytes > EVENT_BYTES_MAX:
            raise broken("The provider sent an event longer than 16 MiB.")


def broken(message: str) -> UpstreamError:
    """Return the 502 for an answer that is not what Anthropic's API promises."""
    return upstream_error(502, message, "upstream_broken")


def _decode(data: bytes) -> Event | None:
    """Return the event in `data`, None for one that korad need not know."""
    try:
        return _event_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if _is_new(data):
            return None
        raise broken("The provider sent an event that is not one of its API's.") from None


def _is_new(data: bytes) -> bool:
    """Return whether an unreadable event is of a type, or brings a part, unknown to korad.

    Some servers of this dialect end their streams as OpenAI's do; that too may be skipped.
    """
    if data.strip() == b"[DONE]":
        return True
    try:
        event = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return False
    part = event.get("delta") or event.get("content_block")
    kind = part.get("type") if isinstance(part, dict) else None
    return event["type"] not in KNOWN_TYPES or (isinstance(kind, str) and kind not in KNOWN_PARTS)


_event_decoder = msgspec.json.Decoder(Event)
