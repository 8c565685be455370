"""Run one of the evaluations: `python -m bench VERB ...`, or `scripts/bench VERB ...`."""

from __future__ import annotations

import argparse
import sys
from typing import Protocol

from bench.optimizer import command as optimizer, fetch


class Verb(Protocol):
    """What a verb's module has."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


VERBS: dict[str, Verb] = {"optimizer": optimizer, "fetch": fetch}


def main(arguments: list[str] | None = None) -> int:
    """Run the verb named on the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, verb in VERBS.items():
        verb.add_arguments(verbs.add_parser(name, help=verb.SUMMARY, description=verb.SUMMARY))
    args = parser.parse_args(arguments)
    return VERBS[args.verb].run(args)


if __name__ == "__main__":
    sys.exit(main())
