"""What results say about where they were made: the machine and the state of the repository."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from bench.load.result import Machine

ROOT = Path(__file__).parents[1]
_KIB_PER_GIB = 2**20


def describe() -> Machine:
    """Return this machine's description."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=_memory_gib(),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def git_commit() -> str:
    """Return the commit, with `+changes` if the working tree differs; "" outside a repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    try:
        commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}+changes" if changes else commit


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    """Return the machine's memory; 0.0 where there is no /proc to ask."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    total = next((line for line in lines if line.startswith("MemTotal:")), "MemTotal: 0 kB")
    return round(int(total.split()[1]) / _KIB_PER_GIB, 1)
