"""The key store's tables, its statements, and a virtual key as a row of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final, TypedDict

import orjson

from korad.domain.identity import VirtualKey

SCHEMA_VERSION: Final = 2


class KeySettings(TypedDict, total=False):
    """What may be set on a key; see `VirtualKey`."""

    level: str | None
    allowed_providers: frozenset[str] | None
    allowed_models: frozenset[str] | None
    margin_bp: int | None
    cache: bool
    expires_at_s: int | None
    active: bool


class KeyChanges(KeySettings, total=False):
    """What may be changed on a key."""

    name: str


def columns_of(key: VirtualKey) -> dict[str, Any]:
    """Return the columns that hold `key`, all but its revision and hint."""
    return encoded(
        {
            "key_id": key.key_id,
            "name": key.name,
            "digest": key.digest,
            "level": key.level,
            "allowed_providers": key.allowed_providers,
            "allowed_models": key.allowed_models,
            "margin_bp": key.margin_bp,
            "cache": key.cache,
            "expires_at_s": key.expires_at_s,
            "active": key.active,
            "created_at_s": key.created_at_s,
        }
    )


def encoded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` as SQLite takes them: sets become sorted JSON arrays."""
    return {
        name: orjson.dumps(sorted(held)).decode() if isinstance(held, frozenset) else held
        for name, held in fields.items()
    }


def key_of(row: sqlite3.Row | Mapping[str, Any]) -> VirtualKey:
    """Return the key that `row` holds."""
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
        active=bool(row["active"]),
        created_at_s=row["created_at_s"],
    )


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
        cache INTEGER NOT NULL DEFAULT 0
    )
    """,
    "CREATE UNIQUE INDEX keys_by_rev ON keys (rev)",
    "CREATE UNIQUE INDEX active_keys_by_name ON keys (name) WHERE active",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

MIGRATIONS: Final = {
    1: "ALTER TABLE keys ADD COLUMN cache INTEGER NOT NULL DEFAULT 0",
}
"""What makes of each former schema the next one."""

_FIELDS: Final = (
    "key_id, name, digest, level, allowed_providers, allowed_models, margin_bp, expires_at_s, "
    "active, created_at_s, cache"
)
SELECT: Final = f"SELECT rev, {_FIELDS} FROM keys"  # noqa: S608 - constants only
GET: Final = f"""
    {SELECT}
    WHERE key_id = :reference OR digest = :digest OR name = :reference
    ORDER BY active DESC, rowid DESC LIMIT 1
"""
CONFLICTS: Final = """
    SELECT key_id, digest FROM keys
    WHERE key_id != :key_id AND (digest = :digest OR (:active AND active AND name = :name))
    ORDER BY digest = :digest DESC LIMIT 1
"""
INSERT: Final = """
    INSERT INTO keys (
        key_id, rev, name, digest, hint, level, allowed_providers, allowed_models, margin_bp,
        expires_at_s, active, created_at_s, cache
    ) VALUES (
        :key_id, :rev, :name, :digest, :hint, :level, :allowed_providers, :allowed_models,
        :margin_bp, :expires_at_s, :active, :created_at_s, :cache
    )
"""
UPDATE: Final = """
    UPDATE keys SET
        rev = :rev, name = :name, level = :level, allowed_providers = :allowed_providers,
        allowed_models = :allowed_models, margin_bp = :margin_bp, expires_at_s = :expires_at_s,
        active = :active, cache = :cache
    WHERE key_id = :key_id
"""
