"""The order of a comparison: find the peers, memory on fresh ones, then all cases in turn."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import machine
from bench.load.plan import Scenario, Target
from bench.load.result import Ratio, TargetResult
from bench.load.statistics import ratios
from bench.peers.cases import Case, Effort, carried, cases, closed, raise_descriptor_limit, warming
from bench.peers.korad import Korad
from bench.peers.outcome import (
    DIRECT,
    LIMIT,
    SCHEMA_VERSION,
    CaseResult,
    Outcome,
    PeerNote,
    Workers,
)
from bench.peers.parts import PartsWatch
from bench.peers.peer import MissingPeerError, Peer, Program
from bench.peers.placement import Placement, our_cores, place, place_two_workers
from bench.peers.quiet import busy_cores
from bench.peers.running import RunningPeer
from bench.peers.scene import Notify, Scene
from korad import __version__


class Options(NamedTuple):
    """What the command line says."""

    effort: Effort
    short: bool
    seed: int
    builds: Path
    """Where programs are installed."""
    only: frozenset[str]
    """Cases to run; empty: all."""
    command: str


Wanted = list[tuple[Peer, Program]]


def compare(peers: Sequence[Peer], options: Options, notify: Notify) -> Outcome:
    """Measure these peers in one run."""
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    raise_descriptor_limit()
    cores, busy_before = our_cores(), busy_cores()
    skipped: dict[str, str] = {}
    wanted = find(peers, options.builds, skipped)
    todo = [case for case in cases(options.effort) if _is_asked(case.name, options)]
    records = [Record(case, {}, [], {}) for case in todo]
    with Scene(place(cores), options.seed, notify) as scene:
        _able(scene, records, [each for each in wanted if each[0].capacity is None], skipped)
        for each in wanted:
            if each[0].capacity is not None:
                _slower(scene, records, each, skipped)
        workers = _workers(scene, wanted, cores, options) if _is_asked("workers", options) else None
        wrong_keys = scene.wrong_keys
    return Outcome(
        schema_version=SCHEMA_VERSION,
        korad_version=__version__,
        git_commit=machine.git_commit(),
        started_at=started_at,
        seconds=round(time.monotonic() - began, 1),
        seed=options.seed,
        short=options.short,
        command=options.command,
        machine=machine.describe(),
        others_cores=max(busy_before, busy_cores()),
        placement=str(place(cores)),
        peers=_notes(peers, wanted, skipped),
        cases=[_result(record, options.seed) for record in records],
        wrong_keys=wrong_keys,
        workers=workers,
    )


def find(peers: Sequence[Peer], builds: Path, skipped: dict[str, str]) -> Wanted:
    """Return the peers that are installed or could be; put the others and why in `skipped`."""
    found: Wanted = []
    for peer in peers:
        sys.stderr.write(f"{peer.name}: looking for it ...\n")
        try:
            found.append((peer, peer.find(builds)))
        except (MissingPeerError, OSError) as error:
            skipped[peer.name] = str(error)
            sys.stderr.write(f"{peer.name}: SKIPPED: {error}\n")
    return found


def _is_asked(name: str, options: Options) -> bool:
    return not options.only or name in options.only


# ── cases ────────────────────────────────────────────────────────────────────────────────────────


class Record(NamedTuple):
    """A case and what came of it so far."""

    case: Case
    scenarios: dict[str, Scenario]
    results: list[TargetResult]
    parts: dict[str, float]

    def add(self, scene: Scene, targets: Sequence[Target], scenario: Scenario, blocks: int) -> None:
        """Measure these targets."""
        self.results.extend(scene.measure(targets, scenario, blocks))
        self.scenarios.update({target.name: scenario for target in targets})


def _able(scene: Scene, records: Sequence[Record], wanted: Wanted, skipped: dict[str, str]) -> None:
    """Measure those that carry the full load: memory on fresh ones, all else in turn."""
    for record in records:
        if record.case.kind == "memory":
            _memory(scene, record, wanted, skipped)
    others = [record for record in records if record.case.kind != "memory"]
    left = [each for each in wanted if each[0].name not in skipped]
    if others and left:
        with scene.running(left, skipped) as started:
            running = started
            for record in others:
                _in_turn(scene, record, running)
                running = _left(record, running, skipped)


def _memory(scene: Scene, record: Record, wanted: Wanted, skipped: dict[str, str]) -> None:
    for each in wanted:
        with scene.running([each], skipped) as running:
            for one in running:
                scene.measure([one.target], warming(), 1)
                record.add(scene, [one.target], record.case.scenario, record.case.rounds)


def _in_turn(scene: Scene, record: Record, running: Sequence[RunningPeer]) -> None:
    targets = [each.target for each in running]
    if record.case.kind in ("rate", "stream"):
        targets = [scene.direct, *targets]
    ours = [each for each in running if isinstance(each.peer, Korad)]
    watches = [PartsWatch(each.process_id, each.port) for each in ours]
    case = record.case
    record.results.extend(scene.measure(targets, case.scenario, case.rounds, watches))
    record.scenarios.update({target.name: case.scenario for target in targets})
    for watch in watches:
        record.parts.update(watch.shares())


def _left(
    record: Record, running: Sequence[RunningPeer], skipped: dict[str, str]
) -> list[RunningPeer]:
    """Return the peers that still run; one that does not is no peer of the others any more."""
    left = []
    for each in running:
        reason = each.ended()
        if reason is None:
            left.append(each)
        else:
            skipped[each.peer.name] = f"{reason} (in the case {record.case.name})"
    return left


def _slower(
    scene: Scene,
    records: Sequence[Record],
    wanted: tuple[Peer, Program],
    skipped: dict[str, str],
) -> None:
    """Measure a peer that cannot carry the full load, by itself; started once, memory first."""
    capacity = wanted[0].capacity
    assert capacity is not None
    with scene.running([wanted], skipped) as running:
        for one in running:
            scene.measure([one.target], warming(), 1)
            for record in records:
                scenario = carried(record.case, capacity)
                record.add(scene, [one.target], scenario, record.case.slow_rounds)
                if not _left(record, [one], skipped):
                    break


def _result(record: Record, seed: int) -> CaseResult:
    case = record.case
    return CaseResult(
        name=case.name,
        kind=case.kind,
        title=case.title,
        scenarios={name: msgspec.to_builtins(each) for name, each in record.scenarios.items()},
        results=record.results,
        ratios=_ratios(record.results, LIMIT, seed),
        parts=record.parts,
    )


def _ratios(results: Sequence[TargetResult], base: str, seed: int) -> list[Ratio]:
    first = [each for each in results if each.name == base]
    others = [each for each in results if each.name not in (base, DIRECT)]
    return ratios([*first, *others], seed=seed) if first and others else []


# ── two workers ──────────────────────────────────────────────────────────────────────────────────


def _workers(scene: Scene, wanted: Wanted, cores: list[int], options: Options) -> Workers | None:
    """Measure korad with one worker against two, on cores of their own where there are enough."""
    korad = [each for each in wanted if isinstance(each[0], Korad)]
    if not korad or len(cores) == 1:
        return None
    placement = place_two_workers(cores)
    everywhere = tuple(cores)
    scene.placement = placement or Placement(everywhere, everywhere, everywhere)
    scenario = closed("workers", 300, options.effort)
    failed: dict[str, str] = {}
    with scene.running(korad, failed) as one, scene.running(korad, failed, workers=2) as two:
        if failed:
            sys.stderr.write(f"two workers: SKIPPED: {failed['korad']}\n")
            return None
        targets = [
            _named(one[0].target, "1 worker"),
            _named(two[0].target, "2 workers"),
        ]
        results = scene.measure(targets, scenario, options.effort.rounds)
    return Workers(
        own_cores=placement is not None,
        one=results[0],
        two=results[1],
        ratios=ratios(results, seed=options.seed),
    )


def _named(target: Target, name: str) -> Target:
    return msgspec.structs.replace(target, name=name)


def _notes(peers: Sequence[Peer], wanted: Wanted, skipped: dict[str, str]) -> list[PeerNote]:
    programs = {peer.name: program for peer, program in wanted}
    return [
        PeerNote(
            name=peer.name,
            job=peer.job,
            version=programs[peer.name].version if peer.name in programs else None,
            origin=programs[peer.name].origin if peer.name in programs else None,
            full_load=peer.capacity is None,
            skipped=skipped.get(peer.name),
        )
        for peer in peers
    ]
