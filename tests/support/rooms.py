"""Provider rows and rooms for tests of the core."""

from __future__ import annotations

from importlib import resources
from typing import Any

from korad.auth import KeyRing, digest_key
from korad.billing.pricebook import PriceBook
from korad.domain.identity import VirtualKey
from korad.domain.money import price_from_usd_per_mtok
from korad.domain.secret import Secret
from korad.domain.upstream import AuthScheme, Dialect, Origin, Provider, Timeouts
from korad.optimizer import Chain, TokenCounter
from korad.providers.anthropic import AnthropicDialect
from korad.providers.anthropic_models import CapabilityTable
from korad.providers.openai import OpenAIDialect
from korad.rooms import Rooms
from korad.routing import Router
from korad.wire.known_bodies import KnownBodies

CLAUDE = resources.files("korad").joinpath("data/anthropic_models.toml").read_text("utf-8")
PEPPER = b"p" * 32
SECRET = "sk-bf-test"


def a_provider(name: str = "openai", **fields: Any) -> Provider:
    """Return a row of the OpenAI dialect on https://api.test/v1."""
    given = {
        "dialect": Dialect.OPENAI,
        "origin": Origin(scheme="https", host="api.test", port=443),
        "base_path": "/v1",
        "auth": AuthScheme.BEARER,
        "credential": Secret("sk-upstream"),
        "timeouts": Timeouts(),
    }
    return Provider(name=name, **{**given, **fields})


def some_rooms(*providers: Provider, key: dict[str, Any] | None = None) -> Rooms:
    """Return rooms with one key (SECRET), and 2 USD per million tokens for `openai/`."""
    rows = {row.name: row for row in providers or (a_provider(),)}
    ring = KeyRing()
    ring.apply(
        (VirtualKey(key_id="vk_1", name="n", digest=digest_key(PEPPER, SECRET), **(key or {})),)
    )
    price = price_from_usd_per_mtok({"input": 2, "output": 2})
    return Rooms(
        ring=ring,
        router=Router(rows, {}),
        codecs={
            Dialect.OPENAI: OpenAIDialect(),
            Dialect.ANTHROPIC: AnthropicDialect(CapabilityTable.parse(CLAUDE), now_s=lambda: 1),
        },
        book=a_book({"openai/*": price, "anthropic/*": price}),
        chain=Chain(lambda text: len(text.split())),
        counter=TokenCounter(lambda text: text.split()),
        bodies=KnownBodies("secret"),
        cache_minimum=lambda _: 1_024,
        default_level="medium",
        default_margin_bp=15_000,
        user_agent="korad/test",
    )


def a_book(overrides: dict[str, Any]) -> PriceBook:
    """Return a price book that knows nothing but `overrides`."""
    return PriceBook.parse(b'{"date":"2026-01-01","providers":{}}', overrides, today="2026-01-01")
