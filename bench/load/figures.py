"""From counts to figures, of one block or of several together, and whether they may be used."""

from __future__ import annotations

from collections.abc import Sequence

from bench.load.histogram import exact_quantile
from bench.load.measured import Measured, Sampled
from bench.load.result import METRICS, Client, Figures, Resources, Second
from bench.load.tally import Tally, ordered_ns

LAG_P99_NS_MAX = 1_000_000
CPU_SHARE_MAX = 0.9
STREAMS_MIN = 100
"""Open at once; below, most of what grows is something else."""
_MIB = 1024 * 1024
_NS = 1_000_000_000


def figures_of(blocks: Sequence[Measured]) -> Figures:
    """Return the figures of a target's blocks, as if they were one long block."""
    tally = Tally.merged([block.tally for block in blocks], same_time=False)
    closed = blocks[0].closed
    seconds = sum(_span_s(block) for block in blocks)
    ok = sum(passed.requests for passed in tally.passed) if closed else tally.ok
    tokens = sum(passed.tokens for passed in tally.passed) if closed else tally.tokens
    return Figures(
        seconds=seconds,
        started=tally.started,
        ok=tally.ok,
        left=tally.left,
        errors=dict(sorted(tally.errors.items())),
        said=tally.said,
        requests_per_s=ok / seconds,
        tokens_per_s=tokens / seconds,
        chunks=tally.chunks,
        goodput=tally.good / tally.judged if tally.judged else None,
        histograms={
            metric: tally.histogram(metric).result()
            for metric in METRICS
            if metric in tally.histograms
        },
        timeline=_timeline(tally),
        resources=_resources(blocks, tally),
        client=_client(blocks, tally),
    )


def _span_s(block: Measured) -> float:
    """Return the time a block's throughput is of: an open loop's goes on to its last answer."""
    return block.seconds if block.closed else max(block.seconds, block.tally.last_end_s)


def _timeline(tally: Tally) -> list[Second]:
    seconds = []
    for at_s, second in enumerate(tally.seconds):
        e2e_ns = ordered_ns(second.e2e_ns)
        seconds.append(
            Second(
                at_s=at_s,
                started=second.started,
                ok=second.ok,
                failed=second.failed,
                e2e_p50_ns=exact_quantile(e2e_ns, 0.5),
                e2e_p99_ns=exact_quantile(e2e_ns, 0.99),
            )
        )
    return seconds


def _resources(blocks: Sequence[Measured], tally: Tally) -> Resources | None:
    """Return what the target took, per request and chunk that ended while it was looked at."""
    sampled: list[Sampled] = [block.sampled for block in blocks if block.sampled is not None]
    if not sampled:
        return None
    cpu_us = sum(each.cpu_ns for each in sampled) / 1000
    requests = sum(passed.requests for passed in tally.passed)
    chunks = sum(passed.chunks for passed in tally.passed)
    grown = max(each.pss_max_bytes - each.pss_start_bytes for each in sampled)
    by_second = [ns for each in sampled for ns in each.cpu_by_second_ns]
    return Resources(
        cpu_us_per_request=cpu_us / max(1, requests),
        cpu_us_per_chunk=cpu_us / chunks if chunks else None,
        cpu_share=cpu_us * 1000 / (sum(each.seconds for each in sampled) * _NS),
        pss_mib_start=sampled[0].pss_start_bytes / _MIB,
        pss_mib_max=max(each.pss_max_bytes for each in sampled) / _MIB,
        kib_per_stream=(
            grown / 1024 / tally.streams_max if tally.streams_max >= STREAMS_MIN else None
        ),
        descriptors_max=max(each.descriptors_max for each in sampled),
        cpu_us_per_request_by_second=_quotients(by_second, [p.requests for p in tally.passed]),
        cpu_us_per_chunk_by_second=_quotients(by_second, [p.chunks for p in tally.passed]),
    )


def _quotients(cpu_ns: list[int], counts: list[int]) -> list[float]:
    return [ns / 1000 / count for ns, count in zip(cpu_ns, counts, strict=False) if count]


def _client(blocks: Sequence[Measured], tally: Tally) -> Client:
    lag_p99_ns = tally.histogram("lag").quantiles([0.99])[0]
    return Client(
        processes=max(block.processes for block in blocks),
        cpu_share=tally.cpu_share,
        lag_p99_ns=lag_p99_ns,
        shed=tally.shed,
        invalid=_invalid(tally, lag_p99_ns),
    )


def _invalid(tally: Tally, lag_p99_ns: int) -> str | None:
    """Return why the figures tell of the client and not of the target; None: they do not."""
    if not tally.ok + tally.left:
        return "nothing succeeded"
    if tally.shed:
        return f"{tally.shed} requests were shed: more connections are needed"
    if lag_p99_ns > LAG_P99_NS_MAX:
        return f"requests left late: lag p99 {lag_p99_ns / 1e6:.1f} ms, 1 ms is allowed"
    if tally.cpu_share > CPU_SHARE_MAX:
        share = f"{tally.cpu_share:.0%}"
        return f"a load process used {share} of a core, {CPU_SHARE_MAX:.0%} is allowed: use more"
    return None
