"""Settings for trying korad out: every provider is the simulator."""

from __future__ import annotations

from dataclasses import replace

from korad.config.base_url import parse_base_url
from korad.config.known_providers import KNOWN_PROVIDERS
from korad.config.settings import Settings
from korad.domain.money import price_from_usd_per_mtok
from korad.domain.secret import Secret
from korad.domain.upstream import AuthScheme, Dialect, Provider, Timeouts

DEMO_USD_PER_MTOK = 2
DEMO_PRICE = price_from_usd_per_mtok({"input": DEMO_USD_PER_MTOK, "output": DEMO_USD_PER_MTOK})
PLACEHOLDER_CREDENTIAL = "sk-simulator"
_AUTH = {Dialect.OPENAI: AuthScheme.BEARER, Dialect.ANTHROPIC: AuthScheme.X_API_KEY}


def demo_settings(settings: Settings, openai_base_url: str, anthropic_base_url: str) -> Settings:
    """Return `settings` with every known and configured row pointed at the simulator.

    No real credential is left in it, and every model costs the same. The two URLs are base URLs
    as `base_url` in the file takes them. Raises ValueError for an URL that is none.
    """
    places = {
        Dialect.OPENAI: parse_base_url(openai_base_url, Dialect.OPENAI),
        Dialect.ANTHROPIC: parse_base_url(anthropic_base_url, Dialect.ANTHROPIC),
    }
    dialects = {known.name: known.dialect for known in KNOWN_PROVIDERS}
    dialects |= {name: row.dialect for name, row in settings.providers.items()}
    rows = {}
    for name, dialect in dialects.items():
        origin, base_path = places[dialect]
        configured = settings.providers.get(name)
        rows[name] = Provider(
            name=name,
            dialect=dialect,
            origin=origin,
            base_path=base_path,
            auth=_AUTH[dialect],
            credential=Secret(PLACEHOLDER_CREDENTIAL),
            timeouts=Timeouts(),
            gateway=configured is not None and configured.gateway,
        )
    return replace(
        settings,
        providers=rows,
        prices={"*": DEMO_PRICE},
        demo=True,
        credential_sources=dict.fromkeys(rows, "placeholder for the simulator"),
        disabled={},
    )
