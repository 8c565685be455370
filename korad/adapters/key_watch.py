"""Keep a worker's key ring as new as the key store, without the event loop waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from korad.auth import KeyRing
from korad.domain.identity import VirtualKey
from korad.ports import KeyStore


class OpenKeyStore(KeyStore, Protocol):
    """A key store that is to be closed."""

    def close(self) -> None:
        """Let go of file or connection."""
        ...


class KeyWatch:
    """Look for changed keys in a thread of its own, and apply them on the loop."""

    def __init__(self, open_store: Callable[[], OpenKeyStore], ring: KeyRing) -> None:
        self._open_store = open_store
        self._ring = ring
        self._store: OpenKeyStore | None = None
        self._rev = 0
        # SQLite wants its connection used by the thread that opened it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-watch")

    async def refresh(self) -> None:
        """Apply what changed since the last call.

        Raises the store's errors; the ring stays as it is then, and the next call tries again.
        """
        loop = asyncio.get_running_loop()
        for changed in await loop.run_in_executor(self._thread, self._changes):
            self._ring.apply((changed,))

    def close(self) -> None:
        """Close the store and end the thread, without waiting for either."""
        self._thread.submit(self._close_store)
        self._thread.shutdown(wait=False)

    def _changes(self) -> list[VirtualKey]:
        if self._store is None:
            self._store = self._open_store()
        if self._store.version() == self._rev:
            return []
        self._rev, changes = self._store.changes_since(self._rev)
        return changes

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
