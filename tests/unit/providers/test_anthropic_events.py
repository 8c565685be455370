"""Framing and decoding of the event stream."""

from __future__ import annotations

import pytest

from korad.errors import UpstreamError
from korad.providers import anthropic_events
from korad.providers.anthropic_events import Event, EventReader
from tests.support.anthropic_wire import block_start, delta, event

PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def read(*chunks: bytes) -> list[Event]:
    reader = EventReader()
    return [found for chunk in chunks for found in reader.feed(chunk)]


def types(*chunks: bytes) -> list[str]:
    return [found.type for found in read(*chunks)]


def broken(*chunks: bytes) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        read(*chunks)

    assert (502, "upstream_broken") == (caught.value.status, caught.value.code)

    return caught.value


@pytest.mark.parametrize(
    "frame",
    [
        PING,
        PING.replace(b"\n", b"\r\n"),
        b": a comment\n\n" + PING,
        b'data:{"type":"ping"}\n\n',
        b'id: 1\nretry: 3\nevent: whatever\ndata: {"type":"ping"}\n: between\n\n',
        b'data: {"type":\ndata: "ping"}\n\n',
        b'data: {"type":\r\ndata: "ping"}\r\n\r\n',
        b"\n\n\n" + PING,
    ],
)
def test_every_legal_framing_is_read(frame: bytes) -> None:
    assert ["ping"] == types(frame)
    assert ["ping"] == types(*(frame[n : n + 1] for n in range(len(frame))))


def test_an_event_without_its_blank_line_has_not_come() -> None:
    assert [] == types(PING[:-1])


def test_events_without_data_are_nothing() -> None:
    assert [] == types(b"event: ping\n\n: comment\n\n")


def test_characters_cut_in_two_are_read_whole() -> None:
    data = delta(0, "text_delta", text="héllo 🌍")

    for cut in range(len(data)):
        (found,) = read(data[:cut], data[cut:])

        assert found.delta is not None
        assert "héllo 🌍" == found.delta.text


@pytest.mark.parametrize(
    "data",
    [
        event("message_pause", delta="7", message=[1], usage=-1),
        event("content_block_delta", index=0, delta={"type": "new_delta", "text": {"a": 1}}),
        event("content_block_start", index=0, content_block={"type": "new", "text": 7}),
        b"data: [DONE]\n\n",
    ],
)
def test_what_anthropic_may_add_later_is_skipped(data: bytes) -> None:
    assert [] == types(data)


@pytest.mark.parametrize(
    "data",
    [
        b"data: <html>\n\n",
        b'data: {"type": "ping"\n\n',
        delta(0, "text_delta", text="?").replace(b"?", b"\xff"),
        b'data: {"type": 7}\n\n',
        b"data: {}\n\n",
        b"data: []\n\n",
        b"data: " + b"[" * 100_000 + b"\n\n",
        delta(0, "text_delta", text=7),
        block_start(0, type="tool_use", id=7),
        event("message_delta", delta={}, usage={"output_tokens": -1}),
    ],
)
def test_bytes_of_another_kind_break_the_stream(data: bytes) -> None:
    broken(data)


def test_what_came_before_the_break_is_yielded_first() -> None:
    found = []
    with pytest.raises(UpstreamError):
        found.extend(event.type for event in EventReader().feed(PING + b"data: x\n\n"))

    assert ["ping"] == found


@pytest.mark.parametrize("piece", [b"x" * 100, b"x" * 100 + b"\ndata: ", b"\ndata:" * 20])
def test_an_endless_event_breaks_the_stream(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    monkeypatch.setattr(anthropic_events, "EVENT_BYTES_MAX", 1000)

    error = broken(b"data: ", *[piece] * 20)

    assert "16 MiB" in error.message


def test_the_limit_is_on_one_event_not_on_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_events, "EVENT_BYTES_MAX", 1000)
    half = len(PING) // 2

    assert 100 == len(types(*[PING[:half], PING[half:]] * 100))
