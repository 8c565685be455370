"""What a virtual key, its team and its customer may spend and ask for."""

from __future__ import annotations

from enum import Enum

from korad.domain.value import Fact, value
from korad.errors import KoradError


class Reset(Enum):
    """When a budget begins anew; all in UTC."""

    NEVER = "never"
    DAY = "day"
    WEEK = "week"
    """On Mondays."""
    MONTH = "month"
    LAST_24H = "24h"
    """Rolling: what was spent in this hour and the 23 before it."""
    LAST_7D = "7d"
    """Rolling: what was spent today and on the 6 days before it."""
    LAST_30D = "30d"


class Budget(Fact, frozen=True):
    """An amount that may be spent between two resets."""

    limit_nano_usd: int
    reset: Reset = Reset.NEVER


class Limits(Fact, frozen=True):
    """Everything that may be limited for one key, team or customer; None does not limit."""

    budgets: tuple[Budget, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_max: int | None = None
    """Requests under way at once."""

    @property
    def unlimited(self) -> bool:
        """Whether nothing is limited."""
        return self == Limits()


class EntityLimits(Fact, frozen=True):
    """The limits of one key, team or customer, by its id."""

    entity: str
    limits: Limits


class GroupKind(Enum):
    """The two floors above a key."""

    TEAM = "team"
    CUSTOMER = "customer"


@value
class Group:
    """A team or a customer."""

    group_id: str
    """"tm_..." or "cu_..."."""
    kind: GroupKind
    name: str
    customer_id: str | None = None
    """The customer a team belongs to."""
    limits: Limits
    created_at_s: int = 0


class HoldRequest(Fact, frozen=True):
    """What one exchange asks of the limits of its key, team and customer."""

    hold_id: str
    """The request's id."""
    producer: str
    account: str
    """Customer, else team, else key: says which shard decides."""
    limits: tuple[EntityLimits, ...]
    """Of the entities that are limited, key first."""
    started_ms: int
    """Unix milliseconds: the time the request is accounted to."""
    amount_nano_usd: int
    """Wanted: what the request may come to cost."""
    least_nano_usd: int
    """Enough to begin with; at most `amount_nano_usd`."""
    tokens: int
    """Prompt and completion tokens it may come to use."""
    fail_closed: bool
    key_id: str


class Hold(Enum):
    """Whether a hold exists at the place that keeps them."""

    NONE = "none"
    HELD = "held"
    UNKNOWN = "unknown"
    """It was asked for and no answer came: the exchange's event must end it."""


class Admission(Fact, frozen=True):
    """The answer to a `HoldRequest`."""

    refusal: KoradError | None
    hold: Hold
    granted_nano_usd: int = 0
    """What may be spent before the hold must be extended."""
