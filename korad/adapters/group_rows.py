"""Limits, teams and customers as the columns that hold them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, TypedDict

import msgspec

from korad.adapters.key_errors import InvalidKeyError
from korad.domain.limits import Budget, Group, GroupKind, Limits

NANO_USD_MAX: Final = 2**53
"""Scripts within Redis compare amounts exactly up to here: 9 million USD."""
COUNT_MAX: Final = 10**12
_DECODER: Final = msgspec.json.Decoder(Limits)
_NO_LIMITS: Final = Limits()


class LimitChanges(TypedDict, total=False):
    """The limits to change; None, or no budgets, clears one. See `Limits`."""

    budgets: tuple[Budget, ...]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_max: int | None


class GroupChanges(TypedDict, total=False):
    """What may be changed on a team or customer."""

    name: str
    customer_id: str | None
    limits: LimitChanges


def changed_limits(limits: Limits, changes: LimitChanges) -> Limits:
    """Return `limits` with `changes` applied. Raises InvalidKeyError for what no limit can be."""
    changed = msgspec.structs.replace(limits, **changes)
    resets = {budget.reset for budget in changed.budgets}
    if len(resets) < len(changed.budgets):
        raise InvalidKeyError("two budgets with one reset: the lower would decide")
    if any(not 0 <= budget.limit_nano_usd <= NANO_USD_MAX for budget in changed.budgets):
        raise InvalidKeyError("a budget is from 0 to 9 million USD")
    counts = (changed.requests_per_minute, changed.tokens_per_minute, changed.concurrent_max)
    if any(count is not None and not 1 <= count <= COUNT_MAX for count in counts):
        raise InvalidKeyError(f"a number of requests or tokens is from 1 to {COUNT_MAX}")
    return changed


def encoded_limits(limits: Limits) -> str | None:
    """Return `limits` as JSON with exact integers, None where nothing is limited."""
    return None if limits.unlimited else msgspec.json.encode(limits).decode()


def decoded_limits(text: str | None) -> Limits:
    """Return the limits that `encoded_limits` wrote."""
    return _NO_LIMITS if text is None else _DECODER.decode(text)


def columns_of_group(group: Group) -> dict[str, Any]:
    """Return the columns that hold `group`."""
    return {
        "group_id": group.group_id,
        "kind": group.kind.value,
        "name": group.name,
        "customer_id": group.customer_id,
        "limits": encoded_limits(group.limits),
        "created_at_s": group.created_at_s,
    }


def group_of(row: sqlite3.Row | Mapping[str, Any]) -> Group:
    """Return the group that `row` holds."""
    return Group(
        group_id=row["group_id"],
        kind=GroupKind(row["kind"]),
        name=row["name"],
        customer_id=row["customer_id"],
        limits=decoded_limits(row["limits"]),
        created_at_s=row["created_at_s"],
    )


GROUPS_TABLE: Final = """
    CREATE TABLE groups (
        group_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        customer_id TEXT,
        limits TEXT,
        created_at_s INTEGER NOT NULL
    )
"""
GROUPS_INDEX: Final = "CREATE UNIQUE INDEX groups_by_name ON groups (kind, name)"
SELECT_GROUPS: Final = "SELECT * FROM groups ORDER BY created_at_s, rowid"
PUT_GROUP: Final = """
    INSERT INTO groups (group_id, kind, name, customer_id, limits, created_at_s)
    VALUES (:group_id, :kind, :name, :customer_id, :limits, :created_at_s)
    ON CONFLICT (group_id) DO UPDATE SET
        name = :name, customer_id = :customer_id, limits = :limits
"""
