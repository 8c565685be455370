"""How the comparison is made, in words."""

from __future__ import annotations

METHOD = """
One run, everything on the loopback interface of one machine: {placement}. One worker
process a proxy. The provider is a stand-in that answers prebuilt bytes (`python -m
bench.load.stand_in`); the load generator is that of `bench load`. Every proxy has the same job:
check the client's key, put the provider's in its place, forward, and relay the answer; access logs
are off. A proxy that let a wrong key pass, or did not swap it, would not be in the tables. What
each does beyond that is told under "Who took part". korad has everything on; the others neither
bill nor change prompts.

- **CPU** is the scheduler's time (`/proc/PID/task/*/schedstat`) of the whole process tree, korad's
  Redis and bookkeeping included, divided by requests, of streams by chunks.
- **Rounds.** Peers that carry the full load are measured in turn, there and back again, up to
  {rounds} blocks each; then, in the same run, LiteLLM and Portkey by themselves, with the load that
  they can carry. Ratios have bootstrap 95 % intervals where there are several blocks.
- **300 B, 8 KB, 200 KB**: a closed loop of 64 requests under way, of LiteLLM and Portkey fewer.
  Where load and provider are slower than a proxy, its core is not busy; it then finds less to do
  at each waking, and takes more time per request than at its limit. Of 200 KB there are 16 bodies,
  of the others 64; all have come by before they are measured.
- **Streams**: 100 streams of 100 chunks begin each second, chunks 20 ms apart. A chunk's delay is
  from the moment the provider wrote it to its arrival.
- **500 requests/s**: open loop, Poisson, latency from the intended send time. "Added" is a
  percentile through the proxy less the same percentile without one; requests are of 300 B.
- **Memory**: proportional set size of the whole tree beyond that before, per open stream, on a
  freshly started and warmed-up proxy.
"""
