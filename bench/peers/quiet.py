"""How much of the machine others use: figures of a busy one are not to be trusted."""

from __future__ import annotations

import os
import time
from pathlib import Path

LOOK_S = 2.0
BUSY_CORES = 0.2
"""More than that is told in the result."""
_IDLE, _WAITING = 3, 4
"""Fields of a line of /proc/stat."""


def busy_cores(seconds: float = LOOK_S) -> float:
    """Return how many cores were busy in the next seconds; for before and after a run."""
    busy, total = _ticks()
    time.sleep(seconds)
    busy_then, total_then = _ticks()
    cores = os.cpu_count() or 1
    return round(cores * (busy_then - busy) / max(1, total_then - total), 2)


def _ticks() -> tuple[int, int]:
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    # Guests' time is in the first two fields too.
    ticks = [int(word) for word in first.split()[1:9]]
    return sum(ticks) - ticks[_IDLE] - ticks[_WAITING], sum(ticks)
