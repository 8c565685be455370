"""Targets against each other: the same schedule, block by block, in the order A B B A A B ..."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec

from bench.load.figures import figures_of
from bench.load.fleet import Fleet
from bench.load.measured import Measured, measure_block
from bench.load.orders import Block
from bench.load.plan import Arrivals, Conversation, Scenario, Stage, Target
from bench.load.progress import Progress
from bench.load.result import Rung, TargetResult
from bench.load.schedule import arrival_times_s

Notify = Callable[[Progress], None]


class Setting(NamedTuple):
    """What all blocks of a run share."""

    fleet: Fleet
    scenario: Scenario
    plan: Sequence[Conversation]
    processes: int
    notify: Notify


def block_order(targets: int, blocks: int) -> list[tuple[int, int]]:
    """Return (block, target's index) in the order they are run: A B, B A, A B, ...

    What changes steadily while a run goes on weighs the same on each of two targets.
    """
    return [
        (block, target if block % 2 == 0 else targets - 1 - target)
        for block in range(blocks)
        for target in range(targets)
    ]


def run_blocks(  # noqa: PLR0913 - the interface agreed on
    targets: Sequence[Target],
    scenario: Scenario,
    plan: Sequence[Conversation],
    *,
    blocks: int,
    processes: int,
    cpus: Sequence[int] | None,
    notify: Notify,
) -> list[TargetResult]:
    """Run the scenario's blocks against all targets; results are in the targets' order.

    Of a ladder, a block is a rung: all targets climb together until none of them keeps up.
    Raises `FleetError` if a load process dies (of a target's name that cannot be looked up, for
    one), `ProcessLookupError` or `PermissionError` for a target's process that cannot be watched.
    """
    with Fleet(plan, processes=processes, cpus=cpus) as fleet:
        setting = Setting(fleet, scenario, plan, processes, notify)
        if scenario.ladder is not None:
            return _ladder(setting, targets)
        measured: list[list[Measured]] = [[] for _ in targets]
        starts = plan_starts(plan, scenario)
        for block, index in block_order(len(targets), blocks):
            measured[index].append(
                _run(setting, targets[index], scenario, starts, place=(block, blocks))
            )
    return [_result(target, each) for target, each in zip(targets, measured, strict=True)]


def plan_starts(plan: Sequence[Conversation], scenario: Scenario) -> list[tuple[float, int]]:
    """Return when which conversation begins; the warm-up's are its first seconds, run before 0."""
    if scenario.arrivals == "closed":
        return []
    times = [(conversation[0].at_s, number) for number, conversation in enumerate(plan)]
    warm = [(at_s - scenario.warmup_s, n) for at_s, n in times if at_s < scenario.warmup_s]
    return sorted(warm + times)


def _run(
    setting: Setting,
    target: Target,
    scenario: Scenario,
    starts: Sequence[tuple[float, int]],
    *,
    place: tuple[int, int],
) -> Measured:
    """Run one block and measure it."""
    closed = scenario.arrivals == "closed"
    processes = setting.processes
    connections = scenario.clients.connections
    orders = [
        Block(
            target=target,
            starts=list(starts[number::processes]),
            first=number % max(1, len(setting.plan)),
            step=processes if closed else 0,
            connections=connections // processes + (number < connections % processes),
            seconds=scenario.seconds,
            warmup_s=scenario.warmup_s,
            think_s=scenario.prompts.think_s,
            max_tokens=scenario.answers.max_tokens,
            chunks=scenario.answers.chunks,
            slow_bytes_per_s=scenario.clients.slow_bytes_per_s,
            slo=scenario.slo,
        )
        for number in range(processes)
    ]
    return measure_block(
        setting.fleet, orders, target, scenario, place=place, notify=setting.notify
    )


def _result(target: Target, measured: Sequence[Measured]) -> TargetResult:
    return TargetResult(
        name=target.name,
        url=target.url,
        model=target.model,
        blocks=[figures_of([each]) for each in measured],
        total=figures_of(measured),
    )


def _ladder(setting: Setting, targets: Sequence[Target]) -> list[TargetResult]:
    """Raise the rate until no target keeps up with it."""
    ladder = setting.scenario.ladder
    assert ladder is not None
    measured: list[list[Measured]] = [[] for _ in targets]
    rungs: list[list[Rung]] = [[] for _ in targets]
    climbing = list(range(len(targets)))
    for number in range(ladder.rungs):
        rate = ladder.start * ladder.factor**number
        scenario, starts = _rung(setting, rate, number)
        for index in climbing if number % 2 == 0 else climbing[::-1]:
            one = _run(setting, targets[index], scenario, starts, place=(number, ladder.rungs))
            figures = figures_of([one])
            goodput = _goodput(one)
            kept = goodput >= ladder.goodput_min and figures.client.invalid is None
            measured[index].append(one)
            rungs[index].append(Rung(rate=rate, figures=figures, kept=kept))
        climbing = [index for index in climbing if rungs[index][-1].kept]
        if not climbing:
            break
    results = []
    for target, each, climbed in zip(targets, measured, rungs, strict=True):
        result = _result(target, each)
        kept_rates = [rung.rate for rung in climbed if rung.kept]
        results.append(
            TargetResult(
                name=result.name,
                url=result.url,
                model=result.model,
                blocks=result.blocks,
                total=result.total,
                ladder=climbed,
                knee_rate=max(kept_rates, default=None),
            )
        )
    return results


def _rung(setting: Setting, rate: float, number: int) -> tuple[Scenario, list[tuple[float, int]]]:
    """Return the scenario and schedule of one rate; the plan's conversations are gone round."""
    base = setting.scenario
    assert base.ladder is not None
    stage = Stage(seconds=base.ladder.seconds, rate=rate)
    arrivals: Arrivals = "poisson" if base.arrivals == "closed" else base.arrivals
    scenario = msgspec.structs.replace(base, stages=(stage,), arrivals=arrivals)
    seed = crc32(array("d", [conversation[0].at_s for conversation in setting.plan])) + number
    count = len(setting.plan)
    times = [
        (at_s, place % count)
        for place, at_s in enumerate(arrival_times_s(arrivals, (stage,), seed))
    ]
    warm = [(at_s - base.warmup_s, n) for at_s, n in times if at_s < base.warmup_s]
    return scenario, sorted(warm + times)


def _goodput(measured: Measured) -> float:
    """Return the share kept; without an SLO: of the requests without an error."""
    tally = measured.tally
    if tally.judged:
        return tally.good / tally.judged
    failed = sum(tally.errors.values())
    return (tally.ok + tally.left) / max(1, tally.ok + tally.left + failed)
