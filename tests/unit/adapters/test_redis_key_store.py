"""Virtual keys in Redis: what is kept there, and what is said when it is lost."""

from __future__ import annotations

import pytest

from korad.adapters.key_errors import KeysLostError, KeyStoreError
from korad.adapters.key_watch import KeyWatch
from korad.adapters.redis_key_store import GENERATION_FILE, META, RedisKeyStore
from korad.auth import KeyRing

PEPPER = b"p" * 32
NOW_S = 1_700_000_000


@pytest.fixture
def store(redis_server):
    with RedisKeyStore(redis_server.address, PEPPER) as opened:
        yield opened


@pytest.fixture
def watch(redis_server):
    ring = KeyRing()
    watched = KeyWatch(lambda: RedisKeyStore(redis_server.address, PEPPER), ring)
    yield watched, ring
    watched.close()


def test_no_secret_is_in_redis(store, redis_server):
    _, secret = store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        held = b"".join(client.dump(key) for key in client.keys("*"))
        names = client.keys("*")

    assert b"alice" in held
    assert secret.reveal()[:-4].encode() not in held
    assert all(name.startswith(b"kk:{keys}:") for name in names)


def test_the_secret_is_not_printed(store):
    key, secret = store.create("alice", now_s=NOW_S)

    assert secret.reveal() not in repr((store, key, secret))


def test_the_keys_of_a_cluster_are_kept_too(redis_cluster):
    with RedisKeyStore(redis_cluster.address, PEPPER) as store:
        key, secret = store.create("alice", now_s=NOW_S)

        assert store.get(secret.reveal()) == key
        assert store.changes_since(0) == (store.version(), [key])


def test_another_pepper_is_told_with_what_to_copy(store, redis_server):
    store.create("alice", now_s=NOW_S)
    with pytest.raises(KeyStoreError, match="copy the file 'pepper'") as told:
        RedisKeyStore(redis_server.address, b"q" * 32, pepper_source="env:PEPPER")

    assert "env:PEPPER" in str(told.value)


def test_two_machines_that_begin_together_with_two_peppers_do_not_mix_them(redis_server):
    with (
        RedisKeyStore(redis_server.address, PEPPER) as first,
        RedisKeyStore(redis_server.address, b"q" * 32) as second,
    ):
        key, _ = first.create("alice", now_s=NOW_S)
        with pytest.raises(KeyStoreError, match="pepper"):
            second.create("bob", now_s=NOW_S)

        assert first.list_keys() == [key]


def test_an_emptied_redis_is_never_a_store_without_keys(store, redis_server):
    store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        client.flushall()
    for call in (store.version, store.list_keys, lambda: store.changes_since(0)):
        with pytest.raises(KeysLostError, match="emptied"):
            call()
    with pytest.raises(KeysLostError):
        store.create("bob", now_s=NOW_S)
    with redis_server.client() as client:
        assert client.keys("*") == []


def test_keys_begun_anew_elsewhere_are_not_taken_for_the_old_ones(store, redis_server):
    store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        client.flushall()
    with RedisKeyStore(redis_server.address, PEPPER) as other:
        other.create("bob", now_s=NOW_S)
    with pytest.raises(KeysLostError, match="begun anew"):
        store.version()


def test_an_older_state_is_told_and_the_next_change_is_seen(store, redis_server):
    store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        former = {key: client.dump(key) for key in client.keys("*")}
        store.create("bob", now_s=NOW_S)
        newest = store.version()
        for key, dump in former.items():
            client.restore(key, 0, dump, replace=True)
    with pytest.raises(KeysLostError, match="older state"):
        store.version()
    with RedisKeyStore(redis_server.address, PEPPER) as other:
        carol, _ = other.create("carol", now_s=NOW_S)

    assert store.changes_since(newest) == (store.version(), [carol])


def test_a_restart_does_not_forget_that_there_were_keys(redis_server, tmp_path):
    with RedisKeyStore(redis_server.address, PEPPER, state_dir=tmp_path / "state") as store:
        store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        client.flushall()
    with pytest.raises(KeysLostError, match=GENERATION_FILE):
        RedisKeyStore(redis_server.address, PEPPER, state_dir=tmp_path / "state")
    (tmp_path / "state" / GENERATION_FILE).unlink()
    with RedisKeyStore(redis_server.address, PEPPER, state_dir=tmp_path / "state") as store:
        assert store.list_keys() == []


def test_a_key_whose_record_is_gone_is_told(store, redis_server):
    key, _ = store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        client.hdel("kk:{keys}:keys", key.key_id)
    with pytest.raises(KeysLostError):
        store.changes_since(0)


def test_a_redis_that_is_not_there_is_told_without_its_password(redis_server):
    address = redis_server.address
    redis_server.kill()
    with pytest.raises(KeyStoreError, match="cannot use the keys in Redis at unix://"):
        RedisKeyStore(address, PEPPER)


async def test_the_ring_stays_while_redis_is_away_and_follows_when_it_is_back(
    store, redis_server, watch
):
    watched, ring = watch
    key, _ = store.create("alice", now_s=NOW_S)
    await watched.refresh()
    redis_server.stop()
    with pytest.raises(KeyStoreError):
        await watched.refresh()
    assert ring.find(key.digest) == key
    redis_server.start()
    with RedisKeyStore(redis_server.address, PEPPER) as other:
        other.revoke("alice")
    await watched.refresh()

    assert not ring.find(key.digest).active


async def test_the_ring_stays_when_redis_was_emptied(store, redis_server, watch):
    watched, ring = watch
    key, _ = store.create("alice", now_s=NOW_S)
    await watched.refresh()
    with redis_server.client() as client:
        client.flushall()
    for _ in range(2):
        with pytest.raises(KeysLostError):
            await watched.refresh()

    assert ring.find(key.digest) == key


async def test_a_ring_of_an_empty_redis_gets_the_first_key(store, watch):
    watched, ring = watch
    await watched.refresh()
    assert len(ring) == 0
    key, _ = store.create("alice", now_s=NOW_S)
    await watched.refresh()

    assert ring.find(key.digest) == key


def test_the_meta_is_one_hash(store, redis_server):
    store.create("alice", now_s=NOW_S)
    with redis_server.client() as client:
        assert set(client.hgetall(META)) == {b"generation", b"revision", b"pepper_probe"}
