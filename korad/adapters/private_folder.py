"""The one place where folders for korad's state are made: only their owner may look in."""

from __future__ import annotations

from pathlib import Path

PRIVATE: int = 0o700


def make_private_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, each 0700. Raises OSError.

    `Path.mkdir(parents=True)` would give its mode to the last one only: whoever needs a folder
    within the state folder first would leave the state folder itself open to all.
    """
    if not folder.parent.exists():
        make_private_folder(folder.parent)
    folder.mkdir(mode=PRIVATE, exist_ok=True)


def is_private(folder: Path) -> bool:
    """Return whether group and others may not enter, list or write `folder`. Raises OSError."""
    return not folder.stat().st_mode & 0o077
