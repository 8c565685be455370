"""The command line: verbs in, exit codes out; each verb is one module."""

from __future__ import annotations

from korad.cli.main import main

__all__ = ["main"]
