"""The pepper: 32 random bytes that key every digest of the key store.

It lies beside the store, not in it, so that a copy of the database alone cannot be used to
test guesses.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

PEPPER_BYTES = 32
PEPPER_FILE = "pepper"


class PepperError(Exception):
    """The pepper cannot be read or made; the message names the file."""


def load_pepper(state_dir: Path) -> bytes:
    """Return the pepper of `state_dir`, making it (and the folder, 0700) the first time.

    However many processes start together, all get the same 32 bytes. Raises PepperError.
    """
    path = state_dir / PEPPER_FILE
    try:
        if not path.exists():
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create_once(path)
        pepper = path.read_bytes()
    except OSError as error:
        raise PepperError(f"cannot read or make {path}: {error.strerror}") from error
    if len(pepper) != PEPPER_BYTES:
        raise PepperError(f"{path} must hold {PEPPER_BYTES} bytes, it has {len(pepper)}")
    return pepper


def _create_once(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(PEPPER_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole and only if the name is free: the first process wins, and no
        # reader ever sees a part. A rename would replace the winner's pepper.
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Keys made under a pepper that a power cut takes away could never be found again.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
