"""A worker's folder of the journals: who may write there, and the number of this start."""

from __future__ import annotations

import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path

from korad.adapters.private_folder import make_private_folder

LOCK_FILE = "lock"
EPOCH_FILE = "epoch"
INFLIGHT_FILE = "inflight"
CONTEXTS_FILE = "contexts"


class JournalInUseError(Exception):
    """Another process writes this journal."""


def lock_folder(folder: Path) -> int:
    """Return a descriptor that holds the folder's lock. Raises JournalInUseError."""
    make_private_folder(folder)
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise JournalInUseError(str(folder)) from None
    return descriptor


def next_epoch(folder: Path) -> int:
    """Return the number of this start, on the disk before it is used. Call it under the lock."""
    path = folder / EPOCH_FILE
    known = [int(each.name[1:9]) for each in folder.glob("e*-*.journal")]
    epoch = 1 + max([int(path.read_text())] if path.exists() else [0], default=0)
    epoch = max([epoch, *(former + 1 for former in known)])
    draft = path.with_suffix(".draft")
    with draft.open("w") as file:
        file.write(f"{epoch}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    return epoch


def segments_of(folder: Path, epoch: int) -> list[Path]:
    """Return the segments of one start of a worker, in order."""
    return sorted(folder.glob(f"e{epoch:08d}-*.journal"))


def is_live(folder: Path, epoch: int) -> bool:
    """Return whether the worker that this start was of still runs."""
    try:
        newest = int((folder / EPOCH_FILE).read_text())
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR)
    except (OSError, ValueError):
        return False
    try:
        flock(descriptor, LOCK_SH | LOCK_NB)
        flock(descriptor, LOCK_UN)
    except OSError:
        return epoch == newest
    else:
        return False
    finally:
        os.close(descriptor)
