"""The key store's tables, its statements, and a virtual key as a row of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, TypedDict

import orjson

from korad.adapters.group_rows import GROUPS_INDEX, GROUPS_TABLE, LimitChanges, decoded_limits
from korad.adapters.key_errors import KeyStoreError
from korad.domain.identity import VirtualKey
from korad.domain.limits import EntityLimits, Group

SCHEMA_VERSION: Final = 3

COLUMNS: Final = (
    "key_id",
    "name",
    "digest",
    "hint",
    "level",
    "allowed_providers",
    "allowed_models",
    "margin_bp",
    "expires_at_s",
    "active",
    "created_at_s",
    "cache",
    "team_id",
    "customer_id",
    "limits",
    "fail_closed",
)
"""All that is kept of a key but its revision. `customer_id` is the key's own."""


class KeySettings(TypedDict, total=False):
    """What may be set on a key; see `VirtualKey`."""

    level: str | None
    allowed_providers: frozenset[str] | None
    allowed_models: frozenset[str] | None
    margin_bp: int | None
    cache: bool
    expires_at_s: int | None
    active: bool
    team_id: str | None
    customer_id: str | None
    limits: LimitChanges
    fail_closed: bool


class KeyChanges(KeySettings, total=False):
    """What may be changed on a key."""

    name: str


def encoded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` as a row takes them: sets become sorted JSON arrays."""
    return {
        name: orjson.dumps(sorted(held)).decode() if isinstance(held, frozenset) else held
        for name, held in fields.items()
    }


def key_of(row: sqlite3.Row | Mapping[str, Any], groups: Mapping[str, Group]) -> VirtualKey:
    """Return the key that `row` holds, with what its team and customer, of `groups`, add to it.

    Raises KeyStoreError for a team or customer that is not there.
    """
    own = decoded_limits(row["limits"])
    team = _group(groups, row["team_id"])
    customer_id = row["customer_id"] or (team.customer_id if team else None)
    customer = _group(groups, customer_id)
    chain = [EntityLimits(entity=row["key_id"], limits=own)]
    chain += [EntityLimits(entity=g.group_id, limits=g.limits) for g in (team, customer) if g]
    return VirtualKey(
        key_id=row["key_id"],
        name=row["name"],
        digest=row["digest"],
        level=row["level"],
        allowed_providers=_names(row["allowed_providers"]),
        allowed_models=_names(row["allowed_models"]),
        margin_bp=row["margin_bp"],
        cache=bool(row["cache"]),
        expires_at_s=row["expires_at_s"],
        team_id=row["team_id"],
        customer_id=customer_id,
        own_limits=own,
        limits=tuple(each for each in chain if not each.limits.unlimited),
        fail_closed=bool(row["fail_closed"]),
        active=bool(row["active"]),
        created_at_s=row["created_at_s"],
    )


def _group(groups: Mapping[str, Group], group_id: str | None) -> Group | None:
    if group_id is None:
        return None
    if group_id not in groups:
        raise KeyStoreError(f"a key belongs to '{group_id}', which is not there")
    return groups[group_id]


def _names(encoded: str | None) -> frozenset[str] | None:
    return None if encoded is None else frozenset(orjson.loads(encoded))


SCHEMA: Final = (
    """
    CREATE TABLE store (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        rev INTEGER NOT NULL,
        pepper_probe BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE keys (
        key_id TEXT NOT NULL UNIQUE,
        rev INTEGER NOT NULL,
        name TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE,
        hint TEXT NOT NULL,
        level TEXT,
        allowed_providers TEXT,
        allowed_models TEXT,
        margin_bp INTEGER,
        expires_at_s INTEGER,
        active INTEGER NOT NULL,
        created_at_s INTEGER NOT NULL,
        cache INTEGER NOT NULL DEFAULT 0,
        team_id TEXT,
        customer_id TEXT,
        limits TEXT,
        fail_closed INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE UNIQUE INDEX keys_by_rev ON keys (rev)",
    "CREATE UNIQUE INDEX active_keys_by_name ON keys (name) WHERE active",
    GROUPS_TABLE,
    GROUPS_INDEX,
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

MIGRATIONS: Final = {
    1: ("ALTER TABLE keys ADD COLUMN cache INTEGER NOT NULL DEFAULT 0",),
    2: (
        "ALTER TABLE keys ADD COLUMN team_id TEXT",
        "ALTER TABLE keys ADD COLUMN customer_id TEXT",
        "ALTER TABLE keys ADD COLUMN limits TEXT",
        "ALTER TABLE keys ADD COLUMN fail_closed INTEGER NOT NULL DEFAULT 0",
        GROUPS_TABLE,
        GROUPS_INDEX,
    ),
}
"""What makes of each former schema the next one."""

SELECT: Final = f"SELECT rev, {', '.join(COLUMNS)} FROM keys"  # noqa: S608 - constants only
GET: Final = f"""
    {SELECT}
    WHERE key_id = :reference OR digest = :digest OR name = :reference
    ORDER BY active DESC, rowid DESC LIMIT 1
"""
MEMBERS: Final = f"{SELECT} WHERE team_id = :group_id OR customer_id = :group_id ORDER BY rowid"
CONFLICTS: Final = """
    SELECT key_id, digest FROM keys
    WHERE key_id != :key_id AND (digest = :digest OR (:active AND active AND name = :name))
    ORDER BY digest = :digest DESC LIMIT 1
"""
_PUT_NAMES: Final = ("rev", *COLUMNS)
PUT: Final = f"""
    INSERT INTO keys ({", ".join(_PUT_NAMES)})
    VALUES ({", ".join(f":{name}" for name in _PUT_NAMES)})
    ON CONFLICT (key_id) DO UPDATE SET
    {", ".join(f"{name} = :{name}" for name in _PUT_NAMES if name != "key_id")}
"""  # noqa: S608 - constants only
