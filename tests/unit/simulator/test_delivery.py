"""Tests of `korad.simulator.delivery`: the steps, without a socket."""

from __future__ import annotations

import random

import pytest

from korad.simulator import Fault, Script
from korad.simulator.delivery import End, Send, Wait, deliver
from korad.simulator.reply import Frame, Reply

FRAMES = [Frame(b"data: %d\n\n" % number, number) for number in range(1, 5)]


def stream(**changes):
    facts = {"status": 200, "headers": b"", "frames": iter(FRAMES), "error_frame": b"data: E\n\n"}
    return Reply(**(facts | changes))


def whole(**changes):
    return Reply(**({"status": 200, "headers": b"a: b\r\n", "body": b"0123456789"} | changes))


def steps(reply, script=None, chance=None):
    return list(deliver(reply, script or Script(), chance))


def sent(plan):
    return b"".join(step.data for step in plan if isinstance(step, Send))


def test_a_body_goes_out_in_one_write():
    assert [
        Send(b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 10\r\n\r\n0123456789", 7, usage=True),
        End.COMPLETE,
    ] == steps(whole(tokens=7, usage=True))


def test_a_stream_goes_out_event_by_event_at_its_pace():
    script = Script(latency_s=3, first_token_s=2, token_interval_s=1)
    plan = steps(stream(frames=iter(FRAMES[:2])), script)

    assert [
        Wait(3),
        Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        Wait(2),
        Send(b"9\r\ndata: 1\n\n\r\n", 1),
        Wait(1),
        Send(b"9\r\ndata: 2\n\n\r\n", 2),
        Send(b"0\r\n\r\n"),
        End.COMPLETE,
    ] == plan


def test_an_error_answer_never_completes():
    assert End.INCOMPLETE is steps(whole(status=500, answered=False))[-1]


def test_crlf_ends_every_line_of_a_stream():
    assert b"data: 1\r\n\r\n" in sent(steps(stream(), Script(crlf=True)))


def test_odd_pieces_are_chunks_of_their_own_and_count_with_the_last_of_them():
    plan = steps(stream(frames=iter([Frame(b"x" * 100, 9)])), chance=random.Random(1))
    chunks = [step for step in plan[2:-2] if isinstance(step, Send)]

    assert len(chunks) > 100 / 13
    assert [0] * (len(chunks) - 1) + [9] == [chunk.tokens for chunk in chunks]


@pytest.mark.parametrize(
    ("fault", "data", "end"),
    [
        (Fault.RESET_BEFORE_HEAD, b"", End.RESET),
        (Fault.STALL_BEFORE_HEAD, b"", End.STALL),
        (Fault.CLOSE_WITHOUT_ANSWER, b"", End.CLOSE),
        (Fault.GARBAGE, b"this is not HTTP", End.CLOSE),
    ],
)
def test_some_faults_come_before_any_head(fault, data, end):
    plan = steps(whole(), Script(fault=fault))

    assert data in sent(plan)
    assert b"HTTP/1.1" not in sent(plan)
    assert end is plan[-1]


@pytest.mark.parametrize(
    ("fault", "rest", "end"),
    [
        (Fault.RESET_MID_STREAM, b"", End.RESET),
        (Fault.STALL_MID_STREAM, b"", End.STALL),
        (Fault.EARLY_CLOSE, b"0\r\n\r\n", End.INCOMPLETE),
        (Fault.ERROR_MID_STREAM, b"9\r\ndata: E\n\n\r\n0\r\n\r\n", End.INCOMPLETE),
        (Fault.TRUNCATED_JSON, b"4\r\ndata\r\n0\r\n\r\n", End.INCOMPLETE),
    ],
)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_some_faults_come_after_so_many_events(fault, rest, end, after):
    plan = steps(stream(), Script(fault=fault, fault_after_chunks=after))
    events = b"".join(b"9\r\n%b\r\n" % frame.data for frame in FRAMES[:after])

    assert events + rest == sent(plan).partition(b"\r\n\r\n")[2]
    assert end is plan[-1]


@pytest.mark.parametrize("fault", [Fault.EARLY_CLOSE, Fault.RESET_MID_STREAM])
def test_a_fault_in_a_stream_always_comes_before_its_last_event(fault):
    plan = steps(stream(), Script(fault=fault, fault_after_chunks=99))

    assert b"data: 3" in sent(plan)
    assert b"data: 4" not in sent(plan)


@pytest.mark.parametrize(
    ("fault", "length", "body", "end"),
    [
        (Fault.RESET_MID_STREAM, b"10", b"01234", End.RESET),
        (Fault.STALL_MID_STREAM, b"10", b"01234", End.STALL),
        (Fault.EARLY_CLOSE, b"10", b"01234", End.CLOSE),
        (Fault.ERROR_MID_STREAM, b"10", b"01234", End.CLOSE),
        (Fault.TRUNCATED_JSON, b"5", b"01234", End.INCOMPLETE),
        (Fault.WRONG_CONTENT_LENGTH, b"4106", b"0123456789", End.CLOSE),
    ],
)
def test_the_same_faults_cut_a_body(fault, length, body, end):
    plan = steps(whole(), Script(fault=fault))
    head, _, given = sent(plan).partition(b"\r\n\r\n")

    assert (length, body, end) == (head.rpartition(b"content-length: ")[2], given, plan[-1])


def test_a_stream_with_a_wrong_content_length_is_not_chunked():
    plan = steps(stream(), Script(fault=Fault.WRONG_CONTENT_LENGTH))

    assert b"\r\ncontent-length: 1000000000\r\n\r\ndata: 1\n\n" in sent(plan)
    assert End.CLOSE is plan[-1]


@pytest.mark.parametrize("make", [whole, stream])
def test_a_slow_head_comes_byte_by_byte_and_the_answer_is_whole(make):
    slow, quick = steps(make(), Script(fault=Fault.SLOW_HEAD)), steps(make())
    head_bytes = sent(quick).index(b"\r\n\r\n") + 4

    assert sent(quick) == sent(slow)
    assert [1] * head_bytes == [len(step.data) for step in slow[: 2 * head_bytes : 2]]
    assert End.COMPLETE is slow[-1]


def test_keep_alive_can_be_refused():
    plan = steps(whole(), Script(fault=Fault.REFUSE_KEEPALIVE))

    assert b"\r\nconnection: close\r\n" in sent(plan)
    assert End.COMPLETE_CLOSE is plan[-1]


def test_an_error_answer_is_spared_the_fault():
    script = Script(fault=Fault.RESET_BEFORE_HEAD)

    assert b"0123456789" in sent(steps(whole(status=400, answered=False), script))
