"""`bench compare A B`: the microbenchmarks of this tree against the korad of two commits.

Processes alternate (A B B A A B ...), so that a machine that slows down slows both; the two of a
pair run one right after the other and with the same hash seed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.micro.figures import Run
from bench.micro.registry import UnknownBenchmarkError, chosen
from bench.micro.statistics import median, ratio_of_pairs
from bench.micro.trees import ROOT, TreeError, korad_at, resolved

SUMMARY = 'compare two commits by microbenchmarks ("." is the working tree)'
EXIT_FAILED = 2
_SEED = 1


PAIRS_MIN = 5
"""With fewer, chance alone often leaves 1 outside of the interval."""


class MeasureError(Exception):
    """A measuring process failed, or measured another korad than it should."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench compare`."""
    parser.add_argument("before", metavar="A", help='a commit, or "." for the working tree')
    parser.add_argument("after", metavar="B", help="the same, compared with A")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of `bench micro --list`")
    parser.add_argument(
        "--rounds", type=int, default=10, help="processes of each side (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=0.1,
        help="for each benchmark in each process (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Compare and print; return the exit code."""
    try:
        names = chosen(args.names)
        commits = (resolved(args.before), resolved(args.after))
        runs = measure_both(commits, names, rounds=max(1, args.rounds), seconds=args.seconds)
    except (UnknownBenchmarkError, TreeError, MeasureError) as error:
        sys.stderr.write(f"bench compare: {error}\n")
        return EXIT_FAILED
    sys.stdout.write(table(commits, names, runs))
    return 0


def measure_both(
    commits: tuple[str, str], names: Sequence[str], *, rounds: int, seconds: float
) -> list[tuple[Run, Run]]:
    """Return `rounds` pairs of runs, the first with bytecodes. Raises TreeError, MeasureError."""
    pairs = []
    with ExitStack() as stack:
        folders = [stack.enter_context(korad_at(commit)) for commit in commits]
        for number in range(rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            found = {}
            for side in order:
                found[side] = _measured(
                    folders[side], names, seconds, bytecodes=number == 0, hash_seed=number
                )
            pairs.append((found[0], found[1]))
            sys.stderr.write(f"pair {number + 1} of {rounds}\n")
    return pairs


def _measured(
    folder: Path, names: Sequence[str], seconds: float, *, bytecodes: bool, hash_seed: int
) -> Run:
    """Measure the korad in `folder` with the benchmarks and the tests' cases of this tree."""
    done = subprocess.run(  # noqa: S603 - this interpreter, names of the registry
        # -P: the caller's folder may hold a korad of its own.
        [sys.executable, "-P", "-m", "bench.micro.child", str(seconds), "01"[bytecodes], *names],
        cwd=folder,
        env={
            "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
            "PYTHONHASHSEED": str(hash_seed),
            "PATH": os.defpath,
        },
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise MeasureError(f"measuring failed:\n{done.stderr.decode(errors='replace')}")
    found = msgspec.json.decode(done.stdout, type=Run)
    if Path(found.korad_path) != (folder / "korad").resolve():
        raise MeasureError(f"measured {found.korad_path} in place of {folder}")
    return found


def table(commits: tuple[str, str], names: Sequence[str], runs: Sequence[tuple[Run, Run]]) -> str:
    """Return a line for each benchmark: both medians, the ratio's interval, both bytecodes."""
    before, after = commits
    lines = [
        f"{'':20} {before:>12} {after:>12}  B/A  95 %          bytecodes A          B     B/A",
        *(_line(name, runs) for name in names),
        "CPU ns per operation: each process' least sample, which others on the machine disturb",
        "least; their median. B/A: of neighbours, with a bootstrap interval.",
    ]
    return "\n".join(lines) + "\n"


def _line(name: str, runs: Sequence[tuple[Run, Run]]) -> str:
    first = runs[0]
    for commit, found in zip("AB", first, strict=True):
        if name in found.failed:
            return f"{name:20} not at {commit}: {found.failed[name]}"
    pairs = [
        (min(one.measured[name].samples_ns), min(other.measured[name].samples_ns))
        for one, other in runs
    ]
    ratio = ratio_of_pairs(pairs, seed=_SEED)
    told = " slower" if ratio.ratio > 1 else " faster"
    if not ratio.differs or len(pairs) < PAIRS_MIN:
        told = ""
    counts = [found.measured[name].bytecodes or 0.0 for found in first]
    return (
        f"{name:20} {median([one for one, _ in pairs]):>12,.0f} "
        f"{median([other for _, other in pairs]):>12,.0f} {ratio.ratio:5.2f} "
        f"[{ratio.low:.2f}, {ratio.high:.2f}]  {counts[0]:>13,.1f} {counts[1]:>10,.1f} "
        f"{counts[1] / counts[0] if counts[0] else 1.0:7.4f}{told}"
    )
