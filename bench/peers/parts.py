"""Which of korad's processes its CPU time is of: workers, Redis, the bookkeeper."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.drills import processes
from bench.load.process_tree import ProcessTree
from bench.load.progress import Progress

KORAD = "korad"
WORKER, REDIS, BOOKKEEPER = "worker", "Redis", "bookkeeper"
"""The last ships the journals to Redis and books the events in the ledger."""
_GONE = (FileNotFoundError, ProcessLookupError)


class PartsWatch:
    """Sums up what each part spends in korad's own blocks, from what a run tells of itself."""

    def __init__(self, process_id: int, port: int) -> None:
        self._process_id = process_id
        self._port = port
        self._first: dict[int, dict[str, int]] = {}
        self._last: dict[int, dict[str, int]] = {}

    def see(self, progress: Progress) -> None:
        """Look at the processes, if it is korad that is being measured now."""
        if progress.target == KORAD and 0 <= progress.elapsed_s <= progress.seconds:
            now = parts_ns(self._process_id, self._port)
            self._first.setdefault(progress.block, now)
            self._last[progress.block] = now

    def shares(self) -> dict[str, float]:
        """Return each part's share of what was spent; {} if nothing was seen."""
        spent = {
            name: sum(last[name] - self._first[block][name] for block, last in self._last.items())
            for name in (WORKER, REDIS, BOOKKEEPER)
        }
        total = sum(spent.values())
        return {name: each / total for name, each in spent.items()} if total > 0 else {}


def parts_ns(process_id: int, port: int) -> dict[str, int]:
    """Return the scheduler's time so far by part."""
    spent = {WORKER: 0, REDIS: 0, BOOKKEEPER: 0}
    for each in ProcessTree(process_id).processes():
        spent[_part(each, port)] += _cpu_ns(each)
    return spent


def _part(process_id: int, port: int) -> str:
    words = processes.command_line(process_id)
    if "redis-server" in words or "valkey" in words:
        return REDIS
    return WORKER if processes.listens_on(process_id, port) else BOOKKEEPER


def _cpu_ns(process_id: int) -> int:
    total = 0
    with suppress(*_GONE):
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            with suppress(*_GONE):
                total += int((thread / "schedstat").read_text().split()[0])
    return total
