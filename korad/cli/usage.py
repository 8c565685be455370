"""`korad usage`: what was used, saved and billed, from the ledger."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from korad.cli.books import (
    add_period_options,
    ledger_to_read,
    names_of,
    period_of,
    run_books,
    write_csv,
)
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.cli.output import table, write, write_json
from korad.ledger.amounts import exact_usd
from korad.ledger.invoice import grouped_figures
from korad.ledger.reports import Line, lines

_GROUPS: Final[dict[str, Callable[[Line], str]]] = {
    "key": lambda line: line.key_id,
    "model": lambda line: f"{line.provider}/{line.model}",
    "day": lambda line: line.day,
    "team": lambda line: line.team_id,
    "customer": lambda line: line.customer_id,
}
_NAMED: Final = {"key", "team", "customer"}
"""What has an id and, beside it, a name."""
_TOKENS: Final = ("events", "input_tokens", "output_tokens", "cached_tokens", "saved_tokens")
_MONEY: Final = ("cost_nano_usd", "billed_nano_usd", "savings_nano_usd")
_HEAD: Final = ("REQUESTS", "INPUT", "OUTPUT", "CACHED", "SAVED", "COST", "BILLED", "SAVED")
_UNITS: Final = ("", *["tokens"] * 4, *["USD"] * 3)


def add_parser(subparsers: Subparsers) -> None:
    """Add `usage` to the command line."""
    summary = "sum up what was used and billed"
    parser = subparsers.add_parser("usage", help=summary, description=summary)
    parser.add_argument("--by", choices=sorted(_GROUPS), default="key", help="default: key")
    add_period_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print JSON")
    form.add_argument("--format", dest="form", choices=["table", "csv", "json"], default="table")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print the sums and return the exit code."""
    settings = settings_from(args)

    def usage() -> int:
        with ledger_to_read(settings) as ledger:
            found = lines(ledger, period_of(args))
        groups = grouped_figures(found, _GROUPS[args.by])
        names = names_of(settings, [name for name, _ in groups]) if args.by in _NAMED else {}
        _show(args.form, args.by, groups, {name: names.get(name, "") for name, _ in groups})
        return 0

    return run_books("usage", usage)


def _show(
    form: str, by: str, groups: list[tuple[str, dict[str, int]]], names: dict[str, str]
) -> None:
    if form == "json":
        write_json([_object(by, name, figures, names) for name, figures in groups])
    elif form == "csv":
        head = [by, *(["name"] if by in _NAMED else []), *_TOKENS, *_MONEY]
        write_csv(head, [_cells(by, each, figures, names) for each, figures in groups])
    elif not groups:
        write("No events in this period.\n")
    else:
        total = {key: sum(figures[key] for _, figures in groups) for key in (*_TOKENS, *_MONEY)}
        is_named = by in _NAMED
        rows = [
            (name or f"(no {by})", *([names[name]] if is_named else []), *_shown(figures))
            for name, figures in groups
        ]
        unnamed = [""] if is_named else []
        titles = (by.upper(), *(["NAME"] if is_named else []), *_HEAD)
        foot = ("total", *unnamed, *_shown(total))
        write(table([titles, ("", *unnamed, *_UNITS), *rows, foot], numbers=len(_HEAD)))


def _object(by: str, name: str, figures: dict[str, int], names: dict[str, str]) -> dict[str, Any]:
    named = {"name": names[name] or None} if by in _NAMED else {}
    return {by: name or None, **named, **figures}


def _cells(by: str, name: str, figures: dict[str, int], names: dict[str, str]) -> list[object]:
    named = [names[name]] if by in _NAMED else []
    return [name, *named, *(figures[key] for key in (*_TOKENS, *_MONEY))]


def _shown(figures: dict[str, int]) -> list[str]:
    tokens = [str(figures[key]) for key in _TOKENS]
    return tokens + [exact_usd(figures[key]) for key in _MONEY]
