"""The load processes of a run: each sends its slice of the schedule, all at the same time."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Sequence
from time import monotonic_ns
from types import TracebackType
from typing import Self

from bench.load.orders import Block, Go, Plan, Ready, Reports, frame, pack_plan
from bench.load.plan import Conversation
from bench.load.tally import Beat, Tally

_HEAD_START_NS = 50_000_000
_END_S = 5
_READ_BYTES = 1 << 20


Watch = Callable[[list[tuple[int, Beat]]], int]


class FleetError(RuntimeError):
    """A load process ended by itself; what it said is on stderr."""


class Fleet:
    """N load processes that have the plan; leave it as a context manager.

    `cpus`: which processors they may use, one each in turn; None: all.
    """

    def __init__(
        self, plan: Sequence[Conversation], *, processes: int, cpus: Sequence[int] | None
    ) -> None:
        packed: Plan = pack_plan(plan)
        self._members = [_Member() for _ in range(processes)]
        try:
            for number, member in enumerate(self._members):
                if cpus:
                    os.sched_setaffinity(member.process_id, {cpus[number % len(cpus)]})
                member.send(packed)
        except BaseException:
            self.close()
            raise

    @property
    def process_ids(self) -> list[int]:
        """Of the load processes."""
        return [member.process_id for member in self._members]

    def prepare(self, blocks: Sequence[Block]) -> None:
        """Give each process its block and wait until all are ready."""
        for member, block in zip(self._members, blocks, strict=True):
            member.send(block)
        for member in self._members:
            while not any(isinstance(report, Ready) for report in member.receive()):
                pass

    def go(self, warmup_s: float) -> int:
        """Begin with the warm-up; returns the block's start on the monotonic clock."""
        start_ns = monotonic_ns() + _HEAD_START_NS + int(warmup_s * 1e9)
        for member in self._members:
            member.send(Go(start_ns))
        return start_ns

    def wait(self, watch: Watch) -> list[Tally]:
        """Wait for the block's end.

        `watch` gets the beats that came since its last call, each with its process' number, and
        returns when (monotonic clock, ns) it wants to be called again.
        """
        wake_ns = watch([])
        tallies: dict[int, Tally] = {}
        with selectors.DefaultSelector() as selector:
            for number, member in enumerate(self._members):
                selector.register(member.reports, selectors.EVENT_READ, number)
            while len(tallies) < len(self._members):
                beats: list[tuple[int, Beat]] = []
                while (left_s := (wake_ns - monotonic_ns()) / 1e9) > 0:
                    for key, _ in selector.select(left_s):
                        for report in self._members[key.data].receive():
                            if isinstance(report, Tally):
                                tallies[key.data] = report
                            elif isinstance(report, Beat):
                                beats.append((key.data, report))
                    if len(tallies) == len(self._members):
                        break
                wake_ns = watch(beats)
        return [tallies[number] for number in range(len(self._members))]

    def close(self) -> None:
        """End all load processes."""
        for member in self._members:
            member.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Member:
    """One load process and its two pipes."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.load.load_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._orders = self._child.stdin
        self._output = self._child.stdout
        self.reports = self._output.fileno()
        self._decoder = Reports()

    @property
    def process_id(self) -> int:
        return self._child.pid

    def send(self, order: Plan | Block | Go) -> None:
        try:
            self._orders.write(frame(order))
            self._orders.flush()
        except BrokenPipeError as error:
            raise self._ended() from error

    def receive(self) -> list[Ready | Beat | Tally]:
        """Wait for some of its output and return the reports complete with it."""
        data = os.read(self.reports, _READ_BYTES)
        if not data:
            raise self._ended()
        return self._decoder.feed(data)

    def close(self) -> None:
        """End it, in whatever it is."""
        self._child.kill()
        self._child.wait(_END_S)
        self._output.close()
        self._orders.close()

    def _ended(self) -> FleetError:
        return FleetError(f"a load process ended with code {self._child.wait(_END_S)}")
