"""The bookkeeper: one process beside the workers that ships their journals and runs the ledger.

It can be killed at any time: where it was is told by the numbers in Redis and in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import uvloop

from korad.adapters.books_opening import adopt_orphans
from korad.adapters.books_source import BooksSource
from korad.adapters.embedded_redis import EmbeddedRedisError, ensure_server
from korad.adapters.key_stores import open_keys
from korad.adapters.machine import load_machine
from korad.adapters.metrics import MetricsPage
from korad.adapters.private_folder import make_private_folder
from korad.adapters.redis_books import RedisBooks
from korad.adapters.redis_control import UNAVAILABLE, ControlClient, connect_control
from korad.adapters.redis_url import RedisAddress
from korad.adapters.shared_pages import SharedPages
from korad.adapters.shipping import Shipper
from korad.app import JOURNAL_FOLDER
from korad.clock import unix_ns
from korad.config import Settings
from korad.ledger.consumer import LedgerConsumer
from korad.ledger.database import LedgerError, LedgerUnavailableError
from korad.ledger.opening import LEDGER_FILE, open_ledger
from korad.ledger.store import Ledger
from korad.server.ledger_source import LedgerSource
from korad.web.admin import AdminServer

LOCK_FILE = "bookkeeper.lock"
RETRY_S = 1.0
METRICS_S = 0.5
DRAIN_S = 5.0
"""How long the last events may take to reach Redis when korad stops; the rest waits on the disk."""

_LEDGERS = 3
_log = logging.getLogger("korad")


def run_bookkeeper(
    settings: Settings, address: RedisAddress, *, embedded: bool, pages: SharedPages
) -> None:
    """Keep the books until SIGTERM."""
    # An interrupt at the terminal reaches every process; the workers' last events come after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    page = MetricsPage(pages.metrics[-1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Bookkeeper(settings, address, page, embedded=embedded).run())


def has_bookkeeper(state_dir: Path) -> bool:
    """Return whether a bookkeeper works on this state folder: another korad's, once ours ended."""
    try:
        descriptor = os.open(state_dir / JOURNAL_FOLDER / LOCK_FILE, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


class _Bookkeeper:
    def __init__(
        self, settings: Settings, address: RedisAddress, page: MetricsPage, *, embedded: bool
    ) -> None:
        self._settings = settings
        self._address = address
        self._page = page
        self._embedded = embedded
        self._stop = asyncio.Event()
        self._ledger_is_away = False
        self._journal_dir = settings.state_dir / JOURNAL_FOLDER
        self._runs_ledger = settings.ledger.run == "on" or (
            settings.ledger.run == "auto" and embedded
        )

    async def run(self) -> None:
        """Keep the books until told to stop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop.set)
        lock = await self._become_the_only_one()
        if lock is None:
            return
        machine = load_machine(self._journal_dir)
        told = await asyncio.to_thread(
            adopt_orphans,
            self._journal_dir,
            machine,
            shards=self._settings.redis.shards,
            segment_bytes=self._settings.billing.segment_bytes,
        )
        self._page.add("korad_recovered_exchanges_total", told)
        client = await self._connect()
        if client is None:
            return
        ledgers = self._open_ledgers()
        admin = self._admin(client, ledgers)
        try:
            await self._start_admin(admin)
            await self._keep(client, machine, ledgers)
        finally:
            if admin is not None:
                await admin.stop()
            for ledger in ledgers:
                ledger.close()
            await client.aclose()
            os.close(lock)

    def _admin(self, client: ControlClient, ledgers: list[Ledger]) -> AdminServer | None:
        settings = self._settings
        if settings.admin.listen is None or settings.admin_token is None:
            return None
        return AdminServer(
            settings.admin.listen,
            settings.admin_token,
            state_dir=settings.state_dir,
            open_keys=lambda: open_keys(settings),
            ledger=ledgers[-1] if ledgers else None,
            redis=client,
            shards=settings.redis.shards,
        )

    async def _start_admin(self, admin: AdminServer | None) -> None:
        if admin is None:
            return
        try:
            await admin.start()
        except (OSError, ValueError) as error:
            # Billing goes on: who manages keys can wait.
            _log.error("the admin API does not start: %s", error)

    async def _keep(self, client: ControlClient, machine: str, ledgers: list[Ledger]) -> None:
        settings = self._settings
        source: BooksSource | None = LedgerSource(ledgers[0]) if ledgers else None
        shipper = Shipper(
            self._journal_dir,
            RedisBooks(client, settings.redis.shards),
            machine=machine,
            shards=settings.redis.shards,
            source=source,
            keep_s=settings.billing.journal_keep_s,
            now_ms=_now_ms,
        )
        consumer = (
            LedgerConsumer(ledgers[1], client, settings.redis.shards, settings.ledger.stream_keep_s)
            if self._runs_ledger and ledgers
            else None
        )
        shipping = asyncio.create_task(shipper.run())
        booking = None if consumer is None else asyncio.create_task(consumer.run())
        watching = asyncio.create_task(self._watch(shipper, consumer))
        returning = asyncio.create_task(self._ledger_back()) if self._ledger_is_away else None
        tasks = [task for task in (shipping, booking, returning) if task is not None]
        stopped = asyncio.create_task(self._stop.wait())
        # Whichever ends, the supervisor starts us anew: with the ledger, or because of a bug.
        await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        shipper.stop()
        await shipping
        if not await shipper.drain(DRAIN_S):
            _log.warning("not all events have reached Redis; they wait in the journal")
        if consumer is not None and booking is not None:
            consumer.stop()
            await booking
        for task in (watching, stopped, returning):
            if task is not None:
                task.cancel()
        shipper.close()

    async def _watch(self, shipper: Shipper, consumer: LedgerConsumer | None) -> None:
        """Tell the metrics, and start korad's own Redis again if it has ended."""
        page = self._page
        while True:
            for name, count in shipper.counts.items():
                page.set(f"korad_books_{name}_total", count)
            page.set("korad_redis_up", int(shipper.redis_up))
            since_ms = shipper.waiting_since_ms
            waiting_s = 0 if since_ms is None else max(0, _now_ms() - since_ms) // 1_000
            page.set("korad_journal_oldest_unshipped_age", waiting_s)
            page.set("korad_journal_damaged", len(shipper.damaged))
            if consumer is not None:
                page.set("korad_ledger_lag_events", consumer.status.lag_events)
                page.set("korad_ledger_booked_total", consumer.status.booked)
                page.set("korad_ledger_conflicts_total", consumer.status.conflicts)
            if self._embedded and not shipper.redis_up:
                await asyncio.to_thread(self._restart_redis)
            await asyncio.sleep(METRICS_S)

    def _restart_redis(self) -> None:
        try:
            ensure_server(self._settings.state_dir)
        except (EmbeddedRedisError, OSError) as error:
            _log.error("korad's own Redis does not start: %s", error)

    async def _become_the_only_one(self) -> int | None:
        """Return the lock of this state folder's bookkeeper; None: told to stop while waiting."""
        make_private_folder(self._journal_dir)
        path: Path = self._journal_dir / LOCK_FILE
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        while True:
            try:
                flock(descriptor, LOCK_EX | LOCK_NB)
            except OSError:
                # Another korad runs on this state folder; it ships for both.
                if await self._stopped_within(RETRY_S):
                    os.close(descriptor)
                    return None
            else:
                return descriptor

    async def _connect(self) -> ControlClient | None:
        """Return a client whose server has answered; None: told to stop before it did."""
        told = ""
        # At a hand-over the korad that ends has stopped the Redis of both: that is no error, it
        # starts again.
        may_start = self._embedded
        while not self._stop.is_set():
            try:
                return await connect_control(self._address)
            except UNAVAILABLE as error:
                if not may_start and str(error) != told:
                    told = str(error)
                    _log.error("%s; events wait in the journal", told)
            if self._embedded:
                await asyncio.to_thread(self._restart_redis)
            if not may_start:
                await self._stopped_within(RETRY_S)
            may_start = False
        return None

    def _open_ledgers(self) -> list[Ledger]:
        """Return one for the shipper, one for the consumer, one for the admin API; or none.

        None of them waits for another.
        """
        ledgers: list[Ledger] = []
        while len(ledgers) < _LEDGERS:
            ledger = self._open_ledger()
            if ledger is None:
                for each in ledgers:
                    each.close()
                return []
            ledgers.append(ledger)
        return ledgers

    def _open_ledger(self) -> Ledger | None:
        settings = self._settings
        here = settings.ledger.url is not None or (settings.state_dir / LEDGER_FILE).exists()
        if not here and not self._runs_ledger:
            return None
        try:
            return open_ledger(settings, create=True)
        except LedgerError as error:
            self._ledger_is_away = isinstance(error, LedgerUnavailableError)
            until = " until it answers" if self._ledger_is_away else ""
            _log.error("the ledger cannot be used: %s; events stay in Redis%s", error, until)
            return None

    async def _ledger_back(self) -> None:
        """Wait until a ledger that was away at the start answers."""
        while not await asyncio.to_thread(self._ledger_answers):
            if await self._stopped_within(RETRY_S):
                return
        _log.warning("the ledger answers now: the bookkeeper starts anew")

    def _ledger_answers(self) -> bool:
        try:
            open_ledger(self._settings, create=True).close()
        except LedgerUnavailableError:
            return False
        except LedgerError:
            return True  # the next start tells what is wrong with it
        return True

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True


def _now_ms() -> int:
    return unix_ns() // 1_000_000
