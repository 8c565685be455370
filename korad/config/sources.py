"""Where settings come from: the environment and one TOML file. Nothing else of korad reads them."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from korad.config.problems import ConfigError, Problems

FILE_NAME = "korad.toml"


def read_environment() -> dict[str, str]:
    """Return a copy of the process's environment."""
    return dict(os.environ)  # noqa: TID251 - this is the one place that may


def default_state_dir(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the platform's folder for a user's state, as `environ` describes the user."""
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return Path(local) / "korad" if local else _home(environ) / "AppData" / "Local" / "korad"
    if platform == "darwin":
        return _home(environ) / "Library" / "Application Support" / "korad"
    state_home = Path(environ.get("XDG_STATE_HOME", ""))
    # The XDG base directory specification has relative paths ignored.
    if not state_home.is_absolute():
        state_home = _home(environ) / ".local" / "state"
    return state_home / "korad"


def expand_folder(text: str, environ: Mapping[str, str], base: Path) -> Path:
    """Return the absolute path `text` names: "~" is the user's home, relative is to `base`."""
    path = Path(text)
    if path.parts[:1] == ("~",):
        path = _home(environ).joinpath(*path.parts[1:])
    return (base / path).absolute()


def find_config_file(
    path: Path | None, environ: Mapping[str, str], state_dir: Path
) -> tuple[Path | None, str]:
    """Return the file to read, or None, and who named it ("" where nobody did)."""
    if path is not None:
        return path, "--config"
    named = environ.get("KORAD_CONFIG", "").strip()
    if named:
        return expand_folder(named, environ, Path()), "KORAD_CONFIG"
    for candidate in (Path(FILE_NAME), state_dir / FILE_NAME):
        if _is_there(candidate):
            return candidate, ""
    return None, ""


def read_document(path: Path, named_by: str, problems: Problems) -> dict[str, Any]:
    """Return the file's tables with every fraction as a Decimal, or {} with a problem noted."""
    try:
        # A byte order mark is what Windows editors put in front.
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        origin = f" (named by {named_by})" if named_by else ""
        problems.add(f"{path}{origin} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        problems.add(f"{path} is not UTF-8 text")
    # Besides its own error, which is a ValueError too, tomllib lets through what absurdly large
    # numbers and absurdly deep nesting raise.
    except (ValueError, ArithmeticError, RecursionError) as error:
        problems.add(f"{path} is not TOML: {error}")
    return {}


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # It cannot be looked at; reading it will tell why.
        return True


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if home:
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(
            ["this user has no home folder: set KORAD_STATE_DIR to where korad may keep its state"]
        ) from None
