"""Find events that the group has given out in vain, so that they are read again.

A consumer that lost its lease while it waited for entries may have taken some and booked none. The
group has none of them to give any more, for nothing is acknowledged; the numbers tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from korad.ledger.store import Ledger

Place = tuple[str, int]
"""Producer and shard."""


class MissedEvents:
    """What one consumer has found out. Blocking; in the ledger's thread."""

    def __init__(self, store: Ledger) -> None:
        self._store = store
        self._tried: dict[Place, int] = {}
        """Checkpoints at which everything was read again, once each: it may be gone for good."""
        self._behind: dict[Place, int] = {}
        """Checkpoints that were behind at the last look, when so many events were booked."""
        self._booked = 0
        self.lag_events = 0
        """Events that Redis has applied and the ledger has not booked, as of the last look."""

    def shards(self, applied: Mapping[Place, int], booked: int) -> set[int]:
        """Return the shards to be read again.

        `applied` are Redis' last numbers, `booked` is how many events this consumer has booked.
        """
        checkpoints = self._store.checkpoints()
        behind = {
            place: checkpoints.get(place, 0)
            for place, number in applied.items()
            if number > checkpoints.get(place, 0)
        }
        self.lag_events = sum(applied[place] - number for place, number in behind.items())
        # Later ones were booked, and they come in order; or nothing is left to read.
        missed = {
            place: number
            for place, number in behind.items()
            if self._tried.get(place) != number
            and (
                self._store.has_after(*place, number)
                or (booked == self._booked and self._behind.get(place) == number)
            )
        }
        self._behind, self._booked = behind, booked
        self._tried |= missed
        return {shard for _, shard in missed}
