"""Read the journals of this machine's workers while they are written.

A `Tail` follows one producer (one start of one worker) through its segments. Numbers without a gap
per shard are all it promises: a frame told twice is skipped, and behind a damaged or missing one
nothing more of its shard is told, for a hole must never be shipped over. It heals if the writer has
written the frame again, in a later segment; else it stays, and `damaged` says where.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from korad.adapters.journal_folder import is_live, segments_of
from korad.billing.frames import (
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    SEGMENT_HEADER_BYTES,
    CorruptFrameError,
    Frame,
    read_frame,
)
from korad.domain.event import Producer

READ_BYTES = 256 * 1024
READ_BYTES_FIRST = 32 * 1024
"""Read at first: a segment is as long as it will ever be, and mostly zeros."""
KEPT_BYTES_MAX = 1024 * 1024 * 1024
"""Of segments that the ledger has all of, per worker: an hour at 300 requests a second."""
_LENGTH_BYTES = 4
_NOTHING = (b"", bytes(_LENGTH_BYTES))
_PAYLOAD_BEGINS = b'{"specversion"'
_log = logging.getLogger("korad")


class Tail:
    """One producer's events, from where they were last read."""

    def __init__(self, folder: Path, producer: Producer) -> None:
        self.folder = folder
        self.producer = producer
        self.name = producer.name
        self.done = False
        """The producer has ended and all it wrote was read."""
        self._segment = 0
        self._path = folder
        """Of the segment."""
        self._read_bytes = READ_BYTES_FIRST
        self._descriptor = -1
        self._at = 0
        self._whole_to: dict[int, int] = {}
        """Per shard the last number up to which these files have no hole."""
        self._from_first = False
        """Whether no segment is missing: then every shard begins with 1."""
        self._holes: dict[int, str] = {}
        self._blocked: dict[int, str] = {}
        self._read_to: dict[int, int] = {}
        self._applied: dict[int, int] = {}
        self._behind = False
        self.is_in_step = True
        """Whether all that was read was taken, but for `waiting`."""
        self.waiting: list[Frame] = []
        """Read and not yet sent."""
        self._last_in: dict[Path, dict[int, int]] = {}
        """Per segment and shard the last number in it, as far as it was read."""

    def read(self, frames_max: int, *, looks_on: bool = True) -> list[Frame]:
        """Return the next frames, [] where there are none (yet).

        `looks_on` False saves the look whether the present segment is done with.
        """
        frames: list[Frame] = []
        while len(frames) < frames_max and not self.done:
            if self._descriptor < 0 and not self._open_next():
                break
            before = self._at
            self._read_segment(frames, frames_max)
            if self._at == before and not (looks_on and self._leave_segment()):
                break
        return frames

    def take_waiting(self) -> list[Frame]:
        """Return what was read and not yet sent; it is the caller's now."""
        waiting, self.waiting = self.waiting, []
        return waiting

    @property
    def damaged(self) -> str | None:
        """Why events of this producer are not told, or None."""
        return next(iter((self._holes | self._blocked).values()), None)

    def block(self, shard: int, why: str) -> None:
        """Tell no more of a shard until Redis' number of it is another."""
        self._blocked[shard] = why

    def compare(self, shard: int, taken: int) -> None:
        """Note the last number of a shard that Redis has taken; `fall_in_step` acts on it."""
        if shard in self._blocked and taken != self._applied.get(shard):
            del self._blocked[shard]
            self._behind = True
        self._applied[shard] = taken
        self._behind = self._behind or taken < self._read_to.get(shard, 0)

    def fall_in_step(self) -> None:
        """Go back to what Redis has not taken, if it was read before; skip what it has."""
        if self._behind or self.waiting or not self.is_in_step:
            self.close()
            self._go_back()
            self.waiting, self._at, self.done = [], 0, False
            self._holes.clear()
        self._read_to = dict(self._applied)
        self._behind, self.is_in_step = False, True

    def taken(self, shard: int) -> int:
        """Return the last number of a shard that Redis has taken."""
        return self._applied.get(shard, 0)

    def note_taken(self, shard: int, number: int) -> None:
        """Note a newer one."""
        self._applied[shard] = number

    def remove_shipped(self, booked: dict[int, int], before_s: float) -> int:
        """Delete segments that the ledger has all of and that are older; return how many.

        `booked` is the ledger's last number per shard. A segment that is written stays, and so does
        all of a producer whose journal is damaged.
        """
        removed = 0
        if self.damaged is not None:
            return removed
        paths = segments_of(self.folder, self.producer.epoch)
        # Beyond this much, age does not count: the ledger can rebuild what Redis might lose.
        over_bytes = sum(path.stat().st_size for path in paths) - KEPT_BYTES_MAX
        for path in paths if self.done else paths[:-1]:
            last_in = self._last_in.get(path)
            if last_in is None or (path == self._path and not self.done):
                break
            found = path.stat()
            if (found.st_mtime > before_s and over_bytes <= 0) or any(
                number > booked.get(shard, 0) for shard, number in last_in.items()
            ):
                break
            over_bytes -= found.st_size
            path.unlink()
            del self._last_in[path]
            removed += 1
        return removed

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this producer is left on the disk."""
        return self.done and not segments_of(self.folder, self.producer.epoch)

    def close(self) -> None:
        """Close the segment."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _go_back(self) -> None:
        """Go before the first segment with more than Redis has: an hour of them may be kept."""
        before, whole_to = 0, dict[int, int]()
        # Of a damaged journal a later segment may heal what an earlier one lacks.
        for path, last_in in self._last_in.items() if self.damaged is None else ():
            number = int(path.name[10:18])
            if number >= self._segment or any(
                last > self._applied.get(shard, 0) for shard, last in last_in.items()
            ):
                break
            before = number
            whole_to |= last_in
        self._segment, self._whole_to = before, whole_to

    def _open_next(self) -> bool:
        """Open the first segment after the present one."""
        for path in segments_of(self.folder, self.producer.epoch):
            number = int(path.name[10:18])
            if number > self._segment:
                self._descriptor = os.open(path, os.O_RDONLY)
                if number != self._segment + 1 or number == 1:
                    # What was before it is gone, or never was: what Redis has decides.
                    self._whole_to.clear()
                    self._from_first = number == 1
                self._segment, self._at = number, SEGMENT_HEADER_BYTES
                self._path = path
                self._last_in.setdefault(path, {})
                return True
        if self._segment == 0 and not is_live(self.folder, self.producer.epoch):
            self.done = True
        return False

    def _read_segment(self, frames: list[Frame], frames_max: int) -> None:
        data = os.pread(self._descriptor, self._read_bytes, self._at)
        # Usually nothing new is there, and the rest of the segment is zeros.
        if data[:_LENGTH_BYTES] in _NOTHING:
            return
        last_in, read_to, whole_to = self._last_in[self._path], self._read_to, self._whole_to
        is_sound = not self._holes and not self._blocked
        at = 0
        while len(frames) < frames_max:
            try:
                frame = read_frame(data, at)
            except CorruptFrameError:
                self._at += at
                # One that is being written, or was torn by a power cut, has nothing behind it.
                self._skip_damage(2 * PAYLOAD_BYTES_MAX + READ_BYTES)
                return
            if frame is None:
                break
            shard, number, at = frame.shard, frame.number, frame.end
            # As nearly always: the one after the last one that was told.
            if is_sound and number - 1 == whole_to.get(shard) == read_to.get(shard):
                whole_to[shard] = read_to[shard] = last_in[shard] = number
                frames.append(frame)
                continue
            last_in[shard] = max(number, last_in.get(shard, 0))
            if self._continues(frame) and number > read_to.get(shard, 0):
                read_to[shard] = number
                frames.append(frame)
            is_sound = not self._holes and not self._blocked
        self._at += at
        # More than that began here: it goes on with as much as there may be.
        is_cut = data[at : at + _LENGTH_BYTES] not in _NOTHING
        again = is_cut and at == 0 and self._read_bytes < READ_BYTES
        self._read_bytes = READ_BYTES if is_cut else READ_BYTES_FIRST
        if again:
            self._read_segment(frames, frames_max)

    def _continues(self, frame: Frame) -> bool:
        """Return whether no number is missing between the frames of its shard before and this."""
        shard, number = frame.shard, frame.number
        last = self._whole_to.get(shard, 0 if self._from_first else number - 1)
        if number > last + 1:
            if shard not in self._holes:
                self._holes[shard] = f"{self._path}: {number} follows {last} of shard {shard}"
                _log.error(
                    "the journal has a hole: %s; what follows is not billed", self._holes[shard]
                )
            return False
        if number == last + 1:
            self._holes.pop(shard, None)
        self._whole_to[shard] = max(number, last)
        return shard not in self._blocked

    def _skip_damage(self, window_bytes: int) -> bool:
        """Go to the next intact frame, if there is one behind what is none; return whether."""
        data = os.pread(self._descriptor, window_bytes, self._at)
        behind = next_intact_frame(data)
        if behind is None:
            return False
        # Looked at again: it may have been written while it was read, the later bytes first.
        again = os.pread(self._descriptor, HEADER_BYTES + PAYLOAD_BYTES_MAX, self._at)
        try:
            if read_frame(again, 0) is not None:
                return True
        except CorruptFrameError:
            pass
        _log.error("the journal is damaged: %s, %d bytes at %d", self._path, behind, self._at)
        self._at += behind
        return True

    def _leave_segment(self) -> bool:
        """Go on to the next segment if no more can come in this one; return whether to go on."""
        # In this order: it may take a new segment and then end, but not the other way round.
        live = is_live(self.folder, self.producer.epoch)
        later = any(
            int(path.name[10:18]) > self._segment
            for path in segments_of(self.folder, self.producer.epoch)
        )
        if live and not later:
            return False
        # Looked at again: it may have been written between the read and the look around.
        data = os.pread(self._descriptor, HEADER_BYTES + PAYLOAD_BYTES_MAX, self._at)
        try:
            if read_frame(data, 0) is not None:
                return True
        except CorruptFrameError:
            pass
        if self._skip_damage(os.fstat(self._descriptor).st_size - self._at):
            return True
        self.close()
        self.done = not later
        return later


def next_intact_frame(data: bytes) -> int | None:
    """Return where the next intact frame begins behind the first byte of `data`."""
    at = data.find(_PAYLOAD_BEGINS, HEADER_BYTES + 1)
    while at >= 0:
        try:
            if read_frame(data, at - HEADER_BYTES) is not None:
                return at - HEADER_BYTES
        except CorruptFrameError:
            pass
        at = data.find(_PAYLOAD_BEGINS, at + 1)
    return None
