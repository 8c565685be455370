"""Count the processor's instructions of benchmarks under valgrind: C is counted too.

Needs the command valgrind, no rights and no counters of the processor, which virtual machines
often hide. It takes about fifty times as long as the benchmarks themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.micro.marked import MARK, Marked

ROOT = Path(__file__).parents[2]
_MARKS = 3
"""Of each benchmark."""
_SUMMARY = "summary: "


class InstructionsError(Exception):
    """valgrind is missing, or did not do it."""


def instructions_of(names: Sequence[str]) -> dict[str, float]:
    """Return instructions per operation; without those that failed. Raises InstructionsError."""
    told, counts = counted("bench.micro.marked", *names)
    return per_operation(msgspec.json.decode(told, type=list[Marked]), counts)


def counted(module: str, *arguments: str) -> tuple[bytes, list[int]]:
    """Run a module; return its output and the instructions before each of its marks.

    Those before the second mark are counted from the first on, and so forth. Raises
    InstructionsError.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise InstructionsError("needs the command valgrind (Debian: apt install valgrind)")
    with tempfile.TemporaryDirectory(prefix="korad-valgrind-") as folder:
        done = subprocess.run(  # noqa: S603 - a fixed command, a module of ours
            [
                *(valgrind, "--tool=callgrind", f"--dump-before={MARK.__name__}"),
                f"--callgrind-out-file={folder}/out",
                *(sys.executable, "-P", "-m", module, *arguments),
            ],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PATH": os.defpath},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise InstructionsError(done.stderr.decode(errors="replace").strip())
        dumps = sorted(Path(folder).glob("out.*"), key=lambda dump: int(dump.suffix[1:]))
        return done.stdout, [_count(dump) for dump in dumps]


def per_operation(marked: Sequence[Marked], counts: Sequence[int]) -> dict[str, float]:
    """Return what each took; `counts` are the instructions before each mark since the last one."""
    found = {}
    for at, each in enumerate(marked):
        once, thrice = counts[at * _MARKS + 1 : at * _MARKS + _MARKS]
        found[each.name] = (thrice - once) / (2 * each.calls) / each.operations
    return found


def _count(dump: Path) -> int:
    with dump.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(_SUMMARY):
                return int(line.removeprefix(_SUMMARY))
    raise InstructionsError(f"no figure in {dump.name}")
