"""Why the shipper must go back, or ask the ledger."""

from __future__ import annotations

from korad.adapters.journal_tail import Tail


class OutOfStepError(OSError):
    """Redis has less of a journal than was sent."""


class MissingError(Exception):
    """The journal goes on behind events that Redis does not have."""

    def __init__(self, tail: Tail, shard: int, number: int) -> None:
        super().__init__(
            f"{tail.name}: Redis has its events up to {tail.taken(shard)}, "
            f"the journal goes on with {number}"
        )
        self.tail = tail
        self.shard = shard
