"""The system's clock; only the shell may hold one, the core gets time as an argument."""

from __future__ import annotations

import time


class SystemClock:
    """Wall time for records, monotonic time for durations."""

    @staticmethod
    def now_s() -> int:
        """Return whole Unix seconds."""
        return int(time.time())  # noqa: TID251 - the one place that asks

    @staticmethod
    def now_ns() -> int:
        """Return Unix time in nanoseconds."""
        return time.time_ns()

    @staticmethod
    def monotonic_ns() -> int:
        """Return nanoseconds of a clock that never goes back."""
        return time.perf_counter_ns()
