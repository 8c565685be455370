"""One worker process: an event loop, an `App`, and the wait for a signal."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import uvloop

from korad.adapters.redis_url import RedisAddress
from korad.adapters.shared_pages import SharedPages
from korad.app import App
from korad.config import Settings
from korad.server.time_slice import ask_for_short_slices

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_KEPT_BYTES = 64 * 1024 * 1024
_GC_YOUNG = 50_000
"""Container allocations between collections: an exchange leaves no cycles behind, so the default
of 700 would look at live objects for nothing, several times per hundred requests."""

SPARE_FILES = 64
"""Open files that are no client's and no provider's: journal, keys, Redis, standard streams."""

_SWITCH_INTERVAL_S = 0.0005
"""How long a thread that transforms a prompt may keep the event loop waiting for the interpreter;
the default of 5 ms would be seen in other requests' latency."""

_log = logging.getLogger("korad")

Encode = Callable[[str], Sequence[int]]


def run_worker(  # noqa: PLR0913 - the parts of a worker
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    encode: Encode,
    pages: SharedPages,
    redis: RedisAddress,
    worker: int,
    ready: Callable[[App], None],
) -> None:
    """Serve until SIGTERM or SIGINT, drain, return."""
    keep_freed_memory()
    settings = _within(allow_open_files(), settings)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    ask_for_short_slices()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            _serve(
                sockets,
                lambda: App(settings, encode=encode, pages=pages, redis=redis, worker=worker),
                ready,
            )
        )


def keep_freed_memory() -> None:
    """Let glibc keep what a big body freed.

    Giving it back and faulting it in again costs a 200 KB request more than parsing it (203 us
    against 410).
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return  # musl has no such knob
    mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT_BYTES)
    mallopt(_M_TOP_PAD, _KEPT_BYTES // 16)


def allow_open_files() -> int:
    """Raise the limit on open files to what the system allows; return it: a stream needs two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        # macOS calls its limit infinite and refuses to set that.
        _log.warning("the limit on open files stays as it is: %s", error)
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _within(files: int, settings: Settings) -> Settings:
    """Return the settings with no more client connections than leave each a provider's."""
    room = max(1, (files - SPARE_FILES) // 2)
    if files == resource.RLIM_INFINITY or settings.server.connections_max <= room:
        return settings
    return replace(settings, server=replace(settings.server, connections_max=room))


async def _serve(
    sockets: Sequence[socket.socket], make_app: Callable[[], App], ready: Callable[[App], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = make_app()
    await app.start(sockets)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_YOUNG, 20, 50)
    ready(app)
    await stop.wait()
    await app.stop()
