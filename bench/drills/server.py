"""A korad of the drill's own: its configuration, its processes, and what it tells of itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import orjson

from bench.drills import processes
from bench.drills.provider import ROOT
from bench.drills.redis_server import kill_embedded
from bench.ports import free_port
from korad.adapters.inflight import read_open_slots

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0
INPUT_PICO_USD = 37_500
OUTPUT_PICO_USD = 150_100
"""Prices per token that do not divide evenly, so that wrong rounding shows."""
MARGIN_BP = 15_000
_FORMAT = """
[server]
host = "127.0.0.1"
port = {port}
workers = {workers}
access_log = false
{server}
[billing]
margin = {margin}
{billing}
[providers.openai]
base_url = "http://127.0.0.1:{provider_port}/v1"
api_key = "env:DRILL_UPSTREAM_KEY"
{openai}
[prices."*"]
input = {input_price}
output = {output_price}
{tail}
"""


class Korad:
    """One state folder and the processes that serve from it, one start after another."""

    def __init__(  # noqa: PLR0913 - a configuration
        self,
        folder: Path,
        provider_port: int,
        *,
        workers: int = 2,
        server: str = "",
        billing: str = "",
        openai: str = "",
        tail: str = "",
        environ: dict[str, str] | None = None,
        state: Path | None = None,
    ) -> None:
        self.folder = folder
        self.state = state or folder / "state"
        self.port = free_port()
        self.workers = workers
        self._environ = environ or {}
        self._listening: set[int] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._config = folder / "korad.toml"
        self._config.write_text(
            _FORMAT.format(
                port=self.port,
                workers=workers,
                margin=MARGIN_BP / 10_000,
                provider_port=provider_port,
                input_price=INPUT_PICO_USD / 1e6,
                output_price=OUTPUT_PICO_USD / 1e6,
                server=server,
                billing=billing,
                openai=openai,
                tail=tail,
            )
        )

    # ── its processes ────────────────────────────────────────────────────────────────────────

    async def start(self, prefix: tuple[str, ...] = ()) -> None:
        """Start `korad serve` and wait until all its workers listen. Raises TimeoutError."""
        with (self.folder / "korad.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *prefix,
                *self._command("serve"),
                cwd=self.folder,
                env=self._env(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._listening.clear()
        async with asyncio.timeout(START_TIMEOUT_S):
            while len(self.worker_ids()) < self.workers or not self.is_ready():
                if self._process.returncode is not None:
                    raise RuntimeError(f"korad ended at its start:\n{self.log()[-2000:]}")
                await asyncio.sleep(0.02)

    async def replace(self) -> int:
        """Start another on the same port and state folder, then end this one; return its code."""
        former = self._process
        assert former is not None
        await self.start()
        former.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                return await former.wait()
        except TimeoutError:
            os.killpg(former.pid, signal.SIGKILL)
            await former.wait()
            return -9

    @property
    def process_id(self) -> int:
        """The supervisor, or the only process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the first process is still there."""
        return self._process is not None and self._process.returncode is None

    def worker_ids(self) -> list[int]:
        """Return the processes that listen on the port now."""
        if not self.runs:
            return []
        family = [*processes.children(self.process_id), self.process_id]
        # Who has listened once still does: the kernel's table of sockets is long under load.
        self._listening.intersection_update(family)
        for each in family:
            if each not in self._listening and processes.listens_on(each, self.port):
                self._listening.add(each)
        return sorted(self._listening)

    def bookkeeper_ids(self) -> list[int]:
        """Return the supervisor's children that are no workers."""
        workers = self.worker_ids()
        return [
            each
            for each in processes.children(self.process_id)
            if each not in workers
            and "redis" not in processes.command_line(each)
            and "valkey" not in processes.command_line(each)
        ]

    async def kill_tree(self, *, redis: bool) -> None:
        """Kill -9 every process at once; with `redis` the embedded server too."""
        assert self._process is not None
        group = self._process.pid
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        if redis:
            kill_embedded(self.state)
        await self._process.wait()
        while left := processes.in_session(group):
            for each in left:
                processes.send(each, signal.SIGKILL)
            await asyncio.sleep(0.01)

    async def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit code; kill what does not end."""
        process = self._process
        if process is None:
            return 0
        group = process.pid
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                code = await process.wait()
        except TimeoutError:
            code = -9
        for each in processes.in_session(group):
            processes.send(each, signal.SIGKILL)
        if process.returncode is None:
            await process.wait()
        return code

    async def end(self) -> None:
        """Leave nothing running, not even the embedded Redis."""
        try:
            await self.stop()
        finally:
            kill_embedded(self.state)

    # ── what it tells ────────────────────────────────────────────────────────────────────────

    def is_ready(self) -> bool:
        """Whether it takes requests now."""
        return self.get("/readyz")[0] == 200  # noqa: PLR2004 - OK

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a page; (0, b"") when nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """Return every sample of `/metrics` by its full name."""
        _, page = self.get("/metrics")
        lines = [line for line in page.decode().splitlines() if line and line[0] != "#"]
        return {name: float(text) for name, _, text in (line.rpartition(" ") for line in lines)}

    def open_slots(self) -> int:
        """Return how many exchanges the in-flight files call open."""
        return sum(len(read_open_slots(path)[1]) for path in self.state.glob("journal/w*/inflight"))

    def log(self) -> str:
        """Return what was said so far."""
        return (self.folder / "korad.log").read_text(errors="replace")

    # ── its verbs ────────────────────────────────────────────────────────────────────────────

    async def verb(self, *words: str) -> tuple[int, bytes, bytes]:
        """Run `korad WORDS` on this state folder; return exit code, output and errors."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*words),
            cwd=self.folder,
            env=self._env(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out, err

    async def make_key(self, name: str, *options: str) -> tuple[str, str]:
        """Create a virtual key and return (its id, its secret). Raises RuntimeError."""
        code, out, err = await self.verb("keys", "create", "--json", "--name", name, *options)
        if code:
            raise RuntimeError(f"korad keys create: {err.decode()}")
        made: dict[str, Any] = orjson.loads(out)
        return made["id"], made["key"]

    def _command(self, *words: str) -> list[str]:
        options = ("--config", str(self._config), "--state-dir", str(self.state))
        return [sys.executable, "-m", "korad", *words, *options]

    def _env(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "PATH": os.defpath + ":/usr/sbin:/sbin",
            "DRILL_UPSTREAM_KEY": "sk-drill",
        } | self._environ
