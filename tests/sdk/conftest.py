"""korad and the simulator behind it, on an event loop in a thread of their own.

The SDKs are then used as their users use them: blocking, asynchronous, or from another process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from korad.adapters.key_store import open_key_store
from korad.adapters.shared_pages import make_pages
from korad.adapters.tokenizer import load_encode
from korad.app import DEMO_KEY, App
from korad.config import demo_settings, load_settings
from korad.server.sockets import bind, resolve
from korad.simulator import Script, Simulator
from tests.support.proxy import NO_REDIS

START_TIMEOUT_S = 30.0
PATIENT_S = 50.0
"""Hundreds of calls at once make one slow loop of client, korad and provider."""
INACTIVE_KEY = "sk-bf-inactive-0000000000000000"
NARROW_KEY = "sk-bf-narrow-000000000000000000"
"""May use nothing but openai/gpt-4o."""


class Proxy:
    """A korad whose only provider is `simulator`, at $2.00 per million tokens, with 1.50 margin."""

    key = DEMO_KEY
    inactive_key = INACTIVE_KEY
    narrow_key = NARROW_KEY

    def __init__(self, state_dir: Path, *, anthropic_base_url: str | None = None) -> None:
        self.simulator = Simulator()
        self._anthropic_base_url = anthropic_base_url
        self.port = 0
        self._state_dir = state_dir
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="korad")

    @property
    def base_url(self) -> str:
        """Return what the SDKs take as `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def script(self) -> Script:
        """Return what the simulator does with requests from now on."""
        return self.simulator.script

    @script.setter
    def script(self, script: Script) -> None:
        self.simulator.script = script

    def until(self, predicate: Callable[[], bool]) -> None:
        """Block until `predicate` holds of the simulator."""
        waiting = self.simulator.until(predicate)
        asyncio.run_coroutine_threadsafe(waiting, self._loop).result(START_TIMEOUT_S)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(START_TIMEOUT_S)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_TIMEOUT_S)
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - raised again where the tests run
            self._failure = failure
        finally:
            self._started.set()

    async def _serve(self) -> None:
        async with self.simulator as simulator:
            settings = load_settings(None, {"KORAD_STATE_DIR": str(self._state_dir)})
            anthropic_base_url = self._anthropic_base_url or simulator.anthropic_base_url
            settings = demo_settings(settings, simulator.openai_base_url, anthropic_base_url)
            patient = {
                name: replace(row, timeouts=replace(row.timeouts, connect_s=PATIENT_S))
                for name, row in settings.providers.items()
            }
            server = replace(settings.server, access_log=False)
            settings = replace(settings, server=server, providers=patient)
            sockets = bind(resolve("127.0.0.1", 0), share=False)
            self.port = sockets[0].getsockname()[1]
            app = App(
                settings, encode=load_encode(self._state_dir), pages=make_pages(1), redis=NO_REDIS
            )
            await app.start(sockets)
            self._started.set()
            await self._stop.wait()
            await app.stop()


@pytest.fixture(scope="session")
def running_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    state_dir = tmp_path_factory.mktemp("korad")
    with open_key_store(state_dir) as store:
        store.create("inactive", now_s=1, secret=INACTIVE_KEY, active=False)
        models = frozenset({"openai/gpt-4o"})
        store.create("narrow", now_s=1, secret=NARROW_KEY, allowed_models=models)
    proxy = Proxy(state_dir)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def proxy(running_proxy: Proxy) -> Proxy:
    running_proxy.simulator.reset()
    return running_proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[OpenAI]:
    with OpenAI(base_url=proxy.base_url, api_key=proxy.key, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(proxy: Proxy) -> AsyncIterator[AsyncOpenAI]:
    # An SDK gives a connection 5 s.
    async with AsyncOpenAI(
        base_url=proxy.base_url, api_key=proxy.key, max_retries=0, timeout=PATIENT_S
    ) as client:
        yield client


@pytest.fixture(params=["openai/gpt-4o", "anthropic/claude-sonnet-4-5-20250929"])
def model(request: pytest.FixtureRequest) -> Any:
    """Return a model of each dialect in turn."""
    return request.param
