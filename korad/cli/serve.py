"""`korad serve`: run the proxy."""

from __future__ import annotations

import argparse
import sys

from korad.adapters.embedded_redis import EmbeddedRedisError
from korad.adapters.key_errors import KeyStoreError
from korad.adapters.pepper import PepperError
from korad.adapters.tokenizer import TokenizerError
from korad.cli.key_warnings import warn_of_place
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
    warn_of_place(settings, "serve")
    if not settings.providers and not settings.demo:
        sys.stderr.write(
            "korad: no provider is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, write a "
            "korad.toml, or try korad out with --demo; `korad check-config` tells what each lacks\n"
        )
        return 1
    try:
        return serve(settings)
    except (EmbeddedRedisError, KeyStoreError, PepperError, TokenizerError) as error:
        sys.stderr.write(f"korad: {error}\n")
    except OSError as error:
        server = settings.server
        what = error.filename or f"{server.host}:{server.port}"
        sys.stderr.write(f"korad: cannot use {what}: {error.strerror or error}\n")
    return 1
