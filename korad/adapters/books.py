"""A worker's side of billing: what is under way, and the event of what has ended.

    open     a slot, before the upstream call
    count    its counters, before a piece is passed on
    close    the event in the journal, before the last byte is passed on; then the slot is free

The only place that numbers events. Everything else about them is the bookkeeper's, another process.
"""

from __future__ import annotations

import os
from binascii import crc_hqx
from collections.abc import Callable
from pathlib import Path

from korad.adapters.contexts import ContextLog, KnownContext, context_of, read_contexts
from korad.adapters.inflight import (
    FLAG_DELTAS_ARE_NO_TOKENS,
    FLAG_DELTAS_ARE_TOKENS,
    FLAG_HOLD,
    FLAG_STREAM,
    Inflight,
    NoFreeSlotError,
    read_open_slots,
)
from korad.adapters.journal import (
    CONTEXTS_FILE,
    INFLIGHT_FILE,
    Journal,
    JournalInUseError,
    lock_folder,
    next_epoch,
)
from korad.adapters.recovery import interrupted_records, request_ids_since
from korad.billing.event_writer import EventWriter
from korad.billing.frames import KIND_EVENT, KIND_EVENT_WITH_HOLD
from korad.domain.event import EventStatus, Producer
from korad.domain.exchange import ExchangeRecord
from korad.domain.identity import VirtualKey
from korad.errors import server_error
from korad.ports import Billable

WORKERS_MAX = 256
SPARE_SLOTS = 64
_RETRY_AFTER_S = 5


class Books:
    """The open books of one worker."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        folder: Path,
        *,
        lock: int,
        machine: str,
        worker: int,
        slots: int,
        shards: int,
        segment_bytes: int,
        syncs: bool,
    ) -> None:
        """Open them and tell what a killed predecessor left. Use `open_books`."""
        self._lock = lock
        self._folder = folder
        self._shards = shards
        self._numbers = [0] * shards
        former_epoch, former = read_open_slots(folder / INFLIGHT_FILE)
        contexts = read_contexts(_contexts_file(folder, former_epoch)) if former else []
        told = request_ids_since(folder, former_epoch) if former else frozenset()
        self.producer = Producer(machine=machine, worker=worker, epoch=next_epoch(folder))
        self.journal = Journal(folder, self.producer, segment_bytes=segment_bytes, syncs=syncs)
        self._writer = EventWriter(self.producer, shards)
        self._contexts = ContextLog(_contexts_file(folder, self.producer.epoch))
        self._by_parts: dict[tuple[int, int, int], tuple[VirtualKey, Billable, KnownContext]] = {}
        self.recovered = 0
        for record, context, hold in interrupted_records(former, contexts, told):
            self._write(
                record, self._contexts.known(context), hold=hold, status=EventStatus.INTERRUPTED
            )
            self.recovered += 1
        # Only now is the former file given up; a kill before this tells the rest once more, and
        # `told` keeps what is already told from being told twice.
        self._inflight = Inflight(folder / INFLIGHT_FILE, slots=slots, epoch=self.producer.epoch)
        for stale in folder.glob(f"{CONTEXTS_FILE}-*"):
            if stale != _contexts_file(folder, self.producer.epoch):
                stale.unlink()

    @property
    def full(self) -> bool:
        """Whether no new exchange may begin, for want of disk space."""
        return self.journal.full

    @property
    def open_slots(self) -> int:
        """Exchanges whose event is still to be written."""
        return self._inflight.in_use

    def refuse_if_full(self) -> None:
        """Raise ServerError (503 journal_full) where no new exchange may begin."""
        if self.journal.full:
            raise server_error(
                503,
                "korad has no disk space to write down what it would have to bill.",
                "journal_full",
                retry_after_s=_RETRY_AFTER_S,
            )

    def open(  # noqa: PLR0913 - what a slot holds
        self,
        *,
        key: VirtualKey,
        destination: Billable,
        margin_bp: int,
        request_id: str,
        client_request_id: str | None,
        level: str | None,
        started_ms: int,
        stream: bool,
        hold: bool,
        deltas_are_tokens: bool | None,
    ) -> int:
        """Take a slot and return its place. Raises ServerError: 503."""
        flags = (FLAG_STREAM if stream else 0) | (FLAG_HOLD if hold else 0)
        if deltas_are_tokens is not None:
            flags |= FLAG_DELTAS_ARE_TOKENS if deltas_are_tokens else FLAG_DELTAS_ARE_NO_TOKENS
        try:
            return self._inflight.open(
                context=self._context(key, destination, margin_bp).number,
                request_id=request_id,
                client_request_id=client_request_id,
                level=level,
                started_ms=started_ms,
                flags=flags,
            )
        except NoFreeSlotError:
            raise server_error(
                503, "korad has too much to do.", "overloaded", retry_after_s=1
            ) from None

    def count(self, slot: int, deltas: int, chars: int) -> None:
        """Note what is about to be passed on, in all."""
        self._inflight.count(slot, deltas, chars)

    def note_prompt(self, slot: int, sent_tokens: int, original_tokens: int) -> None:
        """Note the counts of the prompt."""
        self._inflight.note_prompt(slot, sent_tokens, original_tokens)

    def note_sent(self, slot: int, *, sent: bool) -> None:
        """Note that the provider has (or has not) got the request."""
        self._inflight.note_sent(slot, sent=sent)

    def abandon(self, slot: int) -> None:
        """Give a slot back without an event: its exchange never began."""
        self._inflight.close(slot)

    def close(
        self,
        slot: int | None,
        record: ExchangeRecord,
        *,
        key: VirtualKey,
        destination: Billable,
        margin_bp: int,
        hold: bool,
    ) -> None:
        """Write the event of an exchange that has ended, and free its slot."""
        self._write(record, self._context(key, destination, margin_bp), hold=hold)
        if slot is not None:
            self._inflight.close(slot)

    def when_durable(self, then: Callable[[], None]) -> None:
        """Call `then` (in another thread) once all events written so far are on the disk."""
        self.journal.when_synced(then)

    def shut(self) -> None:
        """Close the journal; open slots stay for the next start to tell."""
        self.journal.close()
        self._contexts.close()
        os.close(self._lock)

    def _context(self, key: VirtualKey, destination: Billable, margin_bp: int) -> KnownContext:
        # By identity: both are replaced whole when they change. They are kept, so that the ids stay
        # theirs.
        parts = (id(key), id(destination), margin_bp)
        found = self._by_parts.get(parts)
        if found is None:
            if len(self._by_parts) >= WORKERS_MAX * 64:
                self._by_parts.clear()
            known = self._contexts.known(
                context_of(
                    key,
                    provider=destination.provider.name,
                    model=destination.upstream_model,
                    price=destination.price,
                    margin_bp=margin_bp,
                    streams_tokens=destination.streams_tokens,
                )
            )
            found = self._by_parts[parts] = (key, destination, known)
        return found[2]

    def _write(
        self,
        record: ExchangeRecord,
        context: KnownContext,
        *,
        hold: bool,
        status: EventStatus | None = None,
    ) -> None:
        shard = shard_of(context.party.account, self._shards) if self._shards > 1 else 0
        number = self._numbers[shard] = self._numbers[shard] + 1
        payload = self._writer.event(
            record, context.party, shard=shard, number=number, status=status
        )
        self.journal.append(number, shard, KIND_EVENT_WITH_HOLD if hold else KIND_EVENT, payload)


def shard_of(account: str, shards: int) -> int:
    """Return the shard of an account, as every process of every machine computes it."""
    return crc_hqx(account.encode(), 0) % shards


def open_books(
    journal_dir: Path,
    machine: str,
    *,
    slots: int,
    shards: int,
    segment_bytes: int,
    syncs: bool = True,
) -> Books:
    """Open the books of the first worker folder that nobody holds; tell what was left in it.

    Raises JournalInUseError when all are held, OSError when there is no disk space.
    """
    for worker in range(WORKERS_MAX):
        folder = journal_dir / f"w{worker:02d}"
        try:
            lock = lock_folder(folder)
        except JournalInUseError:
            continue
        return Books(
            folder,
            lock=lock,
            machine=machine,
            worker=worker,
            slots=slots + SPARE_SLOTS,
            shards=shards,
            segment_bytes=segment_bytes,
            syncs=syncs,
        )
    raise JournalInUseError(f"all {WORKERS_MAX} journals in {journal_dir} are in use")


def adopt_orphans(journal_dir: Path, machine: str, *, shards: int, segment_bytes: int) -> int:
    """Tell what workers left that have no successor; return how many exchanges that were."""
    told = 0
    for folder in sorted(journal_dir.glob("w[0-9]*")):
        if not read_open_slots(folder / INFLIGHT_FILE)[1]:
            continue
        try:
            lock = lock_folder(folder)
        except JournalInUseError:
            continue
        books = Books(
            folder,
            lock=lock,
            machine=machine,
            worker=int(folder.name[1:]),
            slots=1,
            shards=shards,
            segment_bytes=segment_bytes,
            syncs=True,
        )
        told += books.recovered
        books.shut()
    return told


def _contexts_file(folder: Path, epoch: int) -> Path:
    return folder / f"{CONTEXTS_FILE}-{epoch:08d}"
