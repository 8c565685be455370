"""Holds that Redis may give after the exchange they were for has ended.

A reserve without an answer in time may be executed later, once Redis or the network goes on. The
exchange's event ends its hold, unless the event overtakes it on another connection: then the hold
would stand until its worker is gone. So each is dropped once more, a while after its exchange.
"""

from __future__ import annotations

from collections import deque

from korad.domain.limits import HoldRequest

ASKS_MAX = 2_000
WAIT_NS = 10_000_000_000
"""After the end of the exchange: its event is taken, and nothing of it is on its way any more."""


class LateHolds:
    """Asks of one shard without an answer: of exchanges under way, and of those that have ended."""

    def __init__(self) -> None:
        self._under_way: dict[str, HoldRequest] = {}
        self._ended: deque[tuple[int, HoldRequest]] = deque(maxlen=ASKS_MAX)

    def begin(self, ask: HoldRequest) -> None:
        """Note an ask that may be executed yet. Beyond 2,000 none is noted."""
        if len(self._under_way) < ASKS_MAX:
            self._under_way[ask.hold_id] = ask

    def end(self, hold_id: str, now_ns: int) -> None:
        """Note that the exchange is over, or never began; nothing where its hold is no late one."""
        ask = self._under_way.pop(hold_id, None)
        if ask is not None:
            self._ended.append((now_ns + WAIT_NS, ask))

    def take_due(self, now_ns: int) -> HoldRequest | None:
        """Return one whose hold is to be dropped now."""
        if self._ended and self._ended[0][0] <= now_ns:
            return self._ended.popleft()[1]
        return None
