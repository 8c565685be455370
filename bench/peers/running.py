"""Peers while they run: started on their core, asked until they answer, checked, ended by id."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Collection
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import orjson

from bench.drills.redis_server import kill_embedded
from bench.load.plan import Target
from bench.peers.install import SERVER_PATH
from bench.peers.korad import ROOT, STATE
from bench.peers.peer import (
    READY_TIMEOUT_S,
    Launch,
    MissingPeerError,
    Peer,
    Program,
    Site,
)
from bench.peers.reaper import Reaper, end_session
from bench.ports import free_port

STOP_TIMEOUT_S = 15.0
_OK, _REFUSED = 200, range(400, 500)
_LOOK_EVERY_S = 0.1
_LOG_CHARS = 400


class RunningPeer:
    """One started peer."""

    def __init__(
        self,
        peer: Peer,
        launch: Launch,
        site: Site,
        process: subprocess.Popen[bytes],
        reaper: Reaper,
    ) -> None:
        self.peer = peer
        self._launch = launch
        self._site = site
        self._process = process
        self._reaper = reaper
        reaper.watch(process.pid)

    @property
    def process_id(self) -> int:
        """The root of its process tree."""
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._site.port

    @property
    def target(self) -> Target:
        """How the load generator reaches and samples it."""
        return Target(
            name=self.peer.name,
            url=f"http://127.0.0.1:{self._site.port}/v1",
            key=self._launch.key,
            model=self._launch.model,
            headers=self._launch.headers,
            process_id=self.process_id,
        )

    def wait_ready(self) -> None:
        """Wait for its first good answer, then make sure that it checks keys if it is said to.

        Raises MissingPeerError with the end of its log.
        """
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        status, body = 0, b""
        while status != _OK:
            if self._process.poll() is not None:
                raise MissingPeerError(f"ended at its start: {self._log_tail()}")
            if time.monotonic() > deadline_s:
                answer = body[:_LOG_CHARS].decode(errors="replace")
                raise MissingPeerError(f"not ready: status {status} {answer} {self._log_tail()}")
            time.sleep(_LOOK_EVERY_S)
            status, body = self._ask(self._launch.key)
        if self.peer.checks_keys:
            refused, _ = self._ask("sk-" + secrets.token_hex(16))
            if refused not in _REFUSED:
                raise MissingPeerError(f"answers a wrong client key with status {refused}")

    def ask_once(self, *, stream: bool) -> None:
        """Send one request. Raises MissingPeerError if it is not answered as it should be."""
        status, body = self._ask(self._launch.key, stream=stream)
        kind = "a stream" if stream else "a request"
        if status != _OK:
            raise MissingPeerError(f"answers {kind} with status {status}: {self._log_tail()}")
        if stream and not body.rstrip().endswith(b"data: [DONE]"):
            raise MissingPeerError("does not send a stream to its end")

    def ended(self) -> str | None:
        """Return how it has ended; None: it runs."""
        code = self._process.poll()
        return None if code is None else f"ended with code {code}: {self._log_tail()}"

    def stop(self) -> None:
        """Ask it to end, and kill what has not: nothing of it is left afterwards."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        end_session(self.process_id)
        self._process.wait()
        kill_embedded(self._site.folder / STATE)
        self._reaper.forget(self.process_id)

    def _ask(self, key: str, *, stream: bool = False) -> tuple[int, bytes]:
        messages = [{"role": "user", "content": "ready?"}]
        body = {"model": self._launch.model, "messages": messages, "stream": stream}
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection = HTTPConnection("127.0.0.1", self._site.port, timeout=10)
        try:
            connection.request(
                "POST", "/v1/chat/completions", orjson.dumps(body), headers | self._launch.headers
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()

    def _log_tail(self) -> str:
        text = (self._site.folder / "output.log").read_text(errors="replace").strip()
        return without_keys(text[-_LOG_CHARS:], self._site)


def start(  # noqa: PLR0913 - who, where and between whom
    peer: Peer,
    program: Program,
    folder: Path,
    *,
    provider: tuple[int, str],
    cpus: Collection[int],
    reaper: Reaper,
    workers: int = 1,
) -> RunningPeer:
    """Start a peer that forwards to `provider` (port, key), on those cores.

    It is not ready yet. Raises MissingPeerError, OSError.
    """
    provider_port, provider_key = provider
    folder.mkdir(parents=True)
    client_key = "sk-bench-" + secrets.token_hex(16)
    site = Site(folder, free_port(), provider_port, client_key, provider_key, workers)
    launch = peer.launch(program, site)
    return RunningPeer(peer, launch, site, _spawn(launch, folder, cpus), reaper)


def without_keys(text: str, site: Site) -> str:
    """Return the text without the site's keys and this machine's folders."""
    for each in (site.client_key, site.provider_key):
        text = text.replace(each, "...")
    return text.replace(str(site.folder), ".").replace(str(ROOT), ".")


def _spawn(launch: Launch, folder: Path, cpus: Collection[int]) -> subprocess.Popen[bytes]:
    before = os.sched_getaffinity(0)
    with (folder / "output.log").open("ab") as log:
        # A child takes its parent's cores with it: so it never runs on others, not even at first.
        os.sched_setaffinity(0, cpus)
        try:
            return subprocess.Popen(  # noqa: S603 - our own words
                launch.command,
                cwd=folder,
                env={"PATH": SERVER_PATH} | launch.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.sched_setaffinity(0, before)
