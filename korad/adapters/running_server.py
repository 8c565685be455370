"""Where the running server of a state folder listens, for whoever works beside it.

The file is locked as long as a process of that server lives, however it ends: what an earlier one
left in it is not believed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path

import msgspec

from korad.domain.value import Fact

LISTENING_FILE = "listening.json"
_log = logging.getLogger("korad")


class Listening(Fact, frozen=True):
    """A server's address."""

    host: str
    port: int


@contextmanager
def announced(state_dir: Path, host: str, port: int) -> Iterator[None]:
    """Tell where this server listens, within; processes that are forked within hold it up too.

    Another server of the same folder that has told its own stays told. A disk that takes nothing
    is logged, and ends no server.
    """
    descriptor = _announce(state_dir, host, port)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _announce(state_dir: Path, host: str, port: int) -> int | None:
    descriptor = None
    try:
        descriptor = os.open(state_dir / LISTENING_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        flock(descriptor, LOCK_EX | LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(Listening(host=host, port=port)), 0)
    except OSError as error:
        if not isinstance(error, BlockingIOError):
            _log.warning("%s cannot be written: %s", state_dir / LISTENING_FILE, error.strerror)
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


def find_listening(state_dir: Path) -> Listening | None:
    """Return where the server of this folder listens; None where none runs, or none has told."""
    try:
        descriptor = os.open(state_dir / LISTENING_FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        flock(descriptor, LOCK_SH | LOCK_NB)
    except BlockingIOError:
        try:
            return msgspec.json.decode(os.pread(descriptor, 4_096, 0), type=Listening)
        except msgspec.DecodeError:  # it is being written
            return None
    finally:
        os.close(descriptor)
    return None
