"""A whole korad between a test and the simulator: in this process, or as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

import korad
from korad.adapters.embedded_redis import ensure_server, find_running
from korad.adapters.key_store import open_key_store
from korad.adapters.redis_url import RedisAddress, unix_address
from korad.adapters.shared_pages import make_pages
from korad.app import App
from korad.config import Settings, load_settings
from korad.server.sockets import bind, resolve
from korad.simulator import LedgerEntry, Simulator
from tests.support.raw_http import KEY

ROOT = Path(korad.__file__).parents[1]
UPSTREAM_SECRET = "sk-the-provider-must-be-the-only-one-to-see-this"
REVOKED_KEY = "sk-bf-integration-revoked"
EXPIRED_KEY = "sk-bf-integration-expired"
LIMITED_KEY = "sk-bf-integration-limited"
NOW_S = 1_700_000_000
READY_TIMEOUT_S = 30.0

NO_REDIS = unix_address("/nonexistent/redis.sock")

Encode = Callable[[str], Sequence[int]]


def encode_words(text: str) -> list[int]:
    """Stand in for the tokenizer: one token a word."""
    return [0] * len(text.split())


@dataclass
class Proxy:
    """A running korad and what stands behind it."""

    port: int
    simulator: Simulator
    app: App
    settings: Settings

    @property
    def entry(self) -> LedgerEntry:
        """Return the only request that the provider has seen."""
        (entry,) = self.simulator.ledger.values()
        return entry


_KEY_FILES: dict[str, bytes] = {}
"""What `make_keys` puts into a state folder, once it has been made."""


def make_keys(state_dir: Path) -> None:
    """Create a good, a revoked, an expired and a limited key."""
    if state_dir.exists():
        _create_keys(state_dir)
        return
    if not _KEY_FILES:
        with tempfile.TemporaryDirectory(prefix="korad-keys-") as folder:
            _create_keys(Path(folder) / "state")
            files = (Path(folder) / "state").iterdir()
            _KEY_FILES.update({file.name: file.read_bytes() for file in files})
    state_dir.mkdir(mode=0o700)
    for name, content in _KEY_FILES.items():
        (state_dir / name).touch(mode=0o600)
        (state_dir / name).write_bytes(content)


def _create_keys(state_dir: Path) -> None:
    with open_key_store(state_dir) as store:
        store.create("good", now_s=NOW_S, secret=KEY)
        store.create("revoked", now_s=NOW_S, secret=REVOKED_KEY)
        store.revoke("revoked")
        store.create("expired", now_s=NOW_S, secret=EXPIRED_KEY, expires_at_s=NOW_S)
        store.create(
            "limited",
            now_s=NOW_S,
            secret=LIMITED_KEY,
            allowed_providers=frozenset({"openai"}),
            allowed_models=frozenset({"gpt-4o-mini"}),
        )


def config_text(
    simulator: Simulator,
    *,
    server: str = "",
    openai: str = "",
    openai_base_url: str | None = None,
    tail: str = "",
) -> str:
    """Return a configuration file; the arguments are further lines of its tables."""
    return f"""
[server]
host = "127.0.0.1"
port = 0
{server}
[providers.openai]
base_url = "{openai_base_url or simulator.openai_base_url}"
api_key = "env:TEST_UPSTREAM_KEY"
{openai}
[providers.anthropic]
base_url = "{simulator.anthropic_base_url}"
api_key = "env:TEST_UPSTREAM_KEY"
[aliases]
quick = "openai/gpt-4o-mini"
[prices."*"]
input = 2.0
output = 2.0
{tail}
"""


def settings_of(tmp_path: Path, text: str) -> Settings:
    """Return the settings that a file of this text gives."""
    file = tmp_path / "korad.toml"
    file.write_text(text)
    environ = {
        "HOME": str(tmp_path),
        "KORAD_STATE_DIR": str(tmp_path / "state"),
        "TEST_UPSTREAM_KEY": UPSTREAM_SECRET,
    }
    return load_settings(file, environ)


@contextlib.asynccontextmanager
async def running_proxy(
    tmp_path: Path,
    *,
    encode: Encode = encode_words,
    redis: RedisAddress = NO_REDIS,
    server: str = "access_log = false",
    openai: str = "",
    openai_base_url: str | None = None,
    tail: str = "",
) -> AsyncIterator[Proxy]:
    """Run a simulator and an App on free loopback ports; see `config_text`."""
    async with Simulator(now_s=lambda: NOW_S) as simulator:
        text = config_text(
            simulator, server=server, openai=openai, openai_base_url=openai_base_url, tail=tail
        )
        settings = settings_of(tmp_path, text)
        make_keys(settings.state_dir)
        app = App(settings, encode=encode, pages=make_pages(1), redis=redis)
        sockets = bind(resolve("127.0.0.1", 0), share=False)
        await app.start(sockets)
        try:
            yield Proxy(sockets[0].getsockname()[1], simulator, app, settings)
        finally:
            await app.stop()


@dataclass
class Served:
    """A `korad serve` process."""

    process: asyncio.subprocess.Process
    port: int
    state_dir: Path
    banner: str
    stderr: list[bytes] = field(default_factory=list)
    _reader: asyncio.Task[None] | None = None

    @property
    def log(self) -> list[dict[str, object]]:
        """Return the request log so far."""
        return [orjson.loads(line) for line in self.stderr if line.startswith(b"{")]

    @property
    def words(self) -> bytes:
        """Return everything that was said on standard error so far."""
        return b"".join(self.stderr)

    async def collect(self) -> None:
        """Gather standard error until it ends."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.stderr.append(line)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Return the exit code once the process is over and has said all it had to say."""
        async with asyncio.timeout(READY_TIMEOUT_S):
            code = await self.process.wait()
            assert self._reader is not None
            await self._reader
        return code


def stop_embedded_redis(state_dir: Path) -> None:
    """End korad's own Redis where a kill has left it running, as it is meant to."""
    if find_running(state_dir) is not None:
        ensure_server(state_dir).stop()


@contextlib.asynccontextmanager
async def served(
    tmp_path: Path, text: str, *options: str, environ: dict[str, str] | None = None
) -> AsyncIterator[Served]:
    """Run `korad serve` with a configuration file of this text, and wait for its banner."""
    file = tmp_path / "korad.toml"
    file.write_text(text)
    state_dir = tmp_path / "state"
    make_keys(state_dir)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "korad", "serve", "--config", str(file), "--state-dir", str(state_dir), *options),
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "TEST_UPSTREAM_KEY": UPSTREAM_SECRET,
            "PATH": os.defpath,
        }
        | (environ or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    running = Served(process, 0, state_dir, "")
    running._reader = asyncio.create_task(running.collect())
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            first = (await process.stdout.readline()).decode()
        assert first, running.words
        running.banner = first
        running.port = int(first.rpartition(":")[2].partition("/")[0])
        yield running
    finally:
        if process.returncode is None:
            # Its workers are in its session: none may outlive a failed test.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await running.ended()
        stop_embedded_redis(state_dir)
