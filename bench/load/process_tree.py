"""CPU time, memory and descriptors of a process and all that descend from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_GONE = (FileNotFoundError, ProcessLookupError)


class Thread(NamedTuple):
    """A thread, told from a later one that was given the same number."""

    process_id: int
    thread_id: int
    started: int
    """In ticks since the machine's start."""


class ProcessTree:
    """A root process and its descendants, looked at again and again.

    A process or thread that has ended keeps the CPU time it was last seen with, so look often
    where they come and go. One whose parent has ended is kept too, once it was seen.
    Raises `ProcessLookupError` if the root is not there at first.
    """

    def __init__(self, root: int) -> None:
        if not (_PROC / str(root)).exists():
            raise ProcessLookupError(f"there is no process {root}")
        self._known: dict[int, int] = {root: _started(root)}
        self._cpu_ns: dict[Thread, int] = {}

    def cpu_ns(self) -> int:
        """Return the scheduler's time of all threads so far, those that have ended included."""
        for process_id in self.processes():
            for folder in _entries(_PROC / str(process_id) / "task"):
                try:
                    spent_ns = int((folder / "schedstat").read_text().split()[0])
                    started = _started_of(folder / "stat")
                except _GONE:
                    continue
                self._cpu_ns[Thread(process_id, int(folder.name), started)] = spent_ns
        return sum(self._cpu_ns.values())

    def pss_bytes(self) -> int:
        """Return their memory, shared pages counted by their share."""
        return sum(_pss_bytes(process_id) for process_id in self.processes())

    def descriptors(self) -> int:
        """Return how many descriptors they have open."""
        return sum(len(list(_entries(_PROC / str(each) / "fd"))) for each in self.processes())

    def processes(self) -> list[int]:
        """Return the living processes of the tree."""
        living: list[int] = []
        waiting = list(self._known)
        seen = set(waiting)
        while waiting:
            process_id = waiting.pop()
            started = _started(process_id)
            if started < 0 or self._known.setdefault(process_id, started) != started:
                self._known.pop(process_id, None)
                continue
            living.append(process_id)
            for child in _children(process_id):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
        return living


def _children(process_id: int) -> Iterator[int]:
    for folder in _entries(_PROC / str(process_id) / "task"):
        try:
            yield from map(int, (folder / "children").read_text().split())
        except _GONE:
            continue


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except _GONE:
        return


def _started(process_id: int) -> int:
    """Return when a process was started; -1 if it is gone."""
    try:
        return _started_of(_PROC / str(process_id) / "stat")
    except _GONE:
        return -1


def _started_of(stat: Path) -> int:
    return int(stat.read_text().rpartition(")")[2].split()[19])


def _pss_bytes(process_id: int) -> int:
    try:
        for line in (_PROC / str(process_id) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except _GONE:
        pass
    return 0
