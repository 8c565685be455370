"""What the kernel tells about processes: children, memory, descriptors, who listens on a port."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_TCP_LISTEN = "0A"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def children(parent: int) -> list[int]:
    """Return the process ids of the living children of `parent`."""
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        fields = _stat(int(entry.name))
        if fields and int(fields[1]) == parent and fields[0] not in "ZX":
            found.append(int(entry.name))
    return sorted(found)


def is_alive(process_id: int) -> bool:
    """Whether the process runs; a zombie does not."""
    fields = _stat(process_id)
    return bool(fields) and fields[0] not in "ZX"


def in_session(session: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def listens_on(process_id: int, port: int) -> bool:
    """Whether the process holds a socket that listens on this TCP port."""
    inodes = {inode for near, _, state, inode in _tcp() if state == _TCP_LISTEN and near == port}
    return bool(inodes & set(_descriptors(process_id)))


def sockets_to(process_id: int, port: int) -> int:
    """Return how many connections the process has to this TCP port."""
    inodes = {inode for _, far, _, inode in _tcp() if far == port}
    return len(inodes & set(_descriptors(process_id)))


def descriptor_count(process_id: int) -> int:
    """Return how many descriptors the process has open; 0 for one that is gone."""
    return len(_descriptors(process_id))


def rss_bytes(process_id: int) -> int:
    """Return the memory the process has resident; 0 for one that is gone."""
    try:
        return int((_PROC / str(process_id) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def command_line(process_id: int) -> str:
    """Return the words the process was started with."""
    try:
        return (_PROC / str(process_id) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def send(process_id: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone already."""
    with suppress(ProcessLookupError):
        os.kill(process_id, number)


def wait_gone(process_ids: list[int], timeout_s: float = 10.0) -> bool:
    """Wait until none of them runs any more; return whether that came true."""
    deadline = time.monotonic() + timeout_s
    while any(is_alive(process_id) for process_id in process_ids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _tcp() -> Iterator[tuple[int, int, str, str]]:
    """Yield each TCP socket's port, the far port, its state, and what its descriptor links to."""
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                _, near, far, state, *_, inode = line.split()[:10]
                yield _port(near), _port(far), state, f"socket:[{inode}]"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _descriptors(process_id: int) -> list[str]:
    targets = []
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for entry in (_PROC / str(process_id) / "fd").iterdir():
            with suppress(OSError):
                targets.append(str(entry.readlink()))
    return targets


def _stat(process_id: int) -> list[str]:
    try:
        text = (_PROC / str(process_id) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The name in parentheses may hold blanks: state, parent, group, session follow it.
    return text.rpartition(")")[2].split()
