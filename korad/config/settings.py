"""What korad is told before it starts: frozen, nested, one record per room."""

from __future__ import annotations

from pathlib import Path

from korad.domain.money import Price
from korad.domain.upstream import Provider
from korad.domain.value import value

MIB = 1024 * 1024
BASIS_POINTS = 10_000


@value
class ServerSettings:
    """The near side: where korad listens and how much it takes in."""

    host: str = "localhost"
    port: int = 8084
    """0 lets the operating system choose."""
    workers: int = 1
    """Worker processes that share the port."""
    fast_lane: bool = True
    """Serve the common request shape without aiohttp's request objects."""

    # Limits on what one client may make korad hold or wait for.
    body_bytes_max: int = 32 * MIB
    head_bytes_max: int = 16 * 1024
    head_timeout_s: float = 10.0
    """From the first byte of a request's head to its last."""
    body_idle_timeout_s: float = 30.0
    """Longest silence within a request's body."""
    keepalive_timeout_s: float = 75.0
    write_stall_timeout_s: float = 120.0
    """Longest time a client may leave an answer unread."""
    drain_timeout_s: float = 30.0
    """How long a stopping server lets running exchanges finish."""

    # Limits on everything at once, per worker.
    connections_max: int = 20_000
    inflight_max: int = 10_000

    # What korad tells about itself.
    access_log: bool = True
    metrics: bool = True


@value
class BillingSettings:
    """What is charged on top of the provider's price."""

    margin_bp: int = 15_000
    """Billed divided by cost, in basis points: 15000 = 1.50x."""


@value
class OptimizerSettings:
    """How much prompts are shortened when neither the request nor its key says."""

    default_level: str = "medium"


@value
class CacheSettings:
    """The exact response cache, per worker; keys and requests switch it on."""

    ttl_s: float = 3600.0
    """How long an answer is told again."""
    bytes_max: int = 64 * MIB


@value
class Settings:
    """Everything `load_settings` found, checked. Treat the mappings as read-only."""

    state_dir: Path
    """Absolute folder of keys and the unpacked tokenizer; it need not exist yet."""
    config_file: Path | None
    """The file that was read, or None."""
    server: ServerSettings
    billing: BillingSettings
    optimizer: OptimizerSettings
    cache: CacheSettings
    providers: dict[str, Provider]
    """Enabled rows by name. A row without a credential has `AuthScheme.NONE`, and vice versa."""
    aliases: dict[str, str]
    """Bare model name to "provider/model"."""
    prices: dict[str, Price]
    """Prices that beat the price list, by "provider/model", "provider/gpt*" or "*"."""
    demo: bool
    """No provider is called: apply `demo_settings` once the simulator's address is known."""
    credential_sources: dict[str, str]
    """Where each enabled row's credential comes from, in words; never the credential."""
    disabled: dict[str, str]
    """Known rows left out of `providers`, with what would enable each."""
