"""References to credentials: `env:NAME` and `file:PATH`.

The credential itself stands in no file that describes korad, and in no message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from korad.config.sources import expand_folder
from korad.domain.secret import Secret
from korad.domain.value import value

ALLOWED = '"env:NAME" or "file:PATH"'
CREDENTIAL_BYTES_MAX = 16 * 1024
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A credential becomes a header: a line end or a blank in it would forge another one.
_CREDENTIAL = re.compile(r"[!-~]+")


@value
class Credential:
    """A credential, if there is one, and the words that say where it was looked for."""

    secret: Secret | None
    source: str


def resolve_credential(reference: str, environ: Mapping[str, str], base: Path) -> Credential:
    """Return what `reference` points to; an unset or empty variable is no credential.

    A relative path starts at `base`. Raises ValueError saying what is wrong, without the value.
    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env" and _VARIABLE.fullmatch(rest):
        return _from_text(environ.get(rest, ""), f"environment variable {rest}")
    if scheme == "file" and rest:
        return _from_file(expand_folder(rest, environ, base))
    raise ValueError(
        f"must be {ALLOWED}, not the key itself: configuration files are copied, shared and "
        "put under version control"
    )


def referenced_variable(reference: object) -> str | None:
    """Return NAME of an `env:NAME` reference, or None for anything else."""
    if not isinstance(reference, str) or not reference.startswith("env:"):
        return None
    return reference.removeprefix("env:")


def _from_file(path: Path) -> Credential:
    try:
        with path.open("rb") as file:
            raw = file.read(CREDENTIAL_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"names {path}, which cannot be read: {error.strerror}") from None
    if not raw.strip():
        raise ValueError(f"names {path}, which is empty")
    if len(raw) > CREDENTIAL_BYTES_MAX:
        raise ValueError(f"names {path}, which is larger than {CREDENTIAL_BYTES_MAX} bytes")
    # Bytes that are not ASCII become characters that the check below refuses.
    return _from_text(raw.decode("ascii", errors="replace"), f"file {path}")


def _from_text(text: str, source: str) -> Credential:
    credential = text.strip()
    if not credential:
        return Credential(secret=None, source=source)
    if not _CREDENTIAL.fullmatch(credential):
        raise ValueError(
            f"{source} holds a blank, a line end or a character that is not ASCII within the key"
        )
    return Credential(secret=Secret(credential), source=source)
