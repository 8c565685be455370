"""A key ring follows its store."""

from __future__ import annotations

import asyncio
import threading

import pytest

from korad.adapters.key_watch import ASKING_MAX, KeyWatch
from korad.auth import KeyRing
from korad.domain.identity import VirtualKey


class Store:
    def __init__(self):
        self.keys, self.asked, self.fails = [], [], False
        self.threads = {threading.get_ident()}

    def version(self):
        self.threads.add(threading.get_ident())
        if self.fails:
            raise OSError("locked")
        return len(self.keys)

    def changes_since(self, rev):
        self.asked.append(rev)
        return len(self.keys), self.keys[rev:]


def a_key(number, **fields):
    return VirtualKey(key_id=f"vk_{number}", name="n", digest=bytes([number]) * 32, **fields)


@pytest.fixture
def watch():
    stores = []
    ring = KeyRing()

    def open_store():
        stores.append(Store())
        stores[-1].keys.append(a_key(1))
        return stores[-1]

    watch = KeyWatch(open_store, ring)
    yield watch, ring, stores
    watch.close()


async def test_only_what_changed_is_asked_for_and_the_store_has_a_thread_of_its_own(watch):
    watched, ring, stores = watch
    await watched.refresh()
    await watched.refresh()
    stores[0].keys.append(a_key(2))
    await watched.refresh()

    assert [0, 1] == stores[0].asked
    assert len(stores) == 1
    assert len(ring) == 2
    assert len(stores[0].threads) == 1
    assert threading.get_ident() not in stores[0].threads


async def test_a_revoked_key_is_known_as_inactive(watch):
    watched, ring, stores = watch
    await watched.refresh()
    stores[0].keys.append(a_key(1, active=False))
    await watched.refresh()
    found = ring.by_digest.get(bytes([1]) * 32)

    assert found is None or not found.active


async def test_a_store_that_fails_leaves_the_keys_as_they_are(watch):
    watched, ring, stores = watch
    await watched.refresh()
    stores[0].fails = True
    with pytest.raises(OSError, match="locked"):
        await watched.refresh()

    assert len(ring) == 1


async def looked(watched, digest):
    done = asyncio.Event()
    if not watched.look(digest, done.set):
        return False
    await done.wait()
    return True


async def test_a_key_is_looked_for_at_once_and_once_until_the_next_refresh(watch):
    watched, ring, stores = watch
    await watched.refresh()
    stores[0].keys.append(a_key(2))

    assert await looked(watched, bytes([2]) * 32)
    assert ring.find(bytes([2]) * 32)
    assert await looked(watched, bytes([3]) * 32)
    assert not await looked(watched, bytes([3]) * 32)
    await watched.refresh()
    assert await looked(watched, bytes([3]) * 32)


async def test_only_some_wait_and_the_others_are_told_at_once(watch):
    watched, _, _ = watch
    await watched.refresh()
    waiting = [watched.look(bytes([n]), lambda: None) for n in range(ASKING_MAX + 1)]

    assert [True] * ASKING_MAX + [False] == waiting


async def test_a_refresh_that_fails_keeps_them_from_waiting(watch):
    watched, _, stores = watch
    await watched.refresh()
    stores[0].fails = True
    with pytest.raises(OSError, match="locked"):
        await watched.refresh()

    assert not await looked(watched, b"a")


async def test_no_one_waits_for_a_store_that_is_away(watch):
    watched, _, stores = watch
    await watched.refresh()
    stores[0].fails = True

    assert await looked(watched, b"a")
    assert not await looked(watched, b"b")
    stores[0].fails = False
    await watched.refresh()
    assert await looked(watched, b"b")
