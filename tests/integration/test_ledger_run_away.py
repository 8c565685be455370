"""`korad ledger run` whose servers are away at its start: it waits, unless waiting cannot help."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager

import pytest

from korad.adapters.redis_control import connect_control
from tests.support.ledger import apply, postgres_programs, running_postgres
from tests.support.proxy import ROOT
from tests.support.redis import RedisServer, free_port, redis_binary

__all__ = ["redis_binary"]

TIMEOUT_S = 30


@asynccontextmanager
async def ledger_run(folder, **environ):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "korad", "ledger", "run"),
        cwd=folder,
        env={
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "PATH": os.defpath,
            "KORAD_STATE_DIR": str(folder / "state"),
        }
        | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_with(process, words):
    async with asyncio.timeout(TIMEOUT_S):
        async for line in process.stderr:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"it ended without saying: {words}")


async def outcome(process):
    async with asyncio.timeout(TIMEOUT_S):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed")
async def test_it_waits_for_both_servers_and_books_then(tmp_path, redis_binary):
    pytest.importorskip("psycopg")
    redis = RedisServer(tmp_path / "redis", redis_binary, port=free_port())
    port = free_port()
    url = f"postgresql://korad@127.0.0.1:{port}/postgres"
    async with ledger_run(tmp_path, KORAD_REDIS_URL=redis.url, KORAD_LEDGER_URL=url) as process:
        assert "cannot use Redis" in await line_with(process, "waiting until it answers")
        with redis.start():
            assert "PostgreSQL: " in await line_with(process, "waiting until it answers")
            client = await connect_control(redis.address)
            await apply(client, 1, 2, 3)
            await client.aclose()
            with running_postgres(port):
                await line_with(process, "booking events")
                process.terminate()
                code, said = await outcome(process)
                assert (code, said) == (0, "korad ledger: booked 3 events, knew 0 already\n")

                nobody = url.replace("korad@", "nobody@")
                environ = {"KORAD_REDIS_URL": redis.url, "KORAD_LEDGER_URL": nobody}
                async with ledger_run(tmp_path, **environ) as refused:
                    code, said = await outcome(refused)
                assert code == 1
                assert 'role "nobody" does not exist' in said


async def test_a_wrong_password_of_redis_ends_it(tmp_path, redis_binary):
    config = "requirepass secret"
    with RedisServer(tmp_path / "redis", redis_binary, port=free_port(), config=config) as redis:
        redis.start()
        wrong = redis.url.replace("//", "//:wrong@")
        async with ledger_run(tmp_path, KORAD_REDIS_URL=wrong) as process:
            code, said = await outcome(process)

    assert code == 1
    assert "check the user and password" in said


async def test_it_ends_when_told_to_while_it_waits(tmp_path):
    nowhere = f"redis://127.0.0.1:{free_port()}"
    async with ledger_run(tmp_path, KORAD_REDIS_URL=nowhere) as process:
        await line_with(process, "waiting until it answers")
        process.terminate()
        assert await outcome(process) == (0, "")
