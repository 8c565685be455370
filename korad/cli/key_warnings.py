"""What is most likely a mistake about keys, and is done all the same: told on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from korad.adapters.key_stores import is_away_from_redis
from korad.auth import model_matches
from korad.billing.pricebook import PriceBook
from korad.config import Settings


def warn(noun: str, text: str) -> None:
    """Print one warning."""
    sys.stderr.write(f"korad {noun}: {text}\n")


def warn_of_place(settings: Settings, noun: str) -> None:
    """Tell if this state folder's keys are in Redis, and these settings look elsewhere."""
    if is_away_from_redis(settings):
        warn(
            noun,
            f"the keys of {settings.state_dir} were last kept in a Redis, and no redis.url is set: "
            "this is about those in the folder itself. Set KORAD_REDIS_URL, or keys.store to local "
            "if that is meant",
        )


def warn_of_names(settings: Settings, changes: dict[str, Any]) -> None:
    """Tell which allowed providers and models of a key nothing here is called."""
    if not settings.providers:
        return  # everything would be told
    for name in sorted(changes.get("allowed_providers") or ()):
        if name not in settings.providers:
            known = ", ".join(sorted(settings.providers))
            warn("keys", f"no provider here is called '{name}'; there are: {known}")
    patterns = sorted(changes.get("allowed_models") or ())
    if patterns:
        prices = files("korad").joinpath("data", "prices.json").read_bytes()
        book = PriceBook.parse(prices, settings.prices, today=datetime.now(UTC).date().isoformat())
        for pattern in patterns:
            if not any(_may_match(settings, book, pattern)):
                warn("keys", f"no model here is called '{pattern}'; see: korad models")


def _may_match(settings: Settings, book: PriceBook, pattern: str) -> Iterator[bool]:
    """Yield whether the pattern may name a model, provider by provider.

    A spelling that is in no list may have a price all the same, and so may whatever a local
    provider or a price of one's own with a "*" takes.
    """
    provider, slash, rest = pattern.partition("/")
    for name, row in settings.providers.items():
        models = book.models(name)
        yield any(model_matches(pattern, name, model) for model in models)
        exact = None if pattern.endswith("*") else rest if slash else pattern
        if slash and provider != name:
            continue
        yield row.free or (exact is not None and book.find(name, exact) is not None)
        yield book.find(name, "*") is not None
