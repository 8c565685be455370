"""`korad audit`: whether journal, stream, balances and ledger tell of the same money.

Exit codes: 0 nothing differs; 1 something does, events are still under way, or it cannot be told.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from korad.cli.books import ledger_to_read, redis_of, run_books
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.cli.output import table, write, write_json
from korad.config import Settings
from korad.ledger.amounts import exact_usd
from korad.ledger.audit import Audit
from korad.ledger.audit_report import Account, AuditReport, Tally
from korad.ledger.audit_sources import Journals, Place

WAIT_S = 10.0
JOURNAL_FOLDER = "journal"
_SHOWN_MAX = 20
FOOTNOTE = (
    '("5 to 9": five events, the highest number 9; a producer numbers its events of a shard.\n'
    " REDIS: the last number taken.)\n"
)


def add_parser(subparsers: Subparsers) -> None:
    """Add `audit` to the command line."""
    summary = "compare journal, stream, balances and ledger"
    parser = subparsers.add_parser("audit", help=summary, description=summary)
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    parser.add_argument(
        "--wait",
        type=_read_seconds,
        default=WAIT_S,
        metavar="SECONDS",
        help=f"how long to wait for events that are under way (default: {WAIT_S:g})",
    )
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Make the audit, print it, and return the exit code."""
    settings = settings_from(args)

    def audit() -> int:
        report = asyncio.run(_make(settings, args.wait))
        if args.as_json:
            write_json(as_object(report))
        else:
            write(as_text(report))
        return 0 if report.is_clean and not report.under_way else 1

    return run_books("audit", audit)


async def _make(settings: Settings, wait_s: float) -> AuditReport:
    with ledger_to_read(settings) as ledger:
        async with redis_of(settings) as redis:
            journals = Journals(settings.state_dir / JOURNAL_FOLDER)
            return await Audit(ledger, redis, settings.redis.shards, journals).make(wait_s)


def verdict(report: AuditReport) -> str:
    """Return the last line: what the audit comes to."""
    return (
        f"difference {report.difference_nano_usd} nano-USD, {report.missing} missing, "
        f"{report.double} double"
    )


def as_text(report: AuditReport) -> str:
    """Return the audit for a person."""
    shown = {place: each for place, each in report.accounts.items() if _is_of_interest(each)}
    head = ("PRODUCER", "SHARD", "JOURNAL", "STREAM", "REDIS", "LEDGER", "BILLED USD", "STATE")
    text = table([head, *[_cells(place, account) for place, account in shown.items()]])
    text += FOOTNOTE if shown else ""
    others = len(report.accounts) - len(shown)
    if others:
        text += f"and {others} that have ended, all in the ledger\n"
    text += f"\n{report.entities} balances of keys, teams and customers compared\n"
    for (producer, shard), account in report.accounts.items():
        if account.missing:
            first = ", ".join(map(str, account.first_missing[:_SHOWN_MAX]))
            text += f"missing: {account.missing} of {producer} shard {shard:02d}: {first}\n"
    for (shard, entity), (redis, events) in list(report.balances.items())[:_SHOWN_MAX]:
        text += (
            f"balance of {entity}, shard {shard:02d}: {exact_usd(redis)} USD in Redis, "
            f"{exact_usd(events)} by its events\n"
        )
    for request_id, count in report.doubles[:_SHOWN_MAX]:
        text += f"booked {count} times: request {request_id}\n"
    text += "".join(f"{fault}\n" for fault in report.faults)
    if report.under_way:
        text += (
            f"events still under way to the ledger: {report.under_way}; no loss, but the audit "
            "is not complete: try again, with korad or `korad ledger run` running\n"
        )
    return f"{text}{verdict(report)}\n"


def as_object(report: AuditReport) -> dict[str, Any]:
    """Return the audit as `--json` prints it; amounts are nano-USD."""
    return {
        "clean": report.is_clean and not report.under_way,
        "difference_nano_usd": report.difference_nano_usd,
        "missing": report.missing,
        "double": report.double,
        "under_way": report.under_way,
        "balances_compared": report.entities,
        "balances": [
            {"shard": shard, "entity": entity, "redis_nano_usd": redis, "events_nano_usd": events}
            for (shard, entity), (redis, events) in report.balances.items()
        ],
        "doubles": [
            {"request_id": request_id, "times": count} for request_id, count in report.doubles
        ],
        "faults": report.faults,
        "producers": [
            {
                "producer": producer,
                "shard": shard,
                "journal": _tally(account.journal),
                "stream": _tally(account.stream),
                "ledger": _tally(account.ledger),
                "redis_number": account.redis_number,
                "checkpoint": account.checkpoint,
                "under_way": account.under_way,
                "missing": account.missing,
                "first_missing": account.first_missing,
            }
            for (producer, shard), account in report.accounts.items()
        ],
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {
        "events": tally.events,
        "highest": tally.highest,
        "billed_nano_usd": tally.billed_nano_usd,
    }


def _is_of_interest(account: Account) -> bool:
    return bool(
        account.redis_number is not None
        or account.journal.events
        or account.stream.events
        or account.missing
        or account.under_way
    )


def _cells(place: Place, account: Account) -> tuple[str, ...]:
    producer, shard = place
    state = "ok"
    if account.missing:
        state = f"{account.missing} missing"
    elif account.under_way:
        state = f"{account.under_way} under way"
    return (
        producer,
        f"{shard:02d}",
        _count(account.journal),
        _count(account.stream),
        "-" if account.redis_number is None else str(account.redis_number),
        _count(account.ledger),
        exact_usd(account.ledger.billed_nano_usd),
        state,
    )


def _count(tally: Tally) -> str:
    return f"{tally.events} to {tally.highest}" if tally.events else "-"


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds from 0 to 86400")
    return seconds
