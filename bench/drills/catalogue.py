"""All drills, in the order they are run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.drills import (
    budget_storm,
    clock_jumps,
    cluster,
    departures,
    disk_full,
    endurance,
    exhaustion,
    failover,
    kills,
    machines,
    redis_faults,
    torn_journal,
    upstream_faults,
)
from bench.drills.checks import Checks
from bench.drills.scene import Order


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill."""

    name: str
    summary: str
    run: Callable[[Order, Checks], Awaitable[None]]


DRILLS = (
    Drill("workers", "kill -9 of workers under load", kills.workers),
    Drill("tree", "kill -9 of everything at once, and start again", kills.tree),
    Drill("outage", "Redis is taken away under load", redis_faults.outage),
    Drill("time-travel", "Redis goes back in time", redis_faults.back_in_time),
    Drill("emptied", "Redis loses everything", redis_faults.emptied),
    Drill("failover", "the primary is killed, sentinels promote a replica", failover.failover),
    Drill("behind", "the promoted replica lacks the last second", failover.behind),
    Drill("two-primaries", "a frozen primary goes on beside its successor", failover.two_primaries),
    Drill("node", "a cluster's node is killed and started again", cluster.cluster_node),
    Drill("slots", "a cluster's slots move to other nodes", cluster.slot_moves),
    Drill("machines", "two machines share keys and budgets", machines.two_machines),
    Drill("replies", "the call that hands over events is cut", redis_faults.lost_replies),
    Drill("departures", "clients leave at any byte", departures.departures),
    Drill("upstream", "the provider misbehaves in every way", upstream_faults.upstream_faults),
    Drill("disk", "the disk is full under load", disk_full.disk_full),
    Drill("torn", "journals cut and damaged anywhere", torn_journal.torn_journal),
    Drill("torn-start", "a start on a journal that a kill cut short", torn_journal.torn_start),
    Drill("damaged", "a start on a damaged journal", torn_journal.damaged_start),
    Drill("clock", "the wall clock jumps", clock_jumps.clock_jumps),
    Drill("descriptors", "no descriptors left", exhaustion.few_descriptors),
    Drill("slow", "half heads and slow readers", exhaustion.slow_clients),
    Drill("storm", "hundreds at once on a budget nearly spent", budget_storm.budget_storm),
    Drill("impatient", "the same, limits too slow to be asked", budget_storm.impatient_storm),
    Drill("rolling", "SIGTERM worker by worker: no request fails", endurance.rolling),
    Drill("soak", "steady load: memory and descriptors stay flat", endurance.soak),
)
