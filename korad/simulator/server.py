"""The simulator itself: a listening socket, its connections, and what tests look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import orjson

from korad.clock import unix_s
from korad.simulator.connection import Connection, Play
from korad.simulator.delivery import End, Send, Step
from korad.simulator.ledger import CapturedRequest, Ledger, LedgerEntry, RequestLog
from korad.simulator.script import Script, script_from_json
from korad.simulator.service import Provider
from korad.simulator.words import Count, count_words

CONTROL_PATH = "/_simulator/"
BACKLOG = 1024
"""Connections the kernel holds for us: a load test opens hundreds at once."""


class Simulator:
    """A stand-in for OpenAI's and Anthropic's APIs on a loopback port.

    Every request is answered as `script` says at that moment; texts and ids follow from `seed`.
    With `directives` a request may change its own script, by an `x-simulate` header or by
    "[[simulate fault=...]]" in its last user message; `demo` answers say that they are simulated.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        seed: int = 1,
        demo: bool = False,
        directives: bool | None = None,
        count: Count = count_words,
        now_s: Callable[[], int] = unix_s,
    ) -> None:
        self._now_s = now_s
        self._provider = Provider(
            script or Script(),
            seed=seed,
            demo=demo,
            directives=not demo if directives is None else directives,
            count=count,
            now_s=now_s,
        )
        self._requests = RequestLog()
        self._connections: set[Connection] = set()
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._server: asyncio.Server | None = None
        self._host = ""
        self._port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self, loop), host, port, backlog=BACKLOG
        )
        self._host = host
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop all connections. Stopping twice is fine."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in list(self._connections):
            connection.abort()
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"<Simulator on {self._host}:{self._port}, {len(self.ledger)} ledger entries>"

    # where it is

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return self._port

    @property
    def openai_base_url(self) -> str:
        """Return what an OpenAI SDK takes as `base_url`."""
        return f"{self.anthropic_base_url}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """Return what an Anthropic SDK takes as `base_url`."""
        return f"http://{self._host}:{self._port}"

    # what it does and has done

    @property
    def script(self) -> Script:
        """Return what is done with requests from now on; assign another at any time."""
        return self._provider.script

    @script.setter
    def script(self, script: Script) -> None:
        self._provider.script = script

    @property
    def ledger(self) -> Ledger:
        """Return its own books, by the request's x-request-id (else the answer's own id)."""
        return self._provider.ledger

    @property
    def requests(self) -> list[CapturedRequest]:
        """Return the last requests, oldest first; control requests are not among them."""
        return self._requests.as_list()

    @property
    def connections(self) -> int:
        """Return how many connections are open now."""
        return len(self._connections)

    def reset(self) -> None:
        """Forget requests and ledger, and go back to the plain script."""
        self._provider.script = Script()
        self.ledger.clear()
        self._requests.clear()

    async def until(self, predicate: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait until `predicate` holds; asked again whenever something happens here.

        Raises TimeoutError.
        """
        if predicate():
            return
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watcher = (predicate, happened)
        self._watchers.append(watcher)
        try:
            await asyncio.wait_for(happened, timeout_s)
        finally:
            self._watchers.remove(watcher)

    # what its connections ask

    def answer(self, request: CapturedRequest) -> Play:
        """Return how `request` is answered."""
        if request.path.startswith(CONTROL_PATH):
            status, body = self._control(request)
            return Play(iter(_plain(status, body)), LedgerEntry(dialect="control"))
        self._requests.append(request)
        return self._provider.answer(request)

    def opened(self, connection: Connection) -> None:
        """Take note of a new connection."""
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """Take note that a connection is gone."""
        self._connections.discard(connection)

    def progressed(self) -> None:
        """Look again at what `until` waits for."""
        for predicate, happened in self._watchers:
            if happened.done():
                continue
            try:
                held = predicate()
            except Exception as error:  # noqa: BLE001 - it belongs to who waits, not to the connection
                happened.set_exception(error)
            else:
                if held:
                    happened.set_result(None)

    def now_s(self) -> int:
        """Return Unix seconds."""
        return self._now_s()

    def _control(self, request: CapturedRequest) -> tuple[int, bytes]:
        verb = f"{request.method} {request.path.removeprefix(CONTROL_PATH)}"
        if verb == "GET ledger":
            return 200, orjson.dumps(dict(self.ledger))
        if verb == "POST reset":
            self.reset()
            return 200, b"{}"
        if verb != "POST script":
            return 404, orjson.dumps({"error": f"The simulator has no {verb}."})
        try:
            self.script = script_from_json(request.body)
        except ValueError as error:
            return 400, orjson.dumps({"error": str(error)})
        return 200, b"{}"


def _plain(status: int, body: bytes) -> list[Step]:
    framing = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return [Send(b"HTTP/1.1 %d Simulated\r\n%b%b" % (status, framing, body)), End.INCOMPLETE]
