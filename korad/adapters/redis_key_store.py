"""Virtual keys in Redis, for machines that share them. Digests only, as on disk.

A change is worked out here on what was read, and kept by one script if nobody came first.
What is lost is told, never taken for "there are no keys": a store that has seen a generation,
now or (by a file in the state folder) before a restart, accepts no other, and no older revision.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from redis.cluster import RedisCluster
from redis.exceptions import (
    AuthenticationError,
    ConnectionError as RedisConnectionError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    TimeoutError as RedisTimeoutError,
)

from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import KeysLostError, KeyStoreError
from korad.adapters.key_rows import key_of
from korad.adapters.key_rules import KeyTables
from korad.adapters.key_snapshot import KeySnapshot, KeysUnreachableError, Snapshot
from korad.adapters.pepper import pepper_probe
from korad.adapters.private_folder import make_private_folder
from korad.adapters.redis_blocking import BlockingClient, blocking_client
from korad.adapters.redis_key_tables import ALL_KEYS, META, REVS, RedisKeyTables
from korad.adapters.redis_scripts import load_script
from korad.adapters.redis_url import RedisAddress
from korad.domain.identity import VirtualKey
from korad.domain.value import Fact

GENERATION_FILE: Final = "keys.generation"
_SCRIPT: Final = load_script("keys_commit")
_TRIES_MAX: Final = 100
_GENERATION_BYTES: Final = 8
REPLICA_MS: Final = 1_000
"""How long a change of keys waits for a replica to have it too."""
_log = logging.getLogger("korad")

_AWAY: Final = (
    RedisConnectionError,
    RedisTimeoutError,
    RedisClusterException,
    ConnectionError,
    TimeoutError,
)
"""What is raised where Redis does not answer."""

T = TypeVar("T")


class _Meta(Fact, frozen=True):
    generation: str = ""
    """"" for an empty store."""
    revision: str = "0"


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
        self._address = address
        self._where = address.label
        self._pepper = pepper
        self._probe = pepper_probe(pepper).hex()
        self._pepper_source = pepper_source
        self._memory = None if state_dir is None else state_dir / GENERATION_FILE
        self._snapshot = None if state_dir is None else KeySnapshot(state_dir, self._probe)
        self._seen = _Meta()
        self._connected: BlockingClient | None = None
        self._unreached: KeysUnreachableError | None = None
        with self._mapped_errors():
            if self._memory is not None and self._memory.exists():
                self._seen = _Meta(generation=self._memory.read_text("ascii").strip())
        try:
            with self._mapped_errors():
                self._meta()
        except KeysUnreachableError as error:
            # A start is possible with the snapshot; whoever needs more is told when he asks.
            if self._snapshot is None or not self._snapshot.fits(self._seen.generation):
                self.close()
                raise
            self._unreached = error
        except BaseException:
            self.close()
            raise

    @property
    def _client(self) -> Any:
        # A cluster is asked as soon as its client is made: that may have to be tried again.
        if self._connected is None:
            self._connected = blocking_client(self._address)
        return self._connected

    def version(self) -> int:
        """Return the revision of the newest change; 0 for a Redis that never had keys.

        Raises at once, and once, what kept the opening from it: a start waits no second time.
        """
        if self._unreached is not None:
            error, self._unreached = self._unreached, None
            raise error
        with self._mapped_errors():
            return int(self._meta().revision)

    def changes_since(self, rev: int) -> tuple[int, list[VirtualKey]]:
        """Return the newest revision and every key changed after `rev` (0: all keys)."""
        with self._mapped_errors():
            # The revision first: what changes while the rest is read is read again next time.
            newest = int(self._meta().revision)
            changed = self._client.zrangebyscore(REVS, f"({rev}", "+inf")
            tables = RedisKeyTables(self._client)
            rows = tables.rows_of(changed)
            # A key names no group that was not there before it.
            groups = tables.groups() if rows else {}
            keys = [key_of(row, groups) for row in rows]
            # Had Redis been emptied meanwhile, there would have been too few.
            self._meta()
        return newest, keys

    def close(self) -> None:
        """Close the connection."""
        if self._connected is not None:
            self._connected.close()

    def remember(self, rev: int, changed: Iterable[VirtualKey]) -> None:
        """Keep what `changes_since` gave, up to `rev`, for a start without Redis."""
        if self._snapshot is not None and self._seen.generation:
            self._snapshot.note(self._seen.generation, rev, changed)

    def remembered(self) -> Snapshot | None:
        """Return what is known of the keys without Redis, None for nothing.

        From then on Redis must be as new as that, or it has lost something.
        """
        if self._snapshot is None:
            return None
        snapshot = self._snapshot.load(self._seen.generation)
        if snapshot is not None and snapshot.revision > int(self._seen.revision):
            self._seen = _Meta(generation=self._seen.generation, revision=str(snapshot.revision))
        return snapshot

    def __repr__(self) -> str:
        return f"RedisKeyStore({self._where!r})"

    def _read(self, work: Callable[[KeyTables], T]) -> T:
        with self._mapped_errors():
            for _ in range(_TRIES_MAX):
                before = self._meta()
                try:
                    result = work(RedisKeyTables(self._client))
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
                tables = RedisKeyTables(self._client)
                try:
                    result = work(tables)
                except KeyStoreError:
                    if self._meta() == meta:
                        raise
                    continue  # it saw a part of another's change
                if self._commit(meta, tables):
                    self._wait_for_replica()
                    self._meta()
                    return result
        raise self._too_busy()

    def _commit(self, meta: _Meta, tables: RedisKeyTables) -> bool:
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
        tail = (len(ALL_KEYS), *ALL_KEYS, *arguments)
        try:
            kept = self._client.execute_command("EVALSHA", _SCRIPT.sha, *tail)
        except NoScriptError:
            kept = self._client.execute_command("EVAL", _SCRIPT.text, *tail)
        return bool(kept)

    def _wait_for_replica(self) -> None:
        """Wait until one more server has the change: or a failover would bring a revoked key back.

        The connection is the one that made it: nobody else has used it since.
        """
        client = self._client
        there = {}
        if isinstance(client, RedisCluster):
            node = client.get_node_from_key(META)  # type: ignore[no-untyped-call]
            there = {"target_nodes": node}
        with suppress(RedisError, OSError):  # what was kept is kept; a user may not do either
            role = client.execute_command("ROLE", **there)
            replicas = len(role[2]) if role[0] == b"master" else 0
            if replicas and not client.execute_command("WAIT", 1, REPLICA_MS, **there):
                _log.warning(
                    "the change of keys is in Redis at %s, but none of its %d replicas has "
                    "confirmed it: should one of them take over now, it is undone. Look at the "
                    "key again then",
                    self._where,
                    replicas,
                )

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
        make_private_folder(self._memory.parent)
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
            away = isinstance(error, _AWAY) and not isinstance(error, AuthenticationError)
            raise (KeysUnreachableError if away else KeyStoreError)(
                f"cannot use the keys in Redis at {self._where}: {error or type(error).__name__}"
            ) from error
