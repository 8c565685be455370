"""`bench optimizer`: evaluate the optimizer and write a table, `result.json` and a plot."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

from bench.machine import ROOT, describe, git_commit
from bench.optimizer.conversation import Conversation
from bench.optimizer.data import DataError, limited, read_folder
from bench.optimizer.figures import (
    SCHEMA_VERSION,
    Level,
    Machine,
    Report,
    encode_report,
    report_schema,
)
from bench.optimizer.plot import draw
from bench.optimizer.run import evaluate
from bench.optimizer.sample import SEED, make_sample
from bench.optimizer.table import table
from korad import __version__
from korad.adapters.tokenizer import TokenizerError, load_encode
from korad.optimizer import LEVELS

SUMMARY = "measure what the optimizer saves and keeps, what that is worth and how long it takes"
OUT = ROOT / "build" / "bench"
SAMPLE_PER_KIND = 4
EXIT_FOUND, EXIT_FAILED = 1, 2
"""A rule was broken; nothing could be measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench optimizer`."""
    parser.add_argument(
        "--data", type=Path, help="folder of *.jsonl or *.jsonl.gz (default: a generated sample)"
    )
    parser.add_argument("--levels", default=",".join(LEVELS[1:]), help="(default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=OUT, help="folder for the results (default: build/bench)"
    )
    parser.add_argument(
        "--limit", type=int, default=0, help="at most N conversations of each kind; 0: all"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the generated sample")
    parser.add_argument("--no-time", action="store_true", help="leave out the time measurement")
    parser.add_argument("--schema", action="store_true", help="print result.json's JSON Schema")


def run(args: argparse.Namespace) -> int:
    """Evaluate and return the exit code: 0, or 1 if a rule was broken at any level."""
    if args.schema:
        schema = orjson.dumps(report_schema(), option=orjson.OPT_INDENT_2)
        sys.stdout.write(f"{schema.decode()}\n")
        return 0
    levels = args.levels.split(",")
    unknown = [level for level in levels if level not in LEVELS]
    if unknown:
        return _fail(f"no such level: {', '.join(unknown)}")
    try:
        conversations = _conversations(args)
        encode = load_encode(OUT)
    except (DataError, OSError, TokenizerError) as error:
        return _fail(str(error))

    def count_text(text: str) -> int:
        return len(encode(text)) if text else 0

    started = time.monotonic()
    found: dict[str, Level] = {}
    for level in levels:
        sys.stderr.write(f"{level}: {len(conversations)} conversations ...\n")
        found[level] = evaluate(conversations, level, count_text, timed=not args.no_time)
    report = _report(args, found, len(conversations), time.monotonic() - started)
    return _write(report, args.out)


def _conversations(args: argparse.Namespace) -> list[Conversation]:
    if args.data is not None:
        return limited(read_folder(args.data), args.limit)
    return make_sample(args.seed, args.limit or SAMPLE_PER_KIND)


def _report(
    args: argparse.Namespace, levels: dict[str, Level], conversations: int, seconds: float
) -> Report:
    machine = describe()
    return Report(
        schema_version=SCHEMA_VERSION,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=Machine(
            system=machine.kernel,
            processor=machine.processor,
            cores=machine.cores,
            python=machine.python,
        ),
        korad_version=__version__,
        git_commit=git_commit(),
        data="own sample" if args.data is None else args.data.name,
        seed=args.seed if args.data is None else None,
        limit=args.limit,
        conversations=conversations,
        seconds=round(seconds, 1),
        levels=levels,
    )


def _write(report: Report, out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_bytes(encode_report(report))
    (out / "optimizer.svg").write_text(draw(report), encoding="utf-8")
    sys.stdout.write(table(report))
    sys.stdout.write(f"\nWritten: {out / 'result.json'}, {out / 'optimizer.svg'}\n")
    return EXIT_FOUND if any(level.total.violations for level in report.levels.values()) else 0


def _fail(message: str) -> int:
    sys.stderr.write(f"bench optimizer: {message}\n")
    return EXIT_FAILED
