"""`korad export`: the ledger's events as JSON lines or CSV, or its charges as FOCUS 1.2."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from korad.cli.books import (
    add_period_options,
    key_id_of,
    ledger_to_read,
    names_of,
    period_of,
    run_books,
    write_csv,
)
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.config import Settings
from korad.ledger import Ledger
from korad.ledger.entries import Row
from korad.ledger.focus import COLUMNS, focus_rows
from korad.ledger.reports import Period, lines, payloads, rows

CSV_COLUMNS: Final = tuple(name for name in Row._fields if name != "payload")


def add_parser(subparsers: Subparsers) -> None:
    """Add `export` to the command line."""
    summary = "print events or charges for other programs"
    parser = subparsers.add_parser("export", help=summary, description=summary)
    parser.add_argument(
        "--format",
        choices=["csv", "jsonl", "focus"],
        default="jsonl",
        help="jsonl (the default): the events as they are; csv: one row an event; focus: FOCUS 1.2 "
        "by day",
    )
    add_period_options(parser)
    parser.add_argument("--key", metavar="ID|NAME", help="of this key only")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the export and return the exit code."""
    settings = settings_from(args)

    def export() -> int:
        period = period_of(args)
        with ledger_to_read(settings) as ledger:
            key_id = None if args.key is None else key_id_of(settings, args.key)
            if args.format == "focus":
                _focus(settings, ledger, period, key_id)
            elif args.format == "csv":
                write_csv(CSV_COLUMNS, rows(ledger, CSV_COLUMNS, period, key_id))
            else:
                # The events' own bytes, whatever the terminal's encoding is.
                for payload in payloads(ledger, period, key_id):
                    sys.stdout.buffer.write(payload.encode() + b"\n")
        return 0

    return run_books("export", export)


def _focus(settings: Settings, ledger: Ledger, period: Period, key_id: str | None) -> None:
    if not period.of_whole_days:
        raise argparse.ArgumentTypeError("FOCUS rows are of whole days: give dates without a time")
    found = lines(ledger, period, key_id)
    parties = [each for line in found for each in (line.key_id, line.team_id, line.customer_id)]
    names = names_of(settings, parties)
    charges = (row for line in found for row in focus_rows(line, names))
    write_csv(COLUMNS, ([row[name] for name in COLUMNS] for row in charges))
