"""Every kind of Redis, asked by both clients: ACL user, TLS, sentinels, cluster."""

from __future__ import annotations

import asyncio
import contextlib
import time
from binascii import crc_hqx
from dataclasses import dataclass

import pytest

from korad.adapters.redis_cluster import key_slot, read_redirection, read_slots
from korad.adapters.redis_control import RedisUnavailableError, Scripts, connect_control
from korad.adapters.redis_dial import Target
from korad.adapters.redis_pipeline import NotConnectedError, RedisPipeline
from korad.adapters.redis_scripts import make_script
from korad.adapters.redis_url import RedisAddress, parse_redis_url
from tests.support.redis import RedisServer, free_port
from tests.support.redis_tls import make_certificate

ADD = make_script("add", b"return redis.call('INCRBY', KEYS[1], ARGV[1])")
ACL = "user default off\nuser korad on >p@ss/word ~k* +@all"


@contextlib.asynccontextmanager
async def connected(address: RedisAddress):
    pipeline = RedisPipeline(address)
    pipeline.start()
    try:
        assert await pipeline.wait_connected(15), pipeline.trouble
        yield pipeline
    finally:
        await pipeline.close()


def run(pipeline: RedisPipeline, key: bytes, amount: bytes):
    answer = asyncio.get_running_loop().create_future()
    pipeline.run(ADD, [key], [amount], answer.set_result, deadline_s=5)
    return answer


async def both_add(address: RedisAddress, key: bytes) -> None:
    """Add 2 by the request path and 3 by the control client, each with a script."""
    async with connected(address) as pipeline:
        assert await run(pipeline, key, b"2") == 2
    async with contextlib.aclosing(await connect_control(address)) as client:
        assert await Scripts(client).run_script(ADD, [key], [3]) == 5
        assert await client.get(key) == b"5"


async def pipeline_trouble(address: RedisAddress) -> str:
    """Return what is wrong, once it has dialled."""
    pipeline = RedisPipeline(address)
    not_yet = pipeline.trouble
    pipeline.start()
    async with asyncio.timeout(20):
        while pipeline.trouble == not_yet:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.01)
    trouble = pipeline.trouble
    assert not pipeline.connected
    await pipeline.close()
    assert trouble is not None
    return trouble


# ── an ACL user ──────────────────────────────────────────────────────────────────────────────


async def test_a_user_with_a_password(tmp_path, redis_binary):
    who = "korad:p%40ss%2Fword"
    with RedisServer(tmp_path / "acl", redis_binary, config=ACL, url_password=who) as server:
        server.start()
        await both_add(server.address, b"k")


async def test_a_wrong_password_is_told_and_not_shown(tmp_path, redis_binary):
    with RedisServer(
        tmp_path / "acl", redis_binary, config=ACL, url_password="korad:hush"
    ) as server:
        server.start()
        assert "WRONGPASS" in (told := await pipeline_trouble(server.address))
        with pytest.raises(RedisUnavailableError, match="check the user and password") as caught:
            await connect_control(server.address)

    assert "hush" not in told + str(caught.value)


async def test_a_user_who_may_only_run_scripts(tmp_path, redis_binary):
    few = "user default off\nuser korad on >word ~k* -@all +evalsha +eval +incrby +get"
    with RedisServer(
        tmp_path / "few", redis_binary, config=few, url_password="korad:word"
    ) as server:
        server.start()
        await both_add(server.address, b"k")


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tls_server(tmp_path, redis_binary):
    certificate, key = make_certificate(tmp_path / "tls")
    tls_port = free_port()
    config = (
        f"tls-port {tls_port}\ntls-auth-clients no\ntls-ca-cert-file {certificate}\n"
        f"tls-cert-file {certificate}\ntls-key-file {key}"
    )
    with RedisServer(tmp_path / "server", redis_binary, port=free_port(), config=config) as server:
        try:
            server.start()
        except AssertionError as error:
            pytest.skip(f"needs a server with TLS: {error}")
        yield f"rediss://127.0.0.1:{tls_port}", certificate


async def test_tls_with_an_authority_of_ones_own(tls_server):
    url, certificate = tls_server
    await both_add(parse_redis_url(f"{url}?ssl_ca_certs={certificate}"), b"k")


async def test_tls_that_is_not_verified(tls_server):
    url, _ = tls_server
    await both_add(parse_redis_url(f"{url}?ssl_cert_reqs=none"), b"k")


async def test_an_unknown_certificate_is_refused(tls_server):
    url, _ = tls_server
    assert "CERTIFICATE_VERIFY_FAILED" in await pipeline_trouble(parse_redis_url(url))
    with pytest.raises(RedisUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await connect_control(parse_redis_url(url))


def test_an_authority_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"/none\.pem"):
        RedisPipeline(parse_redis_url("rediss://h?ssl_ca_certs=/none.pem"))


# ── sentinels ────────────────────────────────────────────────────────────────────────────────


@dataclass
class Watched:
    """A master with one replica and one sentinel."""

    first: RedisServer
    second: RedisServer
    sentinel: RedisServer

    @property
    def address(self) -> RedisAddress:
        dead = free_port()
        return parse_redis_url(
            f"redis+sentinel://127.0.0.1:{dead},127.0.0.1:{self.sentinel.port}/books/1"
            "?sentinel_password=word"
        )


@pytest.fixture
def watched(tmp_path, redis_binary):
    with contextlib.ExitStack() as stack:

        def start(name: str, config: str, *arguments: str, who: str | None = None) -> RedisServer:
            server = RedisServer(
                tmp_path / name,
                redis_binary,
                port=free_port(),
                config=config,
                arguments=arguments,
                url_password=who,
            )
            stack.enter_context(server)
            return server.start()

        # A master waits 5 s for further replicas before it sends its data to the first.
        first = start("first", "repl-diskless-sync-delay 0")
        second = start("second", f"replicaof 127.0.0.1 {first.port}")
        config = (
            f"sentinel monitor books 127.0.0.1 {first.port} 1\n"
            "sentinel down-after-milliseconds books 60000\n"
            "sentinel failover-timeout books 3000\nrequirepass word"
        )
        sentinel = start("sentinel", config, "--sentinel", who=":word")
        with second.client() as client:
            until = time.monotonic() + 20
            while client.info("replication")["master_link_status"] != "up":
                assert time.monotonic() < until
                time.sleep(0.05)
        yield Watched(first, second, sentinel)


async def test_the_master_that_the_sentinels_name(watched):
    await both_add(watched.address, b"k")

    with watched.first.client() as client:
        assert list(client.info("keyspace")) == ["db1"]


async def test_a_failover_is_followed(watched):
    with watched.sentinel.client() as client:
        client.execute_command("SENTINEL SET", "books", "down-after-milliseconds", 500)
        until = time.monotonic() + 20
        while not client.execute_command("SENTINEL REPLICAS", "books"):
            assert time.monotonic() < until
            await asyncio.sleep(0.1)
    async with (
        connected(watched.address) as pipeline,
        contextlib.aclosing(await connect_control(watched.address)) as control,
    ):
        watched.first.kill()
        until = time.monotonic() + 25
        while not isinstance(await run(pipeline, b"after", b"1"), int):
            assert time.monotonic() < until, pipeline.trouble
            await asyncio.sleep(0.1)
        with watched.second.client() as client:
            assert client.execute_command("ROLE")[0] == b"master"
        # redis-py waits until the sentinels hold the new master to be well.
        while (found := await _get_or_none(control, b"after")) is None:
            assert time.monotonic() < until
            await asyncio.sleep(0.1)
        assert int(found) > 0


async def _get_or_none(client, key: bytes) -> bytes | None:
    with contextlib.suppress(RedisUnavailableError):
        return await client.get(key)
    return None


async def test_a_service_that_no_sentinel_knows(watched):
    url = f"redis+sentinel://127.0.0.1:{watched.sentinel.port}/other?sentinel_password=word"
    assert "no such service" in await pipeline_trouble(parse_redis_url(url))


# ── a cluster ────────────────────────────────────────────────────────────────────────────────


def test_the_slot_of_a_key():
    assert key_slot(b"123456789") == 0x31C3 % 16384
    assert key_slot(b"kb:{s07}:bal") == key_slot(b"s07") == crc_hqx(b"s07", 0) % 16384
    assert key_slot(b"a{}b") == crc_hqx(b"a{}b", 0) % 16384
    assert key_slot(b"a{b") == crc_hqx(b"a{b", 0) % 16384
    assert key_slot(b"{a}{b}") == key_slot(b"a")


def test_the_map_and_the_redirections_are_read():
    asked = Target("h", 1)
    reply = [[0, 5, [b"", 7, b"id"], [b"replica", 8, b"id"]], [6, 9, [b"b", 2, b"id"]]]
    assert read_slots(reply, asked) == {Target("h", 7): [(0, 5)], Target("b", 2): [(6, 9)]}
    assert read_redirection("MOVED 3999 127.0.0.1:6381") == Target("127.0.0.1", 6381)
    assert read_redirection("ASK 3999 ::1:6381") == Target("::1", 6381)


async def test_keys_go_to_their_nodes(redis_cluster):
    keys = [b"k:{s%02d}" % number for number in range(12)]
    for key in keys:
        await both_add(redis_cluster.address, key)
    held = []
    for node in redis_cluster.nodes:
        with node.client() as client:
            held.append(client.dbsize())
    assert sum(held) == len(keys)
    assert all(held)


async def test_moved_slots_are_followed(redis_cluster):
    key = b"k:{s07}"
    slot = key_slot(key)
    async with connected(redis_cluster.address) as pipeline:
        assert await run(pipeline, key, b"1") == 1
        old, new = _owner_and_other(redis_cluster, slot)
        with old.client() as source, new.client() as target:
            ids = [client.execute_command("CLUSTER MYID") for client in (source, target)]
            target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[0])
            source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[1])
            source.execute_command("MIGRATE", "127.0.0.1", new.port, key, 0, 5000)
            # ASK: the slot is the old node's still, the key is not.
            assert await run(pipeline, key, b"1") == 2
            target.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[1])
            source.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[1])
        # MOVED: the first answer after it is already right.
        assert await run(pipeline, key, b"1") == 3
        assert await run(pipeline, key, b"1") == 4


async def test_a_node_that_is_gone_takes_only_its_own_keys(redis_cluster):
    async with connected(redis_cluster.address) as pipeline:
        gone, other = _owner_and_other(redis_cluster, key_slot(b"k:{s07}"))
        gone.kill()
        until = time.monotonic() + 10
        while not isinstance(await run(pipeline, b"k:{s07}", b"1"), NotConnectedError):
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        assert pipeline.connected
        assert pipeline.trouble
        gone.start()
        assert await pipeline.wait_connected(15)
        until = time.monotonic() + 15
        while not isinstance(await run(pipeline, b"k:{s07}", b"1"), int):
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        assert other.process is not None


async def test_a_cluster_that_is_not_there():
    address = parse_redis_url(f"redis+cluster://127.0.0.1:{free_port()}")
    assert str(address.hosts[0][1]) in await pipeline_trouble(address)
    with pytest.raises(RedisUnavailableError, match="check that it runs"):
        await connect_control(address)


def _owner_and_other(cluster, slot: int) -> tuple[RedisServer, RedisServer]:
    number = min(slot // 5462, 2)
    return cluster.nodes[number], cluster.nodes[(number + 1) % 3]
