"""`korad check-config` and `korad models`: what korad makes of its configuration."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, TypeAlias

import orjson
from redis.exceptions import RedisError

from korad.adapters.redis_control import UNAVAILABLE, connect_control
from korad.adapters.redis_url import RedisAddress
from korad.billing.pricebook import PriceBook
from korad.cli.books import address_of
from korad.cli.config_report import (
    describe_models,
    describe_settings,
    models_text,
    settings_text,
)
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.config import ConfigError

EXIT_INVALID = 2

Shown: TypeAlias = tuple[str, dict[str, Any], int]
"""Text, the same as an object, exit code."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the parsers of `check-config` and `models`."""
    for name, show, summary in (
        ("check-config", _check, "check the configuration and show what korad makes of it"),
        ("models", _models, "list models with their prices"),
    ):
        parser = subparsers.add_parser(name, help=summary, description=summary)
        add_config_options(parser)
        parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
        if name == "check-config":
            parser.add_argument(
                "--connect",
                action="store_true",
                help="connect to Redis too; exit code 1 if it does not answer",
            )
        parser.set_defaults(show=show)


def run(args: argparse.Namespace) -> int:
    """Run the verb that `args` name; a configuration with problems is 2, with all of them told."""
    try:
        text, content, code = args.show(args)
    except ConfigError as error:
        if not args.as_json:
            raise
        _write_json({"ok": False, "problems": list(error.problems)})
        return EXIT_INVALID
    if args.as_json:
        _write_json(content)
    else:
        sys.stdout.write(text)
    return int(code)


def _check(args: argparse.Namespace) -> Shown:
    settings = settings_from(args)
    try:
        is_asked = args.connect or settings.redis.url is not None
        address = address_of(settings) if is_asked else None
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    report = describe_settings(settings)
    text = settings_text(report)
    starts = bool(settings.providers)
    if not args.connect:
        return text, {"ok": starts, **report}, int(not starts)
    where, fault = _connect(address)
    text += f"\nRedis: {where}{': ' if fault else ''}{fault or ''}\n"
    connection = {"redis": where, "ok": fault is None, "error": fault}
    is_well = starts and fault is None
    return text, {"ok": is_well, "connection": connection, **report}, int(not is_well)


def _connect(address: RedisAddress | None) -> tuple[str, str | None]:
    """Return where Redis is, and why it does not answer, None if it does."""
    if address is None:
        # `serve` starts it: that it does not run is no fault.
        return "korad's own, which `korad serve` starts; it does not run", None

    async def ask() -> None:
        await (await connect_control(address)).aclose()

    try:
        asyncio.run(ask())
    except (RedisError, ValueError, *UNAVAILABLE) as error:
        return address.label, str(error) or type(error).__name__
    return f"{address.label} answers", None


def _models(args: argparse.Namespace) -> Shown:
    settings = settings_from(args)
    prices = files("korad").joinpath("data", "prices.json").read_bytes()
    book = PriceBook.parse(prices, settings.prices, today=datetime.now(UTC).date().isoformat())
    report = describe_models(settings, book)
    return models_text(report), report, 0


def _write_json(content: dict[str, Any]) -> None:
    encoded = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(encoded.decode())
