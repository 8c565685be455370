"""`bench peers`: measure korad and its peers in one run; write `result.json` and `RESULTS.md`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec
import orjson

from bench.load.progress import Progress
from bench.machine import ROOT
from bench.peers.cases import FULL, SHORT, TINY, Effort
from bench.peers.contest import Options, compare
from bench.peers.envoy import Envoy
from bench.peers.haproxy import Haproxy
from bench.peers.korad import Korad
from bench.peers.litellm import LiteLLM
from bench.peers.markdown import keep_notes, page
from bench.peers.nginx import Nginx
from bench.peers.outcome import Outcome
from bench.peers.peer import Peer
from bench.peers.portkey import Portkey

SUMMARY = "measure korad against nginx, HAProxy, Envoy, LiteLLM and Portkey in one run"
BUILDS = ROOT / "build" / "peers"
RESULTS = ROOT / "bench" / "RESULTS.md"
SEED = 5
PEERS: tuple[Peer, ...] = (Nginx(), Haproxy(), Envoy(), Korad(), Portkey(), LiteLLM())
_NAMES = ",".join(peer.name for peer in PEERS)
CASES = ("memory", "small", "8k", "200k", "stream", "rate", "workers")
EXIT_NOTHING, EXIT_INTERRUPTED = 2, 130
"""Nothing could be measured; somebody pressed Ctrl-C or ended it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench peers`."""
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="some 5 minutes in place of 16")
    length.add_argument("--tiny", action="store_true", help="seconds: does it work at all?")
    parser.add_argument("--peers", default=_NAMES, help="which of them (default: %(default)s)")
    parser.add_argument(
        "--cases", default=",".join(CASES), help="which of them (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of prompts and moments")
    parser.add_argument(
        "--out", type=Path, default=BUILDS, help="folder for result.json (default: build/peers)"
    )
    parser.add_argument("--write", action="store_true", help="write bench/RESULTS.md too")
    parser.add_argument(
        "--from", dest="source", type=Path, help="measure nothing: read this result.json"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, write and print; return the exit code: 0, or 2 if nothing was measured."""
    wanted = [name.lower() for name in args.peers.split(",")]
    cases = args.cases.split(",")
    known = {peer.name.lower(): peer for peer in PEERS}
    strangers = [name for name in wanted if name not in known]
    strangers += [name for name in cases if name not in CASES]
    if strangers:
        return _fail(f"no such peer or case: {', '.join(strangers)}")
    if args.source is not None:
        return _render(args, read(args.source))
    options = Options(
        effort=_effort(args),
        short=args.short or args.tiny,
        seed=args.seed,
        builds=BUILDS,
        only=frozenset() if len(cases) == len(CASES) else frozenset(cases),
        command=_told(args),
    )
    try:
        with _ended_by_signals():
            outcome = compare([known[name] for name in wanted], options, _Ticker().show)
    except KeyboardInterrupt:
        sys.stderr.write("\nbench peers: interrupted; everything that was started is ended\n")
        return EXIT_INTERRUPTED
    args.out.mkdir(parents=True, exist_ok=True)
    data = orjson.dumps(msgspec.to_builtins(outcome), option=orjson.OPT_INDENT_2)
    (args.out / "result.json").write_bytes(data)
    return _render(args, outcome)


def read(file: Path) -> Outcome:
    """Return what a run has written. Raises OSError, msgspec.ValidationError."""
    return msgspec.json.decode(file.read_bytes(), type=Outcome)


class _Ticker:
    """A line on standard error for each block."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._last: tuple[str, str, int] | None = None

    def show(self, case: str, progress: Progress) -> None:
        """Tell of a block when it begins."""
        now = (case, progress.target, progress.block)
        if now != self._last:
            self._last = now
            block = f"{progress.block + 1}/{progress.blocks}"
            passed_s = time.monotonic() - self._began_s
            sys.stderr.write(f"{passed_s:5.0f} s  {case:<8} {progress.target:<10} {block}\n")


def _effort(args: argparse.Namespace) -> Effort:
    if args.tiny:
        return TINY
    return SHORT if args.short else FULL


def _told(args: argparse.Namespace) -> str:
    """Return the command line as far as it says what was measured."""
    words = [
        "scripts/bench peers",
        *(f"--{each}" for each in ("short", "tiny") if args.__dict__[each]),
    ]
    for name, usual in (("peers", _NAMES), ("cases", ",".join(CASES)), ("seed", SEED)):
        if args.__dict__[name] != usual:
            words += [f"--{name}", str(args.__dict__[name])]
    return " ".join(words)


def _render(args: argparse.Namespace, outcome: Outcome) -> int:
    text = page(outcome)
    sys.stdout.write(text)
    for peer in outcome.peers:
        if peer.skipped is not None:
            sys.stderr.write(f"{peer.name}: SKIPPED: {peer.skipped}\n")
    if args.write:
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(keep_notes(before, text), encoding="utf-8")
        sys.stderr.write(f"Written: {RESULTS}\n")
    return 0 if any(case.results for case in outcome.cases) else EXIT_NOTHING


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let what ends a process end the run as Ctrl-C does: with everything cleaned up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _fail(message: str) -> int:
    sys.stderr.write(f"bench peers: {message}\n")
    return EXIT_NOTHING
