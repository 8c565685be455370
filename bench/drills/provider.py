"""The stand-in provider in a process of its own: it keeps its books while korad is killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson

START_TIMEOUT_S = 20.0
ROOT = Path(__file__).resolve().parents[2]
Entries = dict[str, dict[str, Any]]
"""The provider's ledger: korad's request id to what was sent for it."""


class StandIn:
    """A running `korad simulate`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    @classmethod
    async def start(cls, folder: Path, *, seed: int) -> StandIn:
        """Start it on a free port. Raises TimeoutError."""
        with (folder / "provider.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "korad", "simulate", "--port", "0", "--seed", str(seed)),
                env={"PYTHONPATH": str(ROOT), "HOME": str(folder)},
                cwd=folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT_S):
            line = (await process.stdout.readline()).decode()
        return cls(process, int(line.rpartition(":")[2]))

    @property
    def process_id(self) -> int:
        """Its process."""
        return self._process.pid

    async def ledger(self) -> Entries:
        """Return what it was asked and what it sent."""
        entries: Entries = orjson.loads(await self._control("GET", "ledger"))
        return entries

    async def set_script(self, **members: Any) -> None:
        """Answer so from now on; the members of `korad.simulator.Script`."""
        await self._control("POST", "script", orjson.dumps(members))

    async def stop(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _control(self, method: str, verb: str, body: bytes = b"") -> bytes:
        return await asyncio.to_thread(self._request, method, f"/_simulator/{verb}", body)

    def _request(self, method: str, path: str, body: bytes) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise RuntimeError(f"the stand-in provider refused: {data!r}")
        return data
