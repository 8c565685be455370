"""The process that callgrind counts: `python -P -m bench.profiling.marked KIND CHUNKS`.

A mark before each request: so many through korad, then as many without. The least of each leaves
out what threads and timers do beside requests: much falls on one request where all is so slow. See
`bench.micro.instructions`.
"""

from __future__ import annotations

import asyncio
import gc
import sys

import msgspec
import uvloop

from bench.micro.instructions import counted
from bench.micro.marked import MARK
from bench.profiling.house import Kind, running

REQUESTS = 15
WARM_UPS = 20


def instructions_of(kind: Kind, *, chunks: int) -> int:
    """Return what korad executes per request in user space, C with it.

    Raises InstructionsError.
    """
    told = msgspec.json.encode(kind).decode()
    _, counts = counted("bench.profiling.marked", told, str(chunks))
    # Before the first mark lies the start.
    through, direct = counts[1 : REQUESTS + 1], counts[REQUESTS + 1 :]
    return min(through) - min(direct)


async def drive(kind: Kind, chunks: int) -> None:
    """Ask between marks."""
    async with running(chunks=chunks) as clients:
        for client in clients:
            for number in range(WARM_UPS):
                await client.ask(kind.request(number), stream=kind.stream)
        requests = [kind.request(WARM_UPS + number) for number in range(REQUESTS)]
        gc.collect()
        MARK()
        for client in clients:
            for request in requests:
                await client.ask(request, stream=kind.stream)
                MARK()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        asked = msgspec.json.decode(sys.argv[1], type=Kind)
        runner.run(drive(asked, int(sys.argv[2])))
