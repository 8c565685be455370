"""What cannot be shipped at present: which shards, since when, and whether that was told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from korad.adapters.shipping_errors import OutOfStepError

_log = logging.getLogger("korad")


class Outage:
    """What the shipper knows of Redis; shards may be on nodes of their own, of which some are well.

    A shard that is left out is tried again after the next comparison.
    """

    def __init__(self, shards: range, now_ms: Callable[[], int]) -> None:
        self._shards = shards
        self._now_ms = now_ms
        self._failed: set[int] = set()
        """Shards that refused a batch since the last comparison: full, or half-way elsewhere."""
        self._told = ""
        self.left_out: frozenset[int] = frozenset()
        self.redis_up = False
        self.waiting_since_ms: int | None = None

    def compared(self, unanswered: Mapping[int, Exception]) -> bool:
        """Take the shards that did not tell their numbers; return whether a left out one is back.

        Raises the first error where no shard answered.
        """
        if len(unanswered) == len(self._shards):
            raise next(iter(unanswered.values()))
        left_out = self._failed | unanswered.keys()
        if len(left_out) == len(self._shards):
            left_out = set(unanswered)
        is_back = bool(self.left_out - left_out)
        self.left_out = frozenset(left_out)
        self.redis_up = not self._failed
        self._failed.clear()
        for error in unanswered.values():
            self.failed(error)
        return is_back

    def refused(self, shard: int, error: Exception) -> None:
        """Take what became of a batch that was not taken."""
        if not isinstance(error, OutOfStepError):
            self._failed.add(shard)

    def failed(self, error: Exception) -> None:
        """Take what kept events from being shipped, and tell it once."""
        if isinstance(error, OutOfStepError):
            _log.warning("%s; going back to where Redis is", error)
        elif str(error) != self._told:
            self._told = str(error)
            _log.error("events wait in the journal: %s", error)
        self.redis_up = isinstance(error, OutOfStepError)

    def waits(self) -> None:
        """Note that there is something that could not be shipped."""
        if self.waiting_since_ms is None:
            self.waiting_since_ms = self._now_ms()

    def shipped(self) -> None:
        """Note that all there was of a journal is in Redis, but for what is left out."""
        if not self.left_out:
            self.waiting_since_ms = None

    def passed(self) -> None:
        """Note that nothing failed from one comparison to the next."""
        if not self.left_out:
            self._told = ""
