"""Which beginning of the books Redis is at: begin them once, rebuild them where Redis lost them.

Each shard has a generation in Redis, and this state folder remembers it. One that is remembered and
no longer there was lost with all the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from korad.adapters.books_source import BooksSource, BooksUnreachableError
from korad.adapters.redis_books import RedisBooks

GENERATION_FILE = "books-generation"
WAIT_S = 0.5
"""For another process that is rebuilding."""

_log = logging.getLogger("korad")


class Generations:
    """The generations of all shards, as far as this state folder knows them."""

    def __init__(
        self,
        folder: Path,
        books: RedisBooks,
        source: BooksSource | None,
        now_ms: Callable[[], int],
    ) -> None:
        self._folder = folder
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
            if await self.rebuild(shard, seen=generation, known=known.get(shard)):
                known.pop(shard, None)
        if known.get(shard) != generation:
            self._remember_generation(shard, generation)

    async def renew(self, shard: int) -> bool:
        """Rebuild the books of a shard under the name that they have; like `rebuild`."""
        seen = await self._books.generation(shard)
        return await self.rebuild(shard, seen=seen, known=seen)

    async def rebuild(self, shard: int, *, seen: str | None, known: str | None) -> bool:
        """Set a shard to what the ledger says; return False while another process does.

        Raises BooksUnreachableError where there is none.
        """
        if self._source is None:
            raise BooksUnreachableError(
                "Redis has lost events that the journals no longer hold, and no ledger is "
                "configured here to rebuild the books from: set ledger.url"
            )
        now_ms = self._now_ms()
        books = await self._source.books(shard, now_ms)
        if await self._books.rebuild(shard, books, now_ms, seen=seen, known=known):
            self.rebuilds += 1
            _log.warning("rebuilt shard %d of the books in Redis from the ledger", shard)
            return True
        await asyncio.sleep(WAIT_S)
        return False

    async def _had_books(self, shard: int) -> bool:
        """Return whether the ledger has any event of a shard: then Redis was emptied."""
        if self._source is None:
            return False
        checkpoints = await self._source.checkpoints()
        return any(of == shard for _, of in checkpoints)

    def _known_generations(self) -> dict[int, str]:
        path = self._folder / GENERATION_FILE
        if not path.exists():
            return {}
        lines = [line.split() for line in path.read_text().splitlines()]
        return {int(shard): name for shard, name in lines}

    def _remember_generation(self, shard: int, generation: str) -> None:
        known = self._known_generations() | {shard: generation}
        draft = self._folder / f"{GENERATION_FILE}.draft"
        draft.write_text("".join(f"{of} {name}\n" for of, name in sorted(known.items())))
        draft.rename(self._folder / GENERATION_FILE)
