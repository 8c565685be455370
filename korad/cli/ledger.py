"""`korad ledger run`: book the events of the stream, as a process of its own.

`korad serve` does the same where it has a Redis of its own, or where `ledger.run` says "on".
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Final, TypeVar

from korad.adapters.redis_control import RedisRefusedError, RedisUnavailableError
from korad.cli.books import redis_of, run_books
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.config import Settings
from korad.ledger import Ledger, LedgerConsumer, open_ledger
from korad.ledger.consumer import ConsumerStatus, Foreign
from korad.ledger.database import LedgerRefusedError, LedgerUnavailableError

RETRY_S: Final = 1.0
LOOK_S: Final = 0.2

T = TypeVar("T")
_log = logging.getLogger("korad")


def add_parser(subparsers: Subparsers) -> None:
    """Add `ledger` and its verb to the command line."""
    parser = subparsers.add_parser("ledger", help="book billing events")
    verbs = parser.add_subparsers(dest="ledger_verb", metavar="VERB", required=True)
    summary = "book the events of the stream until interrupted"
    run_parser = verbs.add_parser("run", help=summary, description=summary)
    run_parser.add_argument(
        "--take-over",
        action="store_true",
        help="book the events of a Redis that another ledger books so far, which is gone for good "
        "or ends with this; without it that is an error",
    )
    add_config_options(run_parser)


def run(args: argparse.Namespace) -> int:
    """Consume until SIGTERM or SIGINT and return the exit code."""
    settings = settings_from(args)
    logging.basicConfig(stream=sys.stderr, format="korad: %(message)s", level=logging.INFO)
    foreign = Foreign.TAKE_OVER if args.take_over else Foreign.FAIL
    return run_books("ledger", lambda: asyncio.run(_consume(settings, foreign)))


async def _consume(settings: Settings, foreign: Foreign) -> int:
    shards, keep_s = settings.redis.shards, settings.ledger.stream_keep_s
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    _on_signal(loop, stopping.set)
    async with AsyncExitStack() as stack:
        redis = await _once_there(
            lambda: stack.enter_async_context(redis_of(settings)), RedisUnavailableError, stopping
        )
        ledger = await _once_there(
            lambda: asyncio.to_thread(open_ledger, settings, create=True),
            # A file that cannot be opened will not come.
            () if settings.ledger.url is None else LedgerUnavailableError,
            stopping,
        )
        if redis is None or ledger is None:
            return 0
        stack.enter_context(ledger)
        consumer = LedgerConsumer(ledger, redis, shards, keep_s, foreign=foreign)
        _on_signal(loop, consumer.stop)
        if stopping.is_set():
            consumer.stop()
        telling = asyncio.create_task(_tell(ledger, consumer.status))
        await consumer.run()
        telling.cancel()
        status = consumer.status
    sys.stderr.write(
        f"korad ledger: booked {status.booked} events, knew {status.duplicates} already\n"
    )
    return 0


async def _tell(ledger: Ledger, status: ConsumerStatus) -> None:
    """Say whether events are booked here, or by another process until that ends."""
    is_other = False
    with suppress(LedgerUnavailableError):  # the consumer tells that, and tries again
        # It is the consumer's lease too: this only takes it a moment before.
        is_other = not await asyncio.to_thread(ledger.take_lease)
    if is_other:
        sys.stderr.write(
            "korad ledger: another process books this ledger's events already, as `korad serve` "
            "does where it has a Redis of its own or ledger.run is on; waiting to take its place, "
            "end it with Ctrl-C\n"
        )
        while not status.active:  # noqa: ASYNC110 - a status, which nobody waits for else
            await asyncio.sleep(LOOK_S)
    sys.stderr.write("korad ledger: booking events; end it with Ctrl-C\n")


async def _once_there(
    connect: Callable[[], Awaitable[T]],
    away: type[Exception] | tuple[()],
    stopping: asyncio.Event,
) -> T | None:
    """Return what `connect` does once its server answers; None: told to stop before it did.

    Services start in any order. Who is let in nowhere is told so at once: waiting helps nobody.
    """
    told = ""
    while not stopping.is_set():
        try:
            return await connect()
        except (RedisRefusedError, LedgerRefusedError):
            raise
        except away as error:
            if str(error) != told:
                told = str(error)
                _log.error("%s; waiting until it answers", told)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RETRY_S)
    return None


def _on_signal(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, call)
