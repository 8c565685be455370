"""Programs on PATH, and throw-away environments for those that are not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import orjson

from bench.peers.peer import MissingPeerError

INSTALL_TIMEOUT_S = 900.0
VERSION_TIMEOUT_S = 60.0
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
"""Where distributions put servers, on the PATH of few users."""
SERVER_PATH = ":".join((os.defpath, "/usr/local/bin", *SYSTEM_FOLDERS))
"""The PATH that peers are started with."""
_VERSION = re.compile(r"\d+\.\d+\.\d+[^\s/]*")
_STAMP = "installed.txt"
_ERROR_CHARS = 300


def on_path(name: str) -> str | None:
    """Return a program's full path."""
    return shutil.which(name) or shutil.which(name, path=":".join(SYSTEM_FOLDERS))


def required(name: str, advice: str) -> str:
    """Return a program's full path. Raises MissingPeerError with `advice`."""
    found = on_path(name)
    if found is None:
        raise MissingPeerError(f"{name} is not on PATH; {advice}")
    return found


def told(
    command: list[str],
    timeout_s: float = VERSION_TIMEOUT_S,
    environ: dict[str, str] | None = None,
) -> str:
    """Return what a command says, on either output. Raises MissingPeerError if it fails.

    environ: its environment, PATH apart; None: ours.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=None if environ is None else {"PATH": SERVER_PATH} | environ,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingPeerError(f"`{_short(command)}` took over {timeout_s:.0f} s") from error
    except OSError as error:
        raise MissingPeerError(f"`{_short(command)}`: {error}") from error
    text = done.stdout.decode(errors="replace").strip()
    if done.returncode:
        raise MissingPeerError(
            f"`{_short(command)}` failed ({done.returncode}): {text[-_ERROR_CHARS:]}"
        )
    return text


def version_told(command: list[str]) -> str:
    """Return the first version number in what a command says. Raises MissingPeerError."""
    text = told(command)
    found = _VERSION.search(text)
    if found is None:
        raise MissingPeerError(f"`{_short(command)}` tells no version: {text[:_ERROR_CHARS]}")
    return found[0]


def python_environment(folder: Path, requirement: str) -> Path:
    """Make a virtual environment that holds `requirement`; return its `bin`.

    One that is there already and complete is used again. Raises MissingPeerError.
    """
    binaries = folder / "bin"
    if not _is_complete(folder, requirement):
        told([sys.executable, "-m", "venv", str(folder)], INSTALL_TIMEOUT_S)
        pip = [str(binaries / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        told([*pip, "install", "-q", requirement], INSTALL_TIMEOUT_S)
        _stamp(folder, requirement)
    return binaries


def node_package(folder: Path, package: str, version: str, held_back: dict[str, str]) -> Path:
    """Install an npm package without running its scripts; return its `node_modules`.

    held_back: packages to exact versions, of those it asks for by a range. An installation that
    is there already and complete is used again. Raises MissingPeerError, OSError.
    """
    wanted = {"private": True, "dependencies": {package: version}, "overrides": held_back}
    manifest = orjson.dumps(wanted, option=orjson.OPT_INDENT_2).decode()
    if not _is_complete(folder, manifest):
        npm = required("npm", "install Node.js 18 or later with npm")
        # What an earlier version needed would be kept, by the lock it left.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(manifest, encoding="utf-8")
        options = ["--no-fund", "--no-audit", "--ignore-scripts", "--omit=dev"]
        told([npm, "install", *options, "--prefix", str(folder)], INSTALL_TIMEOUT_S)
        _stamp(folder, manifest)
    return folder / "node_modules"


def _is_complete(folder: Path, requirement: str) -> bool:
    # The stamp is written last: an installation that was cut short is done again.
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == requirement


def _stamp(folder: Path, requirement: str) -> None:
    (folder / _STAMP).write_text(requirement, encoding="utf-8")


def _short(command: list[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:3]])
