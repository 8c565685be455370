"""A worker's journal: billing events on the disk before an answer's last byte leaves.

Appending is one `pwrite` into a segment whose disk space is already allocated. A thread does
all that may wait: fdatasync (group commit), and allocating the segment in reserve. The frames'
layout is in `korad.billing.frames`; `korad.adapters.journal_reader` reads them, in another process.

A segment once begun is never written over. Without disk space for one in reserve the journal is
`full`: no new exchange may begin, and those under way have the rest of the present segment, nearly
all of it, to end in.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from korad.adapters.inflight import allocate
from korad.billing.frames import SEGMENT_HEADER_BYTES, segment_header
from korad.domain.event import Producer

SYNC_PAUSE_S = 0.01
"""Group commit: what was written in this time is synced at once. The window of a power cut."""
RESERVE_RETRY_S = 1.0
RESERVE_FILE = "reserve"

_log = logging.getLogger("korad")


class Journal:
    """The open journal of one worker; `append` is the event loop's, the rest the thread's."""

    def __init__(
        self, folder: Path, producer: Producer, *, segment_bytes: int, syncs: bool = True
    ) -> None:
        """Begin a segment; `syncs` False leaves it to the kernel when it comes to the disk."""
        self.folder = folder
        self.producer = producer
        self._segment_bytes = segment_bytes
        self._syncs = syncs
        self._segment = 0
        self._descriptor = -1
        self._at = 0
        self._reserve = -1
        self._retired: list[int] = []
        """Descriptors of segments that are full, to be synced and closed."""
        self._unsynced: list[bytes] = []
        self._stuck: deque[bytes] = deque()
        """Frames that no segment had room for."""
        self._waiting: list[Callable[[], None]] = []
        self._wake = threading.Event()
        self._asleep = False
        self._stopping = False
        self._no_space = False
        self._retry_at = 0.0
        """When disk space is asked for again."""
        self._lock = threading.Lock()
        self.sync_failures = 0
        self._make_reserve()
        self._rotate()
        self._make_reserve()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether no new exchange may begin: there is no disk space for its event."""
        return self._no_space

    @property
    def bytes_written(self) -> int:
        """Bytes of segments in use so far by this start."""
        return (self._segment - 1) * self._segment_bytes + self._at

    def append(self, frames: Sequence[bytes]) -> bool:
        """Write events; return False where they wait in memory for disk space (`full` is true)."""
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        with self._lock:
            if self._stuck or self._at + len(data) > self._segment_bytes:
                self._stuck.extend(frames)
                self._flush_stuck()
            else:
                self._write(data)
            written = not self._stuck
        if self._asleep:
            self._wake.set()
        return written

    def when_synced(self, then: Callable[[], None]) -> None:
        """Call `then`, in the journal's thread, once all that was appended is on the disk."""
        with self._lock:
            self._waiting.append(then)
        self._wake.set()

    def close(self) -> None:
        """Sync what is written and end the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=10)
        with self._lock:
            self._flush_stuck()
        if self._stuck:
            _log.critical("%d events could not be written: no disk space", len(self._stuck))
        if self._descriptor >= 0:
            # Nothing more will come: the rest of its disk space is free again.
            os.ftruncate(self._descriptor, self._at)
            os.close(self._descriptor)
        if self._reserve >= 0:
            os.close(self._reserve)
            (self.folder / RESERVE_FILE).unlink(missing_ok=True)

    # ── writing ──────────────────────────────────────────────────────────────────────────────

    def _write(self, data: bytes) -> None:
        try:
            os.pwrite(self._descriptor, data, self._at)
        except OSError as error:
            _log.error("the journal cannot be written (%s); taking a new segment", error.strerror)
            self._stuck.append(data)
            self._at = self._segment_bytes
            self._flush_stuck()
            return
        self._at += len(data)
        self._unsynced.append(data)

    def _flush_stuck(self) -> None:
        """Write what waits, in order, into the present segment and as many more as it takes."""
        while self._stuck:
            data = self._stuck[0]
            if self._at + len(data) > self._segment_bytes and not self._rotate():
                return
            try:
                os.pwrite(self._descriptor, data, self._at)
            except OSError:
                _log.exception("the journal's new segment cannot be written")
                self._no_space = True
                return
            self._at += len(data)
            self._unsynced.append(self._stuck.popleft())

    def _rotate(self) -> bool:
        """Make the reserve the segment in use; return False where there is none to be had."""
        # Usually the thread has put one there; a burst may be faster.
        if self._reserve < 0 and not self._refill():
            return False
        segment = self._segment + 1
        name = f"e{self.producer.epoch:08d}-{segment:08d}.journal"
        try:
            os.pwrite(self._reserve, segment_header(self.producer, segment), 0)
            (self.folder / RESERVE_FILE).rename(self.folder / name)
        except OSError as error:
            _log.error("the journal cannot take a new segment: %s", error.strerror)
            self._no_space = True
            os.close(self._reserve)
            self._reserve = -1
            return False
        if self._descriptor >= 0:
            self._retired.append(self._descriptor)
        self._segment = segment
        self._descriptor, self._reserve = self._reserve, -1
        self._at = SEGMENT_HEADER_BYTES
        self._wake.set()
        return True

    def _make_reserve(self) -> None:
        """Allocate the next segment. Raises OSError: no space."""
        self._install(self._allocated())

    def _allocated(self) -> tuple[int, Path]:
        """Allocate a segment under a name of its own; needs no lock. Raises OSError."""
        path = self.folder / f"{RESERVE_FILE}.{threading.get_ident()}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            allocate(descriptor, self._segment_bytes)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return descriptor, path

    def _install(self, made: tuple[int, Path]) -> None:
        """Put an allocated segment in reserve, under the lock. Raises OSError."""
        descriptor, path = made
        if self._reserve >= 0:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return
        path.rename(self.folder / RESERVE_FILE)
        self._reserve = descriptor

    # ── the thread ───────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception:  # noqa: BLE001 - logged; see below
                # Without this thread nothing is synced and no space is made: it must go on.
                _log.exception("the journal's thread met an error")
                self._wake.wait(RESERVE_RETRY_S)
        self._sync()

    def _turn(self) -> None:
        if self._reserve < 0:
            if time.monotonic() >= self._retry_at and not self._refill_beside():
                self._retry_at = time.monotonic() + RESERVE_RETRY_S
        elif not self._unsynced and not self._waiting and not self._retired:
            self._asleep = True
            self._wake.wait(RESERVE_RETRY_S)
            self._asleep = False
            self._wake.clear()
        self._sync()
        if not self._waiting:
            time.sleep(SYNC_PAUSE_S)

    def _refill_beside(self) -> bool:
        """Put a segment in reserve while the loop writes on; return whether there was space."""
        try:
            made = self._allocated()
            with self._lock:
                self._install(made)
                self._no_space = False
                self._flush_stuck()
        except OSError as error:
            _log.error("no disk space for the journal: %s", error.strerror)
            self._no_space = True
            return False
        return True

    def _refill(self) -> bool:
        """Put a segment in reserve, under the lock; return whether there was disk space for it."""
        try:
            self._make_reserve()
        except OSError as error:
            _log.error("no disk space for the journal: %s", error.strerror)
            self._no_space = True
            return False
        self._no_space = False
        return True

    def _sync(self) -> None:
        """Bring to the disk what is written, then tell those who wait for it."""
        with self._lock:
            waiting = [] if self._stuck else self._waiting[:]
            frames = len(self._unsynced)
            retired = self._retired[:]
            descriptor = self._descriptor
        try:
            for each in retired if self._syncs else ():
                os.fdatasync(each)
            if frames and self._syncs:
                os.fdatasync(descriptor)
        except OSError as error:
            self._sync_failed(error)
            return
        with self._lock:
            del self._retired[: len(retired)]
            del self._unsynced[:frames]
            del self._waiting[: len(waiting)]
        for each in retired:
            os.close(each)
        for then in waiting:
            then()

    def _sync_failed(self, error: OSError) -> None:
        """Write everything not known to be on the disk again, into another segment.

        After a failed fsync the kernel may have dropped the pages and will not say so again: the
        same descriptor must not be trusted with a second try.
        """
        self.sync_failures += 1
        _log.error("the journal cannot be synced (%s); writing it anew", error.strerror)
        with self._lock:
            lost, self._unsynced = self._unsynced, []
            self._stuck.extendleft(reversed(lost))
            self._at = self._segment_bytes  # that segment is done with
            self._flush_stuck()
            retired, self._retired = self._retired, []
        for descriptor in retired:
            os.close(descriptor)
        time.sleep(SYNC_PAUSE_S)
