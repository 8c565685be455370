"""Delete the segments of journals that the ledger has all of, while it can be asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from korad.adapters.books_source import BooksSource, BooksUnreachableError
from korad.adapters.journal_tail import Tail

_log = logging.getLogger("korad")


class Removal:
    """Forgets what is booked; without a ledger, nothing."""

    def __init__(
        self, source: BooksSource | None, *, keep_s: float, now_ms: Callable[[], int]
    ) -> None:
        """Keep all segments for at least `keep_s` seconds."""
        self._source = source
        self._keep_s = keep_s
        self._now_ms = now_ms
        self._told = ""
        self.booked: Mapping[tuple[str, int], int] = {}
        """Per producer and shard the last number up to which it had all when it was asked."""

    async def ask(self) -> bool:
        """Ask the ledger what it has; return whether it answered: if not, that is told, once."""
        if self._source is None:
            return False
        try:
            self.booked = await self._source.checkpoints()
        except BooksUnreachableError as error:
            # Shipping does not need the ledger: it goes on.
            if str(error) != self._told:
                self._told = str(error)
                _log.error("journals are kept, for the ledger cannot be asked: %s", error)
            return False
        self._told = ""
        return True

    async def remove_booked(self, tails: dict[str, Tail]) -> int:
        """Delete segments, take out the tails that have none left; return how many were deleted."""
        if not await self.ask():
            return 0
        before_s = self._now_ms() / 1_000 - self._keep_s
        removed = 0
        for tail in list(tails.values()):
            booked = {shard: n for (name, shard), n in self.booked.items() if name == tail.name}
            removed += tail.remove_shipped(booked, before_s)
            if tail.is_empty:
                del tails[tail.name]
        return removed
