"""What a worker has under way, in memory that outlives its kill.

Each exchange has a slot in a mapped file from before its upstream call until its event is in the
journal. The counters in it are moved before what they count is passed on; that costs no system
call, and the pages are the kernel's, so a killed process leaves them as they were.

    slot, 640 bytes
    0    u8   state: 0 free, 1 open
    1    u8   flags: 1 stream, 2 a hold was asked for, 4 the prompt was sent
    2    u16  length of the client's own request id
    4    u32  context: line of the contexts file
    8    u64  started, Unix milliseconds
    16   u64  completion tokens so far
    24   u64  prompt tokens counted, as sent; 0 before
    32   u64  prompt tokens counted, as they came
    40        request id, 36 bytes
    76        level, 8 bytes, filled up with NUL
    96        the client's own request id
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from struct import Struct

from korad.domain.value import value

SLOT_BYTES = 640
_HEAD = Struct("<BBHIQQQQ36s8s")
_HEAD_BYTES = 96
_COUNT, _COUNT_AT = Struct("<Q"), 16
_PROMPT, _PROMPT_AT = Struct("<QQ"), 24
_FLAGS_AT = 1
_FILE_HEADER = Struct("<8sIIQ")
_MAGIC = b"KORADI1\n"
FILE_HEADER_BYTES = 64

FLAG_STREAM = 1
FLAG_HOLD = 2
FLAG_SENT = 4

_pack_count, _pack_prompt, _pack_head = _COUNT.pack_into, _PROMPT.pack_into, _HEAD.pack_into


@value
class OpenSlot:
    """An exchange that was under way."""

    context: int
    request_id: str
    client_request_id: str | None
    level: str | None
    started_ms: int
    stream: bool
    hold: bool
    sent: bool
    tokens: int
    """Of the answer, as far as it was passed on."""
    prompt_tokens: int
    original_tokens: int


class NoFreeSlotError(Exception):
    """More exchanges are under way than there are slots."""


class Inflight:
    """The slots of one worker."""

    __slots__ = ("_free", "_map")

    def __init__(self, path: Path, *, slots: int, epoch: int) -> None:
        """Make the file anew: read what the former one left first (`read_open_slots`)."""
        size = FILE_HEADER_BYTES + slots * SLOT_BYTES
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            allocate(descriptor, size)
            os.pwrite(descriptor, _FILE_HEADER.pack(_MAGIC, slots, SLOT_BYTES, epoch), 0)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        draft.rename(path)
        self._free = list(range(size - SLOT_BYTES, FILE_HEADER_BYTES - 1, -SLOT_BYTES))

    def open(
        self,
        *,
        context: int,
        request_id: str,
        client_request_id: str | None,
        level: str | None,
        started_ms: int,
        flags: int,
    ) -> int:
        """Take a slot and return its place. Raises NoFreeSlotError."""
        free = self._free
        if not free:
            raise NoFreeSlotError
        at = free.pop()
        caller = b"" if client_request_id is None else client_request_id.encode()
        page = self._map
        if caller:
            start = at + _HEAD_BYTES
            page[start : start + len(caller)] = caller
        _pack_head(
            page, at, 0, flags, len(caller), context, started_ms, 0, 0, 0,
            request_id.encode(), b"" if level is None else level.encode(),
        )  # fmt: skip
        # Last: a slot is open only when all of it is there.
        page[at] = 1
        return at

    def counter(self, slot: int) -> Callable[[int], None]:
        """Return what notes how many tokens are about to have been passed on, in all.

        No Python function: it is called for every piece of a stream.
        """
        return partial(_pack_count, self._map, slot + _COUNT_AT)

    def note_prompt(self, slot: int, sent_tokens: int, original_tokens: int) -> None:
        """Note the counts of the prompt."""
        _pack_prompt(self._map, slot + _PROMPT_AT, sent_tokens, original_tokens)

    def note_sent(self, slot: int, *, sent: bool) -> None:
        """Note that the provider has (or has not) got the request."""
        flags = self._map[slot + _FLAGS_AT]
        self._map[slot + _FLAGS_AT] = flags | FLAG_SENT if sent else flags & ~FLAG_SENT

    def close(self, at: int) -> None:
        """Give a slot back: its event is written, or none is owed."""
        self._map[at] = 0
        self._free.append(at)

    def shut(self) -> None:
        """Let go of the file; open slots stay in it."""
        self._map.close()

    @property
    def in_use(self) -> int:
        """How many slots are open."""
        return (len(self._map) - FILE_HEADER_BYTES) // SLOT_BYTES - len(self._free)


def allocate(descriptor: int, size: int) -> None:
    """Give a file `size` bytes of disk, zeros, now. Raises OSError (ENOSPC) instead of later.

    A sparse file that is mapped would end the process with SIGBUS on a full disk.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    block = bytes(1 << 20)
    for at in range(0, size, len(block)):
        os.pwrite(descriptor, block[: size - at], at)


def read_open_slots(path: Path) -> tuple[int, list[OpenSlot]]:
    """Return the epoch of an in-flight file and what was under way in it; (0, []) without one.

    Raises ValueError for a file that is none.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0, []
    if len(data) < FILE_HEADER_BYTES:
        raise ValueError(f"{path} is no in-flight file")
    magic, slots, slot_bytes, epoch = _FILE_HEADER.unpack_from(data)
    if (
        magic != _MAGIC
        or slot_bytes != SLOT_BYTES
        or len(data) < FILE_HEADER_BYTES + slots * SLOT_BYTES
    ):
        raise ValueError(f"{path} is no in-flight file of this version")
    places = range(FILE_HEADER_BYTES, FILE_HEADER_BYTES + slots * SLOT_BYTES, SLOT_BYTES)
    return epoch, [_read_slot(data, at) for at in places if data[at] == 1]


def _read_slot(data: bytes, at: int) -> OpenSlot:
    (_, flags, length, context, started_ms, tokens, prompt, original, request_id, level) = (
        _HEAD.unpack_from(data, at)
    )
    caller = data[at + _HEAD_BYTES : at + _HEAD_BYTES + length].decode("ascii", "replace")
    return OpenSlot(
        context=context,
        request_id=request_id.decode("ascii", "replace"),
        client_request_id=caller or None,
        level=level.rstrip(b"\0").decode("ascii", "replace") or None,
        started_ms=started_ms,
        stream=bool(flags & FLAG_STREAM),
        hold=bool(flags & FLAG_HOLD),
        sent=bool(flags & FLAG_SENT),
        tokens=tokens,
        prompt_tokens=prompt,
        original_tokens=original,
    )
