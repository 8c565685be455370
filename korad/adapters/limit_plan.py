"""How the limits of one exchange are put to the scripts: their keys and arguments."""

from __future__ import annotations

from korad.admission import Periods, hour_of, periods, shard_of
from korad.domain.limits import Budget, EntityLimits, HoldRequest, Limits, Reset
from korad.domain.value import Fact

PLANS_MAX = 1024
_FIXED_KEYS = ("gen", "hold", "held", "open", "rate", "bal")
_BALANCE_AT = 6
"""Lua counts from 1."""
_GROUPS = (
    frozenset({Reset.MONTH}),
    frozenset({Reset.DAY, Reset.WEEK, Reset.LAST_7D, Reset.LAST_30D}),
    frozenset({Reset.LAST_24H}),
)
"""Resets whose windows share their periods."""


class Plan(Fact, frozen=True):
    """The part of a script's call that is the same for all exchanges with these limits."""

    limits: tuple[EntityLimits, ...]
    account: str
    hour: int
    keys: tuple[bytes, ...]
    """Of reserve.lua and extend.lua."""
    entity_args: tuple[bytes, ...]
    """Number of entities, number of budgets, then the entities."""
    budget_args: tuple[bytes, ...]
    budgets: tuple[tuple[str, Budget], ...]
    """In the order of `budget_args`."""
    release_keys: tuple[bytes, ...]
    release_args: tuple[bytes, ...]


class Plans:
    """The plans in use. A caller that keeps its tuple of limits gets the same plan all hour."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._plans: dict[int, Plan] = {}
        self._periods = periods(0)

    def plan(self, ask: HoldRequest) -> Plan:
        """Return the plan of `ask`."""
        hour = hour_of(ask.started_ms)
        # By identity, which is theirs as long as the plan holds them.
        found = self._plans.get(id(ask.limits))
        if found is not None and found.hour == hour and found.account == ask.account:
            return found
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        if self._periods.hour != hour:
            self._periods = periods(hour)
        made = make_plan(ask.limits, ask.account, self._periods, self._shards)
        self._plans[id(ask.limits)] = made
        return made


def make_plan(limits: tuple[EntityLimits, ...], account: str, now: Periods, shards: int) -> Plan:
    """Return the plan for exchanges of the hour `now`."""
    prefix = f"kb:{{s{shard_of(account, shards):02d}}}:"
    budgets = tuple((who.entity, budget) for who in limits for budget in who.limits.budgets)
    places, suffixes = _places({budget.reset for _, budget in budgets}, now)
    keys = (
        *(f"{prefix}{name}".encode() for name in _FIXED_KEYS),
        *(f"{prefix}bal:{suffix}".encode() for suffix in suffixes),
    )
    entities = [_entity_args(who.entity, who.limits) for who in limits]
    return Plan(
        limits=limits,
        account=account,
        hour=now.hour,
        keys=keys,
        entity_args=(
            b"%d" % len(limits),
            b"%d" % len(budgets),
            *(arg for args in entities for arg in args),
        ),
        budget_args=tuple(
            arg
            for entity, budget in budgets
            for arg in (
                entity.encode(),
                b"%d" % budget.limit_nano_usd,
                *(b"%d" % number for number in places[budget.reset]),
            )
        ),
        budgets=budgets,
        release_keys=keys[1:5],
        release_args=tuple(
            arg for entity, _, tokens, _ in entities if tokens for arg in (entity, tokens)
        ),
    )


def _places(resets: set[Reset], now: Periods) -> tuple[dict[Reset, tuple[int, int]], list[str]]:
    """Return where each window's periods lie among the KEYS (first, how many), and the periods."""
    places = {Reset.NEVER: (_BALANCE_AT, 1)}
    suffixes: list[str] = []
    # The windows of days all begin with today: the longest one holds the others.
    for group in _GROUPS:
        longest: tuple[str, ...] = ()
        for reset in group & resets:
            window = now.window(reset)
            places[reset] = (_BALANCE_AT + 1 + len(suffixes), len(window))
            longest = max(longest, window, key=len)
        suffixes.extend(longest)
    return places, suffixes


def _entity_args(entity: str, limits: Limits) -> tuple[bytes, bytes, bytes, bytes]:
    return (
        entity.encode(),
        _number(limits.requests_per_minute),
        _number(limits.tokens_per_minute),
        _number(limits.concurrent_max),
    )


def _number(limit: int | None) -> bytes:
    return b"" if limit is None else b"%d" % limit
