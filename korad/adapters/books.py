"""A worker's side of billing: what is under way, and the event of what has ended.

    open     a slot, before the upstream call
    count    its counters, before a piece is passed on
    close    the event in the journal, before the last byte is passed on; then the slot is free

The only place that numbers events. Everything else about them is the bookkeeper's, another process.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from korad.adapters.contexts import ContextLog, KnownContext, context_of, read_contexts
from korad.adapters.inflight import (
    FLAG_HOLD,
    FLAG_STREAM,
    Inflight,
    NoFreeSlotError,
    read_open_slots,
)
from korad.adapters.journal import Journal
from korad.adapters.journal_folder import CONTEXTS_FILE, INFLIGHT_FILE, next_epoch
from korad.adapters.recovery import interrupted_records, request_ids_since
from korad.admission import shard_of
from korad.billing.event_writer import EventWriter
from korad.billing.frames import KIND_EVENT, KIND_EVENT_WITH_HOLD, encode_frame
from korad.domain.event import EventStatus, Producer
from korad.domain.exchange import ExchangeRecord
from korad.domain.identity import VirtualKey
from korad.errors import server_error
from korad.ports import Billable

PARTS_MAX = 16_384
"""Combinations of key, destination and margin remembered."""
_RETRY_AFTER_S = 5
_log = logging.getLogger("korad")


CallSoon = Callable[[Callable[[], None]], Any]
Ended = tuple[ExchangeRecord, KnownContext, bool, int | None, Callable[[], None]]
"""Record, whose, whether a hold ends with it, its slot, what is to be done once it is written."""


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
        durability: str,
        call_soon: CallSoon,
        from_thread: CallSoon,
    ) -> None:
        """Open them and tell what a killed predecessor left. Use `open_books`.

        `call_soon` and `from_thread` are the event loop's `call_soon` and `call_soon_threadsafe`.
        """
        self._lock = lock
        self._folder = folder
        self._shards = shards
        self._strict = durability == "strict"
        self._pending: list[Ended] = []
        self._call_soon = call_soon
        self._from_thread = from_thread
        self._numbers = [0] * shards
        former_epoch, former = read_open_slots(folder / INFLIGHT_FILE)
        contexts = read_contexts(_contexts_file(folder, former_epoch)) if former else []
        told = request_ids_since(folder, former_epoch) if former else frozenset()
        self.producer = Producer(machine=machine, worker=worker, epoch=next_epoch(folder))
        self.journal = Journal(
            folder, self.producer, segment_bytes=segment_bytes, syncs=durability != "process"
        )
        self._writer = EventWriter(self.producer, shards)
        self._contexts = ContextLog(_contexts_file(folder, self.producer.epoch))
        self._by_parts: dict[tuple[int, int, int], tuple[VirtualKey, Billable, KnownContext]] = {}
        self.recovered = 0
        for record, context, hold in interrupted_records(former, contexts, told):
            known = self._contexts.known(context)
            frame = self._frame(record, known, hold=hold, status=EventStatus.INTERRUPTED)
            self.journal.append((frame,))
            self.recovered += 1
        # Only now is the former file given up; a kill before this tells the rest once more, and
        # `told` keeps what is already told from being told twice.
        self._inflight = Inflight(folder / INFLIGHT_FILE, slots=slots, epoch=self.producer.epoch)
        # The slots' own, without a call between.
        self.counter = self._inflight.counter
        self.note_prompt = self._inflight.note_prompt
        self.note_sent = self._inflight.note_sent
        _forget_contexts_but(folder, self.producer.epoch)

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
    ) -> int:
        """Take a slot and return its place. Raises ServerError: 503."""
        try:
            context = self._context(key, destination, margin_bp)
        except OSError as error:
            raise server_error(
                503,
                "korad has no disk space to write down what it would have to bill.",
                "journal_full",
                retry_after_s=_RETRY_AFTER_S,
            ) from error
        flags = (FLAG_STREAM if stream else 0) | (FLAG_HOLD if hold else 0)
        try:
            return self._inflight.open(
                context=context.number,
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

    def abandon(self, slot: int) -> None:
        """Give a slot back without an event: its exchange never began."""
        self._inflight.close(slot)

    def close(  # noqa: PLR0913 - an event and its slot
        self,
        slot: int | None,
        record: ExchangeRecord,
        *,
        key: VirtualKey,
        destination: Billable,
        margin_bp: int,
        hold: bool,
        then: Callable[[], None],
    ) -> None:
        """Write the event of an exchange that has ended, free its slot, and call `then`.

        All that end in one turn of the loop are written together: one system call for all, and code
        that has just run takes a third of the time.
        """
        try:
            context = self._context(key, destination, margin_bp)
        except OSError:
            # Only where nothing was opened before (a stored answer): nothing is billed for it.
            _log.exception("the event of request %s could not be written", record.request_id)
            then()
            return
        pending = self._pending
        pending.append((record, context, hold, slot, then))
        if len(pending) == 1:
            self._call_soon(self.flush)

    def flush(self) -> None:
        """Write what has ended in this turn."""
        pending, self._pending = self._pending, []
        frames = []
        unwritten = set()
        for record, context, hold, slot, _ in pending:
            try:
                frames.append(self._frame(record, context, hold=hold))
            except Exception:  # noqa: BLE001 - the others' events must be written
                # Its slot stays open: what it holds is told at the next start, as after a kill.
                _log.exception("the event of request %s could not be written", record.request_id)
                unwritten.add(slot)
        try:
            written = self.journal.append(frames)
        except Exception:  # noqa: BLE001 - answers are owed all the same
            _log.exception("%d events could not be written", len(frames))
            unwritten.update(slot for _, _, _, slot, _ in pending)
            written = False
        for record, _, _, slot, then in pending:
            if slot is not None and slot not in unwritten:
                self._free(slot, written=written)
            if self._strict and written:
                self.journal.when_synced(partial(self._from_thread, then))
                continue
            try:
                then()
            except Exception:  # noqa: BLE001 - the others' answers are owed
                _log.exception("what follows request %s's event failed", record.request_id)

    def _free(self, slot: int, *, written: bool) -> None:
        if written:
            self._inflight.close(slot)
            return
        # The event waits for disk space: until it is written, the slot speaks for it.
        free = partial(self._inflight.close, slot)
        self.journal.when_synced(partial(self._from_thread, free))

    def shut(self) -> None:
        """Close the journal; open slots stay for the next start to tell."""
        if self._pending:
            self.flush()
        self.journal.close()
        self._contexts.close()
        self._inflight.shut()
        os.close(self._lock)

    def _context(self, key: VirtualKey, destination: Billable, margin_bp: int) -> KnownContext:
        # By identity: both are replaced whole when they change. They are kept, so that the ids stay
        # theirs.
        parts = (id(key), id(destination), margin_bp)
        found = self._by_parts.get(parts)
        if found is None:
            if len(self._by_parts) >= PARTS_MAX:
                self._by_parts.clear()
            known = self._contexts.known(
                context_of(
                    key,
                    provider=destination.provider.name,
                    model=destination.upstream_model,
                    price=destination.price,
                    margin_bp=margin_bp,
                )
            )
            found = self._by_parts[parts] = (key, destination, known)
        return found[2]

    def _frame(
        self,
        record: ExchangeRecord,
        context: KnownContext,
        *,
        hold: bool,
        status: EventStatus | None = None,
    ) -> bytes:
        shard = shard_of(context.party.account, self._shards) if self._shards > 1 else 0
        number = self._numbers[shard] + 1
        payload = self._writer.event(
            record, context.party, shard=shard, number=number, status=status
        )
        frame = encode_frame(number, shard, KIND_EVENT_WITH_HOLD if hold else KIND_EVENT, payload)
        self._numbers[shard] = number
        return frame


def _forget_contexts_but(folder: Path, epoch: int) -> None:
    for stale in folder.glob(f"{CONTEXTS_FILE}-*"):
        if stale != _contexts_file(folder, epoch):
            stale.unlink()


def _contexts_file(folder: Path, epoch: int) -> Path:
    return folder / f"{CONTEXTS_FILE}-{epoch:08d}"
