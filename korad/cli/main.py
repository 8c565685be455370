"""The command `korad`: find the verb, run it, turn what goes wrong into an exit code.

0    done
1    the verb could not do it; it has said why
2    a wrong option or a wrong configuration
130  interrupted
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from korad import __version__
from korad.cli.options import Subparsers
from korad.config import ConfigError
from korad.domain.value import value

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class VerbModule(Protocol):
    """What a module of verbs offers."""

    def add_parser(self, subparsers: Subparsers) -> None:
        """Add the parsers of the module's verbs."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do what `args` say and return the exit code."""
        ...


@value
class Verb:
    """A verb, as far as `korad --help` needs it."""

    name: str
    module: str
    summary: str


VERBS = (
    Verb(name="serve", module="korad.cli.serve", summary="run the proxy"),
    Verb(name="simulate", module="korad.cli.simulate", summary="run the stand-in provider"),
    Verb(name="keys", module="korad.cli.keys", summary="create and manage virtual keys"),
    Verb(name="teams", module="korad.cli.groups", summary="create and manage teams of keys"),
    Verb(name="customers", module="korad.cli.groups", summary="create and manage customers"),
    Verb(name="usage", module="korad.cli.usage", summary="show what was used, and what it cost"),
    Verb(name="invoice", module="korad.cli.invoice", summary="show what a key owes for a month"),
    Verb(name="export", module="korad.cli.export", summary="write billing events to a file"),
    Verb(name="events", module="korad.cli.events", summary="show billing events as they come"),
    Verb(name="audit", module="korad.cli.audit", summary="check that all books agree"),
    Verb(name="ledger", module="korad.cli.ledger", summary="book billing events"),
    Verb(
        name="optimize",
        module="korad.cli.optimize",
        summary="show what a savings level would do to a request",
    ),
    Verb(
        name="check-config",
        module="korad.cli.config",
        summary="check the configuration and show what korad makes of it",
    ),
    Verb(name="models", module="korad.cli.config", summary="list models with their prices"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(arguments)
    except ConfigError as error:
        sys.stderr.write(f"korad: {error}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has left, as `head` does; the interpreter must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _run(arguments: list[str]) -> int:
    # Options before the verb take no value, so the first word is the verb. Only its module is
    # imported: `korad --version` must not wait for a web server's imports.
    name = next((word for word in arguments if not word.startswith("-")), None)
    chosen = next((verb for verb in VERBS if verb.name == name), None)
    module = cast("VerbModule", import_module(chosen.module)) if chosen else None
    try:
        args = _parser(chosen, module).parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    assert module is not None, "without a verb the parser has stopped"
    code = module.run(args)
    sys.stdout.flush()
    return code


def _parser(chosen: Verb | None, module: VerbModule | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="korad",
        description="An OpenAI-compatible LLM proxy: smaller prompts, exact bills, "
        "little overhead.",
    )
    parser.add_argument("--version", action="version", version=f"korad {__version__}")
    subparsers = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        if chosen is None or verb.module != chosen.module:
            subparsers.add_parser(verb.name, help=verb.summary)
    if module is not None:
        module.add_parser(subparsers)
    return parser
