"""`bench profile`: where a request's work goes in korad, counted in bytecodes and timed.

korad, a client and a stand-in provider run in one process and one event loop; needs no rights.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Coroutine
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from bench.micro.instructions import InstructionsError
from bench.profiling.ends import Client, WrongAnswerError
from bench.profiling.flame import flame
from bench.profiling.house import Kind, running
from bench.profiling.marked import instructions_of
from bench.profiling.profile import Function, Profile, per_chunk, profile_of
from bench.profiling.table import rooms, table
from bench.profiling.timing import Times, times_of
from bench.profiling.tracer import Tracer

_Found = TypeVar("_Found")

SUMMARY = "profile the request path: bytecodes, calls and time of each function"
EXIT_FAILED = 2
WARM_UPS = 40
"""Requests before any is counted: answers' shapes, prompts and rates are learned by then."""
COUNTED = 15
CHUNKS = (20, 60)
"""Of the two streams whose difference is a chunk's work."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench profile`."""
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="for the times (default: %(default)s)"
    )
    parser.add_argument("--stream", action="store_true", help="streamed answers, and their chunks")
    parser.add_argument("--body-bytes", type=int, default=300, help="(default: %(default)s)")
    parser.add_argument(
        "--fresh", action="store_true", help="a new prompt each time, not one that korad knows"
    )
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count the processor's instructions too, by valgrind (a minute or two)",
    )
    parser.add_argument("--rows", type=int, default=40, help="functions told (default: 40)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a flame graph (SVG) there")


def run(args: argparse.Namespace) -> int:
    """Profile and print; return the exit code."""
    kind = Kind(args.stream, args.body_bytes, args.fresh)
    try:
        if args.stream:
            text, profile = _streamed(kind, args)
        else:
            text, profile = _whole(kind, args)
    except (WrongAnswerError, InstructionsError) as error:
        sys.stderr.write(f"bench profile: {error}\n")
        return EXIT_FAILED
    sys.stdout.write(text)
    if args.out is not None:
        args.out.write_text(flame(title_of(kind), profile), encoding="utf-8")
        print(f"Written: {args.out}")
    return 0


def title_of(kind: Kind) -> str:
    """Return what is profiled, in words."""
    prompt = "new" if kind.fresh else "known"
    what = "a streamed" if kind.stream else "a"
    return f"{what} request of {kind.body_bytes:,} bytes, its prompt {prompt}"


def counted(kind: Kind, *, chunks: int) -> Profile:
    """Return the bytecodes of a request. Raises WrongAnswerError."""
    return _run(_counted(kind, chunks))


def _run(work: Coroutine[Any, Any, _Found]) -> _Found:
    # As a worker does it; `uvloop.run` would put a coroutine of its own into the profile.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _counted(kind: Kind, chunks: int) -> Profile:
    async with running(chunks=chunks) as clients:
        await _warm_up(clients.korad, kind)
        tracer = Tracer()
        requests = [kind.request(WARM_UPS + number) for number in range(COUNTED)]
        with tracer.tracing():
            for request in requests:
                await clients.korad.ask(request, stream=kind.stream)
                tracer.end_request()
        return profile_of(tracer)


async def _timed(kind: Kind, chunks: int, seconds: float) -> Times:
    async with running(chunks=chunks) as clients:
        for client in clients:
            await _warm_up(client, kind)
        numbers = count(WARM_UPS)
        stream = kind.stream

        def ask() -> Awaitable[bytes]:
            return clients.korad.ask(kind.request(next(numbers)), stream=stream)

        def ask_directly() -> Awaitable[bytes]:
            return clients.direct.ask(kind.request(next(numbers)), stream=stream)

        return await times_of(ask, ask_directly, seconds=seconds)


async def _warm_up(client: Client, kind: Kind) -> None:
    for number in range(WARM_UPS):
        await client.ask(kind.request(number), stream=kind.stream)


def _whole(kind: Kind, args: argparse.Namespace) -> tuple[str, Profile]:
    profile = counted(kind, chunks=1)
    times = _run(_timed(kind, 1, args.seconds))
    text = table(title_of(kind), profile, times.functions, rows=args.rows)
    text += rooms(profile) + _notes(times)
    if args.instructions:
        text += f"Instructions per request: {instructions_of(kind, chunks=1):,.0f}.\n"
    return text, profile


def _streamed(kind: Kind, args: argparse.Namespace) -> tuple[str, Profile]:
    few, many = CHUNKS
    shorter, longer = (counted(kind, chunks=chunks) for chunks in CHUNKS)
    times = [_run(_timed(kind, chunks, args.seconds / 2)) for chunks in CHUNKS]
    difference: dict[Function, float] = {
        function: (us - times[0].functions.get(function, 0.0)) / (many - few)
        for function, us in times[1].functions.items()
    }
    chunk = per_chunk(longer, shorter, many - few)
    text = table("a chunk, one per read", chunk, difference, rows=args.rows)
    text += rooms(chunk) + "\n"
    text += table(f"{title_of(kind)}, {few} chunks", shorter, times[0].functions, rows=args.rows)
    chunk_us = (times[1].cpu_us - times[0].cpu_us) / (many - few)
    text += rooms(shorter) + _notes(times[0])
    text += f"CPU per chunk, likewise: {chunk_us:.1f} us.\n"
    if args.instructions:
        less, more = (instructions_of(kind, chunks=chunks) for chunks in CHUNKS)
        text += (
            f"Instructions per request of {few} chunks: {less:,.0f}; "
            f"per chunk: {(more - less) / (many - few):,.0f}.\n"
        )
    return text, shorter


def _notes(times: Times) -> str:
    return (
        "Bytecodes and calls: of the function itself, median of requests. us: of the function and "
        f"the C functions it calls, by cProfile ({times.requests:,} requests), which adds to each "
        "call.\n"
        f"CPU per request, unprofiled, less what client and stand-in take without korad: "
        f"{times.cpu_us:.1f} us.\n"
    )
