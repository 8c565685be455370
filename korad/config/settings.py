"""What korad is told before it starts: frozen, nested, one record per room."""

from __future__ import annotations

from pathlib import Path

from korad.domain.money import Price
from korad.domain.secret import Secret
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
    cors_origin: str | None = None
    """Origin of the web pages that may call korad from a browser, or "*" for all of them."""

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
    """What is charged on top of the provider's price, and how it is written down."""

    margin_bp: int = 15_000
    """Billed divided by cost, in basis points: 15000 = 1.50x."""
    durability: str = "machine"
    """What an answer's last byte waits for: "process" (written), "machine" (written, and on the
    disk within 10 ms), "strict" (on the disk)."""
    segment_bytes: int = 16 * MIB
    """Size of one file of the journal; each worker always holds a second one in reserve."""
    journal_keep_s: float = 3600.0
    """How long a journal is kept after the ledger has all of it."""


@value
class RedisSettings:
    """Where events are shipped to and limits are kept."""

    url: Secret | None = None
    """None: a server of korad's own in the state folder."""
    shards: int = 1
    """Hash slots the accounts are spread over; fixed once the books have begun."""


@value
class LimitsSettings:
    """How budgets and rates are enforced."""

    deadline_ms: int = 150
    """How long a request waits for a silent Redis before its key's policy decides. Two busy cores
    shared by workers and Redis keep it waiting for more than 15 ms at times: at that a budget of
    $0.002 became $0.0035, through keys that fail open."""
    exposure_nano_usd: int = 5_000_000_000
    """What one key may spend per worker while Redis cannot be asked, if it fails open."""
    slice_tokens: int = 256
    """Completion tokens a stream's hold grows by."""


@value
class KeysSettings:
    """Where virtual keys live."""

    store: str = "auto"
    """"local" (state folder), "redis", or "auto": Redis where a URL is given."""
    pepper: str | None = None
    """"env:NAME" or "file:PATH" of the pepper that machines sharing keys share."""


@value
class LedgerSettings:
    """The durable books behind the stream of events."""

    url: Secret | None = None
    """"postgresql://...", or None: SQLite in the state folder."""
    run: str = "auto"
    """Whether `serve` runs the consumer: "on", "off", or "auto": with korad's own Redis."""
    stream_keep_s: float = 3600.0
    """How long an event stays in the stream after the ledger has it."""


@value
class AdminSettings:
    """The admin API; off without an address."""

    listen: str | None = None
    """"HOST:PORT" or "unix:PATH"."""
    token: str | None = None
    """"env:NAME" or "file:PATH" of the bearer token."""


@value
class OptimizerSettings:
    """How much prompts are shortened when neither the request nor its key says."""

    default_level: str = "medium"


@value
class CacheSettings:
    """The exact response cache; keys and requests switch it on."""

    ttl_s: float = 3600.0
    """How long an answer is told again."""
    bytes_max: int = 64 * MIB
    """Answers in memory, per worker; 0 keeps none there."""
    entry_bytes_max: int = MIB
    """Longest answer kept."""
    store: str = "memory"
    """"memory" (each worker for itself), or "redis": shared, with the memory in front of it."""
    url: Secret | None = None
    """The Redis of answers; None: the one that the books are in."""
    redis_bytes_max: int = 256 * MIB
    """What each worker may have there within `ttl_s`: the books must not run out of room."""
    deadline_ms: int = 50
    """How long a request waits for that Redis before it goes to its provider."""


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
    redis: RedisSettings
    limits: LimitsSettings
    keys: KeysSettings
    ledger: LedgerSettings
    admin: AdminSettings
    admin_token: Secret | None
    """What the callers of the admin API must send; None where there is none."""
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
