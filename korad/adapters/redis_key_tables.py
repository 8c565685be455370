"""The tables of the keys in Redis, as one piece of work sees and changes them.

kk:{keys}:meta     hash: generation, revision, pepper_probe; absent in an empty Redis
kk:{keys}:keys     hash key id -> JSON of the columns of `key_rows`, digest in hex
kk:{keys}:revs     sorted set of key ids by the revision of their last change
kk:{keys}:names    hash name -> id of the active key that has it
kk:{keys}:digests  hash digest -> key id
kk:{keys}:groups   hash team or customer id -> JSON
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from korad.adapters.group_rows import columns_of_group, group_of
from korad.adapters.key_errors import KeysLostError
from korad.adapters.key_rows import COLUMNS
from korad.adapters.key_rules import Row
from korad.adapters.redis_blocking import BlockingClient
from korad.domain.limits import Group

META, KEYS, REVS, NAMES, DIGESTS, GROUPS = ALL_KEYS = tuple(
    f"kk:{{keys}}:{name}" for name in ("meta", "keys", "revs", "names", "digests", "groups")
)
_READ_AT_ONCE: Final = 1000


class RedisKeyTables:
    """Implement `KeyTables`: read at once, gather what is put."""

    def __init__(self, client: BlockingClient) -> None:
        self._client: Any = client
        self._groups: dict[str, Group] | None = None
        self.key_arguments: list[str | bytes] = []
        self.group_arguments: list[str | bytes] = []
        self.keys_put = 0

    def groups(self) -> dict[str, Group]:
        """Return all teams and customers by id, oldest first."""
        if self._groups is None:
            read = [group_of(orjson.loads(text)) for text in self._client.hvals(GROUPS)]
            read.sort(key=lambda group: (group.created_at_s, group.group_id))
            self._groups = {group.group_id: group for group in read}
        return dict(self._groups)

    def rows(self) -> list[Row]:
        """Return all keys, oldest first."""
        return self.rows_of(self._client.hkeys(KEYS))

    def rows_of(self, key_ids: list[bytes]) -> list[Row]:
        """Return these keys, oldest first. Raises KeysLostError for one that is not there."""
        texts: list[bytes | None] = []
        for start in range(0, len(key_ids), _READ_AT_ONCE):
            texts += self._client.hmget(KEYS, key_ids[start : start + _READ_AT_ONCE])
        rows = [_decoded(text) for text in texts]
        rows.sort(key=lambda row: (row["created_at_s"], row["key_id"]))
        return rows

    def find(self, reference: str, digest: bytes) -> Row | None:
        """Return the key with this id, digest or name."""
        if text := self._client.hget(KEYS, reference):
            return _decoded(text)
        for index, name in ((DIGESTS, digest.hex()), (NAMES, reference)):
            if key_id := self._client.hget(index, name):
                return _decoded(self._client.hget(KEYS, key_id))
        # Revoked keys have no place in the index of names: they are looked for one by one.
        named = [row for row in self.rows() if row["name"] == reference]
        return named[-1] if named else None

    def conflict(self, row: Row) -> Row | None:
        """Return another key that `row` cannot stand beside."""
        taken = self._client.hget(DIGESTS, row["digest"].hex())
        if (taken is None or taken.decode() == row["key_id"]) and row["active"]:
            taken = self._client.hget(NAMES, row["name"])
        if taken is None or taken.decode() == row["key_id"]:
            return None
        return _decoded(self._client.hget(KEYS, taken))

    def members(self, group_id: str) -> list[Row]:
        """Return the keys whose own team or own customer this is."""
        return [row for row in self.rows() if group_id in {row["team_id"], row["customer_id"]}]

    def put_key(self, row: Row) -> None:
        """Gather a key for the commit."""
        former = self._client.hget(KEYS, row["key_id"])
        given_up = _active_name(_decoded(former)) if former else ""
        columns = {name: row[name] for name in COLUMNS} | {"digest": row["digest"].hex()}
        self.key_arguments += [
            row["key_id"],
            orjson.dumps(columns),
            columns["digest"],
            given_up,
            _active_name(row),
        ]
        self.keys_put += 1

    def put_group(self, group: Group) -> None:
        """Gather a team or customer for the commit."""
        columns = columns_of_group(group)
        self.group_arguments += [group.group_id, orjson.dumps(columns)]


def _active_name(row: Row) -> str:
    return str(row["name"]) if row["active"] else ""


def _decoded(text: bytes | None) -> Row:
    if text is None:
        raise KeysLostError("Redis lost a part of the keys: restore it from a backup")
    row: Mapping[str, Any] = orjson.loads(text)
    return dict(row) | {"digest": bytes.fromhex(row["digest"])}
