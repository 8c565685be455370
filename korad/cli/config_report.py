"""Settings and prices as one plain object, and the same as text for a person.

Neither holds a credential: only where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from korad.billing.pricebook import PriceBook
from korad.config import Settings, format_base_url
from korad.domain.money import CLASSES, PRICE_DECIMALS, Price
from korad.domain.secret import Secret
from korad.domain.upstream import Provider

_MARGIN_DECIMALS = 4
_NANO_DECIMALS = 9
_SECTIONS = (
    "server", "billing", "optimizer", "cache", "redis", "limits", "keys", "ledger", "admin",
)  # fmt: skip
_DEMO_TEXT = (
    "demo: no provider is called, every model is the built-in simulator.\n"
    "  Set OPENAI_API_KEY or another provider's key, or name a provider in korad.toml, to leave it."
)


def describe_settings(settings: Settings) -> dict[str, Any]:
    """Return what `check-config --json` prints; prices are USD per million tokens, as text."""
    return {
        "config_file": None if settings.config_file is None else str(settings.config_file),
        "state_dir": str(settings.state_dir),
        "demo": settings.demo,
        "server": asdict(settings.server),
        "billing": {
            "margin": _decimal(settings.billing.margin_bp, _MARGIN_DECIMALS),
            **_without(asdict(settings.billing), "margin_bp"),
        },
        "optimizer": asdict(settings.optimizer),
        "cache": asdict(settings.cache),
        "redis": _hiding_secrets(asdict(settings.redis)),
        "limits": {
            "exposure_usd": _decimal(settings.limits.exposure_nano_usd, _NANO_DECIMALS),
            **_without(asdict(settings.limits), "exposure_nano_usd"),
        },
        "keys": asdict(settings.keys),
        "ledger": _hiding_secrets(asdict(settings.ledger)),
        "admin": asdict(settings.admin),
        "providers": {
            name: _describe_provider(row, settings) for name, row in settings.providers.items()
        },
        "disabled": settings.disabled,
        "aliases": settings.aliases,
        "prices": {model: _describe_price(price) for model, price in settings.prices.items()},
    }


def describe_models(settings: Settings, book: PriceBook) -> dict[str, Any]:
    """Return what `models --json` prints: models by enabled provider, and the aliases."""
    models = []
    unlisted = {}
    for name, row in settings.providers.items():
        # Where the list has nothing, a configured pattern may still price whatever is asked for.
        for model in book.models(name) or ["*"]:
            price = book.find(name, model)
            if price is not None:
                models.append({"model": f"{name}/{model}", **_describe_price(price)})
            elif model == "*":
                unlisted[name] = "free" if row.free else "needs a price in [prices]"
    return {
        "price_list": book.date,
        "models": models,
        "unlisted": unlisted,
        "aliases": settings.aliases,
    }


def settings_text(report: Mapping[str, Any]) -> str:
    """Return `describe_settings` for a person."""
    lines = [
        f"configuration file  {report['config_file'] or 'none (environment and defaults)'}",
        f"state folder        {report['state_dir']}",
    ]
    if report["demo"]:
        lines += ["", _DEMO_TEXT]
    if not report["providers"]:
        lines += ["", "no provider is enabled: `korad serve` will not start"]
    lines += _section("providers", _provider_rows(report["providers"], demo=report["demo"]))
    lines += _section("not enabled", report["disabled"].items())
    lines += _section(
        "aliases", ((alias, "->", model) for alias, model in report["aliases"].items())
    )
    lines += _section("prices of your own, USD per million tokens", _price_rows(report["prices"]))
    for section in _SECTIONS:
        lines += _section(
            f"[{section}]", ((key, _shown(raw)) for key, raw in report[section].items())
        )
    return "\n".join(lines) + "\n"


def models_text(report: Mapping[str, Any]) -> str:
    """Return `describe_models` for a person."""
    rows = [(row["model"], row["input"], row["output"]) for row in report["models"]]
    head = ("MODEL", "INPUT", "OUTPUT")
    lines = [f"USD per million tokens, price list of {report['price_list']}", ""]
    lines += _columns([head, *rows])
    lines += _section(
        "not in the price list", ((f"{name}/*", why) for name, why in report["unlisted"].items())
    )
    lines += _section(
        "aliases", ((alias, "->", model) for alias, model in report["aliases"].items())
    )
    return "\n".join(lines) + "\n"


def _describe_provider(row: Provider, settings: Settings) -> dict[str, Any]:
    return {
        "dialect": row.dialect.value,
        # In a demo the simulator's address is not known before it listens.
        "base_url": None if settings.demo else format_base_url(row.origin, row.base_path),
        "auth": row.auth.value,
        "credential": settings.credential_sources[row.name],
        "gateway": row.gateway,
        "free": row.free,
    }


def _describe_price(price: Price) -> dict[str, str]:
    named = {name: getattr(price, f"{name}_pico_usd") for name in CLASSES}
    return {
        name: _decimal(pico, PRICE_DECIMALS) for name, pico in named.items() if pico is not None
    }


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: held for key, held in fields.items() if key != name}


def _hiding_secrets(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with only the fact told that a URL is set: it may hold a password."""
    return {key: "set" if isinstance(held, Secret) else held for key, held in fields.items()}


def _decimal(number: int, places: int) -> str:
    """Return number / 10**places as text: two decimals, or as many as it takes."""
    whole, _, decimals = f"{Decimal(number).scaleb(-places):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def _provider_rows(providers: Mapping[str, Any], *, demo: bool) -> Iterable[Sequence[str]]:
    for name, row in providers.items():
        address = "simulator" if demo else row["base_url"]
        remarks = [word for word in ("gateway", "free") if row[word]]
        yield name, row["dialect"], address, f"credential: {row['credential']}", *remarks


def _price_rows(prices: Mapping[str, Mapping[str, str]]) -> Iterable[Sequence[str]]:
    for model, price in prices.items():
        yield model, ", ".join(f"{name} {usd}" for name, usd in price.items())


def _section(title: str, rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the title and the indented rows, or nothing where there are none."""
    lines = [f"  {line}" for line in _columns(list(rows))]
    return ["", title, *lines] if lines else []


def _columns(rows: list[Sequence[str]]) -> list[str]:
    widths: dict[int, int] = {}
    for row in rows:
        for place, cell in enumerate(row):
            widths[place] = max(widths.get(place, 0), len(cell))
    return [
        "  ".join(f"{cell:<{widths[place]}}" for place, cell in enumerate(row)).rstrip()
        for row in rows
    ]


def _shown(raw: object) -> str:
    return str(raw).lower() if isinstance(raw, bool) or raw is None else f"{raw}"
