"""The pepper: 32 random bytes that key every digest of the key store.

It lies beside the store, not in it, so that a copy of the database alone cannot be used to
test guesses. Machines that share a store in Redis share its pepper too.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from korad.adapters.private_folder import make_private_folder
from korad.auth import digest_key
from korad.config import Settings, read_environment
from korad.config.credentials import resolve_credential
from korad.config.sources import expand_folder

PEPPER_BYTES = 32
PEPPER_FILE = "pepper"
_HEX_BYTES_MAX: Final = 2 * PEPPER_BYTES + 2
"""With the line end that an editor adds."""
_PROBE: Final = b"the pepper of this key store"


class PepperError(Exception):
    """The pepper cannot be read or made; the message names the file."""


def load_pepper_for(settings: Settings, environ: Mapping[str, str] | None = None) -> bytes:
    """Return the pepper that `keys.pepper` names, else that of the state folder.

    `environ` None: the process's own. Raises PepperError.
    """
    reference = settings.keys.pepper
    if reference is None:
        return load_pepper(settings.state_dir)
    environ = read_environment() if environ is None else environ
    base = settings.config_file.parent if settings.config_file else Path()
    if reference.startswith("file:"):
        return _read_file(expand_folder(reference.removeprefix("file:"), environ, base))
    try:
        found = resolve_credential(reference, environ, base)
    except ValueError as error:
        raise PepperError(f"keys.pepper {error}") from None
    if found.secret is None:
        raise PepperError(f"keys.pepper: the {found.source} is not set")
    return _from_hex(found.secret.reveal(), f"the {found.source}")


def describe_pepper(settings: Settings) -> str:
    """Return in words where the pepper of `settings` comes from."""
    return settings.keys.pepper or f"file:{settings.state_dir / PEPPER_FILE}"


def pepper_probe(pepper: bytes) -> bytes:
    """Return what a store keeps to tell its own pepper from another."""
    return digest_key(pepper, _PROBE)


def load_pepper(state_dir: Path) -> bytes:
    """Return the pepper of `state_dir`, making it (and the folder, 0700) the first time.

    However many processes start together, all get the same 32 bytes. Raises PepperError.
    """
    path = state_dir / PEPPER_FILE
    try:
        if not path.exists():
            make_private_folder(state_dir)
            _create_once(path)
        pepper = path.read_bytes()
    except OSError as error:
        raise PepperError(f"cannot read or make {path}: {error.strerror}") from error
    if len(pepper) != PEPPER_BYTES:
        raise PepperError(f"{path} must hold {PEPPER_BYTES} bytes, it has {len(pepper)}")
    return pepper


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            held = file.read(_HEX_BYTES_MAX + 1)
    except OSError as error:
        raise PepperError(f"keys.pepper: cannot read {path}: {error.strerror}") from error
    if len(held) == PEPPER_BYTES:
        return held
    return _from_hex(held.decode("latin-1"), str(path))


def _from_hex(text: str, source: str) -> bytes:
    # Of what may be most of a secret, nothing is repeated.
    try:
        pepper = bytes.fromhex(text)
    except ValueError:
        pepper = b""
    if len(pepper) != PEPPER_BYTES:
        raise PepperError(
            f"keys.pepper: {source} must hold {PEPPER_BYTES} bytes or their "
            f"{2 * PEPPER_BYTES} hex digits; `openssl rand -hex {PEPPER_BYTES}` makes some"
        )
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
