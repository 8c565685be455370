"""What the shipper asks of the ledger: the books that Redis is rebuilt from, and what is safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from korad.domain.value import value


class BooksUnreachableError(Exception):
    """The ledger cannot be asked now."""


@value
class ShardBooks:
    """The books of one shard. Both parts must come from ONE transaction.

    `sums` hold exactly the events up to `checkpoints`: one event more or less in either would be
    billed twice or never after Redis was rebuilt.
    """

    sums: Mapping[str, Mapping[str, int]]
    """Per period ("" for ever, "2026-11", "2026-11-26", "2026-11-26T12"; UTC), per entity (key,
    team, customer): billed nano-USD."""
    checkpoints: Mapping[str, int]
    """Per producer: the n for which its events 1 to n of this shard are all booked."""


class BooksSource(Protocol):
    """The ledger. Everything raises BooksUnreachableError."""

    async def books(self, shard: int, now_ms: int) -> ShardBooks:
        """Return the books of a shard; `sums` for the periods kept at Unix time `now_ms`."""
        ...

    async def checkpoints(self) -> Mapping[tuple[str, int], int]:
        """Return the checkpoint of every (producer, shard)."""
        ...
