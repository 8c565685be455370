"""Which of korad's processes its CPU time is of: workers, Redis, the ledger's consumer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from bench.drills import processes
from bench.load.process_tree import ProcessTree

WORKER, REDIS, LEDGER = "worker", "Redis", "ledger"
_GONE = (FileNotFoundError, ProcessLookupError)


def parts_ns(process_id: int, port: int) -> dict[str, int]:
    """Return the scheduler's time so far by part."""
    spent = {WORKER: 0, REDIS: 0, LEDGER: 0}
    for each in ProcessTree(process_id).processes():
        spent[_part(each, port)] += _cpu_ns(each)
    return spent


def shares(before: dict[str, int], after: dict[str, int]) -> dict[str, float]:
    """Return each part's share of what was spent in between; {} if nothing was."""
    spent = {name: after[name] - before[name] for name in after}
    total = sum(spent.values())
    return {name: each / total for name, each in spent.items()} if total > 0 else {}


def _part(process_id: int, port: int) -> str:
    words = processes.command_line(process_id)
    if "redis-server" in words or "valkey" in words:
        return REDIS
    return WORKER if processes.listens_on(process_id, port) else LEDGER


def _cpu_ns(process_id: int) -> int:
    total = 0
    with suppress(*_GONE):
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            with suppress(*_GONE):
                total += int((thread / "schedstat").read_text().split()[0])
    return total
