"""How limits, and what was spent of them, are shown: for the command line and the admin API.

Money is USD as text, with all its decimals and at least two, beside the same in nano-USD.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from korad.adapters.redis_keys import ShardKeys
from korad.admission import hour_of, periods, shard_of
from korad.billing.periods import EVER
from korad.domain.limits import Budget, Limits
from korad.domain.value import value

Command = Callable[..., Awaitable[Any]]
"""Runs one command of Redis; replies are bytes."""


class BooksNotBegunError(Exception):
    """Redis holds no books: all sums would read 0, as of budgets of which nothing is spent."""


@value
class Spending:
    """What was spent of one key's, team's or customer's budgets at a moment."""

    entity: str
    limits: Limits
    spent_nano_usd: tuple[int, ...]
    """Per budget of `limits`, in its present window."""
    held_nano_usd: int
    """Of all budgets: what requests under way may come to cost."""
    under_way: int

    def left_nano_usd(self, place: int) -> int:
        """Return what the budget at `place` has left; what is held is not."""
        gone = self.spent_nano_usd[place] + self.held_nano_usd
        return max(0, self.limits.budgets[place].limit_nano_usd - gone)


async def read_spending(
    run: Command, entity: str, account: str, limits: Limits, *, shards: int, now_ms: int
) -> Spending:
    """Ask Redis what was spent of `limits`, which are those of `entity`.

    `account` says in which shard: see `shard_of`. Raises BooksNotBegunError, and what `run` raises.
    """
    keys = ShardKeys(shard_of(account, shards))
    if await run("GET", keys.generation) is None:
        raise BooksNotBegunError("the books in Redis have not begun")
    now = periods(hour_of(now_ms))
    windows = [now.window(each.reset) or (EVER,) for each in limits.budgets]
    sums = {
        period: int(await run("HGET", keys.sums(period), entity) or 0)
        for period in dict.fromkeys(period for window in windows for period in window)
    }
    return Spending(
        entity=entity,
        limits=limits,
        spent_nano_usd=tuple(sum(sums[period] for period in window) for window in windows),
        held_nano_usd=int(await run("HGET", keys.held, entity) or 0),
        under_way=int(await run("HGET", keys.open, entity) or 0),
    )


def usd_text(nano_usd: int) -> str:
    """Return an amount exactly, at least two decimals: "50.00", "0.000057"."""
    whole, _, decimals = f"{Decimal(nano_usd).scaleb(-9):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def limits_object(limits: Limits) -> dict[str, Any]:
    """Return limits as JSON shows them."""
    return {
        "budgets": [_budget_object(each) for each in limits.budgets],
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrent_max,
    }


def spending_object(spending: Spending) -> dict[str, Any]:
    """Return what was spent and is left of each budget as JSON shows it."""
    return {
        "id": spending.entity,
        "held_nano_usd": spending.held_nano_usd,
        "under_way": spending.under_way,
        "budgets": [
            {
                **_budget_object(budget),
                "spent_nano_usd": spending.spent_nano_usd[place],
                "left_nano_usd": spending.left_nano_usd(place),
            }
            for place, budget in enumerate(spending.limits.budgets)
        ],
    }


def _budget_object(budget: Budget) -> dict[str, Any]:
    return {
        "usd": usd_text(budget.limit_nano_usd),
        "nano_usd": budget.limit_nano_usd,
        "reset": budget.reset.value,
    }
