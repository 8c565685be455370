"""Print the interpreter for a new .venv: `python3`, or one of this machine that is clearly quicker.

Usage: python3 scripts/choose_python.py "$PATH"

How an interpreter was built decides over a quarter of its time: a plain build with a shared library
on one side, a distribution's (profile-guided, linked statically) on the other. A build does not
always say what it is, so each runs for a moment what a proxy consists of: calls of methods,
attributes, small dicts. Written for old interpreters too, to be able to leave them.
"""

from __future__ import annotations

import importlib.util
import json  # noqa: TID251 - nothing is installed yet
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

NAMES = ("python3", "python3.11", "python3.12", "python3.13", "python3.14")
"""Those that the locked dependencies have wheels for."""
FOLDERS = ("/usr/bin", "/usr/local/bin")
"""Searched besides PATH."""
OLDEST = (3, 11)
KEYS = {"path", "version", "is_new_enough", "is_usual", "work_ns"}
"""What an interpreter says of itself."""
SAMPLES = 25
ROUNDS = 15
"""In turn, each compared with `python3` of the same round, and the median taken: a shared machine
has slow and quick seconds, so the best sample of each would compare moments, not interpreters."""
QUICKER = 0.9
"""Another than `python3` is taken where it needs less than this part of its time."""
TIMEOUT_S = 20


class Reader:
    """A little state machine."""

    __slots__ = ("counts", "is_open", "last", "seen")

    def __init__(self) -> None:
        self.is_open = True
        self.seen = 0
        self.last: tuple[str, int] = ("", 0)
        self.counts: dict[str, int] = {}

    @property
    def is_warm(self) -> bool:
        """Whether something has come."""
        return self.seen > 0

    def feed(self, kind: str, size: int) -> int | None:
        """Take one event."""
        if not self.is_open:
            raise ValueError(kind)
        self.seen += size
        if self.is_warm:
            self.last = (kind, size)
        return self.note(kind, size=size)

    def note(self, kind: str, *, size: int) -> int | None:
        """Count one event."""
        try:
            self.counts[kind] += size
        except KeyError:
            self.counts[kind] = size
        return self.counts[kind] if self.is_warm else None


def work_ns() -> int:
    """Return the CPU time of 1,500 events, about a millisecond."""
    begin = time.thread_time_ns()
    reader, kinds, total = Reader(), ("head", "body", "end"), 0
    for number in range(1500):
        told = reader.feed(kinds[number % 3], number & 7)
        if told is not None and isinstance(told, int):
            total += told
    return time.thread_time_ns() - begin


def describe() -> dict[str, Any]:
    """Return what is to be known of the interpreter that runs this.

    `path` is its own, resolved; `is_usual` says that it may be taken in another's stead.
    """
    return {
        "path": str(Path(getattr(sys, "_base_executable", sys.executable)).resolve()),
        "version": ".".join(map(str, sys.version_info[:3])),
        "is_new_enough": sys.version_info >= OLDEST,
        "is_usual": sys.implementation.name == "cpython"
        and sys.version_info.releaselevel == "final"
        and not hasattr(sys, "gettotalrefcount")  # a debug build
        and getattr(sys, "_is_gil_enabled", lambda: True)()
        # Debian leaves it to a package of its own, and makes no venv without it.
        and importlib.util.find_spec("ensurepip") is not None,
        "work_ns": min(work_ns() for _ in range(SAMPLES)),
    }


def ask(path: str) -> dict[str, Any] | None:
    """Return what the interpreter at `path` says of itself; None if it does not run."""
    try:
        output = subprocess.run(  # noqa: S603 - what PATH names, as the shell would
            [path, "-I", "-S", __file__, "--describe"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
        ).stdout
        told: dict[str, Any] = json.loads(output)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return told if isinstance(told, dict) and told.keys() >= KEYS else None


def find(folders: list[str]) -> list[dict[str, Any]]:
    """Return what each new enough interpreter says, and as what it was `called`, as searched."""
    found: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        for path in (os.path.join(folder, name) for folder in folders):  # noqa: PTH118
            told = ask(path) if os.access(path, os.X_OK) else None
            if told is not None and told["is_new_enough"]:
                found.setdefault(told["path"], {**told, "called": path})
    return list(found.values())


def choose(found: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the interpreter to take, and why where it is not the first."""
    usual = found[0]
    able = [usual, *(each for each in found[1:] if each["is_usual"])]
    rounds = [
        [int((ask(each["called"]) or each)["work_ns"]) for each in able]
        for _ in range(ROUNDS if len(able) > 1 else 1)
    ]
    parts = [median(took[at] / took[0] for took in rounds) for at in range(len(able))]
    part = min(parts)
    best = able[parts.index(part)]
    if part >= QUICKER:
        return usual["called"], ""
    return best["called"], (
        f"Taking {best['called']} ({best['version']}), {1 - part:.0%} quicker than "
        f"{usual['called']} ({usual['version']}); PYTHON=... chooses another."
    )


def main(arguments: list[str]) -> int:
    """Print the path, and on standard error why; exit code 1 where there is none."""
    if arguments == ["--describe"]:
        print(json.dumps(describe()))
        return 0
    (search_path,) = arguments
    folders = [*filter(os.path.isabs, search_path.split(os.pathsep)), *FOLDERS]
    if sys.platform == "darwin":
        # Apple's is older than any that would do, and may ask to install something.
        folders = [each for each in folders if each != "/usr/bin"]
    found = find(folders)
    if not found:
        return 1
    path, why = choose(found)
    if why:
        print(why, file=sys.stderr)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
