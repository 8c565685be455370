"""What a machine knows of the keys in Redis, on its disk: to start with while Redis is away.

    state folder/keys.snapshot   a head, then one key a line, as JSON; mode 0600

As in Redis: keyed digests, names and limits, and no secret. It is written anew after a change, and
its time of change is moved on while Redis says that nothing has changed.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from korad.adapters.key_errors import KeyStoreError
from korad.clock import monotonic_ns, unix_s
from korad.domain.identity import VirtualKey
from korad.domain.value import Fact, value

SNAPSHOT_FILE: Final = "keys.snapshot"
VERSION: Final = 1
CONFIRM_EVERY_NS: Final = 15_000_000_000
PAUSE_FACTOR: Final = 20
"""Writing takes at most this part of a thread's time: a large store is not written every second."""
_HEAD_BYTES_MAX: Final = 4_096
_encode: Final = msgspec.json.Encoder().encode
_decode_key: Final = msgspec.json.Decoder(VirtualKey).decode
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)
"""The latter for bytes in a text that are not UTF-8."""
_log = logging.getLogger("korad")


class KeysUnreachableError(KeyStoreError):
    """The Redis of the keys does not answer; it may later."""


class _Head(Fact, frozen=True):
    version: int
    generation: str
    revision: int
    pepper_probe: str
    keys: int


_decode_head: Final = msgspec.json.Decoder(_Head).decode


@value
class Snapshot:
    """The keys as they were."""

    revision: int
    keys: list[VirtualKey]
    confirmed_at_s: int
    """Unix time at which Redis last said that they are so."""

    @property
    def age_s(self) -> int:
        """How many seconds ago that was."""
        return max(0, unix_s() - self.confirmed_at_s)


class KeySnapshot:
    """The snapshot of one state folder. Blocks on the disk; for one thread."""

    def __init__(self, state_dir: Path, pepper_probe: str) -> None:
        self._path = state_dir / SNAPSHOT_FILE
        self._probe = pepper_probe
        self._known: dict[str, VirtualKey] = {}
        self._behind = True
        self._write_at_ns = 0
        self._confirm_at_ns = 0
        self._told = ""

    def fits(self, generation: str) -> bool:
        """Return whether there is a snapshot of this generation of keys, made with this pepper."""
        try:
            with self._path.open("rb") as file:
                return self._is_mine(file.readline(_HEAD_BYTES_MAX), generation) is not None
        except OSError:
            return False

    def load(self, generation: str) -> Snapshot | None:
        """Return the snapshot, None where there is none of this generation and pepper, whole."""
        try:
            with self._path.open("rb") as file:
                head = self._is_mine(file.readline(_HEAD_BYTES_MAX), generation)
                if head is None:
                    return None
                keys = [_decode_key(line) for line in file]
                confirmed_at_s = int(os.fstat(file.fileno()).st_mtime)
        except FileNotFoundError:
            return None
        except (OSError, *_UNREADABLE) as error:
            _log.warning("%s cannot be used: %s", self._path, error)
            return None
        if len(keys) != head.keys:
            _log.warning("%s is not whole", self._path)
            return None
        return Snapshot(revision=head.revision, keys=keys, confirmed_at_s=confirmed_at_s)

    def note(self, generation: str, revision: int, changed: Iterable[VirtualKey]) -> None:
        """Take in what Redis has just told, at `revision`; all that changed since the last call.

        A snapshot that cannot be written is told, and is no error of the keys.
        """
        for key in changed:
            self._known[key.key_id] = key
            self._behind = True
        now_ns = monotonic_ns()
        try:
            if self._behind and now_ns >= self._write_at_ns:
                self._write(generation, revision)
                self._behind, self._told = False, ""
                self._write_at_ns = now_ns + PAUSE_FACTOR * (monotonic_ns() - now_ns)
            elif not self._behind and now_ns >= self._confirm_at_ns:
                self._confirm(generation, revision)
                self._told = ""
        except OSError as error:
            self._write_at_ns = self._confirm_at_ns = now_ns + CONFIRM_EVERY_NS
            fault = error.strerror or str(error)
            if fault != self._told:
                self._told = fault
                _log.warning("the snapshot %s cannot be written: %s", self._path, fault)

    def _write(self, generation: str, revision: int) -> None:
        """Write it whole and put it in place, unless another process has."""
        self._confirm_at_ns = monotonic_ns() + CONFIRM_EVERY_NS
        if self._on_disk(generation) >= revision:
            return
        head = _Head(
            version=VERSION,
            generation=generation,
            revision=revision,
            pepper_probe=self._probe,
            keys=len(self._known),
        )
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_encode(head) + b"\n")
                file.writelines(_encode(key) + b"\n" for key in self._known.values())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        finally:
            draft.unlink(missing_ok=True)

    def _confirm(self, generation: str, revision: int) -> None:
        self._confirm_at_ns = monotonic_ns() + CONFIRM_EVERY_NS
        if self._on_disk(generation) == revision:
            os.utime(self._path)
        else:  # removed, or an older one came in its place
            self._write(generation, revision)

    def _on_disk(self, generation: str) -> int:
        """Return the revision of the snapshot that is there, -1 for none of this generation."""
        try:
            with self._path.open("rb") as file:
                head = self._is_mine(file.readline(_HEAD_BYTES_MAX), generation)
        except FileNotFoundError:
            return -1
        return -1 if head is None else head.revision

    def _is_mine(self, line: bytes, generation: str) -> _Head | None:
        try:
            head = _decode_head(line)
        except _UNREADABLE:
            return None
        mine = (VERSION, generation, self._probe)
        same = (head.version, head.generation, head.pepper_probe) == mine
        return head if same and generation else None


def age_text(snapshot: Snapshot) -> str:
    """Return when a snapshot was last right, and how long ago that is."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(snapshot.confirmed_at_s))
    seconds = snapshot.age_s
    for unit_s, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{moment}, {seconds // unit_s} {unit} ago"
    return f"{moment}, {seconds} seconds ago"
