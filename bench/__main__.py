"""Run one of the evaluations: `python -m bench VERB ...`, or `scripts/bench VERB ...`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Protocol, cast


class Verb(Protocol):
    """What a verb's module has."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


VERBS = {
    "load": "bench.load.command",
    "peers": "bench.peers.command",
    "tls": "bench.tls.command",
    "micro": "bench.micro.command",
    "compare": "bench.micro.compare",
    "profile": "bench.profiling.command",
    "optimizer": "bench.optimizer.command",
    "fetch": "bench.optimizer.fetch",
}
"""A verb is imported when it is asked for: none waits for what another one needs."""


def main(arguments: list[str] | None = None) -> int:
    """Run the verb named on the command line and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    wanted = words[:1] if words and words[0] in VERBS else list(VERBS)
    verbs = {name: cast("Verb", importlib.import_module(VERBS[name])) for name in wanted}
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parsers = parser.add_subparsers(dest="verb", required=True)
    for name, verb in verbs.items():
        verb.add_arguments(parsers.add_parser(name, help=verb.SUMMARY, description=verb.SUMMARY))
    args = parser.parse_args(words)
    return verbs[args.verb].run(args)


if __name__ == "__main__":
    sys.exit(main())
