"""The machine's own name in events: made once per folder of journals.

It lies among them: who deletes the journals gets another name with them, for the numbers that were
used under the old one must not be used again.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from korad.adapters.private_folder import make_private_folder

MACHINE_FILE = "machine"
_NAME = re.compile(r"m[0-9a-f]{12}")


def load_machine(journal_dir: Path) -> str:
    """Return "m" and 12 hex digits, the same for every start and process of these journals.

    Raises OSError, ValueError when the file holds something else.
    """
    path = journal_dir / MACHINE_FILE
    if not path.exists():
        make_private_folder(journal_dir)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            draft.write_text(f"m{secrets.token_hex(6)}\n")
            # The first of several processes wins, and none ever reads half a name.
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    name = path.read_text().strip()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{path} must hold 'm' and 12 hex digits")
    return name
