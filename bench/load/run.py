"""From the options of `bench load` to a whole `Result`: plan, targets, blocks, checks."""

from __future__ import annotations

import argparse
import os
import resource
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlsplit

import msgspec

from bench.load.blocks import run_blocks
from bench.load.checks import evaluate, parse_check
from bench.load.datasets import kind_of
from bench.load.demo import UPSTREAM_KEY, UPSTREAM_MODEL, running_korad
from bench.load.fleet import FleetError
from bench.load.plan import Prompts, Scenario, Target
from bench.load.prompts import plan
from bench.load.result import SCHEMA_VERSION, Result
from bench.load.scenarios import find_scenario, with_options
from bench.load.stand_in_orders import Orders, orders_for
from bench.load.stand_in_process import StandIn, control
from bench.load.statistics import figure, ratios
from bench.load.targets import parse_targets
from bench.load.terminal import LiveDisplay
from bench.machine import describe, git_commit
from korad import __version__

DEMO_TARGETS = ("direct", "korad")


class RunError(Exception):
    """A run that cannot begin, or that must not be believed."""


class Stage(NamedTuple):
    """What a run is sent to, and from which cores."""

    targets: list[Target]
    cpus: Sequence[int] | None


def measure(args: argparse.Namespace, command: str) -> Result:
    """Run the scenario that `args` name against its targets.

    Raises ScenarioError, TargetError, CheckError, DatasetError, DemoError, RunError.
    """
    scenario, base = _scenario(args)
    _refuse_nonsense(args)
    given = _targets(args)
    names = DEMO_TARGETS if args.demo else [target.name for target in given]
    limits = [parse_check(text, names, figure) for text in args.check]
    _look_up(given)
    conversations = plan(scenario, args.seed, base=base, tell=_tell)
    _allow_descriptors()
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with _stage(args, scenario, given) as stage, LiveDisplay() as display:
        try:
            results = run_blocks(
                stage.targets,
                scenario,
                conversations,
                blocks=args.blocks,
                processes=args.processes,
                cpus=stage.cpus,
                notify=display.update,
            )
        except (FleetError, OSError) as error:
            raise RunError(str(error)) from error
    return Result(
        schema_version=SCHEMA_VERSION,
        bench_version=__version__,
        git_commit=git_commit(),
        started_at=started_at,
        seed=args.seed,
        machine=describe(),
        scenario=msgspec.to_builtins(scenario),
        command=command,
        targets=results,
        ratios=ratios(results, seed=args.seed),
        checks=evaluate(limits, results, figure),
    )


def _tell(words: str) -> None:
    sys.stderr.write(f"bench load: {words}\n")


def _scenario(args: argparse.Namespace) -> tuple[Scenario, Path]:
    if not args.scenario:
        raise RunError("name a scenario; --list tells which there are")
    scenario, base = find_scenario(args.scenario)
    prompts = None
    if args.data is not None:
        path = args.data.resolve()
        prompts = Prompts(
            kind=kind_of(path),
            path=str(path),
            turns=scenario.prompts.turns,
            think_s=scenario.prompts.think_s,
        )
    changed = with_options(
        scenario,
        rate=args.rate,
        arrivals=args.arrivals,
        duration_s=args.duration,
        warmup_s=args.warmup,
        prompts=prompts,
    )
    return changed, base


def _refuse_nonsense(args: argparse.Namespace) -> None:
    for name in ("blocks", "processes"):
        if getattr(args, name) < 1:
            raise RunError(f"--{name}: must be at least 1")
    about_targets = ("target", "key", "model", "pid", "header", "stand_in")
    if args.demo and any(getattr(args, name) for name in about_targets):
        raise RunError("--demo brings its own targets: leave out -t and what belongs to it")
    if not args.demo and not args.target:
        raise RunError("name a target with -t NAME=URL, or try --demo")


def _targets(args: argparse.Namespace) -> list[Target]:
    return parse_targets(
        args.target,
        keys=args.key,
        models=args.model,
        process_ids=args.pid,
        headers=args.header,
    )


def _look_up(targets: Sequence[Target]) -> None:
    """Find out before anything is started whether the targets' hosts have addresses."""
    for target in targets:
        host = urlsplit(target.url).hostname
        try:
            socket.getaddrinfo(host, None)
        except OSError as error:
            raise RunError(f"{target.name}: {host}: {error.strerror}") from error


def _allow_descriptors() -> None:
    """Raise the limit of open sockets as far as it may be; children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _stage(args: argparse.Namespace, scenario: Scenario, given: list[Target]) -> Iterator[Stage]:
    if args.demo:
        with _demo(scenario, args.cpus) as stage:
            yield stage
        return
    if args.stand_in:
        parts = urlsplit(args.stand_in)
        try:
            control(f"{parts.scheme}://{parts.netloc}", orders_for(scenario.answers))
        except (URLError, OSError, ValueError, msgspec.MsgspecError) as error:
            raise RunError(f"--stand-in {args.stand_in}: {error}") from error
    yield Stage(given, args.cpus)


@contextmanager
def _demo(scenario: Scenario, cpus: Sequence[int] | None) -> Iterator[Stage]:
    """Keep korad to the first core and all else to the others, where there are others."""
    first, *others = sorted(os.sched_getaffinity(0))
    orders = orders_for(scenario.answers, key=UPSTREAM_KEY, model=UPSTREAM_MODEL)
    with ExitStack() as stack:
        provider = stack.enter_context(_stand_in(orders))
        korad = stack.enter_context(running_korad(provider.url, cpus=[first] if others else None))
        if others:
            os.sched_setaffinity(provider.process_id, others)
        direct = Target(name="direct", url=provider.url, key=UPSTREAM_KEY, model=UPSTREAM_MODEL)
        yield Stage([direct, korad], cpus or others or None)
        counted = provider.control()
        if counted.wrong_key or counted.wrong_model:
            raise RunError(f"{counted.wrong_key} requests reached the provider with a wrong key, "
                           f"{counted.wrong_model} with a wrong model")  # fmt: skip


def _stand_in(orders: Orders) -> StandIn:
    try:
        return StandIn(orders)
    except RuntimeError as error:
        raise RunError(str(error)) from error
