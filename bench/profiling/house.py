"""A whole korad worker in this process, wired as `korad serve` wires it, with books and one key."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

from bench.profiling.ends import Client, Ends
from korad.adapters.key_store import open_key_store
from korad.adapters.redis_url import unix_address
from korad.adapters.shared_pages import make_pages
from korad.adapters.tokenizer import load_encode
from korad.app import App
from korad.config import load_settings
from korad.server.sockets import bind, resolve

KEY = "sk-bf-profile-0123456789"
_WORKERS_THRESHOLD = (50_000, 20, 50)
"""As `korad.server.worker` sets it."""
_CREATED_S = 1_764_158_400
_CONFIG = """
[server]
host = "127.0.0.1"
port = 0
access_log = false
[providers.openai]
base_url = "http://127.0.0.1:{port}/v1"
api_key = "env:PROFILE_UPSTREAM_KEY"
"""
# What the official Python client sends.
_HEAD = (
    "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
    "Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r\n"
    "X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 3.54.0\r\nX-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.7\r\nAuthorization: Bearer {key}\r\n"
    "X-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_SENTENCE = "All animals are equal, but some animals are more equal than others. "


class Kind(NamedTuple):
    """What is asked again and again."""

    stream: bool
    body_bytes: int = 300
    fresh: bool = False
    """Whether each prompt is one that korad has not seen."""

    def request(self, number: int) -> bytes:
        """Return the whole request of that number."""
        text = f"{number:09d} " if self.fresh else "000000000 "
        asked: dict[str, object] = {
            "model": "openai/gpt-4o-mini",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": text},
            ],
        }
        if self.stream:
            asked["stream"] = True
        missing = max(0, self.body_bytes - len(orjson.dumps(asked)))
        text += (_SENTENCE * (missing // len(_SENTENCE) + 1))[:missing]
        asked["messages"] = [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": text},
        ]
        body = orjson.dumps(asked)
        return _HEAD.format(key=KEY, length=len(body)).encode() + body


class Clients(NamedTuple):
    """Two clients of one provider: what only one of them takes is korad's."""

    korad: Client
    direct: Client
    """Connected to the provider itself."""

    def close(self) -> None:
        """Hang up."""
        self.korad.close()
        self.direct.close()


@asynccontextmanager
async def running(*, chunks: int) -> AsyncIterator[Clients]:
    """Run provider, korad and clients in this event loop; give the clients, connected."""
    ends = Ends(chunks=chunks)
    with tempfile.TemporaryDirectory(prefix="korad-profile-") as name:
        state_dir = Path(name)
        server, port = await ends.listen()
        config = state_dir / "korad.toml"
        config.write_text(_CONFIG.format(port=port), encoding="utf-8")
        settings = load_settings(
            config,
            {
                "HOME": name,
                "KORAD_STATE_DIR": str(state_dir / "state"),
                "PROFILE_UPSTREAM_KEY": "sk-stand-in",
            },
        )
        with open_key_store(settings.state_dir) as store:
            store.create("profile", now_s=_CREATED_S, secret=KEY)
        # A key without limits asks no Redis; events are shipped by another process.
        app = App(
            settings,
            encode=load_encode(settings.state_dir),
            pages=make_pages(1),
            redis=unix_address(str(state_dir / "no-redis.sock")),
        )
        sockets = bind(resolve("127.0.0.1", 0), share=False)
        await app.start(sockets)
        clients = Clients(await ends.connect(sockets[0].getsockname()[1]), await ends.connect(port))
        threshold = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_WORKERS_THRESHOLD)
        try:
            yield clients
        finally:
            clients.close()
            await asyncio.sleep(0)
            await app.stop()
            server.close()
            await server.wait_closed()
            gc.set_threshold(*threshold)
            gc.unfreeze()
