"""What the scripts of the limits are given, and what their replies mean.

All keys of a call are of one shard, that of the account: key, team and customer are decided about
together.
"""

from __future__ import annotations

from collections.abc import Sequence

from korad.adapters.redis_keys import ShardKeys
from korad.adapters.redis_scripts import load_script
from korad.admission import (
    Periods,
    budget_exceeded,
    concurrency_limited,
    hour_of,
    periods,
    request_limited,
    shard_of,
    token_limited,
)
from korad.domain.limits import Budget, EntityLimits, HoldRequest, Reset
from korad.domain.value import Fact
from korad.errors import KoradError

RESERVE = load_script("reserve")
EXTEND = load_script("extend")
RELEASE = load_script("release")

PLANS_MAX = 4096
AMOUNT_MAX = 2**53 - 1
"""Nano-USD that Lua compares exactly: $9.0 million."""

BOOKS_NOT_READY = -9
NO_SUCH_HOLD = -1
REFUSED = 0
TAKEN = 1
_BUDGET, _CONCURRENCY, _REQUESTS = 1, 2, 3

Words = tuple[bytes, ...]
_BALANCE_AT = 6
"""Place of the balances among the KEYS, from 1: the last before the periods'."""
_CALENDAR = {Reset.DAY, Reset.WEEK, Reset.LAST_7D, Reset.LAST_30D}


class Plan(Fact, frozen=True):
    """What the same limits ask for within the same hour, written once."""

    limits: tuple[EntityLimits, ...]
    shard: int
    hour: int
    keys: Words
    release_keys: Words
    counts: Words
    """How many entities, how many budgets."""
    entities: Words
    budgets: Words
    token_rates: Words


class Arguments:
    """KEYS and ARGV of the three scripts."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._plans: dict[int, Plan] = {}
        self._periods = periods(0)

    def reserve(self, ask: HoldRequest) -> tuple[Words, Words]:
        """Return what `reserve.lua` needs."""
        plan = self._plan(ask)
        return plan.keys, (
            ask.hold_id.encode(),
            ask.producer.encode(),
            b"%d" % min(ask.amount_nano_usd, AMOUNT_MAX),
            b"%d" % min(ask.least_nano_usd, AMOUNT_MAX),
            b"%d" % ask.tokens,
            *plan.counts,
            *plan.entities,
            *plan.budgets,
        )

    def extend(self, ask: HoldRequest, extra_nano_usd: int) -> tuple[Words, Words]:
        """Return what `extend.lua` needs."""
        plan = self._plan(ask)
        extra = b"%d" % min(extra_nano_usd, AMOUNT_MAX)
        return plan.keys, (ask.hold_id.encode(), extra, plan.counts[1], *plan.budgets)

    def release(self, ask: HoldRequest, used_tokens: int, *, drop: bool) -> tuple[Words, Words]:
        """Return what `release.lua` needs; `drop` gives the money back as well."""
        plan = self._plan(ask)
        return plan.release_keys, (
            ask.hold_id.encode(),
            b"1" if drop else b"0",
            b"%d" % used_tokens,
            b"%d" % ask.tokens,
            *plan.token_rates,
        )

    def _plan(self, ask: HoldRequest) -> Plan:
        # By identity: requests of a key share the tuple of its limits, and hashing it takes longer
        # than the rest. A plan keeps its tuple, so that no other can have its id meanwhile.
        limits, hour = ask.limits, hour_of(ask.started_ms)
        plan = self._plans.get(id(limits))
        if plan is not None and plan.limits is limits and plan.hour == hour:
            return plan
        if self._periods.hour != hour:
            self._periods = periods(hour)
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        plan = make_plan(limits, shard_of(ask.account, self._shards), self._periods)
        self._plans[id(limits)] = plan
        return plan


def make_plan(limits: tuple[EntityLimits, ...], shard: int, now: Periods) -> Plan:
    """Return what `limits` ask for in the periods of `now`."""
    names = ShardKeys(shard)
    budgets = _budgets(limits)
    windows = {budget.reset: now.window(budget.reset) for _, budget in budgets}
    # Every window of days begins today, so the longest holds the others.
    calendar = [window for reset, window in windows.items() if reset in _CALENDAR]
    days = max(calendar, key=len, default=())
    months, hours = windows.get(Reset.MONTH, ()), windows.get(Reset.LAST_24H, ())
    first_day = _BALANCE_AT + 1 + len(months)
    firsts = {
        Reset.NEVER: _BALANCE_AT,
        Reset.MONTH: _BALANCE_AT + 1,
        Reset.LAST_24H: first_day + len(days),
    }
    rows: list[bytes] = []
    for entity, budget in budgets:
        first = firsts.get(budget.reset, first_day)
        count = len(windows[budget.reset]) or 1
        limit = min(budget.limit_nano_usd, AMOUNT_MAX)
        rows += (entity.encode(), b"%d" % limit, b"%d" % first, b"%d" % count)
    keys = [names.generation, names.hold, names.held, names.open, names.rate, names.balance]
    keys += [names.sums(period) for period in (*months, *days, *hours)]
    return Plan(
        limits=limits,
        shard=shard,
        hour=now.hour,
        keys=tuple(key.encode() for key in keys),
        release_keys=tuple(key.encode() for key in keys[1:5]),
        counts=(b"%d" % len(limits), b"%d" % len(budgets)),
        entities=tuple(word for row in limits for word in _entity_words(row)),
        budgets=tuple(rows),
        token_rates=tuple(
            word
            for row in limits
            if row.limits.tokens_per_minute is not None
            for word in (row.entity.encode(), b"%d" % row.limits.tokens_per_minute)
        ),
    )


def _entity_words(row: EntityLimits) -> Words:
    limits = row.limits
    counts = (limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_max)
    return row.entity.encode(), *(b"" if count is None else b"%d" % count for count in counts)


def read_refusal(reply: Sequence[int], ask: HoldRequest) -> tuple[str, KoradError]:
    """Return what refused (for metrics) and what the client is told."""
    _, kind, place, wait_ms = reply
    if kind == _BUDGET:
        entity, budget = _budgets(ask.limits)[place - 1]
        return "budget", budget_exceeded(entity, budget)
    row = ask.limits[place - 1]
    entity, limits = row.entity, row.limits
    if kind == _CONCURRENCY:
        return "concurrency", concurrency_limited(entity, limits.concurrent_max or 0)
    if kind == _REQUESTS:
        return "requests", request_limited(entity, limits.requests_per_minute or 0, wait_ms)
    return "tokens", token_limited(entity, limits.tokens_per_minute or 0, wait_ms)


def _budgets(limits: tuple[EntityLimits, ...]) -> list[tuple[str, Budget]]:
    return [(row.entity, budget) for row in limits for budget in row.limits.budgets]
