"""However a provider frames a stream and the network cuts it, a bypass changes no byte of it."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from hypothesis import given, strategies as st

from korad.domain.upstream import Timeouts
from korad.providers.openai_usual import OpenAIText
from korad.upstream.answer_head import HeadReader
from korad.upstream.connection import UpstreamConnection
from korad.wire.http1 import chunk, last_chunk


def event(text: bytes) -> bytes:
    return b'data: {"id":"c","choices":[{"delta":{"content":"%b"}}]}\n\n' % text


BEGINNING = event(b"Hi")
BODIES = st.one_of(
    st.builds(event, st.sampled_from([b"a", b"", b" word", b"\\n", b"x" * 5_000])),
    # What looks like a chunk, within one.
    st.builds(chunk, st.builds(event, st.sampled_from([b"b", b""]))),
    st.sampled_from([b": ping\n\n", b"\r\n", b"0\r\n\r\n", b"3d\r\n", b"d", b"data: [DONE]\n\n"]),
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


class Provider:
    """The far side of a connection, and the listener and bypass on the near one."""

    def __init__(self, *, offers_bypass: bool) -> None:
        self.usual = OpenAIText()
        self.usual.learn(BEGINNING)
        self.got: list[bytes] = []
        self.passed_by = 0
        self.ended = self.closed = False
        self.offers_bypass = offers_bypass
        deadlines: Any = SimpleNamespace(now=0.0)
        site: Any = SimpleNamespace(
            deadlines=deadlines, released=lambda _: None, closed=lambda _: None
        )
        self.connection = UpstreamConnection(site, Timeouts(), HeadReader())
        self.connection.connection_made(self)  # type: ignore[arg-type]
        self.connection.send(b"head", b"body", self)  # type: ignore[arg-type]

    # the transport

    def write(self, data: bytes) -> None:
        assert data

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    abort = close

    # the listener

    def on_sent(self) -> None:
        pass

    def on_head(self, head: Any) -> None:
        assert head.is_event_stream
        if self.offers_bypass:
            self.connection.bypass(self, self)  # type: ignore[arg-type]

    def on_body(self, data: bytes) -> None:
        self.got.append(data)

    def on_end(self) -> None:
        self.ended = True

    # the bypass

    def take(self, data: bytes) -> bool:
        if self.usual.deltas_with(data) < 0:
            return False
        self.passed_by += 1
        self.got.append(data[data.index(b"\r\n") + 2 : -2])
        return True


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({each % (len(data) + 1) for each in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


@given(
    bodies=st.lists(BODIES, max_size=8),
    chunk_cuts=st.lists(st.integers(0, 400), max_size=3),
    read_cuts=st.lists(st.integers(0, 2_000), max_size=4),
    by_chunk=st.booleans(),
    framing=st.sampled_from(["chunked", "length", "close"]),
)
def test_a_bypass_changes_no_byte(bodies, chunk_cuts, read_cuts, by_chunk, framing):
    provider = Provider(offers_bypass=True)
    body = b"".join(bodies)
    chunks = bodies if by_chunk else pieces(body, chunk_cuts)
    if framing == "chunked":
        whole = [
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(BEGINNING),
            *map(chunk, chunks),
            last_chunk(),
        ]
    else:
        length = b"Content-Length: %d\r\n" % (len(BEGINNING) + len(body))
        whole = [HEAD + (length if framing == "length" else b"") + b"\r\n" + BEGINNING, *chunks]
    reads = whole if by_chunk else pieces(b"".join(whole), read_cuts)

    for read in reads:
        if not provider.ended and not provider.closed:
            provider.connection.data_received(read)
    if framing == "close":
        provider.connection.connection_lost(None)

    assert provider.ended
    assert BEGINNING + body == b"".join(provider.got)
    if framing != "chunked":
        assert not provider.passed_by


def test_usual_chunks_pass_by():
    provider = Provider(offers_bypass=True)
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for read in (head, chunk(BEGINNING), chunk(event(b"a")), chunk(event(b"")), last_chunk()):
        provider.connection.data_received(read)

    assert provider.passed_by == 2
    assert provider.usual.deltas == 1
    assert provider.ended


def test_the_next_answer_has_no_bypass_of_the_last_one():
    provider = Provider(offers_bypass=True)
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for read in (head, chunk(BEGINNING), chunk(event(b"a")), last_chunk()):
        provider.connection.data_received(read)
    provider.offers_bypass = False
    provider.connection.send(b"head", b"body", provider)
    for read in (head, chunk(event(b"b")), chunk(event(b"c")), last_chunk()):
        provider.connection.data_received(read)

    assert provider.passed_by == 1
    assert [BEGINNING, *map(event, (b"a", b"b", b"c"))] == provider.got
