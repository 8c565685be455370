"""`bench load`: send a scenario's requests to targets and tell what became of them."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.load.checks import CheckError
from bench.load.datasets import DatasetError
from bench.load.demo import DemoError
from bench.load.options import command_words, parse_cpus
from bench.load.report.findings import invalid_reasons
from bench.load.report.page import write_report
from bench.load.result import Result
from bench.load.run import RunError, measure
from bench.load.scenarios import ARRIVALS, ScenarioError, built_in
from bench.load.targets import TargetError
from bench.load.terminal import table
from bench.machine import ROOT

SUMMARY = "measure OpenAI-compatible endpoints under load: latency, overhead, CPU time, memory"
OUT = ROOT / "build" / "bench" / "load"
SEED = 1
EXIT_FOUND, EXIT_FAILED = 1, 2
"""A check failed; the run is invalid or nothing was measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench load`."""
    parser.add_argument(
        "scenario", nargs="?", help="a built-in scenario's name (--list) or a .toml file's path"
    )
    _add_targets(parser)
    _add_changes(parser)
    parser.add_argument("--seed", type=int, default=SEED, help="of the plan (default: %(default)s)")
    parser.add_argument(
        "--blocks", type=int, default=2, help="of each target, taken in turns (default: 2)"
    )
    parser.add_argument("--processes", type=int, default=1, help="that make the load (default: 1)")
    parser.add_argument("--cpus", type=parse_cpus, help="cores the load is kept to, as 1 or 2,3")
    parser.add_argument(
        "--check", action="append", default=[], metavar="[NAME:]FIGURE<=X",
        help="exit with 1 unless it holds, e.g. 'overhead_p99_ms<=2'; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, help="folder for the results (default: build/bench/load/SCENARIO)"
    )
    parser.add_argument("--list", action="store_true", help="name the built-in scenarios")
    parser.add_argument("--schema", action="store_true", help="print result.json's JSON Schema")


def _add_targets(parser: argparse.ArgumentParser) -> None:
    def repeated(*names: str, metavar: str, text: str) -> None:
        parser.add_argument(*names, action="append", default=[], metavar=metavar, help=text)

    repeated("-t", "--target", metavar="NAME=URL", text="base URL with its /v1; the first is the "
             "baseline of comparisons")  # fmt: skip
    repeated("--key", metavar="[NAME=]KEY", text="bearer token; env:VARIABLE or file:PATH to read "
             "it from there")  # fmt: skip
    repeated("--model", metavar="[NAME=]MODEL", text="what to ask for (default: gpt-4o-mini)")
    repeated("--pid", metavar="NAME=PID", text="root of the target's processes on this machine, "
             "whose CPU time and memory are measured")  # fmt: skip
    repeated("--header", metavar="NAME=H:V", text="a further request header")
    parser.add_argument(
        "--demo", action="store_true",
        help="start a stand-in provider and a korad before it, and measure both",
    )  # fmt: skip
    parser.add_argument(
        "--stand-in", metavar="URL",
        help="where `python -m bench.load.stand_in` runs behind the targets, to give it orders",
    )  # fmt: skip


def _add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, help="requests a second of the fastest stage")
    parser.add_argument("--arrivals", choices=ARRIVALS, help="in place of the scenario's")
    parser.add_argument("--duration", type=float, metavar="S", help="seconds of a block")
    parser.add_argument("--warmup", type=float, metavar="S", help="seconds before each block")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="prompts from OpenAI JSONL or ShareGPT JSON"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, write the results, and return the exit code: 0, 1 a check failed, 2 no result."""
    if args.schema:
        schema = msgspec.json.encode(msgspec.json.schema(Result, schema_hook=_schema_of))
        sys.stdout.write(f"{msgspec.json.format(schema).decode()}\n")
        return 0
    try:
        if args.list:
            return _list()
        with _ended_by_signals():
            result = measure(args, command_words(args))
    except (ScenarioError, TargetError, CheckError, DatasetError, DemoError, RunError) as error:
        sys.stderr.write(f"bench load: {error}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("bench load: interrupted; nothing is written\n")
        return EXIT_FAILED
    out: Path = args.out or OUT / str(result.scenario["name"])
    return _write(result, out)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: what it has started has sessions of its own."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _schema_of(kind: type) -> dict[str, Any]:
    """Return the schema of what a scenario's member may be: anything."""
    if kind is object:
        return {"description": "Any JSON."}
    raise NotImplementedError


def _list() -> int:
    scenarios = built_in()
    width = max(len(scenario.name) for scenario in scenarios)
    for scenario in scenarios:
        sys.stdout.write(f"{scenario.name:<{width}}  {scenario.summary}\n")
    return 0


def _write(result: Result, out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (out / "result.json").write_bytes(encoded + b"\n")
    write_report(result, out / "report.html")
    sys.stdout.write(table(result))
    sys.stdout.write(f"\nWritten: {out / 'result.json'}, {out / 'report.html'}\n")
    return _exit_code(result)


def _exit_code(result: Result) -> int:
    nothing = any(not target.total.ok + target.total.left for target in result.targets)
    if nothing or invalid_reasons(result):
        return EXIT_FAILED
    return EXIT_FOUND if any(not check.passed for check in result.checks) else 0
