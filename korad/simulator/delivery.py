"""How a reply goes out: a plan of steps, with the scripted fault worked into it.

Everything here is pure: `deliver` yields what is to be done, `korad.simulator.connection` does
it. A Wait is also where the event loop gets its turn, so every Send between two Waits is one
write of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from enum import Enum
from itertools import islice
from typing import NamedTuple

from korad.domain.value import value
from korad.simulator.reply import Frame, Reply
from korad.simulator.script import Fault, Script

GARBAGE = b"\x16\x03\x01\x00\x05this is not HTTP\r\n\x00\xff\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
SLOW_BYTE_S = 0.0005
"""Between two bytes of a slow head, unless the script has a slower token interval."""
EXCESS_BYTES = 4096
"""By how much the wrong Content-Length of a body is wrong."""
ENDLESS_BYTES = 1_000_000_000
"""The wrong Content-Length of a stream."""
ODD_BYTES_MAX = 13
"""Longest piece of an oddly cut stream."""


class Send(NamedTuple):
    """Write `data`; then so many tokens of the answer are out."""

    data: bytes
    tokens: int = 0
    usage: bool = False


class Wait(NamedTuple):
    """Go on after that many seconds; 0 is the event loop's next turn."""

    seconds: float


class End(Enum):
    """What becomes of the connection; the last step of every delivery."""

    COMPLETE = "complete"
    """The whole answer is out; the connection stays."""
    COMPLETE_CLOSE = "complete_close"
    INCOMPLETE = "incomplete"
    """Less than an answer is out, and the connection stays."""
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"
    """Nothing more, until the client gives up."""


Step = Send | Wait | End

_REASONS = {200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 404: b"Not Found"}
_NEXT_TURN = Wait(0.0)


@value
class _Job:
    reply: Reply
    script: Script
    chance: random.Random | None


def deliver(reply: Reply, script: Script, chance: random.Random | None) -> Iterator[Step]:
    """Return the steps that send `reply`, its pace and its fault as scripted.

    With `chance` a stream is cut at odd places.
    """
    if script.latency_s:
        yield Wait(script.latency_s)
    job = _Job(reply=reply, script=script, chance=chance)
    fault = script.fault if reply.answered else None
    if fault in _BEFORE_HEAD:
        data, end = _BEFORE_HEAD[fault]
        yield Send(data)
        yield end
    elif fault in _AFTER_HEAD:
        yield from _AFTER_HEAD[fault](job)
    else:
        yield from _whole(job)


def head(reply: Reply, framing: bytes) -> bytes:
    """Return the status line and headers, with `framing` as the last header lines."""
    reason = _REASONS.get(reply.status, b"Simulated")
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (reply.status, reason, reply.headers, framing)


def _whole(job: _Job, connection: bytes = b"") -> Iterator[Step]:
    reply = job.reply
    if reply.frames is None:
        framing = b"content-length: %d\r\n%b" % (len(reply.body), connection)
        yield Send(head(reply, framing) + reply.body, reply.tokens, reply.usage)
    else:
        yield from _opening(job, connection)
        yield from _paced(job, reply.frames)
        yield Send(LAST_CHUNK)
    if not reply.answered:
        yield End.INCOMPLETE
    else:
        yield End.COMPLETE_CLOSE if connection else End.COMPLETE


def _opening(job: _Job, connection: bytes = b"") -> Iterator[Step]:
    yield Send(head(job.reply, b"transfer-encoding: chunked\r\n" + connection))
    yield Wait(job.script.first_token_s)


def _paced(job: _Job, frames: Iterator[Frame], *, chunked: bool = True) -> Iterator[Step]:
    script = job.script
    wait = Wait(script.token_interval_s) if script.token_interval_s else _NEXT_TURN
    ping, first = job.reply.opening_ping, True
    for frame in frames:
        if first:
            first = False
        else:
            yield wait
        if ping:
            yield from _written(job, ping, chunked=chunked)
            yield _NEXT_TURN
        ping = job.reply.ping
        yield from _written(job, frame.data, frame, chunked=chunked)


def _written(
    job: _Job, data: bytes, frame: Frame | None = None, *, chunked: bool
) -> Iterator[Step]:
    if job.script.crlf:
        # JSON holds no raw line feed: every one of them ends a line.
        data = data.replace(b"\n", b"\r\n")
    if job.chance is not None:
        *early, data = _odd_pieces(data, job.chance)
        for piece in early:
            yield Send(_chunk(piece) if chunked else piece)
            yield _NEXT_TURN
    tokens, usage = (0, False) if frame is None else (frame.sent_tokens, frame.usage)
    yield Send(_chunk(data) if chunked else data, tokens, usage)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _odd_pieces(data: bytes, chance: random.Random) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + chance.randint(1, ODD_BYTES_MAX)
        yield data[start:end]
        start = end


def _cut(job: _Job) -> Iterator[Step]:
    """Send the beginning of the answer: some events, or the head and half the body."""
    reply = job.reply
    if reply.frames is None:
        framing = b"content-length: %d\r\n" % len(reply.body)
        yield Send(head(reply, framing) + reply.body[: len(reply.body) // 2], reply.tokens)
    else:
        yield from _opening(job)
        yield from _paced(job, _all_but_last(reply.frames, job.script.fault_after_chunks))
    yield Wait(job.script.token_interval_s)


def _all_but_last(frames: Iterator[Frame], count: int) -> Iterator[Frame]:
    """Yield the first `count` frames, but never the last of all: that would end the answer."""
    held: Frame | None = None
    for frame in islice(frames, count + 1):
        if held is not None:
            yield held
        held = frame


def _reset_mid_stream(job: _Job) -> Iterator[Step]:
    yield from _cut(job)
    yield End.RESET


def _stall_mid_stream(job: _Job) -> Iterator[Step]:
    yield from _cut(job)
    yield End.STALL


def _early_close(job: _Job) -> Iterator[Step]:
    yield from _cut(job)
    if job.reply.frames is None:
        yield End.CLOSE
    else:
        yield Send(LAST_CHUNK)
        yield End.INCOMPLETE


def _error_mid_stream(job: _Job) -> Iterator[Step]:
    yield from _cut(job)
    if job.reply.frames is None:
        # A body has no place for an error: the provider can only give up on it.
        yield End.CLOSE
    else:
        yield Send(_chunk(job.reply.error_frame) + LAST_CHUNK)
        yield End.INCOMPLETE


def _truncated_json(job: _Job) -> Iterator[Step]:
    reply = job.reply
    if reply.frames is None:
        half = reply.body[: len(reply.body) // 2]
        yield Send(head(reply, b"content-length: %d\r\n" % len(half)) + half, reply.tokens)
    else:
        *sent, broken = _all_but_last(reply.frames, job.script.fault_after_chunks + 1)
        yield from _opening(job)
        yield from _paced(job, iter(sent))
        yield Send(_chunk(broken.data[: len(broken.data) // 2]) + LAST_CHUNK, broken.sent_tokens)
    yield End.INCOMPLETE


def _wrong_content_length(job: _Job) -> Iterator[Step]:
    reply = job.reply
    if reply.frames is None:
        framing = b"content-length: %d\r\n" % (len(reply.body) + EXCESS_BYTES)
        yield Send(head(reply, framing) + reply.body, reply.tokens, reply.usage)
    else:
        yield Send(head(reply, b"content-length: %d\r\n" % ENDLESS_BYTES))
        yield Wait(job.script.first_token_s)
        yield from _paced(job, reply.frames, chunked=False)
    yield End.CLOSE


def _slow_head(job: _Job) -> Iterator[Step]:
    steps = _whole(job)
    first = next(steps)
    assert isinstance(first, Send)
    body_start = first.data.index(b"\r\n\r\n") + 4
    pause = Wait(max(SLOW_BYTE_S, job.script.token_interval_s))
    for position in range(body_start):
        yield Send(first.data[position : position + 1])
        yield pause
    yield Send(first.data[body_start:], first.tokens, first.usage)
    yield from steps


def _refuse_keepalive(job: _Job) -> Iterator[Step]:
    return _whole(job, b"connection: close\r\n")


_BEFORE_HEAD = {
    Fault.RESET_BEFORE_HEAD: (b"", End.RESET),
    Fault.STALL_BEFORE_HEAD: (b"", End.STALL),
    Fault.CLOSE_WITHOUT_ANSWER: (b"", End.CLOSE),
    Fault.GARBAGE: (GARBAGE, End.CLOSE),
}

_AFTER_HEAD: dict[Fault, Callable[[_Job], Iterator[Step]]] = {
    Fault.RESET_MID_STREAM: _reset_mid_stream,
    Fault.STALL_MID_STREAM: _stall_mid_stream,
    Fault.TRUNCATED_JSON: _truncated_json,
    Fault.WRONG_CONTENT_LENGTH: _wrong_content_length,
    Fault.EARLY_CLOSE: _early_close,
    Fault.ERROR_MID_STREAM: _error_mid_stream,
    Fault.SLOW_HEAD: _slow_head,
    Fault.REFUSE_KEEPALIVE: _refuse_keepalive,
}
# The other faults change the reply itself (`service`) or the connection.
