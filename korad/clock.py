"""The system's clocks; only the shell may read them, the core gets time as an argument."""

from __future__ import annotations

import time

monotonic_ns = time.perf_counter_ns
"""Nanoseconds of a clock that never goes back: for durations."""

unix_ns = time.time_ns
"""Unix time in nanoseconds: for records."""


def unix_s() -> int:
    """Return whole Unix seconds."""
    return int(time.time())  # noqa: TID251 - the one place that asks
