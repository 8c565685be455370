"""What is measured: the cases, their scenarios, and what slower peers get of them."""

from __future__ import annotations

import resource
from typing import Literal, NamedTuple

from msgspec.structs import replace

from bench.load.plan import Answers, Clients, Prompts, Scenario, Stage
from bench.peers.peer import Capacity

Kind = Literal["closed", "stream", "rate", "memory"]
CONNECTIONS = 64
STREAMS_PER_S = 100.0
"""200 at a time, as each takes 2 s: 10,000 chunks a second."""
RATE = 500.0
OPEN_MAX = 1_000
"""Of an open loop; what would exceed it counts as shed."""
_CHUNKS = 100
_INTERVAL_S = 0.02
_SLOW_INTERVAL_S = 1.0
_STREAMS_AT_ONCE_PER_S = 1_000.0
_WARMING_S = 0.5
_LARGE_BYTES = 100_000
_LARGE_DISTINCT, _LARGE_WARMUP = 16, 2.5
"""korad knows blocks it has seen: so all large bodies have come by before any is measured."""
_DESCRIPTORS_APART = 1_000


class Case(NamedTuple):
    """One line of figures."""

    name: str
    kind: Kind
    title: str
    scenario: Scenario
    rounds: int
    """Blocks of each peer that carries the full load."""
    slow_rounds: int
    """Blocks of the others, which cannot."""


class Effort(NamedTuple):
    """How long a run takes."""

    rounds: int
    slow_rounds: int
    warmup_s: float
    closed_s: float
    stream_warmup_s: float
    stream_s: float
    rate_s: float
    slow_streams: int
    hold_s: float
    """How long all slow streams are open together, or a little more."""


FULL = Effort(
    rounds=4, slow_rounds=1, warmup_s=1.0, closed_s=4.0, stream_warmup_s=3.0, stream_s=5.0,
    rate_s=10.0, slow_streams=5_000, hold_s=3.0,
)  # fmt: skip
SHORT = Effort(
    rounds=2, slow_rounds=1, warmup_s=0.5, closed_s=1.0, stream_warmup_s=2.0, stream_s=2.0,
    rate_s=2.0, slow_streams=1_000, hold_s=3.0,
)  # fmt: skip
TINY = Effort(
    rounds=1, slow_rounds=1, warmup_s=0.1, closed_s=0.3, stream_warmup_s=0.1, stream_s=0.4,
    rate_s=0.4, slow_streams=20, hold_s=0.5,
)  # fmt: skip
"""For tests: that it works, not how fast."""


def cases(effort: Effort) -> list[Case]:
    """Return all cases; memory comes first, on peers that have served next to nothing."""
    rounds = (effort.rounds, effort.slow_rounds)
    streams = min(effort.slow_streams, streams_possible())
    found = [
        Case("memory", "memory", f"{streams:,} slow streams", memory(streams, effort.hold_s), 1, 1)
    ]
    for name, title, size in (
        ("small", "300 B", 300),
        ("8k", "8 KB", 8_000),
        ("200k", "200 KB", 200_000),
    ):
        scenario = closed(name, size, effort)
        found.append(Case(name, "closed", title, scenario, *rounds))
    found.append(Case("stream", "stream", "10,000 chunks/s", streaming(effort), *rounds))
    found.append(Case("rate", "rate", f"{RATE:.0f} requests/s", steady(effort), *rounds))
    return found


def closed(name: str, size: int, effort: Effort) -> Scenario:
    """Return the closed loop of requests of `size` bytes."""
    large = size >= _LARGE_BYTES
    prompts = Prompts(mean_bytes=size)
    if large:
        prompts = replace(prompts, distinct=_LARGE_DISTINCT)
    return Scenario(
        name=name,
        summary=f"{CONNECTIONS} requests of {size} bytes under way at all times",
        arrivals="closed",
        stages=(Stage(seconds=effort.closed_s, rate=1.0),),
        warmup_s=effort.warmup_s * (_LARGE_WARMUP if large else 1.0),
        prompts=prompts,
        clients=Clients(connections=CONNECTIONS),
    )


def streaming(effort: Effort) -> Scenario:
    """Return the streams that come evenly, so that their chunks do too."""
    return Scenario(
        name="stream",
        summary=f"streams of {_CHUNKS} chunks, 20 ms apart",
        arrivals="constant",
        stages=(Stage(seconds=effort.stream_s, rate=STREAMS_PER_S),),
        warmup_s=effort.stream_warmup_s,
        answers=Answers(chunks=_CHUNKS, interval_s=_INTERVAL_S),
        clients=Clients(stream=1.0, connections=OPEN_MAX),
    )


def steady(effort: Effort) -> Scenario:
    """Return the open loop."""
    return Scenario(
        name="rate",
        summary="requests of 300 bytes at random moments, from the intended send time",
        arrivals="poisson",
        stages=(Stage(seconds=effort.rate_s, rate=RATE),),
        warmup_s=effort.warmup_s,
        clients=Clients(connections=OPEN_MAX),
    )


def memory(streams: int, hold_s: float, per_s: float = _STREAMS_AT_ONCE_PER_S) -> Scenario:
    """Return streams that begin at that rate and are all open together for some seconds."""
    begin_s = streams / per_s
    return Scenario(
        name="memory",
        summary="streams of a chunk a second, all open at the same time",
        arrivals="constant",
        stages=(Stage(seconds=begin_s, rate=per_s), Stage(seconds=hold_s, rate=0.0)),
        warmup_s=0.0,
        answers=Answers(chunks=int(begin_s + hold_s) + 1, interval_s=_SLOW_INTERVAL_S),
        clients=Clients(stream=1.0, connections=2 * streams),
    )


def warming() -> Scenario:
    """Return some requests and streams that let a peer load what it loads late."""
    return Scenario(
        name="warming",
        summary="requests and streams whose figures are not kept",
        arrivals="closed",
        stages=(Stage(seconds=_WARMING_S, rate=1.0),),
        warmup_s=0.0,
        answers=Answers(chunks=5),
        clients=Clients(stream=0.5, connections=4),
    )


def carried(case: Case, capacity: Capacity) -> Scenario:
    """Return a case's scenario with no more load than a slower peer can carry."""
    scenario = case.scenario
    if case.kind == "closed":
        clients = replace(scenario.clients, connections=capacity.connections)
        return replace(scenario, clients=clients)
    if case.kind == "memory":
        total = sum(stage.seconds * stage.rate for stage in scenario.stages)
        streams = min(capacity.slow_streams, int(total))
        return memory(streams, scenario.stages[-1].seconds, capacity.slow_streams_per_s)
    rate = capacity.streams_per_s if case.kind == "stream" else capacity.requests_per_s
    return replace(scenario, stages=(Stage(seconds=scenario.seconds, rate=rate),))


def streams_possible() -> int:
    """Return how many streams a proxy's descriptors allow: two each, and some to spare."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return FULL.slow_streams
    return max(1, (hard - _DESCRIPTORS_APART) // 2)


def raise_descriptor_limit() -> None:
    """Allow this process and its children as many descriptors as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
