"""The rules of virtual keys, teams and customers, on the tables of any store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from korad.adapters.group_rows import changed_limits, decoded_limits, encoded_limits
from korad.adapters.key_errors import (
    InvalidKeyError,
    KeyConflictError,
    KeyNotFoundError,
    check_group_name,
)
from korad.adapters.key_rows import KeyChanges, KeySettings, encoded, key_of
from korad.domain.identity import VirtualKey
from korad.domain.limits import Group, GroupKind

Row = Mapping[str, Any]
"""A key by `COLUMNS`."""


class KeyTables(Protocol):
    """A store's tables as one piece of work sees and changes them."""

    def groups(self) -> dict[str, Group]:
        """Return all teams and customers by id, oldest first."""
        ...

    def rows(self) -> list[Row]:
        """Return all keys, oldest first."""
        ...

    def find(self, reference: str, digest: bytes) -> Row | None:
        """Return the key with this id, name or digest; see `VirtualKeys.get`."""
        ...

    def conflict(self, row: Row) -> Row | None:
        """Return the `key_id` and `digest` of another key that `row` cannot stand beside."""
        ...

    def members(self, group_id: str) -> list[Row]:
        """Return the keys whose own team or own customer this is."""
        ...

    def put_key(self, row: Row) -> None:
        """Store a key, new or changed, under a revision of its own."""
        ...

    def put_group(self, group: Group) -> None:
        """Store a group, new or changed."""
        ...


def changed_row(row: Row, changes: KeyChanges | KeySettings) -> dict[str, Any]:
    """Return `row` with `changes` applied."""
    fields = encoded(changes)
    if "limits" in changes:
        limits = changed_limits(decoded_limits(row["limits"]), changes["limits"])
        fields["limits"] = encoded_limits(limits)
    return dict(row) | fields


def put_key(tables: KeyTables, row: Row) -> VirtualKey:
    """Store a key and return it. Raises KeyConflictError, InvalidKeyError, KeyNotFoundError."""
    groups = tables.groups()
    _check_places(row, groups)
    _refuse_conflict(tables, row)
    tables.put_key(row)
    return key_of(row, groups)


def put_group(tables: KeyTables, group: Group) -> Group:
    """Store a group, give all its keys a new revision and return it. Raises as `put_key`."""
    check_group_name(group.name, group.kind.value)
    groups = tables.groups()
    _refuse_group_conflict(groups, group)
    if group.customer_id is not None:
        if group.kind is GroupKind.CUSTOMER:
            raise InvalidKeyError("a customer belongs to no other customer")
        _expect(groups, group.customer_id, GroupKind.CUSTOMER)
    former = groups.get(group.group_id)
    groups[group.group_id] = group
    tables.put_group(group)
    if former is not None:
        places = [group.group_id]
        if group.kind is GroupKind.CUSTOMER:
            teams = (each for each in groups.values() if each.customer_id == group.group_id)
            places += [team.group_id for team in teams]
        members = {row["key_id"]: row for place in places for row in tables.members(place)}
        for row in members.values():
            _check_places(row, groups)
            tables.put_key(row)
    return group


def add_missing(tables: KeyTables, groups: Mapping[str, Group], rows: list[Row]) -> int:
    """Add the keys and groups that are not there yet; return how many keys that were.

    Raises KeyConflictError where a name or secret is taken by another.
    """
    known = tables.groups()
    for group in groups.values():
        if group.group_id not in known:
            _refuse_group_conflict(known, group)
            tables.put_group(group)
    present = {row["key_id"] for row in tables.rows()}
    missing = [row for row in rows if row["key_id"] not in present]
    for row in missing:
        _refuse_conflict(tables, row)
        tables.put_key(row)
    return len(missing)


def _check_places(row: Row, groups: Mapping[str, Group]) -> None:
    """Refuse a team or customer that is none, and a customer other than the team's.

    A team's spending is in the books of its customer. With a key that pays into another's, its
    budget could not be held.
    """
    team = _expect(groups, row["team_id"], GroupKind.TEAM) if row["team_id"] else None
    if not row["customer_id"]:
        return
    customer = _expect(groups, row["customer_id"], GroupKind.CUSTOMER)
    if team is not None and team.customer_id != customer.group_id:
        raise KeyConflictError(
            f"the key '{row['name']}' cannot belong to the customer '{customer.name}': a key in a "
            f"team belongs to its team's customer; see: korad teams update {team.group_id} "
            "--customer"
        )


def _expect(groups: Mapping[str, Group], group_id: str, kind: GroupKind) -> Group:
    group = groups.get(group_id)
    if group is None or group.kind is not kind:
        raise KeyNotFoundError(f"there is no {kind.value} '{group_id}'")
    return group


def find_group(groups: Mapping[str, Group], kind: GroupKind, reference: str) -> Group | None:
    """Return the team or customer with this id or name, or None."""
    of_kind = (group for group in groups.values() if group.kind is kind)
    return next((each for each in of_kind if reference in {each.group_id, each.name}), None)


def _refuse_group_conflict(groups: Mapping[str, Group], group: Group) -> None:
    taken = find_group(groups, group.kind, group.name)
    if taken is not None and taken.group_id != group.group_id:
        raise KeyConflictError(
            f"the name '{group.name}' is taken by the {group.kind.value} {taken.group_id}: choose "
            "another name"
        )


def _refuse_conflict(tables: KeyTables, row: Row) -> None:
    taken = tables.conflict(row)
    if taken is None:
        return
    if taken["digest"] == row["digest"]:
        raise KeyConflictError(f"this secret already belongs to the key {taken['key_id']}")
    raise KeyConflictError(
        f"the name '{row['name']}' is taken by the active key {taken['key_id']}: choose another "
        "name, or revoke that key first"
    )
