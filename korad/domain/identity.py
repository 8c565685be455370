"""Who is asking: the virtual key."""

from __future__ import annotations

from korad.domain.value import value


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
    active: bool = True
    created_at_s: int = 0
