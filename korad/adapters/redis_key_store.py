"""Virtual keys in Redis, for machines that share them. Digests only, as on disk.

    kk:{keys}:meta     hash: generation, revision, pepper_probe; absent in an empty Redis
    kk:{keys}:keys     hash key id -> JSON of the columns of `key_rows`, digest in hex
    kk:{keys}:revs     sorted set of key ids by the revision of their last change
    kk:{keys}:names    hash name -> id of the active key that has it
    kk:{keys}:digests  hash digest -> key id
    kk:{keys}:groups   hash team or customer id -> JSON

A change is worked out here on what was read, and kept by one script if nobody came first.
What is lost is told, never taken for "there are no keys": a store that has seen a generation,
now or (by a file in the state folder) before a restart, accepts no other, and no older revision.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from redis.exceptions import NoScriptError, RedisError

from korad.adapters.group_rows import columns_of_group, group_of
from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import KeysLostError, KeyStoreError
from korad.adapters.key_rows import COLUMNS, key_of
from korad.adapters.key_rules import KeyTables, Row
from korad.adapters.pepper import pepper_probe
from korad.adapters.redis_blocking import BlockingClient, blocking_client
from korad.adapters.redis_scripts import load_script
from korad.adapters.redis_url import RedisAddress
from korad.domain.identity import VirtualKey
from korad.domain.limits import Group
from korad.domain.value import Fact

GENERATION_FILE: Final = "keys.generation"
META, KEYS, REVS, NAMES, DIGESTS, GROUPS = _ALL_KEYS = tuple(
    f"kk:{{keys}}:{name}" for name in ("meta", "keys", "revs", "names", "digests", "groups")
)
_SCRIPT: Final = load_script("keys_commit")
_TRIES_MAX: Final = 100
_READ_AT_ONCE: Final = 1000
_GENERATION_BYTES: Final = 8

T = TypeVar("T")


class _Meta(Fact, frozen=True):
    generation: str = ""
    """"" for an empty store."""
    revision: str = "0"


class _Tables:
    """Implement `KeyTables`: read at once, gather what is put."""

    def __init__(self, client: BlockingClient) -> None:
        self._client: Any = client
        self._groups: dict[str, Group] | None = None
        self.key_arguments: list[str | bytes] = []
        self.group_arguments: list[str | bytes] = []
        self.keys_put = 0

    def groups(self) -> dict[str, Group]:
        if self._groups is None:
            read = [group_of(orjson.loads(text)) for text in self._client.hvals(GROUPS)]
            read.sort(key=lambda group: (group.created_at_s, group.group_id))
            self._groups = {group.group_id: group for group in read}
        return dict(self._groups)

    def rows(self) -> list[Row]:
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
        if text := self._client.hget(KEYS, reference):
            return _decoded(text)
        for index, name in ((DIGESTS, digest.hex()), (NAMES, reference)):
            if key_id := self._client.hget(index, name):
                return _decoded(self._client.hget(KEYS, key_id))
        # Revoked keys have no place in the index of names: they are looked for one by one.
        named = [row for row in self.rows() if row["name"] == reference]
        return named[-1] if named else None

    def conflict(self, row: Row) -> Row | None:
        taken = self._client.hget(DIGESTS, row["digest"].hex())
        if (taken is None or taken.decode() == row["key_id"]) and row["active"]:
            taken = self._client.hget(NAMES, row["name"])
        if taken is None or taken.decode() == row["key_id"]:
            return None
        return _decoded(self._client.hget(KEYS, taken))

    def members(self, group_id: str) -> list[Row]:
        return [row for row in self.rows() if group_id in {row["team_id"], row["customer_id"]}]

    def put_key(self, row: Row) -> None:
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
        columns = columns_of_group(group)
        self.group_arguments += [group.group_id, orjson.dumps(columns)]


class RedisKeyStore(VirtualKeys):
    """Implement `VirtualKeys` and `korad.ports.KeyStore` in a Redis.

    One thread at a time, and not across a fork. Every method blocks for replies; each may raise
    KeyStoreError: no Redis, or not this pepper's; KeysLostError: it lost what it held.
    """

    def __init__(
        self,
        address: RedisAddress,
        pepper: bytes,
        *,
        state_dir: Path | None = None,
        pepper_source: str = "the file 'pepper' in the state folder",
    ) -> None:
        self._where = address.label
        self._pepper = pepper
        self._probe = pepper_probe(pepper).hex()
        self._pepper_source = pepper_source
        self._memory = None if state_dir is None else state_dir / GENERATION_FILE
        self._seen = _Meta()
        with self._mapped_errors():
            if self._memory is not None and self._memory.exists():
                self._seen = _Meta(generation=self._memory.read_text("ascii").strip())
            self._client: Any = blocking_client(address)
            try:
                self._meta()
            except BaseException:
                self._client.close()
                raise

    def version(self) -> int:
        """Return the revision of the newest change; 0 for a Redis that never had keys."""
        with self._mapped_errors():
            return int(self._meta().revision)

    def changes_since(self, rev: int) -> tuple[int, list[VirtualKey]]:
        """Return the newest revision and every key changed after `rev` (0: all keys)."""
        with self._mapped_errors():
            # The revision first: what changes while the rest is read is read again next time.
            newest = int(self._meta().revision)
            changed = self._client.zrangebyscore(REVS, f"({rev}", "+inf")
            tables = _Tables(self._client)
            rows = tables.rows_of(changed)
            # A key names no group that was not there before it.
            groups = tables.groups() if rows else {}
            keys = [key_of(row, groups) for row in rows]
            # Had Redis been emptied meanwhile, there would have been too few.
            self._meta()
        return newest, keys

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __repr__(self) -> str:
        return f"RedisKeyStore({self._where!r})"

    def _read(self, work: Callable[[KeyTables], T]) -> T:
        with self._mapped_errors():
            for _ in range(_TRIES_MAX):
                before = self._meta()
                try:
                    result = work(_Tables(self._client))
                except KeyStoreError:
                    if self._meta() == before:
                        raise
                    continue  # it saw a part of a change
                if self._meta() == before:
                    return result
        raise self._too_busy()

    def _change(self, work: Callable[[KeyTables], T]) -> T:
        with self._mapped_errors():
            for _ in range(_TRIES_MAX):
                meta = self._meta()
                tables = _Tables(self._client)
                try:
                    result = work(tables)
                except KeyStoreError:
                    if self._meta() == meta:
                        raise
                    continue  # it saw a part of another's change
                if self._commit(meta, tables):
                    self._meta()
                    return result
        raise self._too_busy()

    def _commit(self, meta: _Meta, tables: _Tables) -> bool:
        """Return whether what `tables` gathered is kept; otherwise someone came first."""
        arguments = (
            meta.generation,
            meta.revision,
            secrets.token_hex(_GENERATION_BYTES),
            self._probe,
            tables.keys_put,
            *tables.key_arguments,
            *tables.group_arguments,
        )
        tail = (len(_ALL_KEYS), *_ALL_KEYS, *arguments)
        try:
            kept = self._client.execute_command("EVALSHA", _SCRIPT.sha, *tail)
        except NoScriptError:
            kept = self._client.execute_command("EVAL", _SCRIPT.text, *tail)
        return bool(kept)

    def _meta(self) -> _Meta:
        """Return generation and revision. Raises unless they follow those seen before."""
        held = self._client.hmget(META, "generation", "revision", "pepper_probe")
        generation, revision, probe = (each.decode() if each else "" for each in held)
        if not generation:
            if self._seen.generation:
                raise self._lost("was emptied: it holds no keys any more")
            return self._seen
        if self._seen.generation not in {"", generation}:
            raise self._lost("was emptied and begun anew: its keys are other ones")
        if probe != self._probe:
            raise KeyStoreError(
                f"the pepper of this machine ({self._pepper_source}) is not the one that the keys "
                f"in Redis at {self._where} were made with: copy the file 'pepper' from the state "
                "folder of the machine that made them (or what its keys.pepper names) to this one"
            )
        if int(revision) < int(self._seen.revision):
            raise self._lost("came back with an older state: the newest changes of keys are gone")
        if generation != self._seen.generation:
            self._remember(generation)
        self._seen = _Meta(generation=generation, revision=revision)
        return self._seen

    def _remember(self, generation: str) -> None:
        if self._memory is None:
            return
        self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._memory.with_name(f".{self._memory.name}.{os.getpid()}.{secrets.token_hex(4)}")
        draft.write_text(generation + "\n", "ascii")
        draft.replace(self._memory)

    def _lost(self, what: str) -> KeysLostError:
        advice = "restore it from a backup"
        if self._memory is not None:
            advice += f"; to give its keys up and begin anew, remove {self._memory} and restart"
        return KeysLostError(
            f"Redis at {self._where} {what}. korad goes on with the keys it knows; {advice}"
        )

    def _too_busy(self) -> KeyStoreError:
        return KeyStoreError(f"too many change the keys in Redis at {self._where}: try again")

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise KeyStoreError(
                f"cannot use the keys in Redis at {self._where}: {error or type(error).__name__}"
            ) from error


def _active_name(row: Row) -> str:
    return str(row["name"]) if row["active"] else ""


def _decoded(text: bytes | None) -> Row:
    if text is None:
        raise KeysLostError("Redis lost a part of the keys: restore it from a backup")
    row: Mapping[str, Any] = orjson.loads(text)
    return dict(row) | {"digest": bytes.fromhex(row["digest"])}
