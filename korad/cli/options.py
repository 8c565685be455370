"""Options that several verbs share, and from them to settings.

An option whose `dest` is the dotted name of a setting ("server.port") overrides that setting.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from korad.config import Settings, load_settings, read_environment
from korad.config.scalars import SCALARS

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name for it
"""What a verb's `add_parser` gets."""


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add --config and --state-dir, which say where korad finds its settings and its state."""
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file (default: $KORAD_CONFIG, ./korad.toml, korad.toml in the state "
        "folder; none is fine)",
    )
    group.add_argument(
        "--state-dir",
        metavar="DIR",
        help="folder of keys, journals, ledger, korad's own Redis and all else that korad keeps "
        "(default: $KORAD_STATE_DIR, else the platform's folder for state)",
    )


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add --host, --port, --workers, --margin, --savings-level and --demo."""
    group = parser.add_argument_group("server")
    group.add_argument("--host", dest="server.host", metavar="HOST", help="address to listen on")
    group.add_argument(
        "--port", dest="server.port", metavar="PORT", help="port to listen on; 0 takes a free one"
    )
    group.add_argument(
        "--workers", dest="server.workers", metavar="N", help="worker processes sharing the port"
    )
    group.add_argument(
        "--margin", dest="billing.margin", metavar="X", help="billed divided by cost, such as 1.5"
    )
    group.add_argument(
        "--savings-level",
        dest="optimizer.default_level",
        metavar="LEVEL",
        help="savings level where neither request nor key names one",
    )
    group.add_argument(
        "--demo",
        action="store_const",
        const=True,
        help="call no provider: every model is a built-in simulator",
    )


def settings_from(args: argparse.Namespace) -> Settings:
    """Return the settings as files, environment and `args` give them. Raises ConfigError."""
    given = vars(args)
    overrides = {scalar.name: given.get(scalar.name) for scalar in SCALARS}
    return load_settings(given.get("config"), read_environment(), overrides=overrides)
