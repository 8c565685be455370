"""Billing events to book, ledgers to book them in, and a Redis and a PostgreSQL to do it with."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.ports import free_port
from korad.adapters.redis_books import RedisBooks, Taken
from korad.adapters.redis_control import ControlClient
from korad.billing.frames import KIND_EVENT, Frame
from korad.domain.event import EVENT_TYPE, SCHEMA_VERSION
from korad.domain.secret import Secret
from korad.ledger import Ledger
from korad.ledger.database import SqliteDatabase
from korad.ledger.entries import StreamEntry, milliseconds

MACHINE = "m0123456789ab"
PRODUCER = f"{MACHINE}-w00-e1"
NOON = "2026-11-26T12:00:00.000Z"
NOON_MS = milliseconds(NOON)
START_TIMEOUT_S = 20.0


def an_event(
    number: int,
    *,
    producer: str = PRODUCER,
    shard: int = 0,
    time_ms: int | None = None,
    billed: int | None = None,
    **data: Any,
) -> bytes:
    """Return the bytes of an event; `billed` is nano-USD, `data` replaces members of its data."""
    moment = NOON_MS + number if time_ms is None else time_ms
    at = datetime.fromtimestamp(moment // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    key_id = data.get("key_id", "vk_alice")
    billed = 1_500 + number if billed is None else billed
    event = {
        "specversion": "1.0",
        "id": f"{producer}-s{shard:02d}-{number:09d}",
        "source": f"/korad/{MACHINE}/w00",
        "type": EVENT_TYPE,
        "subject": data.get("customer_id") or data.get("team_id") or key_id,
        "time": f"{at}.{moment % 1_000:03d}Z",
        "datacontenttype": "application/json",
        "data": {
            "schema": SCHEMA_VERSION,
            "request_id": f"r-{producer}-{shard}-{number}",
            "client_request_id": None,
            "key_id": key_id,
            "team_id": None,
            "customer_id": None,
            "status": "ok",
            "error_code": None,
            "http_status": 200,
            "stream": False,
            "usage_source": "provider",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": None,
            "gen_ai.usage.cache_creation.input_tokens": None,
            "gen_ai.usage.reasoning.output_tokens": None,
            "service_tier": None,
            "level": "medium",
            "strategy": None,
            "original_input_tokens": 120,
            "saved_input_tokens": 20,
            "savings_nano_usd": 50,
            "price_id": "p_0123456789ab",
            "cost_nano_usd": billed * 2 // 3,
            "margin_bp": 15_000,
            "billed_nano_usd": billed,
            "upstream_request_id": None,
            "ttft_ms": None,
            "duration_ms": 12,
        }
        | data,
    }
    return orjson.dumps(event)


def an_entry(payload: bytes | None, place: int = 1, shard: int = 0) -> StreamEntry:
    """Return the stream's entry number `place`."""
    return StreamEntry(shard=shard, stream_id=f"{NOON_MS}-{place}", payload=payload)


def entries(*numbers: int, **event: Any) -> list[StreamEntry]:
    """Return entries of the events with these numbers, in this order."""
    return [
        an_entry(an_event(number, **event), place, event.get("shard", 0))
        for place, number in enumerate(numbers, 1)
    ]


async def apply(redis: ControlClient, *numbers: int, **event: Any) -> None:
    """Let Redis take the events with these numbers, as the bookkeeper does."""
    shard, producer = event.get("shard", 0), event.get("producer", PRODUCER)
    books = RedisBooks(redis, event.pop("shards", 1))
    await books.begin(shard)
    frames = [
        Frame(number=n, shard=shard, kind=KIND_EVENT, payload=an_event(n, **event), end=0)
        for n in numbers
    ]
    reply = await books.take(producer, shard, frames)
    assert reply.taken is Taken.ALL, reply


def sqlite_ledger(folder: Path) -> Ledger:
    """Return the ledger of `folder`, made the first time."""
    return Ledger(SqliteDatabase(folder / "ledger.sqlite3", create=True), create=True)


def postgres_ledger(url: str) -> Ledger:
    """Return the ledger of a PostgreSQL database, made the first time."""
    from korad.ledger.postgres import PostgresDatabase  # noqa: PLC0415 - its driver is optional

    return Ledger(PostgresDatabase(Secret(url), create=True), create=True)


def drop_postgres_ledger(url: str) -> None:
    """Drop the ledger of a PostgreSQL database, if it has one."""
    import psycopg  # noqa: PLC0415 - optional

    with psycopg.connect(url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS korad CASCADE")


def payloads_of(ledger: Ledger) -> list[str]:
    """Return the booked payloads in the order they were booked."""
    return [row[0] for row in ledger.database.execute("SELECT payload FROM events ORDER BY entry")]


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).parent if here else None


@contextmanager
def running_postgres(port: int | None = None) -> Iterator[str]:
    """Run a PostgreSQL server of its own on a (free) port; yields its URL."""
    programs = postgres_programs()
    assert programs is not None
    port = port or free_port()
    folder = Path(tempfile.mkdtemp(prefix="korad-postgres-"))
    as_other: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")  # PostgreSQL refuses to run as root
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_other = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "korad", "-A", "trust", "-E", "UTF8"]
    subprocess.run(  # noqa: S603
        [*initdb, "--no-sync", "--locale=C"],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_other,
    )
    settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
    options = [word for setting in settings for word in ("-c", setting)]
    server = subprocess.Popen(  # noqa: S603
        [programs / "postgres", "-D", data, "-p", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **as_other,
    )
    try:
        url = f"postgresql://korad@127.0.0.1:{port}/postgres"
        _wait_for_postgres(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # SIGTERM waits for clients to leave
        server.wait(START_TIMEOUT_S)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_postgres(url: str) -> None:
    import psycopg  # noqa: PLC0415 - optional

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
