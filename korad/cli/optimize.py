"""`korad optimize`: what a savings level would do to a request, without sending it anywhere."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import unified_diff
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from korad.adapters.tokenizer import TokenizerError, load_encode
from korad.billing.pricebook import PriceBook
from korad.billing.rating import savings_nano_usd
from korad.cli.options import Subparsers, add_config_options, settings_from
from korad.config import Settings
from korad.domain.chat import ChatRequest
from korad.domain.money import Price
from korad.errors import ClientError, invalid_request
from korad.optimizer import LEVELS, NO_CACHE_POLICY, CachePolicy, TokenCounter
from korad.optimizer.account import Account, account
from korad.wire.openai import encode_members, parse_chat_request

EXIT_FAILED = 1
_SUMMARY = "show what a savings level would do to a request"
_NANO_USD = 1_000_000_000


def add_parser(subparsers: Subparsers) -> None:
    """Add the parser of `optimize`."""
    parser = subparsers.add_parser("optimize", help=_SUMMARY, description=_SUMMARY)
    parser.add_argument("file", metavar="FILE", help="a chat-completions request body; - is stdin")
    parser.add_argument(
        "--level",
        type=str.lower,
        choices=LEVELS,
        help="savings level (default: the configured one)",
    )
    parser.add_argument("--diff", action="store_true", help="show the texts that change")
    parser.add_argument("--json", dest="as_json", action="store_true", help="print JSON")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Print tokens and dollars before and after, per transform."""
    settings = settings_from(args)
    try:
        raw = _read(args.file)
        if not raw.strip():
            raise invalid_request("The request is empty.", code="invalid_json")
        request = parse_chat_request(raw)
        counter = TokenCounter(load_encode(settings.state_dir))
    except (OSError, ClientError, TokenizerError) as error:
        sys.stderr.write(f"korad optimize: {error}\n")
        return EXIT_FAILED
    level = args.level or settings.optimizer.default_level
    told = account(request, level, counter, _policy(request.model))
    price = _price(settings, request.model)
    if args.as_json:
        sys.stdout.write(_as_json(request, told, price, level))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _as_text(told, price, level))
        if args.diff:
            sys.stdout.writelines(_diff(told))
    return 0


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise OSError(f"{file} cannot be read: {error.strerror}") from error


def _policy(model: str) -> CachePolicy:
    return CachePolicy(marks=True) if "claude" in model.lower() else NO_CACHE_POLICY


def _price(settings: Settings, name: str) -> Price | None:
    """Return the list price of `name`, or None: savings are then told in tokens only."""
    prices = files("korad").joinpath("data", "prices.json").read_bytes()
    overrides = {} if settings.demo else settings.prices  # the demo's prices are invented
    book = PriceBook.parse(prices, overrides, today=datetime.now(UTC).date().isoformat())
    provider, _, model = settings.aliases.get(name, name).partition("/")
    return book.find(provider, model)


def _as_text(told: Account, price: Price | None, level: str) -> Iterator[str]:
    yield f"level     {level}"
    yield f"strategy  {told.strategy}"
    yield ""
    rows = [("", "tokens", "saved", "USD saved")]
    rows.append(("original", f"{told.original_tokens:,}", "", ""))
    rows.extend(
        (
            step.name,
            f"{step.tokens_after:,}",
            f"{step.tokens_before - step.tokens_after:,}",
            _usd(step.tokens_before, step.tokens_after, price),
        )
        for step in told.steps
    )
    original, sent = told.original_tokens, told.optimized_tokens
    share = (original - sent) / original
    rows.append(
        ("sent", f"{sent:,}", f"{original - sent:,} ({share:.1%})", _usd(original, sent, price))
    )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        name, *cells = row
        yield "  ".join(
            [name.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))]
        ).rstrip()
    if price is None:
        yield "(this model has no known price: savings in tokens only; korad would refuse it)"


def _usd(before: int, after: int, price: Price | None) -> str:
    if price is None:
        return ""
    return f"${savings_nano_usd(before, after, price) / _NANO_USD:.6f}"


def _diff(told: Account) -> Iterator[str]:
    for change in told.changes:
        place = "" if change.message is None else f"message {change.message} "
        title = f"{place}({change.role})" if place else "tool definitions"
        yield "\n"
        for line in unified_diff(
            change.before.split("\n"),
            change.after.split("\n"),
            fromfile=f"{title} as it came",
            tofile=f"{title} as it is sent",
            lineterm="",
            n=1,
        ):
            yield f"{line}\n"


def _as_json(request: ChatRequest, told: Account, price: Price | None, level: str) -> str:
    def saved(before: int, after: int) -> int | None:
        return None if price is None else savings_nano_usd(before, after, price)

    content: dict[str, Any] = {
        "model": request.model,
        "level": level,
        "strategy": told.strategy,
        "original_tokens": told.original_tokens,
        "optimized_tokens": told.optimized_tokens,
        "savings_nano_usd": saved(told.original_tokens, told.optimized_tokens),
        "transforms": [
            {
                "name": step.name,
                "tokens_before": step.tokens_before,
                "tokens_after": step.tokens_after,
                "savings_nano_usd": saved(step.tokens_before, step.tokens_after),
            }
            for step in told.steps
        ],
        "changes": [
            {
                "message": change.message,
                "role": change.role,
                "before": change.before,
                "after": change.after,
            }
            for change in told.changes
        ],
        "request": orjson.Fragment(encode_members(told.request.members)),
    }
    encoded = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return encoded.decode()
