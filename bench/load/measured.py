"""One block, run and watched: what the load processes tell, and what the target's took."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import monotonic_ns

import msgspec

from bench.load.fleet import Fleet
from bench.load.histogram import exact_quantile
from bench.load.orders import Block
from bench.load.plan import Scenario, Target
from bench.load.process_tree import ProcessTree
from bench.load.progress import Progress
from bench.load.schedule import rate_at
from bench.load.tally import Beat, Tally

_NS = 1_000_000_000
_LOOK_EVERY_NS = 100_000_000
_PSS_EVERY_NS = _NS  # reading it makes the kernel walk all of the process' pages


class Sampled(msgspec.Struct, kw_only=True):
    """What the target's process tree was seen to take between a block's start and end."""

    seconds: float = 0.0
    cpu_ns: int = 0
    cpu_by_second_ns: list[int] = []
    pss_start_bytes: int = 0
    """Before the warm-up."""
    pss_max_bytes: int = 0
    descriptors_max: int = 0


class Measured(msgspec.Struct, kw_only=True):
    """One block as it was counted; several blocks of a target make its total."""

    closed: bool
    seconds: float
    processes: int
    tally: Tally
    sampled: Sampled | None


def measure_block(
    fleet: Fleet,
    orders: Sequence[Block],
    target: Target,
    scenario: Scenario,
    *,
    place: tuple[int, int],
    notify: Callable[[Progress], None],
) -> Measured:
    """Run one block with its warm-up and return what was measured after that.

    `place`: the block's number and how many there are.
    """
    fleet.prepare(orders)
    sampler = None
    if target.process_id is not None:
        sampler = Sampler(ProcessTree(target.process_id))
    start_ns = fleet.go(scenario.warmup_s)
    end_ns = start_ns + int(scenario.seconds * _NS)
    teller = _Teller(target, scenario, place, start_ns)

    def watch(beats: list[tuple[int, Beat]]) -> int:
        if sampler is not None:
            sampler.look()
        if beats:
            notify(teller.tell(beats))
        now_ns = monotonic_ns()
        boundary_ns = start_ns - (start_ns - now_ns) // _NS * _NS
        if boundary_ns <= now_ns:
            boundary_ns += _NS
        return min(now_ns + _LOOK_EVERY_NS, boundary_ns, end_ns if now_ns < end_ns else boundary_ns)

    tallies = fleet.wait(watch)
    return Measured(
        closed=scenario.arrivals == "closed",
        seconds=scenario.seconds,
        processes=len(orders),
        tally=Tally.merged(tallies, same_time=True),
        sampled=sampler.finish(start_ns, scenario.seconds) if sampler else None,
    )


class Sampler:
    """Looks at a process tree now and then, and tells what it took between two moments."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._points: list[tuple[int, int]] = []
        self._sampled = Sampled(
            pss_start_bytes=tree.pss_bytes(), descriptors_max=tree.descriptors()
        )
        self._next_pss_ns = monotonic_ns() + _PSS_EVERY_NS // 4

    def look(self) -> None:
        """Note the CPU time, and once a second memory and descriptors."""
        self._points.append((monotonic_ns(), self._tree.cpu_ns()))
        if monotonic_ns() < self._next_pss_ns:
            return
        self._next_pss_ns = monotonic_ns() + _PSS_EVERY_NS
        sampled, tree = self._sampled, self._tree
        sampled.pss_max_bytes = max(sampled.pss_max_bytes, tree.pss_bytes())
        sampled.descriptors_max = max(sampled.descriptors_max, tree.descriptors())

    def finish(self, start_ns: int, seconds: float) -> Sampled:
        """Return what was taken from `start_ns` on for so many seconds."""
        end_ns = start_ns + int(seconds * _NS)
        bounds = [*range(start_ns, end_ns, _NS), end_ns]
        cpu_ns = [self._cpu_at(bound) for bound in bounds]
        sampled = self._sampled
        sampled.seconds = seconds
        sampled.cpu_ns = cpu_ns[-1] - cpu_ns[0]
        sampled.cpu_by_second_ns = [after - before for before, after in pairwise(cpu_ns)]
        sampled.pss_max_bytes = max(sampled.pss_max_bytes, sampled.pss_start_bytes)
        return sampled

    def _cpu_at(self, at_ns: int) -> int:
        """Return the CPU time at a moment, in a straight line between the looks around it."""
        points = self._points
        after = bisect_left(points, (at_ns, 0))
        if after == 0:
            return points[0][1]
        if after == len(points):
            return points[-1][1]
        (time_0, cpu_0), (time_1, cpu_1) = points[after - 1], points[after]
        return cpu_0 + (cpu_1 - cpu_0) * (at_ns - time_0) // max(1, time_1 - time_0)


class _Teller:
    """Makes one `Progress` of all processes' newest beats."""

    def __init__(
        self, target: Target, scenario: Scenario, place: tuple[int, int], start_ns: int
    ) -> None:
        self._target = target
        self._scenario = scenario
        self._block, self._blocks = place
        self._start_ns = start_ns
        self._beats: dict[int, Beat] = {}
        self._recent: deque[tuple[int, list[int]]] = deque()

    def tell(self, beats: list[tuple[int, Beat]]) -> Progress:
        now_ns = monotonic_ns()
        for number, beat in beats:
            self._beats[number] = beat
            self._recent.append((now_ns, beat.e2e_ns))
        while now_ns - self._recent[0][0] > _NS:
            self._recent.popleft()
        ordered = sorted(value for _, values in self._recent for value in values)
        newest = self._beats.values()
        scenario = self._scenario
        elapsed_s = (now_ns - self._start_ns) / _NS
        ok = sum(beat.ok for beat in newest)
        rate = rate_at(scenario.stages, elapsed_s)
        if scenario.arrivals == "closed":
            rate = ok / elapsed_s if elapsed_s > 0 else 0.0
        return Progress(
            target=self._target.name,
            block=self._block,
            blocks=self._blocks,
            elapsed_s=elapsed_s,
            seconds=scenario.seconds,
            started=sum(beat.started for beat in newest),
            ok=ok,
            failed=sum(beat.failed for beat in newest),
            under_way=sum(beat.under_way for beat in newest),
            e2e_p50_ns=exact_quantile(ordered, 0.5),
            e2e_p99_ns=exact_quantile(ordered, 0.99),
            rate=rate,
        )
