"""The journal's frames: a header with length and checksum, then one event as JSON.

    0   u32  length of the payload
    4   u32  CRC-32 of all that follows it
    8   u64  number of the event within (producer, shard)
    16  u16  shard
    18  u16  kind
    20       payload

A file of frames, a segment, is named `e<epoch:08d>-<segment:08d>.journal`. It begins with
`segment_header` (64 bytes) and is filled up with zeros: a length of 0 is the end. All numbers are
little-endian.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from korad.domain.event import Producer
from korad.domain.value import Fact

HEADER = Struct("<IIQHH")
HEADER_BYTES = HEADER.size
_CHECKED_FROM = 8
_CHECKED = Struct("<QHH")
PAYLOAD_BYTES_MAX = 64 * 1024

SEGMENT_HEADER_BYTES = 64
_SEGMENT = Struct("<8s13sHII29xI")
_MAGIC = b"KORADJ1\n"

KIND_EVENT = 1
KIND_EVENT_WITH_HOLD = 2
"""The event ends a hold on a budget, whose id is its request's."""


class Frame(Fact, frozen=True):
    """One event of a journal."""

    number: int
    shard: int
    kind: int
    payload: bytes
    end: int
    """Offset behind it."""


class CorruptFrameError(ValueError):
    """Bytes that are neither a frame nor the end of the frames."""


def segment_header(producer: Producer, segment: int) -> bytes:
    """Return the first bytes of a segment, a checksum of the rest at their end."""
    head = _SEGMENT.pack(
        _MAGIC, producer.machine.encode(), producer.worker, producer.epoch, segment, 0
    )
    return head[:-4] + crc32(head[:-4]).to_bytes(4, "little")


def read_segment_header(data: bytes) -> tuple[Producer, int]:
    """Return whose segment this is and its number, from 1. Raises CorruptFrameError."""
    if len(data) < SEGMENT_HEADER_BYTES:
        raise CorruptFrameError("a segment without a header")
    magic, machine, worker, epoch, segment, checksum = _SEGMENT.unpack_from(data)
    if magic != _MAGIC or crc32(data[: SEGMENT_HEADER_BYTES - 4]) != checksum:
        raise CorruptFrameError("a segment whose header is broken")
    return Producer(machine=machine.decode(), worker=worker, epoch=epoch), segment


def encode_frame(number: int, shard: int, kind: int, payload: bytes) -> bytes:
    """Return the bytes of one frame. Raises ValueError for a payload too long to be read."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a payload of {len(payload)} bytes is too long")
    checked = _CHECKED.pack(number, shard, kind)
    return HEADER.pack(len(payload), crc32(payload, crc32(checked)), number, shard, kind) + payload


def read_frame(data: bytes | memoryview, at: int) -> Frame | None:
    """Return the frame at offset `at`, or None where no complete frame begins.

    Raises CorruptFrameError where one stands whose checksum is wrong.
    """
    if len(data) - at < HEADER_BYTES:
        return None
    length, checksum, number, shard, kind = HEADER.unpack_from(data, at)
    if length == 0:
        return None
    end = at + HEADER_BYTES + length
    if length > PAYLOAD_BYTES_MAX:
        raise CorruptFrameError(f"a frame at {at} claims {length} bytes")
    if end > len(data):
        return None
    if crc32(data[at + _CHECKED_FROM : end]) != checksum:
        raise CorruptFrameError(f"the frame at {at} has a wrong checksum")
    return Frame(number, shard, kind, bytes(data[at + HEADER_BYTES : end]), end)
