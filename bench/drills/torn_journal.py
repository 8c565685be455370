"""Drill 9: journals torn by a power cut or damaged by the disk, on copies of a real one."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.drills.books import decode
from bench.drills.checks import Checks
from bench.drills.load import Mix
from bench.drills.scene import Order, Scene, scene
from korad.adapters.journal_producers import find_producers
from korad.adapters.journal_tail import Tail
from korad.billing.frames import SEGMENT_HEADER_BYTES, read_frame
from korad.domain.event import Event

TORN_BYTES = 4096
FRAMES_MAX = 1_000_000
SMALL = "segment_bytes = 262144"
LENGTH_BITS = 32
INTACT = 20
"""Events before the flipped bit."""
MIX = Mix(latency_ms=(0,), interval_ms=(0,), prompt_words=(3, 10))


async def torn_journal(order: Order, checks: Checks) -> None:
    """Write a journal by real requests, then tear and damage copies of it."""
    async with scene(order, checks, workers=1, billing=SMALL) as stage:
        load = stage.load(mix=MIX)
        await load.many(order.count(60, 200), at_once=8, adjust=lambda _: None)
        await load.stop()
        await stage.settle(drain_max_s=10)
        # Killed, the newest segment keeps its allocated size, as after a power cut.
        await stage.korad.kill_tree(redis=True)
        (segment,) = stage.korad.state.glob("journal/w00/e*.journal")
        whole = segment.read_bytes()
        ends = _ends(whole)
        work = order.folder / "copy"
        logging.getLogger("korad").setLevel(logging.CRITICAL)  # thousands of expected alarms
        _check_torn(checks, work, segment.name, whole, ends)
        chance = random.Random(order.seed)
        flips = [
            (chance.randrange(SEGMENT_HEADER_BYTES, ends[-1]), chance.randrange(8))
            for _ in range(order.count(200, 5_000))
        ]
        # A length is what a reader believes before it has checked anything: each of its bits.
        starts = [SEGMENT_HEADER_BYTES, *ends[:-1]]
        for start in chance.sample(starts, order.count(5, len(starts))):
            flips += [(start + bit // 8, bit % 8) for bit in range(LENGTH_BITS)]
        _Flips(work, segment.name, whole, ends).check(checks, flips)


def _ends(data: bytes) -> list[int]:
    ends, at = [], SEGMENT_HEADER_BYTES
    while (frame := read_frame(data, at)) is not None:
        at = frame.end
        ends.append(at)
    return ends


def _check_torn(checks: Checks, work: Path, name: str, whole: bytes, ends: list[int]) -> None:
    """Cut at every offset of the last bytes written: by the file's end, and by zeros."""
    told_wrong = called_damaged = cuts = 0
    for at in range(max(SEGMENT_HEADER_BYTES, ends[-1] - TORN_BYTES), ends[-1] + 1):
        expected = [end for end in ends if end <= at]
        for data in (whole[:at], whole[:at] + bytes(len(whole) - at)):
            cuts += 1
            told, damaged = _read(work, name, data)
            told_wrong += told != _payloads(whole, expected)
            called_damaged += damaged
    checks.tell(f"{cuts} copies cut within the last {TORN_BYTES} bytes")
    checks.equal("cut: copies not read up to the last whole event", told_wrong)
    checks.equal("cut: copies called damaged", called_damaged)


class _Flips:
    """Flip a bit: an event is told as it was or not at all, and a hole is an alarm."""

    def __init__(self, work: Path, name: str, whole: bytes, ends: list[int]) -> None:
        self._work = work
        self._name = name
        self._whole = whole
        self._ends = ends
        self._wrong: list[str] = []
        self._silent: list[str] = []

    def check(self, checks: Checks, flips: list[tuple[int, int]]) -> None:
        """Read a copy per flip, as a kill and as a clean end leave the file."""
        for at, bit in flips:
            data = bytearray(self._whole)
            data[at] ^= 1 << bit
            self._read_flipped(bytes(data), at, f"byte {at} bit {bit}")
            self._read_flipped(bytes(data[: self._ends[-1]]), at, f"byte {at} bit {bit}, short")
        checks.tell(f"{2 * len(flips)} copies with a flipped bit")
        for start, end in zip([SEGMENT_HEADER_BYTES, *self._ends], self._ends, strict=False):
            # A block that never reached the disk, with later ones that did.
            data = bytearray(self._whole)
            data[start:end] = bytes(end - start)
            self._read_flipped(bytes(data), start, f"zeros from {start} to {end}")
        wrong, silent = self._wrong, self._silent
        checks.equal("flipped: not told up to the damage", len(wrong), note="; ".join(wrong[:5]))
        note = "; ".join(silent[:5])
        checks.equal("flipped: events lost without an alarm", len(silent), note=note)

    def _read_flipped(self, data: bytes, at: int, what: str) -> None:
        told, damaged = _read(self._work, self._name, data)
        before = [end for end in self._ends if end <= at]
        if told != _payloads(self._whole, before):
            self._wrong.append(what)
        # The last event may be one that was never wholly written; behind any other stand events.
        if len(before) < len(self._ends) - 1 and not damaged:
            into = at - (before or [SEGMENT_HEADER_BYTES])[-1]
            self._silent.append(f"{what} (byte {into} of frame {len(before)})")


def _read(work: Path, name: str, data: bytes) -> tuple[list[bytes], bool]:
    """Return the payloads that a reader finds in a journal of this one segment."""
    folder = work / "journal" / "w00"
    if not folder.exists():
        folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    (folder / "epoch").write_text("1\n")
    (folder / "lock").touch()
    payloads = []
    damaged = False
    for of, producer in find_producers(work / "journal"):
        tail = Tail(of, producer)
        while frames := tail.read(FRAMES_MAX):
            payloads += [frame.payload for frame in frames]
        damaged = damaged or tail.damaged is not None
        tail.close()
    return payloads, damaged


def _payloads(data: bytes, ends: list[int]) -> list[bytes]:
    starts = [SEGMENT_HEADER_BYTES, *ends]
    found = [read_frame(data, start) for start, _ in zip(starts, ends, strict=False)]
    return [frame.payload for frame in found if frame is not None]


async def torn_start(order: Order, checks: Checks) -> None:
    """Start a whole korad on a journal whose last event a kill cut short: no alarm."""

    def tear(data: bytearray, ends: list[int]) -> None:
        # A kill ends a write between two pages of memory.
        cut = ends[-2] + 600
        data[cut:] = bytes(len(data) - cut)

    async with _restarted(order, checks, tear) as (stage, events):
        await _check_booked(stage, events[:-1])
        code, out, err = await stage.korad.verb("audit")
        checks.equal("korad audit: exit code", code, note=(out + err).decode()[-400:])
        damaged = stage.korad.metrics().get("korad_journal_damaged", 0)
        checks.equal("korad_journal_damaged", damaged)
        checks.equal("alarms in korad's log", stage.korad.log().count("damaged"))


async def damaged_start(order: Order, checks: Checks) -> None:
    """Start a whole korad on a journal with a flipped bit: alarm, exit code, no wrong money."""

    def flip(data: bytearray, ends: list[int]) -> None:
        data[ends[INTACT - 1] + 60] ^= 4

    async with _restarted(order, checks, flip) as (stage, events):
        await _check_booked(stage, events[:INTACT])
        code, _, _ = await stage.korad.verb("audit")
        checks.at_least("korad audit: exit code", code, 1)
        damaged = stage.korad.metrics().get("korad_journal_damaged", 0)
        checks.at_least("korad_journal_damaged", damaged, 1)


@asynccontextmanager
async def _restarted(
    order: Order, checks: Checks, spoil: Callable[[bytearray, list[int]], None]
) -> AsyncIterator[tuple[Scene, list[Event]]]:
    """Write a journal, kill all, lose Redis and ledger, spoil the journal, and start again.

    Yields what the journal had before.
    """
    async with scene(order, checks, workers=1) as stage:
        load = stage.load(mix=MIX)
        await load.many(2 * INTACT, at_once=8, adjust=lambda _: None)
        await load.stop()
        await stage.until_quiet()
        await stage.korad.kill_tree(redis=True)
        state = stage.korad.state
        shutil.rmtree(state / "redis")
        for path in [*state.glob("ledger.sqlite3*"), *state.glob("books-generation*")]:
            path.unlink()
        (segment,) = state.glob("journal/w00/e*.journal")
        data = bytearray(segment.read_bytes())
        ends = _ends(bytes(data))
        events = decode(_payloads(bytes(data), ends))
        spoil(data, ends)
        segment.write_bytes(data)
        await stage.korad.start()
        yield stage, events
        await stage.korad.kill_tree(redis=True)


async def _check_booked(stage: Scene, expected: list[Event]) -> None:
    for _ in range(100):
        if len(stage.booked()) >= len(expected):
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # what must not be booked would be by now
    booked, wanted = {e.id for e in decode(stage.booked())}, {e.id for e in expected}
    stage.checks.equal("events that are not booked", len(wanted - booked))
    stage.checks.equal("events booked behind the damage", len(booked - wanted))
