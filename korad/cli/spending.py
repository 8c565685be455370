"""What `show` tells of budgets: spent and left in their present windows, as the books in Redis say.

The books may be out of reach: that is told, and no failure of the verb.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from redis.exceptions import RedisError

from korad.adapters.key_errors import CUSTOMER_ID_PREFIX, TEAM_ID_PREFIX
from korad.adapters.limit_report import (
    BooksNotBegunError,
    Spending,
    read_spending,
    spending_object,
)
from korad.adapters.redis_control import UNAVAILABLE, connect_control
from korad.cli.books import address_of
from korad.cli.limit_values import budget_text, short_usd
from korad.clock import unix_ns
from korad.config import Settings
from korad.domain.limits import EntityLimits
from korad.domain.value import value

_GROUPS = {TEAM_ID_PREFIX: " by team", CUSTOMER_ID_PREFIX: " by customer"}
_PREFIX_CHARS = 3


@value
class Spendings:
    """What was spent of some budgets, or why that cannot be told."""

    known: tuple[Spending, ...] = ()
    error: str | None = None


def spendings_of(settings: Settings, chain: Sequence[EntityLimits], account: str) -> Spendings:
    """Return what was spent of the budgets of `chain`, which are in the books of `account`."""
    budgeted = [each for each in chain if each.limits.budgets]
    if not budgeted:
        return Spendings()
    try:
        return Spendings(known=tuple(asyncio.run(_read(settings, budgeted, account))))
    except (RedisError, BooksNotBegunError, ValueError, *UNAVAILABLE) as error:
        return Spendings(error=str(error) or type(error).__name__)


async def _read(settings: Settings, chain: Sequence[EntityLimits], account: str) -> list[Spending]:
    address = address_of(settings)
    if address is None:
        raise BooksNotBegunError("korad's own Redis does not run: `korad serve` starts it")
    now_ms = unix_ns() // 1_000_000
    async with aclosing(await connect_control(address)) as redis:
        return [
            await read_spending(
                redis.execute_command,
                each.entity,
                account,
                each.limits,
                shards=settings.redis.shards,
                now_ms=now_ms,
            )
            for each in chain
        ]


def spendings_object(spendings: Spendings) -> dict[str, Any]:
    """Return what `show --json` adds; `spending` is null where it cannot be told."""
    known = None if spendings.error else [spending_object(each) for each in spendings.known]
    return {"spending": known, "spending_error": spendings.error}


def spendings_lines(spendings: Spendings) -> list[tuple[str, str]]:
    """Return the same as labelled facts: "$1.5 of $50/month, $48.5 left"."""
    if spendings.error is not None:
        return [("spent", f"cannot be told: {spendings.error}")]
    return [
        (f"spent{_GROUPS.get(each.entity[:_PREFIX_CHARS], '')}", _text(each, place))
        for each in spendings.known
        for place in range(len(each.limits.budgets))
    ]


def _text(spending: Spending, place: int) -> str:
    spent, held = spending.spent_nano_usd[place], spending.held_nano_usd
    return (
        f"${short_usd(spent)} of {budget_text(spending.limits.budgets[place])}, "
        f"{f'${short_usd(held)} held, ' if held else ''}"
        f"${short_usd(spending.left_nano_usd(place))} left"
    )
