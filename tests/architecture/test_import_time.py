"""Importing korad does nothing, and the command line starts without the server's libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "uvloop", "tiktoken", "httptools", "asyncio")


def loaded_after(statement: str, modules: tuple[str, ...]) -> str:
    """Return which of `modules` a fresh interpreter has after `statement`."""
    program = f"import sys\n{statement}\nprint(*[m for m in {modules!r} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["korad", "korad.cli", "korad.cli.main"])
def test_the_way_in_is_light(module):
    assert loaded_after(f"import {module}", HEAVY) == ""


def test_importing_the_composition_root_starts_no_thread_and_no_loop():
    statement = (
        "import korad.app, threading, asyncio\n"
        "assert threading.active_count() == 1\n"
        "assert asyncio._get_running_loop() is None"
    )

    assert loaded_after(statement, ("aiohttp",)) == "aiohttp"


@pytest.mark.parametrize("module", ["aiohttp", "uvloop", "tiktoken"])
def test_the_core_runs_without_the_shells_libraries(module):
    assert loaded_after("import korad.exchange, korad.providers.anthropic", (module,)) == ""
