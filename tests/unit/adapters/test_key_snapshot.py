"""Keys in Redis while Redis is away: a start with what was known, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import os
import stat

import pytest
import redis
from redis.connection import AbstractConnection

from korad.adapters.key_errors import KeysLostError, KeyStoreError
from korad.adapters.key_snapshot import SNAPSHOT_FILE, KeySnapshot, KeysUnreachableError
from korad.adapters.key_watch import KeyWatch
from korad.adapters.redis_key_store import GENERATION_FILE, RedisKeyStore
from korad.auth import KeyRing
from korad.clock import unix_s
from korad.domain.identity import VirtualKey
from korad.domain.limits import Budget, EntityLimits, GroupKind, Limits, Reset

PEPPER = b"p" * 32
NOW_S = 1_700_000_000


@pytest.fixture
def open_store(redis_server, tmp_path):
    def open_it(pepper=PEPPER):
        return RedisKeyStore(redis_server.address, pepper, state_dir=tmp_path)

    return open_it


@pytest.fixture
def start(open_store):
    """Return a function that begins as a worker does: (ring, watch)."""
    watches = []

    async def begin():
        ring = KeyRing()
        watches.append(KeyWatch(open_store, ring))
        await watches[-1].refresh()
        return ring, watches[-1]

    yield begin
    for watch in watches:
        watch.close()


def a_key(number=1, **fields):
    return VirtualKey(key_id=f"vk_{number}", name="n", digest=bytes([number]) * 32, **fields)


async def test_a_start_without_redis_serves_the_keys_of_before(
    open_store, start, redis_server, tmp_path, caplog
):
    with open_store() as store:
        alice, secret = store.create(
            "alice", now_s=NOW_S, limits={"budgets": (Budget(limit_nano_usd=5),)}
        )
        store.revoke(store.create("bob", now_s=NOW_S)[0].key_id)
    await start()
    redis_server.stop()
    os.utime(tmp_path / SNAPSHOT_FILE, (unix_s() - 185, unix_s() - 185))
    with caplog.at_level(logging.WARNING):
        ring, watch = await start()

    assert ring.find(alice.digest) == alice
    assert sorted(key.active for key in ring.by_digest.values()) == [False, True]
    assert "3 minutes ago" in caplog.text
    assert "serves the 2 keys" in caplog.text
    assert 0o600 == stat.S_IMODE((tmp_path / SNAPSHOT_FILE).stat().st_mode)
    assert secret.reveal()[6:] not in (tmp_path / SNAPSHOT_FILE).read_text()
    assert secret.reveal()[-4:] not in (tmp_path / SNAPSHOT_FILE).read_text()
    with pytest.raises(KeysUnreachableError):
        await watch.refresh()

    redis_server.start()
    with open_store() as store:
        store.revoke("alice")
        carol, _ = store.create("carol", now_s=NOW_S)
    await watch.refresh()

    assert not ring.find(alice.digest).active
    assert ring.find(carol.digest) == carol
    generation = (tmp_path / GENERATION_FILE).read_text().strip()
    told = open_store().remembered()
    assert {key.name: key.active for key in told.keys} == {
        "alice": False,
        "bob": False,
        "carol": True,
    }
    assert KeySnapshot(tmp_path, open_store()._probe).fits(generation)


async def test_a_redis_with_teams_and_no_keys_yet_has_a_snapshot_too(
    open_store, start, redis_server
):
    with open_store() as store:
        store.create_group(GroupKind.TEAM, "dev", now_s=NOW_S)
    await start()
    redis_server.stop()
    ring, _ = await start()

    assert len(ring) == 0


async def test_a_redis_that_hangs_is_waited_for_once(open_store, start, redis_server, monkeypatch):
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
    await start()
    monkeypatch.setattr("korad.adapters.redis_blocking.TIMEOUT_S", 0.5)
    read, in_vain = AbstractConnection.read_response, []

    def counted(*args, **options):
        try:
            return read(*args, **options)
        except redis.exceptions.TimeoutError:
            in_vain.append(args)
            raise

    monkeypatch.setattr(AbstractConnection, "read_response", counted)
    redis_server.freeze()
    ring, _ = await start()
    redis_server.thaw()

    assert len(ring) == 1
    assert len(in_vain) == 1


async def test_without_a_snapshot_there_is_no_start(open_store, start, redis_server, tmp_path):
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
    redis_server.stop()
    with pytest.raises(KeysUnreachableError, match="cannot use the keys in Redis"):
        await start()
    (tmp_path / SNAPSHOT_FILE).write_text("{}\n")
    with pytest.raises(KeysUnreachableError):
        await start()


async def test_a_snapshot_of_given_up_keys_or_of_another_pepper_is_none(
    open_store, start, redis_server, tmp_path
):
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
    await start()
    redis_server.stop()
    with pytest.raises(KeysUnreachableError):
        open_store(b"q" * 32)
    (tmp_path / GENERATION_FILE).unlink()
    with pytest.raises(KeysUnreachableError):
        await start()


async def test_a_command_is_told_that_redis_is_away_whatever_the_snapshot(
    open_store, start, redis_server
):
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
    await start()
    redis_server.stop()
    with open_store() as store:
        for ask in (store.list_keys, store.version, lambda: store.create("b", now_s=NOW_S)):
            with pytest.raises(KeysUnreachableError):
                ask()


async def test_a_redis_older_than_the_snapshot_takes_nothing_back(
    open_store, start, redis_server, tmp_path
):
    with open_store() as store:
        alice, _ = store.create("alice", now_s=NOW_S)
    redis_server.stop()
    older = redis_server.copy_data(tmp_path / "older")
    redis_server.start()
    with open_store() as store:
        store.revoke("alice")
    await start()
    redis_server.stop()
    ring, watch = await start()
    redis_server.start(older)
    with pytest.raises(KeysLostError, match="older"):
        await watch.refresh()

    assert not ring.find(alice.digest).active


async def test_a_wrong_password_is_no_redis_that_is_away(open_store, start, redis_server):
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
    await start()
    with redis_server.client() as client:
        client.config_set("requirepass", "x")
    with pytest.raises(KeyStoreError) as told:
        open_store()

    assert not isinstance(told.value, KeysUnreachableError)


async def test_a_change_is_in_the_snapshot_once_it_is_known(open_store, start):
    _, watch = await start()
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
        await watch.refresh()
        store.revoke("alice")
        async with asyncio.timeout(20):
            while True:
                await watch.refresh()
                told = store.remembered()
                if told is not None and not told.keys[0].active:
                    return
                await asyncio.sleep(0.02)


def test_all_of_a_key_is_kept(tmp_path):
    key = a_key(
        level="high",
        allowed_providers=frozenset({"a", "b"}),
        allowed_models=frozenset({"a/*"}),
        margin_bp=1,
        cache=True,
        expires_at_s=2,
        team_id="tm_1",
        customer_id="cu_1",
        own_limits=Limits(budgets=(Budget(limit_nano_usd=2**60, reset=Reset.LAST_7D),)),
        limits=(EntityLimits(entity="vk_1", limits=Limits(requests_per_minute=3)),),
        fail_closed=True,
        active=False,
        created_at_s=7,
    )
    KeySnapshot(tmp_path, "probe").note("g", 5, [key])

    assert KeySnapshot(tmp_path, "probe").load("g").keys == [key]
    assert KeySnapshot(tmp_path, "probe").load("g").revision == 5
    assert KeySnapshot(tmp_path, "other").load("g") is None
    assert KeySnapshot(tmp_path, "probe").load("h") is None


def test_a_cut_snapshot_is_none(tmp_path, caplog):
    KeySnapshot(tmp_path, "probe").note("g", 5, [a_key(1), a_key(2)])
    path = tmp_path / SNAPSHOT_FILE
    whole = path.read_bytes()
    for cut in (whole[:-10], whole[: whole.rindex(b"{", 0, -300)]):
        path.write_bytes(cut)
        assert KeySnapshot(tmp_path, "probe").load("g") is None

    assert str(path) in caplog.text


def test_what_another_process_has_written_is_not_written_again(tmp_path):
    KeySnapshot(tmp_path, "probe").note("g", 5, [a_key(1)])
    first = (tmp_path / SNAPSHOT_FILE).stat().st_ino
    KeySnapshot(tmp_path, "probe").note("g", 5, [a_key(1)])
    KeySnapshot(tmp_path, "probe").note("g", 4, [])
    kept = (tmp_path / SNAPSHOT_FILE).stat().st_ino
    KeySnapshot(tmp_path, "probe").note("g", 6, [a_key(1, active=False)])

    assert first == kept
    assert KeySnapshot(tmp_path, "probe").load("g").revision == 6
    assert [SNAPSHOT_FILE] == [path.name for path in tmp_path.iterdir()]


def test_a_snapshot_that_nothing_changed_is_confirmed(tmp_path, monkeypatch):
    now_ns = 1
    monkeypatch.setattr("korad.adapters.key_snapshot.monotonic_ns", lambda: now_ns)
    snapshot = KeySnapshot(tmp_path, "probe")
    snapshot.note("g", 5, [a_key(1)])
    os.utime(tmp_path / SNAPSHOT_FILE, (1, 1))
    snapshot.note("g", 5, [])
    early = snapshot.load("g").confirmed_at_s
    now_ns += 16 * 10**9
    snapshot.note("g", 5, [])

    assert early == 1
    assert snapshot.load("g").age_s < 100
    (tmp_path / SNAPSHOT_FILE).unlink()
    now_ns += 16 * 10**9
    snapshot.note("g", 5, [])
    assert snapshot.load("g").revision == 5


def test_a_disk_that_takes_nothing_is_told_once_and_tried_again(tmp_path, monkeypatch, caplog):
    now_ns = 1
    monkeypatch.setattr("korad.adapters.key_snapshot.monotonic_ns", lambda: now_ns)
    snapshot = KeySnapshot(tmp_path / "gone", "probe")
    for _ in range(3):
        snapshot.note("g", 5, [a_key(1)])
        now_ns += 20 * 10**9
    (tmp_path / "gone").mkdir()
    snapshot.note("g", 5, [])

    assert 1 == caplog.text.count("cannot be written")
    assert snapshot.load("g").keys == [a_key(1)]


@pytest.mark.parametrize("at", [0, -2])
async def test_a_broken_snapshot_stops_no_change(open_store, start, tmp_path, at):
    with open_store() as store:
        store.create("alice", now_s=NOW_S)
    ring, watch = await start()
    path = tmp_path / SNAPSHOT_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at] = lines[at].replace(b':"', b':"\xff', 1)
    path.write_bytes(b"".join(lines))
    with open_store() as store:
        bob = store.create("bob", now_s=NOW_S)[0]
    await watch.refresh()
    restarted, _ = await start()

    for each in (ring, restarted):
        assert each.find(bob.digest) is not None
