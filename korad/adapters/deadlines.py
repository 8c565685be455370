"""One timer for every timeout of a worker.

Each watched item is looked at once a turn, so that moving its deadline (which happens on every
request and every chunk) is a plain assignment: no timer is created, moved or cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from korad.ports import Timed

TICK_S = 0.1
TICKS_PER_TURN = 5
"""An item is looked at every half second: 5,000 streams cost 1,000 looks of 0.1 us a tick."""


class DeadlineWheel:
    """Watch items in a few buckets, one bucket a tick."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now = loop.time()
        self._buckets: list[set[Timed]] = [set() for _ in range(TICKS_PER_TURN)]
        self._next_add = 0
        self._next_look = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._on_tick: Callable[[], None] = lambda: None
        self._note_lag: Callable[[int], None] = lambda _: None

    def start(self, on_tick: Callable[[], None], note_lag: Callable[[int], None]) -> None:
        """Begin to tick, calling `on_tick` each time and `note_lag` with how late it is, in us."""
        self._on_tick = on_tick
        self._note_lag = note_lag
        self.now = self._loop.time()
        self._wait()

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, item: Timed) -> None:
        """Watch `item` until it is discarded."""
        self._next_add = (self._next_add + 1) % TICKS_PER_TURN
        self._buckets[self._next_add].add(item)

    def discard(self, item: Timed) -> None:
        """Stop watching `item`."""
        for bucket in self._buckets:
            bucket.discard(item)

    def _wait(self) -> None:
        self._due = self.now + TICK_S
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self.now = self._loop.time()
        self._note_lag(max(0, round(1e6 * (self.now - self._due))))
        self._wait()
        self._on_tick()
        # uvloop runs timers before it reads: after a long turn of the loop, what was waited for may
        # lie there unread. Two turns later it has been read, and has moved its deadline.
        self._loop.call_soon(self._loop.call_soon, self._look)

    def _look(self) -> None:
        if self._timer is None:
            return
        now = self.now
        bucket = self._buckets[self._next_look]
        self._next_look = (self._next_look + 1) % TICKS_PER_TURN
        for item in [item for item in bucket if item.deadline <= now]:
            item.on_deadline()
