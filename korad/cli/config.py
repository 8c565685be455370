"""`korad check-config` and `korad models`: what korad makes of its configuration."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import orjson

from korad.billing.pricebook import PriceBook
from korad.cli.config_report import (
    describe_models,
    describe_settings,
    models_text,
    settings_text,
)
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.config import ConfigError

EXIT_INVALID = 2


def add_parser(subparsers: Subparsers) -> None:
    """Add the parsers of `check-config` and `models`."""
    for name, show, summary in (
        ("check-config", _check, "check the configuration and show what korad makes of it"),
        ("models", _models, "list models with their prices"),
    ):
        parser = subparsers.add_parser(name, help=summary, description=summary)
        add_config_options(parser)
        parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
        parser.set_defaults(show=show)


def run(args: argparse.Namespace) -> int:
    """Run the verb that `args` name; a configuration with problems is 2, with all of them told."""
    try:
        text, content = args.show(args)
    except ConfigError as error:
        if not args.as_json:
            raise
        _write_json({"ok": False, "problems": list(error.problems)})
        return EXIT_INVALID
    if args.as_json:
        _write_json(content)
    else:
        sys.stdout.write(text)
    return 0


def _check(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    report = describe_settings(settings_from(args))
    return settings_text(report), {"ok": True, **report}


def _models(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    settings = settings_from(args)
    prices = files("korad").joinpath("data", "prices.json").read_bytes()
    book = PriceBook.parse(prices, settings.prices, today=datetime.now(UTC).date().isoformat())
    report = describe_models(settings, book)
    return models_text(report), report


def _write_json(content: dict[str, Any]) -> None:
    encoded = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(encoded.decode())
