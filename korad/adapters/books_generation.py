"""Whether the books in Redis are those of before; if not, begin or rebuild them from the ledger.

Each beginning has a name, kept in Redis and on this machine. An absent or another name means that
Redis has lost what it had: nothing may be taken before balances and numbers are the ledger's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from korad.adapters.books_source import BooksSource, BooksUnreachableError
from korad.adapters.redis_books import RedisBooks

GENERATION_FILE = "books-generation"
ANOTHER_REBUILDS_S = 0.5

_log = logging.getLogger("korad")


class Generations:
    """The beginnings of the books of all shards."""

    def __init__(
        self,
        file: Path,
        books: RedisBooks,
        source: BooksSource | None,
        now_ms: Callable[[], int],
    ) -> None:
        self._file = file
        self._books = books
        self._source = source
        self._now_ms = now_ms
        self.rebuilds = 0

    async def ensure(self, shard: int) -> None:
        """Begin or rebuild the books of a shard where Redis has none, or others than before."""
        known = self._known_generations()
        while (generation := await self._books.generation(shard)) is None or (
            known.get(shard, generation) != generation
        ):
            if shard not in known and not await self._had_books(shard):
                await self._books.begin(shard)
                continue
            if generation is not None:
                # Another machine has rebuilt or begun them; whether from a ledger is not known.
                _log.error("the books in Redis are not those of before; rebuilding shard %d", shard)
            await self.rebuild(shard)
            known.pop(shard, None)
        if known.get(shard) != generation:
            self._remember_generation(shard, generation)

    async def rebuild(self, shard: int) -> None:
        """Set a shard to what the ledger says. Raises BooksUnreachableError where there is none."""
        if self._source is None:
            raise BooksUnreachableError(
                "Redis has lost events that the journals no longer hold, and no ledger is "
                "configured here to rebuild the books from: set ledger.url"
            )
        now_ms = self._now_ms()
        if await self._books.rebuild(shard, await self._source.books(shard, now_ms), now_ms):
            self.rebuilds += 1
            _log.warning("rebuilt shard %d of the books in Redis from the ledger", shard)
        else:
            await asyncio.sleep(ANOTHER_REBUILDS_S)  # another process is at it

    async def _had_books(self, shard: int) -> bool:
        """Return whether the ledger has any event of a shard: then Redis was emptied."""
        if self._source is None:
            return False
        checkpoints = await self._source.checkpoints()
        return any(of == shard for _, of in checkpoints)

    def _known_generations(self) -> dict[int, str]:
        if not self._file.exists():
            return {}
        lines = [line.split() for line in self._file.read_text().splitlines()]
        return {int(shard): name for shard, name in lines}

    def _remember_generation(self, shard: int, generation: str) -> None:
        known = self._known_generations() | {shard: generation}
        draft = self._file.with_suffix(".draft")
        draft.write_text("".join(f"{of} {name}\n" for of, name in sorted(known.items())))
        draft.rename(self._file)
