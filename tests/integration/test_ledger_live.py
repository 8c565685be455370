"""The ledger beside its readers: a verb that looks must not take anything away."""

from __future__ import annotations

import asyncio
import sys

import orjson

from korad.simulator import Simulator
from tests.support.proxy import ROOT, config_text, served
from tests.support.raw_http import ask, chat, request


async def korad(state_dir, *words):
    """Run a verb and return its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "korad", *words, "--state-dir", str(state_dir)),
        env={"HOME": str(state_dir), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode, out


async def booked(state_dir, count):
    async with asyncio.timeout(20):
        while True:
            _, out = await korad(state_dir, "usage", "--by", "key", "--json")
            if (found := sum(line["events"] for line in orjson.loads(out))) >= count:
                return found


async def test_who_looks_into_the_ledger_leaves_it_whole(tmp_path):
    async with Simulator() as simulator, served(tmp_path, config_text(simulator)) as server:
        for round_number in (1, 2, 3):
            for _ in range(4):
                assert 200 == (await ask(server.port, request(chat()))).status
            assert 4 * round_number == await booked(server.state_dir, 4 * round_number)
        code, out = await korad(server.state_dir, "audit", "--json")
        assert 0 == code, out
        assert 0 == await server.end()
