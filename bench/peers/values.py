"""Single values out of an outcome; None where there is no such thing."""

from __future__ import annotations

from bench.load.result import Percentiles, Ratio, TargetResult
from bench.peers.outcome import DIRECT, CaseResult, Outcome

CPU_REQUEST, CPU_CHUNK = "cpu_us_per_request", "cpu_us_per_chunk"
_NS_PER_US = 1_000.0


def case_named(outcome: Outcome, name: str) -> CaseResult | None:
    """Return one case."""
    return next((each for each in outcome.cases if each.name == name), None)


def result_of(outcome: Outcome, case: str, peer: str) -> TargetResult | None:
    """Return what one peer did in one case, if anything of it went well."""
    found = case_named(outcome, case)
    if found is None:
        return None
    return next((each for each in found.results if each.name == peer and each.total.ok), None)


def cpu_us(outcome: Outcome, case: str, peer: str) -> float | None:
    """Return the CPU time per request, of streams per chunk."""
    result = result_of(outcome, case, peer)
    if result is None or result.total.resources is None:
        return None
    resources = result.total.resources
    return resources.cpu_us_per_chunk if case == "stream" else resources.cpu_us_per_request


def ratio_to_limit(outcome: Outcome, case: str, peer: str) -> Ratio | None:
    """Return a peer's CPU time over nginx's."""
    found = case_named(outcome, case)
    if found is None or result_of(outcome, case, peer) is None:
        return None
    figure = CPU_CHUNK if case == "stream" else CPU_REQUEST
    return next((r for r in found.ratios if r.target == peer and r.figure == figure), None)


def times_cheaper(outcome: Outcome, case: str, peer: str, than: str) -> float | None:
    """Return how many times the CPU time of `peer` fits into that of `than`."""
    ours, theirs = cpu_us(outcome, case, peer), cpu_us(outcome, case, than)
    return theirs / ours if ours and theirs else None


def kib_per_stream(outcome: Outcome, peer: str) -> float | None:
    """Return the memory of a slow stream."""
    result = result_of(outcome, "memory", peer)
    if result is None or result.total.resources is None:
        return None
    return result.total.resources.kib_per_stream


def latency_us(
    outcome: Outcome, case: str, peer: str, metric: str, percentile: str
) -> float | None:
    """Return one percentile of a metric, such as "e2e" and "p999_ns"."""
    found = _percentiles(result_of(outcome, case, peer), metric)
    return None if found is None else getattr(found, percentile) / _NS_PER_US


def added_us(outcome: Outcome, peer: str, percentile: str) -> float | None:
    """Return by how much a percentile at the fixed rate is above the provider's without proxy."""
    through = latency_us(outcome, "rate", peer, "e2e", percentile)
    direct = latency_us(outcome, "rate", DIRECT, "e2e", percentile)
    return None if through is None or direct is None else through - direct


def failures(outcome: Outcome, peer: str) -> int:
    """Return how many requests went wrong in all cases."""
    return sum(
        sum(each.total.errors.values())
        for case in outcome.cases
        for each in case.results
        if each.name == peer
    )


def _percentiles(result: TargetResult | None, metric: str) -> Percentiles | None:
    if result is None or metric not in result.total.histograms:
        return None
    return result.total.histograms[metric].percentiles
