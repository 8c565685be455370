"""Whether the event loop goes on while another thread works: counted in turns, not in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Turns:
    """Counts the turns of the event loop, and those during some work."""

    def __init__(self) -> None:
        self._turns = 0
        self.meanwhile = 0

    async def count_until(self, done: asyncio.Future) -> None:
        """Count until it is done."""
        while not done.done():
            self._turns += 1
            await asyncio.sleep(0.001)

    def during(self, work: Callable) -> Callable:
        """Return `work` as it is, but watched."""

        def watched(*args):
            before = self._turns
            try:
                return work(*args)
            finally:
                self.meanwhile += self._turns - before

        return watched
