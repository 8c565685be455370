"""Whom nobody answers is left alone for a while, so that requests need not wait to learn it."""

from __future__ import annotations

FAILURES_MAX = 5
PAUSE_NS = 1_000_000_000


class CircuitBreaker:
    """Opens after five failures in a row; then one call a second may try. Time is an argument."""

    def __init__(self) -> None:
        self.opens = 0
        """How often it has opened."""
        self._failures = 0
        self._try_at_ns: int | None = None

    @property
    def open(self) -> bool:
        """Whether calls are refused, but for the one that tries."""
        return self._try_at_ns is not None

    def may_call(self, now_ns: int) -> bool:
        """Return whether to call now; who may must tell what came of it."""
        if self._try_at_ns is None:
            return True
        if now_ns < self._try_at_ns:
            return False
        # This one tries. Should it never be heard of, another may in a second.
        self._try_at_ns = now_ns + PAUSE_NS
        return True

    def succeeded(self) -> None:
        """Note that an answer came."""
        self._failures = 0
        self._try_at_ns = None

    def failed(self, now_ns: int) -> None:
        """Note that none came."""
        self._failures += 1
        if self._failures < FAILURES_MAX:
            return
        if self._try_at_ns is None:
            self.opens += 1
        self._try_at_ns = now_ns + PAUSE_NS
