"""Who is asking: the virtual key."""

from __future__ import annotations

from korad.domain.limits import EntityLimits, Limits
from korad.domain.value import value

NO_LIMITS = Limits()


@value
class VirtualKey:
    """A virtual key as the request path sees it. The secret itself is nowhere in it."""

    key_id: str
    """"vk_..." : what logs, events and the command line call this key."""
    name: str
    digest: bytes
    """Keyed digest of the secret, 32 bytes; see `korad.auth`."""
    level: str | None = None
    """The key's default savings level, or None for the configured default."""
    allowed_providers: frozenset[str] | None = None
    """Provider names this key may use; None allows all."""
    allowed_models: frozenset[str] | None = None
    """`provider/model` patterns this key may use, "*" at the end for any rest; None allows all."""
    margin_bp: int | None = None
    """Margin in basis points (15000 = 1.50x), or None for the configured default."""
    cache: bool = False
    """Whether requests of temperature 0 use the response cache without asking for it."""
    expires_at_s: int | None = None
    """Unix time from which the key is refused, or None."""
    team_id: str | None = None
    customer_id: str | None = None
    """The key's own or its team's."""
    own_limits: Limits = NO_LIMITS
    """What is set on the key itself."""
    limits: tuple[EntityLimits, ...] = ()
    """What decides about a request: those of key, team and customer that limit anything, key first.
    A key without any never asks Redis."""
    fail_closed: bool = False
    """Refuse while limits cannot be checked, instead of serving up to `exposure_usd`."""
    active: bool = True
    created_at_s: int = 0

    @property
    def account(self) -> str:
        """Whose books the key's requests are in: its customer's, else its team's, else its own."""
        return self.customer_id or self.team_id or self.key_id
