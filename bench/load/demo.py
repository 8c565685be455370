"""What `--demo` measures: a stand-in provider, and a korad of its own before it.

Both live in a temporary folder and end with the run. With two cores or more korad has the first
for itself, so that load and provider do not take what is measured.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import orjson

from bench.drills import processes
from bench.drills.redis_server import kill_embedded
from bench.load.plan import Target
from bench.machine import ROOT

UPSTREAM_MODEL = "gpt-4o-mini"
UPSTREAM_KEY = "sk-bench-upstream"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0
_READY = 200
_CONFIG = """
[server]
host = "127.0.0.1"
port = 0
workers = {workers}
access_log = false
[providers.openai]
base_url = "{base_url}"
api_key = "env:BENCH_UPSTREAM_KEY"
"""


class DemoError(Exception):
    """korad or the stand-in provider did not start."""


@contextmanager
def running_korad(
    base_url: str, *, workers: int = 1, cpus: Sequence[int] | None = None
) -> Iterator[Target]:
    """Run `korad serve` before a provider at `base_url`, everything on, and yield it as a target.

    cpus: the cores that all its processes are kept to. Its state folder, its keys and its own
    Redis are gone afterwards. Raises DemoError with korad's own words.
    """
    with tempfile.TemporaryDirectory(prefix="korad-bench-") as name:
        folder = Path(name)
        (folder / "korad.toml").write_text(_CONFIG.format(workers=workers, base_url=base_url))
        key = _make_key(folder)
        with (folder / "korad.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program
                _command(folder, "serve"),
                cwd=folder, env=_environment(folder), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            if cpus is not None:
                # Before it has started a worker: they inherit it.
                os.sched_setaffinity(process.pid, cpus)
            port = _wait_ready(folder, process)
            yield Target(
                name="korad",
                url=f"http://127.0.0.1:{port}/v1",
                key=key,
                model=f"openai/{UPSTREAM_MODEL}",
                process_id=process.pid,
            )
        finally:
            _end(process)
            kill_embedded(folder / "state")


def _make_key(folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        _command(folder, "keys", "create", "--json", "--name", "bench"),
        cwd=folder, env=_environment(folder), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DemoError(f"korad keys create: {done.stderr.decode().strip()}")
    key: str = orjson.loads(done.stdout)["key"]
    return key


def _command(folder: Path, *words: str) -> list[str]:
    options = ("--config", str(folder / "korad.toml"), "--state-dir", str(folder / "state"))
    return [sys.executable, "-m", "korad", *words, *options]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "PATH": os.defpath + ":/usr/sbin:/sbin",
        "BENCH_UPSTREAM_KEY": UPSTREAM_KEY,
    }


def _wait_ready(folder: Path, process: subprocess.Popen[bytes]) -> int:
    """Return the port that the banner names, once korad takes requests on it."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        said = (folder / "korad.log").read_text(errors="replace")
        if process.poll() is not None:
            raise DemoError(f"korad ended at its start:\n{said[-2000:]}")
        _, found, rest = said.partition("listening on http://")
        port = rest.partition("\n")[0].rpartition(":")[2].partition("/")[0]
        if found and "\n" in rest and _is_ready(int(port)):
            return int(port)
        time.sleep(0.02)
    raise DemoError(f"korad was not ready within {START_TIMEOUT_S:g} s")


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == _READY
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and kill what has not ended in time: none of its session may be left."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_S)
    for each in processes.in_session(process.pid):
        processes.send(each, signal.SIGKILL)
    process.wait()
