"""A change of keys that was told as done is on a replica too, or it is told that it is not."""

from __future__ import annotations

import time

import pytest

from korad.adapters import redis_key_store
from korad.adapters.redis_key_store import RedisKeyStore
from tests.support.redis import RedisServer, free_port

TIMEOUT_S = 20


@pytest.fixture
def pair(tmp_path, redis_binary):
    """Give a master and its replica."""
    port = free_port()
    at_once, follow = "repl-diskless-sync-delay 0", f"replicaof 127.0.0.1 {port}"
    with (
        RedisServer(tmp_path / "master", redis_binary, port=port, config=at_once) as master,
        RedisServer(tmp_path / "replica", redis_binary, port=free_port(), config=follow) as replica,
    ):
        master.start()
        replica.start()
        with replica.client() as client:
            _wait(lambda: client.execute_command("ROLE")[3] == b"connected")
        # The primary counts its replica a little later than that one counts itself.
        with master.client() as client:
            _wait(lambda: client.execute_command("ROLE")[2])
        yield master, replica


def _wait(condition):
    until = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_key_that_was_revoked_stays_so_where_its_replica_takes_over(pair, caplog):
    master, replica = pair
    store = RedisKeyStore(master.address, b"p" * 32)
    store.create("one", now_s=1)
    store.revoke("one")
    master.kill()
    with replica.client() as client:
        client.execute_command("REPLICAOF NO ONE")
    store.close()
    promoted = RedisKeyStore(replica.address, b"p" * 32)

    assert not promoted.get("one").active
    assert caplog.messages == []
    promoted.close()


def test_it_is_told_that_no_replica_has_a_change(pair, caplog, monkeypatch):
    monkeypatch.setattr(redis_key_store, "REPLICA_MS", 50)
    master, replica = pair
    store = RedisKeyStore(master.address, b"p" * 32)
    replica.freeze()
    store.create("one", now_s=1)

    assert store.get("one") is not None
    (told,) = caplog.messages
    assert "none of its 1 replicas has confirmed it" in told
    store.close()
