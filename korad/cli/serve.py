"""`korad serve`: run the proxy."""

from __future__ import annotations

import argparse
import sys

from korad.adapters.key_store import KeyStoreError
from korad.adapters.pepper import PepperError
from korad.adapters.tokenizer import TokenizerError
from korad.cli.options import (
    Subparsers,
    add_config_options,
    add_server_options,
    settings_from,
)
from korad.server import serve


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "serve",
        help="run the proxy",
        description="Run the proxy. Without any provider key it starts in demo mode.",
    )
    add_config_options(parser)
    add_server_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    settings = settings_from(args)
    try:
        return serve(settings)
    except (OSError, KeyStoreError, PepperError, TokenizerError) as error:
        server = settings.server
        reason = error.strerror or error if isinstance(error, OSError) else error
        sys.stderr.write(f"korad: cannot serve on {server.host}:{server.port}: {reason}\n")
        return 1
