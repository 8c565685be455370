"""From settings to a serving process."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from korad.adapters.embedded_redis import EmbeddedServer, ensure_server
from korad.adapters.key_stores import open_keys
from korad.adapters.private_folder import is_private, make_private_folder
from korad.adapters.redis_url import RedisAddress, parse_redis_url
from korad.adapters.running_server import announced
from korad.adapters.shared_pages import make_pages
from korad.adapters.tokenizer import load_encode
from korad.app import DEMO_KEY, App
from korad.config import ConfigError, Settings, demo_settings
from korad.domain.secret import Secret
from korad.server.bookkeeper import has_bookkeeper, run_bookkeeper
from korad.server.demo import start_simulator
from korad.server.sockets import bind, resolve
from korad.server.supervisor import Job, Supervisor
from korad.server.worker import run_worker

_log = logging.getLogger(__name__)
OPEN_FOLDER = "others than its owner may look into the state folder %s: chmod 700 %s"
STOP_GRACE_S = 5.0
"""On top of the drain: time a worker gets to close what is left."""
NOT_BOOKED = 'nothing is booked by this process: run korad ledger run, or set ledger.run = "on"'


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code. Raises OSError: cannot listen."""
    logging.basicConfig(stream=sys.stderr, format="korad: %(levelname)s %(message)s")
    make_state_folder(settings.state_dir)
    stop_demo: Callable[[], None] | None = None
    if settings.demo:
        openai_url, anthropic_url, stop_demo = start_simulator(settings.state_dir)
        settings = demo_settings(settings, openai_url, anthropic_url)
    redis: EmbeddedServer | None = None
    try:
        # Before any process starts: what a worker would stumble over is told once, and ends here.
        embedded = settings.redis.url is None
        if settings.redis.url is None:
            redis = ensure_server(settings.state_dir)
            address = redis.address
        else:
            address = _address(settings.redis.url)
        if settings.cache.url is not None:
            _address(settings.cache.url, "cache.url")
        open_keys(settings).close()
        return _serve(settings, address, embedded=embedded)
    finally:
        # Whoever goes last ends it, whoever started it.
        if redis is not None and not has_bookkeeper(settings.state_dir):
            redis.stop()
        if stop_demo is not None:
            stop_demo()


def make_state_folder(folder: Path) -> None:
    """Make the folder; warn of one that others may look into. Raises OSError.

    It is not tightened: whoever made it so may have files of their own, or a group, in mind.
    """
    make_private_folder(folder)
    if not is_private(folder):
        _log.warning(OPEN_FOLDER, folder, folder)


def _address(url: Secret, name: str = "redis.url") -> RedisAddress:
    try:
        return parse_redis_url(url.reveal())
    except ValueError as error:
        raise ConfigError([f"{name}: {error}"]) from None


def _serve(settings: Settings, address: RedisAddress, *, embedded: bool) -> int:
    server = settings.server
    share = server.workers > 1
    addresses = resolve(server.host, server.port)
    # Bound but not listening, the first sockets only hold the port for the workers' own.
    held = bind(addresses, share=share)
    port = held[0].getsockname()[1]
    settings = replace(settings, server=replace(server, port=port))
    encode = load_encode(settings.state_dir)
    pages = make_pages(server.workers + 1)  # the last is the bookkeeper's

    def ready(app: App) -> None:
        print(banner(settings, has_keys=app.has_keys), flush=True)  # noqa: T201 - for a terminal

    def work(index: int) -> None:
        sockets = held
        if share:
            sockets = bind([(each.family, each.getsockname()) for each in held], share=True)
            _close(held)
        run_worker(
            settings,
            sockets,
            encode=encode,
            pages=pages,
            redis=address,
            worker=index,
            ready=ready if index == 0 else lambda _: None,
        )

    jobs = [
        Job(name=f"worker {index}", run=partial(work, index)) for index in range(server.workers)
    ]

    def keep_books() -> None:
        _close(held)
        run_bookkeeper(settings, address, embedded=embedded, pages=pages)

    jobs.append(Job(name="bookkeeper", run=keep_books, last=True))
    stop_timeout_s = server.drain_timeout_s + STOP_GRACE_S
    # A worker alone listens on the very sockets held here, so that nobody is turned away while it
    # is started anew: they are closed before it drains, else it could not stop taking connections.
    with announced(settings.state_dir, server.host, port):
        return Supervisor(jobs, stop_timeout_s=stop_timeout_s, on_stop=partial(_close, held)).run()


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()


def banner(settings: Settings, *, has_keys: bool) -> str:
    """Return what a person at the terminal needs to know at the start."""
    server = settings.server
    host = "localhost" if server.host in ("localhost", "127.0.0.1", "::1") else server.host
    if ":" in host:
        host = f"[{host}]"
    lines = [f"korad is listening on http://{host}:{server.port}/v1"]
    if settings.demo:
        lines += [
            "DEMO MODE: no provider is called. Every model is a built-in simulator, every answer",
            f"is made up, and the key {DEMO_KEY} exists. Set OPENAI_API_KEY or",
            "ANTHROPIC_API_KEY (or write a korad.toml) to serve real providers.",
        ]
        if has_keys:
            lines.append(
                "WARNING: the keys made here get such answers too, and are billed for them; "
                "KORAD_DEMO=false rules that out"
            )
    else:
        lines.append(f"providers: {', '.join(sorted(settings.providers))}")
        if not has_keys:
            lines.append("no virtual key exists yet; create one:  korad keys create --name NAME")
    if settings.redis.url is not None and settings.ledger.run != "on":
        lines.append(f"WARNING: {NOT_BOOKED}")
    return "\n".join(lines)
