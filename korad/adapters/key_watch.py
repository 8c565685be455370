"""Keep a worker's key ring as new as the key store, without the event loop waiting for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, runtime_checkable

from korad.adapters.key_snapshot import KeysUnreachableError, Snapshot, age_text
from korad.auth import KeyRing
from korad.domain.identity import VirtualKey
from korad.ports import KeyStore

LOOK_AGAIN_S = 0.02
"""Pause between two looks for new keys: whoever sends keys that do not exist gets no more."""
ASKING_MAX = 64
"""Requests that wait for a look: they count as under way, and must not turn others away."""
_log = logging.getLogger("korad")


class OpenKeyStore(KeyStore, Protocol):
    """A key store that is to be closed."""

    def close(self) -> None:
        """Let go of file or connection."""
        ...


@runtime_checkable
class RemembersKeys(Protocol):
    """A store that may be away, and keeps on the disk what is to be known then."""

    def remember(self, rev: int, changed: Iterable[VirtualKey]) -> None:
        """Keep the keys that changed, up to the revision `rev`."""
        ...

    def remembered(self) -> Snapshot | None:
        """Return what was kept, None for nothing."""
        ...


class KeyWatch:
    """Look for changed keys in a thread of its own, and apply them on the loop."""

    def __init__(self, open_store: Callable[[], OpenKeyStore], ring: KeyRing) -> None:
        self._open_store = open_store
        self._ring = ring
        self._store: OpenKeyStore | None = None
        self._rev = 0
        self._begun = False
        self._is_away = False
        self._asking: list[tuple[bytes, Callable[[], None]]] = []
        """For what keys is to be looked, and whom to tell then."""
        self._looked_for: set[bytes] = set()
        """Since the last refresh in its own time."""
        self._looking: asyncio.Task[None] | None = None
        # SQLite wants its connection used by the thread that opened it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="key-watch")

    async def refresh(self) -> None:
        """Apply what changed since the last call.

        Raises the store's errors; the ring stays as it is then, and the next call tries again.
        """
        self._looked_for.clear()
        await self._apply_changes()

    def look(self, digest: bytes, then: Callable[[], None]) -> bool:
        """Refresh soon, then call `then`; return False where that would not help."""
        is_pointless = self._is_away or digest in self._looked_for
        if is_pointless or len(self._asking) >= ASKING_MAX:
            return False
        self._asking.append((digest, then))
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_for_those_who_ask())
        return True

    def close(self) -> None:
        """Close the store and end the thread, without waiting for either."""
        if self._looking is not None:
            self._looking.cancel()
        self._thread.submit(self._close_store)
        self._thread.shutdown(wait=False)

    async def _apply_changes(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            changes = await loop.run_in_executor(self._thread, self._changes)
        except Exception:
            self._is_away = True
            raise
        self._is_away = False
        for changed in changes:
            self._ring.apply((changed,))

    async def _look_for_those_who_ask(self) -> None:
        try:
            while self._asking:
                # Whoever asks while this look is under way may be too late for it.
                asking, self._asking = self._asking, []
                # The refresh in its own time tells of what fails.
                with suppress(Exception):
                    await self._apply_changes()
                self._looked_for.update(digest for digest, _ in asking)
                for _, then in asking:
                    then()
                await asyncio.sleep(LOOK_AGAIN_S)
        finally:
            self._looking = None

    def _changes(self) -> list[VirtualKey]:
        if self._store is None:
            self._store = self._open_store()
        try:
            changes = self._look(self._store)
        except KeysUnreachableError as error:
            if self._begun:
                raise
            changes = _remembered(self._store, error)
        # From here on the ring is not empty for want of an answer: whatever fails is told.
        self._begun = True
        return changes

    def _look(self, store: OpenKeyStore) -> list[VirtualKey]:
        rev = self._rev
        changes: list[VirtualKey] = []
        if store.version() != self._rev:
            rev, changes = store.changes_since(self._rev)
        if isinstance(store, RemembersKeys):
            store.remember(rev, changes)
        self._rev = rev
        return changes

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()


def _remembered(store: OpenKeyStore, error: KeysUnreachableError) -> list[VirtualKey]:
    """Return the keys that the store has kept. Raises `error` where it has none.

    The revision stays 0, so that all keys are read when it answers.
    """
    snapshot = store.remembered() if isinstance(store, RemembersKeys) else None
    if snapshot is None:
        raise error
    _log.warning(
        "%s; until it answers, korad serves the %d keys that were there at %s: a key that was "
        "made, changed or revoked since is as it was then",
        error,
        len(snapshot.keys),
        age_text(snapshot),
    )
    return snapshot.keys
