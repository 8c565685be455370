"""`korad ledger run`: book the events of the stream, as a process of its own.

`korad serve` does the same where it has a Redis of its own, or where `ledger.run` says "on".
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys

from korad.cli.books import redis_of, run_books
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.config import Settings
from korad.ledger import LedgerConsumer, open_ledger
from korad.ledger.consumer import Foreign


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
    async with redis_of(settings) as redis:
        with open_ledger(settings, create=True) as ledger:
            consumer = LedgerConsumer(ledger, redis, shards, keep_s, foreign=foreign)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, consumer.stop)
            sys.stderr.write("korad ledger: booking events; end it with Ctrl-C\n")
            await consumer.run()
            status = consumer.status
    sys.stderr.write(
        f"korad ledger: booked {status.booked} events, knew {status.duplicates} already\n"
    )
    return 0
