"""Make korad/data/prices.json from the installed genai-prices package.

    python scripts/make_prices.py --date 2026-11-22

The list keeps, for every provider korad knows: the rules that match model names, in order; the
prices with the date each came into force; the prices of long prompts, of service tiers and of
hours of the day. Same package and same date give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import orjson
from genai_prices import data, types

PACKAGE = "genai-prices"
TARGET = Path(__file__).parent.parent / "korad" / "data" / "prices.json"

PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "together": "together",
    "fireworks": "fireworks",
    "openrouter": "openrouter",
    "xai": "x-ai",
    "azure": "azure",
}
"""korad's provider names and genai-prices' own."""

PRICE_KEYS = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "output_reasoning_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
)
"""genai-prices' names of korad's token classes, in the order of `korad.domain.money.CLASSES`."""

SERVICE_TIERS = (
    {"service_tier": "flex"},
    {"service_tier": "priority"},
    {"service_tier": "fast"},
    {"speed": "fast"},
)
NOT_COVERED = (
    "prices per request, search, page, character, message or hour of audio",
    "batch prices",
    "image, video and citation tokens priced apart, and cached audio or image tokens",
    "models without both a text input and a text output price: their rows are empty",
)
MINUTES_PER_HOUR = 60
LAST_MINUTE = 24 * MINUTES_PER_HOUR - 1
PICO_USD_PER_USD_PER_MTOK = 1_000_000

Row = dict[str, Any]


def main() -> None:
    """Write the list to its place and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--date", required=True, help="date of the list, YYYY-MM-DD")
    content = build(date.fromisoformat(parser.parse_args().date))
    TARGET.write_bytes(content)
    print(f"{TARGET.name}: {len(content)} bytes, {PACKAGE} {version(PACKAGE)}")


def build(today: date) -> bytes:
    """Return the list as JSON, one model a line, dated `today`."""
    head = {
        "date": today.isoformat(),
        "source": "https://github.com/pydantic/genai-prices",
        "version": version(PACKAGE),
        "license": _license(),
        "unit": "pico-USD per token (USD per million tokens x 1000000)",
        "not_covered": NOT_COVERED,
    }
    korad_names = {theirs: name for name, theirs in PROVIDERS.items()}
    sources = {provider.id: provider for provider in data.providers}
    lines = [orjson.dumps(head, option=orjson.OPT_INDENT_2)[:-2] + b',\n  "providers": {']
    for name, theirs in PROVIDERS.items():
        provider = sources[theirs]
        fallback = [
            korad_names[i] for i in provider.fallback_model_providers or () if i in korad_names
        ]
        lines.append(b'%s: {"fallback": %s, "models": [' % (_dump(name), _dump(fallback)))
        lines.append(b",\n".join(_dump(_model(model)) for model in provider.models))
        lines.append(b"]},")
    lines[-1] = b"]}"
    return b"\n".join([*lines, b"}}", b""])


def _license() -> str:
    for path in distribution(PACKAGE).files or ():
        if path.name == "LICENSE":
            return path.read_text()
    raise FileNotFoundError(f"{PACKAGE} has no licence file")


def _dump(value: Any) -> bytes:
    return orjson.dumps(value)


def _model(model: types.ModelInfo) -> Row:
    return {"id": model.id, "match": _rule(model.match), "rows": _dated_rows(model)}


def _rule(clause: Any) -> Any:
    match clause:
        case types.ClauseEquals():
            return "=" + clause.equals.lower()
        case types.ClauseStartsWith():
            return "^" + clause.starts_with.lower()
        case types.ClauseEndsWith():
            return "$" + clause.ends_with.lower()
        case types.ClauseContains():
            return "~" + clause.contains.lower()
        case types.ClauseRegex():
            return "/" + clause.regex
        case types.ClauseOr():
            return [_rule(part) for part in clause.or_]
        case types.ClauseAnd():
            return {"all": [_rule(part) for part in clause.and_]}
    raise TypeError(f"unknown match rule {type(clause).__name__}")


def _dated_rows(model: types.ModelInfo) -> list[Row]:
    rows: list[Row] = []
    last: Row | None = {}
    for start in [date.min, *sorted(set(_start_dates(model)))]:
        row = _row_of_day(model, start)
        if row != last:
            dated = {} if start == date.min else {"from": start.isoformat()}
            rows.append(dated | (row or {"price": None}))
            last = row
    return [] if rows == [{"price": None}] else rows


def _start_dates(model: types.ModelInfo) -> Iterator[date]:
    for part in [*_conditions(model), *(model.price_variants or ())]:
        if isinstance(part.constraint, types.StartDateConstraint):
            yield part.constraint.start_date


def _conditions(model: types.ModelInfo) -> list[types.ConditionalPrice]:
    return [] if isinstance(model.prices, types.ModelPrice) else model.prices


def _row_of_day(model: types.ModelInfo, day: date) -> Row | None:
    """Return the row of a day: its prices outside all special hours, and those hours' prices."""
    spans = [
        (_minute(part.constraint.start_time), _minute(part.constraint.end_time))
        for part in _conditions(model)
        if isinstance(part.constraint, types.TimeOfDateConstraint)
    ]
    ordinary = next(
        minute
        for minute in range(LAST_MINUTE + 1)
        if not any(_within(minute, start, end) for start, end in spans)
    )
    row = _row(model, day, ordinary)
    if row is None:
        return None
    hours = [[start, end, _row(model, day, start)] for start, end in spans]
    return row | ({"hours": hours} if hours else {})


def _minute(moment: time) -> int:
    if moment.tzinfo not in (None, UTC) or moment.second:
        raise ValueError(f"time of day {moment} is not a whole minute of UTC")
    return moment.hour * MINUTES_PER_HOUR + moment.minute


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start <= end else minute >= start or minute < end


def _row(model: types.ModelInfo, day: date, minute: int) -> Row | None:
    moment = datetime.combine(day, time(*divmod(minute, MINUTES_PER_HOUR), tzinfo=UTC))
    row = _flat_row(model.get_prices(moment), free=model.id.endswith(":free"))
    if row is None:
        return None
    served: dict[str, Row] = {}
    for context in SERVICE_TIERS:
        (name,) = context.values()
        variant = _flat_row(model.get_prices(moment, context), free=False)
        if variant is not None and variant != row:
            served.setdefault(name, variant)
    return row | ({"service": served} if served else {})


def _flat_row(price: types.ModelPrice, *, free: bool) -> Row | None:
    listed = [getattr(price, key) for key in PRICE_KEYS]
    if free and not any(listed):
        return {"price": [0, 0]}
    if listed[0] is None or listed[1] is None:
        return None
    starts = {
        t.start for value in listed if isinstance(value, types.TieredPrices) for t in value.tiers
    }
    row: Row = {"price": _pico_usd(listed, 0)}
    tiers = [[start, _pico_usd(listed, start + 1)] for start in sorted(starts)]
    return row | ({"tiers": tiers} if tiers else {})


def _pico_usd(listed: list[Any], prompt_tokens: int) -> list[int | None]:
    prices = [_at(value, prompt_tokens) for value in listed]
    while prices[-1] is None:
        prices.pop()
    return prices


def _at(listed: Decimal | types.TieredPrices | None, prompt_tokens: int) -> int | None:
    if listed is None:
        return None
    usd = listed
    if isinstance(listed, types.TieredPrices):
        usd = listed.base
        for tier in listed.tiers:
            if prompt_tokens > tier.start:
                usd = tier.price
    # Some gateways publish thirds of a cent as 0.0833333333333333.
    pico_usd = usd * PICO_USD_PER_USD_PER_MTOK
    return int(pico_usd.to_integral_value(rounding=ROUND_HALF_EVEN))


if __name__ == "__main__":
    main()
