"""The composition root: settings in, one wired worker out. Nothing else wires anything."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from time import gmtime, strftime

from aiohttp import web

from korad import __version__
from korad.adapters.answers import open_answers
from korad.adapters.books_opening import open_books
from korad.adapters.deadlines import DeadlineWheel
from korad.adapters.key_errors import KeyStoreError
from korad.adapters.key_stores import open_keys
from korad.adapters.key_watch import KeyWatch
from korad.adapters.limiter import RedisLimiter
from korad.adapters.machine import load_machine
from korad.adapters.metrics import Metrics
from korad.adapters.pepper import load_pepper_for
from korad.adapters.recent_requests import RecentRing, RequestIds
from korad.adapters.records import Records
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_url import RedisAddress
from korad.adapters.request_log import RequestLog
from korad.adapters.shared_pages import SharedPages
from korad.auth import KeyRing, digest_key
from korad.billing.pricebook import PriceBook
from korad.clock import unix_s
from korad.config import Settings
from korad.domain.identity import VirtualKey
from korad.domain.upstream import Dialect
from korad.optimizer import Chain, TokenCounter
from korad.providers.anthropic import AnthropicDialect
from korad.providers.anthropic_models import CapabilityTable
from korad.providers.openai import OpenAIDialect
from korad.rooms import Rooms
from korad.routing import Router
from korad.upstream import Pool
from korad.web.control import ControlPlane
from korad.web.drain import Listener, cut_short, turn_nobody_away
from korad.web.fast_lane import FastLane
from korad.web.heads import HeadReader
from korad.web.routes import application
from korad.web.shell import Shell
from korad.wire.known_bodies import KnownBodies

DEMO_KEY = "sk-bf-YOUR_VIRTUAL_KEY"
"""The documentation's key; it exists in demo mode only, in memory only."""
JOURNAL_FOLDER = "journal"
"""In the state folder: one folder per worker."""
HOUSEKEEPING_S = 0.5
CLOSE_TIMEOUT_S = 1.0
"""What is left at the end of a drain gets this long to be closed."""
STDERR = 2

_log = logging.getLogger("korad")


class App:
    """One worker: everything it holds, from start to the end of its drain."""

    def __init__(
        self,
        settings: Settings,
        *,
        encode: Callable[[str], Sequence[int]],
        pages: SharedPages,
        redis: RedisAddress,
        worker: int = 0,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._settings = settings
        self._today = _today()
        pepper = load_pepper_for(settings)
        self._ring = KeyRing([_demo_key(pepper)] if settings.demo else ())
        self._watch = KeyWatch(lambda: open_keys(settings), self._ring)
        counter = TokenCounter(encode)
        capabilities = _capabilities()
        self._rooms = Rooms(
            ring=self._ring,
            router=Router(settings.providers, settings.aliases),
            codecs={
                Dialect.OPENAI: OpenAIDialect(),
                Dialect.ANTHROPIC: AnthropicDialect(capabilities, now_s=unix_s),
            },
            book=_price_book(settings, self._today),
            chain=Chain(counter.count_text),
            counter=counter,
            bodies=KnownBodies(secrets.token_hex(16)),
            cache_minimum=lambda model: capabilities.find(model).cache_min_tokens,
            default_level=settings.optimizer.default_level,
            default_margin_bp=settings.billing.margin_bp,
            user_agent=f"korad/{__version__}",
        )
        self._wheel = DeadlineWheel(loop)
        self._pool = Pool(self._wheel)
        self._metrics = Metrics(pages, worker)
        self._request_log = RequestLog(STDERR) if settings.server.access_log else None
        recent = RecentRing(pages, worker)
        self._records = Records(
            log=self._request_log,
            metrics=self._metrics.own,
            recent=recent,
            call_soon=loop.call_soon,
        )
        self._counters = ThreadPoolExecutor(1, thread_name_prefix="count")
        self._transformers = ThreadPoolExecutor(1, thread_name_prefix="transform")
        self._failures: Counter[str] = Counter()
        self._answers = open_answers(settings.cache, redis)
        self._books = open_books(
            settings.state_dir / JOURNAL_FOLDER,
            load_machine(settings.state_dir / JOURNAL_FOLDER),
            slots=settings.server.inflight_max,
            shards=settings.redis.shards,
            segment_bytes=settings.billing.segment_bytes,
            durability=settings.billing.durability,
            call_soon=loop.call_soon,
            from_thread=loop.call_soon_threadsafe,
        )
        self._pipeline = RedisPipeline(redis)
        self._limiter = RedisLimiter(
            self._pipeline, shards=settings.redis.shards, settings=settings.limits
        )
        self._metrics.own.add("korad_recovered_exchanges_total", self._books.recovered)
        self._shell = Shell(
            rooms=self._rooms,
            pool=self._pool,
            deadlines=self._wheel,
            heads=HeadReader(pepper),
            records=self._records,
            answers=self._answers,
            books=self._books,
            limiter=self._limiter,
            new_keys=self._watch,
            slice_tokens=settings.limits.slice_tokens,
            new_request_id=RequestIds(worker).next,
            settings=settings.server,
            counters=self._counters,
            transformers=self._transformers,
        )
        self._control = ControlPlane(
            self._shell,
            model_names=self._model_names,
            recent=recent,
            render_metrics=self._render_metrics,
        )
        self._runner = web.AppRunner(
            application(self._shell, self._control),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=CLOSE_TIMEOUT_S,
            auto_decompress=False,
            max_line_size=settings.server.head_bytes_max,
            max_field_size=settings.server.head_bytes_max,
        )
        self._listeners: list[Listener] = []
        self._housekeeping: asyncio.Task[None] | None = None

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Load the keys and listen on `sockets`."""
        loop = asyncio.get_running_loop()
        await self._watch.refresh()
        self._pipeline.start()
        self._answers.start()
        self._wheel.start(self._shell.note_date, self._metrics.own.note_lag)
        if self._request_log is not None:
            self._request_log.start()
        await self._runner.setup()
        manager = self._runner.server
        assert manager is not None
        for each in sockets:
            listener = Listener(
                each,
                lambda: FastLane(manager, self._shell, loop=loop, **manager._kwargs),  # noqa: SLF001 - what aiohttp's own factory passes
            )
            await listener.start()
            self._listeners.append(listener)
        self._housekeeping = loop.create_task(self._keep_house())

    @property
    def has_keys(self) -> bool:
        """Whether any virtual key was made; the demo's own does not count."""
        return len(self._ring) > int(self._settings.demo)

    async def stop(self) -> None:
        """Stop accepting, let running exchanges finish (bounded), close everything."""
        shell = self._shell
        shell.closing = True
        deadline_s = asyncio.get_running_loop().time() + self._settings.server.drain_timeout_s
        await turn_nobody_away(self._listeners, self._lanes, deadline_s=deadline_s)
        shell.draining = True
        shell.idle.clear()
        if shell.inflight:
            try:
                async with asyncio.timeout_at(deadline_s):
                    await shell.idle.wait()
            except TimeoutError:
                await cut_short(shell, self._lanes)
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        await self._runner.cleanup()
        await self._pool.close()
        self._wheel.stop()
        self._watch.close()
        self._transformers.shutdown(wait=True)
        self._counters.shutdown(wait=True)
        await self._pipeline.close()
        await self._answers.close()
        self._books.shut()
        self._records.hand_on()
        if self._request_log is not None:
            self._request_log.stop()

    def _lanes(self) -> list[FastLane]:
        manager = self._runner.server
        assert manager is not None
        return [each for each in manager.connections if isinstance(each, FastLane)]

    async def _keep_house(self) -> None:
        """Refresh keys, gauges and, after midnight UTC, prices."""
        told = ""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self._watch.refresh()
                await self._refresh_prices()
            except KeyStoreError as error:
                if str(error) != told:
                    told = str(error)
                    _log.warning("%s; the keys stay as they are, and it is tried again", told)
            except Exception as error:  # noqa: BLE001 - logged below
                # A locked or unreadable store must not end the server: the keys stay as they are.
                if str(error) != told:
                    told = str(error)
                    _log.exception("housekeeping failed; it is tried again")
            else:
                told = ""
            self._note_gauges()

    async def _refresh_prices(self) -> None:
        today = _today()
        if today != self._today:
            loop = asyncio.get_running_loop()
            book = await loop.run_in_executor(None, _price_book, self._settings, today)
            self._rooms.replace_book(book)
            self._today = today

    def _note_gauges(self) -> None:
        self._metrics.own.set("korad_inflight", self._shell.inflight)
        self._metrics.own.set("korad_inflight_slots", self._books.open_slots)
        for name, count in self._limiter.counters.items():
            self._metrics.own.set(f"korad_limits_{name}_total", count)
        journal = self._books.journal
        self._metrics.own.set("korad_journal_bytes", journal.bytes_written)
        self._metrics.own.set("korad_journal_sync_failures_total", journal.sync_failures)
        failures = self._rooms.chain.failures.copy()  # threads count on
        for name, count in (failures - self._failures).items():
            self._metrics.own.add(f'korad_transform_failures_total{{transform="{name}"}}', count)
            self._failures[name] += count
        self._answers.note(self._metrics.own)
        if self._request_log is not None:
            self._metrics.own.set("korad_log_lines_dropped_total", self._request_log.dropped)

    def _render_metrics(self) -> bytes:
        self._note_gauges()
        return self._metrics.render()

    def _model_names(self) -> list[str]:
        names = [
            f"{name}/{model}"
            for name in sorted(self._settings.providers)
            for model in self._rooms.book.models(name)
        ]
        return names + sorted(self._settings.aliases)


def _price_book(settings: Settings, today: str) -> PriceBook:
    data = resources.files("korad.data").joinpath("prices.json").read_bytes()
    return PriceBook.parse(data, settings.prices, today=today)


def _capabilities() -> CapabilityTable:
    table = resources.files("korad.data").joinpath("anthropic_models.toml")
    return CapabilityTable.parse(table.read_text(encoding="utf-8"))


def _demo_key(pepper: bytes) -> VirtualKey:
    return VirtualKey(key_id="vk_demo", name="demo", digest=digest_key(pepper, DEMO_KEY))


def _today() -> str:
    return strftime("%Y-%m-%d", gmtime())
