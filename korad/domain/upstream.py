"""A provider as korad is configured to reach it: one row of the provider table."""

from __future__ import annotations

from enum import Enum

from korad.domain.secret import Secret
from korad.domain.value import value


class Dialect(Enum):
    """The wire format a provider speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class AuthScheme(Enum):
    """Where a provider wants its credential."""

    BEARER = "bearer"
    """`Authorization: Bearer ...`"""
    X_API_KEY = "x-api-key"
    API_KEY = "api-key"
    NONE = "none"


class OnDisconnect(Enum):
    """What becomes of an answer whose client has left."""

    CANCEL = "cancel"
    """The provider is told to stop; what was generated so far is billed."""
    DRAIN = "drain"
    """The answer is read to its end, for providers that charge for all of it anyway."""


@value
class Origin:
    """Where to open a connection: the pool's key. Hashable."""

    scheme: str
    """"http" or "https"."""
    host: str
    port: int

    def __hash__(self) -> int:
        return hash((self.scheme, self.host, self.port))


@value
class Timeouts:
    """Limits on the upstream leg, in seconds."""

    connect_s: float = 5.0
    first_byte_s: float = 600.0
    """From the last request byte to the first byte of the answer's head."""
    idle_s: float = 300.0
    """Longest silence between two pieces of an answer."""


@value
class Provider:
    """One row of the provider table."""

    name: str
    """What stands before the slash in `provider/model`."""
    dialect: Dialect
    origin: Origin
    base_path: str
    """Path prefix of the provider's API without a trailing slash, e.g. "/v1"."""
    auth: AuthScheme
    credential: Secret | None
    timeouts: Timeouts
    connections_max: int = 10_000
    gateway: bool = False
    """Takes every `provider/model` without a row of its own, and gets the name unchanged."""
    free: bool = False
    """A model without a price costs nothing here (local inference) instead of being refused."""
    query: str = ""
    """Appended to the request path after "?", e.g. Azure's "api-version=...". """
    headers: tuple[tuple[str, str], ...] = ()
    """Extra request headers of this provider."""
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    drain_timeout_s: float = 60.0
    """How long an answer is read on for nobody."""
    drains_max: int = 100
    """Answers read on for nobody at once, per worker; beyond it they are cancelled."""
