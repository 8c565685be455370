"""The command line of `bench load`: its own kinds of values, and how it is told in results."""

from __future__ import annotations

import argparse
import os
import shlex

_REPEATED = {"target": "-t", "model": "--model", "pid": "--pid", "check": "--check"}
_PLAIN = (
    "stand_in", "rate", "arrivals", "duration", "warmup", "data", "seed", "blocks", "processes",
)  # fmt: skip


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the cores in `1` or `2,3`. Raises argparse.ArgumentTypeError."""
    usable = sorted(os.sched_getaffinity(0))
    words = text.split(",")
    if not all(word.isdigit() and int(word) in usable for word in words):
        raise argparse.ArgumentTypeError(f"{text!r}: cores here are {','.join(map(str, usable))}")
    return tuple(int(word) for word in words)


def command_words(args: argparse.Namespace) -> str:
    """Return the command line without what may be a secret: keys and the values of headers."""
    words = ["bench", "load", args.scenario or ""]
    words += ["--demo"] * args.demo
    for name, option in _REPEATED.items():
        for value in getattr(args, name):
            words += [option, value]
    for value in args.header:
        words += ["--header", value.partition(":")[0] + ":***"]
    for name in _PLAIN:
        value = getattr(args, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    if args.cpus:
        words += ["--cpus", ",".join(map(str, args.cpus))]
    return shlex.join(words)
