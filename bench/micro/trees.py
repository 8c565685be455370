"""korad as it was at a commit, or as it is, in a folder that goes away again.

`git archive` and not a worktree: nothing is written to the repository, so that nothing is left
there by a comparison that was killed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRESENT = "."
"""In place of a commit: the working tree, changes and all."""


class TreeError(Exception):
    """No such commit, no git, or no korad at that commit."""


@contextmanager
def korad_at(commit: str) -> Iterator[Path]:
    """Give a folder with nothing but the package `korad` in it. Raises TreeError."""
    with tempfile.TemporaryDirectory(prefix="korad-bench-") as name:
        folder = Path(name)
        if commit == PRESENT:
            # A copy: it stays the same however long the run takes.
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "korad", folder / "korad", ignore=ignored)
        else:
            with tarfile.open(fileobj=io.BytesIO(_archive(commit))) as packed:
                # The first releases of 3.11 have no filters.
                packed.extraction_filter = getattr(tarfile, "data_filter", None)
                packed.extractall(folder)  # noqa: S202 - packed by git
        yield folder


def resolved(commit: str) -> str:
    """Return a commit's short name, or "." as it is. Raises TreeError."""
    if commit == PRESENT:
        return PRESENT
    return _git("rev-parse", "--short", "--verify", f"{commit}^{{commit}}").decode().strip()


def _archive(commit: str) -> bytes:
    return _git("archive", "--format=tar", resolved(commit), "korad")


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands; a commit was resolved or is resolved here
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=ROOT, capture_output=True, check=True,
        )  # fmt: skip
    except OSError as error:
        raise TreeError(f"git cannot be run: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise TreeError(error.stderr.decode(errors="replace").strip()) from None
    return done.stdout
