"""`bench micro`: time and count the rooms of korad, each on a case of its own tests."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from bench.micro.figures import Run
from bench.micro.instructions import InstructionsError, instructions_of
from bench.micro.measure import measure
from bench.micro.registry import BENCHMARKS, UnknownBenchmarkError, chosen
from bench.micro.statistics import summary

SUMMARY = "time the rooms of korad one by one, and count their bytecodes"
EXIT_INCOMPLETE, EXIT_FAILED = 1, 2
"""A benchmark has no figures; nothing could be measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench micro`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="e.g. heads, or heads.new")
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="for each benchmark (default: %(default)s)"
    )
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count the processor's instructions too, by valgrind (minutes for all of them)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")


def run(args: argparse.Namespace) -> int:
    """Measure and print; return the exit code."""
    if args.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:20} {benchmark.summary}")
        return 0
    try:
        names = chosen(args.names)
        found = measure(names, seconds=args.seconds)
        if args.instructions:
            found = _with_instructions(found)
    except (UnknownBenchmarkError, InstructionsError) as error:
        sys.stderr.write(f"bench micro: {error}\n")
        return EXIT_FAILED
    if args.json is not None:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    sys.stdout.write(table(found))
    if not found.measured:
        return EXIT_FAILED
    return EXIT_INCOMPLETE if found.failed else 0


def _with_instructions(found: Run) -> Run:
    counted = instructions_of(list(found.measured))
    measured = {
        name: msgspec.structs.replace(each, instructions=counted.get(name))
        for name, each in found.measured.items()
    }
    return msgspec.structs.replace(found, measured=measured)


def table(run_: Run) -> str:
    """Return a line for each benchmark: ns per operation, spread, bytecodes."""
    counted = any(each.instructions is not None for each in run_.measured.values())
    head = f"{'':20} {'ns':>12} {'+-':>5} {'least ns':>12} {'bytecodes':>11}"
    lines = [f"{head} {'instructions':>13}" if counted else head]
    for name, measured in run_.measured.items():
        told = summary(measured.samples_ns)
        instructions = f" {_number(measured.instructions):>13}" if counted else ""
        lines.append(
            f"{name:20} {_number(told.median):>12} {told.spread:>5.0%} {_number(told.least):>12} "
            f"{_number(measured.bytecodes):>11}{instructions}  "
            f"{BENCHMARKS[name].summary}"
        )
    lines += [f"{name:20} FAILED: {why}" for name, why in run_.failed.items()]
    lines.append(
        "Per operation: CPU time of the calling thread (median, half the distance of the "
        "quartiles, least), bytecodes."
    )
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"  # noqa: PLR2004 - three digits
