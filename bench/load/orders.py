"""What passes between the harness and its load processes: msgpack in frames with their length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

import msgspec

from bench.load.plan import Ask, Conversation, Slo, Target
from bench.load.tally import Beat, Tally

_LENGTH_BYTES = 4


class Planned(msgspec.Struct, array_like=True):
    """An `Ask` whose messages are named by their place in the plan's table."""

    message: int
    stream: bool
    level: str | None
    leave_after: float | None
    slow: bool


class Plan(msgspec.Struct, tag=True):
    """All conversations, sent once; each text once, however many requests have it."""

    messages: list[bytes]
    conversations: list[list[Planned]]


class Block(msgspec.Struct, tag=True, kw_only=True):
    """One block of one target, as far as one load process has to do with it."""

    target: Target
    starts: list[tuple[float, int]]
    """Open loop: seconds from the block's start, negative in the warm-up, and a conversation's
    number; rising."""
    first: int
    """Closed loop: the conversation to begin with."""
    step: int
    """Closed loop: from a conversation to the next; 0: open loop."""
    connections: int
    seconds: float
    warmup_s: float
    think_s: float
    max_tokens: int | None
    chunks: int
    """Expected of a stream."""
    slow_bytes_per_s: int
    slo: Slo


class Go(msgspec.Struct, tag=True):
    """Begin: the block's start (after its warm-up) on the monotonic clock."""

    start_ns: int


class Ready(msgspec.Struct, tag=True):
    """A load process has all it needs for the block."""


Order = Plan | Block | Go
Report = Ready | Beat | Tally

decode_order = msgspec.msgpack.Decoder(Order).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
_encode = msgspec.msgpack.Encoder().encode


def frame(message: Order | Report) -> bytes:
    """Return a message as it goes through a pipe."""
    content = _encode(message)
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


def read_order(pipe: IO[bytes]) -> Order | None:
    """Wait for the next order; None: the pipe was closed."""
    head = pipe.read(_LENGTH_BYTES)
    return decode_order(pipe.read(int.from_bytes(head, "big"))) if head else None


class Reports:
    """Takes what comes out of a load process' pipe, however it is cut."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Report]:
        """Return the reports that are complete with it."""
        held = self._held
        held += data
        found: list[Report] = []
        while len(held) >= _LENGTH_BYTES:
            stop = _LENGTH_BYTES + int.from_bytes(held[:_LENGTH_BYTES], "big")
            if len(held) < stop:
                break
            found.append(decode_report(held[_LENGTH_BYTES:stop]))
            del held[:stop]
        return found


def pack_plan(conversations: Sequence[Conversation]) -> Plan:
    """Return the plan in its form for the pipe."""
    places: dict[bytes, int] = {}
    packed = [
        [
            Planned(
                places.setdefault(ask.messages, len(places)),
                ask.stream,
                ask.level,
                ask.leave_after,
                ask.slow,
            )
            for ask in conversation
        ]
        for conversation in conversations
    ]
    return Plan(list(places), packed)


def unpack_plan(plan: Plan) -> list[Conversation]:
    """Return the conversations; requests of the same text share it."""
    return [
        tuple(
            Ask(
                at_s=0.0,
                messages=plan.messages[planned.message],
                stream=planned.stream,
                level=planned.level,
                leave_after=planned.leave_after,
                slow=planned.slow,
            )
            for planned in conversation
        )
        for conversation in plan.conversations
    ]
