"""A sum over the time just past, in constant room."""

from __future__ import annotations

from collections import deque

STEPS = 64


class SlidingSum:
    """What was added within a window of time. It slides in steps: nothing is forgotten too soon."""

    def __init__(self, window_ns: int) -> None:
        self._step_ns = max(1, -(-window_ns // STEPS))
        self._sums: deque[tuple[int, int]] = deque()
        """Number of a step, and what was added in it."""
        self._total = 0

    def total(self, now_ns: int) -> int:
        """Return what was added in the window up to now, and at most a step before it."""
        oldest = now_ns // self._step_ns - STEPS
        sums = self._sums
        while sums and sums[0][0] < oldest:
            self._total -= sums.popleft()[1]
        return self._total

    def add(self, amount: int, now_ns: int) -> None:
        """Add to the current step."""
        step = now_ns // self._step_ns
        sums = self._sums
        before = sums.pop()[1] if sums and sums[-1][0] == step else 0
        sums.append((step, before + amount))
        self._total += amount
