"""What may be done with virtual keys, teams and customers, whatever store they are in.

A store brings `_change` and `_read`, which run one piece of work on its tables as a whole or
not at all; the rules are here, once.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Self, TypeVar, Unpack

from korad.adapters.group_rows import GroupChanges, LimitChanges, changed_limits
from korad.adapters.key_errors import (
    CUSTOMER_ID_PREFIX,
    KEY_ID_PREFIX,
    TEAM_ID_PREFIX,
    KeyNotFoundError,
    check_key_name,
    check_secret,
)
from korad.adapters.key_rows import COLUMNS, KeyChanges, KeySettings, key_of
from korad.adapters.key_rules import (
    KeyTables,
    add_missing,
    changed_row,
    find_group,
    put_group,
    put_key,
)
from korad.auth import RANDOM_BYTES_MIN, digest_key, generate_key_secret
from korad.domain.identity import VirtualKey
from korad.domain.limits import Group, GroupKind, Limits
from korad.domain.secret import Secret

HINT_CHARS: Final = 4
_ID_BYTES: Final = 8
_GROUP_ID_PREFIXES: Final = {
    GroupKind.TEAM: TEAM_ID_PREFIX,
    GroupKind.CUSTOMER: CUSTOMER_ID_PREFIX,
}

T = TypeVar("T")


class VirtualKeys(ABC):
    """Virtual keys, teams and customers, kept somewhere: implements `korad.ports.KeyStore`.

    Every method may raise KeyStoreError: the store cannot be used.
    """

    _pepper: bytes

    @abstractmethod
    def _change(self, work: Callable[[KeyTables], T]) -> T:
        """Run `work` and keep what it put, all or nothing; nobody else changes meanwhile.

        It may be run more than once.
        """

    @abstractmethod
    def _read(self, work: Callable[[KeyTables], T]) -> T:
        """Run `work`, which puts nothing."""

    @abstractmethod
    def version(self) -> int:
        """Return the revision of the newest change."""

    @abstractmethod
    def changes_since(self, rev: int) -> tuple[int, list[VirtualKey]]:
        """Return the newest revision and every key changed after `rev` (0: all keys).

        A key is changed by a change of its team or customer too.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of file or connection."""

    def create(
        self,
        name: str,
        *,
        now_s: int,
        secret: str | None = None,
        **settings: Unpack[KeySettings],
    ) -> tuple[VirtualKey, Secret]:
        """Store a new key and return it with its secret, which nothing can recover later.

        `secret` None makes a random one. Raises KeyConflictError, InvalidKeyError.
        """
        check_key_name(name)
        if secret is None:
            secret = generate_key_secret(secrets.token_bytes(RANDOM_BYTES_MIN))
        check_secret(secret)
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
            "key_id": _new_id(KEY_ID_PREFIX),
            "name": name,
            "digest": digest_key(self._pepper, secret),
            "hint": secret[-HINT_CHARS:],
            "created_at_s": now_s,
            "active": True,
            "cache": False,
            "fail_closed": False,
        }
        row = changed_row(row, settings)
        return self._change(lambda tables: put_key(tables, row)), Secret(secret)

    def update(self, reference: str, **changes: Unpack[KeyChanges]) -> VirtualKey:
        """Change the named fields (None clears one) and return the key as it is now.

        Of `limits` only what it names changes. Raises KeyNotFoundError, KeyConflictError,
        InvalidKeyError.
        """
        if "name" in changes:
            check_key_name(changes["name"])
        digest = digest_key(self._pepper, reference)

        def work(tables: KeyTables) -> VirtualKey:
            former = tables.find(reference, digest)
            if former is None:
                raise KeyNotFoundError("there is no such key")
            return put_key(tables, changed_row(former, changes))

        return self._change(work)

    def revoke(self, reference: str) -> VirtualKey:
        """Make the key inactive and return it. Raises KeyNotFoundError."""
        return self.update(reference, active=False)

    def get(self, reference: str) -> VirtualKey | None:
        """Return the key with this id, secret or name, or None.

        Where a name was used again after its key was revoked, the active key is meant, else
        the newest.
        """
        digest = digest_key(self._pepper, reference)

        def work(tables: KeyTables) -> VirtualKey | None:
            row = tables.find(reference, digest)
            return None if row is None else key_of(row, tables.groups())

        return self._read(work)

    def list_keys(self) -> list[VirtualKey]:
        """Return all keys, revoked ones too, oldest first."""

        def work(tables: KeyTables) -> list[VirtualKey]:
            groups = tables.groups()
            return [key_of(row, groups) for row in tables.rows()]

        return self._read(work)

    def hints(self) -> dict[str, str]:
        """Return the last characters of every key's secret by key id, to tell keys apart by eye."""
        return self._read(lambda tables: {row["key_id"]: row["hint"] for row in tables.rows()})

    def hint(self, key_id: str) -> str:
        """Return the last characters of one key's secret, "" for a key that is not there."""
        row = self._read(lambda tables: tables.find(key_id, b""))
        return "" if row is None else str(row["hint"])

    def create_group(
        self,
        kind: GroupKind,
        name: str,
        *,
        now_s: int,
        customer_id: str | None = None,
        limits: LimitChanges | None = None,
    ) -> Group:
        """Store a new team or customer and return it; `customer_id` is for teams.

        Raises KeyConflictError, InvalidKeyError, KeyNotFoundError (for the customer).
        """
        group = Group(
            group_id=_new_id(_GROUP_ID_PREFIXES[kind]),
            kind=kind,
            name=name,
            customer_id=customer_id,
            limits=changed_limits(Limits(), limits or {}),
            created_at_s=now_s,
        )
        return self._change(lambda tables: put_group(tables, group))

    def update_group(
        self, kind: GroupKind, reference: str, **changes: Unpack[GroupChanges]
    ) -> Group:
        """Change the named fields of a team or customer, and with it all its keys, at once.

        Raises KeyNotFoundError, KeyConflictError, InvalidKeyError.
        """

        def work(tables: KeyTables) -> Group:
            former = find_group(tables.groups(), kind, reference)
            if former is None:
                raise KeyNotFoundError(f"there is no such {kind.value}")
            fields: dict[str, Any] = dict(changes)
            fields["limits"] = changed_limits(former.limits, changes.get("limits", {}))
            return put_group(tables, replace(former, **fields))

        return self._change(work)

    def get_group(self, kind: GroupKind, reference: str) -> Group | None:
        """Return the team or customer with this id or name, or None."""
        return self._read(lambda tables: find_group(tables.groups(), kind, reference))

    def list_groups(self, kind: GroupKind) -> list[Group]:
        """Return all teams or all customers, oldest first."""
        groups = self._read(lambda tables: tables.groups())
        return [group for group in groups.values() if group.kind is kind]

    def copy_from(self, source: VirtualKeys) -> int:
        """Take over all keys, teams and customers with their ids; return how many keys were new.

        What is here already stays as it is. Raises KeyConflictError where a name or secret is
        taken by another; nothing is copied then.
        """
        groups, rows = source._read(lambda tables: (tables.groups(), tables.rows()))
        return self._change(lambda tables: add_missing(tables, groups, rows))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(_ID_BYTES)
