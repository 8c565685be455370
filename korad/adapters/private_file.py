"""Make the file of a database before SQLite does, so that nobody else can read it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_private_file(path: Path) -> None:
    """Make an empty file with mode 0600 where there is none. Raises OSError.

    One that is there is never opened: closing it would drop the locks that this process holds on it
    through SQLite, and another process would then take the log of the last writes away.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
