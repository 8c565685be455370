"""The Anthropic dialect, on the golden case with tools, thinking and cache marks."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from bench.micro.work import TESTS, Work
from korad.wire.openai import parse_chat_request
from tests.support.anthropic_wire import DIALECT, a_target

_CASE = TESTS / "golden" / "anthropic" / "tools_and_cache"


def request() -> Iterator[Work]:
    """Translate a request to Anthropic's dialect."""
    given = parse_chat_request((_CASE / "client_request.json").read_bytes())
    target = a_target(given.model.removeprefix("anthropic/"))
    expected = msgspec.json.decode((_CASE / "upstream_request.json").read_bytes())

    def is_right(found: object) -> bool:
        return isinstance(found, bytes) and msgspec.json.decode(found) == expected

    yield Work(lambda: DIALECT.build_body(given, target), is_right)


def stream() -> Iterator[Work]:
    """Translate a stream, an event per read; an operation is an event."""
    given = parse_chat_request((_CASE / "client_request.json").read_bytes())
    target = a_target(given.model.removeprefix("anthropic/"))
    upstream = (_CASE / "upstream.sse").read_bytes()
    events = [event + b"\n\n" for event in upstream.split(b"\n\n") if event.strip()]
    expected = (_CASE / "client.sse").read_bytes()

    def call() -> bytes:
        feed = DIALECT.open_stream(given, target).feed
        return b"".join([feed(event) for event in events])

    yield Work(call, lambda found: found == expected, len(events))
