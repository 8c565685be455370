"""Open a worker's books, its own or those of one that has no successor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from korad.adapters.books import Books, CallSoon
from korad.adapters.inflight import read_open_slots
from korad.adapters.journal_folder import INFLIGHT_FILE, JournalInUseError, lock_folder

WORKERS_MAX = 256
SPARE_SLOTS = 64


def open_books(  # noqa: PLR0913 - the parts of the books
    journal_dir: Path,
    machine: str,
    *,
    slots: int,
    shards: int,
    segment_bytes: int,
    durability: str,
    call_soon: CallSoon,
    from_thread: CallSoon,
) -> Books:
    """Open the books of the first worker folder that nobody holds; tell what was left in it.

    Raises JournalInUseError when all are held, OSError when there is no disk space.
    """
    for worker in range(WORKERS_MAX):
        folder = journal_dir / f"w{worker:02d}"
        try:
            lock = lock_folder(folder)
        except JournalInUseError:
            continue
        return Books(
            folder,
            lock=lock,
            machine=machine,
            worker=worker,
            slots=slots + SPARE_SLOTS,
            shards=shards,
            segment_bytes=segment_bytes,
            durability=durability,
            call_soon=call_soon,
            from_thread=from_thread,
        )
    raise JournalInUseError(f"all {WORKERS_MAX} journals in {journal_dir} are in use")


def adopt_orphans(journal_dir: Path, machine: str, *, shards: int, segment_bytes: int) -> int:
    """Tell what workers left that have no successor; return how many exchanges that were."""
    told = 0
    for folder in sorted(journal_dir.glob("w[0-9]*")):
        if not read_open_slots(folder / INFLIGHT_FILE)[1]:
            continue
        try:
            lock = lock_folder(folder)
        except JournalInUseError:
            continue
        books = Books(
            folder,
            lock=lock,
            machine=machine,
            worker=int(folder.name[1:]),
            slots=1,
            shards=shards,
            segment_bytes=segment_bytes,
            durability="machine",
            call_soon=_never,
            from_thread=_never,
        )
        told += books.recovered
        books.shut()
    return told


def _never(_: Callable[[], None]) -> None:
    raise AssertionError("nothing ends in books that are only recovered")
