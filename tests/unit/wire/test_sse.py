"""Event boundaries do not depend on how the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from korad.errors import UpstreamError
from korad.wire import sse
from korad.wire.sse import EventSplitter, data_event, event_data, split_events

STREAMS = {
    "LF": (b"data: 1\n\ndata: 2\n\n", b""),
    "CRLF": (b"data: 1\r\n\r\ndata: 2\r\n\r\n", b""),
    "CR": (b"data: 1\r\rdata: 2\r\r", b""),
    "mixed": (b"data: 1\n\r\ndata: 2\r\n\ndata: 3\n\n", b""),
    "CRLF then LF": (b"data: 1\r\n\r\n: ping\n\n", b"data: 2\n"),
    "LF then CRLF": (b"data: 1\n\ndata: 2\r\n\r\n", b"data: 3\r\n"),
    "half an event": (b"data: 1\n\n", b"data: 2"),
    "lines of one event": (b"event: a\ndata: 1\ndata: 2\n\n", b"event: b\n"),
    "no event": (b"", b"data: 1\n"),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 1_000])
def test_whole_events_come_out_and_the_rest_waits(name, size):
    whole, rest = STREAMS[name]
    data = whole + rest
    splitter = EventSplitter()
    came = b"".join(splitter.feed(data[at : at + size]) for at in range(0, len(data), size))

    assert (whole, rest) == (came, splitter.pending)


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"data: x", b"y", b""]), max_size=12), st.data())
def test_no_byte_is_lost_doubled_or_moved_whatever_the_chunking(lines, data):
    stream = b"".join(lines)
    splitter = EventSplitter()
    came, at = b"", 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        came += splitter.feed(stream[at : at + size])
        at += size

    assert stream == came + splitter.pending
    assert splitter.pending.find(b"\n\n") < 0


def test_an_event_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(sse, "EVENT_BYTES_MAX", 8)
    splitter = EventSplitter()

    assert splitter.feed(b"data: 12") == b""
    with pytest.raises(UpstreamError) as caught:
        splitter.feed(b"3")
    assert (caught.value.status, caught.value.code) == (502, "upstream_broken")


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        (b"", []),
        (b"data: 1\n\n", [b"data: 1\n\n"]),
        (b"data: 1\n\ndata: 2\n\n", [b"data: 1\n\n", b"data: 2\n\n"]),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"]),
        (b"data: 1\n\ndata: 2\r\n\r\n", [b"data: 1\n\n", b"data: 2\r\n\r\n"]),
        (b"data: 1\r\rdata: 2\r\r", [b"data: 1\r\r", b"data: 2\r\r"]),
        (b"\n\n", []),
    ],
)
def test_events_are_taken_apart_at_their_blank_lines(events, parts):
    assert parts == split_events(events)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: 1\n\n", b"1"),
        (b"data:1\r\n\r\n", b"1"),
        (b"data:  1\n\n", b" 1"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"event: x\nid: 3\ndata: 1\n\n", b"1"),
        (b": ping\n\n", b""),
        (b"data:\n\n", b""),
        (b"database: 1\n\n", b""),
        (b"data: a\x0bb\x0cc\x85d\x1ce\n\n", b"a\x0bb\x0cc\x85d\x1ce"),
        ("data: a\u2028b\n\n".encode(), "a\u2028b".encode()),
    ],
)
def test_the_data_of_an_event_is_its_data_lines(event, data):
    assert data == event_data(event)


def test_data_made_an_event_reads_back():
    assert event_data(data_event(b'{"a":1}')) == b'{"a":1}'
