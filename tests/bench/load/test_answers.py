"""Answers are read the same however their bytes are cut, and what is wrong with one is named."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from bench.load.answer_reader import AnswerError, AnswerReader
from bench.load.dialect import error_words
from bench.load.exchange import Exchange, PlainExchange, StreamExchange
from bench.load.plan import Ask, Slo
from bench.load.recorder import Recorder
from bench.load.stand_in_orders import Orders
from bench.load.stand_in_request import next_request
from bench.load.stand_in_wire import Wire

WIRE = Wire(Orders(chunks=3))
STREAM = b"".join(
    (
        WIRE.stream_head,
        WIRE.first_chunk(1_000, 2_000),
        WIRE.next_chunk(3_000),
        WIRE.next_chunk(4_000),
        WIRE.stream_end,
    )
)
PLAIN = WIRE.plain(1_000, 2_500)
CUTS = st.lists(st.integers(0, len(STREAM)), max_size=8)
EVENT = b'data: {"choices":[{"index":0,"delta":%b}]%b}\n\n'
USAGE = EVENT % (b"{}", b',"usage":{"prompt_tokens":1,"completion_tokens":7,"total_tokens":8}')
DONE = b"data: [DONE]\n\n"


def pieces(whole: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cuts), len(whole)]
    return [whole[a:b] for a, b in pairwise(bounds) if a < b]


def read(reader: AnswerReader, parts: list[bytes]) -> list[bytes]:
    return [reader.feed(part) for part in parts]


def exchange_of(*, stream: bool, leave_after: float | None = None) -> Exchange:
    ask = Ask(at_s=0.0, messages=b"[]", stream=stream, leave_after=leave_after)
    if stream:
        return StreamExchange(ask, Recorder(Slo()), 500, 600, expected=4)
    return PlainExchange(ask, Recorder(Slo()), 500, 600)


def stream_of(*bodies: bytes) -> Exchange:
    exchange = exchange_of(stream=True)
    for body in bodies:
        exchange.body(body, 9_000)
    return exchange


@given(CUTS)
def test_a_stream_is_the_same_however_it_is_cut(cuts):
    reader, exchange = AnswerReader(), exchange_of(stream=True)

    for number, body in enumerate(read(reader, pieces(STREAM, cuts))):
        exchange.body(body, 10_000 + number)
    assert reader.complete
    assert reader.status == 200
    assert exchange.verdict() is None
    exchange.succeed(20_000)

    times = exchange.recorder.times
    assert exchange.tokens == 3
    assert len(exchange.recorder.chunks_at) == 3
    assert [1, 2, 3] == [len(times.ttft), len(times.itl), len(times.chunk_overhead)]
    assert [19_500 - (4_000 - 1_000)] == list(times.overhead)
    assert [19_500] == list(times.e2e)
    assert [(19_500 - times.ttft[0]) // 2] == list(times.tpot)


@given(st.lists(st.integers(0, len(PLAIN)), max_size=5))
def test_an_answer_is_the_same_however_it_is_cut(cuts):
    reader, exchange = AnswerReader(), exchange_of(stream=False)

    for body in read(reader, pieces(PLAIN, cuts)):
        exchange.body(body, 10_000)
    assert reader.complete
    assert exchange.verdict() is None
    exchange.succeed(20_000)

    assert exchange.tokens > 1
    assert [19_500 - 1_500] == list(exchange.recorder.times.overhead)


@given(st.lists(st.integers(1, 400), max_size=20), CUTS)
def test_chunks_of_any_size_with_extensions_and_trailers(sizes, cuts):
    body = bytes(range(256)) * 40
    whole = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    position = 0
    for size in sizes:
        part = body[position : position + size]
        whole += b"%X;x=y\r\n%b\r\n" % (len(part), part)
        position += size
    whole += b"0\r\nX-Trailer: 1\r\n\r\n"
    reader = AnswerReader()

    assert body[:position] == b"".join(read(reader, pieces(whole, cuts)))
    assert reader.complete


def test_an_answer_without_a_length_ends_with_its_connection():
    reader = AnswerReader()

    assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\nab") == b"ab"
    assert (reader.complete, reader.ends_with_connection, reader.keep_alive) == (False, True, False)


@pytest.mark.parametrize(
    "answer",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_refused(answer):
    with pytest.raises(AnswerError):
        AnswerReader().feed(answer)


def test_other_spellings_of_events_are_understood():
    spaced = b'data: {"choices": [{"delta": {"content": "t=12,30 hello"}}]}\r\n\r\n'
    reasoning = EVENT % (b'{"reasoning_content":"hm"}', b"")
    role = EVENT % (b'{"role":"assistant","content":""}', b"")
    tool = EVENT % (b'{"tool_calls":[{"index":0}]}', b"")
    exchange = stream_of(role, b": a comment\n\n", spaced, reasoning, tool, USAGE, DONE)

    assert exchange.verdict() is None
    assert len(exchange.recorder.chunks_at) == 3
    assert [9_000 - 30] == list(exchange.recorder.times.chunk_overhead)
    assert exchange.tokens == 7


def test_usage_beside_the_last_text_counts():
    last = EVENT % (b'{"content":"x"}', b',"usage":{"completion_tokens":2}')

    assert stream_of(last, DONE).verdict() is None


@pytest.mark.parametrize(
    ("bodies", "kind"),
    [
        ((USAGE,), "cut stream"),
        ((EVENT % (b'{"content":"x"}', b""), DONE), "no usage"),
        ((b'data: {"error":{"message":"x"}}\n\n', DONE), "error in stream"),
        ((b"data: {nonsense\n\n", USAGE, DONE), "error in stream"),
    ],
)
def test_what_is_wrong_with_a_stream_is_named(bodies, kind):
    assert stream_of(*bodies).verdict() == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"usage":{"completion_tokens": 5}}\n', None),
        (b'{"choices":[{"text":"\\"completion_tokens\\":5"}]}', "no usage"),
        (b'{"usage":null}', "no usage"),
        (b'{"usage":{"completion_tokens":5},', "bad body"),
        (b"<html>", "bad body"),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(body, kind):
    exchange = exchange_of(stream=False)
    exchange.body(body, 9_000)

    assert exchange.verdict() == kind


@pytest.mark.parametrize(("share", "chunks"), [(0.0, 1), (0.5, 2), (1.0, 4)])
def test_a_client_leaves_when_its_share_has_come(share, chunks):
    exchange = exchange_of(stream=True, leave_after=share)
    event = EVENT % (b'{"content":"x"}', b"")

    left = [exchange.body(event, 9_000) for _ in range(4)]

    assert left.index(True) + 1 == chunks


@given(st.booleans(), st.lists(st.integers(0, 200), max_size=4))
def test_the_stand_in_reads_requests_of_both_kinds(chunked, cuts):
    body = b'{"model":"m","stream":true}'
    framing = b"content-length: %d\r\n\r\n%b" % (len(body), body)
    if chunked:
        framing = b"transfer-encoding: chunked\r\n\r\n5\r\n%b\r\n16\r\n%b\r\n0\r\n\r\n" % (
            body[:5],
            body[5:],
        )
    whole = b"POST /v1/x?a=b HTTP/1.1\r\nauthorization: Bearer k\r\n" + framing
    held, found = b"", None
    for part in pieces(whole, [min(cut, len(whole)) for cut in cuts]):
        assert found is None
        found, held = next_request(held + part)

    assert held == b""
    assert found is not None
    assert found.body == body
    assert found.streamed
    assert found.query == "a=b"
    assert (found.has_key("k"), found.has_key("j")) == (True, False)
    assert (found.names("m"), found.names("n")) == (True, False)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":{"message":"No such\\nmodel","code":"model_not_found"}}',
         "model_not_found: No such model"),
        (b'{"error":{"message":"\\u001b[2J","type":"bad"}}', "bad: ?[2J"),
        (b'{"error":"no"}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_an_errors_words_are_one_line_for_a_terminal(body, words):
    assert error_words(body) == words
