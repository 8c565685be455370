"""What korad has set itself, and whether this run kept it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bench.peers import values
from bench.peers.outcome import LIMIT, Outcome, Workers
from bench.peers.parts import KORAD

PER_REQUEST = "requests_per_s"


class Goal(NamedTuple):
    """One of them."""

    text: str
    value: float | None
    """None: it could not be measured in this run."""
    kept: bool
    unit: str


def goals(outcome: Outcome) -> list[Goal]:
    """Return all goals, in order."""

    def most(text: str, limit: float, value: float | None, unit: str = "x") -> Goal:
        return Goal(text, value, value is not None and value <= limit, unit)

    def least(text: str, limit: float, value: float | None, unit: str = "x") -> Goal:
        return Goal(text, value, value is not None and value >= limit, unit)

    return [
        most("300 B: CPU at most 3.0 x nginx", 3.0, _to_nginx(outcome, "small")),
        most("8 KB: CPU at most 3.1 x nginx", 3.1, _to_nginx(outcome, "8k")),
        most("200 KB: CPU at most 1.8 x nginx", 1.8, _to_nginx(outcome, "200k")),
        least("300 B: Envoy takes more CPU than korad", 1.0, _cheaper(outcome, "Envoy")),
        least("300 B: LiteLLM takes at least 100 x the CPU", 100.0, _cheaper(outcome, "LiteLLM")),
        least("300 B: Portkey takes at least 20 x the CPU", 20.0, _cheaper(outcome, "Portkey")),
        most("stream: CPU per chunk at most 1.4 x nginx", 1.4, _to_nginx(outcome, "stream")),
        most("500/s: p50 at most 250 µs added", 250, _added(outcome, "p50_ns"), "µs"),
        most("500/s: p99 at most 500 µs added", 500, _added(outcome, "p99_ns"), "µs"),
        most("500/s: p99 at most 2 x nginx's", 2.0, _p99_to_nginx(outcome)),
        most("memory: at most 16 KiB a slow stream", 16, _memory(outcome), "KiB"),
        least("two workers on two cores: at least 1.8 x one", 1.8, scaling(outcome.workers)),
    ]


def scaling(workers: Workers | None) -> float | None:
    """Return how many times the requests of one worker two carry.

    Where they had no cores of their own, it is what their CPU time per request allows for.
    """
    if workers is None:
        return None
    one, two = workers.one.total, workers.two.total
    if workers.own_cores:
        return two.requests_per_s / one.requests_per_s if one.requests_per_s else None
    if one.resources is None or two.resources is None or not two.resources.cpu_us_per_request:
        return None
    return 2 * one.resources.cpu_us_per_request / two.resources.cpu_us_per_request


def _to_nginx(outcome: Outcome, case: str) -> float | None:
    return values.times_cheaper(outcome, case, LIMIT, KORAD)


def _cheaper(outcome: Outcome, than: str) -> float | None:
    return values.times_cheaper(outcome, "small", KORAD, than)


def _added(outcome: Outcome, percentile: str) -> float | None:
    return values.added_us(outcome, KORAD, percentile)


def _memory(outcome: Outcome) -> float | None:
    return values.kib_per_stream(outcome, KORAD)


def _p99_to_nginx(outcome: Outcome) -> float | None:
    read: Callable[[str], float | None] = lambda peer: values.latency_us(  # noqa: E731 - twice
        outcome, "rate", peer, "e2e", "p99_ns"
    )
    ours, theirs = read(KORAD), read(LIMIT)
    return ours / theirs if ours and theirs else None
