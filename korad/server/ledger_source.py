"""The ledger as the shipper asks it: what the books were, and how far they go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from korad.adapters.books_source import BooksUnreachableError, ShardBooks
from korad.ledger.database import LedgerError
from korad.ledger.store import Ledger
from korad.ledger.sums import LedgerBooks


class LedgerSource:
    """Ask the ledger, in a thread."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._books = LedgerBooks(ledger)

    async def books(self, shard: int, now_ms: int) -> ShardBooks:
        """Return a shard's books, both parts as of the same moment."""
        return await asyncio.to_thread(self._read, shard, now_ms)

    async def checkpoints(self) -> Mapping[tuple[str, int], int]:
        """Return the checkpoint of every (producer, shard)."""
        return await asyncio.to_thread(self._checkpoints)

    def _read(self, shard: int, now_ms: int) -> ShardBooks:
        try:
            sums, checkpoints = self._books.books(shard, now_ms)
            return ShardBooks(sums=sums, checkpoints=checkpoints)
        except LedgerError as error:
            raise BooksUnreachableError(str(error)) from error

    def _checkpoints(self) -> Mapping[tuple[str, int], int]:
        try:
            return self._ledger.checkpoints()
        except LedgerError as error:
            raise BooksUnreachableError(str(error)) from error
