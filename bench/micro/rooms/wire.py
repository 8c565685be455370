"""Bytes to structure: request bodies and server-sent events."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from bench.micro.work import TESTS, Work
from korad.domain.chat import ChatRequest
from korad.wire.openai import parse_chat_request
from korad.wire.sse import EventSplitter
from tests.support.raw_http import chat

_SPLIT_BYTES = 7
"""The size at which the golden cases are cut in their tests."""
_LARGE_BYTES = 200_000


def _parsed(text_bytes: int) -> Iterator[Work]:
    body = orjson.dumps(chat(messages=[{"role": "user", "content": "a b\n" * (text_bytes // 5)}]))

    def is_right(found: object) -> bool:
        return isinstance(found, ChatRequest) and found.model == "openai/gpt-4o"

    yield Work(lambda: parse_chat_request(body), is_right)


def small_body() -> Iterator[Work]:
    """Parse a request body of 300 bytes."""
    yield from _parsed(300)


def large_body() -> Iterator[Work]:
    """Parse a request body of 200 KB."""
    yield from _parsed(_LARGE_BYTES)


def _golden() -> bytes:
    return (TESTS / "golden" / "anthropic" / "tools_and_cache" / "client.sse").read_bytes()


def whole_events() -> Iterator[Work]:
    """Frame events that come one per read."""
    stream = _golden()
    events = [event + b"\n\n" for event in stream.split(b"\n\n") if event]

    def call() -> bytes:
        feed = EventSplitter().feed
        return b"".join([feed(event) for event in events])

    yield Work(call, lambda found: found == stream, len(events))


def split_events() -> Iterator[Work]:
    """Frame events that come in pieces of 7 bytes; an operation is a piece."""
    stream = _golden()
    pieces = [stream[at : at + _SPLIT_BYTES] for at in range(0, len(stream), _SPLIT_BYTES)]

    def call() -> bytes:
        feed = EventSplitter().feed
        return b"".join([feed(piece) for piece in pieces])

    yield Work(call, lambda found: found == stream, len(pieces))
